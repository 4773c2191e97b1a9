//! What every route of a room takes, and what most of them answer.

use super::super::caller::Signed;
use super::super::extract::Path;
use super::super::problem::Error;
use super::super::{Api, Json, codes};
use super::user_id;
use crate::wire::rooms::RoomAck;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use mitalk_actors::Caller;
use mitalk_actors::id::{RoomId, SessionId, UserId};
use mitalk_actors::rooms::{self, Ack, Rooms};
use serde::Deserialize;

/// Who asks, and of which room: the path's `room`.
pub(super) struct InRoom {
    pub(super) rooms: Rooms,
    pub(super) caller: Caller,
    pub(super) room: RoomId,
}

impl FromRequestParts<Api> for InRoom {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Of {
            room: String,
        }
        let Signed(caller) = Signed::from_request_parts(parts, api).await?;
        let Path(Of { room }) = Path::from_request_parts(parts, api).await?;
        Ok(Self {
            rooms: api.0.mitalk.rooms().clone(),
            caller,
            // What is no room's id is the id of no room.
            room: room.parse().map_err(|_| codes::ROOM_NOT_FOUND)?,
        })
    }
}

/// Whom it is about: the path's `user`.
pub(super) struct About(pub(super) UserId);

impl FromRequestParts<Api> for About {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Of {
            user: String,
        }
        let Path(Of { user }) = Path::from_request_parts(parts, api).await?;
        Ok(Self(user_id(&user)?))
    }
}

/// How a command to a room ends.
pub(super) type Acknowledged = Result<Json<RoomAck>, Error>;

/// The media session that it is about: the path's `session`.
pub(super) struct OfSession(pub(super) SessionId);

impl FromRequestParts<Api> for OfSession {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Of {
            session: String,
        }
        let Path(Of { session }) = Path::from_request_parts(parts, api).await?;
        Ok(Self(session.parse().map_err(|_| codes::SESSION_NOT_FOUND)?))
    }
}

/// The room's answer to a command, for the client.
pub(super) fn acknowledged(answer: Result<Ack, rooms::Error>) -> Acknowledged {
    Ok(Json(answer?.into()))
}
