//! One of everything that is stored, made by decisions, the same ones every time.

use super::Example;
use crate::events::{Actor, Audit, Invites, Message as _, Notices, Pushes};
use crate::id::{DeviceId, Home, InviteId, RoomId, SocketId, UserId};
use crate::invite::{self, Invitee, Status};
use crate::limits;
use crate::number::{PhoneKey, SealedNumber};
use crate::person::{NoticeKind, Patch};
use crate::phase::{self, Admits};
use crate::phone::{self, Secret};
use crate::room::{self, HandRaising, Limits, Room, Settings, Visibility};
use crate::testing::pure::Model;
use crate::user::{self, Origin, User, push};
use crate::waitlist::{self, block, ticket};
use crate::{fanout, handle, sunset};
use mitalk_cluster::{Entity, Timestamp};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) fn all() -> Vec<Example> {
    let (waiting, active) = (waiting_user(), active_user());
    let (leaving, gone) = (leaving_user(), gone_user());
    let (moved, pushed) = (moved_user(), pushed_user());
    let (phone, handle, invite) = (phone(), handle(), invite());
    let (waitlist, block, ticket) = (waitlist(), block(), ticket());
    let forgotten = forgotten_ticket();
    let (phase, fanout, room) = (phase(), fanout(), room());
    let sunset = sunset();
    vec![
        Example::of("user_waiting", &waiting),
        Example::sent("user_waiting_sent", &waiting.sent),
        Example::of("user", &active),
        Example::sent("user_sent", &active.sent),
        Example::sent("user_moved_sent", &moved.sent),
        Example::of("user_pushed", &pushed),
        Example::sent("user_pushed_sent", &pushed.sent),
        Example::of("user_leaving", &leaving),
        Example::of("user_gone", &gone),
        Example::sent("user_gone_sent", &gone.sent),
        Example::of("phone", &phone),
        Example::sent("phone_sent", &phone.sent),
        Example::of("handle", &handle),
        Example::sent("handle_sent", &handle.sent),
        Example::of("invite", &invite),
        Example::sent("invite_sent", &invite.sent),
        Example::of("waitlist", &waitlist),
        Example::sent("waitlist_sent", &waitlist.sent),
        Example::of("ticket_block", &block),
        Example::sent("ticket_block_sent", &block.sent),
        Example::of("ticket", &ticket),
        Example::sent("ticket_sent", &ticket.sent),
        Example::of("ticket_forgotten", &forgotten),
        Example::of("phase", &phase),
        Example::sent("phase_sent", &phase.sent),
        Example::of("sunset", &sunset),
        Example::sent("sunset_sent", &sunset.sent),
        Example::of("fanout", &fanout),
        Example::of("room", &room),
        Example::sent("room_sent", &room.sent),
        Example::sent("events", &events()),
    ]
}

fn user(n: u128) -> UserId {
    UserId::new(Home::default(), n)
}

fn invite_id(n: u128) -> InviteId {
    InviteId::new(Home::default(), n)
}

fn room_id() -> RoomId {
    RoomId::new(Home::default(), 7)
}

fn key(n: u8) -> PhoneKey {
    PhoneKey::from_hash(&[n; 32])
}

fn sealed() -> SealedNumber {
    SealedNumber {
        kid: "2026-11".into(),
        nonce: [3; 12],
        sealed: vec![4; 29],
    }
}

/// An entity after these commands, a second apart; those that are refused change nothing and are a mistake here.
fn after<E: Entity>(key: &str, commands: Vec<E::Command>) -> Model<E> {
    let mut model = Model::new(key);
    for command in commands {
        if let Err(refusal) = model.ask(command) {
            panic!("{} {key}: {refusal}", E::KIND);
        }
        model.advance(Duration::from_secs(1));
    }
    model
}

fn sign_up() -> user::Command {
    user::Command::SignUp {
        phone: key(1),
        sealed: sealed(),
        hint: "+49 ... 678".into(),
        quota: 2,
        offered: vec![invite_id(1), invite_id(2)],
    }
}

fn waiting_user() -> Model<User> {
    use user::Command as C;
    let home = Home::default();
    after(
        &user(0).to_string(),
        vec![sign_up(), C::Queue, C::TakeTicket { home, number: 5 }],
    )
}

