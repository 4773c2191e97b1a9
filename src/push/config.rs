//! What is configured of Web Push.

use super::services::{MAX_SERVICES, Services};
use serde::{Deserialize, Serialize};

/// The push services of Chrome and Edge, Firefox, Windows and Safari.
const SERVICES: [&str; 6] = [
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "*.push.services.mozilla.com",
    "*.notify.windows.com",
    "web.push.apple.com",
    "*.push.apple.com",
];

/// Web Push: notices to people who do not have the app open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether anything is pushed. The server needs a way out to the push services, by HTTPS.
    pub enabled: bool,
    /// Where messages may be sent to, at most 8: hosts, `*.` before one for all below it, or the whole origin of a push
    /// service of one's own (`https://push.example.org:8443`; `http` only on loopback). Browsers say which service is
    /// theirs, and only these are believed.
    pub services: Vec<String>,
    /// Whom the makers of browsers can write to about what is sent: `mailto:` or `https:` (RFC 8292, 2.1). Empty:
    /// `http.public_url`, if that is `https`. Safari's service wants a real one.
    pub subject: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            services: SERVICES.map(str::to_owned).to_vec(),
            subject: String::new(),
        }
    }
}

impl Config {
    /// What cannot work, if anything: key and reason.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        if self.services.len() > MAX_SERVICES {
            return Some(("push.services", format!("has more than {MAX_SERVICES} entries")));
        }
        if let Err(wrong) = Services::parse(&self.services) {
            return Some(("push.services", wrong.to_string()));
        }
        let is_subject = ["mailto:", "https://"]
            .iter()
            .any(|form| self.subject.starts_with(form));
        if !self.subject.is_empty() && !is_subject {
            let reason = "must look like mailto:operator@example.org or https://example.org/contact";
            return Some(("push.subject", reason.to_owned()));
        }
        None
    }

    /// Whom push services are told to write to, and whether that is somebody.
    pub fn contact(&self, public_url: &str) -> (String, bool) {
        if !self.subject.is_empty() {
            (self.subject.clone(), true)
        } else if public_url.starts_with("https://") {
            (public_url.to_owned(), true)
        } else {
            ("mailto:nobody@localhost".to_owned(), false)
        }
    }
}
