//! Web Push: its keys, and what push services are told.

use super::Finding;
use crate::config::Config;
use crate::push::vapid::{FILE, Keys};

pub(super) fn examine(config: &Config) -> Vec<Finding> {
    if !config.push.enabled {
        return vec![Finding::fine("Web Push is switched off (push.enabled)")];
    }
    vec![keys(config), contact(config)]
}

fn keys(config: &Config) -> Finding {
    let directory = &config.storage.data_dir;
    if !directory.join(FILE).exists() {
        return Finding::fine(
            "Web Push: keys are made at the first start; all nodes of a service need the same ones",
        );
    }
    match Keys::load(directory) {
        Ok(keys) => Finding::fine(format!(
            "Web Push: the public key is {}, as on all nodes",
            keys.public()
        )),
        Err(error) => Finding::error(
            format!("Web Push: {error}"),
            "without them the service does not start",
        ),
    }
}

fn contact(config: &Config) -> Finding {
    match config.push.contact(&config.http.public_url) {
        (contact, true) => Finding::fine(format!("Web Push: push services may write to {contact}")),
        (_, false) => Finding::warning(
            "Web Push: push services are not told whom to write to, and Safari's refuses such messages",
            "set push.subject to mailto: and an address that somebody reads, or http.public_url",
        ),
    }
}
