use super::*;
use crate::id::Home;
use crate::testing::pure::Model;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn user(n: u128) -> UserId {
    UserId::new(Home::default(), n)
}

fn actions(sunset: &Model<Sunset>) -> Vec<String> {
    let audits = sunset.messages::<Audit>().into_iter();
    audits.map(|audit| audit.action).collect()
}

/// Reports the page that was asked for last.
fn report(sunset: &mut Model<Sunset>, last: Option<UserId>, deleted: u64, left: u64) -> Reply {
    let Effect { pass, after } = *sunset.effects.last().expect("a page was asked for");
    let report = Command::Purged {
        pass,
        after,
        last,
        deleted,
        left,
    };
    sunset.ask(report).unwrap()
}

#[test]
fn a_date_can_be_set_moved_and_taken_back_until_it_has_come() {
    let mut sunset = Model::<Sunset>::new(KEY);
    let at = sunset.now() + DAY;
    assert_eq!(sunset.ask(Command::Set { at: sunset.now() }), Err(Refusal::Past));
    sunset.ask(Command::Set { at }).unwrap();
    sunset.ask(Command::Set { at }).unwrap();
    sunset.ask(Command::Cancel).unwrap();
    assert!(sunset.timers().is_empty());
    sunset.ask(Command::Set { at: at + DAY }).unwrap();
    assert_eq!(actions(&sunset), ["sunset_set", "sunset_cancelled", "sunset_set"]);
    sunset.advance(DAY);
    sunset.ask(Command::Begin).unwrap();
    assert!(sunset.effects.is_empty(), "too early");
    sunset.advance(DAY);
    assert_eq!(sunset.ask(Command::Cancel), Err(Refusal::Begun));
    sunset.fire_timers();
    assert_eq!(
        sunset.ask(Command::Set {
            at: at + DAY + DAY + DAY
        }),
        Err(Refusal::Begun)
    );
    assert_eq!(sunset.effects, [Effect { pass: 1, after: None }]);
}

#[test]
fn passes_go_on_until_two_in_a_row_find_nobody() {
    let mut sunset = Model::<Sunset>::new(KEY);
    let at = sunset.now() + DAY;
    sunset.ask(Command::Set { at }).unwrap();
    sunset.advance(DAY);
    sunset.fire_timers();
    sunset.advance(AGAIN);
    sunset.fire_timers();
    assert_eq!(
        sunset.effects.len(),
        2,
        "a page that nobody reported is asked for again"
    );
    report(&mut sunset, Some(user(7)), 3, 3);
    let page = sunset.effects.len();
    let late = Command::Purged {
        pass: 1,
        after: None,
        last: Some(user(7)),
        deleted: 3,
        left: 3,
    };
    sunset.ask(late).unwrap();
    assert_eq!(sunset.effects.len(), page, "said twice");
    let mut found = report(&mut sunset, None, 0, 0);
    for left in [1, 0, 1, 0] {
        assert_eq!(found.purge.unwrap().done_at, None);
        sunset.advance(APART);
        sunset.fire_timers();
        found = report(&mut sunset, None, 0, left);
    }
    sunset.advance(APART);
    sunset.fire_timers();
    let purge = report(&mut sunset, None, 0, 0).purge.unwrap();
    assert_eq!((purge.deleted, purge.left, purge.clean), (3, 0, CLEAN_PASSES));
    assert!(purge.done_at.is_some() && sunset.timers().is_empty());
    assert_eq!(actions(&sunset), ["sunset_set", "sunset_begun", "sunset_purged"]);
}
