//! The suite of the read tables, both of their sides: [`ReadTables`] and [`Reads`].

use super::{event, user};
use crate::id::{DeviceId, Home, RoomId, UserId};
use crate::person::{About, Notice, NoticeKind, Standing};
use crate::ports::{BlockCount, FollowCounts, PeoplePage, Reads, Seen};
use crate::room::{HandRaising, Settings, Version, Visibility};
use crate::rooms::Card;
use crate::tables::{
    BLOCK_BYTES, Change, Follow, Handle, LiveRoom, NoticeOf, NoticesGone, Profile, SHUT_OUT_KEPT, ShutOut,
    TicketBlock,
};
use mitalk_cluster::store::{ReadTables, StoreError};
use mitalk_cluster::testing::contract::ask;
use mitalk_cluster::{Target, Timestamp};

/// More than there is.
const ALL: usize = 1_000;

/// The whole suite, over empty tables.
pub async fn tables(tables: &(impl ReadTables + Reads)) {
    profiles(tables).await;
    people(tables).await;
    handles(tables).await;
    follows(tables).await;
    seen(tables).await;
    follow_pages(tables).await;
    notices(tables).await;
    ticket_blocks(tables).await;
    live_rooms(tables).await;
    shut_out(tables).await;
    what_cannot_be_read_is_refused(tables).await;
}

async fn profiles(tables: &(impl ReadTables + Reads)) {
    assert_eq!(ask(async || tables.profiles(&[user(1)]).await).await, []);
    put(tables, 1, &Change::Profile(profile(1, "First"))).await;
    put(tables, 3, &Change::Profile(profile(1, "Third"))).await;
    put(tables, 2, &Change::Profile(profile(1, "Second, late"))).await;
    put(tables, 3, &Change::Profile(profile(1, "Third"))).await;
    put(tables, 1, &Change::Profile(profile(2, "Other"))).await;
    let mut found = ask(async || tables.profiles(&[user(2), user(9), user(1)]).await).await;
    found.sort_by_key(|profile| profile.user);
    assert_eq!(
        found,
        [profile(1, "Third"), profile(2, "Other")],
        "the newest of each; unknown people are left out"
    );
}

