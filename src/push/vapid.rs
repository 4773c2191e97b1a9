//! Who sends, as push services recognise it (RFC 8292, VAPID): a key pair in a file of the data directory, like the other
//! secrets, and tokens signed with it.
//!
//! Browsers subscribe for the public key, so a new pair ends all subscriptions: apps that are opened subscribe anew. All
//! nodes of a service have the same file.

use crate::secrets::{self, Error as SecretsError};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mitalk_cluster::{Clock, Timestamp};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The file's name in the data directory.
pub const FILE: &str = "vapid.json";
const VERSION: u16 = 1;
/// Of a token; 24 hours at most (RFC 8292, 2).
const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// A token is used for so long.
const USED: Duration = Duration::from_secs(6 * 60 * 60);
/// Origins whose tokens are kept; when there are more, all are made anew.
const ORIGINS: usize = 256;

/// A key pair.
pub struct Keys {
    /// PKCS#8, DER.
    private: Vec<u8>,
    public: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u16,
    private: String,
}

impl Keys {
    /// Reads the pair of a data directory, and makes it first if there is none.
    ///
    /// # Errors
    /// The file is damaged, or cannot be read or made.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, SecretsError> {
        let path = data_dir.join(FILE);
        if !path.exists() {
            secrets::write_new(&path, Self::fresh().encode().as_bytes())?;
        }
        Self::load(data_dir)
    }

    /// Reads the pair of a data directory.
    ///
    /// # Errors
    /// The file is damaged, or cannot be read; also if there is none.
    pub fn load(data_dir: &Path) -> Result<Self, SecretsError> {
        let path = data_dir.join(FILE);
        let text = secrets::read_private(&path)?;
        Self::decode(&text).ok_or(SecretsError::Vapid(path))
    }

    /// Makes a new pair, in the place of one that there may be.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn renew(data_dir: &Path) -> Result<Self, SecretsError> {
        let fresh = Self::fresh();
        secrets::replace(&data_dir.join(FILE), fresh.encode().as_bytes())?;
        Ok(fresh)
    }

    /// What browsers subscribe for: an uncompressed point, in base64url.
    pub fn public(&self) -> &str {
        &self.public
    }

    fn fresh() -> Self {
        let pair =
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("the system has randomness");
        let private = pair
            .to_pkcs8v1()
            .expect("a pair that was just made can be written");
        Self::of(private.as_ref().to_vec()).expect("and read")
    }

    fn of(private: Vec<u8>) -> Option<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &private).ok()?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key());
        Some(Self { private, public })
    }

    fn encode(&self) -> String {
        let stored = Stored {
            version: VERSION,
            private: STANDARD.encode(&self.private),
        };
        serde_json::to_string_pretty(&stored).expect("text and numbers are always JSON") + "\n"
    }

    fn decode(text: &str) -> Option<Self> {
        let stored: Stored = serde_json::from_str(text).ok()?;
        let private = STANDARD.decode(stored.private).ok()?;
        (stored.version == VERSION).then(|| Self::of(private))?
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    exp: u64,
    sub: &'a str,
}

/// Signs for push services, each for its own.
pub(super) struct Signer {
    keys: Keys,
    signs: EncodingKey,
    contact: String,
    clock: Arc<dyn Clock>,
    made: Mutex<HashMap<String, (Timestamp, String)>>,
}

impl Signer {
    pub(super) fn new(keys: Keys, contact: String, clock: Arc<dyn Clock>) -> Self {
        Self {
            signs: EncodingKey::from_ec_der(&keys.private),
            keys,
            contact,
            clock,
            made: Mutex::default(),
        }
    }

    pub(super) fn public(&self) -> &str {
        self.keys.public()
    }

    /// The value of `Authorization` for a message to this URL (RFC 8292, 3).
    pub(super) fn authorization(&self, to: &Url) -> Result<String, jsonwebtoken::errors::Error> {
        let (origin, now) = (to.origin().ascii_serialization(), self.clock.wall());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back makes one anew, too.
        let is_good = |at: &Timestamp| *at <= now && now.since(*at) < USED;
        if let Some((_, value)) = made.get(&origin).filter(|(at, _)| is_good(at)) {
            return Ok(value.clone());
        }
        let claims = Claims {
            aud: &origin,
            exp: (now + LIFETIME).0 / 1_000,
            sub: &self.contact,
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &self.signs)?;
        let value = format!("vapid t={token}, k={}", self.public());
        if made.len() >= ORIGINS {
            made.clear();
        }
        made.insert(origin, (now, value.clone()));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mitalk_cluster::SystemClock;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_pair_is_made_once_and_kept_to_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let first = Keys::load_or_create(dir.path()).unwrap();
        assert_eq!(Keys::load_or_create(dir.path()).unwrap().public(), first.public());
        let path = dir.path().join(FILE);
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let renewed = Keys::renew(dir.path()).unwrap();
        assert_ne!(renewed.public(), first.public());
        assert_eq!(Keys::load(dir.path()).unwrap().public(), renewed.public());
        std::fs::write(&path, "{}").unwrap();
        let damaged = Keys::load_or_create(dir.path());
        assert!(matches!(damaged, Err(SecretsError::Vapid(_))));
    }

    #[test]
    fn a_token_is_made_once_for_each_origin() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::load_or_create(dir.path()).unwrap();
        let signer = Signer::new(keys, "mailto:a@example.org".into(), Arc::new(SystemClock));
        let of = |url: &str| signer.authorization(&url.parse().unwrap()).unwrap();
        assert_eq!(of("https://a.example.org/1"), of("https://a.example.org/2"));
        assert_ne!(of("https://a.example.org/1"), of("https://b.example.org/1"));
    }
}
