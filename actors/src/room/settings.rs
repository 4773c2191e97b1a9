//! What a moderator can set: title, topics, language, who may enter and who may raise a hand.

use super::limits::Limits;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

/// The longest language tag, in bytes (RFC 5646, section 4.4.1 says to expect at least 35).
const LANGUAGE_BYTES: usize = 35;
/// One character may carry any number of combining marks, so texts are bounded in bytes as well.
const BYTES_PER_CHARACTER: usize = 8;

/// Who may enter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Anyone active.
    #[default]
    Open,
    /// Followers of a moderator, and who was pinged.
    Social,
    /// Who was pinged, and who has the share link.
    Closed,
}

/// Who may raise a hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandRaising {
    /// Everyone in the audience.
    #[default]
    Everyone,
    /// People followed by somebody on stage.
    Followed,
    /// Nobody. Hands that are up stay.
    Off,
}

/// The settings of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// 1 to [`Limits::title`] characters.
    pub title: String,
    /// At most [`Limits::topics`].
    pub topics: Vec<String>,
    /// A BCP 47 tag.
    pub language: Option<String>,
    /// Who may enter.
    pub visibility: Visibility,
    /// Who may raise a hand.
    pub hand_raising: HandRaising,
}

/// A change of settings; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// The new title.
    pub title: Option<String>,
    /// The new topics.
    pub topics: Option<Vec<String>>,
    /// The new language.
    #[serde(default)]
    pub language: Option<String>,
    /// Who may enter from now on; nobody inside has to leave.
    pub visibility: Option<Visibility>,
    /// Who may raise a hand from now on.
    pub hand_raising: Option<HandRaising>,
}

/// A setting that is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Invalid {
    /// Empty or too long.
    #[error("a title has 1 to {most} characters")]
    Title {
        /// Characters allowed.
        most: usize,
    },
    /// Too many, an empty one, or one that is too long.
    #[error("a room has at most {most} topics of 1 to {characters} characters")]
    Topics {
        /// Topics allowed.
        most: usize,
        /// Characters allowed in each.
        characters: usize,
    },
    /// Not of the form of a BCP 47 tag.
    #[error("the language is a BCP 47 tag such as `en` or `zh-Hant`")]
    Language,
}

impl Invalid {
    /// The field at fault.
    pub fn field(self) -> &'static str {
        match self {
            Self::Title { .. } => "title",
            Self::Topics { .. } => "topics",
            Self::Language => "language",
        }
    }
}

impl Settings {
    /// Trims what people typed and checks it.
    ///
    /// # Errors
    /// The first setting that is not acceptable.
    pub fn checked(mut self, limits: &Limits) -> Result<Self, Invalid> {
        self.title = tidy(&self.title);
        self.topics = self.topics.iter().map(|topic| tidy(topic)).collect();
        if !fits(&self.title, limits.title) {
            return Err(Invalid::Title { most: limits.title });
        }
        if self.topics.len() > limits.topics || !self.topics.iter().all(|topic| fits(topic, limits.topic)) {
            return Err(Invalid::Topics {
                most: limits.topics,
                characters: limits.topic,
            });
        }
        if self.language.as_deref().is_some_and(|tag| !is_language(tag)) {
            return Err(Invalid::Language);
        }
        Ok(self)
    }

    /// These settings with a change.
    ///
    /// # Errors
    /// The first new setting that is not acceptable.
    pub fn patched(&self, patch: Patch, limits: &Limits) -> Result<Self, Invalid> {
        Self {
            title: patch.title.unwrap_or_else(|| self.title.clone()),
            topics: patch.topics.unwrap_or_else(|| self.topics.clone()),
            language: patch.language.or_else(|| self.language.clone()),
            visibility: patch.visibility.unwrap_or(self.visibility),
            hand_raising: patch.hand_raising.unwrap_or(self.hand_raising),
        }
        .checked(limits)
    }
}

/// One line, single spaces, no control characters: titles are read aloud by screen readers.
fn tidy(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn fits(text: &str, characters: usize) -> bool {
    !text.is_empty()
        && text.len() <= characters * BYTES_PER_CHARACTER
        && text.graphemes(true).count() <= characters
}

/// The outer form of a tag only: subtags of 1 to 8 letters and digits, the first of letters.
fn is_language(tag: &str) -> bool {
    let mut subtags = tag.split('-');
    let primary = subtags.next().unwrap_or_default();
    tag.len() <= LANGUAGE_BYTES
        && (2..=8).contains(&primary.len())
        && primary.bytes().all(|b| b.is_ascii_alphabetic())
        && subtags.all(|s| (1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(settings: Settings) -> Result<Settings, Invalid> {
        settings.checked(&Limits::default())
    }

    fn titled(title: &str) -> Settings {
        Settings {
            title: title.into(),
            ..Settings::default()
        }
    }

    #[test]
    fn titles_are_trimmed_and_bounded_by_what_people_see() {
        let refused = Err(Invalid::Title { most: 60 });
        assert_eq!(
            check(titled("  Rust \n at  work ")).unwrap().title,
            "Rust at work"
        );
        assert_eq!(check(titled(" \u{7} ")), refused);
        assert!(check(titled(&"é".repeat(60))).is_ok());
        assert_eq!(check(titled(&"x".repeat(61))), refused);
        let zalgo = format!("z{}", "\u{301}".repeat(1_000));
        assert_eq!(check(titled(&zalgo)), refused);
    }

    #[test]
    fn topics_and_languages_are_checked() {
        let with = |topics: &[&str]| Settings {
            topics: topics.iter().map(|t| (*t).to_owned()).collect(),
            ..titled("t")
        };
        let refused = Err(Invalid::Topics {
            most: 3,
            characters: 30,
        });
        assert!(check(with(&["a", "b", "c"])).is_ok());
        assert_eq!(check(with(&["a", "b", "c", "d"])), refused);
        assert_eq!(check(with(&[" "])), refused);
        for (tag, good) in [
            ("en", true),
            ("zh-Hant", true),
            ("e", false),
            ("en--x", false),
            ("12", false),
        ] {
            let settings = Settings {
                language: Some(tag.into()),
                ..titled("t")
            };
            assert_eq!(check(settings).is_ok(), good, "{tag}");
        }
    }

    #[test]
    fn a_patch_changes_only_what_it_names() {
        let before = Settings {
            visibility: Visibility::Social,
            ..titled("before")
        };
        let patch = Patch {
            title: Some("after".into()),
            language: Some("de".into()),
            ..Patch::default()
        };
        let after = before.patched(patch, &Limits::default()).unwrap();
        assert_eq!(
            after,
            Settings {
                title: "after".into(),
                language: Some("de".into()),
                ..before.clone()
            }
        );
        let wrong = Patch {
            language: Some("not a tag".into()),
            ..Patch::default()
        };
        assert_eq!(before.patched(wrong, &Limits::default()), Err(Invalid::Language));
    }
}
