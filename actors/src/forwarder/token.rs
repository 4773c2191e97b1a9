//! Resume tokens: what a device shows to come back to its place.
//!
//! A token is bound to person, device, room and one session generation by a MAC under a cluster key with its id, so any
//! node can check it and none has to remember it. That it is used once, and not after a removal, is the forwarder's
//! to know ([`Spent`]), as long as it runs. It counts as used when the client that showed it is connected, because an answer may be lost.
//! It gives no right by itself: the place is the person's, and the room says what that is worth.

use crate::id::{DeviceId, RoomId, UserId};
use crate::secrets::{MacRing, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mitalk_cluster::wire;
use serde::{Deserialize, Serialize};
use std::collections::{HashSet, VecDeque};

/// The purpose of the keys.
const PURPOSE: &str = "resume";
/// The longest token that is looked at, in bytes.
const TOKEN_BYTES: usize = 512;
/// Used or revoked generations that a forwarder remembers.
const SPENT: usize = 4_096;

/// One session of somebody in a room: random, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Generation(pub(super) u64);

/// Whose place a token is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) room: RoomId,
    pub(super) user: UserId,
    pub(super) device: DeviceId,
    pub(super) generation: Generation,
}

/// A token as it travels.
#[derive(Serialize, Deserialize)]
struct Sealed {
    claims: Claims,
    tag: Tag,
}

/// Makes and checks tokens.
#[derive(Clone)]
pub(super) struct Tokens(MacRing);

impl Tokens {
    pub(super) fn new(secrets: &crate::Secrets) -> Self {
        Self(secrets.ring(PURPOSE))
    }

    pub(super) fn seal(&self, claims: Claims) -> String {
        let tag = self.0.sign(&wire::encode(&claims));
        URL_SAFE_NO_PAD.encode(wire::encode(&Sealed { claims, tag }))
    }

    /// The generation that the token is for, if it is one of ours for this person, device and room.
    pub(super) fn open(
        &self,
        text: &str,
        room: RoomId,
        user: UserId,
        device: DeviceId,
    ) -> Option<Generation> {
        if text.len() > TOKEN_BYTES {
            return None;
        }
        let Sealed { claims, tag } = wire::decode(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let fits = claims
            == Claims {
                room,
                user,
                device,
                generation: claims.generation,
            };
        (fits && self.0.verify(&wire::encode(&claims), &tag)).then_some(claims.generation)
    }
}

/// Generations whose tokens are refused: used once, or of somebody who was put out. The oldest are forgotten; their place
/// is long gone then.
#[derive(Debug, Default)]
pub(super) struct Spent {
    known: HashSet<Generation>,
    in_order: VecDeque<Generation>,
}

impl Spent {
    pub(super) fn add(&mut self, generation: Generation) {
        if !self.known.insert(generation) {
            return;
        }
        self.in_order.push_back(generation);
        if self.in_order.len() > SPENT
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, generation: Generation) -> bool {
        self.known.contains(&generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Home;
    use crate::secrets::{KEY_BYTES, Master};

    fn tokens(keys: &[(&str, u8)]) -> Tokens {
        let masters: Vec<_> = keys
            .iter()
            .map(|(kid, byte)| Master {
                kid: (*kid).into(),
                key: [*byte; KEY_BYTES],
            })
            .collect();
        Tokens::new(&crate::Secrets::new([1; KEY_BYTES], &masters).unwrap())
    }

    fn claims() -> Claims {
        let home = Home::default();
        Claims {
            room: RoomId::new(home, 1),
            user: UserId::new(home, 2),
            device: DeviceId::new(home, 3),
            generation: Generation(4),
        }
    }

    fn open(tokens: &Tokens, text: &str, claims: Claims) -> Option<Generation> {
        tokens.open(text, claims.room, claims.user, claims.device)
    }

    #[test]
    fn opens_for_its_own_person_device_and_room_only() {
        let tokens = tokens(&[("a", 1)]);
        let text = tokens.seal(claims());
        let home = Home::default();
        assert_eq!(open(&tokens, &text, claims()), Some(Generation(4)));
        assert_eq!(
            open(
                &tokens,
                &text,
                Claims {
                    room: RoomId::new(home, 9),
                    ..claims()
                }
            ),
            None
        );
        assert_eq!(
            open(
                &tokens,
                &text,
                Claims {
                    user: UserId::new(home, 9),
                    ..claims()
                }
            ),
            None
        );
        assert_eq!(
            open(
                &tokens,
                &text,
                Claims {
                    device: DeviceId::new(home, 9),
                    ..claims()
                }
            ),
            None
        );
        assert_eq!(open(&tokens, "rubbish", claims()), None);
        assert_eq!(open(&tokens, &"A".repeat(TOKEN_BYTES + 1), claims()), None);
    }

    #[test]
    fn no_byte_can_be_changed() {
        let tokens = tokens(&[("a", 1)]);
        let sealed = URL_SAFE_NO_PAD.decode(tokens.seal(claims())).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let opened = open(&tokens, &URL_SAFE_NO_PAD.encode(changed), claims());
            assert!(opened.is_none(), "byte {at} was changed and the token opens");
        }
    }

    #[test]
    fn keys_rotate() {
        let text = tokens(&[("a", 1)]).seal(claims());
        assert!(open(&tokens(&[("b", 2), ("a", 1)]), &text, claims()).is_some());
        assert!(open(&tokens(&[("b", 2)]), &text, claims()).is_none());
        assert!(
            open(&tokens(&[("a", 2)]), &text, claims()).is_none(),
            "another key of that name"
        );
    }

    #[test]
    fn the_oldest_spent_ones_are_forgotten() {
        let mut spent = Spent::default();
        for n in 0..=SPENT as u64 {
            spent.add(Generation(n));
        }
        assert!(!spent.contains(Generation(0)));
        assert!(spent.contains(Generation(1)) && spent.contains(Generation(SPENT as u64)));
    }
}
