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
    /// The wanted one of highest quality that we have (RFC 9110, section 12.5.4).
    pub fn of(headers: &HeaderMap) -> Self {
        let wanted = headers
            .get(ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let mut best = (0.0, Self::En);
        for range in wanted.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let language = match parts.next().unwrap_or_default().split('-').next() {
                Some(tag) if tag.eq_ignore_ascii_case("zh") => Self::Zh,
                Some(tag) if tag.eq_ignore_ascii_case("en") => Self::En,
                _ => continue,
            };
            let quality = parts
                .find_map(|part| part.strip_prefix("q=")?.parse().ok())
                .unwrap_or(1.0_f32);
            if quality > best.0 {
                best = (quality, language);
            }
        }
        best.1
    }

    /// For `Content-Language`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }
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
    }
}
