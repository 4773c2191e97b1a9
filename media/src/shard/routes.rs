//! Which session a datagram is for.
//!
//! A check goes by the ufrag that it names; everything else by its source address, if an authentic check came from there.
//!
//! Invariant: `by_address` leads to living sessions only. Each session lists the addresses that were entered for it, and
//! takes all of them along when it ends; those that ICE gives up meanwhile are taken away at once. Places of sessions are
//! used again: an entry left behind would give a stranger's session to whoever sends from there.

use super::Shard;
use crate::egress::Member;
use crate::metrics::Dropped;
use crate::session::{Session, Setup};
use crate::stun::{self, Class, Message};
use crate::wire::Wire;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

impl Shard {
    /// Takes in a datagram from the network.
    pub(crate) fn receive(&mut self, from: SocketAddr, datagram: &[u8], now: Instant, wire: &mut impl Wire) {
        let taken = match Message::parse(datagram) {
            Some(message) => self.receive_stun(from, &message, datagram, now, wire),
            None if stun::is_stun(datagram) => Err(Dropped::Unknown),
            None => self.receive_other(from, datagram, now, wire),
        };
        match taken {
            Ok(member) => self.settle(member, now, wire),
            Err(why) => self.counts.dropped[why as usize] += 1,
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
    ) -> Result<Member, Dropped> {
        let member = match message.class() {
            Class::Request => message
                .receiver_ufrag()
                .and_then(|ufrag| self.by_ufrag.get(ufrag)),
            Class::Success => self.by_address.get(&from),
        };
        let member = *member.ok_or(Dropped::Unknown)?;
        let take = |s: &mut Session, setup: &Setup| s.receive_stun(from, message, datagram, setup, now, wire);
        if let Some(taken) = self.guarded(member, take) {
            taken?;
            self.learn(from, member, now);
            self.prune(member);
        }
        Ok(member)
    }

    /// DTLS, RTP and RTCP go by their address.
    fn receive_other(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        now: Instant,
        wire: &mut impl Wire,
    ) -> Result<Member, Dropped> {
        let member = *self.by_address.get(&from).ok_or(Dropped::Unknown)?;
        let take = |s: &mut Session, setup: &Setup| s.receive(from, datagram, setup, now, wire);
        self.guarded(member, take).unwrap_or(Ok(()))?;
        Ok(member)
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
