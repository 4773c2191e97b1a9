//! The schema and its numbered migrations.
//!
//! `user_version` in the file's header is the number of the last migration applied. A migration and its number are one
//! transaction: a process killed in the middle finds the old schema. A released migration never changes; a change of
//! the schema is a new one.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::file::{Migrate, OpenError, explain};

struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "first",
        sql: include_str!("migrations/0001_first.sql"),
    },
    Migration {
        number: 2,
        name: "safety",
        sql: include_str!("migrations/0002_safety.sql"),
    },
    Migration {
        number: 3,
        name: "letters",
        sql: include_str!("migrations/0003_letters.sql"),
    },
];

/// The schema that this version reads and writes.
pub const SCHEMA: i64 = MIGRATIONS[MIGRATIONS.len() - 1].number;

/// Applies what is missing, or refuses.
pub(super) fn bring_up(path: &Path, connection: &mut Connection, migrate: Migrate) -> Result<(), OpenError> {
    let found = version(connection).map_err(|error| explain(path, error))?;
    if found > SCHEMA {
        return Err(OpenError::Newer {
            path: path.into(),
            found,
            known: SCHEMA,
        });
    }
    let is_new = found == 0;
    if found < SCHEMA && !is_new && migrate == Migrate::Refuse {
        return Err(OpenError::Older {
            path: path.into(),
            found,
            known: SCHEMA,
        });
    }
    for migration in MIGRATIONS.iter().filter(|migration| migration.number > found) {
        apply(connection, migration).map_err(|error| explain(path, error))?;
        tracing::info!(
            number = migration.number,
            name = migration.name,
            "migration applied"
        );
    }
    Ok(())
}

/// The migrations behind `found`: number and name.
pub(super) fn behind(found: i64) -> Vec<(i64, &'static str)> {
    let missing = MIGRATIONS.iter().filter(|migration| migration.number > found);
    missing
        .map(|migration| (migration.number, migration.name))
        .collect()
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn apply(connection: &mut Connection, migration: &Migration) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(migration.sql)?;
    transaction.pragma_update(None, "user_version", migration.number)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_gaps() {
        let numbers: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.number).collect();
        assert_eq!(numbers, (1..=SCHEMA).collect::<Vec<_>>());
    }

    /// Nothing is told twice after it: what the groups dealt with stays theirs, and no dead letter is lost.
    #[test]
    fn the_third_migration_keeps_what_groups_know_and_their_dead_letters() {
        let mut connection = Connection::open_in_memory().unwrap();
        for migration in &MIGRATIONS[..2] {
            apply(&mut connection, migration).unwrap();
        }
        connection
            .execute_batch(
                "INSERT INTO topic VALUES ('mitalk.notices.v1', 9), ('mitalk.notices.v1.dlq', 2), ('mitalk.invites.v1.dlq', 2);
                 INSERT INTO event VALUES
                    ('mitalk.notices.v1', 8, 'user', 'b', 6, 70, x'01', '', NULL),
                    ('mitalk.notices.v1.dlq', 1, 'user', 'a', 5, 60, x'c1', 't', 'why'),
                    ('mitalk.invites.v1.dlq', 1, 'invite', 'i', 1, 50, x'c1', '', 'how');
                 INSERT INTO consumer VALUES ('messages', 'mitalk.notices.v1', 8), ('in-app', 'mitalk.notices.v1', 7);
                 INSERT INTO consumed VALUES ('messages', 'mitalk.notices.v1', 'user', 'a', 5),
                    ('in-app', 'mitalk.notices.v1', 'user', 'a', 4);",
            )
            .unwrap();
        apply(&mut connection, &MIGRATIONS[2]).unwrap();
        let rows = |sql| {
            let mut query = connection.prepare(sql).unwrap();
            let rows = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
            rows.map(Result::unwrap).collect::<Vec<_>>()
        };
        assert_eq!(
            rows("SELECT name || position FROM consumer ORDER BY name"),
            ["inviter8", "notifier7"]
        );
        assert_eq!(
            rows("SELECT name || sequence FROM consumed ORDER BY name"),
            ["inviter5", "notifier4"]
        );
        assert_eq!(
            rows("SELECT id || ' ' || reason || put_at FROM dead_letter ORDER BY id"),
            [
                "inviter:mitalk.invites.v1:invite/i/1 how50",
                "inviter:mitalk.notices.v1:user/a/5 why60",
                "notifier:mitalk.notices.v1:user/a/5 why60"
            ]
        );
        assert_eq!(rows("SELECT topic || key FROM event"), ["mitalk.notices.v1b"]);
        assert_eq!(rows("SELECT name FROM topic"), ["mitalk.notices.v1"]);
    }
}
