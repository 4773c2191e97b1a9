//! Signing in: one-time codes, devices and their refresh tokens.

mod refresh_token;

use super::{Mitalk, random_bits};
use crate::budgets::Taken;
use crate::caller::{Caller, Stranger, network_of};
use crate::error::{Trouble, refusal};
use crate::id::{DeviceId, UserId};
use crate::live::Revoked;
use crate::number::{PhoneKey, PhoneNumber};
use crate::person::{Me, Standing};
use crate::phone::{self, Phone};
use crate::secrets::{random, sha256};
use crate::user::{self, DeviceView};
use mitalk_cluster::{Call, Timestamp};
use refresh_token::RefreshToken;
use std::time::Duration;

/// Why somebody was not signed in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a number that can get text messages.
    #[error("not a valid phone number in international form, like +49 and the rest")]
    PhoneInvalid,
    /// Too many codes for this number or address.
    #[error("too many codes were asked for; try again in {} s", retry_after.as_secs())]
    CodeRateLimited {
        /// When the next one may be asked for.
        retry_after: Duration,
    },
    /// Not the code that was sent.
    #[error("that is not the code; {tries_left} tries are left")]
    CodeWrong {
        /// Before a new code is needed.
        tries_left: u32,
    },
    /// None was sent, it was used, or its time is over.
    #[error("that code has expired: ask for a new one")]
    CodeExpired,
    /// Wrong too often.
    #[error("that code was wrong too often: ask for a new one")]
    CodeTriesUsedUp,
    /// An operator stopped the account.
    #[error("this account was stopped by an operator")]
    Suspended,
    /// Of somebody else, as whoever has its code may know.
    #[error("this number belongs to another account")]
    NumberTaken,
    /// The account of this number was deleted a moment ago. Nobody outside is told so.
    #[error("that code has expired: ask for a new one")]
    Gone,
    /// The service has ended: nobody comes in any more.
    #[error("Mi Talk has ended")]
    Sunset,
    /// Not a refresh token, or of a device that was signed out.
    #[error("sign in again")]
    RefreshInvalid,
    /// An older token of the device was used again: somebody has a copy, so the device was signed out.
    #[error("an old token was used again, so this device was signed out: sign in again")]
    RefreshReused,
    /// No such device of this account.
    #[error("no such device")]
    DeviceNotFound,
    /// Not the domain's answer.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

impl Error {
    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PhoneInvalid => "phone_invalid",
            Self::CodeRateLimited { .. } => "code_rate_limited",
            Self::CodeWrong { .. } => "code_wrong",
            Self::CodeExpired | Self::Gone => "code_expired",
            Self::CodeTriesUsedUp => "code_tries_used_up",
            Self::NumberTaken => "number_taken",
            Self::Suspended => "suspended",
            Self::Sunset => "sunset",
            Self::RefreshInvalid => "refresh_invalid",
            Self::RefreshReused => "refresh_reused",
            Self::DeviceNotFound => "device_not_found",
            Self::Trouble(trouble) => trouble.code(),
        }
    }

    /// When the same request may succeed; absent if waiting does not help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::CodeRateLimited { retry_after } => Some(*retry_after),
            Self::Trouble(trouble) => trouble.retry_after(),
            _ => None,
        }
    }
}

/// A code is on its way; the same answer whether the number has an account or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeSent {
    /// The code is good for so long.
    pub expires_in: Duration,
    /// A new one may be asked for after so long.
    pub resend_after: Duration,
}

/// What a person signs in with.
#[derive(Clone)]
pub struct Verify {
    /// As typed.
    pub phone: String,
    /// Six digits.
    pub code: String,
    /// What the devices page shows.
    pub device_name: Option<String>,
    /// The code of an invite link that brought the person here. One that does not count (any more) is ignored.
    pub invite: Option<String>,
}

/// Somebody who proved who they are.
#[derive(Clone)]
pub struct Verified {
    /// Who.
    pub user: UserId,
    /// On which device.
    pub device: DeviceId,
    /// For the access token.
    pub standing: Standing,
    /// Single use: `<user>.<device>.<secret>`.
    pub refresh_token: String,
}

