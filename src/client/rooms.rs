//! Rooms: hallway, joining, stage, hands and moderation.

use super::{Client, Error, LINK_KEY, answer};
use crate::wire::Page;
use crate::wire::rooms::{
    AudienceMember, CreateRoom, HandAnswer, IceRestart, IceRestarted, JoinRequest, Joined, ModerateRequest,
    Moderation, MuteRequest, RoomAck, RoomCard, RoomPatch, RoomSnapshot, StageAnswer,
};
use reqwest::Method;

impl Client {
    /// Live rooms.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn hallway(&self, cursor: Option<&str>, limit: Option<usize>) -> Result<Page<RoomCard>, Error> {
        self.page(&["v1", "hallway"], cursor, limit).await
    }

    /// Opens a room; a repeat with the same key gives the same one.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create_room(&self, request: &CreateRoom, key: &str) -> Result<RoomSnapshot, Error> {
        self.create(&["v1", "rooms"], request, key).await
    }

    /// A room as the caller sees it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn room(&self, room: &str) -> Result<RoomSnapshot, Error> {
        self.get(&["v1", "rooms", room]).await
    }

    /// A room as it is seen from outside with the key of a shared link.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn room_by_link(&self, room: &str, link_key: &str) -> Result<RoomSnapshot, Error> {
        let request = self.request(Method::GET, &["v1", "rooms", room]);
        answer(request.header(LINK_KEY, link_key)).await
    }

    /// Makes a new share link; the one so far opens nothing any more.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn renew_link(&self, room: &str) -> Result<RoomAck, Error> {
        self.acknowledge(Method::POST, &["v1", "rooms", room, "link"])
            .await
    }

    /// Changes a room's settings.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn patch_room(&self, room: &str, patch: &RoomPatch) -> Result<RoomAck, Error> {
        self.send(Method::PATCH, &["v1", "rooms", room], patch).await
    }

    /// Joins.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn join(&self, room: &str, request: &JoinRequest) -> Result<Joined, Error> {
        self.send(Method::POST, &["v1", "rooms", room, "join"], request)
            .await
    }

    /// Restarts ICE of a media session.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn restart_ice(&self, room: &str, session: &str, sdp: &str) -> Result<IceRestarted, Error> {
        let path = ["v1", "rooms", room, "sessions", session, "ice"];
        self.send(Method::POST, &path, &IceRestart { sdp: sdp.to_owned() })
            .await
    }

    /// Leaves.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn leave(&self, room: &str) -> Result<(), Error> {
        self.act(Method::POST, &["v1", "rooms", room, "leave"]).await
    }

    /// Raises the hand.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn raise_hand(&self, room: &str) -> Result<RoomAck, Error> {
        self.acknowledge(Method::PUT, &["v1", "rooms", room, "hand"])
            .await
    }

    /// Lowers it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn lower_hand(&self, room: &str) -> Result<RoomAck, Error> {
        self.acknowledge(Method::DELETE, &["v1", "rooms", room, "hand"])
            .await
    }

    /// Accepts or declines a raised hand.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn answer_hand(&self, room: &str, user: &str, accept: bool) -> Result<RoomAck, Error> {
        self.send(
            Method::POST,
            &["v1", "rooms", room, "hands", user],
            &HandAnswer { accept },
        )
        .await
    }

    /// Answers a stage invitation.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn answer_stage(&self, room: &str, accept: bool) -> Result<RoomAck, Error> {
        self.send(
            Method::POST,
            &["v1", "rooms", room, "stage"],
            &StageAnswer { accept },
        )
        .await
    }

    /// Steps back to the audience.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn leave_stage(&self, room: &str) -> Result<RoomAck, Error> {
        self.acknowledge(Method::DELETE, &["v1", "rooms", room, "stage"])
            .await
    }

    /// Mutes or unmutes oneself.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn mute(&self, room: &str, muted: bool) -> Result<RoomAck, Error> {
        self.send(
            Method::PUT,
            &["v1", "rooms", room, "mute"],
            &MuteRequest { muted },
        )
        .await
    }

    /// Moderates somebody.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn moderate(&self, room: &str, user: &str, action: Moderation) -> Result<RoomAck, Error> {
        self.send(
            Method::POST,
            &["v1", "rooms", room, "members", user],
            &ModerateRequest { action },
        )
        .await
    }

    /// The audience.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn roster(
        &self,
        room: &str,
        cursor: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Page<AudienceMember>, Error> {
        self.page(&["v1", "rooms", room, "roster"], cursor, limit).await
    }

    /// Asks a contact into the room.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn ping_into(&self, room: &str, user: &str) -> Result<(), Error> {
        self.act(Method::POST, &["v1", "rooms", room, "ping", user]).await
    }

    /// Ends the room.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn end_room(&self, room: &str) -> Result<RoomAck, Error> {
        self.acknowledge(Method::POST, &["v1", "rooms", room, "end"])
            .await
    }

    async fn acknowledge(&self, method: Method, path: &[&str]) -> Result<RoomAck, Error> {
        super::answer(self.request(method, path)).await
    }
}
