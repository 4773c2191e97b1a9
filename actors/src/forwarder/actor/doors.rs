//! Coming and going: joins, ICE restarts, leaving, eviction.

use super::{Local, Message, Reply};
use crate::forwarder::admission::{Arrival, Verdict, admit};
use crate::forwarder::personal::Shown;
use crate::forwarder::protocol::{Answer, Join, Refusal};
use crate::forwarder::roster::{Link, Person};
use crate::forwarder::token::{Claims, Generation};
use crate::forwarder::watchers::Watcher;
use crate::id::{DeviceId, SessionId, UserId};
use crate::person::Brief;
use crate::room::{Command, Scene};
use crate::rooms::{Joined, LeftWhy};
use crate::secrets;
use crate::user::Evicted;
use mitalk_media::{Rights, SessionKey};
use std::time::Duration;
use tokio::time::Instant;

/// Joins that the media engine may be answering for one room.
const ARRIVING: usize = 1_024;
/// How long the media engine may take for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// What a client waits before it tries again while the home is gone.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// A join that the media engine is answering.
pub(super) struct Arriving {
    join: Join,
    session: SessionId,
    generation: Generation,
    /// The generation whose token was shown.
    resumes: Option<Generation>,
    /// Had a place when they asked: its grace may end while the engine answers.
    had_place: bool,
    pub(super) reply: Reply,
}

impl Local {
    pub(super) fn join(&mut self, join: Join, reply: Reply) {
        let user = join.person.id;
        let resumes = match self.let_in(&join) {
            Ok(Ok(resumes)) => resumes,
            Ok(Err(moderators)) => {
                drop(reply.send(Ok(Answer::LookWhomTheyFollow(moderators))));
                return;
            }
            Err(refusal) => {
                self.count_join("refused");
                drop(reply.send(Err(refusal)));
                return;
            }
        };
        let key = self.shared.new_session_key();
        self.shared.ledger.expect(self.room, key);
        self.latest.insert(user, key);
        let ask = mitalk_media::Join {
            room: self.key,
            session: key,
            rights: self.silent_rights(user),
            offer: join.offer.clone(),
            grace: Duration::from_secs(self.shared.limits.grace_s),
        };
        let session = SessionId::new(self.room.home(), u128::from_be_bytes(secrets::random()));
        let generation = Generation(u64::from_be_bytes(secrets::random()));
        self.arriving.insert(
            key,
            Arriving {
                join,
                session,
                generation,
                resumes,
                had_place: self.roster.has(user),
                reply,
            },
        );
        let media = self.shared.media.clone();
        self.later(async move {
            let result = match tokio::time::timeout(ANSWER, media.join(ask)).await {
                Ok(answer) => answer.map(|answer| answer.sdp).map_err(Refusal::from),
                Err(_) => Err(Refusal::Overloaded),
            };
            Message::Answered { session: key, result }
        });
    }

    /// The generation that is resumed, if any; or the moderators of whom the caller must say if the person follows one.
    fn let_in(&self, join: &Join) -> Result<Result<Option<Generation>, Vec<UserId>>, Refusal> {
        let user = join.person.id;
        let Some(replica) = &self.replica else {
            return Err(Refusal::NoHome {
                retry_after: RETRY_AFTER,
            });
        };
        let scene = &replica.view.scene;
        let arrival = self.arrival(scene, join);
        match admit(scene, arrival)? {
            Verdict::Welcome => {}
            Verdict::LookWhomTheyFollow => return Ok(Err(scene.moderators().collect())),
        }
        let resumes = self.check_token(join)?;
        if self.is_orphan() && !arrival.has_place && !scene.holds(user) {
            return Err(Refusal::NoHome {
                retry_after: RETRY_AFTER,
            });
        }
        if self.arriving.len() >= ARRIVING {
            return Err(Refusal::Overloaded);
        }
        Ok(Ok(resumes))
    }

    fn arrival(&self, scene: &Scene, join: &Join) -> Arrival {
        let user = join.person.id;
        Arrival {
            user,
            has_place: self.roster.has(user),
            has_link: self.has_link(scene, join),
            follows_moderator: join.follows_moderator,
            cut: self.cut_of(user),
        }
    }

