//! What operators do: phase, allow-list, waitlist, people, invites. Every action is audited. Events, and accounts for load
//! tests, are parts of their own.

mod events;
mod test_accounts;

pub use events::PAGE;
pub use test_accounts::TEST_ACCOUNTS;

use super::Mitalk;
use super::invites::{self, Invites};
use crate::error::{Trouble, refusal};
use crate::id::{Home, UserId};
use crate::number::{PhoneKey, PhoneNumber};
use crate::person::Me;
use crate::phase::{self, Admits, Phase};
use crate::phone::{self, Phone};
use crate::ports::AllowEntry;
use crate::user::{self, Admitted};
use crate::waitlist::{self, Waitlist};
use mitalk_cluster::{Call, StoreError, Timestamp};
use std::time::Duration;

/// Why an operator's action was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a number that can get text messages.
    #[error("entry {index}: not a valid phone number in international form, like +49 and the rest")]
    PhoneInvalid {
        /// Which of the numbers, from 0.
        index: usize,
    },
    /// Nobody of that id or number.
    #[error("there is no such person")]
    PersonNotFound,
    /// More at once than is taken.
    #[error("at most {most} at once")]
    TooMany {
        /// The bound.
        most: u64,
    },
    /// In the phase `employees` nobody but the allow-list comes in.
    #[error(
        "in the phase employees only the allow-list comes in: set the phase closed_test (or put the number on the list)"
    )]
    PhaseEmployees,
    /// Nobody would have time to take anything along.
    #[error("the sunset must be in the future")]
    SunsetPast,
    /// What is deleted does not come back.
    #[error("the sunset has come: the deletion has begun")]
    SunsetBegun,
    /// An operator stopped the account.
    #[error("this account is suspended: restore it first")]
    Suspended,
    /// It was retried or dropped, or never was one.
    #[error("there is no such dead letter")]
    LetterNotFound,
    /// Not the domain's answer.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

impl Error {
    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PhoneInvalid { .. } => "phone_invalid",
            Self::PersonNotFound => "person_not_found",
            Self::TooMany { .. } => "too_many",
            Self::PhaseEmployees => "phase_employees",
            Self::SunsetPast => "sunset_past",
            Self::SunsetBegun => "sunset_begun",
            Self::Suspended => "suspended",
            Self::LetterNotFound => "not_found",
            Self::Trouble(trouble) => trouble.code(),
        }
    }

    /// When the same request may succeed; absent if waiting does not help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Trouble(trouble) => trouble.retry_after(),
            _ => None,
        }
    }
}

/// A number for the allow-list, as the operator has it.
#[derive(Clone)]
pub struct AllowedNumber {
    /// E.164.
    pub phone: String,
    /// Registered numbers that are not enabled wait.
    pub enabled: bool,
}

/// How many numbers are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowCount {
    /// All.
    pub registered: u64,
    /// Those that may come in.
    pub enabled: u64,
}

/// Somebody, by what an operator knows of them.
#[derive(Clone)]
pub enum Person {
    /// By id.
    User(UserId),
    /// By number.
    Phone(String),
}

/// A waitlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitlistView {
    /// People who wait.
    pub waiting: u64,
    /// The block of tickets that is called from.
    pub head: u32,
    /// Called by admissions of the next N and by rate, ever.
    pub admitted: u64,
    /// Still to be called by admissions under way.
    pub owed: u64,
    /// Per hour; 0 without a rate.
    pub rate_per_hour: u32,
}

/// An account, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// As its owner sees it.
    pub me: Me,
    /// When it signed up.
    pub created_at: Timestamp,
    /// The last digits of its number.
    pub phone_hint: String,
    /// Signed-in devices.
    pub devices: usize,
}

/// Numbers that one import takes.
pub const IMPORT: usize = 10_000;
impl Mitalk {
    /// Who becomes active on sign-up now.
    ///
    /// # Errors
    /// Only [`Error::Trouble`].
    pub async fn phase(&self, call: Call) -> Result<Admits, Error> {
        self.ask_phase(phase::Command::Read, call).await
    }

    /// Sets it. `Open` admits everybody who waits.
    ///
    /// # Errors
    /// Only [`Error::Trouble`].
    pub async fn set_phase(&self, call: Call, admits: Admits) -> Result<(), Error> {
        self.ask_phase(
            phase::Command::Set {
                admits,
                homes: self.homes.clone(),
            },
            call,
        )
        .await?;
        Ok(())
    }

