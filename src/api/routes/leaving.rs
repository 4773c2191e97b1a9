//! Leaving: taking one's data along, asking for the account's deletion, and taking that back.

use super::super::caller::Signed;
use super::super::problem::Error;
use super::super::{Api, Context, Json, export as archive};
use crate::wire::people::Me;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(export))
        .routes(routes!(leave))
        .routes(routes!(stay))
}

/// Everything that is the caller's, as a ZIP archive: `data.json` (see the schema `Export`) and `index.html` to read.
///
/// It is made while it is sent. One that is cut short is not a whole archive.
#[utoipa::path(
    get, path = "/v1/me/export", tag = "account",
    responses((status = 200, content_type = "application/zip", description = "The archive")),
    extensions(("x-problems" = json!(["person_not_found", "export_rate_limited"]))),
)]
async fn export(State(api): State<Api>, Signed(caller): Signed, context: Context) -> Result<Response, Error> {
    let mine = api.0.mitalk.mine(&caller).await?;
    let headers = [
        (CONTENT_TYPE, "application/zip"),
        (CONTENT_DISPOSITION, "attachment; filename=\"mitalk-data.zip\""),
        (CACHE_CONTROL, "no-store"),
    ];
    let body = archive::body(api.clone(), caller, mine, context.language);
    Ok((headers, body).into_response())
}

/// Asks for the account's deletion: it is gone everywhere 14 days from now, unless its owner takes that back.
///
/// `deletion_at_ms` says when. Until then the account is as it was; signing in alone does not take it back. Asked again, the
/// first date stays.
#[utoipa::path(
    put, path = "/v1/me/deletion", tag = "account",
    responses((status = 200, body = Me, description = "The account now")),
    extensions(("x-problems" = json!(["person_not_found"]))),
)]
async fn leave(State(api): State<Api>, Signed(caller): Signed) -> Result<Json<Me>, Error> {
    Ok(Json(api.0.mitalk.leave(&caller).await?.into()))
}

/// Keeps the account after all.
#[utoipa::path(
    delete, path = "/v1/me/deletion", tag = "account",
    responses((status = 200, body = Me, description = "The account now")),
    extensions(("x-problems" = json!(["person_not_found"]))),
)]
async fn stay(State(api): State<Api>, Signed(caller): Signed) -> Result<Json<Me>, Error> {
    Ok(Json(api.0.mitalk.stay(&caller).await?.into()))
}