/// Somebody who proved who they are by a code, and their account.
#[derive(Clone)]
pub struct SignedIn {
    /// The device.
    pub verified: Verified,
    /// The account.
    pub me: Me,
}

/// A signed-in device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// For revoking it.
    pub id: DeviceId,
    /// What it called itself.
    pub name: String,
    /// First sign-in.
    pub created_at: Timestamp,
    /// Last refresh.
    pub seen_at: Timestamp,
    /// The device that asks.
    pub current: bool,
    /// The host of the push service by which it is pushed to.
    pub push_service: Option<String>,
}

/// One code of the budgets that many numbers share.
struct Spent {
    of_block: Taken,
    of_day: Taken,
}

impl Mitalk {
    /// Sends a one-time code, at most once.
    ///
    /// # Errors
    /// [`Error::PhoneInvalid`], [`Error::CodeRateLimited`], [`Error::Sunset`].
    pub async fn send_code(&self, stranger: &Stranger, phone: &str) -> Result<CodeSent, Error> {
        let number = PhoneNumber::parse(phone).map_err(|_| Error::PhoneInvalid)?;
        if self.is_over(stranger.call()).await? {
            return Err(Error::Sunset);
        }
        let limits = &self.limits.codes;
        let spent = self.spend_code(stranger, &number)?;
        let key = self.secrets.phone_key(&number);
        let code = one_time_code();
        let hash = self.secrets.code_hashes(&key, &code)[0];
        let command = phone::Command::SendCode {
            code: phone::Secret(code),
            hash,
            number: self.secrets.seal_number(&number),
            language: stranger.language,
            limits: limits.clone(),
        };
        match self.ask_phone(&key, command, stranger.call()).await {
            Ok(phone::Reply::Sent { resend_after }) => Ok(CodeSent {
                expires_in: Duration::from_secs(limits.lifetime_s),
                resend_after,
            }),
            Ok(_) => Err(Trouble::Corrupt.into()),
            Err(error) => {
                // After other trouble it may have been sent.
                if matches!(
                    error,
                    Error::CodeRateLimited { .. } | Error::Trouble(Trouble::Overloaded { .. })
                ) {
                    self.give_code_back(&number, spent);
                }
                Err(error)
            }
        }
    }

    /// Takes one code from the budgets that many numbers share. The address pays for asking; block and day pay for what is
    /// sent, so that asking in vain shuts nobody else out.
    fn spend_code(&self, stranger: &Stranger, number: &PhoneNumber) -> Result<Spent, Error> {
        let (limits, now) = (&self.limits.codes, self.clock.boot());
        let refused = |retry_after| Error::CodeRateLimited { retry_after };
        let address = network_of(stranger.address);
        let _for_asking = self
            .addresses
            .spend(address, limits.per_address_and_hour, now)
            .map_err(refused)?;
        let block: Box<str> = number.block().into();
        let of_block = self
            .blocks
            .spend(block.clone(), limits.per_block_and_day, now)
            .map_err(refused)?;
        match self.all_codes.spend((), limits.per_day, now) {
            Ok(of_day) => Ok(Spent { of_block, of_day }),
            Err(retry_after) => {
                self.blocks.give_back(&block, of_block);
                Err(refused(retry_after))
            }
        }
    }

    fn give_code_back(&self, number: &PhoneNumber, spent: Spent) {
        self.blocks.give_back(&number.block().into(), spent.of_block);
        self.all_codes.give_back(&(), spent.of_day);
    }

