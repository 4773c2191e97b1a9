//! Accounts for load tests. The edge asks for them only where its configuration allows it.

use super::super::auth::{self, Verified};
use super::{Error, Mitalk};
use crate::id::UserId;
use crate::number::PhoneNumber;
use crate::user::{self, Admitted};
use futures::{StreamExt, TryStreamExt, stream};
use mitalk_cluster::Call;

/// Test accounts made at once.
pub const TEST_ACCOUNTS: usize = 10_000;
/// Test accounts under way at the same time.
const TEST_ACCOUNTS_AT_ONCE: usize = 32;
/// Characters of a test number; the calling codes tests use have numbers of this length.
const TEST_NUMBER_CHARS: usize = 14;

impl Mitalk {
    /// Makes active accounts of numbers that start with `prefix`, signed in on one device each: the same
    /// numbers are the same accounts again.
    ///
    /// # Errors
    /// [`Error::TooMany`], [`Error::PhoneInvalid`] if prefix and index are no valid numbers of 14 characters.
    pub async fn test_accounts(
        &self,
        call: Call,
        prefix: &str,
        count: usize,
    ) -> Result<Vec<Verified>, Error> {
        let admit = user::Command::Admit {
            how: Admitted::Operator,
        };
        self.make_accounts(call, prefix, count, &admit).await
    }

    /// The same, but they wait: each gets a ticket.
    ///
    /// # Errors
    /// As of [`Mitalk::test_accounts`].
    pub async fn waiting_test_accounts(
        &self,
        call: Call,
        prefix: &str,
        count: usize,
    ) -> Result<Vec<Verified>, Error> {
        self.make_accounts(call, prefix, count, &user::Command::Queue)
            .await
    }

    async fn make_accounts(
        &self,
        call: Call,
        prefix: &str,
        count: usize,
        then: &user::Command,
    ) -> Result<Vec<Verified>, Error> {
        if count > TEST_ACCOUNTS {
            return Err(Error::TooMany {
                most: TEST_ACCOUNTS as u64,
            });
        }
        let accounts = (0..count).map(|index| self.test_account(call.clone(), prefix, index, then.clone()));
        stream::iter(accounts)
            .buffered(TEST_ACCOUNTS_AT_ONCE)
            .try_collect()
            .await
    }

    async fn test_account(
        &self,
        call: Call,
        prefix: &str,
        index: usize,
        then: user::Command,
    ) -> Result<Verified, Error> {
        let digits = TEST_NUMBER_CHARS.saturating_sub(prefix.len());
        let number = PhoneNumber::parse(&format!("{prefix}{index:0digits$}"))
            .map_err(|_| Error::PhoneInvalid { index })?;
        let phone = self.secrets.phone_key(&number);
        let bits = self
            .secrets
            .derived_bits(&[b"test account", phone.as_str().as_bytes()]);
        let user = UserId::new(self.home, bits);
        let sign_up = user::Command::SignUp {
            phone,
            sealed: self.secrets.seal_number(&number),
            hint: number.hint(),
            quota: self.limits.invites.quota,
            offered: vec![],
        };
        self.ask_user::<Error>(user, sign_up, call.clone()).await?;
        self.ask_user::<Error>(user, then, call.clone()).await?;
        self.open_device(user, Some("load test"), call)
            .await
            .map_err(|error| match error {
                auth::Error::Trouble(trouble) => Error::Trouble(trouble),
                _ => Error::PersonNotFound,
            })
    }
}
