//! Leaving, and what is left.

use super::*;
use crate::events::Audit;
use crate::handle::{self, Handle};
use crate::number::PhoneKey;
use crate::phone::{self, Phone};
use crate::tables::{self, Change as Row};
use crate::waitlist::ticket::{self, Ticket};
use mitalk_cluster::{Target, wire};

const DAYS: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The changes of read tables that it sent.
fn rows(account: &Model<User>) -> Vec<Row> {
    let tables = account
        .sent
        .iter()
        .filter(|row| matches!(row.target, Target::Table(_)));
    tables
        .map(|row| Row::read(&row.payload).expect("a change survives its encoding"))
        .collect()
}

fn profile(account: &Model<User>) -> tables::Profile {
    let last = rows(account).into_iter().rev().find_map(|row| match row {
        Row::Profile(profile) => Some(profile),
        _ => None,
    });
    last.expect("an account has a profile")
}

fn unfollowed(account: &Model<User>) -> Vec<(UserId, UserId)> {
    let follows = rows(account).into_iter().filter_map(|row| match row {
        Row::Follow(follow) if !follow.follows => Some((follow.follower, follow.followee)),
        _ => None,
    });
    follows.collect()
}

fn audits(account: &Model<User>) -> Vec<String> {
    let audits = account.messages::<Audit>().into_iter();
    audits.map(|audit| audit.action).collect()
}

/// Who was told to forget whom.
fn forgets(account: &Model<User>) -> Vec<(String, bool)> {
    let commands = account.commands::<User>().into_iter();
    commands
        .filter_map(|(key, command)| match command {
            Command::Forget { follows, .. } => Some((key, follows)),
            _ => None,
        })
        .collect()
}

/// Delivers what it said to itself last: everything before it has been delivered.
fn delivered(account: &mut Model<User>) -> Option<Page> {
    let (_, command) = account
        .commands::<User>()
        .into_iter()
        .rfind(|(key, _)| *key == user(0).to_string())?;
    let before = account.effects.len();
    account.ask(command).unwrap();
    account.effects[before..].iter().find_map(|effect| match effect {
        Effect::Read(page) => Some(*page),
        _ => None,
    })
}

fn brought(account: &mut Model<User>, page: Page, people: Vec<UserId>) {
    brought_up_to(account, page, people, None);
}

fn brought_up_to(account: &mut Model<User>, page: Page, people: Vec<UserId>, last: Option<UserId>) {
    let step = page.step;
    account.ask(Command::ErasePage { step, people, last }).unwrap();
}

#[test]
fn whoever_changes_their_mind_in_time_keeps_everything() {
    let mut account = active();
    let at = account.now() + DAYS;
    let leave = Command::Leave { after: DAYS };
    account.ask(leave.clone()).unwrap();
    account.advance(Duration::from_secs(60));
    let Ok(Reply::Account(summary)) = account.ask(leave.clone()) else {
        panic!("an account")
    };
    assert_eq!(summary.leaving_at, Some(at), "asked again, the first date stays");

    account.ask(open(1, 1)).unwrap();
    account.ask(Command::Depart).unwrap();
    assert_eq!(
        account.timers().len(),
        1,
        "neither signing in nor an early timer changes that"
    );
    account.ask(Command::Stay).unwrap();
    account.ask(Command::Stay).unwrap();
    account.advance(DAYS);
    account.fire_timers();
    account.ask(Command::Depart).unwrap();
    assert!(account.timers().is_empty() && account.ask(Command::Read).is_ok());
    assert_eq!(
        audits(&account),
        ["account_deletion_asked", "account_deletion_cancelled"]
    );
}

