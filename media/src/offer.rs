//! The edge where SDP offers come in: what is accepted is narrow, and a refusal says what to change.
//!
//! str0m never sees a client's text. What was understood here is written anew, in a form of our own, and only that is
//! parsed by str0m: attributes that are not named in this file do not exist for it. So no line of an offer makes str0m
//! remember anything that was not counted here (it keeps a stream per `a=ssrc`, another per `a=simulcast` layer, and
//! never forgets one), and there is one reading of an offer, not two.
//!
//! - The client's candidates are left out. Clients can always reach us and we need only answer, so an address is
//!   learnt from an authenticated check alone; a list of addresses would have us send checks to anybody.
//! - Video, data channels, second microphones and the like are refused here, once, with words.
//! - Feedback is not negotiated: transport-cc would be 20 packets per second and speaker that nobody heeds.
//!
//! All of this, str0m's parser included, is pure and runs on the caller's thread: none of it costs a packet its time.

use crate::Error;
use crate::room::MAX_SLOTS;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use str0m::change::SdpOffer;

/// Chromium's offer for four m-lines takes 5 KiB.
pub(crate) const MAX_OFFER_BYTES: usize = 32 * 1024;
const MAX_LINES: usize = 1000;
/// RFC 8839, 5.4.
const UFRAG_CHARS: std::ops::RangeInclusive<usize> = 4..=256;
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 22..=256;
/// str0m keeps 16 bytes of a MID: longer ones would be taken for each other.
const MID_CHARS: std::ops::RangeInclusive<usize> = 1..=16;
/// SSRCs that the microphone's m-line may name: its own, and one more in case it begins anew.
pub(crate) const MAX_SOURCES: usize = 2;
/// Hashes of one certificate.
const MAX_FINGERPRINTS: usize = 4;
/// Header extensions that we speak.
const EXTENSIONS: [&str; 2] = [
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "urn:ietf:params:rtp-hdrext:sdes:mid",
];

/// An offer that may be answered.
#[derive(Debug)]
pub(crate) struct Offer {
    /// What is left of it, parsed.
    pub(crate) sdp: SdpOffer,
    pub(crate) shape: Shape,
    /// The client's ICE password: what its responses are signed with.
    pub(crate) password: String,
}

/// What an ICE restart may not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    lines: Vec<Line>,
    /// SSRCs of the microphone, as far as the offer names them.
    sources: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    mid: String,
    is_microphone: bool,
}

impl Shape {
    /// How many slots the client has.
    pub(crate) fn slots(&self) -> usize {
        self.lines.iter().filter(|line| !line.is_microphone).count()
    }

    #[cfg(test)]
    pub(crate) fn mids(&self) -> Vec<String> {
        self.lines.iter().map(|line| line.mid.clone()).collect()
    }

    /// Whether this is the offer of a restart of a session that was joined with that one. A restart may leave SSRCs
    /// out; it may not bring new ones.
    pub(crate) fn continues(&self, join: &Self) -> bool {
        let known = |source| join.sources.is_empty() || join.sources.contains(source);
        self.lines == join.lines && self.sources.iter().all(known)
    }
}

/// Checks the offer of a join.
///
/// # Errors
/// [`Error::BadOffer`], saying what to do.
pub(crate) fn check(text: &str) -> Result<Offer, Error> {
    read(text, Sources::Announced)
}

/// Checks the offer of an ICE restart. str0m knows the microphone's SSRCs from the join and learns none by it.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_restart(text: &str) -> Result<Offer, Error> {
    read(text, Sources::Known)
}

/// Whether str0m is told the microphone's SSRCs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sources {
    Announced,
    Known,
}

fn read(text: &str, sources: Sources) -> Result<Offer, Error> {
    let inspected = inspect(text).map_err(|what| Error::BadOffer(what.to_owned()))?;
    let canonical = inspected.write(sources);
    // A parser that panics over a text of our own is a fault of its or of ours, and must cost this request alone.
    let parsed = catch_unwind(AssertUnwindSafe(|| SdpOffer::from_sdp_string(&canonical)));
    let refused = |what: String| Error::BadOffer(format!("the SDP cannot be answered: {what}"));
    let sdp = parsed
        .map_err(|_| refused("it cannot be read".to_owned()))?
        .map_err(|error| refused(error.to_string()))?;
    Ok(Offer {
        sdp,
        shape: inspected.shape(),
        password: inspected.password.to_owned(),
    })
}

/// What was understood of an offer.
struct Inspected<'a> {
    ufrag: &'a str,
    password: &'a str,
    fingerprints: Vec<&'a str>,
    setup: Option<&'a str>,
    media: Vec<Media<'a>>,
}

