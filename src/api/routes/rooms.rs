//! The hallway, and getting into rooms and out.

use super::super::caller::Signed;
use super::super::extract::Query;
use super::super::problem::Error;
use super::super::{Api, Json, codes, present};
use super::PageQuery;
use super::in_room::{About, Acknowledged, InRoom, OfSession, acknowledged};
use crate::wire::Page;
use crate::wire::rooms::{
    AudienceMember, CreateRoom, IceRestart, IceRestarted, JoinRequest, Joined, RoomAck, RoomCard, RoomPatch,
    RoomSnapshot,
};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use mitalk_actors::room::{Patch, Settings};
use mitalk_actors::rooms;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The header that carries a link's key where there is no body: URLs are written into logs.
const LINK_KEY: &str = "link-key";

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(hallway))
        .routes(routes!(create))
        .routes(routes!(snapshot, patch))
        .routes(routes!(renew_link))
        .routes(routes!(join))
        .routes(routes!(restart_ice))
        .routes(routes!(leave))
        .routes(routes!(roster))
        .routes(routes!(ping))
        .routes(routes!(end))
}

/// Live rooms: those with followed people on stage first, then the newest.
#[utoipa::path(
    get, path = "/v1/hallway", tag = "rooms",
    params(PageQuery),
    responses((status = 200, body = Page<RoomCard>, description = "A page")),
    extensions(("x-problems" = json!(["not_active", "cursor_invalid"]))),
)]
async fn hallway(
    State(api): State<Api>,
    Signed(caller): Signed,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<RoomCard>>, Error> {
    let page = api
        .0
        .mitalk
        .rooms()
        .hallway(&caller, query.cursor.as_deref(), query.limit(&api))
        .await?;
    Ok(Json(present::page(page)))
}

/// Opens a room; its creator is the first moderator.
#[utoipa::path(
    post, path = "/v1/rooms", tag = "rooms",
    params(("Idempotency-Key" = Option<String>, Header, description = "A repeat with the same key gives the same room")),
    request_body = CreateRoom, responses((status = 201, body = RoomSnapshot, description = "Opened")),
    extensions(("x-problems" = json!(["not_active"]))),
)]
async fn create(
    State(api): State<Api>,
    Signed(caller): Signed,
    Json(request): Json<CreateRoom>,
) -> Result<(StatusCode, Json<RoomSnapshot>), Error> {
    let settings = Settings {
        title: request.title,
        topics: request.topics,
        language: request.language,
        visibility: request.visibility.into(),
        hand_raising: request.hand_raising.into(),
    };
    let snapshot = api.0.mitalk.rooms().create(&caller, settings).await?;
    Ok((StatusCode::CREATED, Json(snapshot.into())))
}

/// A room as the caller sees it.
#[utoipa::path(
    get, path = "/v1/rooms/{room}", tag = "rooms",
    params(
        ("room" = String, Path, description = "The room"),
        ("Link-Key" = Option<String>, Header, description = "The `link_key` of a shared link: shows a closed room from outside"),
    ),
    responses((status = 200, body = RoomSnapshot, description = "The room now")),
    extensions(("x-problems" = json!([
        "not_active", "room_not_found", "room_ended", "room_banned", "room_closed", "room_social", "no_home"
    ]))),
)]
async fn snapshot(at: InRoom, headers: HeaderMap) -> Result<Json<RoomSnapshot>, Error> {
    // What is no text is no key, and that is no reason to say so.
    let link_key = headers.get(LINK_KEY).and_then(|value| value.to_str().ok());
    let snapshot = at.rooms.room(&at.caller, at.room, link_key).await?;
    Ok(Json(snapshot.into()))
}

/// Changes a room's settings; absent fields stay. Moderators only.
#[utoipa::path(
    patch, path = "/v1/rooms/{room}", tag = "rooms",
    params(("room" = String, Path, description = "The room")),
    request_body = RoomPatch, responses((status = 200, body = RoomAck, description = "Changed")),
    extensions(("x-problems" = json!(["room_not_found", "room_ended", "moderators_only", "no_home"]))),
)]
async fn patch(at: InRoom, Json(patch): Json<RoomPatch>) -> Acknowledged {
    let patch = Patch {
        title: patch.title,
        topics: patch.topics,
        language: patch.language,
        visibility: patch.visibility.map(Into::into),
        hand_raising: patch.hand_raising.map(Into::into),
    };
    acknowledged(at.rooms.amend(&at.caller, at.room, patch).await)
}

/// Makes the link worthless that was shared so far; people inside see the new one on their live sockets. Moderators only.
#[utoipa::path(
    post, path = "/v1/rooms/{room}/link", tag = "rooms",
    params(("room" = String, Path, description = "The room")),
    responses((status = 200, body = RoomAck, description = "Renewed")),
    extensions(("x-problems" = json!(["room_not_found", "room_ended", "not_in_room", "moderators_only", "no_home"]))),
)]
async fn renew_link(at: InRoom) -> Acknowledged {
    acknowledged(at.rooms.renew_link(&at.caller, at.room).await)
}

