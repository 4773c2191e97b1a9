//! An SDP offer that the engine answers. Nobody sends anything for it.

use mitalk::wire::rooms::JoinRequest;
use std::fmt::Write as _;

/// One microphone and three slots, as clients offer.
pub(crate) fn offer() -> String {
    let mut sdp = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2 3\r\n\
        a=msid-semantic: WMS\r\n"
        .to_owned();
    for mid in 0..4 {
        let direction = if mid == 0 { "sendonly" } else { "recvonly" };
        let _ = write!(
            sdp,
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n\
             a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 {}\r\na=setup:actpass\r\na=mid:{mid}\r\n\
             a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na={direction}\r\na=rtcp-mux\r\n\
             a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n",
            ["AB"; 32].join(":")
        );
        if mid == 0 {
            sdp.push_str("a=msid:- microphone\r\na=ssrc:4711 cname:test\r\n");
        }
    }
    sdp
}

/// A first join.
pub(crate) fn join() -> JoinRequest {
    JoinRequest {
        sdp: offer(),
        ..JoinRequest::default()
    }
}