    /// The room may have changed while the engine answered: who was banned meanwhile does not come in.
    fn still_welcome(&self, arriving: &Arriving) -> Result<(), Refusal> {
        let Some(replica) = &self.replica else {
            return Ok(());
        };
        let scene = &replica.view.scene;
        let mut arrival = self.arrival(scene, &arriving.join);
        arrival.has_place |= arriving.had_place;
        match admit(scene, arrival)? {
            Verdict::Welcome => Ok(()),
            Verdict::LookWhomTheyFollow => Err(Refusal::Social),
        }
    }

    fn has_link(&self, scene: &Scene, join: &Join) -> bool {
        let given = join.link_key.as_deref();
        given.is_some_and(|key| self.shared.links.opens(scene, key))
    }

    /// A token of somebody who has a place here must be that place's; one that we know nothing of (this node is new, or the
    /// grace is over) is taken by what the room says of the person.
    fn check_token(&self, join: &Join) -> Result<Option<Generation>, Refusal> {
        let Some(text) = &join.token else { return Ok(None) };
        let user = join.person.id;
        let opened = self.shared.tokens.open(text, self.room, user, join.device);
        let generation = opened.ok_or(Refusal::ResumeInvalid)?;
        let other_place = self
            .roster
            .get(user)
            .is_some_and(|person| !person.is_of(generation));
        if self.spent.contains(generation) || other_place {
            return Err(Refusal::ResumeRefused);
        }
        Ok(Some(generation))
    }

    pub(super) fn answered(&mut self, key: SessionKey, result: Result<String, Refusal>) {
        let Some(arriving) = self.arriving.remove(&key) else {
            return self.close_session(key);
        };
        let user = arriving.join.person.id;
        let newest = self.latest.get(&user) == Some(&key);
        if newest {
            self.latest.remove(&user);
        }
        let result = result.and_then(|sdp| self.still_welcome(&arriving).map(|()| sdp));
        match result {
            Ok(sdp) if newest => self.admit(key, arriving, sdp),
            Ok(_) => {
                self.close_session(key);
                drop(arriving.reply.send(Err(Refusal::Moved)));
            }
            Err(refusal) => {
                // After a time-out the engine may still make the session; after a ban it has.
                self.close_session(key);
                self.count_join("failed");
                drop(arriving.reply.send(Err(refusal)));
            }
        }
    }

    fn admit(&mut self, key: SessionKey, arriving: Arriving, sdp: String) {
        let Arriving {
            join,
            session,
            generation,
            resumes,
            had_place: _,
            reply,
        } = arriving;
        let (user, device) = (join.person.id, join.device);
        let holds = self
            .replica
            .as_ref()
            .is_some_and(|replica| replica.view.scene.holds(user));
        let lost_it = self.stays(user);
        let resumed = resumes.is_some() && (self.roster.has(user) || holds) && !lost_it;
        let still_hushed = self.roster.get(user).is_some_and(|person| person.hushed);
        // Who comes without a resume token may have another microphone in hand: it starts switched off.
        let hushed = (!resumed || still_hushed) && self.has_open_microphone(user);
        let since = self.replica.as_ref().map(|replica| replica.view.version);
        let brief = self.introduce(join.person);
        let person = Person {
            brief,
            device,
            session,
            key,
            generation,
            before: resumes,
            link: Link::There,
            hushed,
            since: since.unwrap_or_default(),
            came: Instant::now(),
            claim_due: None,
        };
        self.shared.ledger.enter(self.room, &person);
        if let Some(earlier) = self.roster.enter(person) {
            self.replace(&earlier, device, resumes);
        } else {
            self.shared.metrics.people.inc();
        }
        if hushed {
            self.errand(Command::Mute { by: user, user });
        }
        self.set_rights(user);
        self.reconcile(user);
        let sink = join
            .socket
            .and_then(|socket| self.shared.sockets.sink(user, socket));
        if let Some(sink) = sink.filter(|sink| self.is_of_session(sink)) {
            self.attach(sink);
        }
        self.claim(user);
        if holds {
            self.report_now();
        }
        self.count_join(if resumed { "resumed" } else { "joined" });
        let Some(replica) = &self.replica else { return };
        let token = Claims {
            room: self.room,
            user,
            device,
            generation,
        };
        let joined = Joined {
            session,
            sdp,
            snapshot: Shown::new(&replica.view, &self.names, &self.shared.links).snapshot(user, true),
            resume_token: self.shared.tokens.seal(token),
            resumed,
        };
        drop(reply.send(Ok(Answer::Joined(Box::new(joined)))));
    }

