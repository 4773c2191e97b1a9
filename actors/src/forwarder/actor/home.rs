//! The forwarder's side of the talk with the room's home: registering, heartbeats, what changed, small errands.

use super::{HomeReply, Local, Message, refuse};
use crate::forwarder::node::Shared;
use crate::forwarder::protocol::Refusal;
use crate::forwarder::replica::{Fit, Replica};
use crate::id::RoomId;
use crate::id::UserId;
use crate::person::Brief;
use crate::ports::Reads;
use crate::room::{self, Change, Command, Out, Reply, Room, Version, View};
use crate::rooms::LeftWhy;
use mitalk_cluster::{AskError, Call};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long the home may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// What a client waits before it tries again while the home is gone.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Changes kept while the view before them is on its way.
const EARLY: usize = 1_024;
/// Errands that wait; more and the oldest is dropped, which heartbeats and the home's ticks heal.
const ERRANDS: usize = 1_024;
/// Names asked for at once, as the port allows.
const NAMES_AT_ONCE: usize = 100;

/// How the forwarder stands with the home.
pub(super) struct HomeLink {
    registering: Option<Instant>,
    /// What changed while the view was on its way.
    early: VecDeque<(Version, Change)>,
    reporting: bool,
    reported_at: Option<Instant>,
    reported_audience: u32,
    /// When the home last answered.
    pub(super) heard: Instant,
    /// The home said that it is there; if the replica stays behind it, something was lost.
    owed: Version,
    /// Carried out one after the other.
    errands: VecDeque<Command>,
    errand_runs: bool,
    /// The newest answered report: when it was sent, and the home's version then.
    pub(super) settled: Option<(Instant, Version)>,
}

impl HomeLink {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            registering: None,
            early: VecDeque::new(),
            reporting: false,
            reported_at: None,
            reported_audience: 0,
            heard: now,
            owed: Version::default(),
            errands: VecDeque::new(),
            errand_runs: false,
            settled: None,
        }
    }
}

/// Everything about the room, and the names of those who are seen in it.
pub(in crate::forwarder) struct Loaded {
    view: View,
    names: Vec<Brief>,
}

impl Local {
    /// Asks the home for everything, once at a time.
    pub(super) fn register(&mut self) {
        if self.home.registering.is_some() {
            return;
        }
        self.home.registering = Some(Instant::now());
        self.shared.metrics.resyncs.inc();
        let (shared, room) = (self.shared.clone(), self.room);
        self.later(async move { Message::Loaded(load(&shared, room).await.map(Box::new)) });
    }

    pub(super) fn loaded(&mut self, result: Result<Box<Loaded>, Refusal>) {
        let asked_at = self.home.registering.take().unwrap_or_else(Instant::now);
        match result {
            Ok(loaded) => {
                self.home.heard = Instant::now();
                self.take_view(*loaded, asked_at);
            }
            Err(refusal) => {
                for message in std::mem::take(&mut self.waiting) {
                    refuse(message, refusal.clone());
                }
            }
        }
    }

    fn take_view(&mut self, loaded: Loaded, asked_at: Instant) {
        let Loaded { view, names } = loaded;
        let newest = self
            .replica
            .as_ref()
            .map_or(view.version, |replica| replica.view.version);
        if view.version < newest && !view.scene.ended {
            // From a former home: the tick asks again, because something is owed.
            self.home.owed = self.home.owed.max(newest.next());
            return;
        }
        for brief in names {
            self.names.learn(brief);
        }
        // Cuts of before were decided before the question, so the view has them, or they were refused.
        self.cuts.retain(|_, (_, since)| *since >= asked_at);
        let ended = view.scene.ended;
        self.home.owed = view.version;
        self.replica = Some(Replica::new(view, self.shared.limits.healing_deltas));
        self.unshown.clear();
        if ended {
            return self.end();
        }
        let here: Vec<_> = self.roster.users().collect();
        for user in here {
            if let Some(why) = self.put_out_meanwhile(user) {
                self.expel(user, why);
                continue;
            }
            if !self.has_open_microphone(user) {
                self.unhush(user);
            }
            self.set_rights(user);
        }
        self.show_everything();
        let early = std::mem::take(&mut self.home.early);
        self.told(early.into());
        for message in std::mem::take(&mut self.waiting) {
            self.handle(message);
        }
    }

