use super::*;
use crate::pattern::FRAME_TICKS;

const SPEAKERS: [Speaker; 2] = [Speaker { index: 0, number: 11 }, Speaker { index: 1, number: 12 }];

/// Speaker, counter, sequence, RTP time.
fn say(ear: &mut Ear, speaker: u32, counter: u32, sequence: u16, timestamp: u32) {
    let payload = Frame {
        run: 1,
        speaker,
        counter,
        due_us: 0,
    }
    .write();
    let csrc = Some(SPEAKERS[speaker as usize].number);
    ear.hear(&Packet {
        ssrc: 5,
        sequence,
        timestamp,
        csrc,
        payload: &payload,
    });
}

fn ear() -> Ear {
    Ear::new(1, 3, SPEAKERS.to_vec())
}

/// Says `count` frames of speaker 0 from sequence 65,500 on, so that it wraps, without those of `skip`.
fn talk(ear: &mut Ear, count: u32, skip: &[u32]) {
    for n in (0..count).filter(|n| !skip.contains(n)) {
        say(
            ear,
            0,
            n,
            65_500u16.wrapping_add(n as u16),
            n.wrapping_mul(FRAME_TICKS),
        );
    }
}

#[test]
fn a_whole_stream_is_clean_over_a_wrap() {
    let mut ear = ear();
    talk(&mut ear, 100, &[]);
    let counts = ear.finish(&[Some(99), None]);
    assert!(counts.clean(), "{counts:?}");
    assert_eq!(counts.packets, 100);
}

#[test]
fn lost_packets_are_counted_where_they_are_missing() {
    let mut ear = ear();
    talk(&mut ear, 100, &[10, 11, 50]);
    assert_eq!(
        ear.finish(&[Some(101), None]),
        Counts {
            packets: 97,
            lost: 3,
            missing: 2,
            ..Counts::default()
        }
    );
}

#[test]
fn a_late_packet_is_not_lost_and_a_repeated_one_is_a_duplicate() {
    let mut ear = ear();
    for n in [0, 1, 3, 2, 4, 4, 0] {
        say(&mut ear, 0, n, n as u16, n * FRAME_TICKS);
    }
    assert_eq!(
        ear.counts(),
        Counts {
            packets: 7,
            reordered: 1,
            duplicates: 2,
            ..Counts::default()
        }
    );
}

#[test]
fn frames_lost_before_the_server_are_missing() {
    let mut ear = ear();
    say(&mut ear, 0, 0, 0, 0);
    say(&mut ear, 0, 3, 1, 3 * FRAME_TICKS);
    assert_eq!(
        ear.counts(),
        Counts {
            packets: 2,
            missing: 2,
            ..Counts::default()
        }
    );
}

#[test]
fn another_voice_in_the_slot_goes_on_with_the_sequence() {
    let mut ear = ear();
    say(&mut ear, 0, 7, 0, 0);
    say(&mut ear, 1, 900, 1, FRAME_TICKS);
    say(&mut ear, 1, 901, 2, 2 * FRAME_TICKS);
    assert!(ear.counts().clean());
    say(&mut ear, 0, 12, 3, 2 * FRAME_TICKS);
    assert_eq!(ear.counts().time_breaks, 1, "time stood still");
}

#[test]
fn foreign_payloads_runs_and_numbers_are_found() {
    let mut ear = ear();
    let alien = Frame {
        run: 2,
        speaker: 0,
        counter: 0,
        due_us: 0,
    }
    .write();
    let own = Frame {
        run: 1,
        speaker: 0,
        counter: 0,
        due_us: 0,
    }
    .write();
    let packets: [(&[u8], u32); 3] = [(&alien, 11), (&own, 12), (b"noise", 11)];
    for (n, (payload, csrc)) in packets.into_iter().enumerate() {
        let (sequence, timestamp) = (n as u16, n as u32 * FRAME_TICKS);
        ear.hear(&Packet {
            ssrc: 5,
            sequence,
            timestamp,
            csrc: Some(csrc),
            payload,
        });
    }
    assert_eq!(
        ear.counts(),
        Counts {
            packets: 3,
            foreign: 3,
            ..Counts::default()
        }
    );
}

#[test]
fn a_speaker_never_heard_is_told() {
    let mut ear = ear();
    talk(&mut ear, 3, &[]);
    assert_eq!(ear.finish(&[Some(2), Some(40)]).unheard, 1);
}

#[test]
fn who_is_heard_late_was_missed_unless_there_are_more_speakers_than_slots() {
    for (slots, missing) in [(2, 50), (1, 0)] {
        let mut ear = Ear::new(1, slots, SPEAKERS.to_vec());
        for (speaker, counter, due_us) in [(0, 0, 0), (1, 50, 1_000_000)] {
            let payload = Frame {
                run: 1,
                speaker,
                counter,
                due_us,
            }
            .write();
            let (ssrc, csrc) = (5 + speaker, Some(SPEAKERS[speaker as usize].number));
            ear.hear(&Packet {
                ssrc,
                sequence: 0,
                timestamp: 0,
                csrc,
                payload: &payload,
            });
        }
        assert_eq!(
            ear.finish(&[Some(0), Some(50)]),
            Counts {
                packets: 2,
                missing,
                ..Counts::default()
            }
        );
    }
}

/// Three frames of silence from this sequence number and time on.
fn fall_silent(ear: &mut Ear, sequence: u16, timestamp: u32) {
    for n in 0..3u16 {
        ear.hear(&Packet {
            ssrc: 5,
            sequence: sequence + n,
            timestamp: timestamp + u32::from(n) * FRAME_TICKS,
            csrc: None,
            payload: &[0xf8, 0xff, 0xfe],
        });
    }
}

#[test]
fn silence_does_not_cover_a_hole() {
    let mut ear = ear();
    say(&mut ear, 0, 0, 0, 0);
    fall_silent(&mut ear, 1, FRAME_TICKS);
    say(&mut ear, 0, 50, 4, 50 * FRAME_TICKS);
    assert_eq!(
        ear.counts(),
        Counts {
            packets: 5,
            missing: 49,
            quiet: 3,
            ..Counts::default()
        }
    );
}

#[test]
fn a_stall_without_loss_is_no_fault() {
    let mut ear = ear();
    say(&mut ear, 0, 0, 0, 0);
    fall_silent(&mut ear, 1, FRAME_TICKS);
    say(&mut ear, 0, 1, 4, 4 * FRAME_TICKS);
    assert!(ear.counts().clean(), "{:?}", ear.counts());
}

#[test]
fn a_frame_sent_twice_under_two_sequence_numbers_is_a_duplicate() {
    let mut ear = ear();
    say(&mut ear, 0, 7, 0, 0);
    say(&mut ear, 0, 7, 1, FRAME_TICKS);
    assert_eq!(ear.counts().duplicates, 1);
}

#[test]
fn of_more_speakers_than_slots_as_many_as_slots_are_heard_to_the_end() {
    let end = |last_heard: u32| {
        let mut ear = Ear::new(1, 1, SPEAKERS.to_vec());
        talk(&mut ear, last_heard + 1, &[]);
        ear.finish(&[Some(1000), Some(1000)]).unheard
    };
    assert_eq!((end(1000), end(960), end(10)), (0, 0, 1));
}

#[test]
fn what_is_on_its_way_is_behind() {
    let mut ear = ear();
    talk(&mut ear, 3, &[]);
    assert_eq!(ear.behind(&[Some(10), None]), 8);
}