    /// Registers numbers: none if one of them is no number, and perhaps some if the store fails, so repeat it until it
    /// succeeds. People who wait already come in when they next look.
    ///
    /// # Errors
    /// [`Error::PhoneInvalid`], [`Error::TooMany`].
    pub async fn import_allow_list(&self, call: Call, numbers: &[AllowedNumber]) -> Result<(), Error> {
        if numbers.len() > IMPORT {
            return Err(Error::TooMany { most: IMPORT as u64 });
        }
        let entry = |(index, number): (usize, &AllowedNumber)| {
            let phone = PhoneNumber::parse(&number.phone).map_err(|_| Error::PhoneInvalid { index })?;
            Ok(AllowEntry {
                phone: self.secrets.phone_key(&phone),
                enabled: number.enabled,
            })
        };
        let entries = numbers
            .iter()
            .enumerate()
            .map(entry)
            .collect::<Result<Vec<_>, Error>>()?;
        self.allow_list.import(&entries).await?;
        self.record_allow_list("allow_list_imported", entries.len() as u64, call)
            .await
    }

    /// Forgets a number; false if it was not registered. An account of that number stays.
    ///
    /// # Errors
    /// [`Error::PhoneInvalid`].
    pub async fn remove_allowed(&self, call: Call, phone: &str) -> Result<bool, Error> {
        let phone = self.phone_key(phone)?;
        if self.allow_list.find(&phone).await?.is_none() {
            return Ok(false);
        }
        // Before it is done: what was cut off in between is recorded twice by the repeat, and never not at all.
        self.record_allow_list("allow_list_removed", 1, call).await?;
        self.allow_list.remove(&phone).await?;
        Ok(true)
    }

    /// How many numbers are registered.
    ///
    /// # Errors
    /// Only [`Error::Trouble`].
    pub async fn count_allowed(&self) -> Result<AllowCount, Error> {
        let (registered, enabled) = self.allow_list.count().await?;
        Ok(AllowCount { registered, enabled })
    }

    /// A waitlist.
    ///
    /// # Errors
    /// Only [`Error::Trouble`].
    pub async fn waitlist(&self, call: Call, home: Home) -> Result<WaitlistView, Error> {
        let list = self.ask_waitlist(home, waitlist::Command::Show, call).await?;
        Ok(WaitlistView {
            waiting: self.positions.waiting(home, self.clock.boot()).await?,
            head: list.head,
            admitted: list.admitted,
            owed: list.owed,
            rate_per_hour: list.rate_per_hour,
        })
    }

    /// Admits the next `count` people. With a request id, a repeat admits nobody more.
    ///
    /// # Errors
    /// [`Error::PhaseEmployees`].
    pub async fn admit_next(&self, call: Call, home: Home, count: u64) -> Result<(), Error> {
        self.may_admit(&call).await?;
        self.ask_waitlist(home, waitlist::Command::AdmitNext { count }, call)
            .await?;
        Ok(())
    }

    /// Admits so many people per hour from now on; 0 stops it.
    ///
    /// # Errors
    /// [`Error::TooMany`], [`Error::PhaseEmployees`].
    pub async fn admit_per_hour(&self, call: Call, home: Home, rate: u32) -> Result<(), Error> {
        let most = self.limits.waitlist.rate_per_hour_max;
        if rate > most {
            return Err(Error::TooMany {
                most: u64::from(most),
            });
        }
        if rate > 0 {
            self.may_admit(&call).await?;
        }
        self.ask_waitlist(home, waitlist::Command::SetRate { per_hour: rate }, call)
            .await?;
        Ok(())
    }

    /// Admits one person; one who is active already stays so.
    ///
    /// # Errors
    /// [`Error::PersonNotFound`], [`Error::PhoneInvalid`], [`Error::PhaseEmployees`], [`Error::Suspended`].
    pub async fn admit_person(&self, call: Call, person: Person) -> Result<(), Error> {
        self.may_admit(&call).await?;
        let user = self.find(person, call.clone()).await?;
        self.ask_user::<Error>(
            user,
            user::Command::Admit {
                how: Admitted::Operator,
            },
            call,
        )
        .await?;
        Ok(())
    }

    /// An account.
    ///
    /// # Errors
    /// [`Error::PersonNotFound`], [`Error::PhoneInvalid`].
    pub async fn account(&self, call: Call, person: Person) -> Result<Account, Error> {
        let user = self.find(person, call.clone()).await?;
        let account = self.ask_account::<Error>(user, user::Command::Read, call).await?;
        Ok(Account {
            created_at: account.created_at,
            phone_hint: account.hint.clone(),
            devices: account.devices,
            me: self.show_me(account).await?,
        })
    }

