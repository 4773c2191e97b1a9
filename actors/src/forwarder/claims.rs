//! What the accounts of the people here are told: that they are in the room, and that they are not any more.
//!
//! A person's account orders the claims of their devices. A first claim takes the place of any other; made again, it yields
//! to a session that came in later, because the word that this one has to go may have been lost. Claims are leases:
//! what is not made again ends by itself, and so does one whose release never arrives.

use super::node::Shared;
use crate::id::{SessionId, UserId};
use crate::user::{self, CLAIM_LEASE, RoomClaim, User};
use futures::StreamExt;
use mitalk_cluster::{AskError, Call};
use std::sync::Arc;
use std::time::Duration;

/// How long an account may take for a claim or a release.
const DEADLINE: Duration = Duration::from_secs(5);
/// Claims are made again after this time: several times within their lease, and before an idle account is forgotten.
pub(super) const AGAIN: Duration = Duration::from_secs(45);
/// One that got no answer is made again sooner.
pub(super) const RETRY: Duration = Duration::from_secs(10);
/// Tries for a release. They take about a minute, then the lease's end does it.
const RELEASE_TRIES: u32 = 8;
/// Before the second try; it doubles.
const RELEASE_AFTER: Duration = Duration::from_millis(500);
/// Releases under way for one room, when all of its people go.
const RELEASES_AT_ONCE: usize = 16;
const _: () = assert!(AGAIN.as_secs() * 3 < CLAIM_LEASE.as_secs());

/// What an account says to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Here,
    /// The person has joined elsewhere since.
    Elsewhere {
        /// In the same room: what they hold in it stays theirs.
        within: bool,
    },
    /// The person may not be in rooms (any more).
    Refused,
    /// Nothing: it counts, until it is made again.
    Nothing,
}

/// Tells the account that the person is here; `again` as in [`user::Command::ClaimRoom`].
pub(super) async fn make(shared: &Shared, user: UserId, claim: RoomClaim, again: Option<Duration>) -> Says {
    let room = claim.room;
    let command = user::Command::ClaimRoom { claim, again };
    let call = Call::within(DEADLINE);
    match shared
        .cluster()
        .ask::<User>(&user.to_string(), command, call)
        .await
    {
        Ok(user::Reply::Room(Some(newer))) => Says::Elsewhere {
            within: newer.room == room,
        },
        Ok(_) => Says::Here,
        Err(AskError::Refused(_)) => Says::Refused,
        Err(_) => Says::Nothing,
    }
}

/// Tells accounts that these sessions are over.
pub(super) fn release(shared: &Arc<Shared>, sessions: Vec<(UserId, SessionId)>) {
    if sessions.is_empty() {
        return;
    }
    let shared = shared.clone();
    tokio::spawn(async move {
        let releases = futures::stream::iter(sessions);
        releases
            .for_each_concurrent(RELEASES_AT_ONCE, |(user, session)| {
                release_one(&shared, user, session)
            })
            .await;
    });
}

async fn release_one(shared: &Shared, user: UserId, session: SessionId) {
    let mut wait = RELEASE_AFTER;
    for _ in 0..RELEASE_TRIES {
        let command = user::Command::ReleaseRoom { session };
        let call = Call::within(DEADLINE);
        match shared
            .cluster()
            .ask::<User>(&user.to_string(), command, call)
            .await
        {
            Err(error) if error.retryable() => tokio::time::sleep(wait).await,
            _ => return,
        }
        wait *= 2;
    }
}
