//! What those who send text messages report back: see [`crate::sms`].

use super::super::extract::read_body;
use super::super::problem::Error;
use super::super::{Api, Path, Query, codes};
use crate::sms::{RECEIPT_BYTES, Refused};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use mitalk_cluster::{Clock as _, SystemClock};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(signed_receipt))
        .routes(routes!(receipt))
}

/// Says what became of a text, by the operator's own service.
///
/// Signed after Standard Webhooks with the secret that texts are signed with. The body is JSON: `id`, the text's, and
/// `outcome`, `delivered` or `failed`.
#[utoipa::path(
    post, path = "/v1/sms/receipts", tag = "providers", security(()),
    responses((status = 204, description = "Taken; a repeat changes nothing")),
    extensions(("x-problems" = json!(["signature_invalid", "body_too_large", "request_too_slow"]))),
)]
async fn signed_receipt(State(api): State<Api>, request: Request) -> Result<StatusCode, Error> {
    let (parts, body) = request.into_parts();
    let body = read_body(&parts.headers, body, RECEIPT_BYTES).await?;
    let receipts = &api.0.receipts;
    receipts.take_signed(&parts.headers, &body, SystemClock.wall())?;
    Ok(StatusCode::NO_CONTENT)
}

/// Of which text.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Of {
    /// The text's key.
    #[serde(default)]
    key: String,
}

/// Says what became of a text, by the provider that the configuration describes.
///
/// The provider was given this URL with a text. The body is a form or JSON, in the provider's own words.
#[utoipa::path(
    post, path = "/v1/sms/receipts/{token}", tag = "providers", security(()),
    params(("token" = String, Path, description = "What makes the URL secret"), Of),
    responses((status = 204, description = "Taken; a repeat changes nothing")),
    extensions(("x-problems" = json!(["signature_invalid", "body_too_large", "request_too_slow"]))),
)]
async fn receipt(
    State(api): State<Api>,
    Path(token): Path<String>,
    Query(of): Query<Of>,
    request: Request,
) -> Result<StatusCode, Error> {
    let (parts, body) = request.into_parts();
    let body = read_body(&parts.headers, body, RECEIPT_BYTES).await?;
    api.0.receipts.take(&token, &of.key, &body)?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Stranger => codes::SIGNATURE_INVALID.into(),
            Refused::Unreadable => Self::new(codes::BAD_REQUEST).detail(refused.to_string()),
        }
    }
}
