//! A small entity, and an activation of it that a test feeds by hand.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::Trace;
use crate::entity::{Context, Decision, Entity, Outgoing, Phase, Source, Target, Timer, Urgent};
use crate::id::{EntityId, Epoch, RequestId, WriteId};
use crate::protocol::Now;
use crate::protocol::activation::{Activation, Ask, Identity, Input, Limits, Output};
use crate::protocol::open_list::Wish;
use crate::protocol::outcome::Outcome;
use crate::protocol::relay::WINDOW;
use crate::protocol::stored::Memory;
use crate::store::{Cas, EntityWrite, Head, OutboxRow, Row, StoreError, TimerKey, TimerRow};
use crate::time::{BootInstant, Hour, Timestamp};
use crate::wire;

/// Everything is a number here, and the answer is their count.
pub(super) struct Till;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) sums: Vec<u32>,
    pub(super) timers: Vec<Timer>,
    #[serde(skip)]
    pub(super) visits: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Command {
    /// Commits; no more.
    Add(u32),
    /// Commits and sends a row.
    Tell(u32),
    /// Commits and sends a row to another entity.
    Pay(u32),
    /// Commits and sends one row to another entity that covers those before it, and one that does not.
    Cover(u32),
    /// Commits and sends that many rows, of that many bytes each.
    Flood(usize, usize),
    /// Commits, remembered by request; the answer has that many bytes.
    Create(usize),
    /// Commits, kept by source.
    Credit(u32),
    /// Commits and waits for a timer.
    Arm(Timer),
    /// What a timer delivers.
    Fire(String),
    /// Commits; urgent.
    Mute,
    /// Changes only what is volatile.
    Visit,
    Look,
    Refuse,
}

#[derive(Debug)]
pub(super) enum Event {
    Added(u32),
    Armed(Timer),
    Fired(String),
    Visited,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("no")]
pub(super) struct No;

impl Entity for Till {
    const KIND: &'static str = "till";
    const VERSION: u16 = 1;
    const SIDE_BY_SIDE: &'static [&'static str] = &[Self::KIND];
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = (usize, String);
    type Refusal = No;
    type Effect = Phase;

    fn decide(state: &State, command: Command, _: &mut Context) -> Result<Decision<Self>, No> {
        let count = state.sums.len();
        let reply = Decision::reply((count, String::new()));
        Ok(match command {
            Command::Add(n) | Command::Credit(n) => reply.event(Event::Added(n)),
            Command::Tell(n) => reply
                .event(Event::Added(n))
                .send(Outgoing::topic("tills", &n))
                .effect(Phase::Live)
                .effect(Phase::Rights),
            Command::Pay(n) => reply
                .event(Event::Added(n))
                .send(Outgoing::to::<Self>("b", &Command::Credit(n))),
            Command::Cover(n) => reply
                .event(Event::Added(n))
                .send(Outgoing::to::<Self>("b", &Command::Credit(n)).covering())
                .send(Outgoing::to::<Self>("b", &Command::Pay(n))),
            Command::Flood(rows, bytes) => {
                let row = || Outgoing {
                    target: Target::Topic("tills".to_owned()),
                    payload: vec![0; bytes],
                    covers: false,
                };
                (0..rows).fold(reply.event(Event::Added(0)), |all, _| all.send(row()))
            }
            Command::Create(bytes) => Decision::reply((count, "x".repeat(bytes))).event(Event::Added(0)),
            Command::Arm(timer) => reply.event(Event::Armed(timer)),
            Command::Fire(name) => reply.event(Event::Fired(name)),
            Command::Mute => reply.event(Event::Added(0)).effect(Phase::Rights),
            Command::Visit => {
                Decision::reply((state.visits as usize + 1, String::new())).event(Event::Visited)
            }
            Command::Look => reply,
            Command::Refuse => return Err(No),
        })
    }

    fn fold(state: &mut State, event: &Event) {
        match event {
            Event::Added(n) => state.sums.push(*n),
            Event::Armed(timer) => state.timers.push(timer.clone()),
            Event::Fired(name) => state.timers.retain(|t| t.name != *name),
            Event::Visited => state.visits += 1,
        }
    }

    fn durable(event: &Event) -> bool {
        !matches!(event, Event::Visited)
    }

    fn timers(state: &State) -> Vec<Timer> {
        state.timers.clone()
    }

    fn on_timer(name: &str) -> Option<Command> {
        Some(Command::Fire(name.to_owned()))
    }

    fn remembers(command: &Command) -> bool {
        matches!(command, Command::Create(_))
    }

    fn by_source(command: &Command) -> bool {
        matches!(command, Command::Credit(_))
    }

    fn urgent(_: &State, command: &Command) -> Option<Urgent<Self>> {
        matches!(command, Command::Mute).then(|| Urgent {
            effects: vec![Phase::Rights],
            reply: (0, "pending".to_owned()),
        })
    }

    fn phase(effect: &Phase) -> Phase {
        *effect
    }
}

