//! The keys of share links: what opens a closed room to somebody who was not asked in.
//!
//! A key is a MAC over the room and over how often its link was renewed, under a cluster key. So any node can make and
//! check it, nothing secret is stored or told from node to node, and renewing the link is counting one up.
//! Everybody in a closed room may know its key; nobody else gets it from us.
//!
//! It lacks keys for one person, and any memory of who came by the link: whoever leaves needs it again.

use crate::Secrets;
use crate::room::{Scene, Visibility};
use crate::secrets::{MacRing, same};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mitalk_cluster::wire;

/// The purpose of the cluster keys.
const PURPOSE: &str = "room links";
/// Bytes of the MAC that are kept: nobody guesses 128 bits, and the link stays short.
const KEY_BYTES: usize = 16;

/// Makes and checks keys.
#[derive(Clone)]
pub(crate) struct Links(MacRing);

impl Links {
    pub(crate) fn new(secrets: &Secrets) -> Self {
        Self(secrets.ring(PURPOSE))
    }

    /// The key to share, as text for a link; only closed rooms have one.
    pub(crate) fn key(&self, scene: &Scene) -> Option<String> {
        (scene.settings.visibility == Visibility::Closed).then(|| text(&self.0.sign(&about(scene)).mac))
    }

    /// Whether `given` is the key of the room's present link, under any cluster key that is still valid. It takes the
    /// same time for every wrong one.
    pub(crate) fn opens(&self, scene: &Scene, given: &str) -> bool {
        let valid = self.0.all(&about(scene));
        valid
            .iter()
            .any(|mac| same(text(mac).as_bytes(), given.as_bytes()))
    }
}

fn about(scene: &Scene) -> Vec<u8> {
    wire::encode(&(scene.room, scene.link))
}

fn text(mac: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(&mac[..KEY_BYTES])
}

#[cfg(test)]
mod tests {
    use super::super::replica::tests::view;
    use super::*;
    use crate::id::{Home, RoomId};
    use crate::secrets::{KEY_BYTES as MASTER_BYTES, Master};

    fn links(keys: &[(&str, u8)]) -> Links {
        let masters: Vec<_> = keys
            .iter()
            .map(|(kid, byte)| Master {
                kid: (*kid).into(),
                key: [*byte; MASTER_BYTES],
            })
            .collect();
        Links::new(&Secrets::new([1; MASTER_BYTES], &masters).unwrap())
    }

    fn closed() -> Scene {
        let mut scene = view().scene;
        scene.settings.visibility = Visibility::Closed;
        scene
    }

    #[test]
    fn a_key_opens_its_own_room_until_the_link_is_renewed() {
        let (links, mut scene) = (links(&[("a", 1)]), closed());
        let key = links.key(&scene).unwrap();
        assert!(links.opens(&scene, &key));
        for wrong in ["", "x", &key[1..], &format!("{key}x"), &key.to_uppercase()] {
            assert!(!links.opens(&scene, wrong), "{wrong}");
        }
        let other = Scene {
            room: RoomId::new(Home::default(), 99),
            ..scene.clone()
        };
        assert!(!links.opens(&other, &key));
        scene.link += 1;
        assert!(!links.opens(&scene, &key), "it was renewed");
        assert_ne!(links.key(&scene).unwrap(), key);
    }

    #[test]
    fn only_closed_rooms_have_a_key() {
        for visibility in [Visibility::Open, Visibility::Social] {
            let mut scene = closed();
            scene.settings.visibility = visibility;
            assert_eq!(links(&[("a", 1)]).key(&scene), None);
        }
    }

    #[test]
    fn a_shared_link_outlives_the_rotation_of_cluster_keys() {
        let key = links(&[("a", 1)]).key(&closed()).unwrap();
        assert!(links(&[("b", 2), ("a", 1)]).opens(&closed(), &key));
        assert!(!links(&[("b", 2)]).opens(&closed(), &key));
    }
}
