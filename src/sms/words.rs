//! The words of text messages, short, in the receiver's language as far as it is known.
//!
//! A code's last line lets browsers fill it in (`@domain #code`, the WebOTP format). An inviter's name is somebody's own text
//! in a message of ours: one that could be read as an address or a code is left out.

use mitalk_actors::Language;
use mitalk_actors::ports::{Message, SmsMessage};

/// A longer name is left out: the whole invitation is meant to be one message.
const NAME_CHARS: usize = 40;

/// Where people find the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// What people open, if the configuration says so.
    url: Option<String>,
}

impl Site {
    /// Of `http.public_url`, which may be empty.
    pub fn new(public_url: &str) -> Self {
        Self {
            url: (!public_url.is_empty()).then(|| public_url.to_owned()),
        }
    }

    /// What people open.
    pub(super) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// Browsers fill codes in for pages with TLS only.
    fn domain(&self) -> Option<&str> {
        let host = self.url()?.strip_prefix("https://")?;
        host.split(':').next()
    }
}

/// What a message says.
pub(super) fn text(message: &SmsMessage, site: &Site) -> String {
    let language = message
        .language
        .unwrap_or_else(|| Language::of_number(&message.to));
    match &message.message {
        Message::Code { code } => {
            let line = match site.domain() {
                Some(domain) => format!("\n\n@{domain} #{code}"),
                None => String::new(),
            };
            code_in(language, code) + &line
        }
        Message::Invited { by } => {
            let name = by.as_ref().map(|by| by.name.trim()).filter(|name| is_plain(name));
            with_link(invited_in(language, name), site)
        }
        Message::Admitted => with_link(admitted_in(language).to_owned(), site),
    }
}

fn code_in(language: Language, code: &str) -> String {
    match language {
        Language::En => format!("{code} is your Mi Talk code. Tell it to nobody."),
        Language::Zh => format!("{code} 是您的 Mi Talk 验证码，请勿告诉任何人。"),
        Language::It => format!("{code} è il tuo codice Mi Talk. Non dirlo a nessuno."),
        Language::Fr => format!("{code} est votre code Mi Talk. Ne le donnez à personne."),
        Language::Id => format!("{code} adalah kode Mi Talk Anda. Jangan beri tahu siapa pun."),
    }
}

fn invited_in(language: Language, name: Option<&str>) -> String {
    match (language, name) {
        (Language::En, Some(name)) => format!("{name} invites you to Mi Talk. Sign up with this number."),
        (Language::En, None) => "You are invited to Mi Talk. Sign up with this number.".to_owned(),
        (Language::Zh, Some(name)) => format!("{name} 邀请您加入 Mi Talk，请用此号码注册。"),
        (Language::Zh, None) => "您受邀加入 Mi Talk，请用此号码注册。".to_owned(),
        (Language::It, Some(name)) => format!("{name} ti invita su Mi Talk. Registrati con questo numero."),
        (Language::It, None) => "Hai un invito per Mi Talk. Registrati con questo numero.".to_owned(),
        (Language::Fr, Some(name)) => {
            format!("{name} vous invite sur Mi Talk. Inscrivez-vous avec ce numéro.")
        }
        (Language::Fr, None) => "Vous êtes invité sur Mi Talk. Inscrivez-vous avec ce numéro.".to_owned(),
        (Language::Id, Some(name)) => {
            format!("{name} mengundang Anda ke Mi Talk. Daftar dengan nomor ini.")
        }
        (Language::Id, None) => "Anda diundang ke Mi Talk. Daftar dengan nomor ini.".to_owned(),
    }
}

fn admitted_in(language: Language) -> &'static str {
    match language {
        Language::En => "You are in: Mi Talk is open for you.",
        Language::Zh => "您已获准加入，Mi Talk 现在向您开放。",
        Language::It => "Ci sei: Mi Talk è aperto per te.",
        Language::Fr => "C'est votre tour : Mi Talk vous est ouvert.",
        Language::Id => "Anda sudah bisa masuk: Mi Talk terbuka untuk Anda.",
    }
}

fn with_link(text: String, site: &Site) -> String {
    match site.url() {
        Some(url) => format!("{text} {url}"),
        None => text,
    }
}

/// Letters, and what stands between them in names: no link, no code, no second line.
fn is_plain(name: &str) -> bool {
    let fits = |c: char| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '’' | '·');
    (1..=NAME_CHARS).contains(&name.chars().count()) && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mitalk_actors::id::{Home, UserId};
    use mitalk_actors::number::PhoneNumber;
    use mitalk_actors::person::Brief;
    use mitalk_actors::ports::EventKey;

    fn said(message: Message, language: Option<Language>, site: &str) -> String {
        let message = SmsMessage {
            to: PhoneNumber::parse("+393123456789").unwrap(),
            message,
            language,
            key: EventKey("invite/x/1".into()),
        };
        text(&message, &Site::new(site))
    }

    fn invited_by(name: &str) -> Message {
        let id = UserId::new(Home::default(), 1);
        let name = name.to_owned();
        Message::Invited {
            by: Some(Brief {
                name,
                ..Brief::unknown(id)
            }),
        }
    }

    #[test]
    fn a_code_stands_in_every_language_and_where_browsers_look_for_it() {
        let code = || Message::Code {
            code: "012345".into(),
        };
        for language in Language::ALL {
            let text = said(code(), Some(language), "https://talk.example.org:8443");
            assert!(text.starts_with("012345 ") && text.contains("Mi Talk"), "{text}");
            assert!(text.ends_with("\n\n@talk.example.org #012345"), "{text}");
        }
        assert!(!said(code(), None, "http://localhost:8080").contains('@'));
        assert!(said(code(), None, "").contains("codice"), "by the calling code");
    }

    #[test]
    fn names_that_are_no_names_are_left_out() {
        let english = |name| said(invited_by(name), Some(Language::En), "");
        assert!(english("Ann O’Neill").starts_with("Ann O’Neill invites you"));
        for name in [
            "",
            "www.evil.example",
            "Bank: 123456",
            "a\n@evil #1",
            &"x".repeat(41),
        ] {
            assert!(english(name).starts_with("You are invited"), "{name}");
        }
    }

    #[test]
    fn texts_without_a_code_say_where_to_go() {
        for language in Language::ALL {
            let text = said(Message::Admitted, Some(language), "https://talk.example.org");
            assert!(text.ends_with(" https://talk.example.org"), "{text}");
        }
    }
}
