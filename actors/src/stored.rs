//! What is stored: states of entities, rows of their outboxes, events. What today's code writes is kept in
//! `actors/fixtures`, byte for byte, beside what earlier code wrote, and today's code must read all of it.
//!
//! A file is `<what>.v<version>.<n>.msgpack`: `version` is the entity's, `n` counts formats that need no new version (a new
//! field with a default). Files are only ever added: `MITALK_FIXTURES=write cargo test -p mitalk-actors stored` adds
//! those that are missing.

mod examples;

use crate::events::{self, Message};
use crate::fanout::Fanout;
use crate::handle::Handle;
use crate::invite::Invite;
use crate::phase::Phase;
use crate::phone::Phone;
use crate::room::Room;
use crate::sunset::Sunset;
use crate::tables;
use crate::testing::pure::Model;
use crate::user::User;
use crate::waitlist::{Waitlist, block::Block, ticket::Ticket};
use mitalk_cluster::{DecodeError, Entity, Outgoing, Target, wire};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Reads what was stored under a version.
type Read = fn(u16, &[u8]) -> Result<(), DecodeError>;

/// Something of today that is stored.
struct Example {
    what: &'static str,
    version: u16,
    bytes: Vec<u8>,
    read: Read,
}

impl Example {
    /// The state of an entity, and everything that it sent on its way there.
    fn of<E: Entity>(what: &'static str, model: &Model<E>) -> Self {
        Self {
            what,
            version: E::VERSION,
            bytes: wire::encode(&model.state),
            read: |version, bytes| E::upgrade(version, bytes).map(drop),
        }
    }

    /// Rows of outboxes: commands, events, changes of tables.
    fn sent(what: &'static str, rows: &[Outgoing]) -> Self {
        let rows: Vec<_> = rows.iter().map(stored_row).collect();
        Self {
            what,
            version: 1,
            bytes: wire::encode(&rows),
            read: |_, bytes| {
                let rows: Vec<(String, ByteBuf)> = wire::decode(bytes)?;
                rows.iter()
                    .try_for_each(|(target, payload)| read_row(target, payload))
            },
        }
    }
}

fn stored_row(row: &Outgoing) -> (String, ByteBuf) {
    let target = match &row.target {
        Target::Entity(id) => format!("entity {}", id.kind.as_str()),
        Target::Topic(topic) => format!("topic {topic}"),
        Target::Table(table) => format!("table {table}"),
    };
    (target, ByteBuf::from(row.payload.clone()))
}

fn read_row(target: &str, payload: &[u8]) -> Result<(), DecodeError> {
    let command = |kind: &str| match kind {
        User::KIND => wire::decode::<<User as Entity>::Command>(payload).map(drop),
        Phone::KIND => wire::decode::<<Phone as Entity>::Command>(payload).map(drop),
        Handle::KIND => wire::decode::<<Handle as Entity>::Command>(payload).map(drop),
        Invite::KIND => wire::decode::<<Invite as Entity>::Command>(payload).map(drop),
        Waitlist::KIND => wire::decode::<<Waitlist as Entity>::Command>(payload).map(drop),
        Block::KIND => wire::decode::<<Block as Entity>::Command>(payload).map(drop),
        Ticket::KIND => wire::decode::<<Ticket as Entity>::Command>(payload).map(drop),
        Phase::KIND => wire::decode::<<Phase as Entity>::Command>(payload).map(drop),
        Room::KIND => wire::decode::<<Room as Entity>::Command>(payload).map(drop),
        Sunset::KIND => wire::decode::<<Sunset as Entity>::Command>(payload).map(drop),
        Fanout::KIND => wire::decode::<<Fanout as Entity>::Command>(payload).map(drop),
        other => Err(DecodeError(format!("no entity is called {other}"))),
    };
    match target.split_once(' ') {
        Some(("entity", kind)) => command(kind),
        Some(("topic", events::INVITES)) => events::Invites::read(payload).map(drop),
        Some(("topic", events::NOTICES)) => events::Notices::read(payload).map(drop),
        Some(("topic", events::PUSHES)) => events::Pushes::read(payload).map(drop),
        Some(("topic", events::AUDIT)) => events::Audit::read(payload).map(drop),
        Some(("table", _)) => tables::Change::read(payload).map(drop),
        _ => Err(DecodeError(format!("nothing is sent to {target}"))),
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// What is kept, by what it is: version, number, file.
fn kept() -> BTreeMap<String, Vec<(u16, u32, PathBuf)>> {
    let mut kept = BTreeMap::<String, Vec<_>>::new();
    for entry in std::fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let parts: Vec<_> = name.split('.').collect();
        let [what, version, n, "msgpack"] = parts[..] else {
            panic!("{name} is not <what>.v<version>.<n>.msgpack");
        };
        let version = version.strip_prefix('v').unwrap().parse().unwrap();
        let files = kept.entry(what.to_owned()).or_default();
        files.push((version, n.parse().unwrap(), path.clone()));
        files.sort();
    }
    kept
}

#[test]
fn what_is_written_today_is_kept() {
    let kept = kept();
    for example in examples::all() {
        let newest = kept.get(example.what).and_then(|files| files.last());
        let same = newest.is_some_and(|(version, _, path)| {
            *version == example.version && std::fs::read(path).unwrap() == example.bytes
        });
        if same {
            continue;
        }
        let n = newest.map_or(1, |(_, n, _)| n + 1);
        let name = format!("{}.v{}.{n}.msgpack", example.what, example.version);
        if std::env::var_os("MITALK_FIXTURES").is_some_and(|what| what == "write") {
            std::fs::write(directory().join(&name), &example.bytes).unwrap();
            println!("written: {name}");
            continue;
        }
        panic!(
            "what is stored of `{}` has changed. Rows of before are still out there: give new fields a default, or raise \
             VERSION and let `upgrade` read both. Then MITALK_FIXTURES=write adds fixtures/{name} to what must be readable \
             for ever; change or remove none of the others.",
            example.what
        );
    }
}

#[test]
fn what_was_ever_written_can_be_read() {
    let examples = examples::all();
    let mut read = 0;
    for (what, files) in kept() {
        let example = examples.iter().find(|example| example.what == what);
        let example = example.unwrap_or_else(|| panic!("nothing called {what} is stored today"));
        for (version, _, path) in files {
            let bytes = std::fs::read(&path).unwrap();
            (example.read)(version, &bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            read += 1;
        }
    }
    assert!(
        read >= examples.len(),
        "{read} files for {} formats",
        examples.len()
    );
}
