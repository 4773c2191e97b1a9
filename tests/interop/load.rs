//! `mitalk-load` itself, as people run it: a small mass join hears everything, and one that is cut off says so.

use anyhow::Context;
use mitalk_tests::server::{self, Server};
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const LISTENERS: u64 = 20;
const SPEAKERS: u64 = 3;
/// Longer than any of these runs takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often the server is asked how far it is.
const LOOK: Duration = Duration::from_millis(100);

/// A run of so many seconds against the server.
fn load(server: &Server, seconds: u64) -> Command {
    let mut command = Command::new(server::binary("mitalk-load"));
    command
        .args(["join", "--url", server.client.base().as_str(), "--json"])
        .args(["--operations", &server.operations])
        .arg("--admin-token-file")
        .arg(server.token_file())
        .args(["--listeners", &LISTENERS.to_string()])
        .args(["--speakers", &SPEAKERS.to_string()])
        .args(["--rate", "20", "--join-timeout", "60s"])
        .args(["--duration", &format!("{seconds}s")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Waits for the end. The exit code, the report, and what was said meanwhile.
#[allow(clippy::print_stdout, reason = "figures are for people to look at")]
async fn report(command: &mut Command) -> anyhow::Result<(Option<i32>, Value, String)> {
    let output = tokio::time::timeout(PATIENCE, command.output()).await??;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("{said}");
    let report = serde_json::from_slice(&output.stdout).context("standard output is no report")?;
    println!("{report:#}");
    Ok((output.status.code(), report, said))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_of_a_mass_join_hears_everything() -> anyhow::Result<()> {
    let server = Server::start(&["admin.test_admission=true"]).await?;
    let (code, report, said) = report(&mut load(&server, 2)).await?;
    assert_eq!(code, Some(0));
    assert_eq!(
        (&report["joined"], &report["dropped"]),
        (&LISTENERS.into(), &0.into())
    );
    assert_eq!(report["lost_percent"], 0.0);
    // Two seconds of everybody's 20 ms frames at the least.
    let packets = report["heard"]["packets"].as_u64().context("packets")?;
    assert!(packets >= LISTENERS * SPEAKERS * 100, "{packets} packets");
    for figure in [
        &report["joins_per_s"],
        &report["first_audio"]["p50_ms"],
        &report["first_audio"]["p99_ms"],
        &report["server"]["cores"],
        &report["server"]["memory_per_listener_bytes"],
    ] {
        assert!(figure.is_number(), "a figure is missing");
    }
    // In seconds that are not whole ones: the server's own metric tells fractions.
    let cores = report["server"]["cores"].as_f64().context("cores")?;
    assert!(cores > 0.0, "the server's CPU was not measured");
    // Every step says how far it is, and where it ended.
    let people = LISTENERS + SPEAKERS;
    for line in [
        format!("accounts: {people}/{people} made"),
        "rooms: 1/1 open".to_owned(),
        format!("joins: 0/{LISTENERS} joined"),
        format!("joins: {LISTENERS}/{LISTENERS} joined"),
        "stay: 0/2 s".to_owned(),
        "stay: 2/2 s".to_owned(),
    ] {
        assert!(
            said.lines().any(|said| said.trim_end().starts_with(&line)),
            "{line:?} is missing: {said}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_cut_off_fails() -> anyhow::Result<()> {
    let server = Server::start(&["admin.test_admission=true"]).await?;
    let mut command = load(&server, 60);
    let cut = async {
        while server.admin.readiness().await?.media_sessions < (LISTENERS + SPEAKERS) as usize {
            tokio::time::sleep(LOOK).await;
        }
        let rooms = server.admin.rooms().await?.rooms;
        server
            .admin
            .stop_room(&rooms.first().context("no room")?.id)
            .await?;
        anyhow::Ok(())
    };
    let cut = tokio::time::timeout(PATIENCE, cut);
    let (ended, cut) = tokio::join!(report(&mut command), cut);
    cut??;
    let (code, report, _) = ended?;
    assert_eq!(code, Some(1));
    assert_eq!(report["dropped"], LISTENERS + SPEAKERS);
    Ok(())
}