fn active_user() -> Model<User> {
    use user::Command as C;
    let patch = Patch {
        name: Some("Ada".into()),
        headline: Some("Builds bridges".into()),
        company: Some("Bridges Ltd".into()),
        bio: Some("Long ones.".into()),
        topics: Some(vec!["bridges".into()]),
        languages: Some(vec!["en".into()]),
        links: Some(vec!["https://example.org".into()]),
        offering: Some("advice".into()),
        looking_for: Some("steel".into()),
        shown_as_inviter: Some(false),
    };
    let device = |n| DeviceId::new(Home::default(), n);
    let give = |n| C::Invite {
        id: invite_id(n),
        invitee: Invitee::Number {
            phone: key(9),
            sealed: sealed(),
        },
        hint: Some("+49 ... 999".into()),
        lifetime: HOUR,
        most: 10,
    };
    let home = Home::default();
    let mut commands = vec![
        sign_up(),
        C::Queue,
        C::TakeTicket { home, number: 5 },
        C::Redeem {
            invite: invite_id(1),
            inviter: user(8),
        },
        C::OpenDevice {
            device: device(1),
            name: "phone".into(),
            hash: [1; 32],
            most: 3,
        },
        C::Rotate {
            device: device(1),
            presented: [1; 32],
            next: [2; 32],
            idle: HOUR,
        },
        C::Describe {
            patch: Box::new(patch),
        },
        C::SetHandle {
            handle: "ada".into(),
            until: Timestamp(u64::MAX),
        },
        give(3),
        give(4),
        C::SettleInvite {
            invite: invite_id(3),
            status: Status::Accepted,
            by: Some(user(6)),
        },
        C::Follow {
            whom: user(5),
            follows: true,
            listed: false,
        },
        C::Followed { by: user(6) },
        C::TakePart { room: room_id() },
        C::ReadNotices { up_to: 1 },
        C::Suspend { suspended: true },
        C::Suspend { suspended: false },
        C::OpenDevice {
            device: device(1),
            name: "phone".into(),
            hash: [1; 32],
            most: 3,
        },
        C::Attach {
            socket: user::SocketAt {
                node: mitalk_cluster::NodeId::new("one"),
                socket: SocketId::new(home, 1),
                device: device(1),
            },
            most: 3,
            again: true,
        },
    ];
    let (room, title, by) = (room_id(), String::from("Bridges"), user(5));
    let notices = [
        NoticeKind::StageInvitation {
            room,
            title: title.clone(),
            by,
        },
        NoticeKind::Pinged {
            room,
            title: title.clone(),
            by,
        },
        NoticeKind::RoomStarted { room, title, by },
    ];
    commands.extend(notices.into_iter().zip(1..).map(|(what, n)| C::Notify {
        what,
        origin: Origin(n),
    }));
    after(&user(0).to_string(), commands)
}

fn moved_user() -> Model<User> {
    let change = user::Command::ChangeNumber {
        phone: key(2),
        sealed: sealed(),
        hint: "+49 ... 679".into(),
        until: Timestamp(u64::MAX),
    };
    let admit = user::Command::Admit {
        how: user::Admitted::Open,
    };
    after(&user(0).to_string(), vec![sign_up(), admit, change])
}

/// Pushed to, in quiet hours by then, and with a push that is to be tried again.
fn pushed_user() -> Model<User> {
    use user::Command as C;
    let device = DeviceId::new(Home::default(), 1);
    let missed = push::Later {
        from_seq: 1,
        up_to_seq: 1,
        at: Timestamp(0),
        tries: 1,
        tag: Some("user/a/1".into()),
    };
    let settings = push::Settings {
        off: vec![push::Kind::RoomStarted],
        quiet: Some(push::Quiet {
            from: 0,
            to: 1_439,
            zone: "Europe/Rome".into(),
        }),
    };
    after(
        &user(0).to_string(),
        vec![
            sign_up(),
            C::Admit {
                how: user::Admitted::Open,
            },
            C::OpenDevice {
                device,
                name: "phone".into(),
                hash: [1; 32],
                most: 3,
            },
            C::Subscribe {
                device,
                to: Box::new(push::Subscription {
                    endpoint: "https://push.example.org/1".into(),
                    p256dh: vec![4; push::P256DH_BYTES],
                    auth: vec![5; push::AUTH_BYTES],
                    language: "en".into(),
                    made_for: 6,
                }),
            },
            C::Followed { by: user(6) },
            C::PushLater {
                device,
                missed,
                wait: Duration::ZERO,
            },
            C::SetNoticeSettings { settings },
            C::Followed { by: user(7) },
        ],
    )
}

