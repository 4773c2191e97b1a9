//! What people in a room wish of it.

use super::{Ack, Error, Patch, Rooms};
use crate::caller::Caller;
use crate::error::Trouble;
use crate::forwarder::Sight;
use crate::id::{RoomId, UserId};
use crate::room::{Command, HandRaising, Reply};
use mitalk_cluster::{Call, NodeId};

/// What a moderator does to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moderation {
    /// Asks somebody of the audience on stage.
    InviteToStage,
    /// Takes that back.
    CancelInvitation,
    /// Mutes somebody on stage, who may unmute.
    Mute,
    /// From the stage to the audience.
    MoveBack,
    /// Makes a speaker a moderator.
    MakeModerator,
    /// Out of the room; may come back.
    Remove,
    /// Out of the room for good.
    Ban,
}

impl Rooms {
    /// Changes settings. Moderators only.
    ///
    /// # Errors
    /// Not in the room, not a moderator, a setting that is not acceptable.
    pub async fn amend(&self, caller: &Caller, room: RoomId, patch: Patch) -> Result<Ack, Error> {
        self.wish(
            caller,
            room,
            Command::Amend {
                by: caller.user,
                patch,
            },
        )
        .await
    }

    /// Makes the share link worthless that was given out so far, and a new one, which everybody inside then sees.
    /// Moderators only.
    ///
    /// # Errors
    /// Not in the room, not a moderator.
    pub async fn renew_link(&self, caller: &Caller, room: RoomId) -> Result<Ack, Error> {
        self.locate(caller, room).await?;
        let old = self.view(room, caller.plain_call()).await?.scene.link;
        let by = caller.user;
        self.command(room, Command::RenewLink { by, old }, caller.plain_call())
            .await
    }

    /// Raises the caller's hand.
    ///
    /// # Errors
    /// Not in the room; on stage already; hands are off, for followed people only, or the queue is full.
    pub async fn raise_hand(&self, caller: &Caller, room: RoomId) -> Result<Ack, Error> {
        let (_, sight) = self.locate(caller, room).await?;
        let followed = match sight.hand_raising {
            HandRaising::Followed => {
                let asked = self.0.reads.followed_by_any(caller.user, &sight.stage).await;
                asked.map_err(Trouble::from)?
            }
            HandRaising::Everyone | HandRaising::Off => false,
        };
        self.command(
            room,
            Command::RaiseHand {
                user: caller.user,
                followed,
            },
            caller.plain_call(),
        )
        .await
    }

    /// Lowers the caller's hand.
    ///
    /// # Errors
    /// Not in the room.
    pub async fn lower_hand(&self, caller: &Caller, room: RoomId) -> Result<Ack, Error> {
        self.wish(caller, room, Command::LowerHand { user: caller.user })
            .await
    }

    /// Accepts a hand, which becomes a stage invitation, or declines it. Moderators only.
    ///
    /// # Errors
    /// Not in the room, not a moderator, the hand is not up.
    pub async fn answer_hand(
        &self,
        caller: &Caller,
        room: RoomId,
        user: UserId,
        accept: bool,
    ) -> Result<Ack, Error> {
        self.wish(
            caller,
            room,
            Command::AnswerHand {
                by: caller.user,
                user,
                accept,
            },
        )
        .await
    }

    /// The caller comes on stage, muted, or does not want to.
    ///
    /// # Errors
    /// Not in the room, not invited, the stage is full.
    pub async fn answer_invitation(&self, caller: &Caller, room: RoomId, accept: bool) -> Result<Ack, Error> {
        self.wish(
            caller,
            room,
            Command::AnswerInvitation {
                user: caller.user,
                accept,
            },
        )
        .await
    }

    /// The caller goes from the stage to the audience.
    ///
    /// # Errors
    /// Not in the room.
    pub async fn step_back(&self, caller: &Caller, room: RoomId) -> Result<Ack, Error> {
        self.wish(
            caller,
            room,
            Command::MoveBack {
                by: caller.user,
                user: caller.user,
            },
        )
        .await
    }

