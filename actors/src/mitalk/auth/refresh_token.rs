//! Refresh tokens as text. What of them counts, and how long, is the account's to say.

use super::{Error, Verified};
use crate::id::{DeviceId, UserId};
use crate::person::Standing;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::str::FromStr;

/// `<user>.<device>.<secret>`: the account and the device are named, so that they are found; the secret is what counts.
#[derive(Clone, Copy)]
pub(super) struct RefreshToken {
    pub(super) user: UserId,
    pub(super) device: DeviceId,
    pub(super) secret: [u8; 32],
}

impl RefreshToken {
    /// What its owner is told once.
    pub(super) fn verified(self, standing: Standing) -> Verified {
        let (user, device) = (self.user, self.device);
        let refresh_token = format!("{user}.{device}.{}", URL_SAFE_NO_PAD.encode(self.secret));
        Verified {
            user,
            device,
            standing,
            refresh_token,
        }
    }
}

impl FromStr for RefreshToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut parts = text.split('.');
        let (Some(user), Some(device), Some(secret), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::RefreshInvalid);
        };
        let invalid = |_| Error::RefreshInvalid;
        let secret = URL_SAFE_NO_PAD
            .decode(secret)
            .map_err(|_| Error::RefreshInvalid)?;
        Ok(Self {
            user: user.parse().map_err(invalid)?,
            device: device.parse().map_err(invalid)?,
            secret: secret.try_into().map_err(|_| Error::RefreshInvalid)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Home;

    #[test]
    fn the_text_is_read_back_and_nothing_else_is() {
        let home = Home::default();
        let token = RefreshToken {
            user: UserId::new(home, 1),
            device: DeviceId::new(home, 2),
            secret: [3; 32],
        };
        let text = token.verified(Standing::Active).refresh_token;
        let read: RefreshToken = text.parse().unwrap();
        assert_eq!(
            (read.user, read.device, read.secret),
            (token.user, token.device, token.secret)
        );
        for wrong in [
            "",
            "a.b",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}.x"),
        ] {
            assert!(wrong.parse::<RefreshToken>().is_err(), "{wrong}");
        }
    }
}
