//! What is copied and compared, table by table: how it is read there, and how it is read here.
//!
//! Both sides give the same columns in the same order. Rows of the read tables have their source's sequence, which is the
//! time of writing in the cluster. Two tables keep their rows for hours only (ended rooms, who was shut out): they are
//! copied and not compared, because they grow old while one looks.

use crate::store::row::{Cell, Row};
use crate::store::sqlite::Source;

/// How a row is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Entity,
    Outbox,
    Timer,
    LowWater,
    Profile,
    Handle,
    Follow,
    Notice,
    TicketBlock,
    LiveRoom,
    ShutOut,
    Allowed,
    Consumed,
    /// By the writing of another table.
    Beside,
}

/// How it is read here: the statement, and what is a row of this table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    pub(super) cql: &'static str,
    pub(super) pick: fn(Row) -> Option<Row>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) source: Source,
    pub(super) put: Put,
    /// Absent: not compared.
    pub(super) scan: Option<Scan>,
    /// Rows that are compared.
    pub(super) compared: &'static str,
}

const ALL: &str = "true";

pub(super) const fn source(table: &'static str, key: usize, columns: &'static [&'static str]) -> Source {
    Source {
        table,
        columns,
        key,
        only: ALL,
    }
}

const fn table(name: &'static str, put: Put, source: Source, cql: &'static str) -> Table {
    let pick: fn(Row) -> Option<Row> = Some;
    let scan = Some(Scan { cql, pick });
    Table {
        name,
        source,
        put,
        scan,
        compared: ALL,
    }
}

const fn picked(table: Table, cql: &'static str, pick: fn(Row) -> Option<Row>) -> Table {
    let scan = Some(Scan { cql, pick });
    Table { scan, ..table }
}

const FOLLOW: Source = source("follow", 2, &["follower", "followee", "follows", "sequence"]);
const BLOCKS: &[&str] = &["home", "block", "sequence", "change"];

/// In the order in which they are written: what an entity owes comes behind the entity.
pub(super) const TABLES: [Table; 17] = [
    table(
        "entity",
        Put::Entity,
        source(
            "entity",
            2,
            &[
                "kind",
                "key",
                "write_id",
                "epoch",
                "sequence",
                "published",
                "blob",
            ],
        ),
        "SELECT kind, key, write_id, epoch, sequence, published, state FROM @entity PER PARTITION LIMIT 1",
    ),
    picked(
        table(
            "outbox",
            Put::Outbox,
            source(
                "outbox",
                3,
                &[
                    "kind",
                    "key",
                    "sequence",
                    "target",
                    "name",
                    "target_key",
                    "payload",
                    "at",
                    "trace",
                ],
            ),
            "",
        ),
        "SELECT kind, key, seq, target, name, target_key, payload, at, trace FROM @entity",
        |row| (row[2] != Cell::Integer(0)).then_some(row),
    ),
    table(
        "timer",
        Put::Timer,
        source(
            "timer",
            7,
            &["shard", "hour", "due", "kind", "key", "write_id", "name", "epoch"],
        ),
        "SELECT shard, hour, due, kind, key, write_id, name, epoch FROM @timer",
    ),
    table(
        "low_water",
        Put::LowWater,
        source("low_water", 1, &["shard", "epoch", "hour"]),
        "SELECT shard, epoch, hour FROM @low_water",
    ),
    table(
        "shard",
        Put::Beside,
        source("shard", 1, &["shard", "epoch"]),
        "SELECT shard, epoch FROM @shard PER PARTITION LIMIT 1",
    ),
    picked(
        table(
            "profile",
            Put::Profile,
            source("profile", 1, &["user", "sequence", "change"]),
            "",
        ),
        "SELECT user, WRITETIME(change), change FROM @profile",
        |row| (row[2] != Cell::Null).then_some(row),
    ),
    table(
        "handle",
        Put::Handle,
        source("handle", 1, &["handle", "sequence", "coalesce(user, '')"]),
        "SELECT handle, WRITETIME(user), user FROM @handle",
    ),
    table(
        "following",
        Put::Follow,
        FOLLOW,
        "SELECT follower, followee, follows, sequence FROM @following",
    ),
    table(
        "follower",
        Put::Beside,
        FOLLOW,
        "SELECT follower, followee, follows, sequence FROM @follower",
    ),
    picked(
        table(
            "follow_count",
            Put::Beside,
            source("follow_count", 1, &["user", "followers", "following"]),
            "",
        ),
        "SELECT user, followers, following FROM @profile",
        |row| {
            if row[1] == Cell::Null && row[2] == Cell::Null {
                return None;
            }
            let none_is_zero = |cell| {
                if cell == Cell::Null {
                    Cell::Integer(0)
                } else {
                    cell
                }
            };
            Some(row.into_iter().map(none_is_zero).collect())
        },
    ),
    Table {
        // Behind all notices lies the row that says that there are none any more; the cluster has a deletion in its place.
        compared: "seq < 9223372036854775807",
        ..table(
            "notice",
            Put::Notice,
            source("notice", 2, &["user", "seq", "sequence", "change"]),
            "SELECT user, seq, WRITETIME(change), change FROM @notice",
        )
    },
    table(
        "ticket_block",
        Put::TicketBlock,
        source("ticket_block", 2, BLOCKS),
        "SELECT home, block, WRITETIME(change), change FROM @ticket_block",
    ),
    table(
        "ticket_count",
        Put::Beside,
        source("ticket_block", 2, &["home", "block", "sequence", "waiting"]),
        "SELECT home, block, WRITETIME(waiting), waiting FROM @ticket_count",
    ),
    Table {
        compared: "change IS NOT NULL",
        ..picked(
            table(
                "live_room",
                Put::LiveRoom,
                source("live_room", 1, &["room", "sequence", "change"]),
                "",
            ),
            "SELECT room, WRITETIME(change), change FROM @live_room",
            |row| (row[2] != Cell::Blob(vec![])).then_some(row),
        )
    },
    Table {
        scan: None,
        ..table(
            "shut_out",
            Put::ShutOut,
            source("shut_out", 2, &["user", "device", "sequence", "change"]),
            "",
        )
    },
    table(
        "allow_list",
        Put::Allowed,
        source("allow_list", 1, &["phone", "enabled"]),
        "SELECT phone, enabled FROM @allow_list",
    ),
    table(
        "consumed",
        Put::Consumed,
        source("consumed", 4, &["name", "topic", "kind", "key", "sequence"]),
        "SELECT consumer, topic, kind, key, sequence FROM @consumed",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_the_schema_is_copied_or_told_why_not() {
        let schema = concat!(
            include_str!("../store/sqlite/migrations/0001_first.sql"),
            include_str!("../store/sqlite/migrations/0002_safety.sql"),
            include_str!("../store/sqlite/migrations/0003_letters.sql"),
        );
        let copied = |table: &str| TABLES.iter().any(|copied| copied.source.table == table);
        // Ownership is the cluster's own; the log has its own copy; what a database belongs to is written last.
        let elsewhere = [
            "node_lease",
            "open_list",
            "topic",
            "event",
            "consumer",
            "dead_letter",
            "identity",
        ];
        let made = schema
            .lines()
            .filter_map(|line| line.strip_prefix("CREATE TABLE "));
        for table in made.filter_map(|line| line.split_whitespace().next()) {
            assert!(copied(table) != elsewhere.contains(&table), "{table}");
        }
        let end_of_notices = i64::MAX.to_string();
        assert!(
            TABLES
                .iter()
                .any(|table| table.compared.contains(&end_of_notices))
        );
    }
}
