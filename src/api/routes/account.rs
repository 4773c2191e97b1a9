//! The caller's own account: profile, handle, devices.

use super::super::caller::Signed;
use super::super::extract::Path;
use super::super::problem::Error;
use super::super::{Api, Json, codes, etag};
use crate::wire::auth::{Device, Devices};
use crate::wire::people::{HandleRequest, Me, ProfilePatch};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use mitalk_actors::account::Patch;
use mitalk_actors::id::DeviceId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(me))
        .routes(routes!(patch_profile))
        .routes(routes!(set_handle))
        .routes(routes!(devices))
        .routes(routes!(revoke_device))
}

/// The caller's account.
#[utoipa::path(
    get, path = "/v1/me", tag = "account",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the answer that the client has")),
    responses((status = 200, body = Me, description = "The account"), (status = 304, description = "Not changed")),
    extensions(("x-problems" = json!(["person_not_found"]))),
)]
async fn me(State(api): State<Api>, Signed(caller): Signed, headers: HeaderMap) -> Result<Response, Error> {
    let me = api.0.mitalk.me(&caller).await?;
    Ok(etag::json(&headers, &Me::from(me)))
}

/// Changes the profile; absent fields stay.
#[utoipa::path(
    patch, path = "/v1/me/profile", tag = "account",
    request_body = ProfilePatch, responses((status = 200, body = Me, description = "The account now")),
    extensions(("x-problems" = json!(["person_not_found"]))),
)]
async fn patch_profile(
    State(api): State<Api>,
    Signed(caller): Signed,
    Json(patch): Json<ProfilePatch>,
) -> Result<Json<Me>, Error> {
    let patch = Patch {
        name: patch.name,
        headline: patch.headline,
        company: patch.company,
        bio: patch.bio,
        topics: patch.topics,
        languages: patch.languages,
        links: patch.links,
        offering: patch.offering,
        looking_for: patch.looking_for,
        shown_as_inviter: patch.shown_as_inviter,
    };
    Ok(Json(api.0.mitalk.patch_profile(&caller, patch).await?.into()))
}

/// Chooses or changes the handle.
#[utoipa::path(
    put, path = "/v1/me/handle", tag = "account",
    request_body = HandleRequest, responses((status = 200, body = Me, description = "The account now")),
    extensions(("x-problems" = json!(["handle_invalid", "handle_taken", "person_not_found"]))),
)]
async fn set_handle(
    State(api): State<Api>,
    Signed(caller): Signed,
    Json(request): Json<HandleRequest>,
) -> Result<Json<Me>, Error> {
    Ok(Json(
        api.0.mitalk.set_handle(&caller, &request.handle).await?.into(),
    ))
}

/// The devices that are signed in.
#[utoipa::path(
    get, path = "/v1/me/devices", tag = "account",
    responses((status = 200, body = Devices, description = "Newest first")),
)]
async fn devices(State(api): State<Api>, Signed(caller): Signed) -> Result<Json<Devices>, Error> {
    let devices = api.0.mitalk.devices(&caller).await?;
    Ok(Json(Devices {
        devices: devices.into_iter().map(Device::from).collect(),
    }))
}

/// Signs a device out.
#[utoipa::path(
    delete, path = "/v1/me/devices/{id}", tag = "account",
    params(("id" = String, Path, description = "The device")),
    responses((status = 204, description = "Signed out")),
    extensions(("x-problems" = json!(["device_not_found"]))),
)]
async fn revoke_device(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path(device): Path<String>,
) -> Result<StatusCode, Error> {
    let device: DeviceId = device.parse().map_err(|_| codes::DEVICE_NOT_FOUND)?;
    api.0.mitalk.revoke(&caller, device).await?;
    Ok(StatusCode::NO_CONTENT)
}
