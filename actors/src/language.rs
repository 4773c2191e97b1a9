//! The languages of text messages.

use crate::number::PhoneNumber;
use serde::{Deserialize, Serialize};

/// A language that text messages are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English, also for whoever speaks none of these.
    #[default]
    En,
    /// Chinese, simplified.
    Zh,
    /// Italian.
    It,
    /// French.
    Fr,
    /// Indonesian.
    Id,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::En, Self::Zh, Self::It, Self::Fr, Self::Id];

    /// By a tag of BCP 47, whatever its script and region.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// What a number's owner most likely reads, where nothing else is known of them: by the calling code.
    pub fn of_number(number: &PhoneNumber) -> Self {
        match number.calling_code() {
            Some(86 | 852 | 853 | 886) => Self::Zh,
            Some(39) => Self::It,
            Some(33) => Self::Fr,
            Some(62) => Self::Id,
            _ => Self::En,
        }
    }

    /// Its tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
            Self::It => "it",
            Self::Fr => "fr",
            Self::Id => "id",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_counts_by_its_language_and_a_number_by_its_calling_code() {
        assert_eq!(Language::of_tag("zh-Hans-CN"), Some(Language::Zh));
        assert_eq!(Language::of_tag("FR"), Some(Language::Fr));
        assert_eq!(Language::of_tag("id"), Some(Language::Id));
        assert_eq!(Language::of_tag("de"), None);
        let of = |text| Language::of_number(&PhoneNumber::parse(text).unwrap());
        assert_eq!(of("+4915112345678"), Language::En);
        assert_eq!(of("+393123456789"), Language::It);
        assert_eq!(of("+8613912345678"), Language::Zh);
    }
}
