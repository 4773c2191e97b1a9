//! What a panic ends: a session, a room, or all of a shard; never the thread.
//!
//! A panic is a fault of ours or of a library's, found by whoever sends the right bytes. So it must cost those it concerns
//! and nobody else, and what it left half-done is thrown away rather than used again.
//!
//! Lacks: goodbyes. A session that failed is in no state to say one; its client learns it from the caller.

use super::Shard;
use super::timers::Timers;
use crate::egress::Member;
use crate::session::{Session, Setup};
use crate::wire::Wire;
use crate::{Gone, RoomKey};
use std::panic::{AssertUnwindSafe, catch_unwind};

impl Shard {
    /// Runs str0m on one session. Its parsers meet hostile input; should one panic, that session ends as failed and all
    /// others go on talking.
    pub(super) fn guarded<T>(
        &mut self,
        member: Member,
        run: impl FnOnce(&mut Session, &Setup) -> T,
    ) -> Option<T> {
        let session = self.sessions[member.0 as usize].as_mut()?;
        let result = catch_unwind(AssertUnwindSafe(|| run(session, &self.setup)));
        if result.is_err() {
            tracing::error!(
                session = session.purpose.key.0,
                "a session panicked and is closed"
            );
            session.abort();
            self.counts.panics += 1;
        }
        result.ok()
    }

    /// Ends all sessions of a room that a panic left half-done.
    pub(super) fn fail_room(&mut self, key: RoomKey, wire: &mut impl Wire) {
        tracing::error!(room = key.0, "a room panicked and is closed");
        self.counts.panics += 1;
        self.rooms.remove(&key);
        self.talking.remove(&key);
        for at in 0..self.sessions.len() {
            if self.sessions[at].as_ref().is_some_and(|s| s.purpose.room == key) {
                self.end(Member(at as u32), Gone::Failed, wire);
            }
        }
    }

    /// After a panic: nothing of the state can be trusted, so all sessions end as failed. The figures and what callers
    /// still have to be told go on.
    pub(crate) fn start_afresh(&mut self) {
        let Self {
            setup: _,
            sessions,
            free,
            by_key,
            by_ufrag,
            by_address,
            rooms,
            talking,
            talking_due,
            timers,
            notices,
            counts,
        } = self;
        sessions.clear();
        free.clear();
        by_key.clear();
        by_ufrag.clear();
        by_address.clear();
        rooms.clear();
        talking.clear();
        *talking_due = None;
        *timers = Timers::default();
        counts.ended[Gone::Failed as usize] += notices.end_all(Gone::Failed);
        counts.failures += 1;
    }
}