    /// Rights first, then what people see.
    pub(super) fn told(&mut self, changes: Vec<(Version, Change)>) {
        for (version, change) in changes {
            let Some(replica) = &mut self.replica else {
                self.keep_early(version, change);
                continue;
            };
            match replica.offer(version, change.clone()) {
                Fit::New(told) => {
                    self.enforce(&told.change);
                    self.unshown.push_back(told);
                }
                Fit::Old => {}
                Fit::Gap => {
                    self.keep_early(version, change);
                    self.register();
                }
            }
        }
        self.show();
        if self
            .replica
            .as_ref()
            .is_some_and(|replica| replica.view.scene.ended)
        {
            self.end();
        }
    }

    fn keep_early(&mut self, version: Version, change: Change) {
        if self.home.early.len() >= EARLY {
            // The view that is on its way, or the one after it, has it.
            self.home.early.pop_front();
        }
        self.home.early.push_back((version, change));
    }

    fn enforce(&mut self, change: &Change) {
        match *change {
            Change::Seated(room::Seat { user, .. }) | Change::Unseated(user) => {
                self.cuts.remove(&user);
                if !self.has_open_microphone(user) {
                    self.unhush(user);
                }
                self.set_rights(user);
            }
            Change::Out(user, out) => {
                self.cuts.remove(&user);
                let why = match out {
                    Out::Removed => LeftWhy::Removed,
                    Out::Banned => LeftWhy::Banned,
                };
                self.expel(user, why);
            }
            _ => {}
        }
    }

    pub(super) fn tick_home(&mut self, now: Instant) {
        self.run_errand();
        self.settle_cuts();
        let Some(replica) = &self.replica else {
            if self.roster.len() > 0 {
                self.register();
            }
            return;
        };
        if replica.view.scene.ended {
            return;
        }
        if replica.view.version < self.home.owed {
            self.register();
        }
        let limits = &self.shared.limits;
        let audience = self.audience_count();
        let since = self.home.reported_at.map(|at| now.duration_since(at));
        let due = since.is_none_or(|since| {
            let every = if audience == self.home.reported_audience {
                limits.heartbeat_ms
            } else {
                limits.audience_every_ms
            };
            since >= Duration::from_millis(every)
        });
        if due {
            self.report(now, audience);
        }
    }

    /// Tells the home who is here, now: somebody came who holds something there.
    pub(super) fn report_now(&mut self) {
        let audience = self.audience_count();
        self.report(Instant::now(), audience);
    }

    fn report(&mut self, now: Instant, audience: u32) {
        let Some(replica) = &self.replica else { return };
        if self.home.reporting {
            return;
        }
        self.home.reporting = true;
        self.home.reported_at = Some(now);
        self.home.reported_audience = audience;
        let scene = &replica.view.scene;
        let here = |user| Some((user, self.roster.get(user)?.key.0));
        let holders = scene.holders().filter_map(here).collect();
        let node = self.shared.cluster().node().clone();
        let asked = self.ask_home(Command::Report {
            node,
            audience,
            holders,
        });
        self.later(async move { Message::Reported(asked.await) });
    }

    pub(super) fn reported(&mut self, reply: HomeReply) {
        self.home.reporting = false;
        match reply {
            Ok(Reply::Reported { known, version }) => {
                self.home.heard = Instant::now();
                if known {
                    self.home.settled = self.home.reported_at.map(|sent| (sent, version));
                } else {
                    self.register();
                }
                // Looked at by the next tick: what was told before the answer may still be in the mailbox.
                self.home.owed = self.home.owed.max(version);
            }
            Ok(_) => {}
            Err(AskError::Refused(_)) => self.register(),
            Err(error) => tracing::debug!(room = %self.room, %error, "the home did not take a report"),
        }
    }

    /// Something small for the home, in order, repeated only where nothing else would heal its loss soon.
    pub(super) fn errand(&mut self, command: Command) {
        if self.home.errands.contains(&command) {
            return;
        }
        if self.home.errands.len() >= ERRANDS {
            // The first is being carried out.
            self.home.errands.remove(1);
        }
        self.home.errands.push_back(command);
        self.run_errand();
    }

