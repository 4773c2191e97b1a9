//! Events as others see them: each message fits the schema of its topic in `deploy/events`, and what earlier releases sent,
//! kept in `deploy/events/fixtures`, can still be read.
//!
//! Fixtures are `<topic>.<name>.<n>.json`; files are only ever added: `MITALK_FIXTURES=write` adds those that are missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mitalk::events::cloud_event;
use mitalk_actors::events::{
    AUDIT, Actor, Audit, INVITES, Invites, Message, NOTICES, Notices, PUSHES, Pushes, TOPICS,
};
use mitalk_actors::id::{DeviceId, Home, InviteId, RoomId, UserId};
use mitalk_cluster::store::Event;
use mitalk_cluster::{EntityId, Timestamp, Trace};
use mitalk_tests::events::Schemas;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/events/fixtures")
}

fn user(n: u128) -> UserId {
    UserId::new(Home::default(), n)
}

fn room() -> RoomId {
    RoomId::new(Home::default(), 77)
}

fn invites() -> Vec<(&'static str, Invites)> {
    let (invite, by) = (InviteId::new(Home::default(), u128::MAX), user(1));
    vec![
        (
            "created",
            Invites::Created {
                invite,
                by,
                to_number: true,
            },
        ),
        ("accepted", Invites::Accepted { invite, by }),
        ("revoked", Invites::Revoked { invite }),
        ("expired", Invites::Expired { invite }),
        ("given_back", Invites::GivenBack { invite }),
    ]
}

fn notices() -> Vec<(&'static str, Notices)> {
    let (to, by, room) = (user(1), user(2), room());
    vec![
        ("admitted", Notices::Admitted { user: to }),
        ("stage_invitation", Notices::StageInvitation { to, room, by }),
        ("pinged", Notices::Pinged { to, room, by }),
        ("room_started", Notices::RoomStarted { by, room }),
    ]
}

fn pushes() -> Vec<(&'static str, Pushes)> {
    let due = |device, tag| Pushes::Due {
        to: user(1),
        from_seq: 2,
        up_to_seq: 9,
        device,
        tag,
        tries: 3,
    };
    let device = Some(DeviceId::new(Home::default(), 4));
    vec![
        ("due", due(None, None)),
        (
            "due_again",
            due(device, Some("user/aa0000000000000000000001/11".into())),
        ),
    ]
}

fn audits() -> Vec<(&'static str, Audit)> {
    let mut whole = Audit::new(Actor::User(user(1)), "room_banned")
        .user(user(2))
        .room(room())
        .count(u64::MAX)
        .value("word");
    whole.invite = Some(InviteId::new(Home::default(), 3));
    vec![
        ("by_user", whole),
        (
            "by_operator",
            Audit::new(Actor::Operator, "phase_set").value("open"),
        ),
        ("by_service", Audit::new(Actor::Service, "account_deleted")),
    ]
}

/// Every message there is: topic, name, event.
fn all() -> Vec<(&'static str, &'static str, Event)> {
    fn of<M: Message>(messages: Vec<(&'static str, M)>) -> Vec<(&'static str, &'static str, Event)> {
        let event = |(name, message): (&'static str, M)| {
            let event = Event {
                source: EntityId::new("user", "aa0000000000000000000001"),
                sequence: 12,
                at: Timestamp(1_800_000_000_007),
                payload: message.outgoing().payload,
                trace: Trace::default(),
            };
            (M::TOPIC, name, event)
        };
        messages.into_iter().map(event).collect()
    }
    [of(invites()), of(notices()), of(pushes()), of(audits())].concat()
}

#[test]
fn every_message_fits_its_schema_and_comes_back() {
    let schemas = Schemas::read();
    for (topic, name, event) in all() {
        let bytes = cloud_event::encode(topic, &event);
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert!(value.get("data").is_some(), "{topic} {name} is JSON");
        schemas.check(topic, &value);
        assert_eq!(cloud_event::decode(&bytes, Trace::default()).unwrap(), event);
    }
}

#[test]
fn what_is_no_event_of_the_topic_does_not_fit() {
    let schemas = Schemas::read();
    let (_, _, event) = all().remove(0);
    let good = serde_json::to_value(cloud_event::CloudEvent::new(INVITES, &event)).unwrap();
    schemas.check(INVITES, &good);
    for (field, value) in [
        ("/data/invite", "+4915112345678"),
        ("/data/type", "unheard_of"),
        ("/type", "mitalk.invites.v1"),
        ("/sequence", "12"),
        ("/time", "yesterday"),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(field).unwrap() = value.into();
        assert!(schemas.fault(INVITES, &bad).is_some(), "{field} = {value}");
    }
    for other in [NOTICES, PUSHES, AUDIT] {
        assert!(schemas.fault(other, &good).is_some(), "another topic's");
    }
}

#[test]
fn what_was_ever_sent_can_be_read_and_today_is_kept() {
    let mut kept = BTreeMap::<String, Vec<(u32, PathBuf)>>::new();
    for entry in std::fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (stem, n) = name.strip_suffix(".json").unwrap().rsplit_once('.').unwrap();
        let files = kept.entry(stem.to_owned()).or_default();
        files.push((n.parse().unwrap(), path.clone()));
        files.sort();
        let topic = TOPICS.into_iter().find(|topic| name.starts_with(topic)).unwrap();
        let read = cloud_event::decode(&std::fs::read(&path).unwrap(), Trace::default());
        let event = read.unwrap_or_else(|error| panic!("{name}: {error}"));
        let message = match topic {
            INVITES => Invites::read(&event.payload).map(drop),
            NOTICES => Notices::read(&event.payload).map(drop),
            PUSHES => Pushes::read(&event.payload).map(drop),
            _ => Audit::read(&event.payload).map(drop),
        };
        message.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for (topic, name, event) in all() {
        let stem = format!("{topic}.{name}");
        let newest = kept.get(&stem).and_then(|files| files.last());
        let bytes = cloud_event::encode(topic, &event);
        if newest.is_some_and(|(_, path)| std::fs::read(path).unwrap() == bytes) {
            continue;
        }
        let file = format!("{stem}.{}.json", newest.map_or(1, |(n, _)| n + 1));
        assert!(
            std::env::var_os("MITALK_FIXTURES").is_some_and(|what| what == "write"),
            "{stem} looks different from what is kept. Consumers outside read it: only add fields. Then MITALK_FIXTURES=write \
             adds {file}; change or remove none of the others."
        );
        std::fs::write(directory().join(&file), &bytes).unwrap();
    }
}
