//! Limits, and the size of what is stored.

use super::home::{Home, user};
use crate::room::*;
use mitalk_cluster::STATE_BYTES;

#[test]
fn limits_hold() {
    let limits = Limits {
        stage: 2,
        hands: 1,
        invitations: 1,
        bans: 1,
        pings: 1,
        ..Limits::default()
    };
    let mut home = Home::opened(limits);
    home.raise(2).unwrap();
    assert_eq!(home.raise(3), Err(Refusal::HandsFull));
    home.ask(Command::InviteToStage {
        by: user(1),
        user: user(4),
    })
    .unwrap();
    let another = Command::InviteToStage {
        by: user(1),
        user: user(5),
    };
    assert_eq!(home.ask(another.clone()), Err(Refusal::InvitationsFull));
    home.ask(Command::AnswerInvitation {
        user: user(4),
        accept: true,
    })
    .unwrap();
    home.ask(another).unwrap();
    assert_eq!(
        home.ask(Command::AnswerInvitation {
            user: user(5),
            accept: true
        }),
        Err(Refusal::StageFull)
    );
    assert!(
        home.scene().invitation(user(5)).is_some(),
        "the invitation waits for a free place"
    );
    home.ask(Command::Ban {
        by: user(1),
        user: user(6),
    })
    .unwrap();
    assert_eq!(
        home.ask(Command::Ban {
            by: user(1),
            user: user(7)
        }),
        Err(Refusal::BansFull)
    );
    home.ask(Command::Ping {
        by: user(2),
        user: user(8),
    })
    .unwrap();
    assert_eq!(
        home.ask(Command::Ping {
            by: user(2),
            user: user(9)
        }),
        Err(Refusal::PingsFull)
    );
}

#[test]
fn nobody_who_was_asked_in_makes_room_for_others() {
    let mut home = Home::opened(Limits::default());
    let ping = |n: usize| Command::Ping {
        by: user(1 + n as u128 / 50),
        user: user(1_000 + n as u128),
    };
    for n in 0..limits::MAX_PINGS {
        home.ask(ping(n)).unwrap();
    }
    assert_eq!(home.ask(ping(limits::MAX_PINGS)), Err(Refusal::PingsFull));
    assert!(home.ask(ping(0)).is_ok(), "a repeat");
    assert!(home.scene().was_pinged(user(1_000)), "the first stays asked in");
    let another = Command::Ping {
        by: user(1),
        user: user(999),
    };
    assert_eq!(home.ask(another), Err(Refusal::PingsFull));
}

#[test]
fn the_fullest_room_fits_its_row() {
    let limits = Limits {
        title: limits::MAX_CHARACTERS,
        topics: limits::MAX_TOPICS,
        topic: limits::MAX_CHARACTERS,
        stage: limits::MAX_STAGE,
        hands: limits::MAX_HANDS,
        invitations: limits::MAX_INVITATIONS,
        bans: limits::MAX_BANS,
        pings: limits::MAX_PINGS,
        ..Limits::default()
    };
    assert_eq!(limits.validate(), Ok(()));
    let mut home = Home::opened(limits.clone());
    // The most bytes that are taken for a character.
    let wide = "\u{1F1E9}\u{1F1EA}".repeat(limits::MAX_CHARACTERS);
    let patch = Patch {
        title: Some(wide.clone()),
        topics: Some(vec![wide; limits.topics]),
        ..Patch::default()
    };
    home.ask(Command::Amend { by: user(1), patch }).unwrap();
    let huge = |n: usize| u128::MAX - n as u128;
    for n in 0..limits.stage - 1 {
        home.stage(huge(n));
    }
    for n in 0..limits.invitations {
        home.ask(Command::InviteToStage {
            by: user(1),
            user: user(huge(1_000 + n)),
        })
        .unwrap();
    }
    for n in 0..limits.hands {
        home.raise(huge(2_000 + n)).unwrap();
    }
    for n in 0..limits.bans {
        home.ask(Command::Ban {
            by: user(1),
            user: user(huge(3_000 + n)),
        })
        .unwrap();
    }
    for n in 0..limits.pings {
        home.ask(Command::Ping {
            by: user(1),
            user: user(huge(4_000 + n)),
        })
        .unwrap();
    }
    let bytes = mitalk_cluster::wire::encode(&home.state).len();
    println!("the fullest room has {bytes} of {STATE_BYTES} bytes");
    assert!(bytes < STATE_BYTES);
}

#[test]
fn a_limit_that_cannot_be_kept_is_named() {
    let wrong = Limits {
        hands: limits::MAX_HANDS + 1,
        ..Limits::default()
    };
    assert_eq!(wrong.validate().unwrap_err().field, "hands");
    let text = Limits {
        bans: 0,
        ..Limits::default()
    }
    .validate()
    .unwrap_err()
    .to_string();
    assert!(text.contains("limits.rooms.bans is 0"), "{text}");
}
