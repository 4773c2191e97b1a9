//! The actor of one room on one node. Handlers are plain functions: whatever takes time is a task whose result comes back
//! as a message. Files: [`doors`] (coming and going), [`home`] (the room's home), [`people`] (rights, media events,
//! removal), [`sight`] (what people see).

mod doors;
mod home;
mod people;
mod sight;

use super::claims::Says;
use super::gate::Permit;
use super::ledger::Page;
use super::node::Shared;
use super::personal::Names;
use super::protocol::{Answer, Refusal, Request};
use super::replica::{Replica, Told};
use super::roster::Roster;
use super::token::Spent;
use super::watchers::Watchers;
use crate::id::{RoomId, SessionId, SocketId, UserId};
use crate::limits::FORWARDER_TICK;
use crate::live::LiveSink;
use crate::person::Brief;
use crate::room::{Change, Command, Cut, Room, Version};
use crate::user::Evicted;
use doors::Arriving;
use home::{HomeLink, Loaded};
use mitalk_cluster::{AskError, Entity};
use mitalk_media::{RoomKey, SessionEvent, SessionKey};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A forwarder without people and watchers, of a room that the home did not give, goes after this time.
const IDLE_UNKNOWN: Duration = Duration::from_secs(3);
/// Requests that wait for the first view of the room.
const WAITING: usize = 4_096;

pub(super) type Reply = oneshot::Sender<Result<Answer, Refusal>>;
pub(super) type HomeReply = Result<<Room as Entity>::Reply, AskError<<Room as Entity>::Refusal>>;

/// The actor.
pub(super) struct Forwarder;

/// A message and its place in the mailbox; the actor's own results need none.
pub(super) struct Envelope {
    pub(super) message: Message,
    pub(super) permit: Option<Permit>,
}

pub(super) enum Message {
    Ask(Request, Reply),
    Watch {
        sink: LiveSink,
        after: Option<Version>,
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    Unwatch(SocketId),
    Told(Vec<(Version, Change)>),
    Cut {
        at: Version,
        user: UserId,
        cut: Cut,
    },
    Evict {
        user: UserId,
        session: SessionId,
        why: Evicted,
    },
    Media(SessionEvent),
    /// The home's answer to a registration, with the names that a view needs.
    Loaded(Result<Box<Loaded>, Refusal>),
    Named {
        asked: Vec<UserId>,
        found: Vec<Brief>,
    },
    Answered {
        session: SessionKey,
        result: Result<String, Refusal>,
    },
    /// What the account says to the claim that the person is here.
    Claimed {
        user: UserId,
        session: SessionId,
        says: Says,
    },
    Reported(HomeReply),
    ErrandDone(HomeReply),
    Tick,
    #[cfg(test)]
    Fail,
}

/// What a forwarder starts with.
pub(super) struct Start {
    pub(super) shared: Arc<Shared>,
    pub(super) room: RoomId,
    pub(super) key: RoomKey,
    /// Of the forwarder that failed before it.
    pub(super) page: Page,
}

/// The actor's state.
pub(super) struct Local {
    shared: Arc<Shared>,
    me: ActorRef<Envelope>,
    room: RoomId,
    key: RoomKey,
    replica: Option<Replica>,
    home: HomeLink,
    /// Requests that wait for the replica.
    waiting: VecDeque<Message>,
    roster: Roster,
    /// Joins that the media engine is answering.
    arriving: HashMap<SessionKey, Arriving>,
    /// The newest of a person's joins under way.
    latest: HashMap<UserId, SessionKey>,
    /// Rights taken away that no committed change has settled yet, and since when.
    cuts: HashMap<UserId, (Cut, Instant)>,
    spent: Spent,
    names: Names,
    watchers: Watchers,
    /// Changes that wait for a name before they are shown.
    unshown: VecDeque<Told>,
    naming: bool,
    idle_since: Option<Instant>,
    over: bool,
}

impl Actor for Forwarder {
    type Msg = Envelope;
    type State = Local;
    type Arguments = Start;

    async fn pre_start(&self, me: ActorRef<Envelope>, start: Start) -> Result<Local, ActorProcessingErr> {
        me.send_interval(FORWARDER_TICK, || Envelope {
            message: Message::Tick,
            permit: None,
        });
        let mut local = Local::new(start, me);
        local.register();
        Ok(local)
    }

