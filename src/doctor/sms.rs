//! Text messages: whether there are any, and whether what they need is there.

use super::Finding;
use super::http::is_localhost;
use crate::config::Config;
use crate::sms::{self, Site, Via};
use prometheus::Registry;

pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let url = match config.sms.via {
        Via::Log => return to_the_log(config).into_iter().collect(),
        Via::Webhook => &config.sms.webhook.url,
        Via::Http => &config.sms.http.url,
    };
    let mut findings = vec![opens(config, url)];
    findings.extend(in_the_clear(url));
    if config.sms.via == Via::Http && config.sms.http.receipts.token_file.is_none() {
        findings.push(Finding::warning(
            "the provider's receipts are not taken: nobody sees texts that do not arrive",
            "set sms.http.receipts.token_file, and {receipts} in sms.http.body where the provider wants the URL",
        ));
    }
    findings
}

/// One-time codes in a log are fine on a developer's machine and nowhere else.
fn to_the_log(config: &Config) -> Option<Finding> {
    config.http.public_url.starts_with("https:").then(|| {
        Finding::error(
            "one-time codes are printed to the log, and nobody gets a text message",
            "whoever reads the log can sign in as anybody: set sms.via to webhook or http, and sms.webhook or sms.http",
        )
    })
}

/// As the service will: the files are read.
fn opens(config: &Config, url: &str) -> Finding {
    let site = Site::new(&config.http.public_url);
    let opened = sms::Metrics::new(&Registry::new())
        .map_err(|error| error.to_string())
        .and_then(|metrics| sms::open(&config.sms, site, &metrics).map_err(|error| error.to_string()));
    match opened {
        Ok(_) => Finding::fine(format!("text messages go to {url}")),
        Err(error) => Finding::error(
            format!("text messages: {error}"),
            "the service will not start: make the file, readable by the service only",
        ),
    }
}

fn in_the_clear(url: &str) -> Option<Finding> {
    let (_, rest) = url.split_once("http://")?;
    let host = rest.split('/').next().unwrap_or_default();
    (!is_localhost(host)).then(|| {
        Finding::error(
            format!("numbers and codes go to {host} without TLS"),
            "write https:// in the URL: whoever reads the network could sign in as anybody",
        )
    })
}