    /// A name that could not be read is the one that is known here.
    fn introduce(&mut self, brief: Brief) -> Brief {
        if brief == Brief::unknown(brief.id) && self.names.knows(brief.id) {
            return self.names.of(brief.id);
        }
        self.names.learn(brief.clone());
        brief
    }

    /// A person has one session: the earlier one is closed, and its device told if it is another one.
    fn replace(&mut self, earlier: &Person, device: DeviceId, resumes: Option<Generation>) {
        let overtaken = [Some(earlier.generation), earlier.before].into_iter().flatten();
        for generation in overtaken.filter(|generation| resumes != Some(*generation)) {
            self.spent.add(generation);
        }
        if let Some(key) = earlier.live_key() {
            self.close_session(key);
        }
        if earlier.device != device {
            self.tell_left(earlier.brief.id, earlier.device, LeftWhy::MovedDevice);
        }
    }

    fn attach(&mut self, sink: crate::live::LiveSink) {
        let Some(replica) = &self.replica else { return };
        let watcher = Watcher {
            sink,
            seen: replica.view.version,
        };
        self.shared.ledger.watch(self.room, &watcher);
        self.watchers.add(watcher);
    }

    /// Rights that let nobody be heard before the join is complete.
    fn silent_rights(&self, user: UserId) -> Rights {
        match self.rights(user) {
            Rights::Speak(number) | Rights::Muted(number) => Rights::Muted(number),
            Rights::Listen => Rights::Listen,
        }
    }

    pub(super) fn restart(&mut self, user: UserId, session: SessionId, offer: String, reply: Reply) {
        let current = self.roster.get(user).filter(|person| person.session == session);
        let Some(key) = current.and_then(Person::live_key) else {
            drop(reply.send(Err(Refusal::SessionNotFound)));
            return;
        };
        let media = self.shared.media.clone();
        tokio::spawn(async move {
            let result = match tokio::time::timeout(ANSWER, media.restart(key, offer)).await {
                Ok(answer) => answer
                    .map(|answer| Answer::Restarted { sdp: answer.sdp })
                    .map_err(Refusal::from),
                Err(_) => Err(Refusal::Overloaded),
            };
            drop(reply.send(result));
        });
    }

    /// Ends a join under way: on that device, or on any.
    pub(super) fn cancel_join(&mut self, user: UserId, device: Option<DeviceId>, why: LeftWhy) {
        let Some(key) = self.latest.get(&user).copied() else {
            return;
        };
        let joins_by = self.arriving.get(&key).map(|arriving| arriving.join.device);
        if device.is_some() && device != joins_by {
            return;
        }
        self.latest.remove(&user);
        // The engine's answer finds nobody who waits for it, and the session is closed.
        if let Some(arriving) = self.arriving.remove(&key) {
            self.count_join("cancelled");
            drop(arriving.reply.send(Err(match why {
                LeftWhy::Banned => Refusal::Banned,
                LeftWhy::MovedDevice => Refusal::Moved,
                LeftWhy::Ended => Refusal::Ended,
                LeftWhy::Left | LeftWhy::Removed | LeftWhy::LostConnection => Refusal::NotInRoom,
            })));
        }
    }

    /// Leaving on a device where one is not, is nothing. A join of that device under way is over.
    pub(super) fn leave(&mut self, user: UserId, device: DeviceId) {
        self.cancel_join(user, Some(device), LeftWhy::Left);
        if self
            .roster
            .get(user)
            .is_some_and(|person| person.device == device)
        {
            self.depart(user, LeftWhy::Left);
        }
    }

    /// The account says that this session is over.
    pub(super) fn evict(&mut self, user: UserId, session: SessionId, why: Evicted) {
        if self
            .roster
            .get(user)
            .is_none_or(|person| person.session != session)
        {
            return;
        }
        match why {
            Evicted::Moved => self.depart(user, LeftWhy::MovedDevice),
            // The home must not hear that they left: they are there, on another node.
            Evicted::MovedWithin => self.expel(user, LeftWhy::MovedDevice),
            Evicted::ShutOut => self.depart(user, LeftWhy::Removed),
        }
    }

    fn count_join(&self, outcome: &str) {
        self.shared.metrics.joins.with_label_values(&[outcome]).inc();
    }
}
