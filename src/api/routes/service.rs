//! What the service says of itself.

use super::super::caller::Anyone;
use super::super::problem::Error;
use super::super::{Api, Json};
use crate::wire::service::Service;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(service))
}

/// What everybody has to know of the service: whether and when it ends.
#[utoipa::path(
    get, path = "/v1/service", tag = "meta", security(()),
    responses((status = 200, body = Service, description = "The service")),
)]
async fn service(State(api): State<Api>, Anyone(stranger): Anyone) -> Result<Json<Service>, Error> {
    let at = api.0.mitalk.ends_at(stranger.call()).await;
    let at =
        at.map_err(|trouble| Error::domain(trouble.code(), trouble.to_string(), trouble.retry_after()))?;
    Ok(Json(Service {
        sunset_at_ms: at.map(|at| at.0),
    }))
}
