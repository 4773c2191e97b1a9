//! Is the process alive, and can it take requests.

use super::Operations;
use crate::api::Intended;
use crate::wire::admin::{Health, Readiness};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use mitalk_media::Link;
use std::time::Duration;

/// The media engine answers for its statistics within so long, or it is not well.
const MEDIA_TIMEOUT: Duration = Duration::from_secs(1);

/// The process answers. It asks nobody: a node that waits for its store is not to be restarted for it.
pub(super) async fn healthz() -> Json<Health> {
    Json(Health {
        status: "ok".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Whether this node should get requests.
pub(super) async fn readyz(
    State(operations): State<Operations>,
) -> (StatusCode, Extension<Intended>, Json<Readiness>) {
    let cluster = operations.0.mitalk.cluster().status();
    let media = tokio::time::timeout(MEDIA_TIMEOUT, operations.0.media.stats())
        .await
        .ok();
    let media_sessions = media.as_ref().map_or(0, |stats| {
        stats
            .sessions
            .iter()
            .filter(|session| session.link == Link::Up)
            .count()
    });
    let ready = cluster.ready && !cluster.stopping && media.is_some();
    let reason = match (&cluster.reason, &media) {
        (Some(reason), _) => Some(reason.clone()),
        (None, None) => Some("the media engine does not answer".to_owned()),
        (None, Some(_)) => None,
    };
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let readiness = Readiness {
        ready,
        reason,
        lease_holds: cluster.holds,
        shards: cluster.shards,
        entities: cluster.entities,
        media_sessions,
        stopping: cluster.stopping,
    };
    (status, Extension(Intended), Json(readiness))
}