    /// Stops an account (all its devices are signed out), or lets it go on.
    ///
    /// # Errors
    /// [`Error::PersonNotFound`], [`Error::PhoneInvalid`].
    pub async fn suspend(&self, call: Call, person: Person, suspended: bool) -> Result<(), Error> {
        let user = self.find(person, call.clone()).await?;
        self.ask_user::<Error>(user, user::Command::Suspend { suspended }, call)
            .await?;
        Ok(())
    }

    /// Gives somebody more invites to give; what they have left then. With a request id, a repeat gives nothing more.
    ///
    /// # Errors
    /// [`Error::PersonNotFound`].
    pub async fn grant_invites(&self, call: Call, user: UserId, count: u32) -> Result<u32, Error> {
        let grant = user::Command::GrantInvites {
            count,
            most: self.limits.invites.quota_max,
        };
        match self.ask_user::<Error>(user, grant, call).await? {
            user::Reply::InvitesLeft(left) => Ok(left),
            // Remembered by an earlier release.
            user::Reply::Account(account) => Ok(account.invites_left),
            _ => Err(Trouble::Corrupt.into()),
        }
    }

    /// Somebody's invites.
    ///
    /// # Errors
    /// [`Error::PersonNotFound`].
    pub async fn invites_of(&self, call: Call, user: UserId) -> Result<Invites, Error> {
        self.invites_given_by(user, call)
            .await
            .map_err(|error| match error {
                invites::Error::Trouble(trouble) => Error::Trouble(trouble),
                _ => Error::PersonNotFound,
            })
    }

    /// The waitlist refuses as well, from the first change of the phase on.
    async fn may_admit(&self, call: &Call) -> Result<(), Error> {
        // Whoever set the phase a moment ago through another node is not to be told of the one before.
        let plain = Call {
            request: None,
            ..call.clone()
        };
        if self.phase(plain).await?.by_operator() {
            Ok(())
        } else {
            Err(Error::PhaseEmployees)
        }
    }

    async fn find(&self, person: Person, call: Call) -> Result<UserId, Error> {
        let phone = match person {
            Person::User(user) => return Ok(user),
            Person::Phone(phone) => self.phone_key(&phone)?,
        };
        match self
            .cluster
            .ask::<Phone>(phone.as_str(), phone::Command::Read, call)
            .await
        {
            Ok(phone::Reply::Read {
                owner: Some(user), ..
            }) => Ok(user),
            Ok(_) => Err(Error::PersonNotFound),
            Err(error) => {
                let _refused: phone::Refusal = refusal(error)?;
                Err(Error::PersonNotFound)
            }
        }
    }

    fn phone_key(&self, phone: &str) -> Result<PhoneKey, Error> {
        let number = PhoneNumber::parse(phone).map_err(|_| Error::PhoneInvalid { index: 0 })?;
        Ok(self.secrets.phone_key(&number))
    }

    async fn record_allow_list(&self, action: &str, count: u64, call: Call) -> Result<(), Error> {
        let record = phase::Command::RecordAllowList {
            action: action.to_owned(),
            count,
        };
        self.ask_phase(record, call).await?;
        Ok(())
    }

    async fn ask_phase(&self, command: phase::Command, call: Call) -> Result<Admits, Error> {
        match self.cluster.ask::<Phase>(phase::KEY, command, call).await {
            Ok(reply) => {
                self.phase.put(self.clock.boot(), reply.admits);
                Ok(reply.admits)
            }
            Err(error) => match refusal(error)? {},
        }
    }

    async fn ask_waitlist(
        &self,
        home: Home,
        command: waitlist::Command,
        call: Call,
    ) -> Result<waitlist::Reply, Error> {
        match self.cluster.ask::<Waitlist>(home.as_str(), command, call).await {
            Ok(reply) => Ok(reply),
            Err(error) => match refusal(error)? {
                waitlist::Refusal::Shut => Err(Error::PhaseEmployees),
            },
        }
    }
}

impl From<user::Refusal> for Error {
    fn from(refusal: user::Refusal) -> Self {
        match refusal {
            user::Refusal::Suspended => Self::Suspended,
            // Operators are refused nothing else.
            _ => Self::PersonNotFound,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Trouble(error.into())
    }
}
