//! Giving, taking back and accepting invites.

use super::super::caller::{Anyone, Signed};
use super::super::extract::Path;
use super::super::problem::Error;
use super::super::{Api, Json, codes};
use crate::wire::invites::{Invite, InvitePreview, InviteRequest, Invites};
use crate::wire::people::Me;
use axum::extract::State;
use axum::http::StatusCode;
use mitalk_actors::id::InviteId;
use mitalk_actors::invites::Invitee;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(revoke))
        .routes(routes!(preview))
        .routes(routes!(accept))
}

/// Gives an invite; costs one of the quota.
#[utoipa::path(
    post, path = "/v1/invites", tag = "invites",
    params(("Idempotency-Key" = Option<String>, Header, description = "A repeat with the same key gives the same invite")),
    request_body = InviteRequest, responses((status = 201, body = Invite, description = "Given")),
    extensions(("x-problems" = json!([
        "phone_invalid", "invite_quota_used_up", "invites_too_many", "number_invited_enough", "not_active"
    ]))),
)]
async fn create(
    State(api): State<Api>,
    Signed(caller): Signed,
    Json(request): Json<InviteRequest>,
) -> Result<(StatusCode, Json<Invite>), Error> {
    let invitee = match request {
        InviteRequest::Phone { phone } => Invitee::Phone(phone),
        InviteRequest::Link => Invitee::Link,
    };
    let invite = api.0.mitalk.invite(&caller, invitee).await?;
    Ok((StatusCode::CREATED, Json(invite.into())))
}

/// The caller's invites, and how many are left to give.
#[utoipa::path(
    get, path = "/v1/invites", tag = "invites",
    responses((status = 200, body = Invites, description = "Newest first")),
)]
async fn list(State(api): State<Api>, Signed(caller): Signed) -> Result<Json<Invites>, Error> {
    Ok(Json(api.0.mitalk.invites(&caller).await?.into()))
}

/// Takes an invite back; what it cost is given back soon after.
#[utoipa::path(
    delete, path = "/v1/invites/{id}", tag = "invites",
    params(("id" = String, Path, description = "The invite")),
    responses((status = 204, description = "Taken back")),
    extensions(("x-problems" = json!(["invite_not_found", "invite_not_pending"]))),
)]
async fn revoke(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let id: InviteId = id.parse().map_err(|_| codes::INVITE_NOT_FOUND)?;
    api.0.mitalk.revoke_invite(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What an invite link is worth, for whoever holds it.
#[utoipa::path(
    get, path = "/v1/invite-links/{code}", tag = "invites", security(()),
    params(("code" = String, Path, description = "The link's code")),
    responses((status = 200, body = InvitePreview, description = "Who invites")),
    extensions(("x-problems" = json!(["invite_not_found"]))),
)]
async fn preview(
    State(api): State<Api>,
    Anyone(stranger): Anyone,
    Path(code): Path<String>,
) -> Result<Json<InvitePreview>, Error> {
    Ok(Json(api.0.mitalk.preview_invite(&stranger, &code).await?.into()))
}

/// A waiting person comes in by a link.
#[utoipa::path(
    post, path = "/v1/invite-links/{code}/accept", tag = "invites",
    params(("code" = String, Path, description = "The link's code")),
    responses((status = 200, body = Me, description = "The account now")),
    extensions(("x-problems" = json!([
        "invite_not_found", "invite_not_pending", "already_active", "invites_not_yet"
    ]))),
)]
async fn accept(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path(code): Path<String>,
) -> Result<Json<Me>, Error> {
    Ok(Json(api.0.mitalk.accept_invite(&caller, &code).await?.into()))
}
