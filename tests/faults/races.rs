//! A thousand people who want the same thing at the same moment, and only one of them can have it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use mitalk::client::{Client, Error};
use mitalk::wire::admin::Phase;
use mitalk::wire::invites::InviteRequest;
use mitalk_tests::server::{Server, until};

use crate::parts::Parts;
use crate::{PARTS, report};

/// Who race.
const PEOPLE: usize = 1_000;
/// Of them so many are made by a request.
const PER_REQUEST: usize = 50;
/// Between two attempts of somebody whom the service has no time for.
const AGAIN: Duration = Duration::from_millis(200);
/// Until then everybody has an answer.
const DEADLINE: Duration = Duration::from_secs(60);
/// What somebody hears who won already.
const ALREADY_IN: &str = "already_active";
/// Everybody at once from one address; and each gives one invite.
const SETTINGS: [&str; 7] = [
    "admin.test_admission=true",
    "limits.invites.quota=1",
    "http.max_connections_per_address=4000",
    "rates.per_address_rps=100000",
    "rates.per_address_burst=100000",
    "cluster.in_flight=16384",
    "cluster.entity_in_flight=2048",
];

#[tokio::test(flavor = "multi_thread")]
async fn one_of_a_thousand_people_wins() {
    let name = "a thousand people race";
    let Some(parts) = Parts::found() else {
        return report::left_out(name);
    };
    let _alone = PARTS.lock().await;
    let _whole = parts.whole_again();
    race(&parts)
        .await
        .unwrap_or_else(|error| panic!("{name}: {error:#}"));
}

/// With one store node of three down, where there are three.
async fn race(parts: &Parts) -> Result<()> {
    let settings = parts.fresh().await?.settings();
    let words: Vec<&str> = settings.iter().map(String::as_str).chain(SETTINGS).collect();
    let server = Server::start(&words).await?;
    until("the phase", async || {
        server.admin.set_phase(Phase::ClosedTest).await.ok()
    })
    .await;
    let waiting = accounts(&server, "+4915140", true).await;
    let active = accounts(&server, "+4915141", false).await;
    let down = (parts.store.nodes() > 1).then(|| parts.store.any_node());
    if let Some(node) = down {
        report::line(&format!("store {node} of {} is down", parts.store.nodes()));
        parts.store.run("kill", Some(node)).await?;
    }

    let handle = all_at_once(&active, async |client, _| {
        client.set_handle("ada").await.map(drop)
    })
    .await?;
    handle.judge("one handle", "handle_taken")?;

    let give = async || active[0].invite(&InviteRequest::Link, "link").await.ok();
    let link = until("an invite", give).await;
    let link = link.link.context("a link invite has its link")?;
    let code = link.rsplit('/').next().unwrap_or(&link);
    let accept = async |client: &Client, _| client.accept_invite(code).await.map(drop);
    all_at_once(&waiting, accept)
        .await?
        .judge("one invite", "invite_not_pending")?;

    let giver = vec![active[1].clone(); PEOPLE];
    let give = async |client: &Client, n| {
        client
            .invite(&InviteRequest::Link, &format!("last-{n}"))
            .await
            .map(drop)
    };
    all_at_once(&giver, give)
        .await?
        .judge("a person's last invite", "invite_quota_used_up")?;
    let left = active[1].invites().await?;
    ensure!(
        (left.left, left.invites.len()) == (0, 1),
        "{} left of one: {:?}",
        left.left,
        left.invites
    );

    if let Some(node) = down {
        parts.store.run("start", Some(node)).await?;
    }
    server.stop().await?;
    Ok(())
}

/// People who race, signed in. The same numbers are the same accounts again, so what a busy store refuses is asked for again.
async fn accounts(server: &Server, prefix: &str, waiting: bool) -> Vec<Client> {
    let mut clients = vec![];
    for request in 0..PEOPLE / PER_REQUEST {
        let prefix = format!("{prefix}{request:02}");
        let make = async || match waiting {
            true => server
                .admin
                .waiting_test_accounts(PER_REQUEST, &prefix)
                .await
                .ok(),
            false => server.admin.test_accounts(PER_REQUEST, &prefix).await.ok(),
        };
        let made = until("accounts", make).await;
        clients.extend(
            made.into_iter()
                .map(|account| server.client.signed_in(&account.tokens.access_token)),
        );
    }
    clients
}

/// How a race ended.
#[derive(Default)]
struct Outcome {
    won: usize,
    /// Won, but heard of it only by asking again: the answer to the victory was lost.
    won_unheard: usize,
    /// Answers that are no victory, by their codes.
    refused: BTreeMap<String, usize>,
    /// Attempts that the service had no time for.
    busy: usize,
    /// The longest that anybody waited for their answer.
    longest: Duration,
}

impl Outcome {
    fn judge(&self, what: &str, lost: &str) -> Result<()> {
        let Self {
            won,
            won_unheard,
            refused,
            busy,
            longest,
        } = self;
        report::line(&format!(
            "{PEOPLE} race for {what}: {won} won and {won_unheard} by an answer that was lost, answers {refused:?}, \
             {busy} asked for patience, longest {:.1} s",
            longest.as_secs_f64()
        ));
        let won = won + won_unheard;
        ensure!(won == 1, "{what}: {won} won");
        ensure!(
            *refused == BTreeMap::from([(lost.to_owned(), PEOPLE - 1)]),
            "{what}: everybody else hears {lost}: {refused:?}"
        );
        ensure!(*longest < DEADLINE, "{what}: an answer took {longest:?}");
        Ok(())
    }
}

async fn all_at_once(
    people: &[Client],
    want: impl AsyncFn(&Client, usize) -> Result<(), Error>,
) -> Result<Outcome> {
    let attempts = people
        .iter()
        .enumerate()
        .map(|(n, client)| attempt(client, n, &want));
    let mut outcome = Outcome::default();
    for answer in futures::future::join_all(attempts).await {
        let (answer, busy, took) = answer?;
        outcome.busy += busy;
        outcome.longest = outcome.longest.max(took);
        match answer {
            Ok(()) => outcome.won += 1,
            // Nobody is in before they won; who never had to ask again heard of it the first time.
            Err(code) if code == ALREADY_IN && busy > 0 => outcome.won_unheard += 1,
            Err(code) => *outcome.refused.entry(code).or_default() += 1,
        }
    }
    Ok(outcome)
}

/// One person's answer, how often they were asked for patience, and how long it took.
async fn attempt(
    client: &Client,
    n: usize,
    want: &impl AsyncFn(&Client, usize) -> Result<(), Error>,
) -> Result<(Result<(), String>, usize, Duration)> {
    let (begun, mut busy) = (Instant::now(), 0);
    loop {
        match want(client, n).await {
            Ok(()) => return Ok((Ok(()), busy, begun.elapsed())),
            Err(Error::Problem(problem)) if matches!(problem.status, 429 | 502..=504) => {
                ensure!(begun.elapsed() < DEADLINE, "no answer but {}", problem.code);
                busy += 1;
                tokio::time::sleep(AGAIN).await;
            }
            Err(Error::Problem(problem)) => return Ok((Err(problem.code), busy, begun.elapsed())),
            Err(error) => return Err(error.into()),
        }
    }
}
