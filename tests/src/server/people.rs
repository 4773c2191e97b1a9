//! People on a server: signed in by the code that their text message carries, or made by the operators for load tests.

use super::{Server, until};
use anyhow::Result;
use mitalk::client::Client;
use mitalk::sms::{Line, receiver};
use mitalk::wire::auth::{SignedIn, Tokens, VerifyRequest};
use mitalk::wire::people::ProfilePatch;
use mitalk_actors::number::PhoneNumber;
use mitalk_load::people;

impl Server {
    /// Active accounts; the server must have been started with `admin.test_admission=true`.
    ///
    /// # Errors
    /// Those of the admin API.
    pub async fn people<const COUNT: usize>(&self) -> Result<[people::Person; COUNT]> {
        let made = people::make(&self.admin, &self.client, COUNT, |_| ()).await?;
        made.try_into()
            .map_err(|_| anyhow::anyhow!("another number of accounts than was asked for"))
    }

    /// Asks for a code and waits for it: the first one that comes after those that were there.
    ///
    /// # Errors
    /// Refused.
    pub async fn new_code(&self, phone: &str) -> Result<String> {
        let to = receiver(&PhoneNumber::parse(phone)?);
        let before = self.messages(&to).len();
        self.client.send_code(phone).await?;
        let code = async || {
            self.messages(&to)
                .into_iter()
                .skip(before)
                .find_map(|line| line.code)
        };
        Ok(until("a code", code).await)
    }

    /// The newest code that a number got.
    ///
    /// # Errors
    /// Not a number.
    pub async fn code(&self, phone: &str) -> Result<String> {
        let to = receiver(&PhoneNumber::parse(phone)?);
        let code = async || self.messages(&to).into_iter().rev().find_map(|line| line.code);
        Ok(until("a code", code).await)
    }

    /// Everything that was sent to a receiver.
    pub fn messages(&self, to: &str) -> Vec<Line> {
        let text = std::fs::read_to_string(self.directory.path().join("sms.jsonl")).unwrap_or_default();
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Line>(line).ok());
        lines.filter(|line| line.to == to).collect()
    }

    /// Signs a number in.
    ///
    /// # Errors
    /// Refused.
    pub async fn sign_in(&self, phone: &str) -> Result<Person> {
        self.sign_in_by(phone, None).await
    }

    /// Signs a number in that came by an invite link.
    ///
    /// # Errors
    /// Refused.
    pub async fn sign_in_by(&self, phone: &str, invite: Option<&str>) -> Result<Person> {
        let request = VerifyRequest {
            phone: phone.to_owned(),
            code: self.new_code(phone).await?,
            device_name: Some("Test".to_owned()),
            invite: invite.map(str::to_owned),
        };
        let signed_in = self.client.verify(&request).await?;
        Ok(Person::new(self, signed_in))
    }

    /// Signs a number in and gives it a name.
    ///
    /// # Errors
    /// Refused.
    pub async fn person(&self, phone: &str, name: &str) -> Result<Person> {
        let person = self.sign_in(phone).await?;
        person
            .client
            .patch_profile(&ProfilePatch {
                name: Some(name.to_owned()),
                ..ProfilePatch::default()
            })
            .await?;
        Ok(person)
    }
}

/// Somebody signed in.
#[derive(Debug)]
pub struct Person {
    /// Opaque.
    pub id: String,
    /// Signed in as them.
    pub client: Client,
    /// Of their device.
    pub tokens: Tokens,
}

impl Person {
    fn new(server: &Server, signed_in: SignedIn) -> Self {
        let client = server.client.signed_in(&signed_in.tokens.access_token);
        Self {
            id: signed_in.me.id,
            client,
            tokens: signed_in.tokens,
        }
    }
}

impl Person {
    /// The same, at a server that goes on with what another one left.
    pub fn again(&self, server: &Server) -> Self {
        Self {
            id: self.id.clone(),
            client: server.client.signed_in(&self.tokens.access_token),
            tokens: self.tokens.clone(),
        }
    }
}

/// The stable code of a failure.
///
/// # Panics
/// It is none, or not the API's.
pub fn code<T: std::fmt::Debug>(result: std::result::Result<T, mitalk::client::Error>) -> String {
    let error = result.expect_err("this must be refused");
    error
        .code()
        .unwrap_or_else(|| panic!("no problem document: {error}"))
        .to_owned()
}