    async fn handle(
        &self,
        me: ActorRef<Envelope>,
        envelope: Envelope,
        local: &mut Local,
    ) -> Result<(), ActorProcessingErr> {
        let Envelope { message, permit } = envelope;
        drop(permit);
        local.handle(message);
        if local.over {
            me.stop(None);
        }
        Ok(())
    }
}

impl Local {
    fn new(start: Start, me: ActorRef<Envelope>) -> Self {
        let Start {
            shared,
            room,
            key,
            page,
        } = start;
        let mut local = Self {
            shared,
            me,
            room,
            key,
            replica: None,
            home: HomeLink::new(Instant::now()),
            waiting: VecDeque::new(),
            roster: Roster::default(),
            arriving: HashMap::new(),
            latest: HashMap::new(),
            cuts: HashMap::new(),
            spent: Spent::default(),
            names: Names::default(),
            watchers: Watchers::default(),
            unshown: VecDeque::new(),
            naming: false,
            idle_since: None,
            over: false,
        };
        for person in page.people.into_values() {
            local.names.learn(person.brief.clone());
            local.roster.enter(person);
        }
        for watcher in page.watchers.into_values() {
            local.watchers.add(watcher);
        }
        local
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Ask(..) | Message::Watch { .. } if self.replica.is_none() => self.wait(message),
            Message::Ask(request, reply) => self.ask(request, reply),
            Message::Watch { sink, after, reply } => drop(reply.send(self.watch(sink, after))),
            Message::Unwatch(socket) => self.unwatch(socket),
            Message::Told(changes) => self.told(changes),
            Message::Cut { at, user, cut } => self.cut(at, user, cut),
            Message::Evict { user, session, why } => self.evict(user, session, why),
            Message::Media(event) => self.media(event),
            Message::Loaded(result) => self.loaded(result),
            Message::Named { asked, found } => self.named(&asked, found),
            Message::Answered { session, result } => self.answered(session, result),
            Message::Claimed { user, session, says } => self.claimed(user, session, says),
            Message::Reported(reply) => self.reported(reply),
            Message::ErrandDone(reply) => self.errand_done(reply),
            Message::Tick => self.tick(),
            #[cfg(test)]
            Message::Fail => panic!("a test fails this forwarder"),
        }
    }

    fn ask(&mut self, request: Request, reply: Reply) {
        match request {
            Request::Join(join) => self.join(*join, reply),
            Request::Restart { user, session, offer } => self.restart(user, session, offer, reply),
            Request::Leave { user, device } => {
                self.leave(user, device);
                drop(reply.send(Ok(Answer::Done)));
            }
            Request::Sight { user } => drop(reply.send(self.sight(user))),
            Request::Snapshot { user } => drop(reply.send(self.snapshot_for(user))),
            Request::Audience => drop(reply.send(Ok(Answer::Audience(self.audience())))),
            Request::Names { users } => {
                let names = users.into_iter().map(|user| self.names.of(user)).collect();
                drop(reply.send(Ok(Answer::Names(names))));
            }
        }
    }

    fn wait(&mut self, message: Message) {
        if self.waiting.len() >= WAITING {
            refuse(message, Refusal::Overloaded);
            return;
        }
        self.waiting.push_back(message);
        self.register();
    }

    /// Runs what takes time; its result comes back as a message.
    fn later(&self, work: impl Future<Output = Message> + Send + 'static) {
        let me = self.me.clone();
        tokio::spawn(async move {
            let message = work.await;
            // A forwarder that is gone needs no results.
            drop(me.cast(Envelope {
                message,
                permit: None,
            }));
        });
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.tick_people(now);
        self.tick_home(now);
        for socket in self.watchers.prune() {
            self.shared.ledger.unwatch(self.room, socket);
        }
        self.tick_names();
        self.tick_idle(now);
    }

    fn tick_idle(&mut self, now: Instant) {
        let busy = self.roster.len() > 0
            || !self.arriving.is_empty()
            || !self.waiting.is_empty()
            || !self.watchers.is_empty();
        if busy {
            self.idle_since = None;
            return;
        }
        let known = self.replica.is_some();
        let patience = if known {
            Duration::from_secs(self.shared.limits.forwarder_idle_s)
        } else {
            IDLE_UNKNOWN
        };
        if now.duration_since(*self.idle_since.get_or_insert(now)) < patience {
            return;
        }
        if known {
            let node = self.shared.cluster().node().clone();
            self.later_detached(Command::Part { node });
        }
        self.over = true;
    }
}

/// Answers a request that cannot be looked at.
fn refuse(message: Message, refusal: Refusal) {
    match message {
        Message::Ask(_, reply) => drop(reply.send(Err(refusal))),
        Message::Watch { reply, .. } => drop(reply.send(Err(refusal))),
        _ => {}
    }
}
