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
}
