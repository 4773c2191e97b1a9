//! One shard: its sessions and their rooms, without a socket, a thread or a clock.
//!
//! Datagrams and commands go in with the time, datagrams come out through a [`Wire`], news through [`Notices`].
//! The shell ([`crate::engine`]) moves both; tests do it with simulated networks and virtual time.
//!
//! Invariants
//! - A datagram belongs to the session whose ufrag its check names, or at whose authenticated address it arrived.
//!   Everything else is dropped and counted, and gets no answer.
//! - After `leave` nothing leads to the session: no address, no ufrag, no key.
//! - A panic over one client's input ends that session, one in a room's audio the sessions of that room; what else
//!   panics, ends them all ([`Shard::start_afresh`]) and not the thread.
//!
//! Lacks: other shards. A room lives on one.

mod faults;
mod notices;
mod routes;
#[cfg(test)]
mod tests;
mod timers;

use crate::egress::Member;
use crate::metrics::Counts;
use crate::offer::Offer;
use crate::room::{Packet, Room, Verdict};
use crate::session::{Purpose, Session, Setup};
use crate::wire::Wire;
use crate::{Answer, Error, Gone, Link, RoomKey, SessionKey, SessionStats, Stats};
use notices::Notices;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use timers::Timers;

/// How often slots are looked at while somebody speaks: half a packet.
const TALKING_TICK: Duration = Duration::from_millis(10);
/// No session is looked at more often without input: str0m may ask for the very moment it was just given.
const MIN_TICK: Duration = Duration::from_millis(1);
/// Sessions looked at per turn: 2.5 ms of work. A crowd that joined together is due together.
const TICKS_PER_TURN: usize = 256;

pub(crate) struct Shard {
    setup: Setup,
    /// By [`Member`]. Places are reused.
    sessions: Vec<Option<Session>>,
    free: Vec<Member>,
    by_key: HashMap<SessionKey, Member>,
    by_ufrag: HashMap<String, Member>,
    by_address: HashMap<SocketAddr, Member>,
    rooms: HashMap<RoomKey, Room>,
    /// Rooms where a slot is held, and when to look at them again.
    talking: HashSet<RoomKey>,
    talking_due: Option<Instant>,
    timers: Timers,
    pub(crate) notices: Notices,
    pub(crate) counts: Counts,
}

