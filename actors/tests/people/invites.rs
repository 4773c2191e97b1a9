//! Invites by number and by link, quota, races, expiry, through the facade.

use crate::world::{World, call, keyed, limits, stranger, until};
use futures::future::join_all;
use mitalk_actors::events::{self, Message as _};
use mitalk_actors::id::{Home, InviteId, UserId};
use mitalk_actors::invite::{self, Invite, Status};
use mitalk_actors::invites::{Error, Invitee};
use mitalk_actors::person::{NoticeKind, Standing};
use mitalk_actors::phase::Admits;
use mitalk_actors::ports::{Message, SmsMessage};
use mitalk_actors::testing::pure::Model;
use mitalk_actors::testing::{number, number_text, secrets};
use mitalk_actors::{Caller, account};
use mitalk_cluster::store::{EntityStore, Event, EventLog as _};
use mitalk_cluster::testing::first;
use mitalk_cluster::{Entity as _, EntityId, Trace};
use std::sync::Arc;
use std::time::Duration;

fn to(n: u32) -> Invitee {
    Invitee::Phone(number_text(n))
}

async fn link(world: &World, caller: &Caller) -> String {
    world
        .mitalk
        .invite(caller, Invitee::Link)
        .await
        .unwrap()
        .link_code
        .unwrap()
}

async fn statuses(world: &World, caller: &Caller) -> (Vec<Status>, u32) {
    let invites = world.mitalk.invites(caller).await.unwrap();
    (
        invites.invites.into_iter().map(|invite| invite.status).collect(),
        invites.left,
    )
}

async fn shows(world: &World, caller: &Caller, expected: (Vec<Status>, u32)) {
    let same = async || (statuses(world, caller).await == expected).then_some(());
    until(&format!("invites are {expected:?}"), same).await;
}

async fn closed_test() -> (World, Caller) {
    let world = World::start().await;
    world.phase(Admits::ClosedTest).await;
    let inviter = world.active(1).await;
    (world, inviter)
}

#[tokio::test(start_paused = true)]
async fn an_invited_number_skips_the_queue() {
    let (world, inviter) = closed_test().await;
    let name = account::Patch {
        name: Some("Ada".into()),
        ..account::Patch::default()
    };
    world.mitalk.patch_profile(&inviter, name).await.unwrap();
    let invite = world.mitalk.invite(&inviter, to(2)).await.unwrap();
    assert_eq!(
        (invite.phone_hint.unwrap().as_str(), invite.link_code),
        ("+49 ... 002", None)
    );

    let to_two = |sent: &SmsMessage| sent.to == number(2) && matches!(sent.message, Message::Invited { .. });
    let told = async || world.stores.messages.sent().into_iter().find(to_two);
    let message = until("the number is told", told).await;
    let Message::Invited { by: Some(by) } = &message.message else {
        panic!("{message:?}")
    };
    assert_eq!(by.name, "Ada");
    assert!(
        message.key.0.contains(&invite.id.to_string()),
        "the event's id is the key"
    );

    let invitee = world.sign_in(2).await;
    assert_eq!(invitee.standing, Standing::Active);
    let me = world.me(&invitee).await;
    assert_eq!(
        (me.profile.invited_by.map(|by| by.name), me.ticket),
        (Some("Ada".into()), None)
    );
    shows(&world, &inviter, (vec![Status::Accepted], 1)).await;
    let notices = world.mitalk.notices(&inviter, None, 10).await.unwrap().items;
    assert!(matches!(&notices[0].what, NoticeKind::InviteAccepted { person } if person.id == invitee.user));

    let world = world.restart().await;
    shows(&world, &inviter, (vec![Status::Accepted], 1)).await;
    assert_eq!(
        world
            .stores
            .messages
            .sent()
            .iter()
            .filter(|sent| to_two(sent))
            .count(),
        1
    );
    // "Invited by" can be switched off by the inviter.
    let hidden = account::Patch {
        shown_as_inviter: Some(false),
        ..account::Patch::default()
    };
    world.mitalk.patch_profile(&inviter, hidden).await.unwrap();
    let gone = async || {
        world
            .me(&invitee)
            .await
            .profile
            .invited_by
            .is_none()
            .then_some(())
    };
    until("not shown any more", gone).await;
}

