//! Who asks, and where in the cluster they are: on this node as a rule, else their account knows.

use super::{Error, Rooms};
use crate::caller::Caller;
use crate::error::{Trouble, refusal};
use crate::forwarder::{self, Answer, Body, Letter, Names, Request, Sight};
use crate::id::{RoomId, UserId};
use crate::people::briefs;
use crate::person::Standing;
use crate::room::{Command, Refusal, Reply, Room, View};
use crate::user::{self, RoomClaim, User};
use mitalk_cluster::{Call, NodeId, wire};

impl Rooms {
    /// Lets only active people on, by the account itself: for what creates. A token says where it stood minutes ago.
    pub(super) async fn active_now(&self, caller: &Caller) -> Result<(), Error> {
        may_act(self.standing(caller).await?)
    }

    /// Lets only active people on. A token that says `waiting` may be older than the admission: the account knows. One that
    /// says `active` is believed: who was suspended since is refused at the edge, and evicted by the claim of a join.
    pub(super) async fn active(&self, caller: &Caller) -> Result<(), Error> {
        let standing = match caller.standing {
            Standing::Waiting => self.standing(caller).await?,
            known => known,
        };
        may_act(standing)
    }

    async fn standing(&self, caller: &Caller) -> Result<Standing, Error> {
        let key = caller.user.to_string();
        let asked = self
            .0
            .cluster
            .ask::<User>(&key, user::Command::Read, caller.plain_call())
            .await;
        match asked {
            Ok(user::Reply::Account(account)) => Ok(account.standing),
            Ok(_) => Err(Error::NotActive),
            Err(error) => match refusal(error)? {
                user::Refusal::Suspended => Ok(Standing::Suspended),
                _ => Ok(Standing::Waiting),
            },
        }
    }

    /// Asks the room itself.
    pub(super) async fn ask_room(&self, room: RoomId, command: Command, call: Call) -> Result<Reply, Error> {
        let asked = self.0.cluster.ask::<Room>(&room.to_string(), command, call).await;
        asked.map_err(|error| refusal(error).map_or_else(Error::Trouble, Error::Refused))
    }

    /// Asks a node's forwarder of the room.
    pub(super) async fn ask_forwarder(
        &self,
        node: &NodeId,
        room: RoomId,
        request: Request,
        call: Call,
    ) -> Result<Answer, Error> {
        let payload = wire::encode(&Letter {
            room,
            body: Body::Ask(request),
        });
        let asked = self
            .0
            .cluster
            .ask_at(node, forwarder::SERVICE, payload, call)
            .await;
        let bytes = match asked.map_err(refusal) {
            Ok(bytes) => bytes,
            Err(Ok(never)) => match never {},
            Err(Err(trouble)) => return Err(Error::Trouble(trouble)),
        };
        let answer: Result<Answer, forwarder::Refusal> =
            wire::decode(&bytes).map_err(|_| Error::Trouble(Trouble::Corrupt))?;
        Ok(answer?)
    }

    /// The room that a person is in, by their account.
    pub(super) async fn whereabouts(&self, user: UserId, call: Call) -> Result<Option<RoomClaim>, Error> {
        let asked = self
            .0
            .cluster
            .ask::<User>(&user.to_string(), user::Command::FindRoom, call)
            .await;
        match asked {
            Ok(user::Reply::Room(claim)) => Ok(claim),
            Ok(_) => Ok(None),
            Err(error) => match refusal(error) {
                Ok(_) => Ok(None),
                Err(trouble) => Err(Error::Trouble(trouble)),
            },
        }
    }

    /// The node whose forwarder has the caller, and what that sees. This node first: it needs no account, and so no store.
    pub(super) async fn locate(&self, caller: &Caller, room: RoomId) -> Result<(NodeId, Sight), Error> {
        let here = self.0.cluster.node().clone();
        if self.0.forwarders.has(room) {
            let sight = self.sight(&here, room, caller.user, caller.plain_call()).await?;
            if sight.role.is_some() {
                return Ok((here, sight));
            }
        }
        let claim = self.whereabouts(caller.user, caller.plain_call()).await?;
        if let Some(claim) = claim.filter(|claim| claim.room == room && claim.node != here) {
            let sight = self
                .sight(&claim.node, room, caller.user, caller.plain_call())
                .await?;
            if sight.role.is_some() {
                return Ok((claim.node, sight));
            }
        }
        // The room may be over, or never have been: that is the better answer.
        self.view(room, caller.plain_call()).await?;
        Err(Error::NotInRoom)
    }

    pub(super) async fn sight(
        &self,
        node: &NodeId,
        room: RoomId,
        user: UserId,
        call: Call,
    ) -> Result<Sight, Error> {
        match self
            .ask_forwarder(node, room, Request::Sight { user }, call)
            .await?
        {
            Answer::Sight(sight) => Ok(sight),
            _ => Err(Error::Trouble(Trouble::Corrupt)),
        }
    }

    /// The room by its home, if it lives.
    pub(super) async fn view(&self, room: RoomId, call: Call) -> Result<View, Error> {
        match self.ask_room(room, Command::Look, call).await? {
            Reply::View(view) if view.scene.ended => Err(Error::Refused(Refusal::Ended)),
            Reply::View(view) => Ok(*view),
            _ => Err(Error::Trouble(Trouble::Corrupt)),
        }
    }

    /// The names of everybody who is seen in a room.
    pub(super) async fn names(&self, users: &[UserId]) -> Result<Names, Error> {
        let mut names = Names::default();
        for some in users.chunks(NAMES_AT_ONCE) {
            for brief in briefs(&*self.0.reads, some).await.map_err(Trouble::from)? {
                names.learn(brief);
            }
        }
        Ok(names)
    }
}

fn may_act(standing: Standing) -> Result<(), Error> {
    match standing {
        Standing::Active => Ok(()),
        Standing::Waiting | Standing::Deleted => Err(Error::NotActive),
        Standing::Suspended => Err(Error::Suspended),
    }
}

/// Names asked for at once, as the port allows.
const NAMES_AT_ONCE: usize = 100;
