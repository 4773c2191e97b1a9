//! Disks that are full or fail, and databases that cannot be used: each is explained with what to do, and once it is
//! mended nothing that was acknowledged is missing.

use crate::process::{free_ports, run};
use anyhow::{Context as _, Result, ensure};
use mitalk::client::Error;
use mitalk::wire::people::ProfilePatch;
use mitalk_tests::disk::SmallDisk;
use mitalk_tests::server::{PATIENCE, Person, Server, until};
use std::path::Path;
use tempfile::TempDir;

/// What is answered while nothing can be written: at once, and nothing was done.
const REFUSED: [&str; 1] = ["store_unavailable"];
/// The same where a disk fails in the middle of a commit: what became of that is unknown until it is settled, and its
/// caller may not wait so long.
const UNKNOWN: [&str; 2] = ["store_unavailable", "timed_out"];

/// A disk for a database and little else.
const DISK_MIB: u32 = 8;
/// What is left to a database that has reached its bound soon.
const ROOM_BYTES: u64 = 64 * 1024;
/// More people than find room in that: each takes more than a kilobyte.
const MOST_PEOPLE: usize = 64;

/// Somebody who keeps changing their profile, and what was acknowledged of it.
struct Writer {
    person: Person,
    /// How it may be refused.
    refused: &'static [&'static str],
    acknowledged: usize,
    /// The newest change that was sent: without an answer it may be there.
    sent: usize,
}

impl Writer {
    async fn new(server: &Server, phone: &str, refused: &'static [&'static str]) -> Result<Self> {
        Ok(Self {
            refused,
            person: server.person(phone, "0").await?,
            acknowledged: 0,
            sent: 0,
        })
    }

    /// The code of the refusal, if it was refused.
    async fn write(&mut self) -> Result<Option<String>> {
        self.sent += 1;
        let patch = ProfilePatch {
            name: Some(self.sent.to_string()),
            // Whole pages of the log for every commit.
            bio: Some("x".repeat(900)),
            ..ProfilePatch::default()
        };
        match self.person.client.patch_profile(&patch).await {
            Ok(_) => {
                self.acknowledged = self.sent;
                Ok(None)
            }
            Err(error) => {
                let code = error.code().context("a problem document")?.to_owned();
                ensure!(self.refused.contains(&code.as_str()), "refused with {code}");
                Ok(Some(code))
            }
        }
    }

    async fn write_until_refused(&mut self) -> Result<String> {
        loop {
            if let Some(code) = self.write().await? {
                return Ok(code);
            }
        }
    }

    async fn write_until_accepted(&mut self) {
        until("writing to resume", async || {
            self.write().await.ok()?.is_none().then_some(())
        })
        .await;
    }

    /// What is there is the last acknowledged change, or a later one whose answer was lost.
    async fn check(&self) -> Result<()> {
        let name: usize = self.person.client.me().await?.profile.name.parse()?;
        ensure!(
            (self.acknowledged..=self.sent).contains(&name),
            "{name} is there; acknowledged {}, sent {}",
            self.acknowledged,
            self.sent
        );
        Ok(())
    }

    /// The same over a new process.
    async fn check_after_restart(mut self, server: Server) -> Result<()> {
        let server = Server::start_in(server.stop().await?, &[]).await?;
        self.person.client = server.client.signed_in(&self.person.tokens.access_token);
        self.check().await?;
        server.stop().await?;
        Ok(())
    }
}

/// Waits for a line with all of these words: the log is written by a thread of its own.
async fn log_says(server: &Server, what: &[&str]) {
    let says = |line: &String| what.iter().all(|word| line.contains(word));
    let said = async || server.log().iter().any(says).then_some(());
    until(&format!("a line of the log that says {what:?}"), said).await;
}

/// Waits until nothing is owed and nobody is in an open list.
async fn nothing_is_open(server: &Server) -> Result<()> {
    let database = rusqlite::Connection::open_with_flags(
        server.directory.path().join("data/mitalk.db"),
        rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
    )?;
    database.busy_timeout(PATIENCE)?;
    let gone = async || {
        let count = database.query_row("SELECT count(*) FROM open_list", [], |row| row.get::<_, i64>(0));
        (count.ok()? == 0).then_some(())
    };
    until("nobody to owe anything", gone).await;
    Ok(())
}

#[tokio::test]
async fn a_full_disk_is_named_and_writing_resumes_when_there_is_room() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let Some(disk) = SmallDisk::mount(directory.path(), DISK_MIB)? else {
        return Ok(());
    };
    let server = Server::start_in(directory, &[]).await?;
    let mut writer = Writer::new(&server, "+4915112346401", &REFUSED).await?;
    // Nobody is in the open list any more: the next commit begins with a note in it (rule 8).
    let mut idle = Writer::new(&server, "+4915112346402", &REFUSED).await?;
    nothing_is_open(&server).await?;
    disk.fill()?;
    let code = writer.write_until_refused().await?;
    assert_eq!(code, "store_unavailable");
    assert_eq!(idle.write_until_refused().await?, "store_unavailable");
    log_says(&server, &["disk is full", "free some space"]).await;
    writer.check().await.context("reads go on")?;
    disk.clear()?;
    writer.write_until_accepted().await;
    log_says(&server, &["the store can write again"]).await;
    writer.check_after_restart(server).await
}

