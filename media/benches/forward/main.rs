//! What forwarding costs: one speaker, N light listeners with real ICE, DTLS and SRTP, on loopback.
//!
//! `cargo bench -p mitalk-media --bench forward [-- N ...]`. The clients run in a process of their own, so that the server's
//! memory and CPU are its own. Printed beside the floor of the same run: the same number of packets, sealed and sent by
//! `sendmmsg` with nothing around it. Ratios hold between machines, figures do not.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and stops at the first fault"
)]

mod clients;
mod floor;

use mitalk_media::{Config, Engine, Join, Metrics, Rights, RoomKey, SessionKey, StageNumber};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const DEFAULT_SIZES: [usize; 2] = [500, 1000];
const SPEAKING: Duration = Duration::from_secs(15);
const IDLE: Duration = Duration::from_secs(10);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if args.first().is_some_and(|arg| arg == clients::ARGUMENT) {
        return clients::run(args[1].parse().unwrap(), IDLE, SPEAKING);
    }
    let sizes: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    for listeners in if sizes.is_empty() {
        DEFAULT_SIZES.to_vec()
    } else {
        sizes
    } {
        measure(listeners);
    }
}

fn measure(listeners: usize) {
    let floor = floor::measure(listeners);
    let config = Config {
        bind: vec!["127.0.0.1:0".parse().unwrap()],
        ..Config::default()
    };
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    let (engine, mut events) = Engine::start(config, metrics).unwrap();
    // Read as in life: an engine with news that nobody takes looks for its reader every 20 ms.
    let reader = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { while events.next().await.is_some() {} });
    });
    let handle = engine.handle();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([clients::ARGUMENT, &listeners.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to_child = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let (memory, cpu, started) = (resident_kib(), media_cpu(), Instant::now());
    for session in 0..=listeners as u64 {
        let offer = clients::unfold(&lines.next().unwrap());
        let rights = if session == 0 {
            Rights::Speak(StageNumber(1))
        } else {
            Rights::Listen
        };
        let join = Join {
            room: RoomKey(1),
            session: SessionKey(session),
            rights,
            offer,
            grace: Duration::from_secs(30),
        };
        let answer = runtime.block_on(handle.join(join)).unwrap();
        writeln!(to_child, "{}", clients::fold(&answer.sdp)).unwrap();
    }
    assert_eq!(lines.next().unwrap(), "up");
    let people = (listeners + 1) as f64;
    println!(
        "{listeners} listeners: join {:.2} ms CPU of the media thread, {:.0} joins/s one after the other, {:.0} KiB each",
        (media_cpu() - cpu).as_secs_f64() * 1e3 / people,
        people / started.elapsed().as_secs_f64(),
        (resident_kib() - memory) / people,
    );

    let (cpu, idle) = (media_cpu(), Instant::now());
    assert_eq!(lines.next().unwrap(), "idled");
    println!(
        "  idle: {:.1} us CPU per listener and second",
        (media_cpu() - cpu).as_secs_f64() * 1e6 / people / idle.elapsed().as_secs_f64()
    );

    let before = runtime.block_on(handle.stats()).packets_out;
    let cpu = media_cpu();
    let heard = lines.next().unwrap();
    let cpu = media_cpu() - cpu;
    let packets = runtime.block_on(handle.stats()).packets_out - before;
    let each = cpu.as_nanos() as f64 / packets as f64;
    println!(
        "  {packets} packets forwarded at {each:.0} ns CPU each; the floor is {:.0} ns (sealing {:.0}, sendmmsg {:.0}): {:.2} times",
        floor.seal_ns + floor.send_ns,
        floor.seal_ns,
        floor.send_ns,
        each / (floor.seal_ns + floor.send_ns)
    );
    println!("  clients: {heard}");
    assert!(child.wait().unwrap().success(), "packets were lost");
    engine.shutdown();
    reader.join().unwrap();
}

/// CPU time of the media threads so far.
fn media_cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|task| task.unwrap().path());
    let media = tasks.filter(|task| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with("media-"))
    });
    let on_cpu_ns = |task: std::path::PathBuf| -> u64 {
        let figures = std::fs::read_to_string(task.join("schedstat")).unwrap();
        figures.split(' ').next().unwrap().parse().unwrap()
    };
    Duration::from_nanos(media.map(on_cpu_ns).sum())
}

fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
