//! Rules 6 and 8: what an owner does with the list that it inherits.

use std::time::Duration;

use super::*;

const SHARD: ShardId = ShardId(7);
const MINE: Epoch = Epoch(5);

fn id(n: usize) -> EntityId {
    EntityId::new("toy", &format!("{n:04}"))
}

fn at(ms: u64) -> Now {
    let after = Duration::from_millis(ms);
    Now {
        boot: BootInstant::default() + after,
        wall: Timestamp(1_800_000_000_000) + after,
    }
}

fn row(epoch: u64) -> ShardRow {
    ShardRow {
        owner: None,
        incarnation: 1,
        epoch: Epoch(epoch),
        list_id: None,
    }
}

fn revived(out: &[Output]) -> Vec<EntityId> {
    let ids = out.iter().filter_map(|o| match o {
        Output::Revive(id) => Some(id.clone()),
        _ => None,
    });
    ids.collect()
}

/// A shard with a low water of its own that inherits so many entities, and what it said last.
fn opened(inherited: usize) -> (Shard, Vec<Output>) {
    let (mut shard, _) = Shard::new(SHARD, MINE, [7; 32]);
    shard.handle(at(0), Input::LowWater(Ok(LowWater::default())));
    shard.handle(at(0), Input::LowWaterPut(Ok(Cas::Applied)));
    assert!(!shard.is_open(), "nothing is activated before the list is known");
    let entries = (0..inherited).map(id).collect();
    let out = shard.handle(at(0), Input::List(Ok((Some(row(MINE.0)), entries))));
    assert!(shard.is_open() && out.contains(&Output::Opened));
    (shard, out)
}

/// Rule 6: every inherited entity is activated in the background, a few at once.
#[test]
fn inherited_entities_are_revived_a_few_at_once() {
    let (mut shard, out) = opened(REVIVALS + 1);
    assert_eq!(revived(&out).len(), REVIVALS);
    assert!(shard.must_fence(&id(0)), "rule 5");
    let out = shard.handle(at(10), Input::Activated(id(0)));
    assert_eq!(revived(&out), [id(REVIVALS)]);
}

/// Rule 8: the list is read once; a second answer would show what others wrote meanwhile.
#[test]
fn the_list_is_read_once() {
    let (mut shard, _) = opened(1);
    let again = Input::List(Ok((Some(row(6)), vec![id(0), id(1)])));
    assert!(shard.handle(at(10), again).is_empty());
    assert!(!shard.must_fence(&id(1)));
}

#[test]
fn a_list_of_another_epoch_is_the_end() {
    for other in [Some(row(6)), None] {
        let (mut shard, _) = Shard::new(SHARD, MINE, [7; 32]);
        let out = shard.handle(at(0), Input::List(Ok((other, vec![]))));
        assert_eq!(out, [Output::Passed]);
    }
}

/// Rule 6: a crashed entity of the list comes back, one that owes nothing waits for its next command.
#[test]
fn a_crashed_entity_of_the_list_is_revived() {
    let (mut shard, _) = opened(1);
    shard.handle(at(0), Input::Activated(id(0)));
    assert!(shard.handle(at(0), Input::Crashed(id(9))).is_empty());
    assert!(
        revived(&shard.handle(at(0), Input::Crashed(id(0)))).is_empty(),
        "a little later"
    );
    assert_eq!(revived(&shard.handle(at(20), Input::Tick)), [id(0)]);
}

/// One that crashes whenever it comes back is revived ever more slowly, to once in two seconds.
#[test]
fn an_entity_that_crashes_again_and_again_does_not_spin() {
    let (mut shard, _) = opened(1);
    let mut now = 0;
    let mut revivals = 0;
    while now < 60_000 {
        shard.handle(at(now), Input::Crashed(id(0)));
        loop {
            now += 5;
            if !revived(&shard.handle(at(now), Input::Tick)).is_empty() {
                break;
            }
        }
        revivals += 1;
    }
    assert!((25..45).contains(&revivals), "{revivals} in a minute");
    shard.handle(at(now), Input::Activated(id(0)));
    shard.handle(at(now + 5_000), Input::Tick);
    shard.handle(at(now + 5_000), Input::Crashed(id(0)));
    assert_eq!(
        revived(&shard.handle(at(now + 5_020), Input::Tick)),
        [id(0)],
        "soon again, once it has lived"
    );
}

/// A shard in whose list so many entities are, all of which left memory because of that lane.
fn all_parked(count: usize) -> Shard {
    let (mut shard, _) = opened(count);
    for n in 0..count {
        shard.handle(at(0), Input::Activated(id(n)));
        let out = shard.handle(at(0), Input::Parked(id(n), Lane::Topics));
        assert!(!revived(&out).contains(&id(n)), "not at once");
    }
    shard
}

/// Lets the time pass until somebody is brought back.
fn probe(shard: &mut Shard) -> (Now, Vec<EntityId>) {
    loop {
        let wake = shard.wake().expect("somebody waits");
        let now = at(u64::try_from(wake.since(BootInstant::default()).as_millis()).unwrap());
        let back = revived(&shard.handle(now, Input::Tick));
        if !back.is_empty() {
            return (now, back);
        }
    }
}

