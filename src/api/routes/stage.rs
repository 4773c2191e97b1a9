//! Hands, the stage, and moderation.

use super::super::{Api, Json};
use super::in_room::{About, Acknowledged, InRoom, acknowledged};
use crate::wire::rooms::{HandAnswer, ModerateRequest, Moderation, MuteRequest, RoomAck, StageAnswer};
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
async fn raise_hand(at: InRoom) -> Acknowledged {
    acknowledged(at.rooms.raise_hand(&at.caller, at.room).await)
}

/// Lowers the hand. Again changes nothing.
#[utoipa::path(
    delete, path = "/v1/rooms/{room}/hand", tag = "stage",
    params(("room" = String, Path, description = "The room")),
    responses((status = 200, body = RoomAck, description = "The hand is down")),
    extensions(("x-problems" = json!(["room_not_found", "room_ended", "not_in_room", "no_home"]))),
)]
async fn lower_hand(at: InRoom) -> Acknowledged {
    acknowledged(at.rooms.lower_hand(&at.caller, at.room).await)
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
async fn answer_hand(at: InRoom, About(user): About, Json(answer): Json<HandAnswer>) -> Acknowledged {
    acknowledged(
        at.rooms
            .answer_hand(&at.caller, at.room, user, answer.accept)
            .await,
    )
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
async fn answer_stage(at: InRoom, Json(answer): Json<StageAnswer>) -> Acknowledged {
    acknowledged(
        at.rooms
            .answer_invitation(&at.caller, at.room, answer.accept)
            .await,
    )
}

/// Steps back to the audience.
#[utoipa::path(
    delete, path = "/v1/rooms/{room}/stage", tag = "stage",
    params(("room" = String, Path, description = "The room")),
    responses((status = 200, body = RoomAck, description = "In the audience")),
    extensions(("x-problems" = json!(["room_not_found", "room_ended", "not_in_room", "not_on_stage", "no_home"]))),
)]
async fn leave_stage(at: InRoom) -> Acknowledged {
    acknowledged(at.rooms.step_back(&at.caller, at.room).await)
}

/// Mutes or unmutes oneself, on stage.
#[utoipa::path(
    put, path = "/v1/rooms/{room}/mute", tag = "stage",
    params(("room" = String, Path, description = "The room")),
    request_body = MuteRequest, responses((status = 200, body = RoomAck, description = "Done")),
    extensions(("x-problems" = json!(["room_not_found", "room_ended", "not_in_room", "not_on_stage", "no_home"]))),
)]
async fn mute(at: InRoom, Json(request): Json<MuteRequest>) -> Acknowledged {
    acknowledged(at.rooms.mute(&at.caller, at.room, request.muted).await)
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
async fn moderate(at: InRoom, About(user): About, Json(request): Json<ModerateRequest>) -> Acknowledged {
    let action = match request.action {
        Moderation::InviteToStage => rooms::Moderation::InviteToStage,
        Moderation::CancelInvitation => rooms::Moderation::CancelInvitation,
        Moderation::Mute => rooms::Moderation::Mute,
        Moderation::MoveBack => rooms::Moderation::MoveBack,
        Moderation::MakeModerator => rooms::Moderation::MakeModerator,
        Moderation::Remove => rooms::Moderation::Remove,
        Moderation::Ban => rooms::Moderation::Ban,
    };
    acknowledged(at.rooms.moderate(&at.caller, at.room, user, action).await)
}
