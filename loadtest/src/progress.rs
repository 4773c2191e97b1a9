//! Tells a person how far a run is: bars on a terminal, a line now and then elsewhere. All of it on standard error, so that
//! the report on standard output can be read by programs.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// One step of a run that counts up to something.
#[derive(Debug)]
pub struct Step {
    name: &'static str,
    total: u64,
    unit: &'static str,
    bar: Option<ProgressBar>,
    line_at: Instant,
    done: u64,
}

impl Step {
    /// Begins a step of `total` units.
    pub fn begin(name: &'static str, total: u64, unit: &'static str) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix:<10} {wide_bar} {pos}/{len} {msg}")
                .expect("a constant template is valid");
            ProgressBar::new(total).with_style(style).with_prefix(name)
        });
        let mut step = Self {
            name,
            total,
            unit,
            bar,
            line_at: Instant::now(),
            done: 0,
        };
        step.line("");
        step
    }

    /// Says how far it is, with a remark.
    pub fn at(&mut self, done: u64, remark: &str) {
        self.done = done;
        match &self.bar {
            Some(bar) => {
                bar.set_position(done);
                bar.set_message(format!("{} {remark}", self.unit));
            }
            None if Instant::now() >= self.line_at => self.line(remark),
            None => {}
        }
    }

    /// Ends the step where it is.
    pub fn end(mut self, remark: &str) {
        match self.bar.take() {
            Some(bar) => bar.finish_with_message(format!("{} {remark}", self.unit)),
            None => self.line(remark),
        }
    }

    fn line(&mut self, remark: &str) {
        if self.bar.is_none() {
            self.line_at = Instant::now() + LINE_EVERY;
            say(&format!(
                "{}: {}/{} {} {remark}",
                self.name, self.done, self.total, self.unit
            ));
        }
    }
}

/// A line for people. A closed standard error is no reason to stop.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", line.trim_end());
}
