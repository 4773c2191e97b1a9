//! Of somebody who left nothing is found: no name, no text, no number in any table, file or topic, and the id only where it
//! must be.

use crate::leaving::{AGAIN_AT_ONCE, HANDLE, NAME, NUMBER, TEXTS, lives};
use crate::push::{Pushed, follow};
use anyhow::Result;
use mitalk::wire::invites::InviteRequest;
use mitalk_actors::events::TOPICS;
use mitalk_tests::events::Schemas;
use mitalk_tests::over_each_kind_of_parts;
use mitalk_tests::parts::Parts;
use mitalk_tests::push::PushService;
use mitalk_tests::scan::{self, Cell};
use mitalk_tests::server::{Server, code, until};
use std::path::Path;

over_each_kind_of_parts!(of_somebody_who_left_nothing_is_found);

/// Where the id of somebody who left may still stand, and why; ARCHITECTURE.md says the same. In a CQL cluster outboxes are
/// rows of `entity`, and events are in topics.
const LEFT: [(&[&str], &str); 14] = [
    (
        &["entity[user].key"],
        "rule 7: rows are emptied and never removed",
    ),
    (
        &["profile.user", "profile.change"],
        "the row that says that there is nobody",
    ),
    (
        &["follow.follower", "follow.followee"],
        "rows that say that nobody follows",
    ),
    (
        &["following.follower", "following.followee"],
        "the same in a CQL cluster",
    ),
    (
        &["follower.follower", "follower.followee"],
        "and from the other side",
    ),
    (
        &["follow_count.user"],
        "zeros; in a CQL cluster they are in `profile`",
    ),
    (&["notice.user"], "the row that says that there are none"),
    (
        &["notice.change", "entity[user].blob", "entity[user].state"],
        "others were told of them: an id without a name",
    ),
    (
        &["entity[handle].blob", "entity[handle].state"],
        "whose newest row was obeyed, or a late repeat would count",
    ),
    (
        &[
            "entity[invite].blob",
            "entity[invite].state",
            "entity[room].blob",
            "entity[room].state",
        ],
        "ended: who gave it and came in by it, who opened it",
    ),
    (
        &[
            "event.key",
            "event.payload",
            "mitalk.audit.v1.key",
            "mitalk.audit.v1.value",
            "mitalk.invites.v1.key",
            "mitalk.invites.v1.value",
            "mitalk.notices.v1.key",
            "mitalk.notices.v1.value",
            "mitalk.pushes.v1.key",
            "mitalk.pushes.v1.value",
        ],
        "the audit, and topics until they are trimmed: opaque ids only",
    ),
    (
        &["consumed.key"],
        "what consumers dealt with, or late repeats would count",
    ),
    (
        &["shut_out.user", "shut_out.change"],
        "tokens that may still be valid: two hours",
    ),
    (
        &["open_list.key", "shard.key", "timer.key"],
        "keys of entities that owed something lately, and timers that fired until their hour is over",
    ),
];

/// Where the audit is, and what it says in the end.
const AUDIT: [&str; 2] = ["event.payload", "mitalk.audit.v1.value"];
const ERASED: &str = "account_erased";

/// Where her browser is pushed to.
const ENDPOINT: &str = "endpoint-of-anns-browser";