    /// Trades a code for a signed-in device; a first sign-in creates the account. The deadline is one for all of it. Once the
    /// code is spent nothing fails that the person can do without: it would cost them another code.
    ///
    /// # Errors
    /// [`Error::PhoneInvalid`], [`Error::CodeWrong`], [`Error::CodeExpired`], [`Error::CodeTriesUsedUp`],
    /// [`Error::Suspended`], [`Error::Sunset`].
    pub async fn verify(&self, stranger: &Stranger, verify: Verify) -> Result<SignedIn, Error> {
        let until = self.clock.boot() + stranger.deadline;
        let call = || stranger.call_until(until, self.clock.boot());
        let number = PhoneNumber::parse(&verify.phone).map_err(|_| Error::PhoneInvalid)?;
        if self.is_over(call()).await? {
            return Err(Error::Sunset);
        }
        let key = self.secrets.phone_key(&number);
        let command = phone::Command::Verify {
            hashes: self.secrets.code_hashes(&key, verify.code.trim()),
            candidate: UserId::new(self.home, random_bits()),
            claim_for: Duration::from_secs(self.limits.profile.claim_s),
            limits: self.limits.codes.clone(),
        };
        let (user, mut held) = match self.ask_phone(&key, command, call()).await? {
            phone::Reply::Verified { user, invites } => (user, invites),
            phone::Reply::Wrong { left: 0 } => return Err(Error::CodeTriesUsedUp),
            phone::Reply::Wrong { left } => return Err(Error::CodeWrong { tries_left: left }),
            _ => return Err(Trouble::Corrupt.into()),
        };
        held.extend(
            verify
                .invite
                .as_deref()
                .and_then(|code| self.invite_of_link(code)),
        );
        let sign_up = user::Command::SignUp {
            phone: key.clone(),
            sealed: self.secrets.seal_number(&number),
            hint: number.hint(),
            quota: self.limits.invites.quota,
            offered: held,
        };
        let account = match self.ask_account::<Error>(user, sign_up, call()).await {
            Ok(account) => account,
            Err(Error::Gone) => return Err(self.let_number_go(&key, user, call()).await),
            Err(error) => return Err(error),
        };
        // It can follow when they next look, so it gets no more than half of what is left: without a device they would need
        // another code.
        let settle = Call {
            deadline: call().deadline / 2,
            ..call()
        };
        let settled = match self.settle_waiting(account.clone(), &settle).await {
            Ok(settled) => settled,
            Err(error) => {
                tracing::warn!(%error, "who signed in comes in later");
                account
            }
        };
        let name = verify.device_name.as_deref();
        let verified = self.open_device(user, name, call()).await?;
        self.metrics.signed_in(verified.standing);
        let me = self.show_me_at_least(settled, call().deadline).await;
        Ok(SignedIn { verified, me })
    }

    /// Trades the newest refresh token of a device for the next one.
    ///
    /// # Errors
    /// [`Error::RefreshInvalid`], [`Error::RefreshReused`], [`Error::Suspended`].
    pub async fn rotate(&self, stranger: &Stranger, refresh_token: &str) -> Result<Verified, Error> {
        let presented: RefreshToken = refresh_token.parse()?;
        let next = RefreshToken {
            secret: random(),
            ..presented
        };
        let command = user::Command::Rotate {
            device: presented.device,
            presented: sha256(&presented.secret),
            next: sha256(&next.secret),
            idle: Duration::from_secs(self.limits.devices.idle_s),
        };
        match self
            .ask_user::<Error>(presented.user, command, stranger.call())
            .await?
        {
            user::Reply::Device { standing } => Ok(next.verified(standing)),
            user::Reply::Reused => Err(Error::RefreshReused),
            _ => Err(Trouble::Corrupt.into()),
        }
    }

    /// Signs the caller's device out.
    ///
    /// # Errors
    /// Only [`Error::Trouble`].
    pub async fn sign_out(&self, caller: &Caller) -> Result<(), Error> {
        match self.revoke(caller, caller.device).await {
            // Signed out already: that is what was asked for.
            Err(Error::DeviceNotFound) => Ok(()),
            other => other,
        }
    }

    /// The account's devices, newest first.
    ///
    /// # Errors
    /// Only [`Error::Trouble`].
    pub async fn devices(&self, caller: &Caller) -> Result<Vec<Device>, Error> {
        match self
            .ask_user::<Error>(caller.user, user::Command::Devices, caller.plain_call())
            .await?
        {
            user::Reply::Devices(devices) => Ok(devices
                .into_iter()
                .map(|device| Device::of(device, caller.device))
                .collect()),
            _ => Err(Trouble::Corrupt.into()),
        }
    }

