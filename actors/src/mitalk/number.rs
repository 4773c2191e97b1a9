//! Moving the account to another number: both numbers prove themselves by a code.

use super::Mitalk;
use super::auth::{CodeSent, Error};
use crate::caller::{Caller, Stranger};
use crate::error::Trouble;
use crate::number::PhoneNumber;
use crate::person::Me;
use crate::phone;
use crate::user::{self, Summary};
use std::time::Duration;

/// Another number, and what proves that both are the caller's.
#[derive(Clone)]
pub struct NewNumber {
    /// As typed.
    pub phone: String,
    /// The code that was sent there.
    pub code: String,
    /// The code that was sent to the number that the account has.
    pub current_code: String,
}

impl Mitalk {
    /// Sends a code to the number that the account has: the first of the two that a change of number needs. The other one is
    /// an ordinary code ([`Mitalk::send_code`]).
    ///
    /// # Errors
    /// As of `send_code`.
    pub async fn send_own_code(&self, caller: &Caller, stranger: &Stranger) -> Result<CodeSent, Error> {
        let number = self.own_number(&self.own_account(caller).await?)?;
        self.send_code(stranger, number.e164()).await
    }

    /// Moves the account to another number; the old one is anybody's then. Once the new number's code is spent, the number is
    /// held for the account for a while: whoever was cut off asks for another code and goes on.
    ///
    /// # Errors
    /// [`Error::PhoneInvalid`], [`Error::CodeWrong`], [`Error::CodeExpired`], [`Error::CodeTriesUsedUp`],
    /// [`Error::NumberTaken`], [`Error::Suspended`].
    pub async fn change_number(&self, caller: &Caller, new: NewNumber) -> Result<Me, Error> {
        let number = PhoneNumber::parse(&new.phone).map_err(|_| Error::PhoneInvalid)?;
        let key = self.secrets.phone_key(&number);
        let account = self.own_account(caller).await?;
        if account.phone == key {
            return Ok(self.show_me(account).await?);
        }
        // First, and not used up: whoever mistypes the other code needs no third one.
        let prove = phone::Command::Prove {
            hashes: self.secrets.code_hashes(&account.phone, new.current_code.trim()),
            by: caller.user,
            limits: self.limits.codes.clone(),
        };
        match self.ask_phone(&account.phone, prove, caller.plain_call()).await? {
            phone::Reply::Done => {}
            phone::Reply::Wrong { left } => return Err(wrong(left)),
            _ => return Err(Trouble::Corrupt.into()),
        }
        let claim_for = Duration::from_secs(self.limits.profile.claim_s);
        // The account's clock may be another node's: it must be sure that the claim still holds.
        let until = self.clock.wall() + claim_for / 2;
        let verify = phone::Command::Verify {
            hashes: self.secrets.code_hashes(&key, new.code.trim()),
            candidate: caller.user,
            claim_for,
            limits: self.limits.codes.clone(),
        };
        match self.ask_phone(&key, verify, caller.plain_call()).await? {
            phone::Reply::Verified { user, .. } if user == caller.user => {}
            phone::Reply::Verified { .. } => return Err(Error::NumberTaken),
            phone::Reply::Wrong { left } => return Err(wrong(left)),
            _ => return Err(Trouble::Corrupt.into()),
        }
        let change = user::Command::ChangeNumber {
            phone: key,
            sealed: self.secrets.seal_number(&number),
            hint: number.hint(),
            until,
        };
        let account = self
            .ask_account::<Error>(caller.user, change, caller.plain_call())
            .await?;
        Ok(self.show_me(account).await?)
    }

    async fn own_account(&self, caller: &Caller) -> Result<Summary, Error> {
        self.ask_account::<Error>(caller.user, user::Command::Read, caller.plain_call())
            .await
    }
}

fn wrong(left: u32) -> Error {
    match left {
        0 => Error::CodeTriesUsedUp,
        tries_left => Error::CodeWrong { tries_left },
    }
}
