//! Dead letters and the audit. Events are shown as the CloudEvents that they are for others.

use super::super::Operations;
use super::Action;
use crate::api::{Error, Json, Path, Query, codes};
use crate::events::cloud_event::{self, CloudEvent};
use crate::wire::admin::{AuditPage, Letter, LetterShown, Letters};
use axum::extract::State;
use axum::http::StatusCode;
use mitalk_actors::events::AUDIT;
use mitalk_actors::ports::{DeadLetter, LetterId, Place};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Events of a page that does not say how many it wants.
const PAGE: usize = 500;
/// Partitions that a cursor may name: more than any topic has.
const CURSOR_PARTITIONS: usize = 1_024;

pub(super) async fn list(State(operations): State<Operations>) -> Result<Json<Letters>, Error> {
    let letters = operations.0.mitalk.dead_letters().await?;
    Ok(Json(Letters {
        letters: letters.iter().map(letter).collect(),
    }))
}

pub(super) async fn show(
    State(operations): State<Operations>,
    Path(id): Path<String>,
) -> Result<Json<LetterShown>, Error> {
    let found = operations.0.mitalk.dead_letter(&letter_id(&id)?).await?;
    Ok(Json(LetterShown {
        letter: letter(&found),
        event: json(&CloudEvent::new(&found.topic, &found.event)),
    }))
}

pub(super) async fn retry(
    State(operations): State<Operations>,
    Action(call): Action,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    operations
        .0
        .mitalk
        .retry_dead_letter(call, &letter_id(&id)?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn discard(
    State(operations): State<Operations>,
    Action(call): Action,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    operations
        .0
        .mitalk
        .drop_dead_letter(call, &letter_id(&id)?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    after: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn audit(
    State(operations): State<Operations>,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditPage>, Error> {
    let mut places = match &query.after {
        Some(cursor) => read_cursor(cursor)
            .ok_or_else(|| Error::field(codes::UNPROCESSABLE, "after", "This is not what `next` said"))?,
        None => BTreeMap::new(),
    };
    let after: Vec<Place> = places.values().copied().collect();
    let limit = query.limit.unwrap_or(PAGE).max(1);
    let page = operations.0.mitalk.audit(&after, limit).await?;
    places.extend(page.iter().map(|one| (one.place.partition, one.place)));
    let next = (!page.is_empty()).then(|| cursor(&places));
    let readable = page.iter().filter(|one| one.unreadable.is_none());
    let events = readable.map(|one| json(&CloudEvent::new(AUDIT, &one.event)));
    Ok(Json(AuditPage {
        events: events.collect(),
        next,
    }))
}

fn letter(letter: &DeadLetter) -> Letter {
    let trace = letter.event.trace.as_str();
    Letter {
        id: letter.id().to_string(),
        group: letter.group.clone(),
        topic: letter.topic.clone(),
        reason: letter.reason.clone(),
        dead_since: cloud_event::rfc3339(letter.at),
        trace: (!trace.is_empty()).then(|| trace.to_owned()),
    }
}

fn json(event: &CloudEvent) -> serde_json::Value {
    serde_json::to_value(event).expect("texts and values are always JSON")
}

fn letter_id(text: &str) -> Result<LetterId, Error> {
    text.parse().map_err(|error: mitalk_actors::ports::NoLetter| {
        Error::new(codes::NOT_FOUND).detail(error.to_string())
    })
}

/// `0-17.1-4`: offset 17 of partition 0, 4 of partition 1.
fn cursor(places: &BTreeMap<u32, Place>) -> String {
    let places = places
        .values()
        .map(|place| format!("{}-{}", place.partition, place.offset));
    places.collect::<Vec<_>>().join(".")
}

fn read_cursor(text: &str) -> Option<BTreeMap<u32, Place>> {
    let place = |text: &str| {
        let (partition, offset) = text.split_once('-')?;
        let (partition, offset) = (partition.parse().ok()?, offset.parse().ok()?);
        Some((partition, Place { partition, offset }))
    };
    let places: BTreeMap<u32, Place> = text
        .split('.')
        .take(CURSOR_PARTITIONS)
        .map(place)
        .collect::<Option<_>>()?;
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_other_texts_are_none() {
        let places: BTreeMap<_, _> = [(0, 17), (3, 0)]
            .map(|(partition, offset)| (partition, Place { partition, offset }))
            .into();
        assert_eq!(cursor(&places), "0-17.3-0");
        assert_eq!(read_cursor("0-17.3-0"), Some(places));
        for text in ["", "0", "0-", "-1", "a-b", "0-1..", "0--1"] {
            assert_eq!(read_cursor(text), None, "{text}");
        }
    }
}
