//! Rules 13 and 14, pass by pass.

use super::*;
use crate::id::{EntityId, WriteId};

const SHARD: ShardId = ShardId(7);
const MINE: Epoch = Epoch(5);
/// In the middle of an hour.
const WALL: Timestamp = Timestamp(1_800_001_800_000);

fn at(after: Duration) -> Now {
    Now {
        boot: BootInstant::default() + Duration::from_secs(1_000) + after,
        wall: WALL + after,
    }
}

fn now() -> Now {
    at(Duration::ZERO)
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn row(n: u64, due: Timestamp, epoch: u64) -> TimerRow {
    TimerRow {
        key: TimerKey {
            shard: SHARD,
            hour: due.hour(),
            due,
            entity: EntityId::new("toy", &n.to_string()),
            write_id: WriteId(u128::from(n)),
            name: "t".to_owned(),
        },
        epoch: Epoch(epoch),
    }
}

fn stored(epoch: u64, hour: Hour) -> LowWater {
    LowWater {
        epoch: Epoch(epoch),
        hour,
    }
}

/// A scanner whose low water is the last full hour, about to make its first pass.
fn ready() -> Scan {
    let (mut scan, first) = Scan::new(SHARD, MINE);
    assert_eq!(first, Output::ReadLowWater);
    let low = stored(3, past());
    scan.handle(now(), Input::LowWater(Ok(low)));
    assert_eq!(scan.handle(now(), Input::Put(Ok(Cas::Applied))), [Output::Ready]);
    scan
}

fn past() -> Hour {
    Hour(WALL.hour().0 - MARGIN_HOURS)
}

fn query(out: &[Output]) -> DueQuery {
    match out {
        [Output::Query(query)] => query.clone(),
        other => panic!("no query alone: {other:?}"),
    }
}

/// Begins a pass at `when`, which must be due, and answers it with one page.
fn pass(scan: &mut Scan, when: Now, rows: &[TimerRow]) -> Vec<Output> {
    query(&scan.handle(when, Input::Tick));
    scan.handle(when, last_page(rows.to_vec()))
}

fn last_page(rows: Vec<TimerRow>) -> Input {
    Input::Page(Ok(DuePage { rows, next: None }))
}

/// A page that ends in the middle of its last row's hour.
fn full_page(rows: Vec<TimerRow>) -> Input {
    let next = rows.last().map(|row| row.key.hour);
    Input::Page(Ok(DuePage { rows, next }))
}

/// A page without rows: all hours before `next` are empty.
fn empty_page(next: Hour) -> Input {
    let next = Some(next);
    Input::Page(Ok(DuePage { rows: vec![], next }))
}

fn delivered(out: &[Output]) -> Vec<TimerRow> {
    let rows = out.iter().filter_map(|o| match o {
        Output::Deliver(row) => Some(row.clone()),
        _ => None,
    });
    rows.collect()
}

/// The low water is written under the new epoch before anything is armed, also where it does not move.
#[test]
fn the_low_water_is_taken_over_first() {
    let (mut scan, _) = Scan::new(SHARD, MINE);
    let low = stored(3, Hour(40));
    let out = scan.handle(now(), Input::LowWater(Ok(low)));
    let next = stored(5, Hour(40));
    assert_eq!(out, [Output::PutLowWater { previous: low, next }]);
    // The older owner moved it meanwhile: its hour counts.
    let moved = stored(3, Hour(41));
    let out = scan.handle(now(), Input::Put(Ok(Cas::Refused(moved))));
    let next = stored(5, Hour(41));
    assert_eq!(
        out,
        [Output::PutLowWater {
            previous: moved,
            next
        }]
    );
    assert_eq!(scan.handle(now(), Input::Put(Ok(Cas::Applied))), [Output::Ready]);
    assert_eq!(scan.low_water(), Hour(41));
}

#[test]
fn an_unknown_take_over_is_sent_again_as_it_was() {
    let (mut scan, _) = Scan::new(SHARD, MINE);
    let first = scan.handle(now(), Input::LowWater(Ok(LowWater::default())));
    let lost = Err(StoreError::Unknown("of the test".to_owned()));
    assert!(scan.handle(now(), Input::Put(lost)).is_empty());
    assert_eq!(scan.handle(at(seconds(1)), Input::Tick), first);
    let landed = Cas::Refused(stored(5, past()));
    assert_eq!(scan.handle(now(), Input::Put(Ok(landed))), [Output::Ready]);
}

/// A shard without a low water never had a row: it begins close to the clock, and that is written before anything is
/// armed.
#[test]
fn a_new_shard_is_not_read_from_the_beginning_of_time() {
    let (mut scan, _) = Scan::new(SHARD, MINE);
    let out = scan.handle(now(), Input::LowWater(Ok(LowWater::default())));
    let next = stored(5, past());
    let previous = LowWater::default();
    assert_eq!(out, [Output::PutLowWater { previous, next }]);
    assert_eq!(scan.handle(now(), Input::Put(Ok(Cas::Applied))), [Output::Ready]);
    let first = query(&scan.handle(now(), Input::Tick));
    assert_eq!((first.from, first.to), (past(), WALL.hour()));
}

/// An owner that was passed on its way may have stored its low water, and armed: its hour counts, however old.
#[test]
fn the_first_low_water_of_another_owner_counts() {
    for earlier in [Hour(past().0 - 100), Hour(past().0 + 100)] {
        let (mut scan, _) = Scan::new(SHARD, MINE);
        scan.handle(now(), Input::LowWater(Ok(LowWater::default())));
        let theirs = stored(3, earlier);
        let out = scan.handle(now(), Input::Put(Ok(Cas::Refused(theirs))));
        let next = stored(5, earlier);
        let previous = theirs;
        assert_eq!(out, [Output::PutLowWater { previous, next }]);
    }
}

/// What an earlier release stored as hour 0 was stored: rows may be anywhere behind it.
#[test]
fn a_stored_hour_0_is_kept() {
    let (mut scan, _) = Scan::new(SHARD, MINE);
    let previous = stored(1, Hour(0));
    let next = stored(5, Hour(0));
    let out = scan.handle(now(), Input::LowWater(Ok(previous)));
    assert_eq!(out, [Output::PutLowWater { previous, next }]);
}

/// Rule 4: a newer owner's low water is the end.
#[test]
fn a_newer_owner_passes_this_one() {
    let (mut scan, _) = Scan::new(SHARD, MINE);
    let out = scan.handle(now(), Input::LowWater(Ok(stored(6, Hour(0)))));
    assert_eq!(out, [Output::Passed]);
}

/// Rule 14: all due rows from the low-water hour on, in the order of their keys; each is given away once.
#[test]
fn due_rows_are_delivered_and_not_twice_at_once() {
    let mut scan = ready();
    let asked = query(&scan.handle(now(), Input::Tick));
    assert_eq!((asked.from, asked.after), (past(), None));
    let rows = [row(1, WALL, 5), row(2, WALL, 3), row(3, WALL + seconds(20), 5)];
    let out = scan.handle(now(), last_page(rows.to_vec()));
    assert_eq!(delivered(&out), rows[..2], "the third is not due");
    let again = at(REDELIVER - seconds(1));
    scan.handle(again, Input::Armed(again.wall));
    assert!(
        delivered(&pass(&mut scan, again, &rows)).is_empty(),
        "its entity has them"
    );
    let later = at(REDELIVER * 2);
    assert_eq!(
        delivered(&pass(&mut scan, later, &rows[..2])),
        rows[..2],
        "still there, perhaps lost"
    );
}

/// Rule 14: rows of a higher epoch are left alone, however due.
#[test]
fn rows_of_a_higher_epoch_are_left_alone() {
    let mut scan = ready();
    let out = pass(&mut scan, now(), &[row(1, WALL, 6), row(2, WALL, 5)]);
    assert_eq!(delivered(&out), [row(2, WALL, 5)]);
}

/// Rule 14: within a pass pages follow each other; no cursor is kept between passes.
#[test]
fn a_pass_reads_page_after_page() {
    let mut scan = ready();
    let page: Vec<_> = (0..PAGE as u64).map(|n| row(n, WALL, 5)).collect();
    query(&scan.handle(now(), Input::Tick));
    let out = scan.handle(now(), full_page(page.clone()));
    let next = query(&out[PAGE..]);
    assert_eq!(next.after.as_ref(), page.last().map(|r| &r.key));
    assert_eq!(next.from, WALL.hour());
    scan.handle(now(), last_page(vec![]));
    assert_eq!(query(&scan.handle(at(RESCAN), Input::Tick)).after, None);
}

/// A crowd is given away in bounded portions, the next one soon.
#[test]
fn a_crowd_comes_in_portions() {
    let mut scan = ready();
    scan.handle(now(), Input::Tick);
    let mut given = 0;
    for page in 0..4 {
        let rows = (0..PAGE as u64).map(|n| row(page * 1_000 + n, WALL, 5)).collect();
        let out = scan.handle(now(), full_page(rows));
        given += delivered(&out).len();
        assert_eq!(out.len() > PAGE, page < 3, "the fourth fills the portion");
    }
    assert_eq!(given, OUT);
    assert_eq!(scan.wake(), Some(now().boot + CROWDED));
}

/// A pass at `when` over all of `rows`, page after page.
fn whole_pass(scan: &mut Scan, when: Now, rows: &[TimerRow]) -> Vec<TimerRow> {
    let (mut out, mut given) = (scan.handle(when, Input::Tick), vec![]);
    while let Some(Output::Query(query)) = out.last() {
        let behind = rows
            .iter()
            .filter(|r| query.after.as_ref().is_none_or(|a| r.key > *a));
        let page: Vec<_> = behind.take(query.limit).cloned().collect();
        let is_full = page.len() == query.limit;
        out = scan.handle(when, if is_full { full_page(page) } else { last_page(page) });
        given.extend(delivered(&out));
    }
    given
}

/// Rule 14: all due rows are read, also those behind more rows that cannot be finished than a pass delivers.
#[test]
fn rows_that_cannot_be_finished_starve_nobody() {
    let mut scan = ready();
    let stuck = (0..3 * OUT as u64).map(|n| row(n, WALL - seconds(10), 5));
    let last = row(9_999, WALL, 5);
    let mut rows: Vec<_> = stuck.chain([last.clone()]).collect();
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    let mut given = vec![];
    for portion in 0..3 {
        given.push(whole_pass(&mut scan, at(CROWDED * portion), &rows));
    }
    assert_eq!(given.concat(), rows[..3 * OUT], "each once, in order");
    assert_eq!(whole_pass(&mut scan, at(CROWDED * 3), &rows), [last]);
    // Again after a while, in portions as well, which take nothing from what is new.
    let new = row(99_999, WALL, 5);
    rows.push(new.clone());
    let out = whole_pass(&mut scan, at(REDELIVER * 2), &rows);
    assert_eq!(out.len(), OUT + 1);
    assert_eq!(out.last(), Some(&new));
}

/// The next pass is due when the earliest row is, or the one that was just armed.
#[test]
fn the_next_pass_comes_when_the_next_row_is_due() {
    let mut scan = ready();
    pass(&mut scan, now(), &[row(1, WALL + seconds(30), 5)]);
    assert_eq!(scan.wake(), Some(at(seconds(30)).boot));
    scan.handle(now(), Input::Armed(WALL + seconds(10)));
    assert_eq!(scan.wake(), Some(at(seconds(10)).boot));
    scan.handle(now(), Input::Armed(WALL + seconds(50)));
    assert_eq!(scan.wake(), Some(at(seconds(10)).boot));
}

/// Also if it was armed while a pass, or the low water, was under way.
#[test]
fn what_is_armed_meanwhile_is_not_late() {
    let mut scan = ready();
    scan.handle(now(), Input::Tick);
    scan.handle(now(), Input::Armed(WALL + seconds(10)));
    scan.handle(now(), last_page(vec![]));
    assert_eq!(scan.wake(), Some(at(seconds(10)).boot));

    let mut scan = ready();
    let hour = at(seconds(3_600));
    let out = pass(&mut scan, hour, &[]);
    assert!(matches!(out[..], [Output::PutLowWater { .. }]), "{out:?}");
    scan.handle(hour, Input::Armed(hour.wall + seconds(10)));
    scan.handle(hour, Input::Put(Ok(Cas::Applied)));
    assert_eq!(scan.wake(), Some(hour.boot + seconds(10)));
}

/// The low water moves only when everything before it was read empty, and stays behind the clock.
#[test]
fn the_low_water_follows_the_clock_over_empty_hours() {
    let hour = at(seconds(3_600));
    let mut scan = ready();
    let late = row(1, WALL - seconds(3_600), 6);
    assert_eq!(late.key.hour, past());
    assert!(
        pass(&mut scan, hour, &[late]).is_empty(),
        "somebody's row is there, even if not ours"
    );

    let mut scan = ready();
    let out = pass(&mut scan, hour, &[]);
    let next = stored(5, WALL.hour());
    assert_eq!(
        out,
        [Output::PutLowWater {
            previous: stored(5, past()),
            next
        }]
    );
    assert_eq!(scan.low_water(), past(), "not before it is confirmed");
    scan.handle(hour, Input::Put(Ok(Cas::Applied)));
    assert_eq!(scan.low_water(), WALL.hour());
}

/// A scanner whose low water is far behind, about to make its first pass.
fn long_away() -> (Scan, Hour) {
    let (mut scan, _) = Scan::new(SHARD, MINE);
    let low = stored(3, Hour(past().0 - 20_000));
    scan.handle(now(), Input::LowWater(Ok(low)));
    assert_eq!(scan.handle(now(), Input::Put(Ok(Cas::Applied))), [Output::Ready]);
    (scan, low.hour)
}

/// Rule 14: a pass that fails keeps the hours that it read to their end and empty, and none behind a row.
#[test]
fn a_pass_that_is_cut_short_keeps_what_it_came_to() {
    let lost = || Input::Page(Err(StoreError::Unavailable("of the test".to_owned())));
    let (mut scan, low) = long_away();
    let first = query(&scan.handle(now(), Input::Tick));
    assert_eq!(first.from, low);
    let read = Hour(low.0 + 12);
    let next = query(&scan.handle(now(), empty_page(read)));
    assert_eq!(next.from, read);
    let raised = Output::PutLowWater {
        previous: stored(5, low),
        next: stored(5, read),
    };
    assert_eq!(scan.handle(now(), lost()), [raised]);
    scan.handle(now(), Input::Put(Ok(Cas::Applied)));
    let again = at(seconds(1));
    assert_eq!(query(&scan.handle(again, Input::Tick)).from, read);

    let old = row(1, Timestamp((read.0 + 2) * 3_600_000), 6);
    scan.handle(again, full_page(vec![old.clone()]));
    scan.handle(again, empty_page(Hour(read.0 + 12)));
    let raised = Output::PutLowWater {
        previous: stored(5, read),
        next: stored(5, old.key.hour),
    };
    assert_eq!(scan.handle(again, lost()), [raised]);
}

/// However many hours nobody owned the shard: the low water goes on by portions of them.
#[test]
fn a_long_absence_is_made_up_for_in_portions() {
    let (mut scan, low) = long_away();
    let mut hour = low;
    let mut out = scan.handle(now(), Input::Tick);
    for _ in 0..EMPTY_PAGES {
        assert_eq!(query(&out).from, hour);
        hour = Hour(hour.0 + 12);
        out = scan.handle(now(), empty_page(hour));
    }
    let raised = Output::PutLowWater {
        previous: stored(5, low),
        next: stored(5, hour),
    };
    assert_eq!(out, [raised]);
    scan.handle(now(), Input::Put(Ok(Cas::Applied)));
    assert_eq!(query(&scan.handle(now(), Input::Tick)).from, hour, "at once");
}

#[test]
fn a_failed_page_is_asked_for_again() {
    let mut scan = ready();
    scan.handle(now(), Input::Tick);
    let lost = Err(StoreError::Unknown("of the test".to_owned()));
    assert!(scan.handle(now(), Input::Page(lost)).is_empty());
    query(&scan.handle(at(seconds(1)), Input::Tick));
}

/// A slow store cuts passes short, again and again: what they delivered is not delivered once more by each of them.
#[test]
fn what_a_pass_delivered_before_it_was_cut_short_is_out() {
    let mut scan = ready();
    let rows = [row(1, WALL, 5), row(2, WALL, 5)];
    let lost = || Input::Page(Err(StoreError::Unavailable("of the test".to_owned())));
    query(&scan.handle(now(), Input::Tick));
    assert_eq!(delivered(&scan.handle(now(), full_page(rows.to_vec()))), rows);
    scan.handle(now(), lost());
    let again = scan.wake().unwrap();
    let soon = at(again.since(now().boot));
    query(&scan.handle(soon, Input::Tick));
    assert_eq!(delivered(&scan.handle(soon, full_page(rows.to_vec()))), []);
    scan.handle(soon, lost());
    let later = at(REDELIVER + seconds(60));
    query(&scan.handle(later, Input::Tick));
    assert_eq!(delivered(&scan.handle(later, last_page(rows.to_vec()))), rows);
}