/// One m-line.
struct Media<'a> {
    mid: &'a str,
    is_microphone: bool,
    payload_type: u8,
    parameters: Option<&'a str>,
    /// Those of [`EXTENSIONS`] that it has, and their ids.
    extensions: Vec<(u8, &'static str)>,
    sources: Vec<u32>,
}

fn inspect(text: &str) -> Result<Inspected<'_>, &'static str> {
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
    // A lone carriage return would end a line for str0m, and not for us.
    if lines
        .iter()
        .any(|line| line.contains(|c: char| c.is_control() && c != '\t'))
    {
        return Err("the SDP has control characters; send pc.localDescription.sdp as the body");
    }
    let start = lines.iter().position(|line| line.starts_with("m="));
    let (session, media) = lines.split_at(start.ok_or("there is no m-line; add transceivers first")?);
    let sections: Vec<Section<'_, '_>> = media
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
    transport(session, &sections)
}

/// What all m-lines share: of the session, or of the first of them.
fn transport<'a>(
    session: Section<'_, 'a>,
    sections: &[Section<'_, 'a>],
) -> Result<Inspected<'a>, &'static str> {
    let value = |name| session.value(name).or_else(|| sections[0].value(name));
    let fingerprint = "a=fingerprint:";
    let said_by = if session.value(fingerprint).is_some() {
        session
    } else {
        sections[0]
    };
    let fingerprints: Vec<_> = said_by.values(fingerprint).take(MAX_FINGERPRINTS).collect();
    let ufrag = value("a=ice-ufrag:").filter(|_| !fingerprints.is_empty());
    let ufrag =
        ufrag.ok_or("a=ice-ufrag or a=fingerprint is missing; only ICE with DTLS-SRTP is spoken here")?;
    if !UFRAG_CHARS.contains(&ufrag.len()) || !is_graphic(ufrag) {
        return Err("a=ice-ufrag is not 4 to 256 characters long");
    }
    let password =
        value("a=ice-pwd:").filter(|value| PASSWORD_CHARS.contains(&value.len()) && is_graphic(value));
    Ok(Inspected {
        ufrag,
        password: password.ok_or("a=ice-pwd is missing or not 22 to 256 characters long")?,
        fingerprints,
        setup: value("a=setup:"),
        media: sections
            .iter()
            .map(|section| section.media())
            .collect::<Result<_, _>>()?,
    })
}

fn check_bundle(session: Section<'_, '_>, sections: &[Section<'_, '_>]) -> Result<(), &'static str> {
    let bundle = session
        .value("a=group:BUNDLE ")
        .ok_or("bundle all m-lines (a=group:BUNDLE)")?;
    let bundled: Vec<&str> = bundle.split(' ').collect();
    let mut mids = Vec::new();
    for section in sections {
        let mid = section.mid()?;
        if !bundled.contains(&mid) || mids.contains(&mid) {
            return Err("bundle all m-lines (a=group:BUNDLE), each with an a=mid of its own");
        }
        mids.push(mid);
    }
    Ok(())
}

impl Inspected<'_> {
    fn shape(&self) -> Shape {
        let line = |media: &Media<'_>| Line {
            mid: media.mid.to_owned(),
            is_microphone: media.is_microphone,
        };
        Shape {
            lines: self.media.iter().map(line).collect(),
            sources: self
                .media
                .iter()
                .flat_map(|media| media.sources.clone())
                .collect(),
        }
    }

    /// The offer as str0m gets it.
    fn write(&self, sources: Sources) -> String {
        let mut sdp = String::from("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE");
        for media in &self.media {
            let _ = write!(sdp, " {}", media.mid);
        }
        let (ufrag, password) = (self.ufrag, self.password);
        let _ = write!(sdp, "\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n");
        for fingerprint in &self.fingerprints {
            let _ = write!(sdp, "a=fingerprint:{fingerprint}\r\n");
        }
        if let Some(setup) = self.setup {
            let _ = write!(sdp, "a=setup:{setup}\r\n");
        }
        for media in &self.media {
            media.write(&mut sdp, sources);
        }
        sdp
    }
}

