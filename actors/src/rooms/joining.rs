//! Opening, looking, joining, coming back, leaving, live changes.

use super::{Error, JoinRequest, Joined, Rooms, Settings, Snapshot};
use crate::budgets::Taken;
use crate::caller::Caller;
use crate::error::{Trouble, refusal};
use crate::forwarder::{Answer, Arrival, Join, Request, Shown, Verdict, admit};
use crate::id::{RoomId, SessionId, SocketId, UserId};
use crate::live::LiveSink;
use crate::people::briefs;
use crate::person::Brief;
use crate::room::{Command, Limits, Reply, View};
use crate::secrets;
use crate::sunset::{self, Sunset};
use mitalk_cluster::NodeId;

impl Rooms {
    /// Opens a room, moderated by the caller, who then joins it. A repeat with the same request id gets the same room.
    ///
    /// # Errors
    /// Not active; a setting that is not acceptable; too many rooms within the hour; the service has ended.
    pub async fn create(&self, caller: &Caller, settings: Settings) -> Result<Snapshot, Error> {
        self.goes_on(caller).await?;
        self.active_now(caller).await?;
        let bits = match caller.request {
            Some(request) => {
                let user = caller.user.to_string();
                self.0
                    .secrets
                    .derived_bits(&[b"room", user.as_bytes(), &request.0])
            }
            None => u128::from_be_bytes(secrets::random()),
        };
        let room = RoomId::new(self.0.home, bits);
        let limits = Limits::from(&self.0.limits);
        let open = Command::Open {
            room,
            by: caller.user,
            settings,
            limits,
        };
        let taken = self.spend_opening(caller, room).await?;
        match self.ask_room(room, open, caller.call()).await {
            Ok(Reply::View(view)) => self.show(&view, caller.user, true).await,
            Ok(_) => Err(Error::Trouble(Trouble::Corrupt)),
            Err(error) => {
                if let (Error::Refused(_), Some(taken)) = (&error, taken) {
                    self.0.opened.give_back(&caller.user, taken);
                }
                Err(error)
            }
        }
    }

    /// Whether the service's hour has not come.
    async fn goes_on(&self, caller: &Caller) -> Result<(), Error> {
        let read = sunset::Command::Read;
        let asked = self
            .0
            .cluster
            .ask::<Sunset>(sunset::KEY, read, caller.plain_call())
            .await;
        match asked {
            Ok(sunset) if sunset.is_over(self.0.clock.wall()) => Err(Error::Sunset),
            Ok(_) => Ok(()),
            // Reading is refused to nobody.
            Err(error) => Err(refusal(error).err().unwrap_or(Trouble::Corrupt).into()),
        }
    }

