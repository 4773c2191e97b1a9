//! Signed-in devices and their secrets.

use super::*;

#[test]
fn reuse_of_an_old_secret_revokes_the_device_and_no_other() {
    let mut account = active();
    account.ask(open(1, 1)).unwrap();
    account.ask(open(2, 50)).unwrap();
    let standing = Standing::Active;
    assert_eq!(account.ask(rotate(1, 1, 2)), Ok(Reply::Device { standing }));
    assert_eq!(account.ask(rotate(1, 2, 3)), Ok(Reply::Device { standing }));
    assert_eq!(
        account.ask(rotate(1, 99, 4)),
        Err(Refusal::RefreshInvalid),
        "a guess signs nobody out"
    );
    assert_eq!(account.ask(rotate(1, 1, 4)), Ok(Reply::Reused));
    assert_eq!(account.effects.last(), Some(&Effect::ShutOut(device(1))));
    assert_eq!(
        account.ask(rotate(1, 3, 4)),
        Err(Refusal::RefreshInvalid),
        "the whole family"
    );
    assert_eq!(account.ask(rotate(2, 50, 51)), Ok(Reply::Device { standing }));
}

#[test]
fn a_lost_answer_to_a_refresh_signs_nobody_out() {
    let device_of = Ok(Reply::Device {
        standing: Standing::Active,
    });
    let mut account = active();
    account.ask(open(1, 1)).unwrap();
    assert_eq!(account.ask(rotate(1, 1, 2)), device_of);
    assert_eq!(account.ask(rotate(1, 1, 3)), device_of, "2 never arrived");
    assert_eq!(account.ask(rotate(1, 1, 4)), device_of, "nor did 3");
    assert_eq!(account.ask(rotate(1, 4, 5)), device_of);
    assert_eq!(
        account.ask(rotate(1, 1, 6)),
        Ok(Reply::Reused),
        "4 was used, so 1 is an old one"
    );

    for lost in [2, 3] {
        let mut account = active();
        account.ask(open(1, 1)).unwrap();
        for next in [2, 3, 4] {
            account.ask(rotate(1, 1, next)).unwrap();
        }
        assert_eq!(
            account.ask(rotate(1, lost, 9)),
            Ok(Reply::Reused),
            "{lost} was replaced: if somebody has it, two parties have the family"
        );
    }
}

#[test]
fn a_device_out_of_use_is_signed_out_and_the_oldest_makes_room() {
    let mut account = active();
    for n in 1..=4 {
        account.ask(open(n, n as u8)).unwrap();
        account.advance(Duration::from_secs(1));
    }
    let Ok(Reply::Devices(devices)) = account.ask(Command::Devices) else {
        panic!("devices")
    };
    let ids: Vec<_> = devices.iter().map(|device| device.id).collect();
    assert_eq!(ids, [device(4), device(3), device(2)]);
    account.advance(Duration::from_secs(3601));
    assert_eq!(account.ask(rotate(2, 2, 9)), Err(Refusal::RefreshInvalid));
}
