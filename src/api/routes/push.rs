//! Web Push: subscribing a device, and what its owner is pushed.

use super::super::caller::Signed;
use super::super::problem::Error;
use super::super::{Api, Json, codes};
use crate::wire::push::{NoticeSettings, PushKey, PushSubscription};
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mitalk_actors::push::{P256DH_BYTES, Subscription, key_id};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(key))
        .routes(routes!(subscribe, unsubscribe))
        .routes(routes!(settings, set_settings))
}

/// What browsers subscribe with.
#[utoipa::path(
    get, path = "/v1/push", tag = "notices", security(()),
    responses((status = 200, body = PushKey, description = "The key")),
    extensions(("x-problems" = json!(["push_off"]))),
)]
async fn key(State(api): State<Api>) -> Result<Json<PushKey>, Error> {
    let key = api.0.mitalk.push_key()?.to_owned();
    Ok(Json(PushKey { key }))
}

/// Pushes to this device from now on; in the place of where it was pushed to before.
#[utoipa::path(
    put, path = "/v1/me/push", tag = "notices",
    request_body = PushSubscription, responses((status = 204, description = "Subscribed")),
    extensions(("x-problems" = json!(["push_off", "push_key_changed", "push_endpoint_refused", "device_not_found"]))),
)]
async fn subscribe(
    State(api): State<Api>,
    Signed(caller): Signed,
    Json(request): Json<PushSubscription>,
) -> Result<StatusCode, Error> {
    if !is_language(&request.language) {
        return Err(Error::new(codes::UNPROCESSABLE)
            .at("/language".to_owned())
            .detail("Send a BCP 47 tag, such as en or zh-Hans"));
    }
    let to = Subscription {
        endpoint: request.endpoint,
        p256dh: bytes(&request.keys.p256dh)?,
        auth: bytes(&request.keys.auth)?,
        language: request.language,
        made_for: key_id(&request.server_key),
    };
    api.0.mitalk.subscribe(&caller, to).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pushes to this device no more; again changes nothing.
#[utoipa::path(
    delete, path = "/v1/me/push", tag = "notices",
    responses((status = 204, description = "Not subscribed")),
    extensions(("x-problems" = json!(["device_not_found"]))),
)]
async fn unsubscribe(State(api): State<Api>, Signed(caller): Signed) -> Result<StatusCode, Error> {
    api.0.mitalk.unsubscribe(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the caller is pushed, and when not.
#[utoipa::path(
    get, path = "/v1/me/notice-settings", tag = "notices",
    responses((status = 200, body = NoticeSettings, description = "The settings")),
    extensions(("x-problems" = json!(["device_not_found"]))),
)]
async fn settings(State(api): State<Api>, Signed(caller): Signed) -> Result<Json<NoticeSettings>, Error> {
    Ok(Json(api.0.mitalk.notice_settings(&caller).await?.into()))
}

/// Changes what the caller is pushed, on all devices.
#[utoipa::path(
    put, path = "/v1/me/notice-settings", tag = "notices",
    request_body = NoticeSettings, responses((status = 200, body = NoticeSettings, description = "The settings now")),
    extensions(("x-problems" = json!(["quiet_hours_invalid", "zone_unknown", "device_not_found"]))),
)]
async fn set_settings(
    State(api): State<Api>,
    Signed(caller): Signed,
    Json(request): Json<NoticeSettings>,
) -> Result<Json<NoticeSettings>, Error> {
    let kept = api.0.mitalk.set_notice_settings(&caller, request.into()).await?;
    Ok(Json(kept.into()))
}

/// A browser's key or secret. Longer than a key is none.
fn bytes(text: &str) -> Result<Vec<u8>, Error> {
    let is_short = text.len() <= P256DH_BYTES * 2;
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    match bytes {
        Ok(bytes) if is_short => Ok(bytes),
        _ => Err(codes::PUSH_ENDPOINT_REFUSED.into()),
    }
}

fn is_language(tag: &str) -> bool {
    tag.len() <= mitalk_actors::push::LANGUAGE_BYTES
        && tag.split('-').all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}