/// While their lane takes nothing one is tried at a time, in turn and ever more seldom.
#[test]
fn parked_entities_are_tried_one_at_a_time() {
    let mut shard = all_parked(3);
    let (mut last, mut tried) = (at(0), vec![]);
    for _ in 0..12 {
        let (now, back) = probe(&mut shard);
        assert!(now.boot.since(last.boot) <= Duration::from_secs(30));
        assert!(revived(&shard.handle(now, Input::Tick)).is_empty(), "one alone");
        shard.handle(now, Input::Activated(back[0].clone()));
        shard.handle(now, Input::Parked(back[0].clone(), Lane::Topics));
        tried.extend(back);
        last = now;
    }
    assert_eq!(tried[..6], [id(0), id(1), id(2), id(0), id(1), id(2)]);
    assert!(last.boot > at(200_000).boot, "{last:?}");
    assert!(shard.must_fence(&id(0)), "rule 9: they stay in the list");
}

/// Once a row gets through all others follow, a few at once: each keeps its place until it owes nothing.
#[test]
fn parked_entities_come_back_once_rows_get_through() {
    let mut shard = all_parked(3 * REVIVALS);
    let (now, back) = probe(&mut shard);
    shard.handle(now, Input::Through(back[0].clone(), Lane::Inside));
    let out = shard.handle(now, Input::Through(back[0].clone(), Lane::Topics));
    assert_eq!(revived(&out), (1..REVIVALS).map(id).collect::<Vec<_>>());
    shard.handle(now, Input::Activated(id(1)));
    assert!(revived(&shard.handle(now, Input::Tick)).is_empty());
    let mut next = REVIVALS;
    for n in 0..REVIVALS {
        let done = match n % 3 {
            0 => Input::Unnote(id(n)),
            1 => Input::NotRevived(id(n)),
            _ => Input::Crashed(id(n)),
        };
        assert_eq!(revived(&shard.handle(now, done)), [id(next)]);
        next += 1;
    }
    shard.used(&id(REVIVALS));
    assert_eq!(
        revived(&shard.handle(now, Input::Activated(id(REVIVALS)))),
        [id(next)]
    );
}

/// So often that it is tried seldom.
fn tried_for_long(shard: &mut Shard) -> Now {
    let tries = (0..8).map(|_| {
        let (now, back) = probe(shard);
        shard.handle(now, Input::Parked(back[0].clone(), Lane::Topics));
        now
    });
    tries.last().expect("eight")
}

/// What another shard of the node found out is looked at at once, by one entity, and said on only where it is news.
#[test]
fn a_lane_that_opens_elsewhere_is_looked_at_now() {
    let mut shard = all_parked(3);
    let now = tried_for_long(&mut shard);
    assert!(revived(&shard.handle(now, Input::Opens(Lane::Inside))).is_empty());
    let back = revived(&shard.handle(now, Input::Opens(Lane::Topics)));
    assert_eq!(back.len(), 1, "one finds out");
    let out = shard.handle(now, Input::Through(back[0].clone(), Lane::Topics));
    assert!(out.contains(&Output::Opens(Lane::Topics)));
    let (others, first) = (revived(&out), back[0].clone());
    assert_eq!(others.len(), 2);
    shard.handle(now, Input::Unnote(first));
    let out = shard.handle(now, Input::Through(others[0].clone(), Lane::Topics));
    assert!(out.is_empty(), "it is known: {out:?}");
}

/// Where the others are mistaken, it is looked again soon: the outage may be over the next moment.
#[test]
fn a_lane_that_opens_elsewhere_only_is_looked_at_again_soon() {
    let mut shard = all_parked(1);
    let now = tried_for_long(&mut shard);
    let back = revived(&shard.handle(now, Input::Opens(Lane::Topics)));
    shard.handle(now, Input::Parked(back[0].clone(), Lane::Topics));
    let (later, _) = probe(&mut shard);
    assert_eq!(later.boot.since(now.boot), Duration::from_secs(1));
}

/// A lane that closes again while they come back is noticed before all of them have come.
#[test]
fn a_lane_that_closes_again_is_noticed() {
    let count = 10 * REVIVALS;
    let mut shard = all_parked(count);
    let (now, back) = probe(&mut shard);
    let mut out = shard.handle(now, Input::Through(back[0].clone(), Lane::Topics));
    out.extend(shard.handle(now, Input::Unnote(back[0].clone())));
    let mut under_way: VecDeque<_> = revived(&out).into();
    let mut tried = 0;
    while let Some(entity) = under_way.pop_front() {
        tried += 1;
        let out = shard.handle(now, Input::Parked(entity, Lane::Topics));
        under_way.extend(revived(&out));
    }
    assert!(tried < 3 * REVIVALS, "{tried}");
    assert_eq!(probe(&mut shard).1.len(), 1);
}

/// Who was activated by a command, or keeps another lane waiting, is not brought back for this one.
#[test]
fn a_parked_entity_that_is_used_is_not_brought_back() {
    let mut shard = all_parked(2);
    shard.used(&id(0));
    shard.handle(at(10), Input::Parked(id(1), Lane::Inside));
    assert_eq!(probe(&mut shard).1, [id(1)]);
}

/// Those that can never pay, however many and since when, are tried after those that just came.
#[test]
fn who_can_never_pay_keeps_nobody_waiting() {
    let mut shard = all_parked(9);
    let mut last = at(0);
    for _ in 0..20 {
        let (now, back) = probe(&mut shard);
        last = now;
        shard.handle(now, Input::Activated(back[0].clone()));
        shard.handle(now, Input::Parked(back[0].clone(), Lane::Topics));
    }
    // Somebody uses one of them, and it parks anew.
    shard.used(&id(8));
    shard.handle(last, Input::Parked(id(8), Lane::Topics));
    assert_eq!(probe(&mut shard).1, [id(8)]);
}
