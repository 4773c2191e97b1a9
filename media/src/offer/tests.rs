//! What is accepted, what is left of it, and what is refused with which words.

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
            (checked.shape.slots(), checked.password.as_str()),
            (slots, "abcdefghijklmnopqrstuvwx")
        );
        let left = checked.sdp.to_sdp_string();
        assert!(
            !left.contains("candidate") && left.contains("a=mid:1\r\n"),
            "{left}"
        );
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
            good.replace("BUNDLE 0", "BUNDLE 01234567890123456")
                .replace("a=mid:0", "a=mid:01234567890123456"),
            "1 to 16",
        ),
        (good.replace("111 opus", "72 opus"), "Opus"),
        (good.replace("a=ice-ufrag:abcd", "a=ice-ufrag:a b c"), "ice-ufrag"),
        (
            good.replacen("a=sendonly", "a=sendonly\r\na=inactive", 1),
            "nothing else",
        ),
        (
            good.replacen(
                "a=sendonly",
                "a=sendonly\r\na=ssrc:1 cname:a\r\na=ssrc:2 cname:a\r\na=ssrc:3 cname:a",
                1,
            ),
            "at most 2 SSRCs",
        ),
        (
            good.replacen("a=setup:actpass", "a=setup:actpass\ra=ssrc:1 cname:a", 1),
            "control characters",
        ),
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

/// str0m keeps a stream for each of these lines and gives none back.
#[test]
fn what_str0m_would_remember_is_left_out() {
    let hostile = |direction: &str| {
        let sources: String = (0..200).map(|n| format!("a=ssrc:{n} cname:a\r\n")).collect();
        let rids = "a=rid:a recv\r\na=rid:b recv\r\na=simulcast:recv a;b\r\na=ssrc-group:FID 1 2\r\n";
        let others = "a=rtcp-fb:111 transport-cc\r\na=extmap:3 urn:of-no-interest\r\na=extmap:5/sendonly \
                      urn:ietf:params:rtp-hdrext:sdes:mid\r\na=rtpmap:63 red/48000/2\r\na=fmtp:111 minptime=10\r\n";
        let line = format!("a={direction}\r\n");
        let sources = if direction == "recvonly" { &sources } else { "" };
        (line.clone(), format!("{line}{sources}{rids}{others}"))
    };
    let text = ["sendonly", "recvonly"].iter().fold(offer(3), |text, direction| {
        let (line, hostile) = hostile(direction);
        text.replace(&line, &hostile)
    });
    let section = |mid: usize, direction: &str| {
        format!(
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n\
             a=extmap:5 urn:ietf:params:rtp-hdrext:sdes:mid\r\na={direction}\r\na=rtcp-mux\r\n\
             a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n"
        )
    };
    let left = format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2 3\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 AA:BB\r\na=setup:actpass\r\n{}{}{}{}",
        section(0, "sendonly"),
        section(1, "recvonly"),
        section(2, "recvonly"),
        section(3, "recvonly"),
    );
    assert_eq!(inspect(&text).unwrap().write(Sources::Announced), left);
}

#[test]
fn a_restart_continues_the_join_or_does_not() {
    let with = |sources: &str| offer(3).replacen("a=sendonly\r\n", &format!("a=sendonly\r\n{sources}"), 1);
    let shape = |text: &str| check_restart(text).unwrap().shape;
    let (one, other) = (
        "a=ssrc:7 cname:a\r\na=ssrc:7 msid:- b\r\n",
        "a=ssrc:8 cname:a\r\n",
    );
    let join = check(&with(one)).unwrap();
    assert!(join.sdp.to_sdp_string().contains("a=ssrc:7 cname"));
    assert!(shape(&with(one)).continues(&join.shape));
    assert!(shape(&offer(3)).continues(&join.shape), "SSRCs are left out");
    assert!(!shape(&with(other)).continues(&join.shape), "another SSRC");
    assert!(shape(&with(other)).continues(&check(&offer(3)).unwrap().shape));
    assert!(!shape(&offer(2)).continues(&join.shape), "a slot is missing");
    let renamed = with(one).replace("a=mid:3", "a=mid:9").replace("1 2 3", "1 2 9");
    assert!(!shape(&renamed).continues(&join.shape), "another mid");
    let turned = offer(3)
        .replace("sendonly", "x")
        .replacen("recvonly", "sendonly", 1)
        .replacen("a=x", "a=recvonly", 1);
    assert!(!shape(&turned).continues(&join.shape), "another direction");
    assert!(
        !check_restart(&with(one))
            .unwrap()
            .sdp
            .to_sdp_string()
            .contains("a=ssrc"),
        "str0m learns no SSRC from a restart"
    );
}

/// As Chromium 156 makes it, before it has a track.
#[test]
fn a_browsers_offer_is_understood() {
    let text = include_str!("chromium-156.sdp");
    let inspected = inspect(text).unwrap();
    let named = text.lines().find_map(|line| line.strip_prefix("a=ssrc:"));
    let named: u32 = named.unwrap().split(' ').next().unwrap().parse().unwrap();
    for (at, media) in inspected.media.iter().enumerate() {
        assert_eq!(
            (media.mid, media.is_microphone),
            (["0", "1", "2", "3"][at], at == 0)
        );
        assert_eq!(
            (media.payload_type, media.parameters),
            (111, Some("minptime=10;useinbandfec=1"))
        );
        assert_eq!(media.extensions, [(1, EXTENSIONS[0]), (4, EXTENSIONS[1])]);
        assert_eq!(media.sources, if at == 0 { vec![named] } else { vec![] });
    }
    assert_eq!(inspected.setup, Some("actpass"));
    let join = check(text).unwrap();
    assert_eq!(join.shape.slots(), 3);
    assert!(check_restart(text).unwrap().shape.continues(&join.shape));
}
