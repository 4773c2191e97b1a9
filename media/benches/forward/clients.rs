//! The other process: a speaker and N listeners. Offers go out on stdout, answers come in on stdin, one per line.

use mitalk_media::light::{Client, Crowd, Identity, Person, State};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::io::{BufRead, stdin};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Makes this process the clients'.
pub(crate) const ARGUMENT: &str = "--clients";
const PACKET: Duration = Duration::from_millis(20);
/// As long as 20 ms of speech at 48 kbit/s; the time of sending follows the first byte.
const PAYLOAD_BYTES: usize = 100;

/// An SDP on one line.
pub(crate) fn fold(sdp: &str) -> String {
    sdp.replace("\r\n", "|")
}

/// The other way.
pub(crate) fn unfold(line: &str) -> String {
    line.replace('|', "\r\n")
}

/// Joins, idles, speaks, and prints what was heard.
pub(crate) fn run(listeners: usize, idle: Duration, speaking: Duration) {
    let identity = Identity::new().unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let start = Instant::now();
    let mut crowd = Crowd::new(start).unwrap();
    let mut answers = stdin().lock().lines();
    for _ in 0..=listeners {
        let mut client = Client::new(&identity, 3, &mut rng, Instant::now());
        println!("{}", fold(&client.offer()));
        let answer = unfold(&answers.next().unwrap().unwrap());
        client.accept(&answer, Instant::now()).unwrap();
        crowd.add(client, Ipv4Addr::LOCALHOST.into()).unwrap();
        crowd.turn(Duration::ZERO, |_, _, _| {});
    }
    while !crowd
        .people()
        .iter()
        .all(|person| person.client.state() == State::Up)
    {
        crowd.turn(PACKET, |_, _, _| {});
    }
    println!("up");
    let end = Instant::now() + idle;
    while crowd.turn(PACKET, |_, _, _| {}) < end {}
    println!("idled");
    let (heard, lost) = speak(&mut crowd, start, speaking);
    println!("{heard}");
    // Figures of a run that lost packets are no figures.
    if lost > 0 {
        std::process::exit(1);
    }
}

/// Also returns how many packets were not heard.
fn speak(crowd: &mut Crowd, start: Instant, speaking: Duration) -> (String, u64) {
    let mut latency_us = Vec::new();
    let mut next = Instant::now();
    let end = next + speaking;
    let (mut spoken, mut payload) = (0u64, [0x78; PAYLOAD_BYTES]);
    let mut now = next;
    // A little longer than the speech, for the last packets.
    while now < end + 5 * PACKET {
        if next <= now && next < end {
            payload[1..9].copy_from_slice(&(start.elapsed().as_micros() as u64).to_be_bytes());
            let Person { client, wire } = &mut crowd.people()[0];
            client.speak(20, &payload, wire);
            spoken += 1;
            next += PACKET;
        }
        now = crowd.turn(next.saturating_duration_since(now), |_, _, payload| {
            if let Some(sent) = payload.get(1..9).and_then(|bytes| bytes.try_into().ok()) {
                latency_us.push(start.elapsed().as_micros() as u64 - u64::from_be_bytes(sent));
            }
        });
    }
    latency_us.sort_unstable();
    let at = |part: usize| {
        latency_us
            .get(latency_us.len() * part / 100)
            .copied()
            .unwrap_or(0)
    };
    let listeners = crowd.people().len() as u64 - 1;
    let slots = crowd.people().iter().flat_map(|person| person.client.slots());
    let breaks: u64 = slots.clone().map(|slot| slot.breaks).sum();
    let lost = (spoken * listeners).saturating_sub(latency_us.len() as u64);
    let heard = format!(
        "{} of {} packets heard, {lost} lost, {breaks} breaks of the clock; p50 {} us, p99 {} us after they were spoken",
        latency_us.len(),
        spoken * listeners,
        at(50),
        at(99)
    );
    (heard, lost)
}
