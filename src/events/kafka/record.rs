//! A message on the wire: a CloudEvent in structured JSON, keyed by its entity, with what concerns only the transport in
//! headers.

use crate::events::cloud_event;
use mitalk_actors::ports::{DeadLetter, Delivered, Place};
use mitalk_cluster::store::Event;
use mitalk_cluster::{EntityId, Timestamp, Trace};
use rdkafka::message::{Header, Headers as _, Message, OwnedHeaders};

const CONTENT_TYPE: &str = "content-type";
const TRACE: &str = "traceparent";
/// The only group that a dead letter is tried again for.
const AGAIN_FOR: &str = "mitalk-again-for";
/// Of dead letters.
const GROUP: &str = "mitalk-group";
const REASON: &str = "mitalk-reason";
const PUT_AT: &str = "mitalk-dead-since-ms";
/// What stands in for the source of a message that is no event; its key is the partition.
const UNREADABLE: &str = "unreadable";
/// Bytes that are kept of what nobody can read: a dead letter with all of it could be larger than a message may be.
const UNREADABLE_KEPT: usize = 65_536;

/// A message to be sent.
pub(super) struct Outbound {
    pub(super) key: String,
    /// None: whatever has this key is removed.
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: OwnedHeaders,
}

impl Outbound {
    /// An event of a topic; `again_for`: the only group that it is for.
    pub(super) fn event(topic: &str, event: &Event, again_for: Option<&str>) -> Self {
        let headers = headers(event);
        Self {
            key: event.source.to_string(),
            value: Some(cloud_event::encode(topic, event)),
            headers: match again_for {
                Some(group) => with(headers, AGAIN_FOR, group),
                None => headers,
            },
        }
    }

    /// A dead letter.
    pub(super) fn letter(letter: &DeadLetter) -> Self {
        let mut headers = headers(&letter.event);
        headers = with(headers, GROUP, &letter.group);
        headers = with(headers, REASON, &letter.reason);
        headers = with(headers, PUT_AT, &letter.at.0.to_string());
        Self {
            key: letter.id().to_string(),
            value: Some(cloud_event::encode(&letter.topic, &letter.event)),
            headers,
        }
    }

    /// The end of a dead letter.
    pub(super) fn no_letter(id: String) -> Self {
        Self {
            key: id,
            value: None,
            headers: OwnedHeaders::new(),
        }
    }
}

fn headers(event: &Event) -> OwnedHeaders {
    let headers = with(OwnedHeaders::new(), CONTENT_TYPE, cloud_event::CONTENT_TYPE);
    match event.trace.as_str() {
        "" => headers,
        trace => with(headers, TRACE, trace),
    }
}

fn with(headers: OwnedHeaders, key: &str, value: &str) -> OwnedHeaders {
    headers.insert(Header {
        key,
        value: Some(value),
    })
}

/// The text of a header, if it is there and text.
fn header<'a>(message: &'a impl Message, key: &str) -> Option<&'a str> {
    let headers = message.headers()?;
    let found = headers.iter().find(|header| header.key == key)?;
    std::str::from_utf8(found.value?).ok()
}

/// Where a message lies.
pub(super) fn place(message: &impl Message) -> Place {
    Place {
        partition: u32::try_from(message.partition()).unwrap_or_default(),
        offset: u64::try_from(message.offset()).unwrap_or_default(),
    }
}

/// A message of a topic, as it came. What nobody can read is told apart, and stays in its place as an event of its own.
pub(super) fn delivered(message: &impl Message) -> Delivered {
    let place = place(message);
    let payload = message.payload().unwrap_or_default();
    let trace = Trace::new(header(message, TRACE).unwrap_or_default());
    let (event, unreadable) = match cloud_event::decode(payload, trace) {
        Ok(event) => (event, None),
        Err(error) => (stand_in(message, place, payload), Some(error.to_string())),
    };
    Delivered {
        place,
        event,
        recorded: 0,
        again_for: header(message, AGAIN_FOR).map(str::to_owned),
        unreadable,
    }
}

fn stand_in(message: &impl Message, place: Place, payload: &[u8]) -> Event {
    let at = message.timestamp().to_millis().unwrap_or_default();
    Event {
        source: EntityId::new(UNREADABLE, &place.partition.to_string()),
        // Sequences begin with 1, offsets with 0.
        sequence: place.offset + 1,
        at: Timestamp(u64::try_from(at).unwrap_or_default()),
        payload: payload[..payload.len().min(UNREADABLE_KEPT)].to_vec(),
        trace: Trace::default(),
    }
}

