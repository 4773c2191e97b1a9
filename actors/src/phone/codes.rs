//! One-time codes: sending with back-off and quota, and checking.

use super::{Effect, Event, Phone, Refusal, Reply, Secret, State};
use crate::language::Language;
use crate::limits::Codes;
use crate::number::SealedNumber;
use crate::secrets::same;
use mitalk_cluster::{Context, Decision, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A code that is out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    hash: [u8; 32],
    pub(super) expires_at: Timestamp,
    pub(super) wrong: u32,
}

/// What a `SendCode` brings.
pub(super) struct Send {
    pub(super) code: Secret,
    pub(super) hash: [u8; 32],
    pub(super) number: SealedNumber,
    pub(super) language: Option<Language>,
}

pub(super) fn send(
    state: &State,
    send: Send,
    limits: &Codes,
    cx: &Context,
) -> Result<Decision<Phone>, Refusal> {
    let day = cx.now - DAY;
    let within_day = |times: &[Timestamp]| times.iter().copied().filter(|at| *at > day).collect::<Vec<_>>();
    let (sent, wrong) = (within_day(&state.sent), within_day(&state.wrong));
    let over = |times: &[Timestamp], most: u32| times.len() >= most as usize;
    if over(&sent, limits.per_number_and_day) || over(&wrong, limits.wrong_tries_per_day) {
        // The earliest of those that count leaves the window then.
        let full = if over(&sent, limits.per_number_and_day) {
            &sent
        } else {
            &wrong
        };
        return Err(too_many(full[0] + DAY, cx));
    }
    if let Some(last) = sent.last() {
        let next = *last + limits.resend_after(sent.len() as u32);
        if cx.now < next {
            return Err(too_many(next, cx));
        }
    }
    let expires_at = cx.now + Duration::from_secs(limits.lifetime_s);
    let resend_after = limits.resend_after(sent.len() as u32 + 1);
    Ok(Decision::reply(Reply::Sent { resend_after })
        .event(Event::CodeSent {
            code: Code {
                hash: send.hash,
                expires_at,
                wrong: 0,
            },
            at: cx.now,
            day,
        })
        .effect(Effect::SendCode {
            code: send.code,
            number: send.number,
            language: send.language,
        }))
}

/// Whether the code fitted; if not, what is left.
pub(super) enum Checked {
    Fits,
    Wrong { left: u32 },
}

pub(super) fn check(
    state: &State,
    hashes: &[[u8; 32]],
    limits: &Codes,
    cx: &Context,
) -> Result<Checked, Refusal> {
    let code = state
        .code
        .as_ref()
        .filter(|code| cx.now < code.expires_at)
        .ok_or(Refusal::Expired)?;
    let wrong_today = state.wrong.iter().filter(|at| **at > cx.now - DAY).count();
    let wrong_today = u32::try_from(wrong_today).unwrap_or(u32::MAX);
    let left = limits
        .tries
        .saturating_sub(code.wrong)
        .min(limits.wrong_tries_per_day.saturating_sub(wrong_today));
    if left == 0 {
        return Err(Refusal::TriesUsedUp);
    }
    if hashes
        .iter()
        .fold(false, |found, hash| same(hash, &code.hash) | found)
    {
        return Ok(Checked::Fits);
    }
    Ok(Checked::Wrong { left: left - 1 })
}

fn too_many(next: Timestamp, cx: &Context) -> Refusal {
    Refusal::TooMany {
        retry_after: next.since(cx.now),
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code(until {}, {} wrong)", self.expires_at.0, self.wrong)
    }
}
