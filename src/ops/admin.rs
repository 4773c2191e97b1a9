//! The admin API: what operators do. The domain audits every action; its forms are [`crate::wire::admin`].

mod events;

use super::Operations;
use crate::api::{Context, Error, Json, Path, Query, codes, request_id};
use crate::wire::admin::{
    Account, Admit, AllowCount, AllowImport, Grant, Granted, InvitesOf, LiveRoom, LiveRooms, Phase, PhaseIs,
    Purge, SetSunset, Sunset, Suspend, TestAccount, TestAccounts, TestAccountsMade, Waitlist,
};
use crate::wire::auth::Tokens;
use axum::Router;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{delete, get, post, put};
use mitalk_actors::id::{Home, RoomId, UserId};
use mitalk_actors::operator::{self, AllowedNumber, Person};
use mitalk_actors::phase::Admits;
use mitalk_actors::rooms::Card;
use mitalk_actors::sunset;
use mitalk_cluster::{Call, Timestamp};
use serde::Deserialize;

/// Stands for the caller in request ids: all operators share one token.
const OPERATOR: &str = "operator";

/// The routes; those for load tests only where they are allowed.
pub(super) fn routes(test_admission: bool) -> Router<Operations> {
    let routes = Router::new()
        .route("/admin/v1/phase", get(phase).put(set_phase))
        .route("/admin/v1/allow-list", get(count_allowed).post(import_allowed))
        .route("/admin/v1/allow-list/{phone}", delete(remove_allowed))
        .route(
            "/admin/v1/sunset",
            get(sunset).put(set_sunset).delete(cancel_sunset),
        )
        .route("/admin/v1/waitlist", get(waitlist))
        .route("/admin/v1/waitlist/admit", post(admit))
        .route("/admin/v1/users/{who}", get(account))
        .route("/admin/v1/users/{who}/suspended", put(suspend))
        .route("/admin/v1/invites", get(invites_of).post(grant_invites))
        .route("/admin/v1/rooms", get(rooms))
        .route("/admin/v1/rooms/{id}/stop", post(stop_room))
        .route("/admin/v1/dead-letters", get(events::list))
        .route(
            "/admin/v1/dead-letters/{id}",
            get(events::show).delete(events::discard),
        )
        .route("/admin/v1/dead-letters/{id}/retry", post(events::retry))
        .route("/admin/v1/audit", get(events::audit));
    if test_admission {
        routes.route("/admin/v1/test-accounts", post(test_accounts))
    } else {
        routes
    }
}

/// How an operator's action is carried out.
struct Action(Call);

impl FromRequestParts<Operations> for Action {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, operations: &Operations) -> Result<Self, Error> {
        let context = parts.extensions.get::<Context>().cloned().unwrap_or_default();
        let mut call = Call::within(operations.deadline()).trace(context.trace);
        if let Some(id) = request_id(parts, OPERATOR)? {
            call = call.request(id);
        }
        Ok(Self(call))
    }
}

impl From<operator::Error> for Error {
    fn from(error: operator::Error) -> Self {
        let problem = Self::domain(error.code(), error.to_string(), error.retry_after());
        match error {
            operator::Error::PhoneInvalid { index } => problem.at(format!("/entries/{index}/phone")),
            _ => problem,
        }
    }
}

async fn phase(State(operations): State<Operations>, Action(call): Action) -> Result<Json<PhaseIs>, Error> {
    let phase = match operations.0.mitalk.phase(call).await? {
        Admits::Employees => Phase::Employees,
        Admits::ClosedTest => Phase::ClosedTest,
        Admits::Open => Phase::Open,
    };
    Ok(Json(PhaseIs { phase }))
}

async fn set_phase(
    State(operations): State<Operations>,
    Action(call): Action,
    Json(wanted): Json<PhaseIs>,
) -> Result<Json<PhaseIs>, Error> {
    let admits = match wanted.phase {
        Phase::Employees => Admits::Employees,
        Phase::ClosedTest => Admits::ClosedTest,
        Phase::Open => Admits::Open,
    };
    operations.0.mitalk.set_phase(call, admits).await?;
    Ok(Json(wanted))
}

async fn sunset(State(operations): State<Operations>, Action(call): Action) -> Result<Json<Sunset>, Error> {
    Ok(Json(shown(operations.0.mitalk.sunset(call).await?)))
}

async fn set_sunset(
    State(operations): State<Operations>,
    Action(call): Action,
    Json(wanted): Json<SetSunset>,
) -> Result<Json<Sunset>, Error> {
    let at = Timestamp(wanted.at_ms);
    Ok(Json(shown(operations.0.mitalk.set_sunset(call, at).await?)))
}

async fn cancel_sunset(
    State(operations): State<Operations>,
    Action(call): Action,
) -> Result<Json<Sunset>, Error> {
    Ok(Json(shown(operations.0.mitalk.cancel_sunset(call).await?)))
}

fn shown(sunset: sunset::Reply) -> Sunset {
    Sunset {
        at_ms: sunset.at.map(|at| at.0),
        purge: sunset.purge.map(|purge| Purge {
            pass: purge.pass,
            deleted: purge.deleted,
            left: purge.left,
            done_at_ms: purge.done_at.map(|at| at.0),
        }),
    }
}

async fn count_allowed(State(operations): State<Operations>) -> Result<Json<AllowCount>, Error> {
    let count = operations.0.mitalk.count_allowed().await?;
    Ok(Json(AllowCount {
        registered: count.registered,
        enabled: count.enabled,
    }))
}

