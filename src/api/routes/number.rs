//! Moving the account to another number.

use super::super::caller::{Anyone, Signed};
use super::super::problem::Error;
use super::super::{Api, Json};
use super::auth::code_sent;
use crate::wire::auth::{CodeSent, NumberCodeRequest, NumberRequest};
use crate::wire::people::Me;
use axum::extract::State;
use axum::http::StatusCode;
use mitalk_actors::account::NewNumber;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(send_number_code))
        .routes(routes!(change_number))
}

/// Sends one of the two codes that a change of number needs: to the new number, or to the one that the account has.
#[utoipa::path(
    post, path = "/v1/me/number/code", tag = "account",
    request_body = NumberCodeRequest, responses((status = 202, body = CodeSent, description = "A code is on its way")),
    extensions(("x-problems" = json!(["phone_invalid", "code_rate_limited"]))),
)]
async fn send_number_code(
    State(api): State<Api>,
    Signed(caller): Signed,
    Anyone(stranger): Anyone,
    Json(request): Json<NumberCodeRequest>,
) -> Result<(StatusCode, Json<CodeSent>), Error> {
    let mitalk = &api.0.mitalk;
    let sent = match request.phone {
        Some(phone) => mitalk.send_code(&stranger, &phone).await?,
        None => mitalk.send_own_code(&caller, &stranger).await?,
    };
    Ok(code_sent(sent))
}

/// Moves the account to another number, proven by a code, as the old one is; the old number is free then.
#[utoipa::path(
    put, path = "/v1/me/number", tag = "account",
    request_body = NumberRequest, responses((status = 200, body = Me, description = "The account now")),
    extensions(("x-problems" = json!([
        "phone_invalid", "code_wrong", "code_expired", "code_tries_used_up", "number_taken"
    ]))),
)]
async fn change_number(
    State(api): State<Api>,
    Signed(caller): Signed,
    Json(request): Json<NumberRequest>,
) -> Result<Json<Me>, Error> {
    let new = NewNumber {
        phone: request.phone,
        code: request.code,
        current_code: request.current_code,
    };
    Ok(Json(api.0.mitalk.change_number(&caller, new).await?.into()))
}
