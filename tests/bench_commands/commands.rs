//! What people do, over the API of the real binary.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use mitalk::client::Client;
use mitalk::sms::{Line, receiver};
use mitalk::wire::admin::Phase;
use mitalk::wire::auth::VerifyRequest;
use mitalk::wire::invites::InviteRequest;
use mitalk::wire::rooms::CreateRoom;
use mitalk_actors::number::PhoneNumber;
use mitalk_load::people::{self, Person};
use mitalk_tests::light::Session;
use mitalk_tests::server::{Server, until};

use mitalk_tests::measure::{Measured, Table, times};
use tokio::sync::Semaphore;

/// People who do something at the same moment.
const AT_ONCE: usize = 32;
/// Hands of the busy room that go up and down, and how many of them its queue takes.
const HANDS: usize = 1_000;
const QUEUE: usize = 500;
/// How often all of them go up, and down again.
const ROUNDS: usize = 5;
/// Who does everything here, one of them as the host of that room.
const PEOPLE: usize = HANDS + 1;
/// Who wait while places are asked for.
const WAITING: usize = 100;
/// Joins take two cores each a few milliseconds, and the service as many.
const JOINS_AT_ONCE: usize = 16;
/// One machine is everybody, and nobody waits for a network.
const SETTINGS: [&str; 12] = [
    "admin.test_admission=true",
    "http.max_connections_per_address=4000",
    "rates.per_address_rps=1000000",
    "rates.per_address_burst=1000000",
    "rates.per_account_rps=1000000",
    "rates.per_account_burst=1000000",
    "limits.codes.per_address_and_hour=1000000",
    "limits.codes.per_block_and_day=1000000",
    "limits.codes.per_day=1000000",
    // Those who join for the busy room are not heard of again.
    "limits.rooms.grace_s=3600",
    "limits.rooms.empty_stage_s=3600",
    "log.level=warn,mitalk::node=info",
];

/// What is compared with the bare store.
pub(crate) struct Service {
    pub(crate) hands: Measured,
    /// Commands of a commit while they went up and down: of the room, and few others.
    pub(crate) hands_per_commit: f64,
    pub(crate) profile: Measured,
    /// The same request for somebody who cannot be: it asks nothing of the store.
    pub(crate) http: Measured,
}

pub(crate) async fn measure(settings: Vec<String>, table: &mut Table) -> Result<Service> {
    let words: Vec<&str> = settings.iter().map(String::as_str).chain(SETTINGS).collect();
    let server = Server::start(&words).await?;
    let phase = async |phase| until("the phase", async || server.admin.set_phase(phase).await.ok()).await;
    phase(Phase::ClosedTest).await;
    let waiting = wait(&server).await?;
    let place = async |n: usize| {
        let me = waiting[n % waiting.len()].me().await?;
        ensure!(me.ticket.is_some(), "everybody here waits");
        Ok(None)
    };
    table
        .row("place on the waitlist", times(10_000), AT_ONCE, place)
        .await?;
    phase(Phase::Open).await;
    sign_ups(&server, table).await?;
    let people = people::make(&server.admin, &server.client, PEOPLE, |_| ()).await?;
    let invite = async |n: usize| {
        people[n].client.invite(&InviteRequest::Link, "invite").await?;
        Ok(None)
    };
    table.row("invite", times(people.len()), AT_ONCE, invite).await?;
    let (http, profile) = profiles(&people, table).await?;
    let open = async |n: usize| {
        people[n].client.create_room(&room(), "room").await?;
        Ok(None)
    };
    table
        .row("room opened", times(people.len()), AT_ONCE, open)
        .await?;
    let (hands, hands_per_commit) = hands(&server, &people, table).await?;
    server.stop().await?;
    Ok(Service {
        hands,
        hands_per_commit,
        profile,
        http,
    })
}

/// People with tickets.
async fn wait(server: &Server) -> Result<Vec<Client>> {
    let mut waiting = vec![];
    for n in 0..WAITING {
        waiting.push(server.sign_in(&format!("+49152400{n:05}")).await?.client);
    }
    for client in &waiting {
        until("a ticket", async || client.me().await.ok()?.ticket).await;
    }
    Ok(waiting)
}

