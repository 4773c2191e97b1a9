//! Rules 5, 8 and 9, one batch after the other.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

const SHARD: ShardId = ShardId(7);
const MINE: Epoch = Epoch(5);

fn id(n: usize) -> EntityId {
    EntityId::new("toy", &format!("{n:04}"))
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

fn list(entries: &[usize]) -> OpenList {
    let entries = entries.iter().map(|n| id(*n)).collect();
    OpenList::inherited(SHARD, MINE, Some(WriteId(3)), entries)
}

fn write(steps: &[Step]) -> ListWrite {
    match steps {
        [Step::Write(write)] => write.clone(),
        other => panic!("no write alone: {other:?}"),
    }
}

fn applied(list: &mut OpenList) -> Vec<Step> {
    list.written(BootInstant::default(), Ok(Cas::Applied), &mut rng())
}

fn row(epoch: u64, list_id: Option<WriteId>) -> Option<ShardRow> {
    Some(ShardRow {
        owner: None,
        incarnation: 1,
        epoch: Epoch(epoch),
        list_id,
    })
}

/// Rule 5: what was inherited must be fenced, from the first moment.
#[test]
fn what_was_inherited_is_in_the_list() {
    let list = list(&[1]);
    assert!(list.contains(&id(1)) && !list.contains(&id(2)));
}

/// Rule 8: `IF epoch = mine AND list_id = previous`, a fresh id with each batch.
#[test]
fn batches_form_a_chain() {
    let mut list = list(&[]);
    let first = write(&list.note(id(1), &mut rng()));
    assert_eq!((first.epoch, first.previous), (MINE, Some(WriteId(3))));
    assert_eq!(applied(&mut list), [Step::Noted(id(1))]);
    let second = write(&list.note(id(2), &mut StdRng::seed_from_u64(2)));
    assert_eq!(second.previous, Some(first.list_id));
    assert_ne!(second.list_id, first.list_id);
}

/// Rule 8: one batch under way, the next carries all that waited meanwhile.
#[test]
fn what_waits_shares_a_batch() {
    let mut list = list(&[1]);
    list.note(id(2), &mut rng());
    for n in 3..6 {
        assert!(list.note(id(n), &mut rng()).is_empty());
    }
    assert!(
        list.note(id(2), &mut rng()).is_empty(),
        "it is in the batch under way"
    );
    assert!(list.remove(id(1), &mut rng()).is_empty());
    let steps = applied(&mut list);
    assert_eq!(steps[0], Step::Noted(id(2)));
    let next = write(&steps[1..]);
    assert_eq!((next.add, next.remove), (vec![id(3), id(4), id(5)], vec![id(1)]));
}

#[test]
fn a_batch_is_bounded() {
    let mut list = list(&[]);
    list.note(id(0), &mut rng());
    for n in 1..=BATCH + 10 {
        list.note(id(n), &mut rng());
    }
    let second = write(&applied(&mut list)[1..]);
    assert_eq!(second.add.len(), BATCH);
    let third = write(&applied(&mut list)[BATCH..]);
    assert_eq!(third.add.len(), 10);
}

/// Rule 8: an unknown outcome is settled by the identical batch; our own list id means that it was applied.
#[test]
fn an_unknown_batch_is_sent_again_as_it_was() {
    let mut list = list(&[]);
    let first = write(&list.note(id(1), &mut rng()));
    let lost = Err(StoreError::Unknown("of the test".to_owned()));
    assert!(list.written(BootInstant::default(), lost, &mut rng()).is_empty());
    assert!(list.note(id(2), &mut rng()).is_empty(), "it is still under way");
    let again = list.tick(list.wake().unwrap());
    assert_eq!(write(&again), first);
    let refused = Ok(Cas::Refused(row(MINE.0, Some(first.list_id))));
    let steps = list.written(BootInstant::default(), refused, &mut rng());
    assert_eq!(steps[0], Step::Noted(id(1)));
    assert_eq!(write(&steps[1..]).add, [id(2)]);
}

/// Rule 4: a refusal that shows anybody else's list stops the shard.
#[test]
fn somebody_elses_list_is_the_end() {
    for other in [row(6, Some(WriteId(4))), row(MINE.0, Some(WriteId(4))), None] {
        let mut list = list(&[]);
        list.note(id(1), &mut rng());
        let steps = list.written(BootInstant::default(), Ok(Cas::Refused(other)), &mut rng());
        assert_eq!(steps, [Step::Passed]);
    }
}

/// It counts as open only while it is stored for certain: not before its note is confirmed, not from the moment that
/// its removal is asked for.
#[test]
fn an_entity_counts_while_it_is_stored_for_certain() {
    let mut list = list(&[]);
    list.note(id(1), &mut rng());
    assert!(!list.contains(&id(1)));
    applied(&mut list);
    assert!(list.contains(&id(1)));
    write(&list.remove(id(1), &mut rng()));
    assert!(!list.contains(&id(1)), "the removal may have landed");
    applied(&mut list);
    assert!(!list.contains(&id(1)));
}

/// Rule 9: who leaves and wants to commit again is noted again, after the removal.
#[test]
fn a_note_during_a_removal_comes_after_it() {
    let mut list = list(&[1]);
    write(&list.remove(id(1), &mut rng()));
    assert!(list.note(id(1), &mut rng()).is_empty());
    let again = write(&applied(&mut list));
    assert_eq!((again.add, again.remove), (vec![id(1)], vec![]));
    assert_eq!(applied(&mut list), [Step::Noted(id(1))]);
}

/// A removal that waits for its turn is taken back by a note, and a note by a removal.
#[test]
fn the_last_wish_counts() {
    let mut list = list(&[1]);
    list.note(id(9), &mut rng());
    list.remove(id(1), &mut rng());
    assert_eq!(list.note(id(1), &mut rng()), [Step::Noted(id(1))]);
    list.note(id(2), &mut rng());
    list.remove(id(2), &mut rng());
    assert_eq!(
        applied(&mut list),
        [Step::Noted(id(9))],
        "nothing is left to write"
    );
}
