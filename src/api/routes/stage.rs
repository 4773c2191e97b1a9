//! Hands, the stage, and moderation.

use super::super::caller::Signed;
use super::super::extract::Path;
use super::super::problem::Error;
use super::super::{Api, Json};
use super::rooms::{room_id, user_id};
use crate::wire::rooms::{HandAnswer, ModerateRequest, Moderation, MuteRequest, RoomAck, StageAnswer};
use axum::extract::State;
use mitalk_actors::rooms;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(raise_hand, lower_hand))
        .routes(routes!(answer_hand))
        .routes(routes!(answer_stage, leave_stage))
        .routes(routes!(mute))
        .routes(routes!(moderate))
}

/// Raises the hand. Again changes nothing.
#[utoipa::path(
    put, path = "/v1/rooms/{room}/hand", tag = "stage",
    params(("room" = String, Path, description = "The room")),
    responses((status = 200, body = RoomAck, description = "The hand is up")),
    extensions(("x-problems" = json!([
        "room_not_found", "room_ended", "not_in_room", "hands_off", "hands_followed_only", "hands_full",
        "already_on_stage", "no_home"
    ]))),
)]
async fn raise_hand(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path(room): Path<String>,
) -> Result<Json<RoomAck>, Error> {
    Ok(Json(
        api.0
            .mitalk
            .rooms()
            .raise_hand(&caller, room_id(&room)?)
            .await?
            .into(),
    ))
}

/// Lowers the hand. Again changes nothing.
#[utoipa::path(
    delete, path = "/v1/rooms/{room}/hand", tag = "stage",
    params(("room" = String, Path, description = "The room")),
    responses((status = 200, body = RoomAck, description = "The hand is down")),
    extensions(("x-problems" = json!(["room_not_found", "room_ended", "not_in_room", "no_home"]))),
)]
async fn lower_hand(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path(room): Path<String>,
) -> Result<Json<RoomAck>, Error> {
    Ok(Json(
        api.0
            .mitalk
            .rooms()
            .lower_hand(&caller, room_id(&room)?)
            .await?
            .into(),
    ))
}

/// Invites somebody with a raised hand on stage, or declines. Moderators only.
#[utoipa::path(
    post, path = "/v1/rooms/{room}/hands/{user}", tag = "stage",
    params(
        ("room" = String, Path, description = "The room"),
        ("user" = String, Path, description = "Whose hand"),
    ),
    request_body = HandAnswer, responses((status = 200, body = RoomAck, description = "Answered")),
    extensions(("x-problems" = json!([
        "room_not_found", "room_ended", "not_in_room", "moderators_only", "hand_not_up", "invitations_full",
        "person_not_found", "no_home"
    ]))),
)]
async fn answer_hand(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path((room, user)): Path<(String, String)>,
    Json(answer): Json<HandAnswer>,
) -> Result<Json<RoomAck>, Error> {
    let (room, user) = (room_id(&room)?, user_id(&user)?);
    Ok(Json(
        api.0
            .mitalk
            .rooms()
            .answer_hand(&caller, room, user, answer.accept)
            .await?
            .into(),
    ))
}

/// Comes on stage when asked there (muted), or declines.
#[utoipa::path(
    post, path = "/v1/rooms/{room}/stage", tag = "stage",
    params(("room" = String, Path, description = "The room")),
    request_body = StageAnswer, responses((status = 200, body = RoomAck, description = "Answered")),
    extensions(("x-problems" = json!([
        "room_not_found", "room_ended", "not_in_room", "not_invited", "stage_full", "no_home"
    ]))),
)]
async fn answer_stage(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path(room): Path<String>,
    Json(answer): Json<StageAnswer>,
) -> Result<Json<RoomAck>, Error> {
    Ok(Json(
        api.0
            .mitalk
            .rooms()
            .answer_invitation(&caller, room_id(&room)?, answer.accept)
            .await?
            .into(),
    ))
}

/// Steps back to the audience.
#[utoipa::path(
    delete, path = "/v1/rooms/{room}/stage", tag = "stage",
    params(("room" = String, Path, description = "The room")),
    responses((status = 200, body = RoomAck, description = "In the audience")),
    extensions(("x-problems" = json!(["room_not_found", "room_ended", "not_in_room", "not_on_stage", "no_home"]))),
)]
async fn leave_stage(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path(room): Path<String>,
) -> Result<Json<RoomAck>, Error> {
    Ok(Json(
        api.0
            .mitalk
            .rooms()
            .step_back(&caller, room_id(&room)?)
            .await?
            .into(),
    ))
}

/// Mutes or unmutes oneself, on stage.
#[utoipa::path(
    put, path = "/v1/rooms/{room}/mute", tag = "stage",
    params(("room" = String, Path, description = "The room")),
    request_body = MuteRequest, responses((status = 200, body = RoomAck, description = "Done")),
    extensions(("x-problems" = json!(["room_not_found", "room_ended", "not_in_room", "not_on_stage", "no_home"]))),
)]
async fn mute(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path(room): Path<String>,
    Json(request): Json<MuteRequest>,
) -> Result<Json<RoomAck>, Error> {
    Ok(Json(
        api.0
            .mitalk
            .rooms()
            .mute(&caller, room_id(&room)?, request.muted)
            .await?
            .into(),
    ))
}

/// Invites on stage, mutes, moves back, promotes, removes or bans somebody. Moderators only.
#[utoipa::path(
    post, path = "/v1/rooms/{room}/members/{user}", tag = "stage",
    params(
        ("room" = String, Path, description = "The room"),
        ("user" = String, Path, description = "Whom"),
    ),
    request_body = ModerateRequest, responses((status = 200, body = RoomAck, description = "Done, or acting already")),
    extensions(("x-problems" = json!([
        "room_not_found", "room_ended", "not_in_room", "moderators_only", "already_on_stage", "not_on_stage",
        "not_invited", "not_yourself", "invitations_full", "bans_full", "person_not_found", "no_home"
    ]))),
)]
async fn moderate(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path((room, user)): Path<(String, String)>,
    Json(request): Json<ModerateRequest>,
) -> Result<Json<RoomAck>, Error> {
    let (room, user) = (room_id(&room)?, user_id(&user)?);
    let action = match request.action {
        Moderation::InviteToStage => rooms::Moderation::InviteToStage,
        Moderation::CancelInvitation => rooms::Moderation::CancelInvitation,
        Moderation::Mute => rooms::Moderation::Mute,
        Moderation::MoveBack => rooms::Moderation::MoveBack,
        Moderation::MakeModerator => rooms::Moderation::MakeModerator,
        Moderation::Remove => rooms::Moderation::Remove,
        Moderation::Ban => rooms::Moderation::Ban,
    };
    Ok(Json(
        api.0
            .mitalk
            .rooms()
            .moderate(&caller, room, user, action)
            .await?
            .into(),
    ))
}
