//! The service's keys, and the few things that are done with them.
//!
//! Two kinds of secrets: the **lookup key**, which names `Phone` entities (changing it would lose every number, so it is
//! never rotated), and **master keys** with an id (`kid`), newest first, from which one key per purpose is derived
//! (HKDF-SHA256). The newest signs and seals; all of them verify and open, so two are valid during a rotation.
//! Nothing here prints a key. It lacks the reading of files: `src` does that.

use crate::number::{PhoneKey, PhoneNumber, SealedNumber};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, hkdf, hmac, rand};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Bytes of a lookup or master key.
pub const KEY_BYTES: usize = 32;
/// Most master keys that may be valid at once.
pub const MAX_MASTERS: usize = 4;

/// Keys that can not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There must be a newest key.
    #[error("no master key is configured")]
    NoMaster,
    /// More than [`MAX_MASTERS`], or two with the same id.
    #[error("at most {MAX_MASTERS} master keys, each with its own id")]
    Masters,
    /// What was sealed names a key that is not configured any more.
    #[error("the key {kid} is not configured: keep old keys until nothing uses them")]
    UnknownKey {
        /// Its id.
        kid: Arc<str>,
    },
    /// Somebody changed what was sealed, or it belongs to another number.
    #[error("sealed data can not be opened")]
    Unsealable,
}

/// A master key and its id.
#[derive(Clone)]
pub struct Master {
    /// Short and unique, e.g. `2026-11`.
    pub kid: Arc<str>,
    /// Random.
    pub key: [u8; KEY_BYTES],
}

/// A MAC and the key that made it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Which key.
    pub kid: Arc<str>,
    /// HMAC-SHA256.
    pub mac: [u8; 32],
}

/// The keys of one purpose, newest first.
#[derive(Clone)]
pub struct MacRing(Vec<(Arc<str>, hmac::Key)>);

impl MacRing {
    /// Signs with the newest key.
    pub fn sign(&self, message: &[u8]) -> Tag {
        let (kid, key) = &self.0[0];
        Tag {
            kid: kid.clone(),
            mac: mac(key, message),
        }
    }

    /// Signs with every valid key, newest first: what a stored MAC of unknown key may equal.
    pub fn all(&self, message: &[u8]) -> Vec<[u8; 32]> {
        self.0.iter().map(|(_, key)| mac(key, message)).collect()
    }

    /// Whether `tag` was made over `message` by one of the valid keys. Takes the same time for every wrong MAC.
    pub fn verify(&self, message: &[u8], tag: &Tag) -> bool {
        self.0
            .iter()
            .any(|(kid, key)| *kid == tag.kid && hmac::verify(key, message, &tag.mac).is_ok())
    }
}

/// All keys. Cheap to clone.
#[derive(Clone)]
pub struct Secrets(Arc<Keys>);

struct Keys {
    lookup: hmac::Key,
    masters: Vec<(Arc<str>, hkdf::Prk)>,
    numbers: Vec<(Arc<str>, LessSafeKey)>,
    codes: MacRing,
    links: MacRing,
    ids: hmac::Key,
}

