//! Is the process alive, and can it take requests.

use super::Operations;
use crate::api::Intended;
use crate::events::cloud_event::rfc3339;
use crate::events::kafka::State as Brokers;
use crate::wire::admin::{EventLog, Health, Readiness};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use mitalk_media::{Link, Stats};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The media engine answers for its statistics within so long, or it is not well. Nor is it with a shard that was given up
/// after several panics (its restart policy): the node takes no new people, and has to be restarted.
const MEDIA_TIMEOUT: Duration = Duration::from_secs(1);

/// A supervisor died, which none is known to: what it ran is not started again.
const UNSUPERVISED: &str = "a part of this node has failed for good: restart this node";

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
    let supervised = operations.0.mitalk.is_supervised();
    let fault = media_fault(media.as_ref()).or((!supervised).then_some(UNSUPERVISED));
    let stopping = cluster.stopping || operations.0.stopping.load(Ordering::Relaxed);
    let ready = cluster.ready && !stopping && fault.is_none();
    let fault = fault.or(stopping.then_some("stopping"));
    let reason = cluster.reason.or_else(|| fault.map(str::to_owned));
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
        stopping,
        event_log: event_log(operations.0.kafka.as_ref().map(|kafka| kafka.state())),
    };
    (status, Extension(Intended), Json(readiness))
}

/// Brokers that are away are told and make no node unready: it goes on, and events wait in the outboxes.
fn event_log(brokers: Option<Brokers>) -> EventLog {
    let mut told = EventLog {
        adapter: if brokers.is_some() { "kafka" } else { "sqlite" }.to_owned(),
        connected: true,
        away_since: None,
        reason: None,
        mismatches: vec![],
    };
    match brokers {
        None => {}
        Some(Brokers::Connected { mismatches }) => told.mismatches = mismatches,
        Some(Brokers::Away { since, reason }) => {
            told.connected = false;
            told.away_since = Some(rfc3339(since));
            told.reason = Some(reason);
        }
    }
    told
}

fn media_fault(media: Option<&Stats>) -> Option<&'static str> {
    match media {
        None => Some("the media engine does not answer"),
        Some(stats) if stats.stopped_shards > 0 => Some("a media thread has failed: restart this node"),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_shard_that_was_given_up_makes_the_node_unready() {
        let given_up = Stats {
            stopped_shards: 1,
            ..Stats::default()
        };
        assert!(media_fault(None).is_some());
        assert!(media_fault(Some(&given_up)).is_some());
        assert_eq!(media_fault(Some(&Stats::default())), None);
    }
}
