//! Live sockets: attaching, and the background work that keeps them told.

use super::account::Error;
use super::{Core, Mitalk, random_bits};
use crate::caller::Caller;
use crate::error::Trouble;
use crate::id::{SocketId, UserId};
use crate::live::{CloseReason, LiveMessage, LiveSink, LiveStream, REMEMBERED, Revoked, Words};
use crate::user::{self, SocketAt, Summary, User};
use futures::{StreamExt, stream};
use mitalk_cluster::{AskError, Call, ShardId, ShardListener, StoreError, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How long the background work waits for an account.
const DEADLINE: Duration = Duration::from_secs(10);
/// People whose sockets are told at once.
const AT_ONCE: usize = 16;
/// After an account or the store did not answer.
const RETRY: Duration = Duration::from_millis(500);
/// Tries to tell an account that a socket is gone.
const DETACH_TRIES: usize = 3;
/// Shut-out devices are remembered for longer than any access token lives.
const REVOKED_FOR: Duration = Duration::from_secs(60 * 60);
/// How often it is read who was shut out: what a node was not told, because it or the account's died in that moment, it
/// knows after so long.
const LEARN_EVERY: Duration = Duration::from_secs(2);
/// Rows read each time; the first time it is as many as are remembered.
const LEARN_ROWS: usize = 1_000;

/// An attached live socket. Dropping it detaches.
#[must_use = "dropping it detaches the socket"]
pub struct LiveSession {
    core: Mitalk,
    sink: LiveSink,
}

impl Mitalk {
    /// A queue for one socket of the caller.
    pub fn live_queue(&self, caller: &Caller) -> (LiveSink, LiveStream) {
        let id = SocketId::new(caller.user.home(), random_bits());
        LiveSink::new(id, caller.user, caller.device, self.limits.live.queue)
    }

    /// Attaches a socket: queues `Welcome` and the notices after `notices_after` (the newest page of them), and from then on
    /// all that concerns the person. A socket that the same device attached before is closed. A notice may come twice, or
    /// before an older one: its sequence says so.
    ///
    /// # Errors
    /// As for `me`; also if the device was signed out; [`Trouble::Overloaded`] if the node holds too many sockets.
    pub async fn attach(
        &self,
        caller: &Caller,
        sink: LiveSink,
        notices_after: u64,
    ) -> Result<LiveSession, Error> {
        let call = caller.plain_call();
        let attach = self.attach_command(&sink, false);
        let session = LiveSession {
            core: self.clone(),
            sink,
        };
        let account = self
            .ask_account::<Error>(caller.user, attach, call.clone())
            .await?;
        let account = self.settle_waiting(account, &call).await?;
        let revision = account.revision;
        let me = Box::new(self.pump.falling(self.show_me(account).await?));
        let socket = session.sink.id();
        let _ = session.sink.send(LiveMessage::Welcome { socket, me });
        if !self.sockets.add(session.sink.clone(), self.limits.live.per_node) {
            return Err(Trouble::Overloaded {
                retry_after: Duration::from_secs(1),
            }
            .into());
        }
        // Shut out before the socket could be found, it would not have been closed.
        if let Some(revoked) = self.revoked(caller.user, caller.device) {
            session.sink.close(revoked.into());
            return Err(revoked.into());
        }
        // What was said between attaching and being registered went nowhere: it is read now.
        let now = self
            .ask_account::<Error>(caller.user, user::Command::Read, call.clone())
            .await?;
        if now.revision != revision {
            self.pump.changed(caller.user);
        }
        self.send_missing(&now, notices_after, &session.sink, call)
            .await?;
        Ok(session)
    }

    async fn send_missing(
        &self,
        account: &Summary,
        after: u64,
        sink: &LiveSink,
        call: Call,
    ) -> Result<(), Error> {
        if account.notice_seq <= after {
            return Ok(());
        }
        let list = user::Command::Notices {
            before: u64::MAX,
            limit: self.limits.notices.page,
        };
        let user::Reply::Notices { mut notices, .. } =
            self.ask_user::<Error>(account.user, list, call).await?
        else {
            return Err(Trouble::Corrupt.into());
        };
        notices.retain(|notice| notice.seq > after);
        notices.reverse();
        for notice in self.show_notices(notices).await.map_err(Trouble::from)? {
            let _ = sink.send(LiveMessage::Notice { notice });
        }
        Ok(())
    }

    fn attach_command(&self, sink: &LiveSink, again: bool) -> user::Command {
        let node = self.cluster.node().clone();
        user::Command::Attach {
            socket: SocketAt {
                node,
                socket: sink.id(),
                device: sink.device(),
            },
            most: self.limits.live.per_account,
            again,
        }
    }

    /// Background job: makes messages of what accounts said.
    pub(super) async fn run_pump(self) {
        let tell = |user, words: Words| self.tell(user, words.changed, words.notices);
        self.pump.run(AT_ONCE, tell).await;
    }

    async fn tell(&self, user: UserId, changed: bool, notices: Vec<crate::person::Notice<UserId>>) {
        match self.show_notices(notices).await {
            Ok(notices) => notices
                .iter()
                .for_each(|notice| self.pump.show_notice(user, notice)),
            // The client sees the gap in the sequence when the next one comes, or at its next hello.
            Err(error) => tracing::warn!(%error, "notices not shown"),
        }
        if !changed {
            return;
        }
        let call = Call::within(DEADLINE);
        let shown = async {
            let account = self
                .ask_account::<Error>(user, user::Command::Read, call.clone())
                .await?;
            let account = self.settle_waiting(account, &call).await?;
            Ok::<_, Error>(self.show_me(account).await?)
        };
        match shown.await {
            Ok(me) => self.pump.show_me(me),
            Err(Error::Trouble(trouble)) => {
                tracing::warn!(%trouble, "account not shown to its sockets yet");
                tokio::time::sleep(RETRY).await;
                self.pump.changed(user);
            }
            Err(_) => {}
        }
    }

    /// Background job: tells waiting people here how their place falls.
    pub(super) async fn run_places(self) {
        let mut ticks = tokio::time::interval(Duration::from_millis(self.limits.live.ticket_every_ms.max(1)));
        loop {
            ticks.tick().await;
            for (user, shown) in self.pump.waiting() {
                match self
                    .positions
                    .place(user.home(), shown.number, self.clock.boot())
                    .await
                {
                    Ok(Some(ticket)) => self.pump.show_place(user, ticket),
                    Ok(None) => {}
                    Err(error) => tracing::warn!(%error, "places not read"),
                }
            }
            self.metrics.live_sockets.set(self.sockets.len() as i64);
            self.sockets.forget_revoked(self.clock.boot(), REVOKED_FOR);
        }
    }

    /// Reads who was shut out within the life of an access token. Before the node serves anybody: what it was told while it
    /// ran last is gone with its memory.
    pub(super) async fn learn_shut_out(&self) -> Result<(), StoreError> {
        self.learn_rows(REMEMBERED).await
    }

    async fn learn_rows(&self, most: usize) -> Result<(), StoreError> {
        let lifetime_ms = u64::try_from(REVOKED_FOR.as_millis()).unwrap_or(u64::MAX);
        let since = Timestamp(self.clock.wall().0.saturating_sub(lifetime_ms));
        for row in self.reads.shut_out(since, most).await? {
            self.sockets.learn(&row, self.clock.boot());
        }
        Ok(())
    }

    /// Background job: learns who was shut out where that was not said to this node.
    pub(super) async fn run_shut_out(self) {
        loop {
            tokio::time::sleep(LEARN_EVERY).await;
            if let Err(error) = self.learn_rows(LEARN_ROWS).await {
                tracing::warn!(%error, "who was shut out is not read");
            }
        }
    }

    /// Background job: tells accounts anew which sockets this node holds; after they moved, at once.
    pub(super) async fn run_reattach(self, moved: Arc<Notify>) {
        let every = Duration::from_secs(self.limits.live.reattach_s.max(1));
        loop {
            // Either is a reason to tell them.
            let _ = tokio::time::timeout(every, moved.notified()).await;
            let attach = self.sockets.all().into_iter().map(|sink| self.reattach(sink));
            stream::iter(attach)
                .buffer_unordered(AT_ONCE)
                .collect::<()>()
                .await;
        }
    }

    async fn reattach(&self, sink: LiveSink) {
        // A pass takes a while: sockets end and devices come back meanwhile.
        let of_person = self.sockets.of(sink.user());
        let newest = of_person.iter().rfind(|other| other.device() == sink.device());
        if newest.is_none_or(|newest| newest.id() != sink.id()) {
            return;
        }
        let attach = self.attach_command(&sink, true);
        let asked = self
            .cluster
            .ask::<User>(&sink.user().to_string(), attach, Call::within(DEADLINE))
            .await;
        match asked {
            Ok(_) => {}
            // Shut out, and the word of it was lost.
            Err(AskError::Refused(user::Refusal::NoDevice)) => sink.close(CloseReason::Revoked),
            Err(AskError::Refused(user::Refusal::Suspended)) => sink.close(CloseReason::Suspended),
            Err(error) => tracing::debug!(%error, "socket not attached anew"),
        }
        if self.sockets.sink(sink.user(), sink.id()).is_none() {
            self.detach(&sink).await;
        }
    }

    /// If all tries fail the account says things to a socket that is gone, until the device's next one takes its place.
    async fn detach(&self, sink: &LiveSink) {
        for _ in 0..DETACH_TRIES {
            let socket = sink.id();
            let silent = sink.lost();
            let detach = user::Command::Detach { socket, silent };
            let user = sink.user().to_string();
            match self
                .cluster
                .ask::<User>(&user, detach, Call::within(DEADLINE))
                .await
            {
                Err(error) if error.retryable() => tokio::time::sleep(RETRY).await,
                _ => return,
            }
        }
    }
}

impl From<Revoked> for Error {
    fn from(revoked: Revoked) -> Self {
        match revoked {
            // As the account itself says of a device that it does not know.
            Revoked::Device => Self::NotFound,
            Revoked::Suspended => Self::Suspended,
        }
    }
}

impl LiveSession {
    /// The socket.
    pub fn socket(&self) -> SocketId {
        self.sink.id()
    }

    /// Where its messages go: for watching rooms.
    pub fn sink(&self) -> &LiveSink {
        &self.sink
    }
}

impl Drop for LiveSession {
    fn drop(&mut self) {
        let (core, sink) = (self.core.clone(), self.sink.clone());
        core.sockets.remove(sink.id());
        sink.close(CloseReason::Restart);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(async move { core.detach(&sink).await });
    }
}

/// Wakes the job that attaches sockets anew when accounts came to another activation.
pub(super) struct Moved(pub(super) Arc<Notify>);

#[async_trait::async_trait]
impl ShardListener for Moved {
    async fn taken(&self, _shard: ShardId) {
        self.0.notify_one();
    }

    async fn lost(&self, _shard: ShardId) {}
}

impl Core {
    /// How many live sockets this node holds.
    pub fn live_sockets(&self) -> usize {
        self.sockets.len()
    }
}
