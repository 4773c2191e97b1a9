//! What is there after the damage, against what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use mitalk::client::{Client, Error};
use mitalk::sms::{Line, receiver};
use mitalk::wire::people::NoticeKind;
use mitalk_actors::number::PhoneNumber;
use mitalk_tests::server::{Server, until, until_within};
use mitalk_tests::stores::Look;

use crate::load::{PER_SECOND, Worked};

/// What was owed for minutes is not made up for in one.
const BACKLOG: Duration = Duration::from_secs(300);
/// Texts that were held back are out by then. Less than what members once needed to hear of events again, after five minutes
/// without a broker: 180 s.
const TEXTS: Duration = Duration::from_secs(120);
/// Notices on a page.
const PAGE: usize = 100;

/// The result of a scenario.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) acknowledged: usize,
    /// From the first command to the last one's acknowledgement.
    pub(crate) lasted: Duration,
    /// Acknowledged and not there.
    pub(crate) lost: Vec<String>,
    /// Done more than once, beyond what their key allows.
    pub(crate) repeated: Vec<String>,
    refused: usize,
    longest: Duration,
    hands: usize,
    /// Each of these is an event, too.
    invites: BTreeSet<String>,
    rooms: BTreeSet<String>,
    /// Repeats that their keys make recognisable: texts, and events in their topics.
    texts_again: usize,
    /// To the last text from when all else had been asked for, which is some time after the end of the work.
    texts_late: Duration,
    events_again: Option<usize>,
}

impl Report {
    pub(crate) fn print(&self, name: &str) {
        let events = self
            .events_again
            .map_or("-".to_owned(), |events| events.to_string());
        line(&format!(
            "{name}: acknowledged {} in {:.0} s, from at most {PER_SECOND} turns a second; lost {}, repeated {}, refused {}, \
             longest refusal {:.1} s; hands {}, sent again under their key: {} texts, {events} events; texts complete after {:.1} s",
            self.acknowledged,
            self.lasted.as_secs_f64(),
            self.lost.len(),
            self.repeated.len(),
            self.refused,
            self.longest.as_secs_f64(),
            self.hands,
            self.texts_again,
            self.texts_late.as_secs_f64(),
        ));
    }
}

#[allow(clippy::print_stderr, reason = "the figures are for people")]
pub(crate) fn line(text: &str) {
    eprintln!("{text}");
}

pub(crate) fn left_out(name: &str) {
    line(&format!(
        "left out, no real parts: {name}; see `make test-stores`"
    ));
}

/// Asks for everything.
pub(crate) async fn examine(server: &Server, worked: Vec<Worked>) -> Result<Report> {
    let mut report = Report::default();
    let mut followers = BTreeMap::<&str, usize>::new();
    for person in &worked {
        report.acknowledged += person.acknowledged;
        report.refused += person.refused;
        report.longest = report.longest.max(person.longest);
        report.hands += person.hands;
        report.invites.extend(ids(&person.invites));
        report.rooms.extend(ids(&person.rooms));
        for whom in &person.follows {
            *followers.entry(whom).or_default() += 1;
        }
    }
    for person in &worked {
        let client = person
            .token
            .as_ref()
            .context("everybody finished")?
            .at(&server.app)?;
        let expected = followers.get(person.user.as_str()).copied().unwrap_or_default();
        headline(&client, person, &mut report).await?;
        told(&client, person, expected, &mut report).await?;
        rooms(&client, person, &mut report).await?;
        invites(&client, person, &mut report).await?;
        signed_up(server, person, &mut report).await?;
        for whom in &person.follows {
            let shown = followed(&client, whom, followers[whom.as_str()]).await;
            if shown < followers[whom.as_str()] as u64 {
                report
                    .lost
                    .push(format!("{} follows {whom}: {shown} followers", person.user));
            }
            if shown > followers[whom.as_str()] as u64 {
                report.repeated.push(format!("{whom} has {shown} followers"));
            }
        }
    }
    texts(server, &worked, &mut report).await?;
    Ok(report)
}

/// One invite per key, all of them shown, and nothing else of the quota spent.
async fn invites(client: &Client, person: &Worked, report: &mut Report) -> Result<()> {
    let shown = client.invites().await?;
    let is_shown = |id: &str| shown.invites.iter().any(|invite| invite.id == id);
    for (key, ids) in by_key(&person.invites) {
        if ids.len() > 1 {
            report.repeated.push(format!("{key} gave {ids:?}"));
        }
        report.lost.extend(
            ids.into_iter()
                .filter(|id| !is_shown(id))
                .map(|id| format!("invite {id}")),
        );
    }
    if shown.invites.len() > person.invited.len() {
        let (shown, given) = (shown.invites.len(), person.invited.len());
        report
            .repeated
            .push(format!("{shown} invites of {}, {given} were given", person.user));
    }
    Ok(())
}

/// Each number has the account that it was told.
async fn signed_up(server: &Server, person: &Worked, report: &mut Report) -> Result<()> {
    for (phone, user) in &person.signed_up {
        let account = server.admin.account(phone).await?;
        if account.me.id != *user {
            report.lost.push(format!("the account {user}"));
        }
    }
    Ok(())
}

