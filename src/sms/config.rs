//! How text messages are sent.

use super::template::{Escape, Pattern, Slot};
use super::{Error, Signer};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Nothing is sent; codes are in the log.
    #[default]
    Log,
    /// Signed, to a service of the operator's.
    Webhook,
    /// To a provider's HTTP API.
    Http,
}

/// How a request is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// POST.
    #[default]
    Post,
    /// PUT.
    Put,
}

/// What a request's body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// `application/x-www-form-urlencoded`.
    #[default]
    Form,
    /// `application/json`.
    Json,
}

/// Text messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `log` sends nothing and prints codes to the log: for development. `webhook` posts each text, signed, to a service of
    /// yours. `http` calls one provider's API.
    pub via: Via,
    /// With `log`, messages are also appended to this file, one JSON object per line; for tests. It holds one-time codes:
    /// never set it where real people sign in.
    pub file: Option<PathBuf>,
    /// Your service, with `via = "webhook"`.
    pub webhook: Webhook,
    /// The provider, with `via = "http"`.
    pub http: Provider,
}

/// A service of the operator's that sends texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhook {
    /// Where texts are posted, as JSON (`id`, `kind`, `to`, `text`, `code`), signed after Standard Webhooks.
    pub url: String,
    /// A file with the secret, `whsec_` and the base64 of 24 to 64 bytes; on a second line the one before, which is valid too
    /// while it is changed. Receipts that your service posts to `/v1/sms/receipts` are signed with it as well.
    pub secret_file: Option<PathBuf>,
}

/// A provider's HTTP API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provider {
    /// What is called for each text.
    pub url: String,
    /// `POST` or `PUT`.
    pub method: Method,
    /// `form` or `json`.
    pub encoding: Encoding,
    /// Further headers, each as `Name: value`, such as `Authorization: Bearer {secret}` or `Idempotency-Key: {key}`.
    pub headers: Vec<String>,
    /// The body, as the encoding writes it. `{to}` is the number, `{text}` the words, `{key}` the message's key, `{secret}` the
    /// file's content and `{receipts}` the URL that takes receipts; each is escaped. Such as `To={to}&Body={text}`.
    pub body: String,
    /// The user of HTTP basic authentication, with the secret as password. Empty: none.
    pub user: String,
    /// A file with the password, token or key that the provider gave.
    pub secret_file: Option<PathBuf>,
    /// Statuses that say that the provider has the message.
    pub taken: Vec<u16>,
    /// Statuses that say that it will never send this one. After all others it is tried again, but for codes.
    pub refused: Vec<u16>,
    /// What the provider reports of a message.
    pub receipts: Reports,
}

/// What the provider reports of a message, posted to the URL that `{receipts}` gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reports {
    /// A file with a random token of at least 16 letters, digits, `-` or `_`, which makes the URL secret. Absent: no receipts
    /// are taken.
    pub token_file: Option<PathBuf>,
    /// The field with the state: its name, or in JSON its pointer, such as `/results/0/status`.
    pub field: String,
    /// States that mean that the message arrived, in quotes also where the receipt has a number or a flag: `"3"`, `"true"`.
    pub delivered: Vec<String>,
    /// States that mean that it never will.
    pub failed: Vec<String>,
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            url: String::new(),
            method: Method::default(),
            encoding: Encoding::default(),
            headers: Vec::new(),
            body: String::new(),
            user: String::new(),
            secret_file: None,
            taken: vec![200, 201, 202, 204],
            refused: vec![400, 413, 422],
            receipts: Reports::default(),
        }
    }
}

impl Default for Reports {
    fn default() -> Self {
        let states = |states: &[&str]| states.iter().map(|state| (*state).to_owned()).collect();
        Self {
            token_file: None,
            field: "MessageStatus".to_owned(),
            delivered: states(&["delivered"]),
            failed: states(&["failed", "undelivered"]),
        }
    }
}

impl Config {
    /// What can never work: the key, and what is wrong.
    pub fn problem(&self, public_url: &str) -> Option<(&'static str, String)> {
        match self.via {
            Via::Log => None,
            Via::Webhook => self.webhook.problem(),
            Via::Http => self.http.problem(public_url),
        }
    }
}

impl Webhook {
    fn problem(&self) -> Option<(&'static str, String)> {
        if !is_url(&self.url) {
            return Some(("sms.webhook.url", URL.to_owned()));
        }
        self.secret_file.is_none().then(|| {
            (
                "sms.webhook.secret_file",
                "must be set: texts are signed".to_owned(),
            )
        })
    }

    /// What signs.
    pub(super) fn signer(&self) -> Result<Signer, Error> {
        Signer::read("sms.webhook.secret_file", self.secret_file.as_deref())
    }
}

