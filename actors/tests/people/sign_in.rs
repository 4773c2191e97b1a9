//! Codes, devices and refresh tokens, through the facade.

use crate::world::{World, caller, limits, stranger, until};
use mitalk_actors::auth::{Error, Verify};
use mitalk_actors::invites::Invitee;
use mitalk_actors::live::Revoked;
use mitalk_actors::person::Standing;
use mitalk_actors::phase::Admits;
use mitalk_actors::ports::{Message, SmsMessage};
use mitalk_actors::testing::{number, number_text};

/// Added to a number, one of another block.
const OTHER_BLOCK: u32 = 10_000;

#[tokio::test(start_paused = true)]
async fn answers_are_the_same_whether_a_number_has_an_account_or_not() {
    let world = World::start().await;
    world.sign_in(1).await;
    let known = world
        .mitalk
        .send_code(&stranger(), &number_text(1))
        .await
        .unwrap();
    let unknown = world
        .mitalk
        .send_code(&stranger(), &number_text(2))
        .await
        .unwrap();
    assert_eq!(known, unknown);
    let wrong = |n| Verify {
        phone: number_text(n),
        code: "x".into(),
        device_name: None,
        invite: None,
    };
    let known = world.mitalk.verify(&stranger(), wrong(1)).await.err();
    let unknown = world.mitalk.verify(&stranger(), wrong(2)).await.err();
    assert_eq!(known, Some(Error::CodeWrong { tries_left: 4 }));
    assert_eq!(known, unknown);
}

#[tokio::test(start_paused = true)]
async fn a_code_is_sent_once_and_another_one_only_after_a_while() {
    let mut limits = limits();
    limits.codes.resend_after_s = 30;
    let world = World::start_with(limits).await;
    world.code(1).await;
    let again = world
        .mitalk
        .send_code(&stranger(), &number_text(1))
        .await
        .unwrap_err();
    let Error::CodeRateLimited { retry_after } = again else {
        panic!("{again:?}")
    };
    tokio::time::sleep(retry_after).await;
    world.code(1).await;
    let world = world.restart().await;
    let sent = world.stores.messages.sent();
    let codes = sent
        .iter()
        .filter(|sent| matches!(sent.message, Message::Code { .. }))
        .count();
    assert_eq!((codes, sent.len()), (2, 2), "a restart sends no code again");
    let error = world.mitalk.send_code(&stranger(), "+49 123").await.unwrap_err();
    assert_eq!((error.code(), error.retry_after()), ("phone_invalid", None));
}

#[tokio::test(start_paused = true)]
async fn an_account_survives_its_node() {
    let world = World::start().await;
    let before = world.active(1).await;
    let world = world.restart().await;
    let after = world.sign_in(1).await;
    assert_eq!(before.user, after.user);
    assert_eq!(world.mitalk.devices(&after).await.unwrap().len(), 2);
    // No content of any row shows the number.
    let content = format!("{:?}", world.stores.memory.content().rows);
    assert!(!content.contains(number(1).e164().trim_start_matches('+')));
}

