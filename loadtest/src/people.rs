//! The people of a run: active accounts from the server's test admission, each with a client that shows their token.

use anyhow::Context;
use mitalk::client::{AdminClient, Client};
use mitalk::wire::admin::TestAccount;
use mitalk::wire::auth::Tokens;
use rand::Rng;
use std::time::{Duration, Instant};

/// Accounts per request; the server takes no more at a time.
const PER_REQUEST: usize = 500;
/// Accounts have numbers of this form, which the server stores and sends nothing to: a prefix, four digits that
/// differ by request, and four that the server counts.
const PREFIX: &str = "+49151";
/// Numbers of the four digits.
const BLOCKS: u32 = 10_000;

/// Somebody with an account.
#[derive(Clone, Debug)]
pub struct Person {
    /// Opaque.
    pub user: String,
    /// Shows their access token, which is good for some minutes.
    pub client: Client,
    refresh_token: String,
    renew_at: Instant,
}

impl Person {
    fn new(user: String, app: &Client, tokens: Tokens) -> Self {
        Self {
            user,
            client: app.signed_in(&tokens.access_token),
            refresh_token: tokens.refresh_token,
            renew_at: Instant::now() + Duration::from_secs(tokens.access_expires_in_s) / 2,
        }
    }

    /// Gets a new access token.
    ///
    /// # Errors
    /// Those of the API.
    pub async fn renew(&mut self) -> anyhow::Result<()> {
        let tokens = self.client.refresh(&self.refresh_token).await?;
        *self = Self::new(std::mem::take(&mut self.user), &self.client, tokens);
        Ok(())
    }

    /// Gets a new access token if half of the old one's life is over: runs may last longer than a token.
    ///
    /// # Errors
    /// Those of the API.
    pub async fn stay_signed_in(&mut self) -> anyhow::Result<()> {
        if Instant::now() < self.renew_at {
            return Ok(());
        }
        self.renew().await
    }
}

/// Makes accounts; `made` is told how many there are after each request.
///
/// # Errors
/// Those of the admin API; the likeliest is that test admission is off, and the message says what to do.
pub async fn make(
    admin: &AdminClient,
    app: &Client,
    count: usize,
    mut made: impl FnMut(usize),
) -> anyhow::Result<Vec<Person>> {
    let mut people = Vec::with_capacity(count);
    // Runs against one server begin at different numbers, or they would share their accounts.
    let first = rand::rng().random_range(0..BLOCKS);
    for block in (0..BLOCKS).map(|n| (first + n) % BLOCKS) {
        if people.len() == count {
            break;
        }
        let prefix = format!("{PREFIX}{block:04}");
        let accounts = admin
            .test_accounts(PER_REQUEST.min(count - people.len()), &prefix)
            .await;
        let accounts =
            accounts.context("no test accounts; does the server run with admin.test_admission = true?")?;
        anyhow::ensure!(!accounts.is_empty(), "the server made no test accounts");
        let signed_in = |account: TestAccount| Person::new(account.user, app, account.tokens);
        people.extend(accounts.into_iter().map(signed_in));
        made(people.len());
    }
    Ok(people)
}
