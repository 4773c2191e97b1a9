//! An event as a CloudEvent 1.0 in structured JSON, and back.
//!
//! | attribute | what |
//! |---|---|
//! | `id` | `kind/key/sequence`: unique, and the same for each repeat |
//! | `source` | always `/mitalk` |
//! | `type` | the topic, and the message's own type after it: `mitalk.invites.v1.created` |
//! | `subject` | the entity whose outbox it came from: `kind/key` |
//! | `time` | when it was decided, RFC 3339 in UTC with milliseconds |
//! | `sequence` | extension: the entity's sequence, 20 digits, so that text order is number order |
//! | `data` | the message, as described by the topic's schema in `deploy/events` |
//!
//! Payloads are MessagePack inside the service. Those that JSON cannot say exactly (nothing that the service sends) travel
//! as they are, in `data_base64`. The traceparent is no attribute: it rides in the transport's headers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mitalk_cluster::store::Event;
use mitalk_cluster::{EntityId, Timestamp, Trace};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// The media type of what [`encode`] writes.
pub const CONTENT_TYPE: &str = "application/cloudevents+json; charset=UTF-8";
const VERSION: &str = "1.0";
const SOURCE: &str = "/mitalk";
const JSON: &str = "application/json";
const MESSAGE_PACK: &str = "application/msgpack";
/// The last millisecond that RFC 3339 can say.
const LAST_MS: u64 = 253_402_300_799_999;
const NANOS_PER_MS: i128 = 1_000_000;

/// The attributes and the data. Attributes of others are passed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// `1.0`.
    pub specversion: String,
    /// See the module, here and below.
    pub id: String,
    /// The service.
    pub source: String,
    /// The topic and the message's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The entity.
    pub subject: String,
    /// RFC 3339.
    pub time: String,
    /// 20 digits.
    pub sequence: String,
    /// `application/json`, or what is in `data_base64`.
    pub datacontenttype: String,
    /// The message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// A payload that is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
}

/// Bytes that are no event of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a CloudEvent of this service: {0}")]
pub struct Unreadable(String);

impl CloudEvent {
    /// An event of a topic.
    pub fn new(topic: &str, event: &Event) -> Self {
        let data = exact_json(&event.payload);
        let data_base64 = data.is_none().then(|| STANDARD.encode(&event.payload));
        let message = data.as_ref().and_then(|data| data.get("type"));
        Self {
            specversion: VERSION.to_owned(),
            id: event.id(),
            source: SOURCE.to_owned(),
            kind: match message.and_then(Value::as_str) {
                Some(message) => format!("{topic}.{message}"),
                None => topic.to_owned(),
            },
            subject: event.source.to_string(),
            time: rfc3339(event.at),
            sequence: format!("{:020}", event.sequence),
            datacontenttype: if data.is_some() { JSON } else { MESSAGE_PACK }.to_owned(),
            data,
            data_base64,
        }
    }

    /// The event, with the trace that came beside it.
    ///
    /// # Errors
    /// It is not one of this service.
    pub fn event(self, trace: Trace) -> Result<Event, Unreadable> {
        let wrong = |what: &str| Unreadable(format!("its {what} is not as expected"));
        if self.specversion != VERSION {
            return Err(wrong("specversion"));
        }
        let (kind, key) = self.subject.split_once('/').ok_or_else(|| wrong("subject"))?;
        let payload = match (&self.data, &self.data_base64) {
            (Some(data), None) => rmp_serde::to_vec_named(data).map_err(|_| wrong("data"))?,
            (None, Some(text)) => STANDARD.decode(text).map_err(|_| wrong("data_base64"))?,
            _ => return Err(wrong("data")),
        };
        let event = Event {
            source: EntityId::new(kind, key),
            sequence: self.sequence.parse().map_err(|_| wrong("sequence"))?,
            at: timestamp(&self.time).ok_or_else(|| wrong("time"))?,
            payload,
            trace,
        };
        if event.id() == self.id {
            Ok(event)
        } else {
            Err(wrong("id"))
        }
    }
}

/// The bytes of an event of a topic.
pub fn encode(topic: &str, event: &Event) -> Vec<u8> {
    serde_json::to_vec(&CloudEvent::new(topic, event)).expect("texts and values always serialise into memory")
}