/// Joins in one request: SDP offer in, SDP answer and the room out.
#[utoipa::path(
    post, path = "/v1/rooms/{room}/join", tag = "rooms",
    params(("room" = String, Path, description = "The room")),
    request_body = JoinRequest, responses((status = 200, body = Joined, description = "In the room")),
    extensions(("x-problems" = json!([
        "not_active", "room_not_found", "room_ended", "room_banned", "room_closed", "room_social", "sdp_invalid",
        "resume_refused", "resume_invalid", "no_home"
    ]))),
)]
async fn join(
    State(api): State<Api>,
    at: InRoom,
    Json(request): Json<JoinRequest>,
) -> Result<Json<Joined>, Error> {
    let most = api.0.limits.rooms.sdp_bytes;
    if request.sdp.len() > most {
        return Err(Error::field(
            codes::SDP_INVALID,
            "/sdp",
            format!("An offer has at most {most} bytes"),
        ));
    }
    let socket = request
        .socket
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|_| {
            Error::field(
                codes::UNPROCESSABLE,
                "/socket",
                "Give `socket` of the live socket's `welcome`, or leave it out",
            )
        })?;
    let request = rooms::JoinRequest {
        sdp: request.sdp,
        resume_token: request.resume_token,
        link_key: request.link_key,
        socket,
    };
    Ok(Json(at.rooms.join(&at.caller, at.room, request).await?.into()))
}

/// Restarts ICE of a live session: same PeerConnection, another network.
#[utoipa::path(
    post, path = "/v1/rooms/{room}/sessions/{session}/ice", tag = "rooms",
    params(
        ("room" = String, Path, description = "The room"),
        ("session" = String, Path, description = "The media session"),
    ),
    request_body = IceRestart, responses((status = 200, body = IceRestarted, description = "The answer")),
    extensions(("x-problems" = json!(["room_not_found", "room_ended", "session_not_found", "sdp_invalid"]))),
)]
async fn restart_ice(
    at: InRoom,
    OfSession(session): OfSession,
    Json(request): Json<IceRestart>,
) -> Result<Json<IceRestarted>, Error> {
    let sdp = at
        .rooms
        .restart_ice(&at.caller, at.room, session, request.sdp)
        .await?;
    Ok(Json(IceRestarted { sdp }))
}

/// Leaves the room on this device.
#[utoipa::path(
    post, path = "/v1/rooms/{room}/leave", tag = "rooms",
    params(("room" = String, Path, description = "The room")),
    responses((status = 204, description = "Out of the room")),
    extensions(("x-problems" = json!(["room_not_found"]))),
)]
async fn leave(at: InRoom) -> Result<StatusCode, Error> {
    at.rooms.leave(&at.caller, at.room).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The audience, those whom the caller follows first. Only for people in the room.
#[utoipa::path(
    get, path = "/v1/rooms/{room}/roster", tag = "rooms",
    params(("room" = String, Path, description = "The room"), PageQuery),
    responses((status = 200, body = Page<AudienceMember>, description = "A page")),
    extensions(("x-problems" = json!(["room_not_found", "room_ended", "not_in_room", "cursor_invalid"]))),
)]
async fn roster(
    State(api): State<Api>,
    at: InRoom,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<AudienceMember>>, Error> {
    let (cursor, limit) = (query.cursor.as_deref(), query.limit(&api));
    let page = at.rooms.roster(&at.caller, at.room, cursor, limit).await?;
    Ok(Json(present::page(page)))
}

/// Asks a contact into the room.
#[utoipa::path(
    post, path = "/v1/rooms/{room}/ping/{user}", tag = "rooms",
    params(
        ("room" = String, Path, description = "The room"),
        ("user" = String, Path, description = "A contact: somebody who follows the caller and is followed"),
    ),
    responses((status = 204, description = "Asked")),
    extensions(("x-problems" = json!([
        "room_not_found", "room_ended", "not_in_room", "person_not_found", "not_a_contact", "pings_full"
    ]))),
)]
async fn ping(at: InRoom, About(user): About) -> Result<StatusCode, Error> {
    at.rooms.ping(&at.caller, at.room, user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the room for everybody. Moderators only.
#[utoipa::path(
    post, path = "/v1/rooms/{room}/end", tag = "rooms",
    params(("room" = String, Path, description = "The room")),
    responses((status = 200, body = RoomAck, description = "Ended")),
    extensions(("x-problems" = json!(["room_not_found", "room_ended", "moderators_only", "no_home"]))),
)]
async fn end(at: InRoom) -> Acknowledged {
    acknowledged(at.rooms.end(&at.caller, at.room).await)
}
