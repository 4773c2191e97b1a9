//! Rules 2, 3 and 4, round by round.

use super::claims::CLAIMS_IN_FLIGHT;
use super::*;
use crate::membership::Member;
use crate::protocol::placement::preferred;
use crate::protocol::watch::Verdict;

const TTL: Duration = Duration::from_secs(12);
const ME: &str = "a";
const OTHER: &str = "b";

fn at(seconds: u64) -> BootInstant {
    BootInstant::default() + Duration::from_secs(seconds)
}

fn member(name: &str) -> Member {
    Member {
        node: NodeId::new(name),
        region: String::new(),
        load: 0,
        draining: false,
    }
}

fn members() -> Vec<Member> {
    vec![member(ME), member(OTHER)]
}

/// A shard that should be that node's, of the two.
fn best(name: &str) -> ShardId {
    let node = NodeId::new(name);
    ShardId::all()
        .find(|s| preferred(*s, &members()) == Some(&node))
        .unwrap()
}

fn row(owner: Option<&str>, epoch: u64) -> ShardRow {
    ShardRow {
        owner: owner.map(NodeId::new),
        incarnation: 1,
        epoch: Epoch(epoch),
        list_id: None,
    }
}

/// Knows of these shards, holds in generation 1, and has incarnation 4.
fn held(shards: &[ShardId]) -> Ownership {
    let mut own = Ownership::new(NodeId::new(ME), TTL, shards.to_vec());
    own.handle(at(0), Input::Started { incarnation: 4 });
    own.handle(at(0), Input::Held { generation: 1 });
    own
}

fn round(own: &mut Ownership, now: BootInstant, rows: &[(ShardId, ShardRow)], other: Verdict) -> Vec<Output> {
    let verdicts = HashMap::from([(NodeId::new(OTHER), other)]);
    let (generation, rows, members) = (own.generation(), rows.to_vec(), members());
    own.handle(
        now,
        Input::Round(Round {
            generation,
            rows,
            verdicts,
            members,
        }),
    )
}

fn write(out: &[Output]) -> ShardWrite {
    match out {
        [Output::Write(write)] => write.clone(),
        other => panic!("no write alone: {other:?}"),
    }
}

fn written(own: &mut Ownership, shard: ShardId, answer: Cas<Option<ShardRow>>) -> Vec<Output> {
    own.handle(
        at(1),
        Input::Written {
            shard,
            answer: Ok(answer),
        },
    )
}

fn lost(own: &mut Ownership, shard: ShardId) -> Vec<Output> {
    let answer = Err(StoreError::Unknown("of the test".to_owned()));
    own.handle(at(1), Input::Written { shard, answer })
}

/// Runs `shard`, whose row named this node at epoch 7.
fn running(shard: ShardId) -> Ownership {
    let mut own = held(&[shard]);
    round(&mut own, at(0), &[(shard, row(Some(ME), 7))], Verdict::Alive);
    let out = written(&mut own, shard, Cas::Applied);
    assert_eq!(
        out,
        [Output::Run {
            shard,
            epoch: Epoch(8),
            generation: 1
        }]
    );
    own
}

/// Rule 3: a row that names this node, of whichever incarnation, is claimed with a raised epoch.
#[test]
fn a_row_of_an_earlier_life_is_claimed() {
    let shard = best(OTHER);
    let mut own = held(&[shard]);
    let claim = write(&round(
        &mut own,
        at(0),
        &[(shard, row(Some(ME), 7))],
        Verdict::Alive,
    ));
    assert_eq!(
        (claim.seen, claim.epoch, claim.incarnation),
        (Some(Epoch(7)), Epoch(8), 4)
    );
    assert_eq!(claim.owner, Some(NodeId::new(ME)));
}

/// Rule 2: nothing is claimed before the lease holds.
#[test]
fn nothing_is_claimed_without_a_hold() {
    let shard = best(ME);
    let mut own = Ownership::new(NodeId::new(ME), TTL, vec![shard]);
    assert!(round(&mut own, at(0), &[], Verdict::Gone).is_empty());
}