#[tokio::test(start_paused = true)]
async fn using_an_old_refresh_token_again_signs_the_device_out() {
    let world = World::start().await;
    let code = world.code(1).await;
    let verify = Verify {
        phone: number_text(1),
        code,
        device_name: None,
        invite: None,
    };
    let first = world.mitalk.verify(&stranger(), verify).await.unwrap().verified;
    let second = world
        .mitalk
        .rotate(&stranger(), &first.refresh_token)
        .await
        .unwrap();
    let third = world
        .mitalk
        .rotate(&stranger(), &second.refresh_token)
        .await
        .unwrap();
    assert_eq!((third.user, third.device), (first.user, first.device));

    let guess = third
        .refresh_token
        .replace(&third.refresh_token[60..], &first.refresh_token[60..90]);
    assert_eq!(
        world.mitalk.rotate(&stranger(), &guess).await.err(),
        Some(Error::RefreshInvalid)
    );
    assert_eq!(world.mitalk.revoked(first.user, first.device), None);
    let reused = world.mitalk.rotate(&stranger(), &first.refresh_token).await.err();
    assert_eq!(reused, Some(Error::RefreshReused));
    let revoked = async || world.mitalk.revoked(first.user, first.device);
    assert_eq!(until("the device is shut out", revoked).await, Revoked::Device);
    let newest = world.mitalk.rotate(&stranger(), &third.refresh_token).await.err();
    assert_eq!(newest, Some(Error::RefreshInvalid), "the whole family");
    for text in ["", "a.b.c", "..", &first.refresh_token[..60]] {
        assert_eq!(
            world.mitalk.rotate(&stranger(), text).await.err(),
            Some(Error::RefreshInvalid),
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn devices_are_listed_and_revoked() {
    let world = World::start().await;
    let (first, second) = (world.sign_in(1).await, world.sign_in(1).await);
    let devices = world.mitalk.devices(&second).await.unwrap();
    let shown: Vec<_> = devices.iter().map(|device| (device.id, device.current)).collect();
    assert_eq!(shown, [(second.device, true), (first.device, false)]);
    world.mitalk.revoke(&second, first.device).await.unwrap();
    let again = world.mitalk.revoke(&second, first.device).await;
    assert_eq!(again, Err(Error::DeviceNotFound));
    world.mitalk.sign_out(&second).await.unwrap();
    world.mitalk.sign_out(&second).await.unwrap();
    assert!(world.mitalk.devices(&second).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn asking_in_vain_takes_no_codes_from_others() {
    let mut limits = limits();
    limits.codes.resend_after_s = 30;
    limits.codes.per_block_and_day = 2;
    limits.codes.per_day = 3;
    let world = World::start_with(limits).await;
    let ask = async |n| world.mitalk.send_code(&stranger(), &number_text(n)).await;
    ask(1).await.unwrap();
    for _ in 0..10 {
        let again = ask(1).await.unwrap_err();
        assert!(matches!(again, Error::CodeRateLimited { .. }), "{again}");
    }
    ask(2).await.unwrap();
    let block = ask(3).await.unwrap_err();
    assert!(
        matches!(block, Error::CodeRateLimited { .. }),
        "two of this block were sent"
    );
    // Of another block: what was refused for the block's sake took nothing from the day.
    ask(OTHER_BLOCK).await.unwrap();
    let day = ask(OTHER_BLOCK + 1).await.unwrap_err();
    assert!(
        matches!(day, Error::CodeRateLimited { .. }),
        "three were sent today"
    );
}

#[tokio::test(start_paused = true)]
async fn an_address_pays_for_asking_in_vain() {
    let mut limits = limits();
    limits.codes.resend_after_s = 30;
    limits.codes.per_address_and_hour = 3;
    let world = World::start_with(limits).await;
    for n in [1, 1, 1] {
        let _ = world.mitalk.send_code(&stranger(), &number_text(n)).await;
    }
    let other = world.mitalk.send_code(&stranger(), &number_text(2)).await;
    assert!(matches!(other, Err(Error::CodeRateLimited { .. })), "{other:?}");
}

#[tokio::test(start_paused = true)]
async fn a_code_is_not_lost_to_what_can_not_be_read() {
    let world = World::start().await;
    world.phase(Admits::ClosedTest).await;
    let inviter = world.active(1).await;
    world
        .mitalk
        .invite(&inviter, Invitee::Phone(number_text(2)))
        .await
        .unwrap();
    let invited = |sent: &SmsMessage| matches!(sent.message, Message::Invited { .. });
    let sent = async || world.stores.messages.sent().iter().any(invited).then_some(());
    until("the invite is bound", sent).await;
    let code = world.code(2).await;
    world.stores.tables.set_unreadable(true);
    let verify = Verify {
        phone: number_text(2),
        code,
        device_name: None,
        invite: None,
    };
    let signed_in = world.mitalk.verify(&stranger(), verify).await.unwrap();
    let (verified, me) = (signed_in.verified, signed_in.me);
    assert_eq!((me.profile.id, me.standing), (verified.user, Standing::Active));
    assert_eq!(
        me.profile.invited_by, None,
        "who invited them can not be read now"
    );
    world.stores.tables.set_unreadable(false);
    let me = world.me(&caller(&verified)).await;
    assert_eq!(me.profile.invited_by.map(|by| by.id), Some(inviter.user));
    assert!(
        world
            .mitalk
            .rotate(&stranger(), &verified.refresh_token)
            .await
            .is_ok()
    );
}
