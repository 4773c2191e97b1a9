//! Following: rows in a read table, written by the follower's account; here only a short memory against repeats.

use super::state::{Account, State, me};
use super::{Event, Refusal, Reply, User, leaving, notices};
use crate::id::UserId;
use crate::person::NoticeKind;
use crate::tables::{self, Change as Row};
use mitalk_cluster::{Context, Decision, Outgoing};

/// People followed, or no more, and new followers, that are remembered. A repeat from before them writes the same row
/// again, which changes nothing, or tells of a follower a second time.
const LATELY: usize = 64;

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// Follows somebody, or no more.
    Follows {
        /// Whom.
        whom: UserId,
        /// Or no more.
        follows: bool,
    },
    /// Was told of a follower.
    Followed(UserId),
}

impl Change {
    pub(super) fn fold(&self, account: &mut Account) {
        match *self {
            Self::Follows { whom, follows } => {
                account.followed_lately.retain(|(other, _)| *other != whom);
                account.followed_lately.push_back((whom, follows));
                if account.followed_lately.len() > LATELY {
                    account.followed_lately.pop_front();
                }
            }
            Self::Followed(by) => {
                account.followers_lately.push_back(by);
                if account.followers_lately.len() > LATELY {
                    account.followers_lately.pop_front();
                }
            }
        }
    }
}

pub(super) fn follow(
    state: &State,
    whom: UserId,
    follows: bool,
    listed: bool,
    cx: &Context,
) -> Result<Decision<User>, Refusal> {
    let account = state.active()?;
    // The table may not have the newest of what is remembered here, and nothing is remembered of the rest.
    let lately = account.followed_lately.iter().find(|(other, _)| *other == whom);
    let known = lately.map_or(listed, |(_, follows)| *follows);
    if lately.is_some_and(|(_, now)| *now == follows) || (!follows && !known) {
        return Ok(Decision::reply(Reply::Done));
    }
    let row = Row::Follow(tables::Follow {
        follower: me(cx),
        followee: whom,
        follows,
    });
    let decision = Decision::reply(Reply::Done)
        .event(Event::Follow(Change::Follows { whom, follows }))
        .send(row.outgoing());
    if !follows {
        return Ok(decision);
    }
    let followed = super::Command::Followed { by: me(cx) };
    Ok(decision.send(Outgoing::to::<User>(&whom.to_string(), &followed)))
}

pub(super) fn followed(state: &State, by: UserId, cx: &Context) -> Decision<User> {
    if let Some(decision) = leaving::followed_when_gone(state, by, cx) {
        return decision;
    }
    let decision = Decision::reply(Reply::Done);
    match state.account.as_deref() {
        Some(account) if !account.followers_lately.contains(&by) => {
            let told = decision.event(Event::Follow(Change::Followed(by)));
            notices::add(
                told,
                state,
                account,
                NoticeKind::NewFollower { person: by },
                None,
                cx,
            )
        }
        _ => decision,
    }
}