fn leaving_user() -> Model<User> {
    let leave = user::Command::Leave { after: HOUR };
    after(&user(0).to_string(), vec![sign_up(), leave])
}

/// One of each that the deletion of an account sends.
fn gone_user() -> Model<User> {
    use user::Command as C;
    let home = Home::default();
    let settle = |n, by| C::SettleInvite {
        invite: invite_id(n),
        status: Status::Accepted,
        by: Some(user(by)),
    };
    let commands = vec![
        sign_up(),
        C::Queue,
        C::TakeTicket { home, number: 5 },
        C::Admit {
            how: user::Admitted::Ticket,
        },
        C::SetHandle {
            handle: "ada".into(),
            until: Timestamp(u64::MAX),
        },
        C::Invite {
            id: invite_id(3),
            invitee: Invitee::Link,
            hint: None,
            lifetime: HOUR,
            most: 10,
        },
        C::Purge,
        C::Erase { step: 1 },
        C::ErasePage {
            step: 1,
            people: vec![user(2)],
            last: None,
        },
        C::Erase { step: 2 },
        settle(3, 6),
    ];
    after(&user(0).to_string(), commands)
}

fn phone() -> Model<phone::Phone> {
    use phone::Command as C;
    let limits = limits::Codes::default();
    let verify = |hash| C::Verify {
        hashes: vec![[hash; 32]],
        candidate: user(1),
        claim_for: HOUR,
        limits: limits.clone(),
    };
    let send = || C::SendCode {
        code: Secret("123456".into()),
        hash: [1; 32],
        number: sealed(),
        language: None,
        limits: limits::Codes {
            resend_after_s: 0,
            ..limits.clone()
        },
    };
    let (first, second) = (invite_id(1), invite_id(2));
    let commands = vec![
        C::Bind { invite: first },
        send(),
        verify(9),
        verify(1),
        C::Confirm { by: user(1) },
        C::Bind { invite: second },
        send(),
        verify(9),
    ];
    after(key(1).as_str(), commands)
}

fn handle() -> Model<handle::Handle> {
    let until = Timestamp(u64::MAX);
    let commands = vec![
        handle::Command::Claim { by: user(1), until },
        handle::Command::Confirm { by: user(1) },
    ];
    after("ada", commands)
}

fn invite() -> Model<invite::Invite> {
    let create = invite::Command::Create {
        id: invite_id(1),
        inviter: user(1),
        invitee: Invitee::Number {
            phone: key(1),
            sealed: sealed(),
        },
        expires_at: Timestamp(u64::MAX / 2),
    };
    let by = user(2);
    let commands = vec![
        create,
        invite::Command::Accept { by },
        invite::Command::Settle { by, kept: true },
    ];
    after(&invite_id(1).to_string(), commands)
}

fn waitlist() -> Model<waitlist::Waitlist> {
    use waitlist::Command as C;
    let commands = vec![
        C::Hold {
            change: 1,
            shut: false,
        },
        C::Take { user: user(1) },
        C::Take { user: user(2) },
        C::SetRate { per_hour: 3_600 },
        C::AdmitNext { count: 1 },
        C::RateDue,
    ];
    after(Home::default().as_str(), commands)
}

fn block() -> Model<block::Block> {
    use block::Command as C;
    let commands = vec![
        C::Fill { ticket: 1 },
        C::Fill { ticket: 2 },
        C::Fill { ticket: 3 },
        C::Leave { ticket: 2 },
        C::Call { call: 1, count: 1 },
    ];
    after(&waitlist::key(Home::default().as_str(), 0), commands)
}

fn ticket() -> Model<ticket::Ticket> {
    let issue = ticket::Command::Issue {
        number: 1,
        user: user(1),
    };
    let commands = vec![issue, ticket::Command::Call];
    after(&waitlist::key(Home::default().as_str(), 1), commands)
}

fn forgotten_ticket() -> Model<ticket::Ticket> {
    let issue = ticket::Command::Issue {
        number: 1,
        user: user(1),
    };
    let commands = vec![issue, ticket::Command::Forget, ticket::Command::Call];
    after(&waitlist::key(Home::default().as_str(), 1), commands)
}