#[tokio::test(start_paused = true)]
async fn a_link_brings_one_person_in() {
    let (world, inviter) = closed_test().await;
    let code = link(&world, &inviter).await;
    let preview = world.mitalk.preview_invite(&stranger(), &code).await.unwrap();
    assert_eq!(
        (preview.status, preview.by.map(|by| by.id)),
        (Status::Pending, Some(inviter.user))
    );
    let first = world.sign_in_with(2, Some(&code)).await.unwrap();
    assert_eq!(first.standing, Standing::Active);
    let second = world.sign_in_with(3, Some(&code)).await.unwrap();
    assert_eq!(
        second.standing,
        Standing::Waiting,
        "single use; the sign-up goes on"
    );
    assert_eq!(
        world.mitalk.accept_invite(&second, &code).await,
        Err(Error::InviteNotPending)
    );
    assert_eq!(
        world.mitalk.accept_invite(&inviter, &code).await,
        Err(Error::AlreadyActive)
    );

    let other = link(&world, &inviter).await;
    assert_eq!(
        world
            .mitalk
            .accept_invite(&second, &other)
            .await
            .unwrap()
            .standing,
        Standing::Active
    );
    // Both are given, and two people who came in by them earn one more.
    shows(&world, &inviter, (vec![Status::Accepted, Status::Accepted], 1)).await;
    let again = world.mitalk.accept_invite(&second, &other).await.unwrap();
    assert_eq!(
        again.standing,
        Standing::Active,
        "asked again after a lost answer"
    );
    world.mitalk.invite(&inviter, Invitee::Link).await.unwrap();
    let used_up = world.mitalk.invite(&inviter, Invitee::Link).await;
    assert_eq!(used_up, Err(Error::InviteQuotaUsedUp));
    assert_eq!(world.mitalk.grant_invites(call(), inviter.user, 3).await, Ok(3));

    let forged = format!("{}{}", &other[..24], "A".repeat(16));
    for code in ["", "x", &other[..24], forged.as_str()] {
        let error = world.mitalk.preview_invite(&stranger(), code).await.unwrap_err();
        assert_eq!(error, Error::InviteNotFound, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_who_accept_a_link_at_once_one_wins() {
    let (world, inviter) = closed_test().await;
    let code = link(&world, &inviter).await;
    let mut people = vec![];
    for n in 10..30 {
        people.push(world.sign_in(n).await);
    }
    let accepted = join_all(
        people
            .iter()
            .map(|caller| world.mitalk.accept_invite(caller, &code)),
    )
    .await;
    let won = accepted.iter().filter(|result| result.is_ok()).count();
    assert_eq!(won, 1, "{accepted:?}");
    shows(&world, &inviter, (vec![Status::Accepted], 1)).await;
    for (caller, result) in people.iter().zip(&accepted) {
        assert_eq!(
            world.me(caller).await.standing == Standing::Active,
            result.is_ok()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_invites_for_a_number_the_other_is_given_back() {
    let (world, inviter) = closed_test().await;
    let other = world.active(5).await;
    world.mitalk.invite(&inviter, to(2)).await.unwrap();
    world.mitalk.invite(&other, to(2)).await.unwrap();
    let both = async || {
        let sent = world.stores.messages.sent();
        (sent
            .iter()
            .filter(|sent| matches!(sent.message, Message::Invited { .. }))
            .count()
            == 2)
            .then_some(())
    };
    until("both wait for the number", both).await;
    let invitee = world.sign_in(2).await;
    let by = world.me(&invitee).await.profile.invited_by.unwrap().id;
    let (kept, back) = if by == inviter.user {
        (&inviter, &other)
    } else {
        (&other, &inviter)
    };
    shows(&world, kept, (vec![Status::Accepted], 1)).await;
    shows(&world, back, (vec![Status::GivenBack], 2)).await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_spends_once() {
    let (world, inviter) = closed_test().await;
    let keyed = keyed(&inviter, 9);
    let given = join_all((0..8).map(|_| world.mitalk.invite(&keyed, to(2)))).await;
    let first = given[0].as_ref().unwrap().clone();
    assert!(
        given.iter().all(|given| given.as_ref() == Ok(&first)),
        "{given:?}"
    );
    let world = world.restart().await;
    assert_eq!(
        world.mitalk.invite(&keyed, to(2)).await.unwrap(),
        first,
        "also after a restart"
    );
    shows(&world, &inviter, (vec![Status::Pending], 1)).await;
    let invited = |sent: &SmsMessage| matches!(sent.message, Message::Invited { .. });
    until("told", async || {
        world.stores.messages.sent().iter().any(invited).then_some(())
    })
    .await;
    assert_eq!(
        world
            .stores
            .messages
            .sent()
            .iter()
            .filter(|sent| invited(sent))
            .count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_revoked_invite_comes_back_and_lets_nobody_in() {
    let (world, inviter) = closed_test().await;
    let stranger_to_it = world.active(5).await;
    let invite = world.mitalk.invite(&inviter, to(2)).await.unwrap();
    let not_theirs = world.mitalk.revoke_invite(&stranger_to_it, invite.id).await;
    assert_eq!(not_theirs, Err(Error::InviteNotFound));
    world.mitalk.revoke_invite(&inviter, invite.id).await.unwrap();
    assert_eq!(
        statuses(&world, &inviter).await,
        (vec![Status::Revoked], 2),
        "at once"
    );
    assert_eq!(world.sign_in(2).await.standing, Standing::Waiting);
    shows(&world, &inviter, (vec![Status::Revoked], 2)).await;
}

#[tokio::test(start_paused = true)]
async fn an_invite_expires_by_a_durable_timer() {
    let mut limits = limits();
    limits.invites.lifetime_s = 120;
    let world = World::start_with(limits).await;
    world.phase(Admits::ClosedTest).await;
    let inviter = world.active(1).await;
    let code = link(&world, &inviter).await;
    let before = world.now();
    let world = world.restart().await;
    shows(&world, &inviter, (vec![Status::Expired], 2)).await;
    assert!(world.now().since(before).as_secs() >= 119);
    assert_eq!(
        world.sign_in_with(2, Some(&code)).await.unwrap().standing,
        Standing::Waiting
    );
}

#[tokio::test(start_paused = true)]
async fn an_invite_counts_when_the_phase_lets_it() {
    let world = World::start().await;
    let inviter = world.active(1).await;
    let code = link(&world, &inviter).await;
    let invitee = world.sign_in_with(2, Some(&code)).await.unwrap();
    assert_eq!(invitee.standing, Standing::Waiting, "employees only");
    assert_eq!(
        world.mitalk.accept_invite(&invitee, &code).await,
        Err(Error::InvitesNotYet)
    );
    world.phase(Admits::ClosedTest).await;
    assert_eq!(world.me(&invitee).await.standing, Standing::Active);
    shows(&world, &inviter, (vec![Status::Accepted], 1)).await;
}

#[tokio::test(start_paused = true)]
async fn somebody_who_waits_comes_in_when_their_number_is_invited() {
    let (world, inviter) = closed_test().await;
    let waiting = world.sign_in(2).await;
    assert_eq!(waiting.standing, Standing::Waiting);
    assert_eq!(
        world.mitalk.invite(&waiting, Invitee::Link).await,
        Err(Error::NotActive)
    );
    world.mitalk.invite(&inviter, to(2)).await.unwrap();
    let active = async || (world.me(&waiting).await.standing == Standing::Active).then_some(());
    until("active", active).await;
    shows(&world, &inviter, (vec![Status::Accepted], 1)).await;
    // An invite for somebody who is in tells its giver nothing, and the number neither.
    let messages = world.stores.messages.sent().len();
    world.mitalk.invite(&inviter, to(2)).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(
        statuses(&world, &inviter).await,
        (vec![Status::Pending, Status::Accepted], 0)
    );
    assert_eq!(world.stores.messages.sent().len(), messages);
}

#[tokio::test(start_paused = true)]
async fn a_number_that_enough_people_invited_costs_nobody_an_invite() {
    let (world, _) = closed_test().await;
    for n in 10..18 {
        let inviter = world.active(n).await;
        world.mitalk.invite(&keyed(&inviter, 1), to(2)).await.unwrap();
    }
    let late = world.active(18).await;
    let invited = |sent: &&SmsMessage| matches!(sent.message, Message::Invited { .. });
    let texts = async || (world.stores.messages.sent().iter().filter(invited).count() == 8).then_some(());
    until("all of them wait", texts).await;
    let refused = world.mitalk.invite(&keyed(&late, 1), to(2)).await;
    assert_eq!(refused, Err(Error::NumberInvitedEnough));
    assert_eq!(statuses(&world, &late).await.1, 2, "nothing is spent");
    let last = world.sign_in(17).await;
    let again = world.mitalk.invite(&keyed(&last, 1), to(2)).await;
    assert!(again.is_ok(), "a repeat of one that waits: {again:?}");
    assert!(world.mitalk.invite(&late, to(3)).await.is_ok());
}

/// What the event log gets does not wait for what other entities get: the event may be dealt with first.
#[tokio::test(start_paused = true)]
async fn an_invite_is_told_to_a_number_that_has_not_heard_of_it() {
    let world = World::start().await;
    let (inviter, id) = (UserId::new(Home::default(), 1), InviteId::new(Home::default(), 2));
    let keys = secrets();
    let create = invite::Command::Create {
        id,
        inviter,
        invitee: invite::Invitee::Number {
            phone: keys.phone_key(&number(1)),
            sealed: keys.seal_number(&number(1)),
        },
        expires_at: world.now() + Duration::from_secs(60),
    };
    // Its row, but nothing of its outbox.
    let mut model = Model::<Invite>::new(&id.to_string());
    model.ask(create).unwrap();
    let row = first::<Invite>(&id.to_string(), model.state);
    EntityStore::write(&world.stores.memory, Arc::new(row))
        .await
        .unwrap();
    let created = events::Invites::Created {
        invite: id,
        by: inviter,
        to_number: true,
    };
    let event = Event {
        source: EntityId::new(Invite::KIND, &id.to_string()),
        sequence: 2,
        at: world.now(),
        payload: created.outgoing().payload,
        trace: Trace::default(),
    };
    world.stores.log.append(events::INVITES, &event).await.unwrap();
    let told = async || {
        let sent = world.stores.messages.sent();
        let told =
            |sent: &SmsMessage| matches!(sent.message, Message::Invited { .. }) && sent.to == number(1);
        sent.iter().any(told).then_some(())
    };
    until("the text", told).await;
}