/// What is wrong with a URL.
const URL: &str = "must look like https://sms.example.org/send, without a user or password in it";

impl Provider {
    fn problem(&self, public_url: &str) -> Option<(&'static str, String)> {
        if !is_url(&self.url) {
            return Some(("sms.http.url", URL.to_owned()));
        }
        if let Some(problem) = self.body_problem(public_url) {
            return Some(("sms.http.body", problem));
        }
        if let Some(problem) = self.headers.iter().find_map(|line| self.header_problem(line)) {
            return Some(("sms.http.headers", problem));
        }
        if !self.user.is_empty() && self.secret_file.is_none() {
            return Some((
                "sms.http.secret_file",
                "must be set: sms.http.user has a password".to_owned(),
            ));
        }
        let is_status = |status: &u16| (100..600).contains(status) && !self.refused.contains(status);
        if self.taken.is_empty() || !self.taken.iter().all(is_status) {
            return Some((
                "sms.http.taken",
                "needs a status, none of which sms.http.refused has".to_owned(),
            ));
        }
        None
    }

    fn body_problem(&self, public_url: &str) -> Option<String> {
        let pattern = match Pattern::parse(&self.body) {
            Ok(pattern) => pattern,
            Err(problem) => return Some(problem),
        };
        if !pattern.has(Slot::To) || !pattern.has(Slot::Text) {
            return Some("must have {to} and {text}".to_owned());
        }
        if pattern.has(Slot::Secret) && self.secret_file.is_none() {
            return Some("has {secret}: set sms.http.secret_file".to_owned());
        }
        if pattern.has(Slot::Receipts) && (public_url.is_empty() || self.receipts.token_file.is_none()) {
            return Some("has {receipts}: set sms.http.receipts.token_file and http.public_url".to_owned());
        }
        let json = pattern.fill(Escape::Json, &|_| "x");
        match serde_json::from_str::<serde_json::Value>(&json) {
            Err(error) if self.encoding == Encoding::Json => Some(format!(
                "is no JSON: {error}; placeholders stand within quotation marks"
            )),
            _ => None,
        }
    }

    fn header_problem(&self, line: &str) -> Option<String> {
        let problem = |what: &str| Some(format!("has `{line}`: {what}"));
        let Some((name, value)) = line.split_once(':') else {
            return problem("write it as Name: value");
        };
        let pattern = match Pattern::parse(value) {
            Ok(pattern) => pattern,
            Err(why) => return problem(&why),
        };
        let valid = reqwest::header::HeaderName::try_from(name.trim()).is_ok()
            && reqwest::header::HeaderValue::try_from(value.trim()).is_ok();
        if !valid {
            return problem("that is no header");
        }
        if [Slot::To, Slot::Text, Slot::Receipts]
            .iter()
            .any(|slot| pattern.has(*slot))
        {
            return problem("only {key} and {secret} can be in it");
        }
        if pattern.has(Slot::Secret) && self.secret_file.is_none() {
            return problem("set sms.http.secret_file");
        }
        None
    }
}

/// A password in it would be printed with the configuration.
fn is_url(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "https" | "http")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Provider {
        Provider {
            url: "https://sms.example.org/send".into(),
            body: "To={to}&Body={text}".into(),
            ..Provider::default()
        }
    }

    type Spoil = fn(&mut Provider);

    #[test]
    fn what_can_never_work_is_refused_by_its_key() {
        let problem = |provider: Provider| {
            let via = Via::Http;
            let config = Config {
                via,
                http: provider,
                ..Config::default()
            };
            config.problem("https://talk.example.org")
        };
        assert_eq!(problem(form()), None);
        let broken: [(&str, Spoil); 10] = [
            ("url", |provider| provider.url = "sms.example.org".into()),
            ("url", |provider| {
                provider.url = "https://a:b@sms.example.org".into()
            }),
            ("body", |provider| provider.body = "To={to}".into()),
            ("body", |provider| provider.body = "To={to}&Body={txt}".into()),
            ("body", |provider| provider.encoding = Encoding::Json),
            ("body", |provider| provider.body.push_str("&Cb={receipts}")),
            ("headers", |provider| {
                provider.headers = vec!["Authorization".into()]
            }),
            ("headers", |provider| provider.headers = vec!["X-To: {to}".into()]),
            ("secret_file", |provider| provider.user = "AC1".into()),
            ("taken", |provider| provider.taken = vec![400]),
        ];
        for (key, spoil) in broken {
            let mut provider = form();
            spoil(&mut provider);
            let (found, problem) = problem(provider).expect(key);
            assert_eq!(found, format!("sms.http.{key}"), "{problem}");
        }
    }
}