/// Rule 4: a living owner's shard is left alone, a gone one's is taken at `epoch + 1 IF epoch = seen`.
#[test]
fn a_gone_owners_shard_is_taken() {
    let shard = best(ME);
    let mut own = held(&[shard]);
    let rows = [(shard, row(Some(OTHER), 7))];
    assert!(round(&mut own, at(0), &rows, Verdict::Alive).is_empty());
    assert!(
        own.handle(
            at(90),
            Input::Round(Round {
                generation: 1,
                rows: rows.to_vec(),
                verdicts: HashMap::new(),
                members: members()
            })
        )
        .is_empty(),
        "no verdict is no"
    );
    let claim = write(&round(&mut own, at(91), &rows, Verdict::Gone));
    assert_eq!((claim.seen, claim.epoch), (Some(Epoch(7)), Epoch(8)));
}

/// The node that should own a free shard goes first; somebody can always take it.
#[test]
fn a_free_shard_is_left_to_its_best_owner_for_a_while() {
    let shard = best(OTHER);
    let mut own = held(&[shard]);
    for rows in [vec![], vec![(shard, row(None, 7))]] {
        assert!(round(&mut own, at(100), &rows, Verdict::Alive).is_empty());
        assert!(round(&mut own, at(111), &rows, Verdict::Alive).is_empty());
        let claim = write(&round(&mut own, at(112), &rows, Verdict::Alive));
        assert_eq!(claim.seen, rows.first().map(|_| Epoch(7)));
        written(&mut own, shard, Cas::Refused(Some(row(Some(OTHER), 8))));
        round(&mut own, at(113), &[(shard, row(Some(OTHER), 8))], Verdict::Alive);
    }
}

/// A claim of unknown outcome is settled by the identical statement; our own row in a refusal means that it is won.
#[test]
fn an_unknown_claim_is_sent_again_as_it_was() {
    let shard = best(ME);
    let mut own = held(&[shard]);
    let claim = write(&round(&mut own, at(0), &[], Verdict::Alive));
    assert!(lost(&mut own, shard).is_empty());
    let again = own.handle(own.wake().unwrap(), Input::Tick);
    assert_eq!(write(&again), claim);
    let mine = ShardRow {
        incarnation: 4,
        ..row(Some(ME), 1)
    };
    let out = written(&mut own, shard, Cas::Refused(Some(mine)));
    assert_eq!(
        out,
        [Output::Run {
            shard,
            epoch: Epoch(1),
            generation: 1
        }]
    );
}

#[test]
fn a_lost_claim_is_lost() {
    let shard = best(ME);
    let mut own = held(&[shard]);
    round(&mut own, at(0), &[], Verdict::Alive);
    // The same epoch, of an earlier life of this node.
    assert!(written(&mut own, shard, Cas::Refused(Some(row(Some(ME), 1)))).is_empty());
    let claim = write(&round(
        &mut own,
        at(2),
        &[(shard, row(Some(ME), 1))],
        Verdict::Alive,
    ));
    assert_eq!(claim.epoch, Epoch(2));
}

/// Rule 3: a shard it runs whose row shows a higher epoch is stopped; an old answer of a plain read is not believed.
#[test]
fn a_passed_shard_is_stopped() {
    let shard = best(ME);
    let mut own = running(shard);
    assert!(round(&mut own, at(2), &[(shard, row(Some(OTHER), 7))], Verdict::Alive).is_empty());
    let out = round(&mut own, at(4), &[(shard, row(Some(OTHER), 9))], Verdict::Alive);
    assert_eq!(out, [Output::Stop { shard }]);
    assert!(
        own.handle(
            at(4),
            Input::Stopped {
                shard,
                epoch: Epoch(8)
            }
        )
        .is_empty(),
        "nothing to hand over"
    );
}

