//! Which session a datagram is for.
//!
//! A check goes by the ufrag that it names; everything else by its source address, if an authentic check came from there.
//!
//! Invariant: `by_address` leads to living sessions only. Each session lists the addresses that were entered for it, and
//! takes all of them along when it ends; those that ICE gives up meanwhile are taken away at once. Places of sessions are
//! used again: an entry left behind would give a stranger's session to whoever sends from there.

use super::Shard;
use crate::egress::Member;
use crate::session::paths::Check;
use crate::session::{Session, Setup};
use crate::stun::{self, Class, Message};
use crate::wire::Wire;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

impl Shard {
    /// Takes in a datagram from the network.
    pub(crate) fn receive(&mut self, from: SocketAddr, datagram: &[u8], now: Instant, wire: &mut impl Wire) {
        let member = match Message::parse(datagram) {
            Some(message) => self.receive_stun(from, &message, datagram, now, wire),
            None if stun::is_stun(datagram) => None,
            None => self.by_address.get(&from).copied().inspect(|member| {
                self.guarded(*member, |session, setup| {
                    session.receive(from, datagram, setup, now, wire)
                });
            }),
        };
        match member {
            Some(member) => self.settle(member, now, wire),
            None => self.counts.dropped_unknown += 1,
        }
    }

    /// A check goes by its ufrag, an answer by its address. Returns whose it was.
    fn receive_stun(
        &mut self,
        from: SocketAddr,
        message: &Message<'_>,
        datagram: &[u8],
        now: Instant,
        wire: &mut impl Wire,
    ) -> Option<Member> {
        let member = match message.class() {
            Class::Request => self.by_ufrag.get(message.receiver_ufrag()?).copied()?,
            Class::Success => self.by_address.get(&from).copied()?,
        };
        let judge =
            |s: &mut Session, setup: &Setup| s.receive_stun(from, message, datagram, setup, now, wire);
        match self.guarded(member, judge)? {
            Check::Alive | Check::Authentic => {
                self.learn(from, member, now);
                self.prune(member);
            }
            Check::Forged => self.counts.dropped_forged += 1,
            Check::TooManyAddresses => self.counts.dropped_addresses += 1,
        }
        Some(member)
    }

    /// An authentic check came from this address. One that another living session uses stays with it: a spoofed
    /// source address must not divert that session's audio.
    fn learn(&mut self, from: SocketAddr, member: Member, now: Instant) {
        let holder = self.by_address.get(&from).copied();
        if holder == Some(member) {
            return;
        }
        let holder = holder.and_then(|holder| self.sessions[holder.0 as usize].as_ref());
        if holder.is_none_or(|session| session.is_silent(now))
            && let Some(session) = self.sessions[member.0 as usize].as_mut()
        {
            self.by_address.insert(from, member);
            session.addresses.push(from);
        }
    }

    /// Takes away the addresses that ICE has given up: those of before a restart, once audio goes elsewhere.
    pub(super) fn prune(&mut self, member: Member) {
        let by_address = &mut self.by_address;
        if let Some(Session { addresses, paths, .. }) = self.sessions[member.0 as usize].as_mut() {
            addresses.retain(|address| {
                let kept = paths.has(*address);
                if !kept {
                    remove(by_address, *address, member);
                }
                kept
            });
        }
    }

    /// Takes away whatever leads to a session that has ended.
    pub(super) fn close_routes(&mut self, member: Member, session: &Session) {
        self.by_key.remove(&session.purpose.key);
        self.by_ufrag.remove(&session.ufrag);
        for address in &session.addresses {
            remove(&mut self.by_address, *address, member);
        }
    }
}

/// The address may have gone to another session since, when this one was silent.
fn remove(by_address: &mut HashMap<SocketAddr, Member>, address: SocketAddr, member: Member) {
    if by_address.get(&address) == Some(&member) {
        by_address.remove(&address);
    }
}
