//! Access tokens: JWTs (HS256) that any node checks by itself, good for minutes.
//!
//! The keys are derived from the master keys and carry their ids (`kid`): the newest signs, all of them verify. A token
//! says who, on which device, and where the account stood when it was made; that a device was signed out since is asked
//! separately (`Mitalk::revoked`).

use crate::secrets::Secrets;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use mitalk_actors::id::{DeviceId, UserId};
use mitalk_actors::person::Standing;
use mitalk_cluster::Clock;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// What the keys are derived for.
const PURPOSE: &str = "access-token";
/// Who makes them, in each token.
const ISSUER: &str = "mitalk";
/// Ours have about 300 bytes; longer ones are not looked at.
const MAX_TOKEN_BYTES: usize = 1_024;
/// A token of another node may seem to be from the future by so long.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// Why a token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not one of ours, changed, or of a key that is gone.
    #[error("not a valid access token")]
    Invalid,
    /// Its time is over.
    #[error("the access token has expired")]
    Expired,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    /// The account.
    #[serde(rename = "sub")]
    pub user: UserId,
    /// The device that it was made for.
    #[serde(rename = "dev")]
    pub device: DeviceId,
    /// Where the account stood then.
    #[serde(rename = "st")]
    pub standing: Standing,
    /// Seconds since 1970.
    iat: u64,
    /// Seconds since 1970; from then on it counts no more.
    #[serde(rename = "exp")]
    pub expires_at_s: u64,
}

/// Makes and checks access tokens. Cheap to clone.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    keys: Vec<Key>,
    lifetime: Duration,
    clock: Arc<dyn Clock>,
}

struct Key {
    kid: String,
    signs: EncodingKey,
    verifies: DecodingKey,
}

impl Tokens {
    /// With the keys of `secrets`; tokens live so long.
    pub fn new(secrets: &Secrets, lifetime: Duration, clock: Arc<dyn Clock>) -> Self {
        let keys = secrets
            .derived(PURPOSE)
            .iter()
            .map(|(kid, key)| Key {
                kid: kid.to_string(),
                signs: EncodingKey::from_secret(key),
                verifies: DecodingKey::from_secret(key),
            })
            .collect();
        Self(Arc::new(Inner {
            keys,
            lifetime,
            clock,
        }))
    }

    /// How long a fresh token is good for.
    pub fn lifetime(&self) -> Duration {
        self.0.lifetime
    }

    /// A fresh token.
    ///
    /// # Panics
    /// Never: there is always a newest key, and signing with it cannot fail.
    pub fn issue(&self, user: UserId, device: DeviceId, standing: Standing) -> String {
        let key = self.0.keys.first().expect("secrets have at least one master key");
        let now = self.now_s();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            user,
            device,
            standing,
            iat: now,
            expires_at_s: now + self.0.lifetime.as_secs(),
        };
        let header = Header {
            kid: Some(key.kid.clone()),
            ..Header::new(Algorithm::HS256)
        };
        jsonwebtoken::encode(&header, &claims, &key.signs).expect("an HMAC over JSON text cannot fail")
    }

    /// What a token says, if it counts.
    ///
    /// # Errors
    /// It is not one of ours (any more), was changed, or its time is over.
    pub fn check(&self, token: &str) -> Result<Claims, Error> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::Invalid);
        }
        let kid = jsonwebtoken::decode_header(token)
            .ok()
            .and_then(|header| header.kid)
            .ok_or(Error::Invalid)?;
        let key = self
            .0
            .keys
            .iter()
            .find(|key| key.kid == kid)
            .ok_or(Error::Invalid)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        // The time is compared below, with the clock that was given.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.verifies, &validation)
            .map_err(|_| Error::Invalid)?
            .claims;
        let now = self.now_s();
        if claims.iat > now + CLOCK_SKEW.as_secs() {
            return Err(Error::Invalid);
        }
        if claims.expires_at_s <= now {
            return Err(Error::Expired);
        }
        Ok(claims)
    }

    /// How much longer a token of these claims counts.
    pub fn left(&self, claims: &Claims) -> Duration {
        Duration::from_secs(claims.expires_at_s.saturating_sub(self.now_s()))
    }

    fn now_s(&self) -> u64 {
        self.0.clock.wall().0 / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mitalk_actors::id::Home;
    use mitalk_cluster::{BootInstant, Timestamp};
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Default)]
    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn boot(&self) -> BootInstant {
            BootInstant(0)
        }

        fn wall(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }
    }

    fn tokens(dir: &Path, clock: &Arc<Hand>) -> Tokens {
        let secrets = Secrets::load_or_create(dir).unwrap();
        Tokens::new(&secrets, Duration::from_secs(60), clock.clone())
    }

    fn issue(tokens: &Tokens) -> String {
        let home = Home::default();
        tokens.issue(UserId::new(home, 1), DeviceId::new(home, 2), Standing::Active)
    }

    #[test]
    fn tokens_live_their_time_and_survive_a_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand::default());
        let token = issue(&tokens(dir.path(), &clock));
        Secrets::rotate(dir.path()).unwrap();
        let tokens = tokens(dir.path(), &clock);
        assert_eq!(
            tokens.check(&token).unwrap().user,
            UserId::new(Home::default(), 1)
        );
        clock.0.store(59_999, Ordering::Relaxed);
        assert!(tokens.check(&token).is_ok());
        clock.0.store(60_000, Ordering::Relaxed);
        assert_eq!(tokens.check(&token), Err(Error::Expired));
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let clock = Arc::new(Hand::default());
        let tokens_ours = tokens(ours.path(), &clock);
        let token = issue(&tokens_ours);
        let mut parts: Vec<&str> = token.split('.').collect();
        // {"alg":"none"}, with a kid that we do have or none at all
        parts[0] = "eyJhbGciOiJub25lIn0";
        let unsigned = parts.join(".");
        let foreign = issue(&tokens(theirs.path(), &clock));
        let mut changed = token.clone().into_bytes();
        let middle = changed.len() / 2;
        changed[middle] = if changed[middle] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        for bad in ["", "a.b.c", &unsigned, &foreign, &changed, &"x".repeat(5_000)] {
            assert_eq!(tokens_ours.check(bad), Err(Error::Invalid), "{bad}");
        }
    }

    #[test]
    fn a_token_from_the_future_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicU64::new(10_000_000)));
        let tokens = tokens(dir.path(), &clock);
        let token = issue(&tokens);
        clock.0.store(9_000_000, Ordering::Relaxed);
        assert_eq!(tokens.check(&token), Err(Error::Invalid));
    }
}