impl Secrets {
    /// Derives the keys of all purposes. `masters` is newest first.
    ///
    /// # Errors
    /// [`Error::NoMaster`], [`Error::Masters`].
    pub fn new(lookup: [u8; KEY_BYTES], masters: &[Master]) -> Result<Self, Error> {
        let distinct: std::collections::BTreeSet<_> = masters.iter().map(|master| &master.kid).collect();
        match masters.len() {
            0 => return Err(Error::NoMaster),
            n if n > MAX_MASTERS || n != distinct.len() => return Err(Error::Masters),
            _ => {}
        }
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"mitalk/1");
        let masters: Vec<_> = masters
            .iter()
            .map(|master| (master.kid.clone(), salt.extract(&master.key)))
            .collect();
        let numbers = masters
            .iter()
            .map(|(kid, prk)| (kid.clone(), aead_key(&derive(prk, "numbers"))))
            .collect();
        let lookup_prk = salt.extract(&lookup);
        Ok(Self(Arc::new(Keys {
            lookup: hmac_key(&derive(&lookup_prk, "phone")),
            // Derived ids must not change while a client may retry, and a rotation may come in between.
            ids: hmac_key(&derive(&lookup_prk, "ids")),
            numbers,
            codes: ring(&masters, "codes"),
            links: ring(&masters, "links"),
            masters,
        })))
    }

    /// The keys of a further purpose (resume tokens, access tokens); `purpose` is a constant of its user.
    pub fn ring(&self, purpose: &str) -> MacRing {
        ring(&self.0.masters, purpose)
    }

    /// The name under which a number is looked up.
    pub fn phone_key(&self, number: &PhoneNumber) -> PhoneKey {
        PhoneKey::from_hash(&mac(&self.0.lookup, number.e164().as_bytes()))
    }

    /// Encrypts a number with the newest key, bound to its phone key.
    pub fn seal_number(&self, number: &PhoneNumber) -> SealedNumber {
        let (kid, key) = &self.0.numbers[0];
        let nonce: [u8; NONCE_LEN] = random();
        let mut sealed = number.e164().as_bytes().to_vec();
        let bound = self.phone_key(number);
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound.as_str().as_bytes()),
            &mut sealed,
        )
        .expect("a phone number is shorter than what AES-GCM can seal");
        SealedNumber {
            kid: kid.clone(),
            nonce,
            sealed,
        }
    }

    /// Decrypts what [`Secrets::seal_number`] gave.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] if its key was dropped too early, [`Error::Unsealable`] if it was changed or belongs to
    /// another number.
    pub fn open_number(&self, key: &PhoneKey, number: &SealedNumber) -> Result<PhoneNumber, Error> {
        let (_, aead) = self
            .0
            .numbers
            .iter()
            .find(|(kid, _)| *kid == number.kid)
            .ok_or_else(|| Error::UnknownKey {
                kid: number.kid.clone(),
            })?;
        let mut bytes = number.sealed.clone();
        let opened = aead
            .open_in_place(
                Nonce::assume_unique_for_key(number.nonce),
                Aad::from(key.as_str().as_bytes()),
                &mut bytes,
            )
            .map_err(|_| Error::Unsealable)?;
        let text = std::str::from_utf8(opened).map_err(|_| Error::Unsealable)?;
        Ok(PhoneNumber::sealed_before(text))
    }

    /// The hashes that a one-time code of this number may be stored under, newest key first.
    pub fn code_hashes(&self, key: &PhoneKey, code: &str) -> Vec<[u8; 32]> {
        self.0
            .codes
            .all(&joined(&[key.as_str().as_bytes(), code.as_bytes()]))
    }

    /// The secret half of an invite link, under every valid key, newest first.
    pub fn link_secrets(&self, invite: &str) -> Vec<[u8; 32]> {
        self.0.links.all(invite.as_bytes())
    }

    /// 128 bits that only these parts give: ids that a retried request must meet again.
    pub fn derived_bits(&self, parts: &[&[u8]]) -> u128 {
        let hash = mac(&self.0.ids, &joined(parts));
        u128::from_be_bytes(hash[..16].try_into().expect("a SHA-256 has 32 bytes"))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids: Vec<_> = self.0.masters.iter().map(|(kid, _)| kid).collect();
        write!(f, "Secrets(kids {kids:?})")
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Master(kid {})", self.kid)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag(kid {})", self.kid)
    }
}

impl fmt::Debug for MacRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacRing(..)")
    }
}

/// Random bytes of the operating system, for keys, nonces and tokens.
///
/// # Panics
/// If the operating system has no randomness to give: nothing safe can be done then.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// SHA-256, for secrets of 256 random bits, which need no salt and no stretching.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes)
        .as_ref()
        .try_into()
        .expect("a SHA-256 has 32 bytes")
}

/// Whether two hashes are equal, in the same time for all that are not.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

