//! Signatures after Standard Webhooks (<https://www.standardwebhooks.com>, version 1): HMAC-SHA256 over id, time and body.
//!
//! Both ways: texts that are posted to the operator's service, and the receipts that it posts back. While a secret is changed
//! two are valid: what is sent has a signature by each, what comes needs one.

use super::{Error, file};
use aws_lc_rs::hmac;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mitalk_actors::secrets::same;
use mitalk_cluster::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The header with the message's key.
pub(super) const ID: &str = "webhook-id";
/// The header with the time of sending, seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures: `v1,<base64>`, separated by spaces.
pub const SIGNATURE: &str = "webhook-signature";
/// What a secret's text begins with.
const PREFIX: &str = "whsec_";
/// Shorter keys are refused; the specification wants 24 to 64.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Secrets that are valid at once.
const MOST_SECRETS: usize = 2;
/// Signatures that are looked at in what came.
const MOST_SIGNATURES: usize = 8;
/// A message whose time differs more from ours is somebody's copy.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Signs and checks.
#[derive(Clone, Debug)]
pub struct Signer(Arc<[hmac::Key]>);

impl Signer {
    /// From a file with one or two lines `whsec_<base64>`, the newest first.
    ///
    /// # Errors
    /// It cannot be read, or has no such lines.
    pub(super) fn read(key: &'static str, path: Option<&Path>) -> Result<Self, Error> {
        let text = file::read(key, path)?;
        Self::parse(&text).ok_or_else(|| Error::Secret {
            key,
            path: path.unwrap_or(Path::new("")).to_owned(),
            reason: "must have one or two lines whsec_ and the base64 of 24 to 64 random bytes",
        })
    }

    /// From such a file's text.
    pub fn parse(text: &str) -> Option<Self> {
        let key = |line: &str| {
            let bytes = STANDARD.decode(line.trim().strip_prefix(PREFIX)?).ok()?;
            KEY_BYTES
                .contains(&bytes.len())
                .then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
        };
        let keys: Option<Vec<_>> = text.lines().map(key).collect();
        let keys = keys.filter(|keys| (1..=MOST_SECRETS).contains(&keys.len()))?;
        Some(Self(keys.into()))
    }

    /// The value of [`SIGNATURE`].
    pub fn sign(&self, id: &str, at_s: u64, body: &[u8]) -> String {
        let signatures = self.tags(id, at_s, body);
        let texts: Vec<_> = signatures
            .map(|tag| format!("v1,{}", STANDARD.encode(tag)))
            .collect();
        texts.join(" ")
    }

    /// Whether somebody who has a secret sent this body, and lately. Gives its id.
    pub(super) fn check<'a>(&self, headers: &'a HeaderMap, body: &[u8], now: Timestamp) -> Option<&'a str> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let (id, at_s) = (text(ID)?, text(TIMESTAMP)?.parse().ok()?);
        if (now.0 / 1_000).abs_diff(at_s) > TOLERANCE.as_secs() {
            return None;
        }
        let given = text(SIGNATURE)?.split(' ').take(MOST_SIGNATURES);
        let given: Vec<_> = given
            .filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok())
            .collect();
        let fits = self
            .tags(id, at_s, body)
            .flat_map(|tag| given.iter().map(move |given| same(given, tag.as_ref())))
            .fold(false, |found, fits| found | fits);
        fits.then_some(id)
    }

    fn tags(&self, id: &str, at_s: u64, body: &[u8]) -> impl Iterator<Item = hmac::Tag> {
        self.0.iter().map(move |key| {
            let mut signed = hmac::Context::with_key(key);
            signed.update(format!("{id}.{at_s}.").as_bytes());
            signed.update(body);
            signed.sign()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn headers(at: &str, signature: &str) -> HeaderMap {
        let pairs = [
            (ID, "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            (TIMESTAMP, at),
            (SIGNATURE, signature),
        ];
        HeaderMap::from_iter(pairs.map(|(name, value)| {
            let name = axum::http::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        }))
    }

    #[test]
    fn signs_as_the_reference_does() {
        let signer = Signer::parse(SECRET).unwrap();
        let signed = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, BODY);
        assert_eq!(signed, SIGNED);
    }

    #[test]
    fn only_fresh_messages_of_who_has_a_secret_are_taken() {
        let other = format!("whsec_{}", STANDARD.encode([7; 32]));
        let both = Signer::parse(&format!("{other}\n{SECRET}\n")).unwrap();
        let now = Timestamp(1_614_265_330_000);
        fn check(signer: &Signer, at: &str, signature: &str, body: &[u8], now: Timestamp) -> bool {
            signer.check(&headers(at, signature), body, now).is_some()
        }
        let (at, late) = ("1614265330", Timestamp(now.0 + 301_000));
        assert!(check(&both, at, SIGNED, BODY, now));
        assert!(check(&both, at, &format!("v1,AAAA v1a,x {SIGNED}"), BODY, now));
        assert!(!check(&both, at, SIGNED, b"{}", now));
        assert!(!check(&both, "1614265331", SIGNED, BODY, now));
        assert!(!check(&both, at, SIGNED, BODY, late));
        assert!(!check(&Signer::parse(&other).unwrap(), at, SIGNED, BODY, now));
        assert_eq!(both.sign("x", 1, b"").split(' ').count(), 2);
    }

    #[test]
    fn short_or_many_secrets_are_refused() {
        let three = [SECRET; 3].join("\n");
        for bad in ["", "secret", "whsec_c2hvcnQ=", &three] {
            assert!(Signer::parse(bad).is_none(), "{bad}");
        }
    }
}