    /// A repeat of a request that opened the room costs nothing.
    async fn spend_opening(&self, caller: &Caller, room: RoomId) -> Result<Option<Taken>, Error> {
        if caller.request.is_some() {
            match self.ask_room(room, Command::Look, caller.plain_call()).await {
                Ok(_) => return Ok(None),
                Err(Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let most = self.0.limits.opened_per_hour;
        let taken = self.0.opened.spend(caller.user, most, self.0.clock.boot());
        taken
            .map(Some)
            .map_err(|retry_after| Error::OpenedTooMany { retry_after })
    }

    /// The room as the caller sees it, from inside or from the door, where `link_key` is what it is for a join.
    ///
    /// # Errors
    /// Not active; no such room, or it is over; from outside: banned, closed, social.
    pub async fn room(
        &self,
        caller: &Caller,
        room: RoomId,
        link_key: Option<&str>,
    ) -> Result<Snapshot, Error> {
        self.active(caller).await?;
        match self.locate(caller, room).await {
            Ok((node, _)) => {
                let request = Request::Snapshot { user: caller.user };
                match self
                    .ask_forwarder(&node, room, request, caller.plain_call())
                    .await?
                {
                    Answer::Snapshot(snapshot) => Ok(*snapshot),
                    _ => Err(Error::Trouble(Trouble::Corrupt)),
                }
            }
            Err(Error::NotInRoom) => {
                let view = self.view(room, caller.plain_call()).await?;
                self.at_the_door(&view, caller.user, link_key).await?;
                self.show(&view, caller.user, false).await
            }
            Err(error) => Err(error),
        }
    }

    /// Who may not enter may not look either.
    async fn at_the_door(&self, view: &View, user: UserId, link_key: Option<&str>) -> Result<(), Error> {
        let scene = &view.scene;
        let mut arrival = Arrival {
            user,
            has_place: false,
            has_link: link_key.is_some_and(|key| self.0.links.opens(scene, key)),
            follows_moderator: None,
            cut: None,
        };
        if admit(scene, arrival)? == Verdict::LookWhomTheyFollow {
            let moderators: Vec<_> = scene.moderators().collect();
            arrival.follows_moderator = Some(self.follows_any(user, &moderators).await?);
            admit(scene, arrival)?;
        }
        Ok(())
    }

    async fn show(&self, view: &View, user: UserId, inside: bool) -> Result<Snapshot, Error> {
        let seen: Vec<_> = view.scene.holders().collect();
        let names = self.names(&seen).await?;
        Ok(Shown::new(view, &names, &self.0.links).snapshot(user, inside))
    }

    pub(super) async fn follows_any(&self, user: UserId, others: &[UserId]) -> Result<bool, Error> {
        let followed = self
            .0
            .reads
            .followed_among(user, others)
            .await
            .map_err(Trouble::from)?;
        Ok(!followed.is_empty())
    }

    /// Joins, in one request. A person is in one room on one device: whatever they were in before, they leave.
    ///
    /// # Errors
    /// Not active; the room's door; the resume token; the offer; a full or busy node.
    pub async fn join(&self, caller: &Caller, room: RoomId, request: JoinRequest) -> Result<Joined, Error> {
        self.active(caller).await?;
        if request.sdp.len() > self.0.limits.sdp_bytes {
            return Err(Error::Sdp(format!(
                "it is longer than {} bytes",
                self.0.limits.sdp_bytes
            )));
        }
        // Who joins is worth more than their name: with the read tables away, the forwarder may still know it.
        let mut names = briefs(&*self.0.reads, &[caller.user]).await.unwrap_or_default();
        let mut join = Join {
            person: names.pop().unwrap_or_else(|| Brief::unknown(caller.user)),
            device: caller.device,
            offer: request.sdp,
            token: request.resume_token,
            link_key: request.link_key,
            socket: request.socket,
            follows_moderator: None,
        };
        let node = self.0.cluster.node().clone();
        let moderators = match self.try_join(&node, caller, room, join.clone()).await? {
            Ok(joined) => return Ok(joined),
            Err(moderators) => moderators,
        };
        join.follows_moderator = Some(self.follows_any(caller.user, &moderators).await?);
        // Having said so, nothing else is asked for.
        self.try_join(&node, caller, room, join)
            .await?
            .map_err(|_| Error::Social)
    }

    /// Or the moderators of whom must be said whether the person follows one.
    async fn try_join(
        &self,
        node: &NodeId,
        caller: &Caller,
        room: RoomId,
        join: Join,
    ) -> Result<Result<Joined, Vec<UserId>>, Error> {
        let request = Request::Join(Box::new(join));
        match self
            .ask_forwarder(node, room, request, caller.plain_call())
            .await?
        {
            Answer::Joined(joined) => Ok(Ok(*joined)),
            Answer::LookWhomTheyFollow(moderators) => Ok(Err(moderators)),
            _ => Err(Error::Trouble(Trouble::Corrupt)),
        }
    }

    /// Answers an ICE restart of a session: same PeerConnection, same association.
    ///
    /// # Errors
    /// No such session here (any more): join with the resume token; the offer.
    pub async fn restart_ice(
        &self,
        caller: &Caller,
        room: RoomId,
        session: SessionId,
        offer: String,
    ) -> Result<String, Error> {
        if offer.len() > self.0.limits.sdp_bytes {
            return Err(Error::Sdp(format!(
                "it is longer than {} bytes",
                self.0.limits.sdp_bytes
            )));
        }
        let (node, _) = self.locate(caller, room).await.map_err(|error| match error {
            Error::NotInRoom => Error::SessionNotFound,
            other => other,
        })?;
        let request = Request::Restart {
            user: caller.user,
            session,
            offer,
        };
        match self
            .ask_forwarder(&node, room, request, caller.plain_call())
            .await?
        {
            Answer::Restarted { sdp } => Ok(sdp),
            _ => Err(Error::Trouble(Trouble::Corrupt)),
        }
    }

    /// Leaves on this device. Not being there is no error.
    ///
    /// # Errors
    /// Not the domain's.
    pub async fn leave(&self, caller: &Caller, room: RoomId) -> Result<(), Error> {
        let node = match self.locate(caller, room).await {
            Ok((node, _)) => node,
            // They may be on their way in.
            Err(Error::NotInRoom) if self.0.forwarders.has(room) => self.0.cluster.node().clone(),
            Err(Error::NotInRoom | Error::Refused(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let request = Request::Leave {
            user: caller.user,
            device: caller.device,
        };
        self.ask_forwarder(&node, room, request, caller.plain_call())
            .await?;
        Ok(())
    }

    /// Sends the room's changes to a live socket of this node: those after `after`, or a snapshot first.
    ///
    /// # Errors
    /// The person is not in the room on this node.
    pub async fn watch(&self, room: RoomId, sink: LiveSink, after: Option<u64>) -> Result<(), Error> {
        Ok(self.0.forwarders.watch(room, sink, after).await?)
    }

    /// No more changes of the room for that socket.
    pub fn unwatch(&self, room: RoomId, socket: SocketId) {
        self.0.forwarders.unwatch(room, socket);
    }
}
