//! Rows of entities without the commands that lead there, for stores that are to be large from the start.

use std::sync::Arc;

use crate::entity::{DecodeError, Entity};
use crate::id::{EntityId, Epoch, WriteId};
use crate::protocol::stored::Memory;
use crate::store::{EntityWrite, Head, Row};

/// The write of an entity's first row, with this state and nothing owed.
///
/// # Panics
/// The state is larger than an entity's may be.
pub fn first<E: Entity>(key: &str, state: E::State) -> EntityWrite {
    let mut memory = Memory::<E>::default();
    memory.state = state;
    EntityWrite {
        id: EntityId::new(E::KIND, key),
        previous: None,
        next: Head {
            write_id: WriteId(1),
            epoch: Epoch(0),
        },
        blob: Some(encoded(&memory)),
        sequence: 0,
        published: 0,
        insert: vec![],
    }
}

/// The write of a row with another state; what is remembered beside it stays. Nobody may own the entity meanwhile.
///
/// # Errors
/// The row cannot be read.
///
/// # Panics
/// The state is larger than an entity's may be.
pub fn changed<E: Entity>(
    key: &str,
    row: &Row,
    change: impl FnOnce(&mut E::State),
) -> Result<EntityWrite, DecodeError> {
    let mut memory = Memory::<E>::decode(&row.blob)?;
    change(&mut memory.state);
    Ok(EntityWrite {
        id: EntityId::new(E::KIND, key),
        previous: Some(row.head),
        next: Head {
            write_id: WriteId(row.head.write_id.0.wrapping_add(1)),
            ..row.head
        },
        blob: Some(encoded(&memory)),
        sequence: row.sequence,
        published: row.published,
        insert: vec![],
    })
}

fn encoded<E: Entity>(memory: &Memory<E>) -> Arc<[u8]> {
    memory.encode().expect("a state of a test is small")
}
