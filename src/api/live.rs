//! `GET /v1/live`: the live socket. What it carries is [`crate::wire::live`].
//!
//! - The token comes in the first message, never in the URL; the page's Origin must be ours ([`origin`]).
//! - Nothing waits for a client: what is for it goes through a bounded queue, and a client too slow to empty it is closed
//!   and heals by asking again. What comes from it is bounded in size, rate and silence.
//! - The socket ends with its token unless a fresh one came.
//!
//! One task per socket ([`session`]); [`Sockets`] counts them and tells them to move when the node stops.

mod end;
mod origin;
mod session;

use super::problem::Error;
use super::{Api, Context, codes};
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The largest message from a client, in bytes; a larger one ends the socket with 1009.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;
/// A message beyond this is not even taken in: the connection breaks.
const HARD_LIMIT_BYTES: usize = 4 * MAX_MESSAGE_BYTES;
/// What may wait in the socket's own buffer before the writer waits, in bytes. One frame above it could never be sent: a
/// moderator's snapshot of a full stage and a full queue of hands, every text as long as it may be, fits (tested).
const WRITE_BUFFER_BYTES: usize = 1024 * 1024;

/// The live sockets of this listener.
pub(super) struct Sockets {
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    moving: CancellationToken,
}

impl Sockets {
    pub(super) fn new(most: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            tasks: TaskTracker::new(),
            moving: CancellationToken::new(),
        }
    }

    /// Tells every socket to move, and waits until they are closed or `limit` is over.
    pub(super) async fn drain(&self, limit: Duration) {
        self.moving.cancel();
        self.tasks.close();
        if tokio::time::timeout(limit, self.tasks.wait()).await.is_err() {
            tracing::info!(sockets = self.tasks.len(), "live sockets did not close in time");
        }
    }
}

/// The live socket: a WebSocket of JSON text frames.
///
/// `ClientMessage` goes in, `ServerMessage` comes out. The first message must be `hello` with an access token.
#[utoipa::path(
    get, path = "/v1/live", tag = "live", security(()),
    responses((status = 101, description = "The WebSocket is open")),
    extensions(("x-problems" = json!(["origin_refused"]))),
)]
pub(super) async fn connect(
    State(api): State<Api>,
    context: Context,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    let upgrade = upgrade.map_err(|error| {
        Error::new(codes::BAD_REQUEST).detail(format!("This is a WebSocket: {}", error.body_text()))
    })?;
    if !origin::is_allowed(&headers, &api.0.origins) {
        return Err(codes::ORIGIN_REFUSED.into());
    }
    if api.0.sockets.moving.is_cancelled() {
        return Err(Error::new(codes::STARTING).retry_after(session::MOVE_WITHIN));
    }
    let place = api.0.sockets.places.clone().try_acquire_owned();
    let place = place.map_err(|_| Error::new(codes::OVERLOADED).retry_after(session::MOVE_WITHIN))?;
    let upgrade = upgrade
        .max_message_size(HARD_LIMIT_BYTES)
        .max_frame_size(HARD_LIMIT_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES);
    Ok(upgrade.on_upgrade(move |socket: WebSocket| async move {
        let tasks = api.0.sockets.tasks.clone();
        let gauge = api.0.metrics.sockets.clone();
        gauge.inc();
        tasks.track_future(session::run(api, context, socket)).await;
        gauge.dec();
        drop(place);
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::live::ServerMessage;
    use crate::wire::people::PersonBrief;
    use crate::wire::rooms::{Hand, HandRaising, Role, RoomSnapshot, StageMember, Visibility};
    use mitalk_actors::limits;

    /// A person whose every text is as long as it may be, in characters that take most bytes as JSON.
    fn longest() -> PersonBrief {
        let (profile, wide) = (limits::Profile::default(), "\u{1}");
        PersonBrief {
            id: "de-0123456789abcdefghijklmnop".to_owned(),
            name: wide.repeat(profile.name_chars),
            handle: Some("h".repeat(30)),
            headline: wide.repeat(profile.headline_chars),
        }
    }

    #[test]
    fn the_largest_snapshot_fits_into_the_write_buffer() {
        let rooms = limits::Rooms::default();
        let member = StageMember {
            person: longest(),
            role: Role::Moderator,
            number: u32::MAX,
            muted: false,
            away: false,
        };
        let hand = Hand {
            person: longest(),
            raised_at_ms: u64::MAX,
        };
        let room = RoomSnapshot {
            id: "de-0123456789abcdefghijklmnop".to_owned(),
            seq: u64::MAX,
            title: "\u{1}".repeat(rooms.title_chars),
            topics: vec!["\u{1}".repeat(rooms.topic_chars); rooms.topics],
            language: None,
            visibility: Visibility::Closed,
            link_key: Some("k".repeat(64)),
            hand_raising: HandRaising::Everyone,
            stage: vec![member; rooms.stage],
            hands: vec![hand; rooms.hands],
            hand_count: u32::MAX,
            my_hand: None,
            invited_to_stage: false,
            my_role: Some(Role::Moderator),
            audience_count: u32::MAX,
            started_at_ms: u64::MAX,
            ended: false,
        };
        let text = serde_json::to_string(&ServerMessage::RoomSnapshot { room }).unwrap();
        assert!(text.len() < WRITE_BUFFER_BYTES, "{} bytes", text.len());
    }
}
