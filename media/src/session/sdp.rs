//! The answer's candidates: str0m writes the rest.

use std::net::SocketAddr;

/// str0m lists one address; clients are told all of them, in the order given, as host candidates.
pub(super) fn with_candidates(answer: &str, candidates: &[SocketAddr]) -> String {
    let mut sdp = String::with_capacity(answer.len() + 128 * candidates.len());
    let mut written = false;
    for line in answer.lines() {
        if !line.starts_with("a=candidate:") {
            sdp.push_str(line);
            sdp.push_str("\r\n");
        } else if !std::mem::replace(&mut written, true) {
            for (at, candidate) in candidates.iter().enumerate() {
                sdp.push_str(&host_candidate(at, *candidate));
            }
        }
    }
    sdp
}

/// RFC 8839, 5.1, with the priorities of RFC 8445, 5.1.2.
fn host_candidate(at: usize, address: SocketAddr) -> String {
    let priority = (126 << 24) | ((65_535 - at as u32) << 8) | 255;
    let (ip, port) = (address.ip(), address.port());
    format!("a=candidate:{} 1 udp {priority} {ip} {port} typ host\r\n", at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_lists_every_candidate_once() {
        let answer =
            "v=0\r\nm=audio 9\r\na=candidate:x 1 udp 1 10.0.0.1 7 typ host\r\na=candidate:y\r\na=end\r\n";
        let candidates = ["192.0.2.1:7".parse().unwrap(), "[2001:db8::1]:7".parse().unwrap()];
        assert_eq!(
            with_candidates(answer, &candidates),
            "v=0\r\nm=audio 9\r\na=candidate:1 1 udp 2130706431 192.0.2.1 7 typ host\r\n\
             a=candidate:2 1 udp 2130706175 2001:db8::1 7 typ host\r\na=end\r\n"
        );
    }
}
