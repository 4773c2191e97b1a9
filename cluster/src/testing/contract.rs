//! One suite per port: what every adapter must do, whatever it is made of.
//!
//! A suite takes an empty store and panics at the first broken promise. It settles unknown outcomes as the protocol
//! does, by sending the identical write again, so it also passes over a [`Faulty`](super::Faulty) adapter; there it
//! proves that an adapter keeps its promises when answers are lost and copies land late.
//!
//! The event log and the read tables are only written through the ports of this crate; the suites for them belong to
//! whoever reads them.

mod entity;
mod lease;
mod timer;

use std::fmt::Debug;

pub use entity::entity;
pub use lease::lease;
pub use timer::timer;

use crate::store::{Cas, StoreError};

/// Attempts until the suite says that a store does not answer at all. With every second call failing, a run of so many
/// failures does not happen.
const ATTEMPTS: usize = 200;

/// Asks until there is an answer: repeats what failed or whose outcome is unknown.
///
/// # Panics
/// If the store is full or corrupt, or never answers.
pub async fn ask<T>(mut call: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    for _ in 0..ATTEMPTS {
        match call().await {
            Ok(answer) => return answer,
            Err(StoreError::Unknown(_) | StoreError::Unavailable(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("the store failed: {error}"),
        }
    }
    panic!("no answer after {ATTEMPTS} attempts");
}

/// Sends the identical conditional write until its outcome is known: `Ok` if it is applied, by this attempt or an
/// earlier one, `Err` with what the row shows if somebody else's is there.
///
/// # Errors
/// The write's condition did not hold.
///
/// # Panics
/// As [`ask`].
pub async fn settle<T>(
    call: impl AsyncFnMut() -> Result<Cas<T>, StoreError>,
    is_mine: impl Fn(&T) -> bool,
) -> Result<(), T> {
    match ask(call).await {
        Cas::Applied => Ok(()),
        Cas::Refused(shown) if is_mine(&shown) => Ok(()),
        Cas::Refused(shown) => Err(shown),
    }
}

/// `Err` with what it should be, or a panic that shows the difference.
#[track_caller]
fn refused_with<T: PartialEq + Debug>(outcome: Result<(), T>, shown: T) {
    assert_eq!(
        outcome,
        Err(shown),
        "a write whose condition does not hold must be refused with what is there"
    );
}