#[tokio::test]
async fn a_disk_that_is_full_at_the_start_is_named() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let Some(disk) = SmallDisk::mount(directory.path(), DISK_MIB)? else {
        return Ok(());
    };
    disk.fill()?;
    let args = [&free_ports()[..], &["serve", "--data-dir", "data"]].concat();
    let (status, text) = run(directory.path(), &args, &[]).await?;
    assert_eq!(status, Some(1), "{text}");
    assert!(
        text.contains("data") && text.contains("free some space"),
        "{text}"
    );
    disk.clear()?;
    let server = Server::start_in(directory, &[]).await?;
    server.sign_in("+4915112346441").await?;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_database_at_its_configured_size_refuses_writes_and_is_whole_without_the_bound() -> Result<()> {
    let directory = Server::open(&[]).await?.stop().await?;
    let bytes = std::fs::metadata(directory.path().join("data/mitalk.db"))?.len();
    let bound = format!("storage.max_bytes={}", bytes + ROOM_BYTES);
    let many_codes = "limits.codes.per_address_and_hour=1000";
    let server = Server::start_in(directory, &[&bound, many_codes]).await?;
    let mut people = Vec::new();
    let refused = loop {
        let phone = format!("+49151123465{:02}", people.len());
        match server.person(&phone, "Somebody").await {
            Ok(person) => people.push(person),
            Err(error) => break error,
        }
        ensure!(people.len() < MOST_PEOPLE, "the bound is not kept");
    };
    let code = refused.downcast_ref::<Error>().and_then(Error::code);
    ensure!(code.is_some_and(|code| REFUSED.contains(&code)), "{refused:#}");
    log_says(&server, &["storage.max_bytes"]).await;
    for person in &people {
        assert_eq!(person.client.me().await?.id, person.id, "reads go on");
    }
    let server = Server::start_in(server.stop().await?, &[]).await?;
    for person in &people {
        let client = server.client.signed_in(&person.tokens.access_token);
        assert_eq!(client.me().await?.profile.name, "Somebody");
    }
    server.person("+4915112346699", "Later").await?;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_disk_that_fails_loses_nothing_acknowledged() -> Result<()> {
    let server = Server::open(&[]).await?;
    let mut writer = Writer::new(&server, "+4915112346411", &UNKNOWN).await?;
    let log = std::fs::metadata(server.directory.path().join("data/mitalk.db-wal"))?.len();
    // Every write beyond this fails in the middle of a commit, as on a disk with broken blocks.
    server.limit_files(log + 8_192)?;
    writer.write_until_refused().await?;
    log_says(&server, &["the store cannot write", "the disk fails", "check it"]).await;
    server.limit_files(libc::RLIM_INFINITY)?;
    writer.write_until_accepted().await;
    writer.check_after_restart(server).await
}

/// A stopped server's directory, and somebody who is in it.
async fn stopped(phone: &str) -> Result<(TempDir, Person)> {
    let server = Server::open(&[]).await?;
    let person = server.person(phone, "Here").await?;
    Ok((server.stop().await?, person))
}

/// The database is refused in these words; once `mend` did what they say, everybody is back.
async fn refused_then_mended(
    directory: TempDir,
    person: Person,
    words: &[&str],
    mend: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let args = [&free_ports()[..], &["serve", "--data-dir", "data"]].concat();
    let (status, text) = run(directory.path(), &args, &[]).await?;
    assert_eq!(status, Some(1), "{text}");
    for word in words {
        assert!(text.contains(word), "it does not say {word}: {text}");
    }
    mend(&directory.path().join("data/mitalk.db"))?;
    let server = Server::start_in(directory, &[]).await?;
    let client = server.client.signed_in(&person.tokens.access_token);
    assert_eq!(client.me().await?.profile.name, "Here");
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_database_with_broken_pages_is_refused_until_a_copy_is_restored() -> Result<()> {
    let (directory, person) = stopped("+4915112346421").await?;
    let database = directory.path().join("data/mitalk.db");
    let copy = std::fs::read(&database)?;
    let mut broken = copy.clone();
    let middle = broken.len() / 2;
    broken[middle..].fill(0x5a);
    std::fs::write(&database, broken)?;
    let words = ["mitalk.db", "damaged", "restore a copy"];
    refused_then_mended(directory, person, &words, |database| {
        Ok(std::fs::write(database, copy)?)
    })
    .await
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_left_as_it_is() -> Result<()> {
    let (directory, person) = stopped("+4915112346431").await?;
    let version = |database: &Path, add: i64| -> Result<()> {
        let database = rusqlite::Connection::open(database)?;
        let schema: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(database.pragma_update(None, "user_version", schema + add)?)
    };
    version(&directory.path().join("data/mitalk.db"), 1)?;
    let words = ["mitalk.db", "newer Mi Talk", "run the newer version"];
    refused_then_mended(directory, person, &words, |database| version(database, -1)).await
}