/// A message of a topic of dead letters: its key, and the letter, unless that was removed or is none.
pub(super) fn letter(topic: &str, message: &impl Message) -> Option<(Vec<u8>, Option<DeadLetter>)> {
    let key = message.key()?.to_vec();
    let read = || {
        let trace = Trace::new(header(message, TRACE).unwrap_or_default());
        Some(DeadLetter {
            group: header(message, GROUP)?.to_owned(),
            topic: topic.to_owned(),
            event: cloud_event::decode(message.payload()?, trace).ok()?,
            reason: header(message, REASON)?.to_owned(),
            at: Timestamp(header(message, PUT_AT)?.parse().ok()?),
        })
    };
    let letter = read();
    Some((key, letter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mitalk_actors::events::{NOTICES, Notices};
    use mitalk_actors::id::{Home, UserId};
    use rdkafka::Timestamp as WireTimestamp;
    use rdkafka::message::OwnedMessage;

    fn event() -> Event {
        let user = UserId::new(Home::default(), 1);
        Event {
            source: EntityId::new("user", &user.to_string()),
            sequence: 4,
            at: Timestamp(1_800_000_000_007),
            payload: mitalk_actors::events::Message::outgoing(&Notices::Admitted { user }).payload,
            trace: Trace::new("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        }
    }

    /// As it arrives at `3/17`.
    fn arrived(message: Outbound) -> OwnedMessage {
        let (key, time) = (message.key.into_bytes(), WireTimestamp::CreateTime(5_000));
        let topic = NOTICES.to_owned();
        OwnedMessage::new(
            message.value,
            Some(key),
            topic,
            time,
            3,
            17,
            Some(message.headers),
        )
    }

    #[test]
    fn an_event_arrives_as_it_was_sent_with_its_trace() {
        let sent = Outbound::event(NOTICES, &event(), None);
        assert_eq!(
            sent.key,
            event().source.to_string(),
            "so that an entity's events lie together"
        );
        let arrived = arrived(sent);
        assert_eq!(header(&arrived, TRACE), Some(event().trace.as_str()));
        assert_eq!(
            header(&arrived, CONTENT_TYPE),
            Some("application/cloudevents+json; charset=UTF-8")
        );
        let expected = Delivered {
            place: Place {
                partition: 3,
                offset: 17,
            },
            event: event(),
            recorded: 0,
            again_for: None,
            unreadable: None,
        };
        assert_eq!(delivered(&arrived), expected);
        let again = Outbound::event(NOTICES, &event(), Some("inviter"));
        assert_eq!(
            delivered(&self::arrived(again)).again_for.as_deref(),
            Some("inviter")
        );
    }

    #[test]
    fn what_nobody_can_read_keeps_its_bytes_and_its_place() {
        let mut message = Outbound::event(NOTICES, &event(), None);
        message.value = Some(b"{}".to_vec());
        let found = delivered(&arrived(message));
        assert!(found.unreadable.is_some());
        assert_eq!(found.event.id(), "unreadable/3/18");
        assert_eq!(
            (found.event.payload, found.event.at),
            (b"{}".to_vec(), Timestamp(5_000))
        );
    }

    /// As many bytes as the brokers take do not fit into a dead letter with its reason.
    #[test]
    fn what_nobody_can_read_and_is_large_keeps_its_beginning() {
        let mut message = Outbound::event(NOTICES, &event(), None);
        message.value = Some(vec![b'x'; 1_000_000]);
        let found = delivered(&arrived(message));
        assert_eq!(found.event.payload, [b'x'; UNREADABLE_KEPT]);
    }

    #[test]
    fn a_dead_letter_comes_back_whole_and_ends_by_its_name() {
        let sent = DeadLetter {
            group: "inviter".to_owned(),
            topic: NOTICES.to_owned(),
            event: event(),
            reason: "ungültig".to_owned(),
            at: Timestamp(1_800_000_001_000),
        };
        let key = sent.id().to_string().into_bytes();
        let found = letter(NOTICES, &arrived(Outbound::letter(&sent)));
        assert_eq!(found, Some((key.clone(), Some(sent.clone()))));
        let end = Outbound::no_letter(sent.id().to_string());
        assert_eq!(letter(NOTICES, &arrived(end)), Some((key, None)));
    }
}