impl Media<'_> {
    fn write(&self, sdp: &mut String, sources: Sources) {
        let payload_type = self.payload_type;
        let direction = if self.is_microphone {
            "sendonly"
        } else {
            "recvonly"
        };
        let _ = write!(
            sdp,
            "m=audio 9 UDP/TLS/RTP/SAVPF {payload_type}\r\nc=IN IP4 0.0.0.0\r\na=mid:{}\r\n",
            self.mid
        );
        for (id, uri) in &self.extensions {
            let _ = write!(sdp, "a=extmap:{id} {uri}\r\n");
        }
        let _ = write!(
            sdp,
            "a={direction}\r\na=rtcp-mux\r\na=rtpmap:{payload_type} opus/48000/2\r\n"
        );
        if let Some(parameters) = self.parameters {
            let _ = write!(sdp, "a=fmtp:{payload_type} {parameters}\r\n");
        }
        if sources == Sources::Announced {
            for source in &self.sources {
                let _ = write!(sdp, "a=ssrc:{source} cname:-\r\n");
            }
        }
    }
}

/// The lines of one m-line, or those before the first.
#[derive(Clone, Copy)]
struct Section<'s, 'a>(&'s [&'a str]);

impl<'s, 'a> Section<'s, 'a> {
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
        if self.opus().is_none() {
            return Err("every m-line needs Opus (a=rtpmap:111 opus/48000/2)");
        }
        if !self.has("a=rtcp-mux") {
            return Err("every m-line needs a=rtcp-mux");
        }
        if self.has("a=sendonly") == self.has("a=recvonly")
            || self.has("a=sendrecv")
            || self.has("a=inactive")
        {
            return Err("make the microphone's m-line sendonly and each slot's recvonly, nothing else");
        }
        Ok(())
    }

    /// Of a section that was checked.
    fn media(self) -> Result<Media<'a>, &'static str> {
        let is_microphone = self.has("a=sendonly");
        let (payload_type, number) = self.opus().ok_or("every m-line needs Opus")?;
        let mut parameters = self.values("a=fmtp:").filter_map(|value| value.split_once(' '));
        Ok(Media {
            mid: self.mid()?,
            is_microphone,
            payload_type,
            parameters: parameters
                .find(|(of, _)| *of == number)
                .map(|(_, parameters)| parameters),
            extensions: EXTENSIONS
                .iter()
                .filter_map(|uri| Some((self.extension(uri)?, *uri)))
                .collect(),
            // A listener's SSRC, which some clients name, sends no RTP.
            sources: if is_microphone {
                self.sources()?
            } else {
                Vec::new()
            },
        })
    }

    fn mid(self) -> Result<&'a str, &'static str> {
        let mid = self.value("a=mid:").ok_or("each m-line needs an a=mid")?;
        let is_plain = |mid: &str| {
            mid.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if MID_CHARS.contains(&mid.len()) && is_plain(mid) {
            Ok(mid)
        } else {
            Err("give each m-line an a=mid of 1 to 16 letters and digits")
        }
    }

    /// The first Opus: its payload type, also as it was written.
    fn opus(self) -> Option<(u8, &'a str)> {
        self.values("a=rtpmap:").find_map(|map| {
            let (number, codec) = map.split_once(' ')?;
            let payload_type = number.parse().ok().filter(|number| is_payload_type(*number))?;
            codec
                .eq_ignore_ascii_case("opus/48000/2")
                .then_some((payload_type, number))
        })
    }

    /// The id that an extension is given; a direction behind it says nothing new.
    fn extension(self, uri: &str) -> Option<u8> {
        self.values("a=extmap:").find_map(|map| {
            let mut words = map.split(' ');
            let id = words.next()?.split('/').next()?.parse().ok()?;
            (words.next() == Some(uri) && id > 0).then_some(id)
        })
    }

    fn sources(self) -> Result<Vec<u32>, &'static str> {
        let mut sources = Vec::new();
        for line in self.values("a=ssrc:") {
            let number = line.split(' ').next().and_then(|number| number.parse().ok());
            let source = number.ok_or("an a=ssrc line has no number")?;
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
        if sources.len() > MAX_SOURCES {
            return Err("name at most 2 SSRCs for the microphone; it sends one stream, without simulcast");
        }
        Ok(sources)
    }

    fn has(self, line: &str) -> bool {
        self.0.contains(&line)
    }

    fn value(self, name: &'static str) -> Option<&'a str> {
        self.values(name).next()
    }

    fn values(self, name: &'static str) -> impl Iterator<Item = &'a str> + use<'s, 'a> {
        self.0.iter().filter_map(move |line| line.strip_prefix(name))
    }
}

fn is_graphic(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Numbers that cannot be taken for RTCP (RFC 5761, 4).
fn is_payload_type(number: u8) -> bool {
    matches!(number, 0..=63 | 96..=127)
}

#[cfg(test)]
mod tests;