    /// Signs a device out.
    ///
    /// # Errors
    /// [`Error::DeviceNotFound`].
    pub async fn revoke(&self, caller: &Caller, device: DeviceId) -> Result<(), Error> {
        let command = user::Command::RevokeDevice { device };
        self.ask_user::<Error>(caller.user, command, caller.plain_call())
            .await?;
        Ok(())
    }

    /// Whether access tokens of this device count no more, as this node knows. To be asked with every request.
    pub fn revoked(&self, user: UserId, device: DeviceId) -> Option<Revoked> {
        self.sockets.revoked(user, device)
    }

    /// Where an account stands now, when the access token is not enough.
    ///
    /// # Errors
    /// Only [`Error::Trouble`].
    pub async fn standing(&self, caller: &Caller) -> Result<Standing, Error> {
        let account = self
            .ask_account::<Error>(caller.user, user::Command::Read, caller.plain_call())
            .await?;
        Ok(account.standing)
    }

    /// Signs a new device of an account in.
    pub(super) async fn open_device(
        &self,
        user: UserId,
        name: Option<&str>,
        call: Call,
    ) -> Result<Verified, Error> {
        let token = RefreshToken {
            user,
            device: DeviceId::new(user.home(), random_bits()),
            secret: random(),
        };
        let limits = &self.limits.devices;
        let command = user::Command::OpenDevice {
            device: token.device,
            name: name
                .unwrap_or_default()
                .trim()
                .chars()
                .take(limits.name_chars)
                .collect(),
            hash: sha256(&token.secret),
            most: limits.per_account,
        };
        match self.ask_user::<Error>(user, command, call).await? {
            user::Reply::Device { standing } => Ok(token.verified(standing)),
            _ => Err(Trouble::Corrupt.into()),
        }
    }

    /// The number still believes to be a deleted account's. It is asked for another code then, and whoever brings it is a new
    /// person.
    async fn let_number_go(&self, key: &PhoneKey, by: UserId, call: Call) -> Error {
        match self.ask_phone(key, phone::Command::Release { by }, call).await {
            Ok(_) => Error::CodeExpired,
            Err(error) => error,
        }
    }

    pub(super) async fn ask_phone(
        &self,
        key: &PhoneKey,
        command: phone::Command,
        call: Call,
    ) -> Result<phone::Reply, Error> {
        match self.cluster.ask::<Phone>(key.as_str(), command, call).await {
            Ok(reply) => Ok(reply),
            Err(error) => Err(match refusal(error)? {
                phone::Refusal::TooMany { retry_after } => Error::CodeRateLimited { retry_after },
                phone::Refusal::Expired => Error::CodeExpired,
                phone::Refusal::TriesUsedUp => Error::CodeTriesUsedUp,
            }),
        }
    }
}

impl From<user::Refusal> for Error {
    fn from(refusal: user::Refusal) -> Self {
        match refusal {
            user::Refusal::Suspended => Self::Suspended,
            user::Refusal::NoDevice => Self::DeviceNotFound,
            user::Refusal::Gone => Self::Gone,
            user::Refusal::ClaimOver => Self::Trouble(Trouble::TimedOut),
            // An account that is gone has no valid tokens; nothing else is asked of it here.
            _ => Self::RefreshInvalid,
        }
    }
}

impl Device {
    fn of(device: DeviceView, asking: DeviceId) -> Self {
        Self {
            id: device.id,
            name: device.name,
            created_at: device.created_at,
            seen_at: device.seen_at,
            current: device.id == asking,
            push_service: device.push_service,
        }
    }
}

/// Six digits, each code as likely as any other to one part in 10^13.
fn one_time_code() -> String {
    format!("{:06}", u64::from_be_bytes(random()) % 1_000_000)
}