/// Rule 2: after a lapse every shard is lost, and taken again with a raised epoch.
#[test]
fn a_new_generation_stops_every_shard() {
    let shard = best(ME);
    let mut own = running(shard);
    assert_eq!(
        own.handle(at(20), Input::Held { generation: 2 }),
        [Output::Stop { shard }]
    );
    let rows = [(shard, row(Some(ME), 8))];
    assert!(
        round(&mut own, at(21), &rows, Verdict::Alive).is_empty(),
        "not before it has stopped"
    );
    own.handle(
        at(21),
        Input::Stopped {
            shard,
            epoch: Epoch(8),
        },
    );
    let claim = write(&round(&mut own, at(22), &rows, Verdict::Alive));
    assert_eq!(claim.epoch, Epoch(9));
    let out = written(&mut own, shard, Cas::Applied);
    assert_eq!(
        out,
        [Output::Run {
            shard,
            epoch: Epoch(9),
            generation: 2
        }]
    );
}

/// A claim that was decided in a lapsed generation runs nothing; the next round heals it (rule 3).
#[test]
fn a_claim_of_a_lapsed_generation_runs_nothing() {
    let shard = best(ME);
    for answer in [
        Ok(Cas::Applied),
        Err(StoreError::Unknown("of the test".to_owned())),
    ] {
        let mut own = held(&[shard]);
        round(&mut own, at(0), &[], Verdict::Alive);
        own.handle(at(20), Input::Held { generation: 2 });
        assert!(own.handle(at(21), Input::Written { shard, answer }).is_empty());
        let claim = write(&round(
            &mut own,
            at(22),
            &[(shard, row(Some(ME), 1))],
            Verdict::Alive,
        ));
        assert_eq!(claim.epoch, Epoch(2));
    }
}

/// Rules 2 and 3: a round that began before the shards were lost would claim, and win, the epoch that was just run.
#[test]
fn a_round_of_a_lapsed_generation_is_dropped() {
    let shard = best(ME);
    let mut own = running(shard);
    own.handle(at(20), Input::Held { generation: 2 });
    let epoch = Epoch(8);
    own.handle(at(21), Input::Stopped { shard, epoch });
    let old = Round {
        generation: 1,
        rows: vec![(shard, row(Some(ME), 7))],
        verdicts: HashMap::new(),
        members: members(),
    };
    assert!(own.handle(at(22), Input::Round(old)).is_empty());
}

/// Rule 3: nor does a round of this generation that read the row before it was claimed.
#[test]
fn an_epoch_is_not_claimed_twice() {
    let shard = best(ME);
    let mut own = running(shard);
    let epoch = Epoch(8);
    own.handle(at(2), Input::Stopped { shard, epoch });
    for rows in [vec![], vec![(shard, row(Some(ME), 7))]] {
        assert!(round(&mut own, at(3), &rows, Verdict::Gone).is_empty());
    }
    let claim = write(&round(
        &mut own,
        at(4),
        &[(shard, row(Some(ME), 8))],
        Verdict::Alive,
    ));
    assert_eq!(claim.epoch, Epoch(9));
}

/// Only an unknown outcome of the very same write makes a row that shows it one's own.
#[test]
fn a_refusal_without_an_unknown_outcome_before_it_is_one() {
    let shard = best(ME);
    let mine = || ShardRow {
        incarnation: 4,
        ..row(Some(ME), 1)
    };
    for certain in [None, Some(StoreError::Unavailable("of the test".to_owned()))] {
        let mut own = held(&[shard]);
        round(&mut own, at(0), &[], Verdict::Alive);
        if let Some(error) = certain {
            let answer = Err(error);
            own.handle(at(1), Input::Written { shard, answer });
            own.handle(own.wake().unwrap(), Input::Tick);
        }
        assert!(written(&mut own, shard, Cas::Refused(Some(mine()))).is_empty());
        let claim = write(&round(&mut own, at(4), &[(shard, mine())], Verdict::Alive));
        assert_eq!(claim.epoch, Epoch(2));
    }
}

/// Rule 2: a shard that was to move when the lease lapsed is claimed again instead; who drains hands it over.
#[test]
fn a_hand_over_ends_with_its_generation_unless_the_node_stops() {
    let shard = best(OTHER);
    for drains in [false, true] {
        let mut own = running(shard);
        if drains {
            own.handle(at(2), Input::Drain { hand_over: true });
        } else {
            round(&mut own, at(2), &[(shard, row(Some(ME), 8))], Verdict::Alive);
        }
        let epoch = Epoch(8);
        let give = write(&own.handle(at(3), Input::Stopped { shard, epoch }));
        assert!(lost(&mut own, shard).is_empty());
        let next = own.handle(at(3), Input::Held { generation: 2 });
        if drains {
            assert_eq!(write(&next), give);
        } else {
            assert!(next.is_empty() && own.wake().is_none());
            let claim = write(&round(
                &mut own,
                at(4),
                &[(shard, row(Some(ME), 8))],
                Verdict::Alive,
            ));
            assert_eq!(claim.epoch, Epoch(9));
        }
    }
}