/// Each once, in whatever order; nobody of whom nothing is left.
async fn people(tables: &(impl ReadTables + Reads)) {
    let gone = |n, erasing| {
        Change::Profile(Profile {
            standing: Standing::Deleted,
            erasing,
            ..profile(n, "")
        })
    };
    for n in 201..=230 {
        put(tables, 1, &Change::Profile(profile(n, "Here"))).await;
    }
    put(tables, 2, &gone(203, true)).await;
    for n in 205..=215 {
        put(tables, 3, &gone(n, false)).await;
    }
    put(tables, 1, &Change::Profile(profile(205, "Late"))).await;
    let mut found: Vec<UserId> = Vec::new();
    let mut after = None;
    loop {
        let page = ask(async || tables.people(after, 4).await).await;
        assert!(page.people.len() <= 4, "a page is not larger than asked for");
        found.extend(page.people);
        match page.last {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    found.sort_unstable();
    let expected: Vec<_> = (201..=230)
        .filter(|n| !(205..=215).contains(n))
        .map(user)
        .collect();
    found.retain(|user| expected[0] <= *user);
    assert_eq!(found, expected);
}

async fn handles(tables: &(impl ReadTables + Reads)) {
    let of = |owner: Option<UserId>| {
        Change::Handle(Handle {
            handle: "ada".into(),
            user: owner,
        })
    };
    assert_eq!(ask(async || tables.handle("ada").await).await, None);
    put(tables, 1, &of(Some(user(1)))).await;
    assert_eq!(ask(async || tables.handle("ada").await).await, Some(user(1)));
    put(tables, 2, &of(None)).await;
    put(tables, 1, &of(Some(user(1)))).await;
    assert_eq!(
        ask(async || tables.handle("ada").await).await,
        None,
        "a repeat does not bring a removal back"
    );
    put(tables, 3, &of(Some(user(2)))).await;
    assert_eq!(ask(async || tables.handle("ada").await).await, Some(user(2)));
    assert_eq!(ask(async || tables.handle("Ada").await).await, None);
}

async fn follows(tables: &(impl ReadTables + Reads)) {
    let (a, b, c) = (user(11), user(12), user(13));
    put(tables, 1, &follow(a, b, true)).await;
    put(tables, 1, &follow(a, b, true)).await;
    put(tables, 2, &follow(a, c, true)).await;
    put(tables, 1, &follow(c, b, true)).await;
    assert_eq!(counts(tables, b).await, (2, 0), "a repeat counts once");
    assert_eq!(counts(tables, a).await, (0, 2));
    assert_eq!(
        ask(async || tables.followed_among(a, &[c, user(19), b]).await).await,
        [c, b],
        "in their order"
    );
    assert!(ask(async || tables.followed_by_any(b, &[user(19), c]).await).await);
    assert!(
        !ask(async || tables.followed_by_any(a, &[b, c]).await).await,
        "following is one way"
    );

    put(tables, 3, &follow(a, b, false)).await;
    put(tables, 1, &follow(a, b, true)).await;
    put(tables, 3, &follow(a, b, false)).await;
    assert_eq!(
        counts(tables, b).await,
        (1, 0),
        "unfollowed once, and a late repeat does not follow again"
    );
    assert_eq!(counts(tables, a).await, (0, 1));
    let page = PeoplePage {
        people: vec![c],
        last: None,
    };
    assert_eq!(ask(async || tables.followers(b, None, ALL).await).await, page);
    assert_eq!(ask(async || tables.following(a, None, ALL).await).await, page);
    put(tables, 4, &follow(a, b, true)).await;
    assert_eq!(counts(tables, b).await, (2, 0), "and again");
    put(tables, 9, &follow(user(14), user(15), false)).await;
    assert_eq!(
        counts(tables, user(15)).await,
        (0, 0),
        "what never was is not subtracted"
    );
}

async fn seen(tables: &(impl ReadTables + Reads)) {
    let (star, fan, other) = (user(41), user(42), user(43));
    assert_eq!(ask(async || tables.seen(star, fan).await).await, None);
    put(tables, 1, &Change::Profile(profile(41, "Star"))).await;
    put(tables, 1, &follow(fan, star, true)).await;
    put(tables, 1, &follow(star, other, true)).await;
    let by = async |who| {
        ask(async || tables.seen(star, who).await)
            .await
            .expect("a profile")
    };
    let counts = FollowCounts {
        followers: 1,
        following: 1,
    };
    for (who, followed, follows_you) in [(fan, true, false), (other, false, true), (star, false, false)] {
        let expected = Seen {
            profile: profile(41, "Star"),
            counts,
            followed,
            follows_you,
        };
        assert_eq!(by(who).await, expected);
    }
}

async fn follow_pages(tables: &(impl ReadTables + Reads)) {
    let (star, fan) = (user(100), user(150));
    for n in (101..=125).rev() {
        put(tables, 1, &follow(user(n), star, true)).await;
        put(tables, 1, &follow(fan, user(n), true)).await;
    }
    // So many side by side that a store may give a page without anybody.
    for n in 103..=118 {
        put(tables, 2, &follow(user(n), star, false)).await;
        put(tables, 2, &follow(fan, user(n), false)).await;
    }
    // Ids begin at random bits, and stores may divide them by those.
    let far: Vec<_> = (1..=3).map(|n| UserId::new(Home::default(), n << 123)).collect();
    for person in &far {
        put(tables, 1, &follow(*person, star, true)).await;
        put(tables, 1, &follow(fan, *person, true)).await;
    }
    let near = [101, 102].into_iter().chain(119..=125).map(user);
    let expected: Vec<_> = near.chain(far).collect();
    let followers = all_pages(async |after| tables.followers(star, after, 7).await).await;
    assert_eq!(followers, expected, "by id, without a gap or a repeat");
    let following = all_pages(async |after| tables.following(fan, after, 7).await).await;
    assert_eq!(following, expected, "the same for whom somebody follows");
    assert_eq!(counts(tables, star).await, (12, 0));
    assert_eq!(counts(tables, fan).await, (0, 12));
}

/// Everybody of a list that is read by pages of seven.
async fn all_pages(read: impl AsyncFn(Option<UserId>) -> Result<PeoplePage, StoreError>) -> Vec<UserId> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = ask(async || read(after).await).await;
        assert!(page.people.len() <= 7, "a page is not larger than asked for");
        found.extend(page.people);
        if page.last.is_none() {
            return found;
        }
        assert!(page.last > after, "the next page is behind this one");
        after = page.last;
    }
}