#[test]
fn at_the_date_the_account_is_empty_and_lets_go_of_all_it_had() {
    let mut account = waiting();
    account.ask(Command::Queue).unwrap();
    account
        .ask(Command::TakeTicket {
            home: Home::default(),
            number: 5,
        })
        .unwrap();
    let (invite, inviter) = (invite_id(9), user(9));
    account.ask(Command::Redeem { invite, inviter }).unwrap();
    account.ask(open(1, 1)).unwrap();
    account
        .ask(Command::SetHandle {
            handle: "ada".into(),
            until: account.now() + DAYS,
        })
        .unwrap();
    account.ask(give(1)).unwrap();
    account.ask(give(2)).unwrap();
    account
        .ask(Command::SettleInvite {
            invite: invite_id(2),
            status: Status::Accepted,
            by: Some(user(7)),
        })
        .unwrap();
    account.ask(claim(1, 1)).unwrap();
    account.ask(Command::Leave { after: DAYS }).unwrap();
    account.advance(DAYS);
    account.fire_timers();

    assert_eq!(account.ask(Command::Read), Err(Refusal::NoAccount));
    assert_eq!(account.ask(rotate(1, 1, 2)), Err(Refusal::NoAccount));
    assert_eq!(
        account.ask(sign_up()),
        Err(Refusal::Gone),
        "it does not come back"
    );
    let shown = profile(&account);
    assert!(shown.is_deleted() && shown.erasing && shown.about.name.is_empty());
    assert!(rows(&account).contains(&Row::NoticesGone(tables::NoticesGone { user: user(0) })));
    assert!(account.effects.contains(&Effect::ShutOut(device(1))));
    assert!(account.effects.iter().any(|effect| matches!(
        effect,
        Effect::Evict {
            why: Evicted::ShutOut,
            ..
        }
    )));
    let released = |commands: Vec<(String, phone::Command)>| {
        let is = |(_, command): &(String, phone::Command)| matches!(command, phone::Command::Release { .. });
        commands.iter().any(is)
    };
    assert!(released(account.commands::<Phone>()));
    assert!(matches!(
        account.commands::<Handle>().last(),
        Some((key, handle::Command::Release { .. })) if key == "ada"
    ));
    assert!(matches!(
        account.commands::<Ticket>().last(),
        Some((_, ticket::Command::Forget))
    ));
    assert!(matches!(
        account.commands::<Invite>().last(),
        Some((key, crate::invite::Command::Revoke { .. })) if *key == invite_id(1).to_string()
    ));
    assert_eq!(
        forgets(&account),
        [(user(7).to_string(), false), (inviter.to_string(), false)],
        "its guest, and who invited it"
    );
    let stored = wire::encode(&account.state);
    let number = sign_up_number();
    assert!(
        !String::from_utf8_lossy(&stored).contains(number.as_str()),
        "nothing is stored of it"
    );
}

fn sign_up_number() -> PhoneKey {
    match sign_up() {
        Command::SignUp { phone, .. } => phone,
        _ => panic!("a sign-up"),
    }
}

/// Whatever is lost or repeated on the way.
#[test]
fn follows_go_page_by_page_in_both_directions() {
    let mut account = active();
    account.ask(Command::Purge).unwrap();
    let first = delivered(&mut account).expect("a page is asked for");
    assert_eq!((first.of, first.after), (Whom::Following, None));
    assert_eq!(delivered(&mut account), None, "said again");
    account.advance(Duration::from_secs(60));
    account.fire_timers();
    assert_eq!(
        account.effects.last(),
        Some(&Effect::Read(first)),
        "nobody brought it"
    );

    let followed: Vec<_> = (1..=ERASED_AT_ONCE as u128).map(user).collect();
    brought(&mut account, first, followed.clone());
    let sent = account.sent.len();
    brought(&mut account, first, followed.clone());
    assert_eq!(account.sent.len(), sent, "a page that comes twice counts once");
    assert_eq!(unfollowed(&account).len(), ERASED_AT_ONCE);

    let second = delivered(&mut account).expect("the next page");
    assert_eq!(second.after, followed.last().copied());
    brought_up_to(&mut account, second, vec![], Some(user(300)));
    let second = delivered(&mut account).expect("an empty page that is not the end");
    assert_eq!((second.of, second.after), (Whom::Following, Some(user(300))));
    brought(&mut account, second, vec![]);
    let third = delivered(&mut account).expect("the other direction");
    assert_eq!((third.of, third.after), (Whom::Followers, None));
    brought(&mut account, third, vec![user(500)]);
    assert!(forgets(&account).contains(&(user(500).to_string(), true)));
    assert!(profile(&account).erasing);
    assert_eq!(account.ask(Command::Purge), Ok(Reply::Gone(Gone::Before)));
    let last = delivered(&mut account).expect("behind the last follower");
    brought(&mut account, last, vec![]);
    assert!(!profile(&account).erasing, "all is done");
    assert!(account.timers().is_empty());
    assert_eq!(account.ask(Command::Purge), Ok(Reply::Gone(Gone::Altogether)));
    assert_eq!(audits(&account), ["account_deleted", "account_erased"]);
}