/// Rule 4: one shard is handed over by stopping it, then `owner = null, epoch + 1`.
#[test]
fn a_shard_moves_to_its_better_owner() {
    let shard = best(OTHER);
    let mut own = running(shard);
    let out = round(&mut own, at(2), &[(shard, row(Some(ME), 8))], Verdict::Alive);
    assert_eq!(out, [Output::Stop { shard }]);
    let give = write(&own.handle(
        at(3),
        Input::Stopped {
            shard,
            epoch: Epoch(8),
        },
    ));
    assert_eq!(
        (give.owner, give.seen, give.epoch),
        (None, Some(Epoch(8)), Epoch(9))
    );
    assert!(written(&mut own, shard, Cas::Applied).is_empty());
}

/// Rule 3: a shard that ended by itself is claimed again.
#[test]
fn a_failed_shard_is_claimed_again() {
    let shard = best(ME);
    let mut own = running(shard);
    own.handle(
        at(2),
        Input::Stopped {
            shard,
            epoch: Epoch(7),
        },
    );
    assert!(
        round(&mut own, at(2), &[(shard, row(Some(ME), 8))], Verdict::Alive).is_empty(),
        "that was another"
    );
    own.handle(
        at(3),
        Input::Stopped {
            shard,
            epoch: Epoch(8),
        },
    );
    assert_eq!(
        write(&round(
            &mut own,
            at(3),
            &[(shard, row(Some(ME), 8))],
            Verdict::Alive
        ))
        .epoch,
        Epoch(9)
    );
}

/// A drain stops what runs, hands it over if somebody is there, takes nothing, and says when it is done.
#[test]
fn a_drain_gives_everything_away() {
    for hand_over in [true, false] {
        let shard = best(ME);
        let mut own = running(shard);
        assert_eq!(
            own.handle(at(2), Input::Drain { hand_over }),
            [Output::Stop { shard }]
        );
        let out = own.handle(
            at(3),
            Input::Stopped {
                shard,
                epoch: Epoch(8),
            },
        );
        if hand_over {
            assert_eq!(write(&out).owner, None);
            assert!(lost(&mut own, shard).is_empty(), "insists");
            own.handle(own.wake().unwrap(), Input::Tick);
            assert_eq!(written(&mut own, shard, Cas::Applied), [Output::Drained]);
        } else {
            assert_eq!(out, [Output::Drained]);
        }
        assert!(round(&mut own, at(90), &[(shard, row(None, 9))], Verdict::Gone).is_empty());
    }
}

/// A claim that is won during a drain is given back at once.
#[test]
fn a_claim_won_during_a_drain_is_given_back() {
    let shard = best(ME);
    let mut own = held(&[shard]);
    round(&mut own, at(0), &[], Verdict::Alive);
    assert!(own.handle(at(1), Input::Drain { hand_over: true }).is_empty());
    let give = write(&written(&mut own, shard, Cas::Applied));
    assert_eq!((give.owner, give.epoch), (None, Epoch(2)));
}

/// Claims under way are bounded; each answer makes room for the next.
#[test]
fn claims_are_bounded() {
    let shards: Vec<ShardId> = ShardId::all().collect();
    let mut own = held(&shards);
    let rows: Vec<_> = shards.iter().map(|s| (*s, row(Some(ME), 1))).collect();
    let mut out = round(&mut own, at(0), &rows, Verdict::Alive);
    assert_eq!(out.len(), CLAIMS_IN_FLIGHT);
    let mut ran = 0;
    while let Some(output) = out.pop() {
        match output {
            Output::Write(write) => out.extend(written(&mut own, write.shard, Cas::Applied)),
            Output::Run { .. } => ran += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ran, shards.len());
}
