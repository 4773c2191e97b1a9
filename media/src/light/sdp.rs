//! The offer of one microphone and some slots, and the little that is wanted of its answer.

use super::ice::Credentials;
use super::{Error, LEVEL_ID, PAYLOAD_TYPE};
use crate::rtp::MID_ID;
use aws_lc_rs::digest;
use std::fmt::Write;
use std::net::SocketAddr;

/// A certificate's `sha-256` fingerprint, as an SDP writes it.
pub(super) fn fingerprint(certificate: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, certificate);
    let pairs: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// Writes the offer.
pub(super) fn offer(slots: usize, ice: &Credentials, fingerprint: &str, ssrc: u32) -> String {
    let mids: String = (0..=slots).map(|mid| format!(" {mid}")).collect();
    let mut sdp = format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE{mids}\r\na=msid-semantic: WMS\r\n"
    );
    for mid in 0..=slots {
        let direction = if mid == 0 { "sendonly" } else { "recvonly" };
        let _ = write!(
            sdp,
            "m=audio 9 UDP/TLS/RTP/SAVPF {PAYLOAD_TYPE}\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
             a=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:sha-256 {fingerprint}\r\na=setup:actpass\r\n\
             a=mid:{mid}\r\na=extmap:{LEVEL_ID} urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
             a=extmap:{MID_ID} urn:ietf:params:rtp-hdrext:sdes:mid\r\na={direction}\r\na=rtcp-mux\r\na=rtpmap:{PAYLOAD_TYPE} opus/48000/2\r\n\
             a=fmtp:{PAYLOAD_TYPE} minptime=10;useinbandfec=1\r\n",
            ice.ufrag, ice.password
        );
        if mid == 0 {
            let _ = write!(sdp, "a=msid:- microphone\r\na=ssrc:{ssrc} cname:light\r\n");
        }
    }
    sdp
}

/// What an answer says.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) ufrag: String,
    pub(super) password: String,
    pub(super) fingerprint: String,
    pub(super) candidates: Vec<SocketAddr>,
    /// SSRC of each slot, in the m-lines' order.
    pub(super) slots: Vec<u32>,
}

impl Answer {
    pub(super) fn parse(sdp: &str) -> Result<Self, Error> {
        let value = |name: &'static str, what| {
            let found = sdp.lines().find_map(|line| line.trim_end().strip_prefix(name));
            found.map(str::to_owned).ok_or(Error::BadAnswer(what))
        };
        let sections = sdp.split("\r\nm=").skip(2);
        let ssrc = |section: &str| {
            let line = section.lines().find_map(|line| line.strip_prefix("a=ssrc:"))?;
            line.split_once(' ')?.0.parse().ok()
        };
        let candidates = candidates(sdp);
        if candidates.is_empty() {
            return Err(Error::BadAnswer("candidates"));
        }
        Ok(Self {
            ufrag: value("a=ice-ufrag:", "a=ice-ufrag")?,
            password: value("a=ice-pwd:", "a=ice-pwd")?,
            fingerprint: value("a=fingerprint:sha-256 ", "a sha-256 fingerprint")?.to_ascii_uppercase(),
            candidates,
            slots: sections.filter_map(ssrc).collect(),
        })
    }
}

/// The UDP candidates of an SDP.
pub fn candidates(sdp: &str) -> Vec<SocketAddr> {
    let lines = sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
    let address = |line: &str| {
        let mut fields = line.split(' ').skip(2);
        fields
            .next()
            .filter(|protocol| protocol.eq_ignore_ascii_case("udp"))?;
        let (ip, port) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(SocketAddr::new(ip, port))
    };
    lines.filter_map(address).collect()
}
