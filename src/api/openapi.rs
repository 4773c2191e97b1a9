//! The OpenAPI 3.1 document, generated from the routes and the wire types.
//!
//! What [`utoipa`] cannot know is added here: the problems of each route, from its `x-problems` and the table of codes.

use super::problem::MEDIA_TYPE;
use super::{Api, codes, live, routes};
use crate::wire::export::Export;
use crate::wire::live::{ClientMessage, ServerMessage};
use crate::wire::problem::Problem;
use std::collections::BTreeMap;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The extension of an operation that lists codes of its own.
const OWN: &str = "x-problems";
/// What every route can answer.
const EVERYWHERE: [&str; 7] = [
    "rate_limited",
    "overloaded",
    "store_unavailable",
    "starting",
    "timed_out",
    "internal",
    "bad_request",
];
/// What every route for signed-in callers can answer.
const SIGNED_IN: [&str; 6] = [
    "token_missing",
    "token_invalid",
    "token_expired",
    "suspended",
    "idempotency_key_invalid",
    "idempotency_key_reused",
];
/// What every route that takes a body can answer.
const WITH_BODY: [&str; 5] = [
    "malformed_json",
    "unsupported_media_type",
    "body_too_large",
    "unprocessable",
    "request_too_slow",
];

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Mi Talk",
        description = "Live audio rooms for professionals. Errors are problem documents (RFC 9457) with a stable `code`. \
            Requests that create take an `Idempotency-Key`. Live changes come over the WebSocket at `/v1/live`.",
    ),
    components(schemas(Problem, ClientMessage, ServerMessage, Export)),
    modifiers(&Bearer),
    security(("access_token" = [])),
    tags(
        (name = "auth", description = "Signing in and out"),
        (name = "account", description = "The caller's own account"),
        (name = "people", description = "Profiles and following"),
        (name = "invites", description = "Giving and accepting invites"),
        (name = "rooms", description = "The hallway, and getting into rooms and out"),
        (name = "stage", description = "Hands, stage and moderation"),
        (name = "notices", description = "What a person is told"),
        (name = "live", description = "The live socket"),
        (name = "providers", description = "For those who send text messages for the service"),
        (name = "meta", description = "About this API"),
    ),
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("access_token", SecurityScheme::Http(scheme));
    }
}

/// Every route of the API, with its documentation.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(routes::all())
        .routes(routes!(live::connect))
        .routes(routes!(super::openapi_json))
}

/// The document that `/openapi.json` serves and `mitalk openapi` prints.
pub fn document() -> OpenApi {
    let (_, mut document) = routes().split_for_parts();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            name(operation);
            add_problems(operation);
        }
    }
    list_codes(&mut document);
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ]
    .into_iter()
    .flatten()
}

/// Handlers are named within their family; in the document names are unique: `rooms_join`.
fn name(operation: &mut Operation) {
    let family = operation.tags.as_ref().and_then(|tags| tags.first());
    if let (Some(family), Some(handler)) = (family, &operation.operation_id) {
        operation.operation_id = Some(format!("{family}_{handler}"));
    }
}

/// One response per status, naming the codes that come with it.
fn add_problems(operation: &mut Operation) {
    let own = operation
        .extensions
        .as_ref()
        .and_then(|all| all.get(OWN))
        .and_then(|list| list.as_array().cloned());
    let own: Vec<String> = own
        .unwrap_or_default()
        .iter()
        .filter_map(|code| Some(code.as_str()?.to_owned()))
        .collect();
    let open = operation.security.is_some();
    let mut all: Vec<&str> = own.iter().map(String::as_str).collect();
    all.extend(EVERYWHERE);
    all.extend(if open { &[][..] } else { &SIGNED_IN });
    all.extend(if operation.request_body.is_some() {
        &WITH_BODY[..]
    } else {
        &[]
    });
    if has_query(operation) {
        all.push("unprocessable");
    }

    let mut by_status: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for code in all.into_iter().filter_map(codes::find) {
        let line = format!("- `{}`: {}", code.code, code.title(super::language::Language::En));
        let lines = by_status.entry(code.status.as_u16()).or_default();
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    for (status, lines) in by_status {
        operation
            .responses
            .responses
            .insert(status.to_string(), RefOr::T(problem(&lines.join("\n"))));
    }
}

fn has_query(operation: &Operation) -> bool {
    operation.parameters.iter().flatten().any(
        |parameter| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query),
    )
}

fn problem(description: &str) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content(MEDIA_TYPE, content)
        .build()
}

/// `Problem.code` as the list of all codes, so that generated clients know them.
fn list_codes(document: &mut OpenApi) {
    let schemas = document
        .components
        .as_mut()
        .map(|components| &mut components.schemas);
    let Some(RefOr::T(Schema::Object(problem))) = schemas.and_then(|schemas| schemas.get_mut("Problem"))
    else {
        return;
    };
    if let Some(RefOr::T(Schema::Object(code))) = problem.properties.get_mut("code") {
        code.enum_values = Some(codes::ALL.iter().map(|row| row.code.into()).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_lists_known_problems_only() {
        let mut document = document();
        let mut seen = std::collections::BTreeSet::new();
        for (path, item) in &mut document.paths.paths {
            for operation in operations(item) {
                let name = operation.operation_id.clone().unwrap();
                assert!(seen.insert(name.clone()), "{name} is there twice");
                assert!(
                    operation.summary.is_some() || path == "/openapi.json",
                    "{path} says what it does"
                );
                let own = operation
                    .extensions
                    .as_ref()
                    .and_then(|all| all.get(OWN))
                    .and_then(|own| own.as_array());
                for code in own.into_iter().flatten() {
                    let code = code.as_str().unwrap();
                    assert!(
                        codes::find(code).is_some(),
                        "{path} lists {code}, which is not in the table"
                    );
                }
                assert!(operation.responses.responses.contains_key("429"), "{path}");
                let checked = has_query(operation) || operation.request_body.is_some();
                assert!(
                    !checked || operation.responses.responses.contains_key("422"),
                    "{path}"
                );
            }
        }
        assert!(seen.len() > 30, "{seen:?}");
    }

    #[test]
    fn the_document_is_openapi_3_1_with_every_code() {
        let json = serde_json::to_value(document()).unwrap();
        assert!(json["openapi"].as_str().unwrap().starts_with("3.1."));
        let codes_listed = json["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
            .as_array()
            .unwrap();
        assert_eq!(codes_listed.len(), codes::ALL.len());
    }
}
