//! Rules 1 and 2, beat by beat.

use super::*;

const TTL: Duration = Duration::from_secs(12);
const BEAT: Duration = Duration::from_secs(2);

fn at(ms: u64) -> BootInstant {
    BootInstant::default() + Duration::from_millis(1_000_000 + ms)
}

fn row(incarnation: u64, beat: u64) -> NodeRow {
    NodeRow {
        incarnation,
        beat,
        released: false,
    }
}

fn lost<T>() -> Result<T, StoreError> {
    Err(StoreError::Unknown("of the test".to_owned()))
}

fn write(out: &[Output]) -> NodeWrite {
    match out.last() {
        Some(Output::Write(write)) => write.clone(),
        other => panic!("no write: {other:?}"),
    }
}

fn hold(out: &[Output]) -> Hold {
    let held = out.iter().find_map(|o| match o {
        Output::Held(hold) => Some(*hold),
        _ => None,
    });
    held.unwrap_or_else(|| panic!("no hold: {out:?}"))
}

/// A lease that was sent at 0 and confirmed at 10.
fn started() -> (Lease, Hold) {
    let (mut lease, _) = Lease::new(NodeId::new("a"), TTL, BEAT, false, 0);
    lease.handle(at(0), Input::Read(Ok(Some(row(3, 70)))));
    let out = lease.handle(at(10), Input::Written(Ok(Cas::Applied)));
    (lease, hold(&out))
}

/// Rule 1: a start raises the incarnation by compare-and-set.
#[test]
fn a_start_raises_the_incarnation() {
    let (mut lease, first) = Lease::new(NodeId::new("a"), TTL, BEAT, false, 0);
    assert_eq!(first, Output::Read);
    let raise = write(&lease.handle(at(0), Input::Read(Ok(Some(row(3, 70))))));
    assert_eq!((raise.previous, raise.next), (Some((3, 70)), row(4, 0)));
    let out = lease.handle(at(10), Input::Written(Ok(Cas::Applied)));
    assert_eq!(out[0], Output::Started { incarnation: 4 });
    assert_eq!(
        hold(&out),
        Hold {
            generation: 1,
            until: at(8_000)
        }
    );
}

/// Rule 1: a start of unknown outcome is not settled by the identical statement: it reads and raises again.
#[test]
fn an_unknown_start_reads_again() {
    let (mut lease, _) = Lease::new(NodeId::new("a"), TTL, BEAT, false, 0);
    lease.handle(at(0), Input::Read(Ok(None)));
    assert!(lease.handle(at(10), Input::Written(lost())).is_empty());
    assert_eq!(lease.handle(at(1_000), Input::Tick), [Output::Read]);
    assert_eq!(
        write(&lease.handle(at(1_010), Input::Read(Ok(Some(row(1, 0)))))).next,
        row(2, 0)
    );
}

/// Rule 1: the hold counts from before the first send of the confirmed beat, however often it was sent.
#[test]
fn a_resend_does_not_lengthen_the_hold() {
    let (mut lease, _) = started();
    let renewal = write(&lease.handle(at(2_000), Input::Tick));
    assert_eq!((renewal.previous, &renewal.next), (Some((4, 0)), &row(4, 1)));
    lease.handle(at(5_000), Input::Written(lost()));
    assert_eq!(
        write(&lease.handle(at(5_500), Input::Tick)),
        renewal,
        "the identical statement"
    );
    let applied = Cas::Refused(Some(renewal.next));
    let out = lease.handle(at(5_510), Input::Written(Ok(applied)));
    assert_eq!(
        hold(&out),
        Hold {
            generation: 1,
            until: at(10_000)
        }
    );
}

/// Rule 1: a process whose renewal is refused ends.
#[test]
fn a_refused_renewal_is_the_end() {
    let (mut lease, _) = started();
    lease.handle(at(2_000), Input::Tick);
    let other = Cas::Refused(Some(row(5, 0)));
    let out = lease.handle(at(2_010), Input::Written(Ok(other)));
    assert_eq!(out, [Output::Ended { refused: true }]);
    assert!(lease.handle(at(90_000), Input::Tick).is_empty());
}

/// Rule 2: once it did not hold, all is lost: the next hold is of a higher generation.
#[test]
fn a_late_renewal_is_a_new_generation() {
    let (mut lease, old) = started();
    assert!(old.holds(1, at(7_999)) && !old.holds(1, at(8_000)));
    lease.handle(at(2_000), Input::Tick);
    lease.handle(at(5_000), Input::Written(lost()));
    lease.handle(at(8_000), Input::Tick);
    let new = hold(&lease.handle(at(8_001), Input::Written(Ok(Cas::Applied))));
    assert!(!new.holds(1, at(8_002)), "although it counts on from 2,000");
    assert!(new.holds(2, at(8_002)));
}

/// Rule 4: a released lease is taken over at once, so nothing holds from before the release is sent.
#[test]
fn a_release_ends_the_hold_first() {
    let (mut lease, _) = started();
    let out = lease.handle(at(3_000), Input::Release);
    assert!(!hold(&out).holds(1, at(3_000)), "{out:?}");
    assert!(write(&out).next.released);
    let out = lease.handle(at(3_010), Input::Written(Ok(Cas::Applied)));
    assert_eq!(out, [Output::Ended { refused: false }]);
}

/// Also when a renewal was under way: its confirmation holds nothing any more.
#[test]
fn a_release_waits_for_the_renewal_under_way() {
    let (mut lease, _) = started();
    lease.handle(at(2_000), Input::Tick);
    let out = lease.handle(at(2_005), Input::Release);
    assert!(!hold(&out).holds(1, at(2_005)));
    let out = lease.handle(at(2_010), Input::Written(Ok(Cas::Applied)));
    assert!(
        matches!(&out[..], [Output::Write(write)] if write.next.released),
        "{out:?}"
    );
}