async fn notices(tables: &(impl ReadTables + Reads)) {
    let notice = |seq| Notice {
        seq,
        at: Timestamp(seq),
        what: NoticeKind::NewFollower { person: user(2) },
    };
    let of = |seq| {
        Change::Notice(NoticeOf {
            user: user(1),
            notice: notice(seq),
        })
    };
    for seq in 1..=5 {
        put(tables, 10 + seq, &of(seq)).await;
    }
    put(tables, 12, &of(2)).await;
    let read = async |before, limit| ask(async || tables.notices(user(1), before, limit).await).await;
    assert_eq!(
        read(u64::MAX, ALL).await,
        [5, 4, 3, 2, 1].map(notice),
        "newest first, each once"
    );
    assert_eq!(
        read(4, 2).await,
        [3, 2].map(notice),
        "below the cursor, at most the limit"
    );
    assert_eq!(read(1, ALL).await, []);
    assert_eq!(
        ask(async || tables.notices(user(2), u64::MAX, ALL).await).await,
        [],
        "nobody else's"
    );
    let other = NoticeOf {
        user: user(3),
        notice: notice(1),
    };
    put(tables, 11, &Change::Notice(other)).await;
    let gone = Change::NoticesGone(NoticesGone { user: user(1) });
    put(tables, 20, &gone).await;
    assert_eq!(
        read(u64::MAX, ALL).await,
        [],
        "of somebody who left there are none"
    );
    put(tables, 15, &of(5)).await;
    put(tables, 20, &gone).await;
    assert_eq!(
        read(u64::MAX, ALL).await,
        [],
        "a late repeat does not bring one back"
    );
    let others = ask(async || tables.notices(user(3), u64::MAX, ALL).await).await;
    assert_eq!(others, [notice(1)], "and nobody else's are gone");
}

async fn ticket_blocks(tables: &(impl ReadTables + Reads)) {
    let home = Home::default();
    assert_eq!(ask(async || tables.block_counts(home).await).await, []);
    put(tables, 1, &Change::TicketBlock(block(0, 8))).await;
    put(tables, 1, &Change::TicketBlock(block(300, 3))).await;
    put(tables, 1, &Change::TicketBlock(block(2, 5))).await;
    put(tables, 3, &Change::TicketBlock(block(0, 6))).await;
    put(tables, 2, &Change::TicketBlock(block(0, 7))).await;
    let counts = [(0, 6), (2, 5), (300, 3)].map(|(block, waiting)| BlockCount { block, waiting });
    assert_eq!(
        ask(async || tables.block_counts(home).await).await,
        counts,
        "by block, the newest of each"
    );
    assert_eq!(ask(async || tables.block(home, 0).await).await, Some(block(0, 6)));
    assert_eq!(ask(async || tables.block(home, 1).await).await, None);
    let other = "zz".parse().expect("two letters");
    assert_eq!(
        ask(async || tables.block_counts(other).await).await,
        [],
        "waitlists do not mix"
    );
}

async fn live_rooms(tables: &(impl ReadTables + Reads)) {
    let live = |n| Change::LiveRoom(LiveRoom::Put(Box::new(card(n, "now"))));
    for n in [4, 2, 3, 1] {
        put(tables, 1, &live(n)).await;
    }
    put(tables, 3, &Change::LiveRoom(LiveRoom::Remove { room: room(3) })).await;
    put(tables, 2, &live(3)).await;
    put(
        tables,
        2,
        &Change::LiveRoom(LiveRoom::Put(Box::new(card(2, "later")))),
    )
    .await;
    assert_eq!(
        ask(async || tables.live_room(room(1)).await).await,
        Some(card(1, "now"))
    );
    assert_eq!(
        ask(async || tables.live_room(room(3)).await).await,
        None,
        "a late change does not open it again"
    );
    let page = async |after, limit| ask(async || tables.live_rooms(after, limit).await).await;
    assert_eq!(page(None, 2).await, [card(1, "now"), card(2, "later")], "by id");
    assert_eq!(
        page(Some(room(2)), ALL).await,
        [card(4, "now")],
        "after the cursor, without those that ended"
    );
}

