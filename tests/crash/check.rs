//! What must hold after all the kills: everything acknowledged is there, once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use mitalk::client::{Client, Error};
use mitalk::wire::invites::InviteStatus;
use mitalk::wire::people::{NoticeKind, Standing};
use mitalk_tests::push::Browser;
use tokio::time::sleep;

use crate::world::World;

/// Until then everything owed has been delivered, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks at everything that is owed: each opens the database or reads the topics, and a dozen runs do so at a
/// time.
const LOOK_AT_ALL: Duration = Duration::from_millis(100);
/// More than anybody has.
const ALL: usize = 100;

/// What the script was told.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Numbers registered.
    pub(crate) allowed: u64,
    /// People called from the head of the waitlist.
    pub(crate) called: u64,
    /// Everybody who signed up.
    pub(crate) people: Vec<Person>,
    /// Who invited whom.
    pub(crate) invites: Vec<Invited>,
    /// Handles and whose they are.
    pub(crate) handles: Vec<(String, String)>,
    /// Who is followed once, and the token of the follower.
    pub(crate) followed: Vec<(String, String)>,
    /// Rooms, and the token of who opened them.
    pub(crate) rooms: Vec<(String, String)>,
    /// Where the first person of a round is pushed to, and with which keys.
    pub(crate) pushed: Vec<(String, Browser)>,
}

impl Ledger {
    /// Something was acknowledged, so something can be lost.
    pub(crate) fn has_begun(&self) -> bool {
        self.allowed > 0
    }

    /// About half a round is acknowledged.
    pub(crate) fn is_under_way(&self) -> bool {
        !self.handles.is_empty()
    }
}

/// Somebody who signed up and became active.
pub(crate) struct Person {
    pub(crate) user: String,
    pub(crate) token: String,
    pub(crate) phone: String,
    /// Came from the waitlist, if that is known: who did is told once, by notice and by text.
    pub(crate) waited: Option<bool>,
    /// Told once by text that they are invited.
    pub(crate) invited_by_text: bool,
}

/// Somebody with two invites, both accepted.
pub(crate) struct Invited {
    pub(crate) by: String,
    pub(crate) token: String,
    pub(crate) accepted_by: [String; 2],
}

/// Waits until nothing is owed any more: outboxes empty, consumers at the end, rooms without people ended.
pub(crate) async fn settled(world: &mut World) -> Result<()> {
    let begun = Instant::now();
    loop {
        // A question also starts a server again that died meanwhile.
        let rooms = world
            .insist("rooms", async |to| to.admin.rooms().await)
            .await?
            .rooms;
        let owed = world.owed().await?;
        if rooms.is_empty() && owed.is_none() {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            bail!(
                "still owed after {PATIENCE:?}: {} rooms live, {owed:?}",
                rooms.len()
            );
        }
        sleep(LOOK_AT_ALL).await;
    }
}

/// Every line of the ledger against what the service shows now.
pub(crate) async fn everything_once(world: &mut World) -> Result<()> {
    waitlist_and_allow_list(world).await?;
    people(world).await?;
    invites(world).await?;
    handles_and_follows(world).await?;
    rooms(world).await?;
    pushes(world)?;
    world.texts.no_unkeyed_repeat()
}

/// Who was followed was pushed it, and what came twice is the very same under its tag.
fn pushes(world: &World) -> Result<()> {
    for (name, browser) in &world.ledger.pushed {
        let seen = world.push.seen(name);
        ensure!(!seen.is_empty(), "nothing was pushed to {name}");
        let mut by_tag = BTreeMap::new();
        for said in seen.iter().map(|message| message.said(browser)) {
            let before = by_tag
                .entry(said["tag"].to_string())
                .or_insert_with(|| said.clone());
            ensure!(*before == said, "one tag for two pushes: {before} and {said}");
        }
    }
    Ok(())
}

async fn waitlist_and_allow_list(world: &mut World) -> Result<()> {
    let allowed = world
        .insist("count", async |to| to.admin.count_allowed().await)
        .await?;
    ensure!(
        allowed.registered == world.ledger.allowed,
        "{allowed:?} of {} numbers",
        world.ledger.allowed
    );
    let waitlist = world
        .insist("waitlist", async |to| to.admin.waitlist().await)
        .await?;
    ensure!(
        waitlist.waiting == 0 && waitlist.owed == 0,
        "nobody should wait: {waitlist:?}"
    );
    ensure!(
        waitlist.admitted == world.ledger.called,
        "{waitlist:?}, but {} were called",
        world.ledger.called
    );
    Ok(())
}

