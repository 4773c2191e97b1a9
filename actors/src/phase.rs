//! The phase: who becomes active on sign-up. One global entity, set by an operator; each change is audited.
//!
//! The rule itself is the pure [`entrance`], exactly the table of its test. Opening to everybody also calls everybody
//! who waits; any other phase stops what is still being called. The allow-list is rows behind a port, not state; what
//! operators do to it, and to dead letters, is only recorded here.

use crate::events::{Actor, Audit, Message};
use crate::id::Home;
use crate::waitlist::{self, Waitlist};
use mitalk_cluster::{Context, Decision, Entity, Outgoing, Timestamp};
use serde::{Deserialize, Serialize};

/// The key of the one entity.
pub const KEY: &str = "global";

/// Whom the service admits now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admits {
    /// Numbers on the allow-list that are registered and enabled.
    #[default]
    Employees,
    /// The allow-list, people holding an invite, and tickets that the operator admits.
    ClosedTest,
    /// Everyone.
    Open,
}

impl Admits {
    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Employees => "employees",
            Self::ClosedTest => "closed_test",
            Self::Open => "open",
        }
    }

    /// Whether operators let people in who wait.
    pub fn by_operator(self) -> bool {
        self != Self::Employees
    }

    /// Whether an invite lets its holder in.
    pub fn by_invite(self) -> bool {
        self != Self::Employees
    }
}

/// How somebody comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entrance {
    /// By an invite that they hold, so that it is theirs who invited them.
    Invite,
    /// By the allow-list.
    AllowList,
    /// Because the phase is open.
    Open,
}

/// How a person comes in now; absent: they wait. `allowed` is registered **and** enabled.
///
/// An invite goes first where it counts: its giver is to know, and the person to be shown as invited by them.
pub fn entrance(phase: Admits, allowed: bool, invited: bool) -> Option<Entrance> {
    match phase {
        Admits::Employees => allowed.then_some(Entrance::AllowList),
        Admits::ClosedTest | Admits::Open if invited => Some(Entrance::Invite),
        Admits::ClosedTest => allowed.then_some(Entrance::AllowList),
        Admits::Open => Some(Entrance::Open),
    }
}

/// The entity type.
pub enum Phase {}

/// As stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    admits: Admits,
    since: Timestamp,
    /// Counts the changes, for waitlists: what an older one says is obsolete.
    changes: u64,
}

/// What is asked of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Which is it?
    Read,
    /// Changes it.
    Set {
        /// To what.
        admits: Admits,
        /// All waitlists, which are called when everybody is admitted.
        homes: Vec<Home>,
    },
    /// Records what an operator did to the allow-list.
    RecordAllowList {
        /// `allow_list_imported` or `allow_list_removed`.
        action: String,
        /// Of how many numbers.
        count: u64,
    },
    /// Records what an operator did to a dead letter.
    RecordDeadLetter {
        /// `dead_letter_retried` or `dead_letter_dropped`.
        action: String,
        /// Its name.
        letter: String,
    },
}

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The phase after the command.
    pub admits: Admits,
}

/// It never refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// The phase is another one.
    Changed {
        /// Which.
        admits: Admits,
        /// When.
        at: Timestamp,
    },
    /// Only said to the audit.
    Recorded,
}

impl Entity for Phase {
    const KIND: &'static str = "phase";
    const VERSION: u16 = 1;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Refusal = Refusal;
    type Effect = crate::effects::None;

    fn decide(state: &State, command: Command, cx: &mut Context) -> Result<Decision<Self>, Refusal> {
        Ok(match command {
            Command::Read => Decision::reply(Reply { admits: state.admits }),
            Command::Set { admits, .. } if admits == state.admits => Decision::reply(Reply { admits }),
            Command::Set { admits, homes } => set(state, admits, &homes, cx),
            Command::RecordAllowList { action, count } => Decision::reply(Reply { admits: state.admits })
                .event(Event::Recorded)
                .send(Audit::new(Actor::Operator, &action).count(count).outgoing()),
            Command::RecordDeadLetter { action, letter } => Decision::reply(Reply { admits: state.admits })
                .event(Event::Recorded)
                .send(Audit::new(Actor::Operator, &action).value(&letter).outgoing()),
        })
    }

    fn fold(state: &mut State, event: &Event) {
        if let Event::Changed { admits, at } = event {
            state.admits = *admits;
            state.since = *at;
            state.changes += 1;
        }
    }
}

fn set(state: &State, admits: Admits, homes: &[Home], cx: &Context) -> Decision<Phase> {
    let audit = Audit::new(Actor::Operator, "phase_set").value(admits.as_str());
    let decision = Decision::reply(Reply { admits })
        .event(Event::Changed { admits, at: cx.now })
        .send(audit.outgoing());
    let change = state.changes + 1;
    let command = match admits {
        Admits::Open => waitlist::Command::Open { change },
        Admits::ClosedTest | Admits::Employees => {
            let shut = !admits.by_operator();
            waitlist::Command::Hold { change, shut }
        }
    };
    homes.iter().fold(decision, |decision, home| {
        decision.send(Outgoing::to::<Waitlist>(home.as_str(), &command))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pure::Model;

    #[test]
    fn who_enters_in_which_phase() {
        use Admits::*;
        let rows = [
            // phase, allowed, invited, comes in
            (Employees, false, false, None),
            (Employees, false, true, None),
            (Employees, true, false, Some(Entrance::AllowList)),
            (Employees, true, true, Some(Entrance::AllowList)),
            (ClosedTest, false, false, None),
            (ClosedTest, false, true, Some(Entrance::Invite)),
            (ClosedTest, true, false, Some(Entrance::AllowList)),
            (ClosedTest, true, true, Some(Entrance::Invite)),
            (Open, false, false, Some(Entrance::Open)),
            (Open, false, true, Some(Entrance::Invite)),
            (Open, true, false, Some(Entrance::Open)),
            (Open, true, true, Some(Entrance::Invite)),
        ];
        for (phase, allowed, invited, comes_in) in rows {
            assert_eq!(
                entrance(phase, allowed, invited),
                comes_in,
                "{phase:?} {allowed} {invited}"
            );
        }
    }

    #[test]
    fn each_change_is_audited_once() {
        let mut phase = Model::<Phase>::new(KEY);
        let set = |admits| Command::Set {
            admits,
            homes: vec![Home::default()],
        };
        assert_eq!(phase.ask(Command::Read).unwrap().admits, Admits::Employees);
        phase.ask(set(Admits::ClosedTest)).unwrap();
        phase.ask(set(Admits::ClosedTest)).unwrap();
        assert_eq!(phase.messages::<Audit>().len(), 1);
        phase.ask(set(Admits::Open)).unwrap();
        phase.ask(set(Admits::Employees)).unwrap();
        assert_eq!(phase.messages::<Audit>().len(), 3);
        let commands = phase.commands::<Waitlist>();
        assert!(
            matches!(
                commands[..],
                [
                    (
                        _,
                        waitlist::Command::Hold {
                            change: 1,
                            shut: false
                        }
                    ),
                    (_, waitlist::Command::Open { change: 2 }),
                    (
                        _,
                        waitlist::Command::Hold {
                            change: 3,
                            shut: true
                        }
                    )
                ]
            ),
            "everybody who waits is called, once: {commands:?}"
        );
    }
}
