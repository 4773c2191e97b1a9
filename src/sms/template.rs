//! One provider's HTTP API, spoken by a template: the configuration has its URL, headers and body with placeholders.
//!
//! Placeholders are found once, at the start, and filled in one pass: what a text contains is never read as one. Each value is
//! escaped for where it stands.

use super::config::{Encoding, Method, Provider};
use super::{Error, Receipts, file, judge, words};
use crate::outbound;
use async_trait::async_trait;
use mitalk_actors::ports::{Sms, SmsError, SmsMessage};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode};

/// Where a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The number.
    To,
    /// The words.
    Text,
    /// The message's key.
    Key,
    /// What the provider knows us by.
    Secret,
    /// Where receipts go.
    Receipts,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// As it is.
    None,
    /// Within a string of JSON.
    Json,
    /// As a value of a form.
    Form,
}

/// A text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Slot(Slot),
}

impl Pattern {
    /// `{word}` is a placeholder, also an unknown one, which is refused; other braces are text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (before, from) = rest.split_at(open);
            plain.push_str(before);
            let word = from[1..].split_once('}').map(|(word, _)| word);
            match word.filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase())) {
                Some(word) => {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    parts.push(Part::Slot(slot(word)?));
                    rest = &from[word.len() + 2..];
                }
                None => {
                    plain.push('{');
                    rest = &from[1..];
                }
            }
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Ok(Self(parts))
    }

    /// Whether it asks for this.
    pub(super) fn has(&self, slot: Slot) -> bool {
        self.0.contains(&Part::Slot(slot))
    }

    /// The text with values in place of placeholders.
    pub(super) fn fill<'a>(&self, escape: Escape, value: &dyn Fn(Slot) -> &'a str) -> String {
        self.0.iter().fold(String::new(), |filled, part| match part {
            Part::Text(text) => filled + text,
            Part::Slot(slot) => filled + &escaped(escape, value(*slot)),
        })
    }
}

fn slot(word: &str) -> Result<Slot, String> {
    Ok(match word {
        "to" => Slot::To,
        "text" => Slot::Text,
        "key" => Slot::Key,
        "secret" => Slot::Secret,
        "receipts" => Slot::Receipts,
        _ => {
            return Err(format!(
                "has {{{word}}}; known are {{to}}, {{text}}, {{key}}, {{secret}} and {{receipts}}"
            ));
        }
    })
}

fn escaped(escape: Escape, value: &str) -> String {
    match escape {
        Escape::None => value.to_owned(),
        Escape::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
        Escape::Form => percent_encoded(value),
    }
}

/// All but the unreserved characters of RFC 3986, section 2.3: right in forms and in URLs.
pub(super) fn percent_encoded(value: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a String takes all that is written");
        }
    }
    text
}

/// The adapter.
pub(super) struct Template {
    config: Provider,
    headers: Vec<(HeaderName, Pattern)>,
    body: Pattern,
    secret: String,
    /// The URL that takes receipts, to which the message's key is added.
    receipts: String,
    site: words::Site,
    client: Client,
}

impl Template {
    pub(super) fn new(config: &Provider, site: words::Site, client: Client) -> Result<Self, Error> {
        let secret = match &config.secret_file {
            Some(path) => file::read("sms.http.secret_file", Some(path))?,
            None => String::new(),
        };
        let header = |line: &String| {
            let wrong = |why| Error::Config("sms.http.headers", why);
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let name = HeaderName::try_from(name.trim()).map_err(|error| wrong(error.to_string()))?;
            Ok::<_, Error>((name, Pattern::parse(value.trim()).map_err(wrong)?))
        };
        let body = Pattern::parse(&config.body).map_err(|why| Error::Config("sms.http.body", why))?;
        let receipts = match (&config.receipts.token_file, site.url()) {
            (Some(_), Some(url)) => format!("{url}{}", Receipts::path(&config.receipts)?),
            _ => String::new(),
        };
        Ok(Self {
            headers: config.headers.iter().map(header).collect::<Result<_, _>>()?,
            config: config.clone(),
            body,
            secret,
            receipts,
            site,
            client,
        })
    }

    fn request(&self, message: &SmsMessage) -> Result<reqwest::RequestBuilder, SmsError> {
        let text = words::text(message, &self.site);
        let key = percent_encoded(&message.key.0);
        let receipts = format!("{}?key={key}", self.receipts);
        let value = |slot| match slot {
            Slot::To => message.to.e164(),
            Slot::Text => &text,
            Slot::Key => &message.key.0,
            Slot::Secret => &self.secret,
            Slot::Receipts => &receipts,
        };
        let (escape, kind) = match self.config.encoding {
            Encoding::Form => (Escape::Form, "application/x-www-form-urlencoded"),
            Encoding::Json => (Escape::Json, "application/json"),
        };
        let method = match self.config.method {
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
        };
        let mut request = self.client.request(method, &self.config.url);
        request = request.header(CONTENT_TYPE, kind);
        for (name, pattern) in &self.headers {
            let filled = HeaderValue::try_from(pattern.fill(Escape::None, &value));
            let mut filled = filled.map_err(|_| SmsError::Refused {
                reason: format!("the header {name} cannot be written"),
            })?;
            filled.set_sensitive(true);
            request = request.header(name, filled);
        }
        if !self.config.user.is_empty() {
            request = request.basic_auth(&self.config.user, Some(&self.secret));
        }
        Ok(request.body(self.body.fill(escape, &value)))
    }
}

#[async_trait]
impl Sms for Template {
    async fn send(&self, message: SmsMessage) -> Result<(), SmsError> {
        let request = self.request(&message)?;
        let among = |statuses: &[u16], status: StatusCode| statuses.contains(&status.as_u16());
        judge(
            outbound::send(request).await,
            |status| among(&self.config.taken, status),
            |status| among(&self.config.refused, status),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_never_read_as_placeholders() {
        let value = |slot| match slot {
            Slot::To => "+49",
            Slot::Text => "{key} \"é\"\n&=",
            _ => "k/1",
        };
        let fill = |text, escape| Pattern::parse(text).unwrap().fill(escape, &value);
        assert_eq!(
            fill("To={to}&Body={text}&Ref={key}", Escape::Form),
            "To=%2B49&Body=%7Bkey%7D%20%22%C3%A9%22%0A%26%3D&Ref=k%2F1"
        );
        let json = fill(
            r#"{"to":"{to}","body":{"text":"{text}"},"id":"{key}"}"#,
            Escape::Json,
        );
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["to"], "+49");
        assert_eq!(json["body"]["text"], "{key} \"é\"\n&=");
        assert_eq!(fill("{ {to {} {to}", Escape::None), "{ {to {} +49");
        assert!(Pattern::parse("{tos}").is_err());
    }
}