#[test]
fn whoever_meets_the_account_too_late_is_told_to_forget_it() {
    let mut account = active();
    account.ask(Command::Purge).unwrap();
    account.ask(Command::Followed { by: user(4) }).unwrap();
    account
        .ask(Command::SettleInvite {
            invite: invite_id(1),
            status: Status::Accepted,
            by: Some(user(5)),
        })
        .unwrap();
    assert_eq!(
        forgets(&account),
        [(user(4).to_string(), true), (user(5).to_string(), false)]
    );
    let phone = sign_up_number();
    account.ask(Command::HoldsNumber { phone }).unwrap();
    assert!(matches!(
        account.commands::<Phone>().last(),
        Some((_, phone::Command::Release { .. }))
    ));
}

#[test]
fn others_keep_nothing_of_somebody_who_left() {
    let gone = user(9);
    let mut account = waiting();
    let (invite, inviter) = (invite_id(9), gone);
    account.ask(Command::Redeem { invite, inviter }).unwrap();
    account.ask(give(1)).unwrap();
    account
        .ask(Command::SettleInvite {
            invite: invite_id(1),
            status: Status::Accepted,
            by: Some(gone),
        })
        .unwrap();
    account
        .ask(Command::Follow {
            whom: gone,
            follows: true,
            listed: false,
        })
        .unwrap();
    account.ask(Command::Followed { by: gone }).unwrap();
    let forget = Command::Forget {
        whom: gone,
        follows: true,
    };
    account.ask(forget.clone()).unwrap();
    account.ask(forget).unwrap();
    assert_eq!(unfollowed(&account)[0], (user(0), gone));
    assert_eq!(profile(&account).invited_by, None);
    let state = account.state.account.as_ref().unwrap();
    assert!(state.followed_lately.is_empty() && state.followers_lately.is_empty());
    assert_eq!(state.invites[0].accepted_by, None);
}

#[test]
fn an_account_that_holds_its_number_says_nothing() {
    let mut account = active();
    let sent = account.sent.len();
    account
        .ask(Command::HoldsNumber {
            phone: sign_up_number(),
        })
        .unwrap();
    assert_eq!(account.sent.len(), sent);
}

fn to_number(n: u32, account: &Model<User>) -> Command {
    let (secrets, number) = (secrets(), number(n));
    Command::ChangeNumber {
        phone: secrets.phone_key(&number),
        sealed: secrets.seal_number(&number),
        hint: number.hint(),
        until: account.now() + DAYS,
    }
}

#[test]
fn a_new_number_is_confirmed_before_the_old_one_is_let_go() {
    let mut account = active();
    let before = account.commands::<Phone>().len();
    let change = to_number(2, &account);
    account.ask(change.clone()).unwrap();
    account.ask(change).unwrap();
    let (old, new) = (sign_up_number(), secrets().phone_key(&number(2)));
    let sent = account.commands::<Phone>().split_off(before);
    assert!(
        matches!(
            &sent[..],
            [
                (confirmed, phone::Command::Confirm { .. }),
                (_, phone::Command::CameIn { by: None, .. }),
                (released, phone::Command::Release { .. }),
            ] if confirmed == new.as_str() && released == old.as_str()
        ),
        "once, in this order: {sent:?}"
    );
    assert_eq!(audits(&account), ["number_changed"]);

    account.ask(Command::NumberTaken { phone: old }).unwrap();
    assert!(
        account.ask(open(1, 1)).is_ok(),
        "that it is another's by now is no loss"
    );
    account.advance(DAYS);
    let late = to_number(3, &waiting());
    assert_eq!(account.ask(late), Err(Refusal::ClaimOver));
    account.ask(Command::NumberTaken { phone: new }).unwrap();
    assert_eq!(account.ask(open(2, 1)), Err(Refusal::Suspended));
}
