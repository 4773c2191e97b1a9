//! What a service worker gets, and how it is encrypted for it.

use mitalk_actors::ports::PushMessage;
use mitalk_actors::push::{Kind, Subscription};
use serde::Serialize;
use web_push_native::p256::PublicKey;
use web_push_native::{Auth, encrypt};

/// The largest payload: encrypted, it is within what every push service takes (RFC 8291, 4).
pub(super) const PAYLOAD_BYTES: usize = 3 * 1024;
/// The record size that is announced. One record has it all, and must be smaller (RFC 8291, 4).
const RECORD_BYTES: u32 = 4_096;
/// Where it stands in the header, behind the salt (RFC 8188, 2.1).
const RECORD_AT: std::ops::Range<usize> = 16..20;

/// What `web/src/sw.ts` reads. Fields are only added: workers of earlier releases live on for a while.
#[derive(Serialize)]
struct Payload<'a> {
    /// The event: two messages with the same are the same.
    tag: &'a str,
    kind: Kind,
    /// Notices that it stands for.
    count: usize,
    /// Whom the one that it shows is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<&'a str>,
    /// The room's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    /// The page that a tap opens.
    path: String,
    /// The language of the device.
    language: &'a str,
    /// When that happened.
    at_ms: u64,
}

/// The body in the clear.
pub(super) fn payload(message: &PushMessage) -> Vec<u8> {
    let said = &message.said;
    let payload = Payload {
        tag: &message.key.0,
        kind: said.kind,
        count: said.count,
        who: said.who.as_deref(),
        title: said.title.as_deref(),
        path: path(message),
        language: &message.to.language,
        at_ms: said.at.0,
    };
    serde_json::to_vec(&payload).expect("texts and numbers are always JSON")
}

/// Of several, a room is opened where somebody waits; the others are in the list.
fn path(message: &PushMessage) -> String {
    let said = &message.said;
    match said.room {
        Some(room) if said.count == 1 || said.kind.is_urgent() => format!("/r/{room}"),
        None if said.kind == Kind::Admitted && said.count == 1 => "/".to_owned(),
        _ => "/notices".to_owned(),
    }
}

/// Whether its keys are keys: a point of the curve, and a secret.
pub(super) fn has_keys(to: &Subscription) -> bool {
    keys(to).is_some()
}

fn keys(to: &Subscription) -> Option<(PublicKey, Auth)> {
    let point = PublicKey::from_sec1_bytes(&to.p256dh).ok()?;
    Some((point, Auth::from_exact_iter(to.auth.iter().copied())?))
}

/// The body as only the browser reads it (RFC 8291). Absent: it is too large, or its keys are none.
pub(super) fn encrypted(payload: Vec<u8>, to: &Subscription) -> Option<Vec<u8>> {
    if payload.len() > PAYLOAD_BYTES {
        return None;
    }
    let (point, auth) = keys(to)?;
    let mut body = encrypt(payload, &point, &auth).ok()?;
    // The library announces the record's very size, and the RFC wants a larger one. Nothing is derived from it.
    body.get_mut(RECORD_AT)?
        .copy_from_slice(&RECORD_BYTES.to_be_bytes());
    Some(body)
}
