//! Rules 5, 8 and 9, one batch after the other.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

const SHARD: ShardId = ShardId(7);
const MINE: Epoch = Epoch(5);
const WISH: Wish = 4;

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
    let first = write(&list.note(id(1), WISH, &mut rng()));
    assert_eq!((first.epoch, first.previous), (MINE, Some(WriteId(3))));
    assert_eq!(applied(&mut list), [Step::Noted(id(1), WISH)]);
    let second = write(&list.note(id(2), WISH, &mut StdRng::seed_from_u64(2)));
    assert_eq!(second.previous, Some(first.list_id));
    assert_ne!(second.list_id, first.list_id);
}

/// Rule 8: one batch under way, the next carries all that waited meanwhile.
#[test]
fn what_waits_shares_a_batch() {
    let mut list = list(&[1]);
    list.note(id(2), WISH, &mut rng());
    for n in 3..6 {
        assert!(list.note(id(n), WISH, &mut rng()).is_empty());
    }
    assert!(
        list.note(id(2), WISH, &mut rng()).is_empty(),
        "it is in the batch under way"
    );
    assert!(list.remove(id(1), &mut rng()).is_empty());
    let steps = applied(&mut list);
    assert_eq!(steps[0], Step::Noted(id(2), WISH));
    let next = write(&steps[1..]);
    assert_eq!((next.add, next.remove), (vec![id(3), id(4), id(5)], vec![id(1)]));
}

#[test]
fn a_batch_is_bounded() {
    let mut list = list(&[]);
    list.note(id(0), WISH, &mut rng());
    for n in 1..=BATCH + 10 {
        list.note(id(n), WISH, &mut rng());
    }
    let second = write(&applied(&mut list)[1..]);
    assert_eq!(second.add.len(), BATCH);
    let third = write(&applied(&mut list)[BATCH..]);
    assert_eq!(third.add.len(), 10);
}

fn lost() -> Result<Cas<Option<ShardRow>>, StoreError> {
    Err(StoreError::Unknown("of the test".to_owned()))
}

/// Rule 8: an unknown outcome is settled by the identical batch; our own list id means that it was applied.
#[test]
fn an_unknown_batch_is_sent_again_as_it_was() {
    let mut list = list(&[]);
    let first = write(&list.note(id(1), WISH, &mut rng()));
    list.written(BootInstant::default(), lost(), &mut rng());
    let again = list.tick(list.wake().unwrap());
    assert_eq!(write(&again), first);
    // It is under way again: who wishes meanwhile waits for it.
    assert!(list.note(id(1), 6, &mut rng()).is_empty());
    assert!(list.note(id(2), WISH, &mut rng()).is_empty());
    let refused = Ok(Cas::Refused(row(MINE.0, Some(first.list_id))));
    let steps = list.written(BootInstant::default(), refused, &mut rng());
    assert_eq!(steps[0], Step::Noted(id(1), 6));
    assert_eq!(write(&steps[1..]).add, [id(2)]);
}

/// Whoever waits for a note hears at once that the store does not take it, each wish once, also those of the next batch.
#[test]
fn a_store_that_takes_no_note_keeps_nobody_waiting() {
    let full = || StoreError::Full("of the test".to_owned());
    let failed = |n: usize, wish: Wish| Step::NoteFailed(id(n), wish, full());
    let mut list = list(&[]);
    let first = write(&list.note(id(1), 1, &mut rng()));
    list.note(id(2), 2, &mut rng());
    let steps = list.written(BootInstant::default(), Err(full()), &mut rng());
    assert_eq!(steps, [failed(1, 1), failed(2, 2)]);
    // Until it is sent again, that is the answer.
    assert_eq!(list.note(id(1), 3, &mut rng()), [failed(1, 3)]);
    assert_eq!(list.note(id(3), 4, &mut rng()), [failed(3, 4)]);
    assert_eq!(write(&list.tick(list.wake().unwrap())), first);
    assert!(
        list.written(BootInstant::default(), Err(full()), &mut rng())
            .is_empty()
    );
    // Once it is settled nobody wished for it, so it is taken out again (rule 9).
    list.tick(list.wake().unwrap());
    let out = write(&applied(&mut list));
    assert_eq!((out.add, out.remove), (vec![], vec![id(1)]));
    assert!(!list.contains(&id(1)));
    assert!(applied(&mut list).is_empty());
    write(&list.note(id(1), 5, &mut rng()));
    assert_eq!(applied(&mut list), [Step::Noted(id(1), 5)]);
}

/// Rule 4: a refusal that shows anybody else's list stops the shard.
#[test]
fn somebody_elses_list_is_the_end() {
    for other in [row(6, Some(WriteId(4))), row(MINE.0, Some(WriteId(4))), None] {
        let mut list = list(&[]);
        list.note(id(1), WISH, &mut rng());
        let steps = list.written(BootInstant::default(), Ok(Cas::Refused(other)), &mut rng());
        assert_eq!(steps, [Step::Passed]);
    }
}

/// It counts as open only while it is stored for certain: not before its note is confirmed, not from the moment that
/// its removal is asked for.
#[test]
fn an_entity_counts_while_it_is_stored_for_certain() {
    let mut list = list(&[]);
    list.note(id(1), WISH, &mut rng());
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
    assert!(list.note(id(1), WISH, &mut rng()).is_empty());
    let again = write(&applied(&mut list));
    assert_eq!((again.add, again.remove), (vec![id(1)], vec![]));
    assert_eq!(applied(&mut list), [Step::Noted(id(1), WISH)]);
}

/// A removal that waits for its turn is taken back by a note, and a note by a removal.
#[test]
fn the_last_wish_counts() {
    let mut list = list(&[1]);
    list.note(id(9), WISH, &mut rng());
    list.remove(id(1), &mut rng());
    assert_eq!(list.note(id(1), WISH, &mut rng()), [Step::Noted(id(1), WISH)]);
    list.note(id(2), WISH, &mut rng());
    list.remove(id(2), &mut rng());
    assert_eq!(
        applied(&mut list),
        [Step::Noted(id(9), WISH)],
        "nothing is left to write"
    );
}