async fn of_somebody_who_left_nothing_is_found(parts: &Parts) -> Result<()> {
    let push = PushService::start().await?;
    let setting = PushService::setting(&[&push]);
    let soon = [
        setting.as_str(),
        "limits.leaving.change_of_mind_s=1",
        "limits.rooms.empty_stage_s=1",
        AGAIN_AT_ONCE,
    ];
    let server = parts.open(&soon).await?;
    let ben = server.person("+4915112347702", "Ben").await?;
    let before = phones(parts, &server).await?;
    let number = InviteRequest::Phone {
        phone: NUMBER.to_owned(),
    };
    ben.client.invite(&number, "for-ann").await?;
    let hash = until("the number's hash", async || {
        let known = phones(parts, &server).await.expect("they can be read");
        known.into_iter().find(|key| !before.contains(key))
    })
    .await;
    let ann = lives(&server, &ben).await?;
    let pushed = Pushed::subscribe(&ann.client, &push, ENDPOINT).await?;
    let dan = server.person("+4915112347705", "Dan").await?;
    follow(&dan, &ann).await;
    pushed.nth(1).await;
    let cells = parts.cells(server.directory.path()).await?;
    for word in TEXTS.into_iter().chain([NAME, HANDLE, ENDPOINT]) {
        assert!(!scan::places(&cells, word).is_empty(), "{word} is there at first");
    }

    ann.client.delete_account().await?;
    until("the account to be gone", async || ann.client.me().await.err()).await;
    until(
        "the room, on whose stage nobody is any more, to end",
        async || {
            let hallway = ben.client.hallway(None, None).await.ok()?;
            hallway.items.is_empty().then_some(())
        },
    )
    .await;
    until("its deletion to be done", async || {
        let cells = parts.cells(server.directory.path()).await;
        let cells = cells.expect("they can be read");
        let audited =
            |cell: &Cell| AUDIT.contains(&cell.place.as_str()) && scan::contains(&cell.bytes, ERASED);
        (cells.iter().any(audited) && !cells.iter().any(is_owed)).then_some(())
    })
    .await;
    assert_eq!(code(ben.client.profile(&ann.id).await), "person_not_found");
    assert_eq!(
        code(ben.client.profile_by_handle(HANDLE).await),
        "person_not_found"
    );
    assert_eq!(code(ben.client.follow(&ann.id).await), "person_not_found");
    assert_eq!(
        code(server.client.refresh(&ann.tokens.refresh_token).await),
        "refresh_invalid"
    );
    let view = ben.client.profile(&ben.id).await?;
    assert_eq!((view.followers, view.following), (0, 0));

    let (directory, log) = server.stopped().await?;
    let mut files = files(directory.path())?;
    files.push(("the log".to_owned(), log.join("\n").into_bytes()));
    let cells = parts.cells(directory.path()).await?;
    let words = TEXTS
        .into_iter()
        .chain([NAME, ENDPOINT, &NUMBER[1..], &NUMBER[3..], "+49 ... 432"]);
    for word in words {
        let places = scan::places(&cells, word);
        assert!(places.is_empty(), "{word} is left in {places:?}");
        // Byte for byte: also what a database does not show any more.
        let found = files.iter().find(|(_, bytes)| scan::contains(bytes, word));
        assert!(
            found.is_none(),
            "{word} is left in the file {:?}",
            found.map(|(name, _)| name)
        );
    }
    // Keys of rows that are emptied and never removed: nothing is said of whose they were.
    let keys = ["entity[phone].key", "open_list.key", "shard.key"];
    only_in(&cells, &hash, &keys);
    let keys = [
        "entity[handle].key",
        "handle.handle",
        "open_list.key",
        "shard.key",
    ];
    only_in(&cells, HANDLE, &keys);
    let left: Vec<&str> = LEFT.iter().flat_map(|(places, _why)| *places).copied().collect();
    only_in(&cells, &ann.id, &left);
    if let Parts::Clusters(_) = parts {
        fits(&cells);
    }
    Ok(())
}

/// What brokers were sent of all this, as it lies there; `events.rs` does the same for the embedded store.
fn fits(cells: &[Cell]) {
    let schemas = Schemas::read();
    for topic in TOPICS {
        let place = format!("{topic}.value");
        let sent = || cells.iter().filter(|cell| cell.place == place);
        assert!(sent().next().is_some(), "{topic} was sent to");
        for cell in sent() {
            let event = serde_json::from_slice(&cell.bytes).expect("events are JSON");
            schemas.check(topic, &event);
        }
    }
}

/// A row of an outbox: in the CQL cluster they lie behind row 0, which is the entity.
fn is_owed(cell: &Cell) -> bool {
    cell.place.starts_with("outbox.") || (cell.place.ends_with("].seq") && cell.bytes != b"0")
}

/// The hashes of all numbers that anybody ever used.
async fn phones(parts: &Parts, server: &Server) -> Result<Vec<String>> {
    let cells: Vec<Cell> = parts.cells(server.directory.path()).await?;
    let keys = cells.into_iter().filter(|cell| cell.place == "entity[phone].key");
    Ok(keys
        .map(|cell| String::from_utf8_lossy(&cell.bytes).into_owned())
        .collect())
}

/// All files below a directory, with their names.
fn files(directory: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path)?));
        }
    }
    Ok(found)
}

/// It is there, and nowhere else.
fn only_in(cells: &[Cell], text: &str, allowed: &[&str]) {
    let places = scan::places(cells, text);
    let elsewhere: Vec<_> = places
        .iter()
        .filter(|place| !allowed.contains(&place.as_str()))
        .collect();
    assert!(elsewhere.is_empty(), "{text} is left in {elsewhere:?}");
    assert!(!places.is_empty(), "{text} was looked for at all");
}
