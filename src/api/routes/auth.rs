//! Signing in and out: one-time codes, tokens.

use super::super::caller::{Anyone, Signed};
use super::super::problem::Error;
use super::super::{Api, Json};
use crate::wire::auth::{CodeRequest, CodeSent, RefreshRequest, SignedIn, Tokens, VerifyRequest};
use crate::wire::people::Me;
use axum::extract::State;
use axum::http::StatusCode;
use mitalk_actors::auth::{Verified, Verify};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(send_code))
        .routes(routes!(verify))
        .routes(routes!(refresh))
        .routes(routes!(sign_out))
}

/// Sends a one-time code to a phone number.
///
/// The answer is the same whether the number has an account or not.
#[utoipa::path(
    post, path = "/v1/auth/code", tag = "auth", security(()),
    request_body = CodeRequest, responses((status = 202, body = CodeSent, description = "A code is on its way")),
    extensions(("x-problems" = json!(["phone_invalid", "code_rate_limited", "sunset"]))),
)]
async fn send_code(
    State(api): State<Api>,
    Anyone(stranger): Anyone,
    Json(request): Json<CodeRequest>,
) -> Result<(StatusCode, Json<CodeSent>), Error> {
    let sent = api.0.mitalk.send_code(&stranger, &request.phone).await?;
    Ok(code_sent(sent))
}

pub(super) fn code_sent(sent: mitalk_actors::auth::CodeSent) -> (StatusCode, Json<CodeSent>) {
    let answer = CodeSent {
        expires_in_s: sent.expires_in.as_secs(),
        resend_after_s: sent.resend_after.as_secs(),
    };
    (StatusCode::ACCEPTED, Json(answer))
}

/// Trades a code for tokens; a first sign-in creates the account.
#[utoipa::path(
    post, path = "/v1/auth/verify", tag = "auth", security(()),
    request_body = VerifyRequest, responses((status = 200, body = SignedIn, description = "Signed in")),
    extensions(("x-problems" = json!([
        "phone_invalid", "code_wrong", "code_expired", "code_tries_used_up", "suspended", "sunset"
    ]))),
)]
async fn verify(
    State(api): State<Api>,
    Anyone(stranger): Anyone,
    Json(request): Json<VerifyRequest>,
) -> Result<Json<SignedIn>, Error> {
    let verify = Verify {
        phone: request.phone,
        code: request.code,
        device_name: request.device_name,
        invite: request.invite,
    };
    let signed_in = api.0.mitalk.verify(&stranger, verify).await?;
    Ok(Json(SignedIn {
        tokens: tokens(&api, signed_in.verified),
        me: Me::from(signed_in.me),
    }))
}

/// Trades the newest refresh token for new tokens.
///
/// Using an older one signs the device out, because somebody has a copy; only the one just before counts once more as long
/// as the newest was never used.
#[utoipa::path(
    post, path = "/v1/auth/refresh", tag = "auth", security(()),
    request_body = RefreshRequest, responses((status = 200, body = Tokens, description = "New tokens")),
    extensions(("x-problems" = json!(["refresh_invalid", "refresh_reused", "suspended"]))),
)]
async fn refresh(
    State(api): State<Api>,
    Anyone(stranger): Anyone,
    Json(request): Json<RefreshRequest>,
) -> Result<Json<Tokens>, Error> {
    let verified = api.0.mitalk.rotate(&stranger, &request.refresh_token).await?;
    Ok(Json(tokens(&api, verified)))
}

/// Signs this device out.
#[utoipa::path(
    post, path = "/v1/auth/sign-out", tag = "auth",
    responses((status = 204, description = "Signed out")),
)]
async fn sign_out(State(api): State<Api>, Signed(caller): Signed) -> Result<StatusCode, Error> {
    api.0.mitalk.sign_out(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn tokens(api: &Api, verified: Verified) -> Tokens {
    Tokens {
        access_token: api
            .0
            .tokens
            .issue(verified.user, verified.device, verified.standing),
        access_expires_in_s: api.0.tokens.lifetime().as_secs(),
        refresh_token: verified.refresh_token,
    }
}