/// A code asked for and traded in. Waiting until the file has it is not the service's time.
async fn sign_ups(server: &Server, table: &mut Table) -> Result<()> {
    let file = server.directory.path().join("sms.jsonl");
    let sign_up = async |n: usize| {
        let phone = format!("+49152500{n:05}");
        let to = receiver(&PhoneNumber::parse(&phone)?);
        let begun = Instant::now();
        server.client.send_code(&phone).await?;
        let asked = begun.elapsed();
        let code = until("the code", async || {
            let text = tokio::fs::read_to_string(&file).await.ok()?;
            let lines = text.lines().rev();
            let mut lines = lines.filter_map(|line| serde_json::from_str::<Line>(line).ok());
            lines.find(|line| line.to == to)?.code
        })
        .await;
        let request = VerifyRequest {
            phone,
            code,
            device_name: None,
            invite: None,
        };
        let begun = Instant::now();
        server.client.verify(&request).await?;
        Ok(Some(asked + begun.elapsed()))
    };
    table
        .row("sign-up (code and account)", times(1_000), AT_ONCE, sign_up)
        .await?;
    Ok(())
}

/// Without the store, and with it.
async fn profiles(people: &[Person], table: &mut Table) -> Result<(Measured, Measured)> {
    let nobody = async |_: usize| {
        let answer = people[2].client.profile("nobody").await;
        ensure!(
            answer.is_err_and(|error| error.code() == Some("person_not_found")),
            "that is nobody's id"
        );
        Ok(None)
    };
    let http = table
        .row("profile that cannot be", times(5_000), 1, nobody)
        .await?;

    for person in &people[..2] {
        until("the profile", async || {
            people[2].client.profile(&person.user).await.ok()
        })
        .await;
    }
    let read = async |n: usize| {
        people[2].client.profile(&people[n % 2].user).await?;
        Ok(None)
    };
    let alone = table.row("profile read", times(5_000), 1, read).await?;
    table.row("profile read", times(10_000), AT_ONCE, read).await?;
    Ok((http, alone))
}

/// Everybody raises a hand at once, as far as the queue takes them, and lowers it, and again, in a room in which everybody is.
async fn hands(server: &Server, people: &[Person], table: &mut Table) -> Result<(Measured, f64)> {
    let (host, audience) = people.split_first().context("there are people")?;
    let room = host.client.create_room(&room(), "hands").await?.id;
    let _host = Session::join(host, &room, None).await?;
    let count = times(audience.len());
    // Kept, so that nobody gets the port of one who left without a word: it stays theirs for a while.
    let sessions = Mutex::new(vec![]);
    let join = async |n: usize| {
        let session = Session::join(&audience[n], &room, None).await?;
        sessions.lock().expect("pushed to only").push(session);
        Ok(None)
    };
    table.row("room joined", count, JOINS_AT_ONCE, join).await?;
    let before = Commits::of(server).await?;
    // Nobody lowers a hand that is not up yet: that would be too easy.
    let turns: Vec<_> = (0..count).map(|_| tokio::sync::Mutex::new(())).collect();
    let queue = Semaphore::new(QUEUE);
    let raise_or_lower = async |n: usize| {
        let client = &audience[n % count].client;
        let _turn = turns[n % count].lock().await;
        let raises = (n / count).is_multiple_of(2);
        if raises {
            queue.acquire().await?.forget();
        }
        let begun = Instant::now();
        match raises {
            true => client.raise_hand(&room).await?,
            false => client.lower_hand(&room).await?,
        };
        let took = begun.elapsed();
        if !raises {
            queue.add_permits(1);
        }
        Ok(Some(took))
    };
    let hands = table
        .row(
            "hand up or down, one room",
            2 * count * ROUNDS,
            count,
            raise_or_lower,
        )
        .await?;
    ensure!(hands.p50 > Duration::ZERO, "somebody was measured");
    let after = Commits::of(server).await?;
    let per_commit = (after.commands - before.commands) / (after.count - before.count);
    Ok((hands, per_commit))
}

/// What a node has committed so far.
struct Commits {
    count: f64,
    commands: f64,
}

impl Commits {
    async fn of(server: &Server) -> Result<Self> {
        let series = [
            "mitalk_cluster_batch_commands_count",
            "mitalk_cluster_batch_commands_sum",
        ];
        match server.metrics(series).await? {
            [Some(count), Some(commands)] => Ok(Self { count, commands }),
            _ => bail!("the node does not count its commits"),
        }
    }
}

fn room() -> CreateRoom {
    CreateRoom {
        title: "Bench".to_owned(),
        topics: vec![],
        language: None,
        visibility: Default::default(),
        hand_raising: Default::default(),
    }
}
