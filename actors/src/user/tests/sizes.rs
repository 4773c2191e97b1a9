//! Every part of an account at its bound.

use super::*;

#[test]
fn the_largest_account_fits_into_its_row() {
    let mut account = active();
    let limits = crate::limits::Limits::default();
    let profile = &limits.profile;
    let text = |chars: usize| "\u{10348}".repeat(chars);
    let patch = Patch {
        name: Some(text(profile.name_chars)),
        headline: Some(text(profile.headline_chars)),
        company: Some(text(profile.company_chars)),
        bio: Some(text(profile.bio_chars)),
        topics: Some(vec![text(profile.topic_chars); profile.topics]),
        languages: Some(vec!["x".repeat(35); profile.languages]),
        links: Some(vec!["x".repeat(profile.link_chars); profile.links]),
        offering: Some(text(profile.line_chars)),
        looking_for: Some(text(profile.line_chars)),
        shown_as_inviter: Some(true),
    };
    account
        .ask(Command::Describe {
            patch: Box::new(patch),
        })
        .unwrap();
    let most = limits.invites.remembered;
    for n in 0..most as u128 {
        account.ask(Command::GrantInvites { count: 1, most: 50 }).unwrap();
        let lifetime = Duration::from_secs(3600);
        let hint = Some("+1234 ... 678".into());
        let give = Command::Invite {
            id: invite_id(n),
            invitee: Invitee::Link,
            hint,
            lifetime,
            most,
        };
        account.ask(give).unwrap();
        let by = Some(user(n));
        account
            .ask(Command::SettleInvite {
                invite: invite_id(n),
                status: Status::Accepted,
                by,
            })
            .unwrap();
    }
    for n in 0..10 {
        let name = text(limits.devices.name_chars);
        account
            .ask(Command::OpenDevice {
                device: device(n),
                name,
                hash: [255; 32],
                most: 10,
            })
            .unwrap();
        account.ask(push::largest_subscription(n)).unwrap();
        for _ in 0..TOKEN_HISTORY {
            // Equal hashes would be reuse: they are folded directly.
            let rotated = Event::Device(devices::Change::Rotated {
                id: device(n),
                hash: [255; 32],
                at: account.now(),
            });
            User::fold(&mut account.state, &rotated);
        }
    }
    for n in 0..200u128 {
        account
            .ask(Command::Follow {
                whom: user(n + 1),
                follows: true,
                listed: false,
            })
            .unwrap();
        account.ask(Command::Followed { by: user(n + 1) }).unwrap();
    }
    // The most bytes that a room takes for a character.
    let settings = crate::room::Settings {
        title: "\u{1F1E9}\u{1F1EA}".repeat(limits.rooms.title_chars),
        ..crate::room::Settings::default()
    };
    let title = settings.checked(&crate::room::Limits::default()).unwrap().title;
    for n in 0..KEPT_NOTICES as u64 {
        let (room, title) = (RoomId::new(Home::default(), 1), title.clone());
        let what = NoticeKind::StageInvitation {
            room,
            title,
            by: user(1),
        };
        account
            .ask(Command::Notify {
                what,
                origin: Origin(u64::MAX - n),
            })
            .unwrap();
    }
    for n in 0..10 {
        account.ask(push::largest_retry(n)).unwrap();
    }
    account.ask(push::largest_settings()).unwrap();
    account.state.account.as_mut().unwrap().part = earning::tests::largest();
    account.ask(take_part(1)).unwrap();
    // The model asserts the bound with every command; this is how close it is.
    println!(
        "the largest account has {} bytes",
        mitalk_cluster::wire::encode(&account.state).len()
    );
    let before = account.sent.len();
    account.ask(Command::Purge).unwrap();
    let rows = account.sent.len() - before;
    assert!(rows <= ROWS_PER_DECISION, "its deletion sends {rows} rows");
}

#[test]
fn what_is_remembered_of_a_grant_is_small() {
    let mut account = active();
    let (count, most) = (3, 50);
    let reply = account.ask(Command::GrantInvites { count, most }).unwrap();
    assert_eq!(reply, Reply::InvitesLeft(5));
    assert!(mitalk_cluster::wire::encode(&reply).len() < 32);
}