fn phase() -> Model<phase::Phase> {
    let set = |admits| phase::Command::Set {
        admits,
        homes: vec![Home::default()],
    };
    let commands = vec![
        set(Admits::ClosedTest),
        set(Admits::Employees),
        set(Admits::Open),
        phase::Command::RecordAllowList {
            action: "allow_list_imported".into(),
            count: 3,
        },
        phase::Command::RecordDeadLetter {
            action: "dead_letter_retried".into(),
            letter: "inviter:mitalk.notices.v1:user/aa/7".into(),
        },
    ];
    after(phase::KEY, commands)
}

fn fanout() -> Model<fanout::Fanout> {
    let commands = vec![
        fanout::Command::Start {
            room: room_id(),
            by: user(1),
            origin: Origin(1),
        },
        fanout::Command::Told {
            after: None,
            last: Some(user(2)),
        },
    ];
    after(&room_id().to_string(), commands)
}

fn sunset() -> Model<sunset::Sunset> {
    use sunset::Command as C;
    let mut model = Model::new(sunset::KEY);
    let at = model.now() + HOUR;
    let ask = |model: &mut Model<sunset::Sunset>, command| {
        model.ask(command).expect("nothing is refused here");
    };
    ask(&mut model, C::Set { at });
    ask(&mut model, C::Cancel);
    ask(&mut model, C::Set { at });
    model.advance(HOUR);
    ask(&mut model, C::Begin);
    let (pass, after, last) = (1, None, Some(user(2)));
    ask(
        &mut model,
        C::Purged {
            pass,
            after,
            last,
            deleted: 1,
            left: 1,
        },
    );
    model
}

fn room() -> Model<Room> {
    use room::Command as C;
    let by = user(1);
    let settings = Settings {
        title: "Bridges".into(),
        topics: vec!["steel".into()],
        language: Some("en".into()),
        visibility: Visibility::Closed,
        hand_raising: HandRaising::Everyone,
    };
    let limits = Limits::from(&limits::Rooms::default());
    let mut commands = vec![
        C::Open {
            room: room_id(),
            by,
            settings,
            limits,
        },
        C::RenewLink { by, old: 0 },
        C::Ping { by, user: user(9) },
        C::Ban { by, user: user(8) },
    ];
    commands.extend((2..=4).map(|n| C::RaiseHand {
        user: user(n),
        followed: false,
    }));
    commands.extend((2..=3).map(|n| C::AnswerHand {
        by,
        user: user(n),
        accept: true,
    }));
    let speaker = user(2);
    commands.extend([
        C::AnswerInvitation {
            user: speaker,
            accept: true,
        },
        C::Unmute { user: speaker },
    ]);
    after(&room_id().to_string(), commands)
}

fn events() -> Vec<mitalk_cluster::Outgoing> {
    let (invite, by, room, to) = (invite_id(1), user(1), room_id(), user(2));
    let invites = [
        Invites::Created {
            invite,
            by,
            to_number: true,
        },
        Invites::Accepted { invite, by },
        Invites::Revoked { invite },
        Invites::Expired { invite },
        Invites::GivenBack { invite },
    ];
    let notices = [
        Notices::Admitted { user: to },
        Notices::StageInvitation { to, room, by },
        Notices::Pinged { to, room, by },
        Notices::RoomStarted { by, room },
    ];
    let pushes = [
        (None, None),
        (
            Some(DeviceId::new(Home::default(), 1)),
            Some("user/a/1".to_owned()),
        ),
    ];
    let pushes = pushes.map(|(device, tag)| Pushes::Due {
        to,
        from_seq: 2,
        up_to_seq: 3,
        device,
        tag,
        tries: 4,
    });
    let audits = [Actor::Operator, Actor::User(by), Actor::Service].map(|by| {
        let audit = Audit::new(by, "room_banned").room(room).user(to);
        Audit {
            invite: Some(invite),
            ..audit.count(3).value("open")
        }
    });
    let invites = invites.iter().map(|message| message.outgoing());
    let notices = notices.iter().map(|message| message.outgoing());
    let pushes = pushes.iter().map(|message| message.outgoing());
    let audits = audits.iter().map(|message| message.outgoing());
    invites.chain(notices).chain(pushes).chain(audits).collect()
}
