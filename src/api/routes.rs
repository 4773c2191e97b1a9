//! The routes, one file per family. A handler parses, asks the domain one thing, and gives its answer a form.
//!
//! Every route is documented where it is defined: [`utoipa::path`] gives the OpenAPI document its parameters and bodies,
//! and `x-problems` lists the codes beyond those that every route can answer (see [`super::openapi`]).

mod account;
mod auth;
mod in_room;
mod invites;
mod leaving;
mod notices;
mod number;
mod people;
mod push;
mod rooms;
mod service;
mod sms;
mod stage;

use super::problem::Error;
use super::{Api, Json, codes};
use axum::response::{IntoResponse, Response};
use mitalk_actors::id::UserId;
use mitalk_actors::rooms as domain_rooms;
use mitalk_actors::{
    account as domain_account, auth as domain_auth, invites as domain_invites, people as domain_people,
    push as domain_push,
};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;

/// Items of a page if the client does not say.
const DEFAULT_PAGE: usize = 50;

/// All routes under `/v1`, but for the live socket.
pub(super) fn all() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .merge(auth::routes())
        .merge(account::routes())
        .merge(leaving::routes())
        .merge(number::routes())
        .merge(people::routes())
        .merge(invites::routes())
        .merge(rooms::routes())
        .merge(stage::routes())
        .merge(notices::routes())
        .merge(push::routes())
        .merge(service::routes())
        .merge(sms::routes())
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// `next_cursor` of the page before; absent: the first page.
    #[serde(default)]
    cursor: Option<String>,
    /// At most so many items; the service may give fewer.
    #[serde(default)]
    limit: Option<usize>,
}

impl PageQuery {
    fn limit(&self, api: &Api) -> usize {
        self.limit
            .unwrap_or(DEFAULT_PAGE)
            .clamp(1, api.0.limits.notices.page)
    }
}

/// What is no person's id is the id of nobody.
fn user_id(text: &str) -> Result<UserId, Error> {
    text.parse().map_err(|_| codes::PERSON_NOT_FOUND.into())
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Errors of the domain find their row by their stable code.
macro_rules! by_code {
    ($($error:ty),*) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::domain(error.code(), error.to_string(), error.retry_after())
            }
        })*
    };
}

by_code!(
    domain_auth::Error,
    domain_people::Error,
    domain_push::Error,
    domain_invites::Error
);

impl From<domain_account::Error> for Error {
    fn from(error: domain_account::Error) -> Self {
        let problem = Self::domain(error.code(), error.to_string(), error.retry_after());
        match error {
            domain_account::Error::FieldInvalid { field, .. } => problem.at(format!("/{field}")),
            _ => problem,
        }
    }
}

impl From<domain_rooms::Error> for Error {
    fn from(error: domain_rooms::Error) -> Self {
        let problem = Self::domain(error.code(), error.to_string(), error.retry_after());
        match error.field() {
            Some(field) => problem.at(format!("/{field}")),
            None => problem,
        }
    }
}