    /// Switches the caller's microphone off or on.
    ///
    /// # Errors
    /// Not in the room, not on stage.
    pub async fn mute(&self, caller: &Caller, room: RoomId, muted: bool) -> Result<Ack, Error> {
        let user = caller.user;
        let command = if muted {
            Command::Mute { by: user, user }
        } else {
            Command::Unmute { user }
        };
        self.wish(caller, room, command).await
    }

    /// Moderates one person. What takes rights away acts at once; with the store down the answer is `pending`. With a request
    /// id, a repeated removal leaves whoever came back meanwhile alone.
    ///
    /// # Errors
    /// Not in the room (caller or person), not a moderator, and what the room says.
    pub async fn moderate(
        &self,
        caller: &Caller,
        room: RoomId,
        user: UserId,
        action: Moderation,
    ) -> Result<Ack, Error> {
        let (node, sight) = self.locate(caller, room).await?;
        let by = caller.user;
        let command = match action {
            Moderation::InviteToStage => Command::InviteToStage { by, user },
            Moderation::CancelInvitation => Command::CancelInvitation { by, user },
            Moderation::Mute => Command::Mute { by, user },
            Moderation::MoveBack => Command::MoveBack { by, user },
            Moderation::MakeModerator => Command::MakeModerator { by, user },
            Moderation::Remove => Command::Remove {
                by,
                user,
                request: caller.request,
            },
            Moderation::Ban => Command::Ban { by, user },
        };
        // Somebody who just left may still be banned, and need not be invited any more.
        let needs_them = !matches!(action, Moderation::Ban | Moderation::CancelInvitation);
        if needs_them && !self.is_here(caller, room, &node, &sight, user).await? {
            return Err(Error::NotInRoom);
        }
        self.command(room, command, caller.plain_call()).await
    }

    /// Whether somebody is in the caller's room.
    async fn is_here(
        &self,
        caller: &Caller,
        room: RoomId,
        node: &NodeId,
        sight: &Sight,
        user: UserId,
    ) -> Result<bool, Error> {
        if sight.stage.contains(&user) || sight.hands.contains(&user) {
            return Ok(true);
        }
        if self
            .sight(node, room, user, caller.plain_call())
            .await?
            .role
            .is_some()
        {
            return Ok(true);
        }
        let claim = self.whereabouts(user, caller.plain_call()).await?;
        Ok(claim.is_some_and(|claim| claim.room == room))
    }

    /// Asks a contact of the caller into the room.
    ///
    /// # Errors
    /// Not in the room; not a contact; enough people asked. Somebody who is banned is not told, and neither is the caller.
    pub async fn ping(&self, caller: &Caller, room: RoomId, user: UserId) -> Result<(), Error> {
        self.locate(caller, room).await?;
        let contact =
            self.follows_any(caller.user, &[user]).await? && self.follows_any(user, &[caller.user]).await?;
        if !contact {
            return Err(Error::NotAContact);
        }
        self.command(
            room,
            Command::Ping {
                by: caller.user,
                user,
            },
            caller.plain_call(),
        )
        .await?;
        Ok(())
    }

    /// Ends the room. Moderators only.
    ///
    /// # Errors
    /// Not in the room, not a moderator.
    pub async fn end(&self, caller: &Caller, room: RoomId) -> Result<Ack, Error> {
        self.wish(
            caller,
            room,
            Command::End {
                by: Some(caller.user),
            },
        )
        .await
    }

    /// Ends a room, by an operator.
    ///
    /// # Errors
    /// No such room, or it is over.
    pub async fn stop(&self, room: RoomId, call: Call) -> Result<(), Error> {
        self.command(room, Command::End { by: None }, call).await?;
        Ok(())
    }

    /// A wish of somebody who must be in the room.
    async fn wish(&self, caller: &Caller, room: RoomId, command: Command) -> Result<Ack, Error> {
        self.locate(caller, room).await?;
        self.command(room, command, caller.plain_call()).await
    }

    async fn command(&self, room: RoomId, command: Command, call: Call) -> Result<Ack, Error> {
        Ok(match self.ask_room(room, command, call).await? {
            Reply::Done { hand } => Ack { pending: false, hand },
            Reply::Pending => Ack {
                pending: true,
                hand: None,
            },
            Reply::View(_) | Reply::Reported { .. } => Ack::default(),
        })
    }
}
