//! What the text message adapter wrote, as the outside saw it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use mitalk::sms::{Line, receiver};
use mitalk_actors::number::PhoneNumber;

/// The adapter's file.
pub(crate) struct Texts {
    pub(crate) path: PathBuf,
}

impl Texts {
    /// All messages so far; a last line without its end is still being written.
    pub(crate) fn all(&self) -> Result<Vec<Line>> {
        let text = match std::fs::read_to_string(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text?,
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).context("a line of text messages"))
            .collect()
    }

    /// The codes sent to a number, oldest first.
    pub(crate) fn codes(&self, phone: &str) -> Result<Vec<String>> {
        let to = receiver(&PhoneNumber::parse(phone)?);
        Ok(self
            .all()?
            .into_iter()
            .filter(|line| line.to == to)
            .filter_map(|line| line.code)
            .collect())
    }

    /// Different keys of messages of a kind to a number: how many messages the provider would have delivered.
    pub(crate) fn delivered(&self, phone: &str, kind: &str) -> Result<usize> {
        let to = receiver(&PhoneNumber::parse(phone)?);
        let lines = self.all()?;
        let keys: BTreeSet<_> = lines
            .iter()
            .filter(|line| line.to == to && line.kind == kind)
            .map(|line| &line.key)
            .collect();
        Ok(keys.len())
    }

    /// How many were sent again, under the same key.
    pub(crate) fn repeats(&self) -> Result<usize> {
        let lines = self.all()?;
        let keys: BTreeSet<_> = lines.iter().map(|line| &line.key).collect();
        Ok(lines.len() - keys.len())
    }

    /// A code is sent at most once. Another message may be repeated, but only as the very same one under its key.
    pub(crate) fn no_unkeyed_repeat(&self) -> Result<()> {
        let (mut by_key, mut codes) = (BTreeMap::new(), BTreeSet::new());
        for line in self.all()? {
            ensure!(!line.key.is_empty(), "a message without a key: {line:?}");
            // Each sending of a code has a key of its own, so it is the code that shows a repeat.
            let fresh = line
                .code
                .as_ref()
                .is_none_or(|code| codes.insert((line.to.clone(), code.clone())));
            ensure!(fresh, "a code was sent twice: {line:?}");
            let Some(before) = by_key.insert(line.key.clone(), line.clone()) else {
                continue;
            };
            ensure!(
                before == line,
                "one key for two messages: {before:?} and {line:?}"
            );
        }
        Ok(())
    }
}