    /// Somebody is back: what waits to be said of their leaving is not said. Gives whether it is being said already.
    pub(super) fn stays(&mut self, user: UserId) -> bool {
        let leaves = |errand: &Command| matches!(errand, Command::Leave { user: of, .. } if *of == user);
        let said = self.home.errand_runs && self.home.errands.front().is_some_and(leaves);
        let mut first = said;
        self.home
            .errands
            .retain(|errand| std::mem::take(&mut first) || !leaves(errand));
        said
    }

    fn run_errand(&mut self) {
        if self.home.errand_runs {
            return;
        }
        let Some(command) = self.home.errands.front().cloned() else {
            return;
        };
        self.home.errand_runs = true;
        let asked = self.ask_home(command);
        self.later(async move { Message::ErrandDone(asked.await) });
    }

    pub(super) fn errand_done(&mut self, reply: HomeReply) {
        self.home.errand_runs = false;
        let kept = matches!(
            self.home.errands.front(),
            Some(Command::Leave { .. } | Command::Mute { .. })
        );
        let failed = reply.is_err_and(|error| error.retryable());
        if failed && kept && !self.is_obsolete() {
            return;
        }
        if let Some(Command::Mute { user, .. }) = self.home.errands.pop_front() {
            self.hush_decided(user);
        }
        if !failed {
            self.run_errand();
        }
    }

    /// Whether the errand that was carried out says of somebody that they left who is back meanwhile.
    fn is_obsolete(&self) -> bool {
        let errand = self.home.errands.front();
        matches!(errand, Some(Command::Leave { user, .. }) if self.roster.has(*user))
    }

    /// A last word to the home that nobody waits for.
    pub(super) fn later_detached(&self, command: Command) {
        let asked = self.ask_home(command);
        tokio::spawn(async move {
            // Lost: the home drops a forwarder that does not report.
            drop(asked.await);
        });
    }

    fn ask_home(&self, command: Command) -> impl Future<Output = HomeReply> + Send + 'static {
        let (shared, key) = (self.shared.clone(), self.room.to_string());
        async move {
            shared
                .cluster()
                .ask::<Room>(&key, command, Call::within(DEADLINE))
                .await
        }
    }

    /// The home has not answered for so long that nobody new is let in.
    pub(super) fn is_orphan(&self) -> bool {
        self.home.heard.elapsed() >= Duration::from_secs(self.shared.limits.orphan_s)
    }
}

async fn load(shared: &Arc<Shared>, room: RoomId) -> Result<Loaded, Refusal> {
    let cluster = shared.cluster();
    let command = Command::Register {
        node: cluster.node().clone(),
    };
    let view = match cluster
        .ask::<Room>(&room.to_string(), command, Call::within(DEADLINE))
        .await
    {
        Ok(Reply::View(view)) => *view,
        Ok(_) => return Err(Refusal::Unavailable("the home gave no view".into())),
        Err(AskError::Refused(room::Refusal::NotFound)) => return Err(Refusal::NotFound),
        Err(AskError::Refused(refusal)) => return Err(Refusal::Unavailable(refusal.to_string())),
        Err(error) => {
            tracing::debug!(%room, %error, "the home gave no view");
            return Err(Refusal::NoHome {
                retry_after: error.retry_after().unwrap_or(RETRY_AFTER),
            });
        }
    };
    let inviters = view.scene.invitations.iter().map(|invitation| invitation.by);
    let seen: BTreeSet<_> = view.scene.holders().chain(inviters).collect();
    let names = names(&*shared.reads, &seen.into_iter().collect::<Vec<_>>()).await;
    Ok(Loaded { view, names })
}

/// The names of people, as far as the read tables have them and answer.
pub(super) async fn names(reads: &dyn Reads, users: &[UserId]) -> Vec<Brief> {
    let mut names = Vec::with_capacity(users.len());
    for some in users.chunks(NAMES_AT_ONCE) {
        match reads.profiles(some).await {
            Ok(profiles) => names.extend(profiles.iter().map(crate::tables::Profile::brief)),
            Err(error) => tracing::debug!(%error, "names cannot be read"),
        }
    }
    names
}