pub(super) const LIMITS: Limits = Limits {
    queue: 16,
    urgent: Duration::from_millis(300),
    passivate: Duration::from_secs(60),
    window: WINDOW,
};
/// How long callers wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// The epoch of the owner under test.
pub(super) const MINE: Epoch = Epoch(5);
const WALL: Timestamp = Timestamp(1_800_000_000_000);

pub(super) type Outputs = Vec<Output<Till>>;

/// An activation at somebody's fingertips.
pub(super) struct Desk {
    machine: Activation<Till>,
    pub(super) now: Now,
    tickets: u64,
    wish: Wish,
    /// The node is full.
    pub(super) urgent_only: bool,
}

impl Desk {
    /// One that waits for its row.
    pub(super) fn new(fence: bool) -> Self {
        Self::of(fence, false)
    }

    /// The same, activated for what it owes.
    pub(super) fn background() -> Self {
        Self::of(true, true)
    }

    fn of(fence: bool, background: bool) -> Self {
        let who = Identity {
            id: id(),
            epoch: MINE,
            activation: 1,
            fence,
            background,
        };
        let now = Now {
            boot: BootInstant::default() + Duration::from_secs(1_000),
            wall: WALL,
        };
        let (machine, first) = Activation::new(who, LIMITS, [7; 32], now);
        assert!(matches!(first, Output::Read));
        Self {
            machine,
            now,
            tickets: 0,
            wish: 0,
            urgent_only: false,
        }
    }

    /// One that answers, over a row with that state.
    pub(super) fn active(state: State) -> Self {
        let mut desk = Self::new(false);
        let out = desk.feed(Input::Row(Ok(Some(row(3, &state)))));
        assert!(said(&out).contains(&"activated"));
        desk
    }

    pub(super) fn feed(&mut self, input: Input<Till>) -> Outputs {
        let out = self.machine.handle(self.now, Hour(0), input);
        let mut wishes = out.iter().filter_map(|o| match o {
            Output::Note(wish) => Some(*wish),
            _ => None,
        });
        self.wish = wishes.next_back().unwrap_or(self.wish);
        out
    }

    /// The list has the entity, as it wished last.
    pub(super) fn noted(&mut self) -> Outputs {
        self.feed(Input::Noted(self.wish))
    }

    /// The store does not take the note that it wished for last.
    pub(super) fn not_noted(&mut self) -> Outputs {
        let error = StoreError::Full("of the test".to_owned());
        self.feed(Input::NoteFailed(self.wish, error))
    }

    pub(super) fn ask(&mut self, command: Command) -> Outputs {
        self.ask_as(command, None, None)
    }

    pub(super) fn ask_as(
        &mut self,
        command: Command,
        request: Option<RequestId>,
        source: Option<Source>,
    ) -> Outputs {
        self.tickets += 1;
        let ask = Ask {
            ticket: self.tickets,
            command,
            request,
            source,
            deadline: self.now.boot + PATIENCE,
            trace: Trace::default(),
            urgent_only: self.urgent_only,
        };
        self.feed(Input::Ask(ask))
    }

    /// Lets the time pass, with all the ticks that the machine wants meanwhile.
    pub(super) fn wait(&mut self, time: Duration) -> Outputs {
        let (end, mut out) = (self.now.boot + time, vec![]);
        loop {
            let wake = self.machine.wake(self.now).filter(|at| *at <= end);
            // A shell's ticks come a millisecond apart at least.
            let next = wake.map_or(end, |at| {
                at.max(self.now.boot + Duration::from_millis(1)).min(end)
            });
            let step = next.since(self.now.boot);
            self.now.boot = next;
            self.now.wall = self.now.wall + step;
            if wake.is_none() || step.is_zero() {
                return out;
            }
            out.extend(self.feed(Input::Tick));
        }
    }

    /// Confirms the write in `out`, or fails the test.
    pub(super) fn applied(&mut self, out: &Outputs) -> Outputs {
        assert!(write_in(out).is_some(), "no write: {:?}", said(out));
        self.feed(Input::Written(Ok(Cas::Applied)))
    }

