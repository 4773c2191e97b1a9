//! The process: configuration, ports, the lock on the data, signals, and the commands that ask nobody.

use anyhow::{Context as _, Result};
use mitalk::wire::admin::Phase;
use mitalk::wire::invites::InviteRequest;
use mitalk_tests::server::{PATIENCE, Server, mitalk, until};
use std::path::Path;
use std::process::Output;
use std::time::Instant;

pub(crate) async fn run(
    directory: &Path,
    args: &[&str],
    variables: &[(&str, &str)],
) -> Result<(Option<i32>, String)> {
    let output = mitalk(directory)
        .args(args)
        .envs(variables.iter().copied())
        .output();
    let output: Output = tokio::time::timeout(PATIENCE, output)
        .await
        .context("it does not end")??;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&text).into_owned()))
}

/// Listeners on ports that nobody else has.
pub(crate) fn free_ports() -> [&'static str; 6] {
    [
        "--set",
        "http.listen=127.0.0.1:0",
        "--set",
        "operations.listen=127.0.0.1:0",
        "--set",
        "media.bind=[\"127.0.0.1:0\"]",
    ]
}

/// Rule 1 of the protocol: another process took this node's name, as seen in its lease, so this one may not go on.
#[tokio::test]
async fn a_node_that_has_lost_its_name_ends_the_process() -> Result<()> {
    let mut server = Server::open(&[]).await?;
    let person = server.person("+4915112346711", "Here").await?;
    let database = rusqlite::Connection::open(server.directory.path().join("data/mitalk.db"))?;
    database.busy_timeout(PATIENCE)?;
    let raised = database.execute("UPDATE node_lease SET incarnation = incarnation + 1", [])?;
    assert_eq!(raised, 1);
    drop(database);
    let status = server.ended().await?;
    assert_eq!(status.code(), Some(1), "{:?}", server.log());
    for words in ["another process has this node's name", "\"stopped\""] {
        let said = async || server.log().iter().any(|line| line.contains(words)).then_some(());
        until(&format!("the log to say {words}"), said).await;
    }
    // Whoever runs it starts it again, and everything is there.
    let server = Server::start_in(server.into_directory(), &[]).await?;
    let client = server.client.signed_in(&person.tokens.access_token);
    assert_eq!(client.me().await?.profile.name, "Here");
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn configuration_errors_name_the_key_and_the_nearest_one() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path();
    std::fs::write(path.join("bad.toml"), "[http]\nlisen = \"127.0.0.1:1\"\n")?;
    std::fs::write(path.join("broken.toml"), "[http\n")?;
    for (args, variables, hints) in [
        (
            &["--config", "bad.toml", "serve"][..],
            &[][..],
            &["http.lisen", "bad.toml", "http.listen"][..],
        ),
        (&["--config", "broken.toml", "serve"], &[], &["broken.toml"]),
        (
            &["--config", "missing.toml", "serve"],
            &[],
            &["missing.toml", "cannot read"],
        ),
        (
            &["--set", "media.thread=2", "serve"],
            &[],
            &["media.thread", "media.threads"],
        ),
        (
            &["serve"],
            &[("MITALK_HTTP__LISEN", "x")],
            &["http.lisen", "http.listen"],
        ),
        (&["serve"], &[("MITALK_HTTP__LISTEN", "here")], &["http.listen"]),
        (
            &["--set", "http.max_body_bytes=5", "serve"],
            &[],
            &["http.max_body_bytes", "32768"],
        ),
        (
            &["--set", "http.listen=127.0.0.1:9090", "serve"],
            &[],
            &["operations.listen", "another port"],
        ),
    ] {
        let (status, text) = run(path, args, variables).await?;
        assert_eq!(status, Some(2), "{args:?}: {text}");
        for hint in hints {
            assert!(text.contains(hint), "{args:?} does not say {hint}: {text}");
        }
        assert_eq!(text.lines().count(), 1, "one line: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn file_environment_and_flags_win_in_this_order() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path();
    std::fs::write(
        path.join("mitalk.toml"),
        "[media]\nthreads = 2\nmax_sessions = 22\n[log]\nlevel = \"warn\"\n",
    )?;
    let variables = [
        // What Kubernetes tells its pods of a service that is called `mitalk`.
        ("MITALK_SERVICE_HOST", "10.0.0.1"),
        ("MITALK_PORT", "tcp://10.0.0.1:80"),
        ("MITALK_MEDIA__THREADS", "3"),
        ("MITALK_MEDIA__MAX_SESSIONS", "33"),
    ];
    let (status, text) = run(path, &["config", "print", "--set", "media.threads=4"], &variables).await?;
    assert_eq!(status, Some(0), "{text}");
    for line in ["threads = 4", "max_sessions = 33", "level = \"warn\""] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let (_, defaults) = run(path, &["config", "print", "--defaults"], &variables).await?;
    assert!(defaults.contains("threads = 1"));
    std::fs::write(path.join("mitalk.toml"), &defaults)?;
    let (status, again) = run(path, &["config", "print"], &[]).await?;
    assert_eq!(
        (status, again),
        (Some(0), defaults),
        "what is printed can be used as it is"
    );
    Ok(())
}

/// What is deployed is read by the service itself.
#[tokio::test]
async fn the_configuration_of_the_containers_can_be_used() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/compose/mitalk.toml");
    let (status, text) = run(directory.path(), &["config", "print", "--config", file], &[]).await?;
    assert_eq!(status, Some(0), "{text}");
    for line in ["store = \"scylla\"", "events = \"kafka\"", "min_isr = 1"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_busy_port_is_named() -> Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let directory = tempfile::tempdir()?;
    for key in ["http.listen", "operations.listen"] {
        let other = if key == "http.listen" {
            "operations.listen"
        } else {
            "http.listen"
        };
        let args = [
            "--set",
            &format!("{key}={address}"),
            "--set",
            &format!("{other}=127.0.0.1:0"),
            "serve",
        ];
        let (status, text) = run(directory.path(), &args, &[]).await?;
        assert_eq!(status, Some(1), "{text}");
        assert!(
            text.contains(&address) && text.contains(key) && text.contains("another"),
            "{text}"
        );
    }
    assert!(!directory.path().join("var").exists(), "nothing was touched");
    let taken = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let bind = format!("media.bind=[\"{}\"]", taken.local_addr()?);
    let args = [
        "--set",
        "http.listen=127.0.0.1:0",
        "--set",
        "operations.listen=127.0.0.1:0",
        "--set",
        &bind,
        "serve",
    ];
    let (status, text) = run(directory.path(), &args, &[]).await?;
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains(&taken.local_addr()?.port().to_string()), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused_and_harms_nothing() -> Result<()> {
    let server = Server::open(&[]).await?;
    let args = [&free_ports()[..], &["serve", "--data-dir", "data"]].concat();
    let (status, text) = run(server.directory.path(), &args, &[]).await?;
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("already in use"), "{text}");
    server.sign_in("+4915112346301").await?;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_damaged_database_or_secrets_file_is_refused_and_kept() -> Result<()> {
    let directory = Server::open(&[]).await?.stop().await?;
    let data = directory.path().join("data");
    let args = [&free_ports()[..], &["serve", "--data-dir", "data"]].concat();
    let secrets = std::fs::read(data.join("secrets.json"))?;
    std::fs::write(data.join("secrets.json"), b"{")?;
    let (status, text) = run(directory.path(), &args, &[]).await?;
    assert_eq!(status, Some(1));
    assert!(text.contains("secrets.json") && text.contains("backup"), "{text}");
    assert_eq!(std::fs::read(data.join("secrets.json"))?, b"{");
    std::fs::write(data.join("secrets.json"), secrets)?;

    let database = data.join("mitalk.db");
    std::fs::write(
        &database,
        b"this is not a database, and it is long enough to have a header of one, if it were",
    )?;
    let (status, text) = run(directory.path(), &args, &[]).await?;
    assert_eq!(status, Some(1));
    assert!(text.contains("mitalk.db"), "{text}");
    let (status, text) = run(
        directory.path(),
        &["doctor", "--set", "storage.data_dir=\"data\""],
        &[],
    )
    .await?;
    assert_eq!(status, Some(1));
    assert!(text.contains("FAIL") && text.contains("->"), "{text}");
    Ok(())
}

#[tokio::test]
async fn it_starts_at_once_stops_cleanly_and_keeps_secrets_private() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let started = Instant::now();
    let server = Server::start(&["log.level=debug"]).await?;
    // Two seconds are asked for on a machine of its own; here the figure is for people to look at.
    eprintln!("up after {:?}", started.elapsed());
    for file in ["secrets.json", "admin-token"] {
        let mode = std::fs::metadata(server.directory.path().join("data").join(file))?
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    server.admin.set_phase(Phase::Open).await?;
    let person = server.person("+4915112346311", "Somebody Unmistakable").await?;
    let refreshed = person.client.refresh(&person.tokens.refresh_token).await?;
    let invite = InviteRequest::Phone {
        phone: "+4915112346312".to_owned(),
    };
    person.client.invite(&invite, "key").await?;
    server.admin.account("+4915112346311").await?;
    let token = std::fs::read_to_string(server.directory.path().join("data/admin-token"))?;
    let stopping = Instant::now();
    // All of it: lines come by another thread and a pipe.
    let log = server.stopped_log().await?.join("\n");
    eprintln!("stopped after {:?}", stopping.elapsed());
    assert!(
        log.contains("stopped") && log.contains("\"level\":\"DEBUG\""),
        "{log}"
    );
    for secret in [
        "15112346311",
        "15112346312",
        "Somebody Unmistakable",
        token.trim(),
        &person.tokens.refresh_token,
        &person.tokens.access_token,
        &refreshed.refresh_token,
        &refreshed.access_token,
    ] {
        assert!(!log.contains(secret), "the log has {secret}");
    }
    Ok(())
}

#[tokio::test]
async fn both_signals_stop_it_and_leave_one_database_file_without_a_log() -> Result<()> {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut server = Server::open(&[]).await?;
        let person = server.sign_in("+4915112346312").await?;
        let log = server.directory.path().join("data/mitalk.db-wal");
        assert!(log.exists(), "writes go to a log first");
        let _live = person.client.live(0).await?;
        server.signal(signal)?;
        assert_eq!(server.ended().await?.code(), Some(0));
        assert!(!log.exists(), "signal {signal}: the log is still there");
    }
    Ok(())
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() -> Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut server = Server::start(&[]).await?;
    // A request whose body does not come: stopping waits for it.
    let address = server.app.strip_prefix("http://").context("an address")?;
    let mut request = tokio::net::TcpStream::connect(address).await?;
    let head = "POST /v1/auth/code HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\
                Expect: 100-continue\r\n\r\n";
    request.write_all(head.as_bytes()).await?;
    let mut go_on = [0; "HTTP/1.1 100 ".len()];
    request.read_exact(&mut go_on).await?;
    assert_eq!(&go_on, b"HTTP/1.1 100 ", "the body is waited for");
    server.signal(libc::SIGTERM)?;
    until("it to be stopping", async || {
        let stopping = |line: &String| line.contains("a second signal ends at once");
        server.log().iter().any(stopping).then_some(())
    })
    .await;
    server.signal(libc::SIGTERM)?;
    assert_eq!(server.ended().await?.code(), Some(130));
    Ok(())
}

#[tokio::test]
async fn keys_rotate_without_signing_anybody_out() -> Result<()> {
    let server = Server::open(&[]).await?;
    let person = server.sign_in("+4915112346321").await?;
    let directory = server.stop().await?;
    let args = ["config", "rotate-key", "--set", "storage.data_dir=\"data\""];
    let (status, text) = run(directory.path(), &args, &[]).await?;
    assert_eq!(status, Some(0), "{text}");
    let server = Server::start_in(directory, &["limits.codes.resend_after_s=0"]).await?;
    let before = server.client.signed_in(&person.tokens.access_token);
    assert_eq!(before.me().await?.id, person.id, "the old token counts on");
    let fresh = server.client.refresh(&person.tokens.refresh_token).await?;
    assert_eq!(
        server.client.signed_in(&fresh.access_token).me().await?.id,
        person.id
    );
    let again = server.sign_in("+4915112346321").await?;
    assert_eq!(again.id, person.id, "numbers are found with the new key");
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn doctor_finds_nothing_on_an_empty_machine_and_migrate_makes_the_database() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let free = free_ports();
    let (status, text) = run(directory.path(), &[&["doctor"], &free[..]].concat(), &[]).await?;
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("0 to mend"), "{text}");
    assert!(!directory.path().join("var").exists(), "it changes nothing");
    let wrong = ["--set", "http.public_url=https://talk.example.org"];
    let (status, text) = run(directory.path(), &[&["doctor"], &free[..], &wrong].concat(), &[]).await?;
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("only this machine can send anything"), "{text}");
    let (status, text) = run(directory.path(), &["migrate"], &[]).await?;
    assert_eq!(status, Some(0), "{text}");
    assert!(directory.path().join("var/mitalk.db").exists());
    let (status, text) = run(directory.path(), &["--help"], &[]).await?;
    assert_eq!(status, Some(0));
    for command in ["serve", "admin", "migrate", "config", "doctor", "openapi"] {
        assert!(text.contains(command), "{text}");
    }
    Ok(())
}
