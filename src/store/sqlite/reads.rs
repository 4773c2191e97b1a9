//! Reads of the read tables: each one snapshot, each by key or key range.

use std::str::FromStr;

use async_trait::async_trait;
use mitalk_actors::id::{Home, ParseError, RoomId, UserId};
use mitalk_actors::person::Notice;
use mitalk_actors::ports::{BlockCount, FollowCounts, PeoplePage, Reads, Seen};
use mitalk_actors::rooms::Card;
use mitalk_actors::tables::{Change, LiveRoom, Profile, ShutOut, TicketBlock};
use mitalk_cluster::Timestamp;
use mitalk_cluster::store::StoreError;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Store;
use super::fault::Fault;
use super::value::{collect, first, integer, limit, unsigned};

/// Profiles looked at by one call, whoever is found.
const PROFILES_LOOKED_AT: usize = 10_000;

#[async_trait]
impl Reads for Store {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let users = users.to_vec();
        self.read(move |connection| profiles(connection, &users)).await
    }

    async fn people(&self, after: Option<UserId>, rows: usize) -> Result<PeoplePage, StoreError> {
        self.read(move |connection| people(connection, after, rows)).await
    }

    async fn handle(&self, handle: &str) -> Result<Option<UserId>, StoreError> {
        let handle = handle.to_owned();
        self.read(move |connection| {
            let mut query = connection
                .prepare_cached("SELECT user FROM handle WHERE handle = ?1 AND user IS NOT NULL")?;
            first(query.query([&handle])?, |row| id(row, 0))
        })
        .await
    }

    async fn followers(
        &self,
        user: UserId,
        after: Option<UserId>,
        rows: usize,
    ) -> Result<PeoplePage, StoreError> {
        let sql = "SELECT follower FROM follow WHERE followee = ?1 AND follows AND follower > ?2
                   ORDER BY follower LIMIT ?3";
        self.read(move |connection| page_of_people(connection, sql, user, after, rows))
            .await
    }

    async fn following(
        &self,
        user: UserId,
        after: Option<UserId>,
        rows: usize,
    ) -> Result<PeoplePage, StoreError> {
        let sql = "SELECT followee FROM follow WHERE follower = ?1 AND follows AND followee > ?2
                   ORDER BY followee LIMIT ?3";
        self.read(move |connection| page_of_people(connection, sql, user, after, rows))
            .await
    }

    async fn follow_counts(&self, user: UserId) -> Result<FollowCounts, StoreError> {
        self.read(move |connection| follow_counts(connection, user)).await
    }

    /// One turn of a reader instead of four.
    async fn seen(&self, user: UserId, by: UserId) -> Result<Option<Seen>, StoreError> {
        self.read(move |connection| {
            let Some(profile) = profiles(connection, &[user])?.pop() else {
                return Ok(None);
            };
            Ok(Some(Seen {
                profile,
                counts: follow_counts(connection, user)?,
                followed: follows(connection, by, user)?,
                follows_you: follows(connection, user, by)?,
            }))
        })
        .await
    }

    async fn followed_among(&self, follower: UserId, among: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        let among = among.to_vec();
        self.read(move |connection| {
            let mut found = Vec::new();
            for followee in among {
                if follows(connection, follower, followee)? {
                    found.push(followee);
                }
            }
            Ok(found)
        })
        .await
    }

    async fn followed_by_any(&self, user: UserId, by: &[UserId]) -> Result<bool, StoreError> {
        let by = by.to_vec();
        self.read(move |connection| {
            for follower in by {
                if follows(connection, follower, user)? {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await
    }

    async fn notices(
        &self,
        user: UserId,
        before: u64,
        rows: usize,
    ) -> Result<Vec<Notice<UserId>>, StoreError> {
        self.read(move |connection| {
            let mut query = connection.prepare_cached(
                "SELECT change FROM notice WHERE user = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
            )?;
            let found = query.query(params![user.to_string(), integer(before), limit(rows)])?;
            collect(found, |row| match change(row, 0)? {
                Change::Notice(of) => Ok(of.notice),
                other => Err(misplaced(&other)),
            })
        })
        .await
    }

    async fn block_counts(&self, home: Home) -> Result<Vec<BlockCount>, StoreError> {
        self.read(move |connection| {
            let mut query = connection
                .prepare_cached("SELECT block, waiting FROM ticket_block WHERE home = ?1 ORDER BY block")?;
            collect(query.query([home.as_str()])?, |row| {
                Ok(BlockCount {
                    block: row.get(0)?,
                    waiting: row.get(1)?,
                })
            })
        })
        .await
    }

    async fn block(&self, home: Home, block: u32) -> Result<Option<TicketBlock>, StoreError> {
        self.read(move |connection| {
            let mut query = connection
                .prepare_cached("SELECT change FROM ticket_block WHERE home = ?1 AND block = ?2")?;
            first(query.query(params![home.as_str(), block])?, |row| {
                match change(row, 0)? {
                    Change::TicketBlock(block) => Ok(block),
                    other => Err(misplaced(&other)),
                }
            })
        })
        .await
    }

    async fn live_room(&self, room: RoomId) -> Result<Option<Card>, StoreError> {
        self.read(move |connection| {
            let mut query = connection
                .prepare_cached("SELECT change FROM live_room WHERE room = ?1 AND change IS NOT NULL")?;
            first(query.query([room.to_string()])?, card)
        })
        .await
    }

    async fn shut_out(&self, since: Timestamp, rows: usize) -> Result<Vec<ShutOut>, StoreError> {
        self.read(move |connection| {
            let mut query = connection
                .prepare_cached("SELECT change FROM shut_out WHERE at >= ?1 ORDER BY at DESC LIMIT ?2")?;
            collect(
                query.query(params![integer(since.0), limit(rows)])?,
                |row| match change(row, 0)? {
                    Change::ShutOut(row) => Ok(row),
                    other => Err(misplaced(&other)),
                },
            )
        })
        .await
    }

    async fn live_rooms(&self, after: Option<RoomId>, rows: usize) -> Result<Vec<Card>, StoreError> {
        self.read(move |connection| {
            let mut query = connection.prepare_cached(
                "SELECT change FROM live_room WHERE change IS NOT NULL AND room > ?1 ORDER BY room LIMIT ?2",
            )?;
            collect(query.query(params![behind(after), limit(rows)])?, card)
        })
        .await
    }
}

fn profiles(connection: &Connection, users: &[UserId]) -> Result<Vec<Profile>, Fault> {
    let mut found = Vec::with_capacity(users.len());
    let mut query = connection.prepare_cached("SELECT change FROM profile WHERE user = ?1")?;
    for user in users {
        let profile = first(query.query([user.to_string()])?, |row| match change(row, 0)? {
            Change::Profile(profile) => Ok(profile),
            other => Err(misplaced(&other)),
        })?;
        found.extend(profile);
    }
    Ok(found)
}

fn people(connection: &Connection, after: Option<UserId>, rows: usize) -> Result<PeoplePage, Fault> {
    let mut query =
        connection.prepare_cached("SELECT change FROM profile WHERE user > ?1 ORDER BY user LIMIT ?2")?;
    let mut profiles = query.query(params![behind(after), limit(PROFILES_LOOKED_AT)])?;
    let mut page = PeoplePage::default();
    let mut looked_at = 0;
    while page.people.len() < rows {
        let Some(row) = profiles.next()? else {
            if looked_at < PROFILES_LOOKED_AT {
                page.last = None;
            }
            break;
        };
        looked_at += 1;
        match change(row, 0)? {
            Change::Profile(profile) => {
                page.last = Some(profile.user);
                if !profile.is_erased() {
                    page.people.push(profile.user);
                }
            }
            other => return Err(misplaced(&other)),
        }
    }
    Ok(page)
}

/// A page of people beside `of`, by a statement with three parameters: of whom, behind whom, how many.
fn page_of_people(
    connection: &Connection,
    sql: &'static str,
    of: UserId,
    after: Option<UserId>,
    rows: usize,
) -> Result<PeoplePage, Fault> {
    let mut query = connection.prepare_cached(sql)?;
    let one_more = limit(rows.saturating_add(1));
    let found = query.query(params![of.to_string(), behind(after), one_more])?;
    let mut people: Vec<UserId> = collect(found, |row| id(row, 0))?;
    let is_last = people.len() <= rows;
    people.truncate(rows);
    let last = people.last().copied().filter(|_| !is_last);
    Ok(PeoplePage { people, last })
}

fn follow_counts(connection: &Connection, user: UserId) -> Result<FollowCounts, Fault> {
    let mut query =
        connection.prepare_cached("SELECT followers, following FROM follow_count WHERE user = ?1")?;
    let counts = first(query.query([user.to_string()])?, |row| {
        Ok(FollowCounts {
            followers: unsigned(row, 0)?,
            following: unsigned(row, 1)?,
        })
    })?;
    Ok(counts.unwrap_or_default())
}

fn follows(connection: &Connection, follower: UserId, followee: UserId) -> Result<bool, Fault> {
    let mut query =
        connection.prepare_cached("SELECT follows FROM follow WHERE follower = ?1 AND followee = ?2")?;
    let found = query
        .query_row([follower.to_string(), followee.to_string()], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(false))
}

fn card(row: &Row) -> Result<Card, Fault> {
    match change(row, 0)? {
        Change::LiveRoom(LiveRoom::Put(card)) => Ok(*card),
        other => Err(misplaced(&other)),
    }
}

/// Where a page begins: ids are sorted as their text, and no id is the empty text.
fn behind<T: ToString>(after: Option<T>) -> String {
    after.map(|id| id.to_string()).unwrap_or_default()
}

fn change(row: &Row, column: usize) -> Result<Change, Fault> {
    let payload = row
        .get_ref(column)?
        .as_blob()
        .map_err(|error| Fault::Corrupt(error.to_string()))?;
    Change::read(payload).map_err(|error| Fault::Corrupt(format!("a stored change cannot be read: {error}")))
}

fn misplaced(change: &Change) -> Fault {
    Fault::Corrupt(format!(
        "a change of table {} lies in another table",
        change.table()
    ))
}

fn id<T: FromStr<Err = ParseError>>(row: &Row, column: usize) -> Result<T, Fault> {
    let text: String = row.get(column)?;
    text.parse()
        .map_err(|error| Fault::Corrupt(format!("a stored id is none: {error}")))
}
