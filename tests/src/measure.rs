//! How often and how long, for benchmarks: their figures go to the terminal.

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::StreamExt as _;
use hdrhistogram::Histogram;

/// Microseconds, to a minute.
const LONGEST_US: u64 = 60_000_000;
/// Digits that count.
const DIGITS: u8 = 3;

/// So many of everything, or with `MITALK_BENCH_QUICK` a tenth.
pub fn times(count: usize) -> usize {
    match std::env::var_os("MITALK_BENCH_QUICK") {
        Some(_) => (count / 10).max(1),
        None => count,
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Acts.
    pub per_second: f64,
    /// Half of them took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
}

/// Prints as it goes, so that a long run shows where it is.
#[derive(Debug, Default)]
pub struct Table {
    begun: bool,
}

impl Table {
    /// Carries out an act `count` times, `at_once` at a time. An act says how long it took, if not all of it counts.
    ///
    /// # Errors
    /// The first of an act.
    pub async fn row<F>(
        &mut self,
        what: &str,
        count: usize,
        at_once: usize,
        act: impl Fn(usize) -> F,
    ) -> Result<Measured>
    where
        F: Future<Output = Result<Option<Duration>>>,
    {
        let mut latency = Histogram::<u64>::new_with_max(LONGEST_US, DIGITS)?;
        let begun = Instant::now();
        let acts = (0..count).map(|n| {
            let act = &act;
            async move {
                let begun = Instant::now();
                let took = act(n).await?;
                Ok::<_, anyhow::Error>(took.unwrap_or_else(|| begun.elapsed()))
            }
        });
        let mut acts = futures::stream::iter(acts).buffer_unordered(at_once);
        while let Some(took) = acts.next().await {
            latency.saturating_record(u64::try_from(took?.as_micros())?);
        }
        let quantile = |q| Duration::from_micros(latency.value_at_quantile(q));
        let measured = Measured {
            per_second: count as f64 / begun.elapsed().as_secs_f64(),
            p50: quantile(0.5),
            p99: quantile(0.99),
        };
        self.print(what, at_once, measured);
        Ok(measured)
    }

    fn print(&mut self, what: &str, at_once: usize, measured: Measured) {
        if !self.begun {
            println!(
                "  {:<46}{:>8}{:>11}{:>10}{:>10}",
                "", "at once", "per s", "p50 ms", "p99 ms"
            );
            self.begun = true;
        }
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        println!(
            "  {what:<46}{at_once:>8}{:>11.0}{:>10.2}{:>10.2}",
            measured.per_second,
            ms(measured.p50),
            ms(measured.p99)
        );
    }
}
