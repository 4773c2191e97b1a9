//! Checking a profile's fields. Text is normalised (NFC), trimmed and free of control characters; characters are counted as
//! people see them (grapheme clusters), with a bound on bytes so that no cluster grows without end.

use super::{Error, Patch};
use crate::limits::Profile;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// Bytes that a visible character may have on average: enough for any script; a family emoji has 25.
const BYTES_PER_CHAR: usize = 4;
/// A BCP 47 tag of practical use.
const LANGUAGE_BYTES: std::ops::RangeInclusive<usize> = 2..=35;

impl Patch {
    /// The same, tidied and within the limits.
    pub(super) fn checked(self, limits: &Profile) -> Result<Self, Error> {
        if self.name.as_deref().is_some_and(|name| name.trim().is_empty()) {
            return Err(invalid("name", "a name has at least one character"));
        }
        let text = |field, text: Option<String>, most| match text {
            Some(text) => line(field, &text, most).map(Some),
            None => Ok(None),
        };
        let list =
            |field, entries: Option<Vec<String>>, most, check: &dyn Fn(&str) -> Result<String, Error>| {
                entries
                    .map(|entries| list(field, entries, most, check))
                    .transpose()
            };
        Ok(Self {
            name: text("name", self.name, limits.name_chars)?,
            headline: text("headline", self.headline, limits.headline_chars)?,
            company: text("company", self.company, limits.company_chars)?,
            offering: text("offering", self.offering, limits.line_chars)?,
            looking_for: text("looking_for", self.looking_for, limits.line_chars)?,
            bio: match self.bio {
                Some(bio) => Some(paragraphs("bio", &bio, limits.bio_chars)?),
                None => None,
            },
            topics: list("topics", self.topics, limits.topics, &|topic| {
                some("topics", line("topics", topic, limits.topic_chars)?)
            })?,
            languages: list("languages", self.languages, limits.languages, &language)?,
            links: list("links", self.links, limits.links, &|link| {
                https("links", link, limits.link_chars)
            })?,
            shown_as_inviter: self.shown_as_inviter,
        })
    }
}

fn invalid(field: &'static str, wrong: impl Into<String>) -> Error {
    Error::FieldInvalid {
        field,
        wrong: wrong.into(),
    }
}

/// One line of text.
fn line(field: &'static str, text: &str, most: usize) -> Result<String, Error> {
    let text = bounded(field, text, most)?;
    if text.chars().any(char::is_control) {
        Err(invalid(field, "one line, without control characters"))
    } else {
        Ok(text)
    }
}

/// Text that may have line breaks.
fn paragraphs(field: &'static str, text: &str, most: usize) -> Result<String, Error> {
    let text = bounded(field, &text.replace("\r\n", "\n"), most)?;
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(invalid(field, "without control characters"));
    }
    Ok(text)
}

fn bounded(field: &'static str, text: &str, most: usize) -> Result<String, Error> {
    let too_long = || invalid(field, format!("at most {most} characters"));
    // Before the work, and after it: normalising may make text longer.
    if text.len() > most * BYTES_PER_CHAR {
        return Err(too_long());
    }
    let text: String = text.trim().nfc().collect();
    if text.len() > most * BYTES_PER_CHAR || text.graphemes(true).count() > most {
        Err(too_long())
    } else {
        Ok(text)
    }
}

fn some(field: &'static str, text: String) -> Result<String, Error> {
    if text.is_empty() {
        Err(invalid(field, "no empty entries"))
    } else {
        Ok(text)
    }
}

/// Entries without repeats, in their order.
fn list(
    field: &'static str,
    entries: Vec<String>,
    most: usize,
    check: impl Fn(&str) -> Result<String, Error>,
) -> Result<Vec<String>, Error> {
    if entries.len() > most {
        return Err(invalid(field, format!("at most {most} entries")));
    }
    let mut checked = Vec::with_capacity(entries.len());
    for entry in entries {
        let entry = check(&entry)?;
        if !checked.contains(&entry) {
            checked.push(entry);
        }
    }
    Ok(checked)
}

/// The shape of a BCP 47 tag (RFC 5646, 2.1): letters and digits in parts of at most 8, the first of 2 or 3 letters.
fn language(tag: &str) -> Result<String, Error> {
    let parts_fit = tag
        .split('-')
        .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    let first = tag.split('-').next().unwrap_or_default();
    let first_fits = (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic());
    if LANGUAGE_BYTES.contains(&tag.len()) && parts_fit && first_fits {
        Ok(tag.to_owned())
    } else {
        Err(invalid("languages", "BCP 47 tags, like en or zh-Hans"))
    }
}

/// An `https` link to a host, with nothing in it that could be taken for something else.
fn https(field: &'static str, link: &str, most: usize) -> Result<String, Error> {
    let link = line(field, link, most)?;
    let host = link
        .strip_prefix("https://")
        .map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let plain = link
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"<>\"'`\\".contains(&byte));
    match host {
        Some(host) if plain && host.contains('.') && !host.contains('@') => Ok(link),
        _ => Err(invalid(field, "https links, like https://example.org/me")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::About;
    use proptest::prelude::*;

    fn patch(change: impl FnOnce(&mut Patch)) -> Result<About, Error> {
        let mut patch = Patch::default();
        change(&mut patch);
        let about = About {
            name: "Ada".into(),
            ..About::default()
        };
        Ok(patch.checked(&Profile::default())?.over(&about))
    }

    fn refused(change: impl FnOnce(&mut Patch)) -> &'static str {
        match patch(change) {
            Err(Error::FieldInvalid { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn takes_what_fits() {
        let about = patch(|patch| {
            patch.name = Some("  Ada Lovelace ".into());
            patch.bio = Some("First.\r\nSecond.".into());
            patch.topics = Some(vec!["Engines".into(), "Engines".into()]);
            patch.languages = Some(vec!["en".into(), "zh-Hans".into()]);
            patch.links = Some(vec!["https://example.org/ada".into()]);
        })
        .unwrap();
        assert_eq!(
            (about.name.as_str(), about.bio.as_str()),
            ("Ada Lovelace", "First.\nSecond.")
        );
        assert_eq!(about.topics, ["Engines"]);
    }

    #[test]
    fn refuses_what_does_not_and_names_the_field() {
        assert_eq!(refused(|patch| patch.name = Some("x".repeat(51))), "name");
        assert_eq!(
            refused(|patch| patch.headline = Some("two\nlines".into())),
            "headline"
        );
        assert_eq!(
            refused(|patch| patch.topics = Some(vec![String::new()])),
            "topics"
        );
        assert_eq!(
            refused(|patch| patch.languages = Some(vec!["english please".into()])),
            "languages"
        );
        for link in [
            "http://example.org",
            "https://",
            "javascript:alert(1)",
            "https://a@example.org",
            "https://x.org/<",
        ] {
            assert_eq!(
                refused(|patch| patch.links = Some(vec![link.into()])),
                "links",
                "{link}"
            );
        }
    }

    #[test]
    fn counts_what_people_see() {
        let family = "👨‍👩‍👧‍👦".repeat(8);
        assert!(patch(|patch| patch.name = Some(family)).is_ok());
    }

    proptest! {
        #[test]
        fn any_text_fits_or_is_refused(text in "\\PC{0,200}") {
            if let Ok(about) = patch(|patch| patch.headline = Some(text)) {
                prop_assert!(about.headline.graphemes(true).count() <= 100);
                prop_assert!(about.headline.len() <= 100 * BYTES_PER_CHAR);
            }
        }
    }
}
