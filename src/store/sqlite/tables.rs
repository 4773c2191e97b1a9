//! What the relay writes into the read tables.
//!
//! Each statement is an upsert that compares the source's sequence with the row's: a repeat, or a late write of an owner
//! that was passed, changes nothing (see `mitalk_actors::tables`). A change that cannot be read is `Corrupt`, never
//! skipped silently.

use async_trait::async_trait;
use mitalk_actors::tables::{
    Change, Follow, Handle, LiveRoom, NoticeOf, NoticesGone, SHUT_OUT_KEPT, ShutOut, TicketBlock,
};
use mitalk_cluster::store::{Event, ReadTables, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use super::Store;
use super::fault::Fault;
use super::value::integer;

/// Notices kept per person; older ones are forgotten.
const KEPT_NOTICES: i64 = 1_000;
/// Where the row is that says that a person has no notices any more: behind all of them. Reads end before it, and whatever
/// comes late is trimmed at once.
const END_OF_NOTICES: i64 = i64::MAX;

#[async_trait]
impl ReadTables for Store {
    async fn apply(&self, table: &str, event: &Event) -> Result<(), StoreError> {
        let change = Change::read_for(table, &event.payload)
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let (sequence, payload) = (integer(event.sequence), event.payload.clone());
        self.write(move |connection| apply(connection, &change, sequence, &payload))
            .await
    }
}

fn apply(connection: &Connection, change: &Change, sequence: i64, payload: &[u8]) -> Result<(), Fault> {
    match change {
        Change::Profile(profile) => {
            connection
                .prepare_cached(
                    "INSERT INTO profile (user, sequence, change) VALUES (?1, ?2, ?3)
                     ON CONFLICT (user) DO UPDATE SET sequence = excluded.sequence, change = excluded.change
                     WHERE excluded.sequence > sequence",
                )?
                .execute(params![profile.user.to_string(), sequence, payload])?;
            Ok(())
        }
        Change::Handle(handle) => put_handle(connection, handle, sequence),
        Change::Follow(follow) => put_follow(connection, follow, sequence),
        Change::Notice(notice) => put_notice(connection, notice, sequence, payload),
        Change::NoticesGone(gone) => end_notices(connection, *gone, sequence, payload),
        Change::TicketBlock(block) => put_ticket_block(connection, block, sequence, payload),
        Change::LiveRoom(room) => put_live_room(connection, room, sequence, payload),
        Change::ShutOut(row) => put_shut_out(connection, row, sequence, payload),
    }
}

fn put_handle(connection: &Connection, handle: &Handle, sequence: i64) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO handle (handle, sequence, user) VALUES (?1, ?2, ?3)
             ON CONFLICT (handle) DO UPDATE SET sequence = excluded.sequence, user = excluded.user
             WHERE excluded.sequence > sequence",
        )?
        .execute(params![
            handle.handle,
            sequence,
            handle.user.map(|user| user.to_string())
        ])?;
    Ok(())
}

fn put_follow(connection: &Connection, follow: &Follow, sequence: i64) -> Result<(), Fault> {
    let (follower, followee) = (follow.follower.to_string(), follow.followee.to_string());
    let before: Option<(bool, i64)> = connection
        .prepare_cached("SELECT follows, sequence FROM follow WHERE follower = ?1 AND followee = ?2")?
        .query_row([&follower, &followee], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if before.is_some_and(|(_, seen)| seen >= sequence) {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO follow (follower, followee, sequence, follows) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (follower, followee) DO UPDATE SET sequence = excluded.sequence, follows = excluded.follows",
        )?
        .execute(params![follower, followee, sequence, follow.follows])?;
    let step = i64::from(follow.follows) - i64::from(before.is_some_and(|(follows, _)| follows));
    count_follow(connection, &followee, step, 0)?;
    count_follow(connection, &follower, 0, step)
}

fn count_follow(connection: &Connection, user: &str, followers: i64, following: i64) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO follow_count (user, followers, following) VALUES (?1, ?2, ?3)
             ON CONFLICT (user) DO UPDATE SET followers = followers + excluded.followers,
                 following = following + excluded.following",
        )?
        .execute(params![user, followers, following])?;
    Ok(())
}

fn put_notice(
    connection: &Connection,
    notice: &NoticeOf,
    sequence: i64,
    payload: &[u8],
) -> Result<(), Fault> {
    let user = notice.user.to_string();
    connection
        .prepare_cached(
            "INSERT INTO notice (user, seq, sequence, change) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (user, seq) DO UPDATE SET sequence = excluded.sequence, change = excluded.change
             WHERE excluded.sequence > sequence",
        )?
        .execute(params![user, integer(notice.notice.seq), sequence, payload])?;
    trim_notices(connection, &user)
}

fn end_notices(
    connection: &Connection,
    gone: NoticesGone,
    sequence: i64,
    payload: &[u8],
) -> Result<(), Fault> {
    let user = gone.user.to_string();
    connection
        .prepare_cached(
            "INSERT INTO notice (user, seq, sequence, change) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (user, seq) DO UPDATE SET sequence = excluded.sequence
             WHERE excluded.sequence > sequence",
        )?
        .execute(params![user, END_OF_NOTICES, sequence, payload])?;
    trim_notices(connection, &user)
}

/// Counted from the newest kept, not from the one that was written: a late repeat of an old notice does not come back.
fn trim_notices(connection: &Connection, user: &str) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "DELETE FROM notice WHERE user = ?1 AND seq <= (SELECT max(seq) FROM notice WHERE user = ?1) - ?2",
        )?
        .execute(params![user, KEPT_NOTICES])?;
    Ok(())
}

fn put_ticket_block(
    connection: &Connection,
    block: &TicketBlock,
    sequence: i64,
    payload: &[u8],
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO ticket_block (home, block, sequence, waiting, change) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (home, block) DO UPDATE SET sequence = excluded.sequence, waiting = excluded.waiting,
                 change = excluded.change
             WHERE excluded.sequence > sequence",
        )?
        .execute(params![
            block.home.as_str(),
            block.block,
            sequence,
            block.waiting,
            payload
        ])?;
    Ok(())
}

fn put_live_room(
    connection: &Connection,
    room: &LiveRoom,
    sequence: i64,
    payload: &[u8],
) -> Result<(), Fault> {
    let (room, change) = match room {
        LiveRoom::Put(card) => (card.room, Some(payload)),
        LiveRoom::Remove { room } => (*room, None),
    };
    connection
        .prepare_cached(
            "INSERT INTO live_room (room, sequence, change) VALUES (?1, ?2, ?3)
             ON CONFLICT (room) DO UPDATE SET sequence = excluded.sequence, change = excluded.change
             WHERE excluded.sequence > sequence",
        )?
        .execute(params![room.to_string(), sequence, change])?;
    Ok(())
}

fn put_shut_out(connection: &Connection, row: &ShutOut, sequence: i64, payload: &[u8]) -> Result<(), Fault> {
    let device = row.device.map(|device| device.to_string()).unwrap_or_default();
    connection
        .prepare_cached(
            "INSERT INTO shut_out (user, device, sequence, at, change) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (user, device) DO UPDATE SET sequence = excluded.sequence, at = excluded.at,
                 change = excluded.change
             WHERE excluded.sequence > sequence",
        )?
        .execute(params![
            row.user.to_string(),
            device,
            sequence,
            integer(row.at.0),
            payload
        ])?;
    // By the rows' own times: a store has no clock.
    connection
        .prepare_cached("DELETE FROM shut_out WHERE at <= ?1")?
        .execute([integer((row.at - SHUT_OUT_KEPT).0)])?;
    Ok(())
}
