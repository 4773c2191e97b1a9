//! What a person is told, in-app.

use super::super::caller::Signed;
use super::super::extract::Query;
use super::super::problem::Error;
use super::super::{Api, Json, codes, present};
use super::DEFAULT_PAGE;
use crate::wire::Page;
use crate::wire::people::{Notice, NoticesRead};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read))
}

/// Which notices.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct NoticesQuery {
    /// Only those newer than this sequence.
    #[serde(default)]
    after: Option<u64>,
    /// `next_cursor` of the page before; absent: from the newest.
    #[serde(default)]
    cursor: Option<String>,
    /// At most so many; the service may give fewer.
    #[serde(default)]
    limit: Option<usize>,
}

/// The caller's notices, newest first.
#[utoipa::path(
    get, path = "/v1/notices", tag = "notices",
    params(NoticesQuery),
    responses((status = 200, body = Page<Notice>, description = "A page")),
    extensions(("x-problems" = json!(["cursor_invalid"]))),
)]
async fn list(
    State(api): State<Api>,
    Signed(caller): Signed,
    Query(query): Query<NoticesQuery>,
) -> Result<Json<Page<Notice>>, Error> {
    let before = query
        .cursor
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|_| codes::CURSOR_INVALID)?;
    let limit = query
        .limit
        .unwrap_or(DEFAULT_PAGE)
        .clamp(1, api.0.limits.notices.page);
    let mut page: Page<Notice> = present::page(api.0.mitalk.notices(&caller, before, limit).await?);
    let after = query.after.unwrap_or(0);
    if page.items.iter().any(|notice| notice.seq <= after) {
        page.items.retain(|notice| notice.seq > after);
        page.next_cursor = None;
    }
    Ok(Json(page))
}

/// Marks notices as read, up to a sequence.
#[utoipa::path(
    put, path = "/v1/notices/read", tag = "notices",
    request_body = NoticesRead, responses((status = 204, description = "Marked")),
)]
async fn read(
    State(api): State<Api>,
    Signed(caller): Signed,
    Json(request): Json<NoticesRead>,
) -> Result<StatusCode, Error> {
    api.0.mitalk.notices_read(&caller, request.up_to).await?;
    Ok(StatusCode::NO_CONTENT)
}
