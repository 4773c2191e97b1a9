//! Leaving: asking for the account's deletion, and taking that back.

use super::super::caller::Signed;
use super::super::problem::Error;
use super::super::{Api, Json};
use crate::wire::people::Me;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(leave)).routes(routes!(stay))
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
