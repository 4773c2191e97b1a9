//! Other people: profiles and following.

use super::super::caller::Signed;
use super::super::extract::{Path, Query};
use super::super::problem::Error;
use super::super::{Api, Json, etag, present};
use super::{PageQuery, user_id};
use crate::wire::Page;
use crate::wire::people::{PersonBrief, ProfileView};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use mitalk_actors::people::Who;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(profile))
        .routes(routes!(profile_by_handle))
        .routes(routes!(follow, unfollow))
        .routes(routes!(followers))
        .routes(routes!(following))
}

/// Somebody's profile.
#[utoipa::path(
    get, path = "/v1/users/{id}", tag = "people",
    params(
        ("id" = String, Path, description = "The person"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the answer that the client has"),
    ),
    responses((status = 200, body = ProfileView, description = "The profile"), (status = 304, description = "Not changed")),
    extensions(("x-problems" = json!(["person_not_found"]))),
)]
async fn profile(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let view = api.0.mitalk.profile(&caller, Who::Id(user_id(&id)?)).await?;
    Ok(etag::json(&headers, &ProfileView::from(view)))
}

/// The profile of whoever has a handle.
#[utoipa::path(
    get, path = "/v1/handles/{handle}", tag = "people",
    params(
        ("handle" = String, Path, description = "In any case, without the @"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the answer that the client has"),
    ),
    responses((status = 200, body = ProfileView, description = "The profile"), (status = 304, description = "Not changed")),
    extensions(("x-problems" = json!(["person_not_found"]))),
)]
async fn profile_by_handle(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path(handle): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let view = api.0.mitalk.profile(&caller, Who::Handle(handle)).await?;
    Ok(etag::json(&headers, &ProfileView::from(view)))
}

/// Follows somebody. Again changes nothing.
#[utoipa::path(
    put, path = "/v1/users/{id}/follow", tag = "people",
    params(("id" = String, Path, description = "The person")),
    responses((status = 204, description = "Followed")),
    extensions(("x-problems" = json!(["person_not_found", "not_yourself", "following_too_many", "not_active"]))),
)]
async fn follow(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    api.0.mitalk.follow(&caller, user_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Follows somebody no more. Again changes nothing.
#[utoipa::path(
    delete, path = "/v1/users/{id}/follow", tag = "people",
    params(("id" = String, Path, description = "The person")),
    responses((status = 204, description = "Not followed")),
    extensions(("x-problems" = json!(["not_active"]))),
)]
async fn unfollow(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    api.0.mitalk.unfollow(&caller, user_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who follows a person.
#[utoipa::path(
    get, path = "/v1/users/{id}/followers", tag = "people",
    params(("id" = String, Path, description = "The person"), PageQuery),
    responses((status = 200, body = Page<PersonBrief>, description = "A page")),
    extensions(("x-problems" = json!(["cursor_invalid"]))),
)]
async fn followers(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<PersonBrief>>, Error> {
    let page = api
        .0
        .mitalk
        .followers(&caller, user_id(&id)?, query.cursor.as_deref(), query.limit(&api))
        .await?;
    Ok(Json(present::page(page)))
}

/// Whom a person follows.
#[utoipa::path(
    get, path = "/v1/users/{id}/following", tag = "people",
    params(("id" = String, Path, description = "The person"), PageQuery),
    responses((status = 200, body = Page<PersonBrief>, description = "A page")),
    extensions(("x-problems" = json!(["cursor_invalid"]))),
)]
async fn following(
    State(api): State<Api>,
    Signed(caller): Signed,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<PersonBrief>>, Error> {
    let page = api
        .0
        .mitalk
        .following(&caller, user_id(&id)?, query.cursor.as_deref(), query.limit(&api))
        .await?;
    Ok(Json(present::page(page)))
}