/// Reads what [`encode`] wrote, in whatever order and with whatever attributes more.
///
/// # Errors
/// It is something else.
pub fn decode(bytes: &[u8], trace: Trace) -> Result<Event, Unreadable> {
    let event: CloudEvent = serde_json::from_slice(bytes).map_err(|error| Unreadable(error.to_string()))?;
    event.event(trace)
}

/// The payload as JSON, if that gives the same bytes again.
fn exact_json(payload: &[u8]) -> Option<Value> {
    let value: Value = rmp_serde::from_slice(payload).ok()?;
    // Absent data is `null` to most readers.
    let exact = !value.is_null() && rmp_serde::to_vec_named(&value).is_ok_and(|again| again == payload);
    exact.then_some(value)
}

/// RFC 3339 in UTC with milliseconds; what is later than the year 9999 is its end.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let nanos = i128::from(at.0.min(LAST_MS)) * NANOS_PER_MS;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).expect("no later than the year 9999");
    let (date, clock) = (time.date(), time.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
        clock.millisecond()
    )
}

fn timestamp(text: &str) -> Option<Timestamp> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let nanos = time.to_offset(UtcOffset::UTC).unix_timestamp_nanos();
    u64::try_from(nanos / NANOS_PER_MS).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mitalk_actors::events::{INVITES, Invites, Message as _};
    use mitalk_actors::id::{Home, InviteId, UserId};
    use proptest::prelude::*;

    fn trace() -> Trace {
        Trace::new("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    }

    #[test]
    fn a_message_looks_as_documented() {
        let created = Invites::Created {
            invite: InviteId::new(Home::default(), 7),
            by: UserId::new(Home::default(), 8),
            to_number: true,
        };
        let event = Event {
            source: EntityId::new("user", "aa0"),
            sequence: 12,
            at: Timestamp(1_800_000_000_007),
            payload: created.outgoing().payload,
            trace: trace(),
        };
        let text = String::from_utf8(encode(INVITES, &event)).unwrap();
        assert_eq!(
            text,
            "{\"specversion\":\"1.0\",\"id\":\"user/aa0/12\",\"source\":\"/mitalk\",\"type\":\"mitalk.invites.v1.created\",\
             \"subject\":\"user/aa0\",\"time\":\"2027-01-15T08:00:00.007Z\",\"sequence\":\"00000000000000000012\",\
             \"datacontenttype\":\"application/json\",\"data\":{\"type\":\"created\",\
             \"invite\":\"aa0000000000000000000007\",\"by\":\"aa0000000000000000000008\",\"to_number\":true}}"
        );
        assert_eq!(decode(text.as_bytes(), trace()), Ok(event));
    }

    type Spoil = fn(&mut CloudEvent);

    #[test]
    fn what_is_not_ours_is_refused_with_what_is_wrong() {
        let event = Event {
            source: EntityId::new("user", "a"),
            sequence: 1,
            at: Timestamp(0),
            payload: vec![0xc1],
            trace: Trace::default(),
        };
        let good = CloudEvent::new("t", &event);
        assert_eq!(good.data_base64.as_deref(), Some("wQ=="), "no MessagePack at all");
        let broken: [(&str, Spoil); 6] = [
            ("specversion", |event| event.specversion = "0.3".into()),
            ("subject", |event| event.subject = "nobody".into()),
            ("sequence", |event| event.sequence = "one".into()),
            ("time", |event| event.time = "yesterday".into()),
            ("id", |event| event.id = "user/b/1".into()),
            ("data", |event| event.data_base64 = None),
        ];
        for (what, spoil) in broken {
            let mut event = good.clone();
            spoil(&mut event);
            let error = event.event(Trace::default()).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
        assert!(decode(b"\xff\x00", Trace::default()).is_err());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map("\\PC{0,9}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_event_comes_back_as_it_was(
            payload in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                value().prop_map(|value| rmp_serde::to_vec_named(&value).unwrap()),
            ],
            kind in "[a-z]{1,9}", key in "\\PC{0,40}", sequence: u64, at in 0..=LAST_MS,
        ) {
            let event = Event { source: EntityId::new(&kind, &key), sequence, at: Timestamp(at), payload, trace: trace() };
            prop_assert_eq!(decode(&encode("topic", &event), trace()), Ok(event));
        }

        #[test]
        fn any_bytes_are_an_event_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes, Trace::default());
        }
    }
}
