//! How a shard's thread is spoken to: a bounded queue for what costs work, and two notes that always fit.
//!
//! Invariant: taking rights away never meets a full queue. Who leaves is in a list that holds each session once (its
//! rights' cell can be closed once only), so it is bounded by the sessions there are.

use crate::offer::Offer;
use crate::session::Purpose;
use crate::{Answer, Error, SessionKey, Stats};
use std::collections::VecDeque;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Joins that may wait for a shard: at 0.5 ms each, half a second of them.
const COMMANDS: usize = 1024;

/// What a shard is asked to do.
pub(crate) enum Command {
    Join {
        purpose: Box<Purpose>,
        offer: Box<Offer>,
        reply: oneshot::Sender<Result<Answer, Error>>,
    },
    Restart {
        session: SessionKey,
        offer: Box<Offer>,
        reply: oneshot::Sender<Result<Answer, Error>>,
    },
    Stats {
        reply: oneshot::Sender<Stats>,
    },
    /// A fault of the shard's, to see what follows.
    #[cfg(test)]
    Panic,
}

/// Held by everybody who speaks to the shard.
pub(crate) struct Mailbox {
    commands: SyncSender<Command>,
    notes: Arc<Notes>,
}

/// Held by the shard's thread.
pub(crate) struct Inbox {
    commands: Receiver<Command>,
    /// Taken from the queue to see whether there is one.
    next: Option<Command>,
    notes: Arc<Notes>,
}

struct Notes {
    leaving: Mutex<VecDeque<SessionKey>>,
    rights_changed: AtomicBool,
    stopped: AtomicBool,
    /// Wakes the thread out of its wait.
    event: OwnedFd,
    /// The event was signalled and not yet noticed: further signals can be saved.
    awake: AtomicBool,
}

/// Makes both ends.
///
/// # Errors
/// The system has no descriptors left.
pub(crate) fn mailbox() -> std::io::Result<(Mailbox, Inbox)> {
    // SAFETY: eventfd takes no pointers; its result is checked before it is owned.
    let event = unsafe {
        match libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) {
            -1 => return Err(std::io::Error::last_os_error()),
            fd => OwnedFd::from_raw_fd(fd),
        }
    };
    let notes = Arc::new(Notes {
        leaving: Mutex::default(),
        rights_changed: AtomicBool::new(false),
        stopped: AtomicBool::new(false),
        event,
        awake: AtomicBool::new(false),
    });
    let (sender, commands) = sync_channel(COMMANDS);
    let inbox = Inbox {
        commands,
        next: None,
        notes: notes.clone(),
    };
    Ok((
        Mailbox {
            commands: sender,
            notes,
        },
        inbox,
    ))
}

impl Mailbox {
    /// # Errors
    /// `Overloaded` if the queue is full, `Stopped` if the thread has ended.
    pub(crate) fn send(&self, command: Command) -> Result<(), Error> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => Error::Overloaded,
            TrySendError::Disconnected(_) => Error::Stopped,
        })?;
        self.notes.wake();
        Ok(())
    }

    /// Only for who has closed the session's rights.
    pub(crate) fn leave(&self, session: SessionKey) {
        self.notes.leaving().push_back(session);
        self.notes.wake();
    }

    pub(crate) fn rights_changed(&self) {
        self.notes.rights_changed.store(true, Ordering::Release);
        self.notes.wake();
    }

    pub(crate) fn stop(&self) {
        self.notes.stopped.store(true, Ordering::Release);
        self.notes.wake();
    }
}

impl Inbox {
    pub(crate) fn is_stopped(&self) -> bool {
        self.notes.stopped.load(Ordering::Acquire)
    }

    pub(crate) fn waker(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.notes.event.as_fd()
    }

    /// Notices the signal. What was signalled for is looked at afterwards, so that nothing falls between.
    pub(crate) fn quiet(&self) {
        let mut count = [0u8; 8];
        // SAFETY: the buffer is valid for the 8 bytes that an eventfd hands out; a failure means that none was due.
        unsafe {
            libc::read(
                self.notes.event.as_raw_fd(),
                count.as_mut_ptr().cast(),
                count.len(),
            )
        };
        // A swap reads the newest signal, with what was written before it; a mere store would not (C++ memory model).
        self.notes.awake.swap(false, Ordering::AcqRel);
    }

    /// Those who have waited longest.
    pub(crate) fn take_leaving(&self, most: usize) -> Vec<SessionKey> {
        let mut leaving = self.notes.leaving();
        let count = leaving.len().min(most);
        leaving.drain(..count).collect()
    }

    pub(crate) fn take_rights_changed(&self) -> bool {
        self.notes.rights_changed.swap(false, Ordering::AcqRel)
    }

    /// Whether more waits than one turn takes.
    pub(crate) fn has_work(&mut self) -> bool {
        if self.next.is_none() {
            self.next = self.commands.try_recv().ok();
        }
        self.next.is_some() || !self.notes.leaving().is_empty()
    }

    pub(crate) fn next_command(&mut self) -> Option<Command> {
        self.next.take().or_else(|| self.commands.try_recv().ok())
    }
}

impl Notes {
    /// Each holder does one thing with it: a panic elsewhere leaves it whole.
    fn leaving(&self) -> MutexGuard<'_, VecDeque<SessionKey>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        if !self.awake.swap(true, Ordering::AcqRel) {
            // SAFETY: the buffer is valid for the 8 bytes that an eventfd takes; it cannot be full.
            unsafe { libc::write(self.event.as_raw_fd(), 1u64.to_ne_bytes().as_ptr().cast(), 8) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_refuses_work_and_lets_those_who_leave_through() {
        let (mailbox, mut inbox) = mailbox().unwrap();
        let stats = || Command::Stats {
            reply: oneshot::channel().0,
        };
        for _ in 0..COMMANDS {
            mailbox.send(stats()).unwrap();
        }
        assert_eq!(mailbox.send(stats()), Err(Error::Overloaded));
        mailbox.leave(SessionKey(1));
        mailbox.rights_changed();
        assert_eq!(inbox.take_leaving(1), [SessionKey(1)]);
        assert_eq!(inbox.take_leaving(1), []);
        assert!(inbox.take_rights_changed() && !inbox.take_rights_changed());
        assert!(inbox.has_work());
        assert_eq!(std::iter::from_fn(|| inbox.next_command()).count(), COMMANDS);
        assert!(!inbox.has_work());
        drop(inbox);
        assert_eq!(mailbox.send(stats()), Err(Error::Stopped));
    }

    #[test]
    fn a_crowd_leaves_a_few_at_a_time_in_order() {
        let (mailbox, mut inbox) = mailbox().unwrap();
        (0..100).for_each(|key| mailbox.leave(SessionKey(key)));
        let mut left = Vec::new();
        while inbox.has_work() {
            let some = inbox.take_leaving(30);
            assert!((1..=30).contains(&some.len()));
            left.extend(some);
        }
        assert_eq!(left, (0..100).map(SessionKey).collect::<Vec<_>>());
    }
}
