//! The development adapter: it sends nothing and prints one-time codes to the log, so that a developer can sign in. Numbers
//! never reach a log, not even hashed; the optional file for tests names a receiver by an opaque key.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use mitalk_actors::number::PhoneNumber;
use mitalk_actors::ports::{Message, Sms, SmsError, SmsMessage};
use serde::{Deserialize, Serialize};

use super::{Config, Error, kind};

/// Hexadecimal digits of a receiver's key: no two numbers of a test run share one.
const KEY_DIGITS: usize = 16;
/// When to try again after the file could not be written.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Whom to: [`receiver`] of the number.
    pub to: String,
    /// `code`, `invited` or `admitted`.
    pub kind: String,
    /// The one-time code, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The idempotency key that a provider would have been given.
    pub key: String,
}

/// The key that stands for a number in the file: the same in every run, so that a test finds what its number got. It
/// hides a number from a glance, not from somebody who tries them all.
pub fn receiver(number: &PhoneNumber) -> String {
    use std::fmt::Write;
    let hash = digest(&SHA256, number.e164().as_bytes());
    let mut key = String::with_capacity(KEY_DIGITS);
    for byte in &hash.as_ref()[..KEY_DIGITS / 2] {
        write!(key, "{byte:02x}").expect("a String takes all that is written");
    }
    key
}

/// The development adapter: codes go to the log.
#[derive(Debug)]
pub struct Log {
    file: Option<Mutex<File>>,
}

impl Log {
    /// Opens the file, if there is to be one.
    ///
    /// # Errors
    /// It cannot be opened for appending.
    pub fn new(config: &Config) -> Result<Log, Error> {
        let open = |path: &std::path::PathBuf| {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            opened.map(Mutex::new).map_err(|source| Error::File {
                key: "sms.file",
                path: path.clone(),
                source,
            })
        };
        Ok(Log {
            file: config.file.as_ref().map(open).transpose()?,
        })
    }

    fn append(&self, line: &Line) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        // One write to a file opened for appending: a line is there as a whole or not at all.
        file.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write_all(&text)
    }
}

#[async_trait]
impl Sms for Log {
    async fn send(&self, message: SmsMessage) -> Result<(), SmsError> {
        let kind = kind(&message.message);
        let code = match message.message {
            Message::Code { code } => Some(code),
            _ => None,
        };
        let line = Line {
            to: receiver(&message.to),
            kind: kind.into(),
            code,
            key: message.key.0,
        };
        self.append(&line).map_err(|error| SmsError::Unavailable {
            reason: format!("the file of text messages: {error}"),
            retry_after: RETRY_AFTER,
        })?;
        match &line.code {
            Some(code) => tracing::info!(code, "one-time code"),
            None => tracing::info!(kind, key = line.key, "text message"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use mitalk_actors::ports::EventKey;

    use super::*;

    #[tokio::test]
    async fn a_line_tells_the_code_and_not_the_number() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sms.jsonl");
        let sms = Log::new(&Config {
            file: Some(path.clone()),
            ..Config::default()
        })
        .unwrap();
        let to = PhoneNumber::parse("+4915112345678").unwrap();
        for message in [
            Message::Code {
                code: "123456".into(),
            },
            Message::Admitted,
        ] {
            sms.send(SmsMessage {
                to: to.clone(),
                message,
                language: None,
                key: EventKey("user/x/1".into()),
            })
            .await
            .unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("5112345678"), "{text}");
        let lines: Vec<Line> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[0].code.as_deref(), Some("123456"));
        assert_eq!(
            (lines[1].kind.as_str(), lines[1].key.as_str()),
            ("admitted", "user/x/1")
        );
        assert!(lines.iter().all(|line| line.to == receiver(&to)));
    }
}
