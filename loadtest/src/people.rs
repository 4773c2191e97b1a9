//! The people of a run: active accounts from the server's test admission, each with a client that shows their token.

use anyhow::Context;
use mitalk::client::{AdminClient, Client};
use rand::Rng;

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
}

impl Person {
    /// Gets a new access token; runs may last longer than one.
    ///
    /// # Errors
    /// Those of the API.
    pub async fn renew(&mut self) -> anyhow::Result<()> {
        let tokens = self.client.refresh(&self.refresh_token).await?;
        self.client = self.client.signed_in(&tokens.access_token);
        self.refresh_token = tokens.refresh_token;
        Ok(())
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
        people.extend(accounts.into_iter().map(|account| Person {
            user: account.user,
            client: app.signed_in(&account.tokens.access_token),
            refresh_token: account.tokens.refresh_token,
        }));
        made(people.len());
    }
    Ok(people)
}
