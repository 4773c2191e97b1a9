//! The edge where SDP offers come in: what is accepted is narrow, and a refusal says what to change.
//!
//! str0m parses what passes. Two things are taken out of its hands:
//! - The client's candidates are dropped. Clients can always reach us and we need only answer, so an address is
//!   learnt from an authenticated check alone; a list of addresses would have us send checks to anybody.
//! - Video, data channels, second microphones and the like are refused here, once, with words.

use crate::Error;
use crate::room::MAX_SLOTS;

/// Chromium's offer for four m-lines takes 5 KiB.
pub(crate) const MAX_OFFER_BYTES: usize = 32 * 1024;
const MAX_LINES: usize = 1000;
/// RFC 8839, 5.4.
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 22..=256;

/// An offer that may be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The text without candidates.
    pub(crate) sdp: String,
    /// How many slots the client has.
    pub(crate) slots: usize,
    /// The client's ICE password: what its responses are signed with.
    pub(crate) password: String,
}

/// Checks an offer.
///
/// # Errors
/// [`Error::BadOffer`], saying what to do.
pub(crate) fn check(text: &str) -> Result<Offer, Error> {
    inspect(text).map_err(|what| Error::BadOffer(what.to_owned()))
}

fn inspect(text: &str) -> Result<Offer, &'static str> {
    if text.len() > MAX_OFFER_BYTES {
        return Err("the SDP is larger than 32 KiB; offer one microphone and up to 4 slots only");
    }
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.first() != Some(&"v=0") || lines.len() > MAX_LINES {
        return Err("this is no SDP offer; send pc.localDescription.sdp as the body");
    }
    let start = lines.iter().position(|line| line.starts_with("m="));
    let (session, media) = lines.split_at(start.ok_or("there is no m-line; add transceivers first")?);
    let sections: Vec<Section<'_>> = media
        .chunk_by(|_, next| !next.starts_with("m="))
        .map(Section)
        .collect();
    for section in &sections {
        section.check()?;
    }
    let microphones = sections
        .iter()
        .filter(|section| section.has("a=sendonly"))
        .count();
    let slots = sections.len() - microphones;
    if microphones != 1 {
        return Err("offer exactly one sendonly audio m-line, the microphone; it needs no track yet");
    }
    if !(1..=MAX_SLOTS).contains(&slots) {
        return Err("offer 1 to 4 recvonly audio m-lines, the slots");
    }
    let session = Section(session);
    check_bundle(session, &sections)?;
    if session.has("a=ice-lite") {
        return Err("clients must be full ICE agents; remove a=ice-lite");
    }
    let value = |name| session.value(name).or_else(|| sections[0].value(name));
    if value("a=ice-ufrag:").is_none() || value("a=fingerprint:").is_none() {
        return Err("a=ice-ufrag or a=fingerprint is missing; only ICE with DTLS-SRTP is spoken here");
    }
    let password = value("a=ice-pwd:").filter(|value| PASSWORD_CHARS.contains(&value.len()));
    let password = password.ok_or("a=ice-pwd is missing or not 22 to 256 characters long")?;
    let kept = lines.iter().filter(|line| !line.starts_with("a=candidate:"));
    let sdp = kept.fold(String::with_capacity(text.len()), |sdp, line| sdp + line + "\r\n");
    Ok(Offer {
        sdp,
        slots,
        password: password.to_owned(),
    })
}

fn check_bundle(session: Section<'_>, sections: &[Section<'_>]) -> Result<(), &'static str> {
    let bundle = session
        .value("a=group:BUNDLE ")
        .ok_or("bundle all m-lines (a=group:BUNDLE)")?;
    let bundled: Vec<&str> = bundle.split(' ').collect();
    let mut mids = Vec::new();
    for section in sections {
        let mid = section.value("a=mid:").ok_or("each m-line needs an a=mid")?;
        if !bundled.contains(&mid) || mids.contains(&mid) {
            return Err("bundle all m-lines (a=group:BUNDLE), each with an a=mid of its own");
        }
        mids.push(mid);
    }
    Ok(())
}