/// Each invited number gets one text; what was sent again has the same key.
async fn texts(server: &Server, worked: &[Worked], report: &mut Report) -> Result<()> {
    let file = server.directory.path().join("sms.jsonl");
    let read = || -> Option<Vec<Line>> {
        let text = std::fs::read_to_string(&file).ok()?;
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        Some(lines.collect())
    };
    let mut expected = BTreeSet::new();
    for phone in worked.iter().flat_map(|person| &person.invited) {
        expected.insert(receiver(&PhoneNumber::parse(phone)?));
    }
    let begun = Instant::now();
    let lines = until_within(TEXTS, "a text to everybody who was invited", async || {
        let lines = read()?;
        let told: BTreeSet<_> = of_invites(&lines).map(|line| line.to.clone()).collect();
        expected.is_subset(&told).then_some(lines)
    })
    .await;
    report.texts_late = begun.elapsed();
    let mut keys = BTreeMap::<&str, BTreeSet<&str>>::new();
    for line in of_invites(&lines) {
        keys.entry(&line.to).or_default().insert(&line.key);
    }
    let twice = keys.into_iter().filter(|(_, keys)| keys.len() > 1);
    report
        .repeated
        .extend(twice.map(|(to, keys)| format!("texts to {to}: {keys:?}")));
    let once: BTreeSet<_> = lines.iter().map(|line| &line.key).collect();
    report.texts_again = lines.len() - once.len();
    Ok(())
}

fn of_invites(lines: &[Line]) -> impl Iterator<Item = &Line> {
    lines.iter().filter(|line| line.kind == "invited")
}

fn ids(done: &[(String, String)]) -> impl Iterator<Item = String> {
    done.iter().map(|(_, id)| id.clone())
}

/// What was done under each key.
fn by_key(done: &[(String, String)]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut by_key = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (key, id) in done {
        by_key.entry(key).or_default().insert(id);
    }
    by_key
}

async fn headline(client: &Client, person: &Worked, report: &mut Report) -> Result<()> {
    let me = client.me().await?;
    if person.headline.is_some() && Some(&me.profile.headline) != person.headline.as_ref() {
        report.lost.push(format!(
            "headline {:?} of {}: {:?}",
            person.headline, me.id, me.profile.headline
        ));
    }
    Ok(())
}

/// Waits until a follow is shown, with as many followers as there must be.
async fn followed(client: &Client, whom: &str, expected: usize) -> u64 {
    // Projections lag behind; what is lost never comes, and the wait ends the test with its name.
    until("a follow in the profile", async || {
        let view = client.profile(whom).await.ok()?;
        (view.followed && view.followers >= expected as u64).then_some(view.followers)
    })
    .await
}

/// Each follower is a notice, once.
async fn told(client: &Client, person: &Worked, expected: usize, report: &mut Report) -> Result<()> {
    let followers = until("notices of all followers", async || {
        let found = new_followers(client).await.ok()?;
        (found.iter().collect::<BTreeSet<_>>().len() >= expected).then_some(found)
    })
    .await;
    let once: BTreeSet<_> = followers.iter().collect();
    if once.len() < followers.len() {
        report
            .repeated
            .push(format!("notices of {}: {followers:?}", person.user));
    }
    Ok(())
}

async fn new_followers(client: &Client) -> Result<Vec<String>, Error> {
    let (mut cursor, mut found) = (None::<String>, Vec::new());
    loop {
        let page = client.notices(cursor.as_deref(), Some(PAGE)).await?;
        for notice in page.items {
            if let NoticeKind::NewFollower { person } = notice.what {
                found.push(person.id);
            }
        }
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(found),
        }
    }
}

/// One room per key, and each is known: it lives or has ended.
async fn rooms(client: &Client, person: &Worked, report: &mut Report) -> Result<()> {
    for (key, rooms) in by_key(&person.rooms) {
        if rooms.len() > 1 {
            report.repeated.push(format!("{key} made {rooms:?}"));
        }
        for room in rooms {
            match client.room(room).await {
                Ok(_) => {}
                Err(Error::Problem(problem)) if problem.code == "room_ended" => {}
                Err(error) => report.lost.push(format!("room {room}: {error}")),
            }
        }
    }
    Ok(())
}

/// Waits until the outboxes are empty: what the brokers missed has gone out.
pub(crate) async fn nothing_owed(server: &Server) -> Result<()> {
    until_within(BACKLOG, "empty outboxes", async || {
        let metrics = server.admin.metrics().await.ok()?;
        let lines = metrics.lines();
        let rows: Vec<&str> = lines
            .filter(|line| line.starts_with("mitalk_cluster_outbox_rows{"))
            .collect();
        // A metric that is not there says nothing.
        let is_empty = |line: &&str| line.ends_with(" 0");
        (!rows.is_empty() && rows.iter().all(is_empty)).then_some(())
    })
    .await;
    Ok(())
}

/// The topics as the outages left them: they tell of everything that was acknowledged, and an entity's events lie in their
/// order, whatever was sent again.
pub(crate) async fn all_told(look: &Look, report: &mut Report) -> Result<()> {
    let told = look.told().await?;
    let untold = |of: &str, done: &BTreeSet<String>, told: &BTreeSet<String>| -> Vec<String> {
        let missing = done.difference(told);
        missing.map(|id| format!("the event of {of} {id}")).collect()
    };
    report
        .lost
        .extend(untold("invite", &report.invites, &told.invites));
    report.lost.extend(untold("room", &report.rooms, &told.rooms));
    report
        .lost
        .extend(untold("the opening of room", &report.rooms, &told.audited));
    report.lost.extend(look.out_of_order().await?);
    report.events_again = Some(look.repeats().await?);
    Ok(())
}