async fn import_allowed(
    State(operations): State<Operations>,
    Action(call): Action,
    Json(import): Json<AllowImport>,
) -> Result<Json<AllowCount>, Error> {
    let numbers: Vec<_> = import
        .entries
        .into_iter()
        .map(|entry| AllowedNumber {
            phone: entry.phone,
            enabled: entry.enabled,
        })
        .collect();
    operations.0.mitalk.import_allow_list(call, &numbers).await?;
    count_allowed(State(operations)).await
}

async fn remove_allowed(
    State(operations): State<Operations>,
    Action(call): Action,
    Path(phone): Path<String>,
) -> Result<StatusCode, Error> {
    if operations.0.mitalk.remove_allowed(call, &phone).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Error::new(codes::NOT_FOUND).detail("This number is not on the allow-list"))
    }
}

async fn waitlist(
    State(operations): State<Operations>,
    Action(call): Action,
) -> Result<Json<Waitlist>, Error> {
    let view = operations.0.mitalk.waitlist(call, Home::default()).await?;
    Ok(Json(Waitlist {
        waiting: view.waiting,
        head: u64::from(view.head),
        admitted: view.admitted,
        owed: view.owed,
        per_hour: view.rate_per_hour,
    }))
}

async fn admit(
    State(operations): State<Operations>,
    Action(call): Action,
    Json(admit): Json<Admit>,
) -> Result<StatusCode, Error> {
    let mitalk = &operations.0.mitalk;
    let home = Home::default();
    match admit {
        Admit::Count(count) => mitalk.admit_next(call, home, count).await?,
        Admit::PerHour(rate) => mitalk.admit_per_hour(call, home, rate).await?,
        Admit::Phone(phone) => mitalk.admit_person(call, Person::Phone(phone)).await?,
        Admit::User(user) => {
            mitalk
                .admit_person(call, Person::User(user_id(&user, "/user")?))
                .await?
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn account(
    State(operations): State<Operations>,
    Action(call): Action,
    Path(who): Path<String>,
) -> Result<Json<Account>, Error> {
    let account = operations.0.mitalk.account(call, person(who)).await?;
    Ok(Json(Account {
        me: account.me.into(),
        created_at_ms: account.created_at.0,
        phone_hint: account.phone_hint,
        devices: account.devices,
    }))
}

async fn suspend(
    State(operations): State<Operations>,
    Action(call): Action,
    Path(who): Path<String>,
    Json(suspend): Json<Suspend>,
) -> Result<StatusCode, Error> {
    operations
        .0
        .mitalk
        .suspend(call, person(who), suspend.suspended)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InvitesQuery {
    user: String,
}

async fn invites_of(
    State(operations): State<Operations>,
    Action(call): Action,
    Query(query): Query<InvitesQuery>,
) -> Result<Json<InvitesOf>, Error> {
    Ok(Json(
        operations
            .0
            .mitalk
            .invites_of(call, user_id(&query.user, "user")?)
            .await?
            .into(),
    ))
}

async fn grant_invites(
    State(operations): State<Operations>,
    Action(call): Action,
    Json(grant): Json<Grant>,
) -> Result<Json<Granted>, Error> {
    let user = user_id(&grant.user, "/user")?;
    Ok(Json(Granted {
        left: operations.0.mitalk.grant_invites(call, user, grant.grant).await?,
    }))
}

async fn rooms(State(operations): State<Operations>) -> Result<Json<LiveRooms>, Error> {
    let mut rooms: Vec<LiveRoom> = operations
        .0
        .mitalk
        .rooms()
        .live()
        .into_iter()
        .map(live_room)
        .collect();
    rooms.sort_by_key(|room| std::cmp::Reverse(room.started_at_ms));
    Ok(Json(LiveRooms { rooms }))
}

async fn stop_room(
    State(operations): State<Operations>,
    Action(call): Action,
    Path(room): Path<RoomId>,
) -> Result<StatusCode, Error> {
    operations.0.mitalk.rooms().stop(room, call).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn test_accounts(
    State(operations): State<Operations>,
    Action(call): Action,
    Json(wanted): Json<TestAccounts>,
) -> Result<Json<TestAccountsMade>, Error> {
    let mitalk = &operations.0.mitalk;
    let made = match wanted.waiting {
        true => {
            mitalk
                .waiting_test_accounts(call, &wanted.prefix, wanted.count)
                .await?
        }
        false => mitalk.test_accounts(call, &wanted.prefix, wanted.count).await?,
    };
    let tokens = operations.0.api.tokens();
    let accounts = made.into_iter().map(|verified| TestAccount {
        user: verified.user.to_string(),
        tokens: Tokens {
            access_token: tokens.issue(verified.user, verified.device, verified.standing),
            access_expires_in_s: tokens.lifetime().as_secs(),
            refresh_token: verified.refresh_token,
        },
    });
    Ok(Json(TestAccountsMade {
        accounts: accounts.collect(),
    }))
}

fn live_room(card: Card) -> LiveRoom {
    LiveRoom {
        id: card.room.to_string(),
        stage_count: u32::try_from(card.stage().count()).unwrap_or(u32::MAX),
        audience_count: card.audience,
        visibility: card.settings.visibility.into(),
        title: card.settings.title,
        started_at_ms: card.started.0,
    }
}

/// An id or a number, whichever it is.
fn person(who: String) -> Person {
    match who.parse() {
        Ok(user) => Person::User(user),
        Err(_) => Person::Phone(who),
    }
}

fn user_id(text: &str, field: &str) -> Result<UserId, Error> {
    text.parse()
        .map_err(|_| Error::field(codes::UNPROCESSABLE, field, "This is not a user's id"))
}