/// The lines of one m-line, or those before the first.
#[derive(Clone, Copy)]
struct Section<'a>(&'a [&'a str]);

impl<'a> Section<'a> {
    fn check(self) -> Result<(), &'static str> {
        let mut head = self.0[0].split(' ');
        match head.next() {
            Some("m=audio") => {}
            Some("m=video") => return Err("video is not accepted; offer audio only"),
            Some("m=application") => return Err("data channels are not accepted; use the live socket"),
            _ => return Err("only audio m-lines are accepted"),
        }
        if head.next() == Some("0") {
            return Err("an m-line is disabled (port 0); leave it out");
        }
        if head.next() != Some("UDP/TLS/RTP/SAVPF") {
            return Err("the m-line's protocol must be UDP/TLS/RTP/SAVPF");
        }
        let opus = |line: &&str| {
            line.strip_prefix("a=rtpmap:").is_some_and(|map| {
                map.split_once(' ')
                    .is_some_and(|(_, codec)| codec.eq_ignore_ascii_case("opus/48000/2"))
            })
        };
        if !self.0.iter().any(opus) {
            return Err("every m-line needs Opus (a=rtpmap:111 opus/48000/2)");
        }
        if !self.has("a=rtcp-mux") {
            return Err("every m-line needs a=rtcp-mux");
        }
        if self.has("a=sendonly") == self.has("a=recvonly") {
            return Err("make the microphone's m-line sendonly and each slot's recvonly, nothing else");
        }
        Ok(())
    }

    fn has(self, line: &str) -> bool {
        self.0.contains(&line)
    }

    fn value(self, name: &str) -> Option<&'a str> {
        self.0.iter().find_map(|line| line.strip_prefix(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(mid: usize, direction: &str) -> String {
        format!(
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n\
             a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 AA:BB\r\na=setup:actpass\r\n\
             a=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
             a=candidate:1 1 udp 2130706431 10.0.0.7 5000 typ host\r\n"
        )
    }

    fn offer(slots: usize) -> String {
        let mids: String = (0..=slots).map(|mid| format!(" {mid}")).collect();
        let head = format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE{mids}\r\n");
        (1..=slots).fold(head + &section(0, "sendonly"), |sdp, mid| {
            sdp + &section(mid, "recvonly")
        })
    }

    #[test]
    fn one_microphone_and_up_to_four_slots_are_accepted_without_candidates() {
        for slots in 1..=MAX_SLOTS {
            let checked = check(&offer(slots)).unwrap();
            assert_eq!(
                (checked.slots, checked.password.as_str()),
                (slots, "abcdefghijklmnopqrstuvwx")
            );
            assert!(!checked.sdp.contains("candidate") && checked.sdp.contains("a=mid:1\r\n"));
        }
    }

    #[test]
    fn every_other_offer_is_refused_with_advice() {
        let good = offer(3);
        let cases = [
            (String::new(), "no SDP"),
            ("v=0\r\n".to_owned(), "no m-line"),
            (format!("{good}a={}", "x".repeat(MAX_OFFER_BYTES)), "32 KiB"),
            (
                format!("{good}{}", section(4, "sendonly")),
                "exactly one sendonly",
            ),
            (good.replace("sendonly", "recvonly"), "exactly one sendonly"),
            (
                good.replace("sendonly", "sendrecv"),
                "sendonly and each slot's recvonly",
            ),
            (offer(5), "1 to 4"),
            (offer(0), "1 to 4"),
            (good.replacen("m=audio", "m=video", 1), "video"),
            (good.replacen("m=audio", "m=application", 1), "data channels"),
            (good.replacen("audio 9", "audio 0", 1), "port 0"),
            (good.replacen("UDP/TLS/RTP/SAVPF", "RTP/AVP", 1), "SAVPF"),
            (good.replacen("opus/48000/2", "PCMU/8000", 1), "Opus"),
            (good.replacen("a=rtcp-mux\r\n", "", 1), "rtcp-mux"),
            (good.replace("a=group:BUNDLE 0 1 2 3\r\n", ""), "BUNDLE"),
            (good.replace("BUNDLE 0 1 2 3", "BUNDLE 0 1 2"), "BUNDLE"),
            (good.replace("a=mid:3", "a=mid:2"), "of its own"),
            (
                good.replace("a=ice-pwd:abcdefghijklmnopqrstuvwx", "a=ice-pwd:short"),
                "ice-pwd",
            ),
            (good.replace("a=fingerprint:sha-256 AA:BB\r\n", ""), "fingerprint"),
            (
                good.replacen("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n", 1),
                "ice-lite",
            ),
        ];
        for (text, advice) in cases {
            match check(&text) {
                Err(Error::BadOffer(what)) if what.contains(advice) => {}
                other => panic!("expected {advice:?}, got {other:?}"),
            }
        }
    }
}