impl Shard {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            setup,
            sessions: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            by_ufrag: HashMap::new(),
            by_address: HashMap::new(),
            rooms: HashMap::new(),
            talking: HashSet::new(),
            talking_due: None,
            timers: Timers::default(),
            notices: Notices::default(),
            counts: Counts::default(),
        }
    }

    /// When [`Shard::tick`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.timers.due().into_iter().chain(self.talking_due).min()
    }

    // ---- commands

    /// Makes a session.
    ///
    /// # Errors
    /// `BadOffer`, `SessionExists`.
    pub(crate) fn join(
        &mut self,
        purpose: Purpose,
        offer: Offer,
        now: Instant,
        wire: &mut impl Wire,
    ) -> Result<Answer, Error> {
        let (key, room) = (purpose.key, purpose.room);
        if self.by_key.contains_key(&key) {
            return Err(Error::SessionExists);
        }
        let rights = purpose.rights.clone();
        let new = || {
            let (mut session, sdp) = Session::new(&self.setup, purpose, offer, now)?;
            session.poll(now, wire);
            Ok((session, sdp))
        };
        let made = catch_unwind(AssertUnwindSafe(new)).unwrap_or_else(|_| {
            self.counts.panics += 1;
            Err(broken_offer())
        });
        let (session, sdp) = made?;
        let member = self.free.pop().unwrap_or_else(|| {
            self.sessions.push(None);
            Member(self.sessions.len() as u32 - 1)
        });
        self.by_ufrag.insert(session.ufrag.clone(), member);
        self.by_key.insert(key, member);
        self.rooms
            .entry(room)
            .or_insert_with(Room::new)
            .enter(member, rights, now);
        self.timers.set(member, session.due().max(now + MIN_TICK));
        self.sessions[member.0 as usize] = Some(session);
        self.notices.begin(key);
        self.counts.joins += 1;
        Ok(Answer { sdp })
    }

    /// Answers an ICE restart; the old ufrag leads nowhere from now on. A refused one changes nothing, or ends the session
    /// ([`Session::restart`]).
    ///
    /// # Errors
    /// `NoSuchSession`, `BadOffer`.
    pub(crate) fn restart(
        &mut self,
        key: SessionKey,
        offer: Offer,
        now: Instant,
        wire: &mut impl Wire,
    ) -> Result<Answer, Error> {
        let member = *self.by_key.get(&key).ok_or(Error::NoSuchSession)?;
        let before = self.sessions[member.0 as usize]
            .as_ref()
            .map(|session| session.ufrag.clone());
        let answered = self.guarded(member, |session, setup| {
            let answered = session.restart(setup, offer);
            session.poll(now, wire);
            answered
        });
        // Whatever came of it, a panic included: only the newest ufrag leads here.
        before.map(|before| self.by_ufrag.remove(&before));
        if let Some(session) = self.sessions[member.0 as usize].as_ref() {
            self.by_ufrag.insert(session.ufrag.clone(), member);
        }
        self.prune(member);
        self.settle(member, now, wire);
        let sdp = answered.ok_or_else(broken_offer)??;
        self.counts.restarts += 1;
        Ok(Answer { sdp })
    }

    /// Ends a session with a goodbye. Unknown ones are none of our business any more.
    pub(crate) fn leave(&mut self, key: SessionKey, now: Instant, wire: &mut impl Wire) {
        if let Some(&member) = self.by_key.get(&key) {
            self.guarded(member, |session, _| session.close(now, wire));
            self.end(member, Gone::Removed, wire);
        }
    }

    /// Rights may have changed: look at held slots with the next tick.
    pub(crate) fn rights_changed(&mut self, now: Instant) {
        if !self.talking.is_empty() {
            self.talking_due = Some(now);
        }
    }

    /// A snapshot.
    pub(crate) fn stats(&mut self, now: Instant) -> Stats {
        let rooms = &mut self.rooms;
        let sessions = self.sessions.iter().enumerate().filter_map(|(at, session)| {
            let session = session.as_ref()?;
            let (key, room) = (session.purpose.key, session.purpose.room);
            let listening = rooms.get_mut(&room).and_then(|r| r.listener(Member(at as u32)));
            let packets_out = listening
                .as_deref()
                .or(session.parked.as_ref())
                .map_or(0, |l| l.packets_out());
            let (quiet_for, packets_in) = (session.quiet_for(now), session.packets_in);
            Some(SessionStats {
                session: key,
                room,
                link: session.link,
                quiet_for,
                packets_in,
                packets_out,
            })
        });
        Stats {
            sessions: sessions.collect(),
            stopped_shards: 0,
            packets_in: self.counts.packets_in,
            packets_out: self.counts.packets_out,
            packets_refused: self.counts.refused_rights
                + self.counts.refused_rate
                + self.counts.refused_codec
                + self.counts.refused_late,
            datagrams_dropped: self.counts.dropped.iter().sum(),
        }
    }

    // ---- consequences

    /// Does what followed from input or time: forwards what came in, changes the link's state, or ends the session.
    fn settle(&mut self, member: Member, now: Instant, wire: &mut impl Wire) {
        self.forward(member, now, wire);
        let Some(session) = self.sessions[member.0 as usize].as_mut() else {
            return;
        };
        if let Some(why) = session.over(now) {
            return self.end(member, why, wire);
        }
        let Some(room) = self.rooms.get_mut(&session.purpose.room) else {
            return;
        };
        let key = session.purpose.key;
        match session.link {
            Link::Connecting => {
                if let Some(listener) = session.take_listener(member) {
                    session.link = Link::Up;
                    room.listen(listener, now);
                    self.notices.link(key, Link::Up);
                }
            }
            Link::Up if session.is_silent(now) => {
                session.link = Link::Silent;
                session.parked = room.deafen(member);
                self.notices.link(key, Link::Silent);
            }
            Link::Up => {
                if let (Some(listener), Some(target)) = (room.listener(member), session.paths.target()) {
                    listener.to = target;
                }
            }
            Link::Silent if !session.is_silent(now) => {
                session.link = Link::Up;
                if let Some(mut listener) = session.parked.take() {
                    listener.to = session.paths.target().unwrap_or(listener.to);
                    room.listen(listener, now);
                }
                self.notices.link(key, Link::Up);
            }
            Link::Silent => {}
        }
        self.timers.set(member, session.due().max(now + MIN_TICK));
    }

    /// Hands what a session sent to its room.
    fn forward(&mut self, member: Member, now: Instant, wire: &mut impl Wire) {
        let Some(session) = self.sessions[member.0 as usize]
            .as_mut()
            .filter(|s| !s.inbox.is_empty())
        else {
            return;
        };
        let key = session.purpose.room;
        let Some(room) = self.rooms.get_mut(&key) else {
            return;
        };
        let forward = || {
            for packet in session.inbox.drain(..) {
                self.counts.packets_in += 1;
                let (timestamp, level) = (packet.header.timestamp, packet.header.ext_vals.audio_level);
                let packet = Packet {
                    timestamp,
                    level,
                    payload: &packet.payload,
                };
                match room.packet(member, packet, now, wire) {
                    Verdict::Forwarded(copies) => {
                        self.counts.packets_out += copies;
                        self.talking.insert(key);
                        self.talking_due.get_or_insert(now + TALKING_TICK);
                    }
                    Verdict::NoRight => self.counts.refused_rights += 1,
                    Verdict::TooMany => self.counts.refused_rate += 1,
                    Verdict::NoOpus => self.counts.refused_codec += 1,
                    Verdict::Late => self.counts.refused_late += 1,
                }
            }
        };
        if catch_unwind(AssertUnwindSafe(forward)).is_err() {
            self.fail_room(key, wire);
        }
    }

    /// Ends a session: whatever leads to it is taken away.
    fn end(&mut self, member: Member, why: Gone, wire: &mut impl Wire) {
        let Some(session) = self.sessions[member.0 as usize].take() else {
            return;
        };
        let Purpose { key, room, .. } = session.purpose;
        self.close_routes(member, &session);
        self.timers.clear(member);
        if let Some(inside) = self.rooms.get_mut(&room) {
            inside.exit(member, wire);
            if inside.is_empty() {
                self.rooms.remove(&room);
                self.talking.remove(&room);
            }
        }
        self.free.push(member);
        self.notices.end(key, why);
        self.counts.ended[why as usize] += 1;
    }

    /// Does what is due, as much of it as one turn takes: [`Shard::due`] says whether there is more.
    pub(crate) fn tick(&mut self, now: Instant, wire: &mut impl Wire) {
        for _ in 0..TICKS_PER_TURN {
            let Some(member) = self.timers.pop(now) else {
                break;
            };
            self.guarded(member, |session, _| session.tick(now, wire));
            self.settle(member, now, wire);
        }
        if self.talking_due.is_some_and(|due| due <= now) {
            let (rooms, mut failed) = (&mut self.rooms, Vec::new());
            self.talking.retain(|key| {
                let look = || rooms.get_mut(key).is_some_and(|room| room.tick(now, wire));
                catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|_| {
                    failed.push(*key);
                    false
                })
            });
            for key in failed {
                self.fail_room(key, wire);
            }
            self.talking_due = (!self.talking.is_empty()).then(|| now + TALKING_TICK);
        }
    }

    /// Sessions there are.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Ends all sessions with a goodbye.
    pub(crate) fn close(&mut self, now: Instant, wire: &mut impl Wire) {
        let keys: Vec<SessionKey> = self.by_key.keys().copied().collect();
        for key in keys {
            self.leave(key, now, wire);
        }
    }
}

/// An offer that made a parser panic.
fn broken_offer() -> Error {
    Error::BadOffer("the SDP cannot be answered".to_owned())
}
