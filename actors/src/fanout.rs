//! "Somebody I follow started a room": a resumable walk over followers, with a rate.
//!
//! One entity per room. It remembers how far it came; a durable timer asks for the next page, so the walk goes on after any
//! crash, at most one page a second. Telling a page is work for the node's background job; it reports back, and if it never
//! does the page is told again, which changes nothing for those told already (each account knows the event's origin).

use crate::id::{RoomId, UserId};
use crate::user::Origin;
use mitalk_cluster::{Context, Decision, Entity, Timer, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Between two pages.
const EVERY: Duration = Duration::from_secs(1);
/// A page that was not reported is told again after so long.
const AGAIN: Duration = Duration::from_secs(60);
const PAGE: &str = "page";

/// The entity type; its key is the room's id.
pub enum Fanout {}

/// As stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    walk: Option<Walk>,
    done: bool,
}

/// A walk under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// The room that was started.
    pub room: RoomId,
    /// Whose followers are told.
    pub by: UserId,
    /// Where the news comes from.
    pub origin: Origin,
    /// The last one who was told, or was no follower any more.
    pub after: Option<UserId>,
    /// When the next page is due, or told again.
    pub due: Timestamp,
}

/// What is asked of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A room was started.
    Start {
        /// Which.
        room: RoomId,
        /// By whom.
        by: UserId,
        /// The event.
        origin: Origin,
    },
    /// The next page is due.
    Page,
    /// A page was told.
    Told {
        /// Behind whom it was: says which page.
        after: Option<UserId>,
        /// Who was looked at last; absent: that was the end.
        last: Option<UserId>,
    },
}

/// Done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done;

/// It never refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The walk is here now.
    At(Walk),
    /// It is over.
    Over,
}

/// Tell the page after `after`.
pub type Effect = Walk;

impl Entity for Fanout {
    const KIND: &'static str = "fanout";
    const VERSION: u16 = 1;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = Done;
    type Refusal = Refusal;
    type Effect = Effect;

    fn decide(state: &State, command: Command, cx: &mut Context) -> Result<Decision<Self>, Refusal> {
        let same = Ok(Decision::reply(Done));
        match (command, &state.walk) {
            (Command::Start { room, by, origin }, None) if !state.done => {
                let walk = Walk {
                    room,
                    by,
                    origin,
                    after: None,
                    due: cx.now,
                };
                Ok(page(&walk, cx))
            }
            (Command::Page, Some(walk)) if walk.due <= cx.now => Ok(page(walk, cx)),
            (Command::Told { after, last }, Some(walk)) if walk.after == after => Ok(match last {
                Some(last) => {
                    let walk = Walk {
                        after: Some(last),
                        due: cx.now + EVERY,
                        ..walk.clone()
                    };
                    Decision::reply(Done).event(Event::At(walk))
                }
                None => Decision::reply(Done).event(Event::Over),
            }),
            _ => same,
        }
    }

    fn fold(state: &mut State, event: &Event) {
        match event {
            Event::At(walk) => state.walk = Some(walk.clone()),
            Event::Over => {
                state.walk = None;
                state.done = true;
            }
        }
    }

    fn timers(state: &State) -> Vec<Timer> {
        state
            .walk
            .iter()
            .map(|walk| Timer {
                name: PAGE.to_owned(),
                due: walk.due,
            })
            .collect()
    }

    fn on_timer(name: &str) -> Option<Command> {
        (name == PAGE).then_some(Command::Page)
    }
}

fn page(walk: &Walk, cx: &Context) -> Decision<Fanout> {
    let again = Walk {
        due: cx.now + AGAIN,
        ..walk.clone()
    };
    Decision::reply(Done).event(Event::At(again)).effect(walk.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Home;
    use crate::testing::pure::Model;

    #[test]
    fn a_page_that_was_lost_is_told_again_and_a_told_one_is_not() {
        let home = Home::default();
        let (room, by) = (RoomId::new(home, 1), UserId::new(home, 2));
        let mut fanout = Model::<Fanout>::new(&room.to_string());
        let start = Command::Start {
            room,
            by,
            origin: Origin(3),
        };
        fanout.ask(start.clone()).unwrap();
        assert_eq!(fanout.effects.len(), 1);
        fanout.ask(start.clone()).unwrap();
        assert_eq!(fanout.effects.len(), 1, "the event came twice");

        fanout.advance(AGAIN);
        fanout.fire_timers();
        assert_eq!(fanout.effects.len(), 2, "nobody reported the first page");

        let last = Some(UserId::new(home, 9));
        fanout.ask(Command::Told { after: None, last }).unwrap();
        fanout.fire_timers();
        assert_eq!(fanout.effects.len(), 2, "the rate");
        fanout
            .ask(Command::Told {
                after: None,
                last: None,
            })
            .unwrap();
        fanout.advance(EVERY);
        fanout.fire_timers();
        assert_eq!(
            fanout.effects.last().unwrap().after,
            last,
            "a late report of the first page changed nothing"
        );

        fanout
            .ask(Command::Told {
                after: last,
                last: None,
            })
            .unwrap();
        assert!(fanout.timers().is_empty());
        fanout.ask(start).unwrap();
        assert_eq!(fanout.effects.len(), 3, "it is over for good");
    }
}