    /// Asks for what needs a commit, and lets it through to the end.
    pub(super) fn commit(&mut self, command: Command) -> Outputs {
        let mut all = self.ask(command);
        if said(&all).contains(&"note") {
            all.extend(self.noted());
        }
        if said(&all).contains(&"insert timers") {
            all.extend(self.feed(Input::TimersInserted(Ok(()))));
        }
        let after = self.applied(&all);
        all.extend(after);
        all
    }
}

pub(super) fn id() -> EntityId {
    EntityId::of::<Till>("a")
}

pub(super) fn head(write: u128, epoch: u64) -> Head {
    Head {
        write_id: WriteId(write),
        epoch: Epoch(epoch),
    }
}

/// A row written in that epoch, all published.
pub(super) fn row(epoch: u64, state: &State) -> Row {
    let mut memory = Memory::<Till>::default();
    memory.state = state.clone();
    Row {
        head: head(9, epoch),
        blob: memory.encode().unwrap(),
        sequence: 0,
        published: 0,
    }
}

pub(super) fn timer(name: &str, due: Timestamp) -> Timer {
    Timer {
        name: name.to_owned(),
        due,
    }
}

/// A row of that timer that an owner of that epoch wrote.
pub(super) fn timer_row(timer: &Timer, write: u128, epoch: u64) -> TimerRow {
    TimerRow {
        key: TimerKey {
            shard: id().shard(),
            hour: timer.due.hour(),
            due: timer.due,
            entity: id(),
            write_id: WriteId(write),
            name: timer.name.clone(),
        },
        epoch: Epoch(epoch),
    }
}

/// The outputs by name, in order.
pub(super) fn said(out: &Outputs) -> Vec<&'static str> {
    let name = |output: &Output<Till>| match output {
        Output::Read => "read",
        Output::ReadOutbox { .. } => "read outbox",
        Output::Write(_) => "write",
        Output::Note(_) => "note",
        Output::Unnote => "unnote",
        Output::InsertTimers(_) => "insert timers",
        Output::DeleteTimers(_) => "delete timers",
        Output::Armed(_) => "armed",
        Output::Effects { effects, .. } if effects[0] == Phase::Rights => "rights",
        Output::Effects { .. } => "live",
        Output::Reply { .. } => "reply",
        Output::Send(_) => "send",
        Output::Activated => "activated",
        Output::Committed { .. } => "committed",
        Output::Idle => "idle",
        Output::Passed => "passed",
        Output::Park(_) => "park",
        Output::Through(_) => "through",
        Output::Conflict => "conflict",
    };
    out.iter().map(name).collect()
}

pub(super) fn write_in(out: &Outputs) -> Option<Arc<EntityWrite>> {
    out.iter().find_map(|o| match o {
        Output::Write(write) => Some(write.clone()),
        _ => None,
    })
}

pub(super) fn inserted(out: &Outputs) -> Vec<TimerRow> {
    let rows = out.iter().filter_map(|o| match o {
        Output::InsertTimers(rows) => Some(rows.clone()),
        _ => None,
    });
    rows.flatten().collect()
}

pub(super) fn deleted(out: &Outputs) -> Vec<TimerKey> {
    let keys = out.iter().filter_map(|o| match o {
        Output::DeleteTimers(keys) => Some(keys.clone()),
        _ => None,
    });
    keys.flatten().collect()
}

pub(super) fn sent(out: &Outputs) -> Vec<OutboxRow> {
    let rows = out.iter().filter_map(|o| match o {
        Output::Send(row) => Some(row.clone()),
        _ => None,
    });
    rows.collect()
}

pub(super) fn replies(out: &Outputs) -> Vec<Outcome> {
    let outcomes = out.iter().filter_map(|o| match o {
        Output::Reply { outcome, .. } => Some(outcome.clone()),
        _ => None,
    });
    outcomes.collect()
}

/// What a done command answered.
pub(super) fn counts(out: &Outputs) -> Vec<(usize, String)> {
    let count = |outcome| match outcome {
        Outcome::Done(bytes) => wire::decode(&bytes).unwrap(),
        other => panic!("{other:?}"),
    };
    replies(out).into_iter().map(count).collect()
}

pub(super) fn unknown<T>() -> Result<T, StoreError> {
    Err(StoreError::Unknown("of the test".to_owned()))
}

pub(super) fn unavailable<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("of the test".to_owned()))
}