fn ring(masters: &[(Arc<str>, hkdf::Prk)], purpose: &str) -> MacRing {
    MacRing(
        masters
            .iter()
            .map(|(kid, prk)| (kid.clone(), hmac_key(&derive(prk, purpose))))
            .collect(),
    )
}

fn derive(prk: &hkdf::Prk, purpose: &str) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    prk.expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .expect("32 bytes are within what HKDF-SHA256 gives");
    key
}

fn aead_key(key: &[u8; KEY_BYTES]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("AES-256 keys have 32 bytes"))
}

fn hmac_key(key: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}

fn mac(key: &hmac::Key, message: &[u8]) -> [u8; 32] {
    hmac::sign(key, message)
        .as_ref()
        .try_into()
        .expect("an HMAC-SHA256 has 32 bytes")
}

/// Parts with their lengths before them, so that no two lists join to the same bytes.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts
        .iter()
        .flat_map(|part| {
            (part.len() as u64)
                .to_be_bytes()
                .into_iter()
                .chain(part.iter().copied())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(kid: &str, byte: u8) -> Master {
        Master {
            kid: kid.into(),
            key: [byte; KEY_BYTES],
        }
    }

    fn number() -> PhoneNumber {
        PhoneNumber::parse("+4915112345678").unwrap()
    }

    #[test]
    fn numbers_survive_a_rotation_and_no_tampering() {
        let before = Secrets::new([1; 32], &[master("a", 2)]).unwrap();
        let during = Secrets::new([1; 32], &[master("b", 3), master("a", 2)]).unwrap();
        let after = Secrets::new([1; 32], &[master("b", 3)]).unwrap();
        let key = before.phone_key(&number());
        assert_eq!(key, after.phone_key(&number()), "the lookup key does not rotate");

        let sealed = before.seal_number(&number());
        assert_eq!(during.open_number(&key, &sealed), Ok(number()));
        assert_eq!(
            after.open_number(&key, &sealed),
            Err(Error::UnknownKey { kid: "a".into() })
        );
        let other = PhoneKey::from_hash(&[9; 32]);
        assert_eq!(before.open_number(&other, &sealed), Err(Error::Unsealable));
        let mut changed = sealed;
        changed.sealed[0] ^= 1;
        assert_eq!(before.open_number(&key, &changed), Err(Error::Unsealable));
    }

    #[test]
    fn a_number_is_readable_whatever_became_of_its_plan() {
        let secrets = Secrets::new([1; 32], &[master("a", 2)]).unwrap();
        let withdrawn = PhoneNumber::sealed_before("+999123");
        let sealed = secrets.seal_number(&withdrawn);
        let opened = secrets.open_number(&secrets.phone_key(&withdrawn), &sealed);
        assert_eq!(
            opened.map(|number| number.e164().to_owned()),
            Ok("+999123".to_owned())
        );
    }

    #[test]
    fn tags_are_valid_under_both_keys() {
        let before = Secrets::new([1; 32], &[master("a", 2)]).unwrap().ring("test");
        let during = Secrets::new([1; 32], &[master("b", 3), master("a", 2)])
            .unwrap()
            .ring("test");
        let tag = before.sign(b"hello");
        assert!(during.verify(b"hello", &tag));
        assert!(!during.verify(b"hullo", &tag));
        assert!(!before.verify(b"hello", &during.sign(b"hello")));
    }

    #[test]
    fn refuses_masters_that_can_not_work() {
        assert!(matches!(Secrets::new([1; 32], &[]), Err(Error::NoMaster)));
        assert!(matches!(
            Secrets::new([1; 32], &[master("a", 1), master("a", 2)]),
            Err(Error::Masters)
        ));
    }

    #[test]
    fn joined_parts_are_distinct() {
        let secrets = Secrets::new([1; 32], &[master("a", 2)]).unwrap();
        assert_ne!(
            secrets.derived_bits(&[b"ab", b"c"]),
            secrets.derived_bits(&[b"a", b"bc"])
        );
    }
}