async fn people(world: &mut World) -> Result<()> {
    let people = std::mem::take(&mut world.ledger.people);
    let users: BTreeSet<_> = people.iter().map(|person| &person.user).collect();
    ensure!(users.len() == people.len(), "two numbers share an account");
    for person in &people {
        let Person { user, phone, .. } = person;
        let account = world
            .insist("account", async |to| to.admin.account(phone).await)
            .await?;
        ensure!(
            &account.me.id == user,
            "{phone} had the account {user} and has {}",
            account.me.id
        );
        ensure!(
            account.me.standing == Standing::Active,
            "{user} is {:?}",
            account.me.standing
        );

        let as_them = async |app: &Client| app.signed_in(&person.token).notices(None, Some(ALL)).await;
        let notices = world
            .insist("notices", async |to| as_them(&to.app).await)
            .await?
            .items;
        let admitted = notices
            .iter()
            .filter(|notice| notice.what == NoticeKind::Admitted)
            .count();
        ensure!(admitted <= 1, "{user} was told {admitted} times of the admission");
        ensure!(
            person.waited.is_none_or(|waited| waited == (admitted == 1)),
            "{user}: {admitted} notices"
        );
        let sequences: BTreeSet<_> = notices.iter().map(|notice| notice.seq).collect();
        ensure!(
            sequences.len() == notices.len(),
            "{user} has a notice twice: {notices:?}"
        );

        let texts = world.texts.delivered(phone, "admitted")?;
        ensure!(
            texts == admitted,
            "{user} got {texts} texts of the admission and {admitted} notices"
        );
        let texts = world.texts.delivered(phone, "invited")?;
        ensure!(
            texts == usize::from(person.invited_by_text),
            "{user} got {texts} texts of the invite"
        );
    }
    world.ledger.people = people;
    Ok(())
}

async fn invites(world: &mut World) -> Result<()> {
    let all = std::mem::take(&mut world.ledger.invites);
    for Invited {
        by,
        token,
        accepted_by,
    } in &all
    {
        let as_them = async |app: &Client| app.signed_in(token).invites().await;
        let invites = world.insist("invites", async |to| as_them(&to.app).await).await?;
        ensure!(
            (invites.left, invites.earned) == (1, 1),
            "{by} has {} invites left after two were given and their two people earned one: {}",
            invites.left,
            invites.earned
        );
        ensure!(
            invites.invites.len() == 2,
            "{by} gave {} invites",
            invites.invites.len()
        );
        ensure!(
            invites
                .invites
                .iter()
                .all(|invite| invite.status == InviteStatus::Accepted),
            "both invites of {by} were accepted: {:?}",
            invites.invites
        );
        let came: BTreeSet<_> = invites
            .invites
            .iter()
            .filter_map(|invite| invite.accepted_by.as_ref().map(|person| person.id.as_str()))
            .collect();
        ensure!(
            came == accepted_by.iter().map(String::as_str).collect(),
            "{by} invited {came:?}"
        );

        let as_them = async |app: &Client| app.signed_in(token).notices(None, Some(ALL)).await;
        let notices = world
            .insist("notices", async |to| as_them(&to.app).await)
            .await?
            .items;
        let mut told: Vec<_> = notices
            .iter()
            .filter_map(|notice| match &notice.what {
                NoticeKind::InviteAccepted { person } => Some(&person.id),
                _ => None,
            })
            .collect();
        let mut expected: Vec<_> = accepted_by.iter().collect();
        told.sort();
        expected.sort();
        ensure!(told == expected, "{by} was told of {told:?}");
    }
    world.ledger.invites = all;
    Ok(())
}

async fn handles_and_follows(world: &mut World) -> Result<()> {
    let token = world.ledger.people[0].token.clone();
    for (handle, user) in world.ledger.handles.clone() {
        let look = async |app: &Client| app.signed_in(&token).profile_by_handle(&handle).await;
        let found = world.insist("handle", async |to| look(&to.app).await).await?;
        ensure!(
            found.profile.id == user,
            "{handle} was {user}'s and is {}'s",
            found.profile.id
        );
    }
    for (followee, token) in world.ledger.followed.clone() {
        let look = async |app: &Client| app.signed_in(&token).profile(&followee).await;
        let found = world.insist("profile", async |to| look(&to.app).await).await?;
        ensure!(
            found.followed && found.followers == 1,
            "{followee} has {} followers",
            found.followers
        );
    }
    Ok(())
}

/// Rooms end by their timers, and stay so. A service that has just started may not list them yet, so each is asked for.
async fn rooms(world: &mut World) -> Result<()> {
    for (room, token) in world.ledger.rooms.clone() {
        let look = async |app: &Client| -> Result<_, Error> { app.signed_in(&token).room(&room).await };
        let begun = Instant::now();
        loop {
            match world.ask("room", async |to| look(&to.app).await).await? {
                Err(problem) if problem.code == "room_ended" => break,
                Ok(_) if begun.elapsed() < PATIENCE => sleep(LOOK_AT_ALL).await,
                other => bail!("room {room} should have ended: {other:?}"),
            }
        }
    }
    Ok(())
}
