//! Which language a client wants its problem titles in.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

/// The languages that the service itself speaks; everything else is the clients' own text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English, also for all others.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Language {
    /// The wanted one of highest quality that we have.
    pub fn of(headers: &HeaderMap) -> Self {
        let of_tag = |tag: &str| match tag.split('-').next() {
            Some(tag) if tag.eq_ignore_ascii_case("zh") => Some(Self::Zh),
            Some(tag) if tag.eq_ignore_ascii_case("en") => Some(Self::En),
            _ => None,
        };
        wanted(headers, of_tag).unwrap_or_default()
    }

    /// For `Content-Language`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }
}

/// The wanted language of highest quality that `of_tag` knows (RFC 9110, section 12.5.4).
pub(super) fn wanted<L>(headers: &HeaderMap, of_tag: impl Fn(&str) -> Option<L>) -> Option<L> {
    let header = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
    let mut best: Option<(f32, L)> = None;
    for range in header.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let Some(language) = of_tag(parts.next().unwrap_or_default()) else {
            continue;
        };
        let quality = parts
            .find_map(|part| part.strip_prefix("q=")?.parse().ok())
            .unwrap_or(1.0);
        if quality > best.as_ref().map_or(0.0, |(quality, _)| *quality) {
            best = Some((quality, language));
        }
    }
    best.map(|(_, language)| language)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_best_language_that_we_have_wins() {
        for (header, language) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Zh),
            ("en;q=0.5, zh;q=0.7", Language::Zh),
            ("fr, en;q=0.5, zh;q=0.1", Language::En),
            ("it", Language::En),
            ("zh;q=0", Language::En),
            (";;q=,,", Language::En),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_static(header))]);
            assert_eq!(Language::of(&headers), language, "{header}");
        }
        let header = HeaderValue::from_static("de, it;q=0.9, en;q=0.8");
        let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, header)]);
        let texts = wanted(&headers, mitalk_actors::Language::of_tag);
        assert_eq!(texts, Some(mitalk_actors::Language::It));
    }
}