async fn shut_out(tables: &(impl ReadTables + Reads)) {
    let start = 1_800_000_000_000;
    let row = |n, device: Option<u128>, shut_out, at| ShutOut {
        user: user(n),
        device: device.map(|bits| DeviceId::new(Home::default(), bits)),
        shut_out,
        at: Timestamp(start + at),
    };
    let read =
        async |since, limit| ask(async || tables.shut_out(Timestamp(start + since), limit).await).await;
    assert_eq!(read(0, ALL).await, []);
    let (device, account) = (row(1, Some(7), true, 1), row(1, None, true, 2));
    put(tables, 1, &Change::ShutOut(device)).await;
    put(tables, 2, &Change::ShutOut(account)).await;
    put(tables, 2, &Change::ShutOut(row(2, None, true, 3))).await;
    assert_eq!(
        read(0, ALL).await,
        [row(2, None, true, 3), account, device],
        "newest first"
    );
    assert_eq!(
        read(2, ALL).await,
        [row(2, None, true, 3), account],
        "since a time"
    );
    assert_eq!(read(0, 1).await, [row(2, None, true, 3)], "at most the limit");
    put(tables, 3, &Change::ShutOut(row(2, None, false, 4))).await;
    put(tables, 2, &Change::ShutOut(row(2, None, true, 3))).await;
    assert_eq!(
        read(3, ALL).await,
        [row(2, None, false, 4)],
        "a late repeat shuts nobody out who was let in again"
    );
    let in_another_hour = 61 * 60 * 1_000;
    let again = row(2, None, true, in_another_hour);
    put(tables, 4, &Change::ShutOut(again)).await;
    put(tables, 3, &Change::ShutOut(row(2, None, false, 4))).await;
    assert_eq!(read(0, 1).await, [again], "once, as it was decided last");
    assert_eq!(read(0, ALL).await, [again, account, device]);
    let late = u64::try_from(SHUT_OUT_KEPT.as_millis()).expect("hours") + 2;
    put(tables, 1, &Change::ShutOut(row(3, None, true, late))).await;
    assert_eq!(
        read(0, ALL).await,
        [row(3, None, true, late), again],
        "old rows are gone"
    );
}

/// A poison change is said to be one, so that the relay can put it aside; it is never skipped.
async fn what_cannot_be_read_is_refused(tables: &(impl ReadTables + Reads)) {
    let poison = event("user", "poison", 1, &[0xc1]);
    let misplaced = event("user", "poison", 2, &payload(&Change::Profile(profile(1, "x"))));
    for poison in [
        ("profile", poison.clone()),
        ("no such table", poison),
        ("handle", misplaced),
    ] {
        let answer = loop {
            match tables.apply(poison.0, &poison.1).await {
                Err(StoreError::Unknown(_) | StoreError::Unavailable(_)) => tokio::task::yield_now().await,
                answer => break answer,
            }
        };
        assert!(matches!(answer, Err(StoreError::Corrupt(_))), "{answer:?}");
    }
}

/// Applies a change as the relay does, as the `sequence`-th row of its entity.
async fn put(tables: &impl ReadTables, sequence: u64, change: &Change) {
    let event = event("writer", change.table(), sequence, &payload(change));
    ask(async || tables.apply(change.table(), &event).await).await;
}

fn payload(change: &Change) -> Vec<u8> {
    let outgoing = change.outgoing();
    assert_eq!(outgoing.target, Target::Table(change.table().into()));
    outgoing.payload
}

async fn counts(tables: &impl Reads, of: UserId) -> (u64, u64) {
    let FollowCounts { followers, following } = ask(async || tables.follow_counts(of).await).await;
    (followers, following)
}

fn follow(follower: UserId, followee: UserId, follows: bool) -> Change {
    Change::Follow(Follow {
        follower,
        followee,
        follows,
    })
}

fn profile(n: u64, name: &str) -> Profile {
    Profile {
        user: user(n),
        standing: Standing::Active,
        handle: Some(format!("user{n}")),
        about: About {
            name: name.into(),
            ..About::default()
        },
        invited_by: None,
        shown_as_inviter: true,
        erasing: false,
    }
}

fn block(block: u32, waiting: u32) -> TicketBlock {
    let mut bitmap = vec![0; BLOCK_BYTES];
    for ticket in 0..waiting as usize {
        bitmap[ticket / 8] |= 1 << (ticket % 8);
    }
    TicketBlock {
        home: Home::default(),
        block,
        waiting,
        bitmap,
    }
}

fn room(n: u64) -> RoomId {
    RoomId::new(Home::default(), u128::from(n))
}

fn card(n: u64, title: &str) -> Card {
    let settings = Settings {
        title: title.into(),
        topics: vec!["rust".into()],
        language: Some("en".into()),
        visibility: Visibility::Open,
        hand_raising: HandRaising::Everyone,
    };
    Card {
        room: room(n),
        version: Version::default(),
        settings,
        moderators: vec![user(1)],
        speakers: vec![user(2), user(3)],
        pinged: vec![],
        audience: 12,
        started: Timestamp(1_800_000_000_000),
    }
}
