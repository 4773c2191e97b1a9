//! One run of `mitalk-load join`: accounts, rooms, joins, the stay, and the report.

use crate::cli::Join;
use crate::ear::Ear;
use crate::joins::{Arrivals, Joins};
use crate::media::{Media, SLOTS};
use crate::people::{self, Person};
use crate::progress::{Step, say};
use crate::report::{Report, ServerUse};
use crate::room::{Room, Stage};
use crate::socket;
use crate::sockets::Sockets;
use crate::usage::{self, Usage};
use crate::worker::Tally;
use anyhow::Context;
use mitalk::client::{AdminClient, Client};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Descriptors besides those of the sessions: HTTP connections, files, epoll.
const OTHER_FILES: u64 = 512;
/// After the speakers fell silent: once nothing has arrived for so long, nothing is under way any more ...
const QUIET: Duration = Duration::from_secs(1);
/// ... and a server that still sends after this never ends.
const LONGEST_DRAIN: Duration = Duration::from_secs(15);
/// How often a person is told how it goes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Set by Ctrl-C: end early, and tidily.
pub type Stop = watch::Receiver<bool>;

/// Runs. What was measured until `stop` is reported, too.
///
/// # Errors
/// What keeps a run from starting: no server, no accounts, no room. A failed join is none, it is in the report.
pub async fn run(args: &Join, stop: Stop) -> anyhow::Result<Report> {
    let run = Run::prepare(args, stop)?;
    let speakers = (args.rooms * args.speakers) as usize;
    let mut people = run.accounts(speakers + args.listeners as usize).await?;
    let listeners = people.split_off(speakers);
    let rooms = run.open_rooms(people).await?;
    let measured = run.measure(&rooms, listeners).await;
    for room in rooms {
        if let Err(error) = room.end().await {
            say(&format!("a room could not be ended: {error:#}"));
        }
    }
    measured
}

struct Run<'a> {
    args: &'a Join,
    stop: Stop,
    app: Client,
    admin: AdminClient,
    media: Media,
    sockets: Option<Sockets>,
    id: u32,
}

/// Readings of the server while everybody was there.
struct Stay {
    before: Option<Usage>,
    after: Option<Usage>,
    packets: u64,
    time: Duration,
}

impl<'a> Run<'a> {
    fn prepare(args: &'a Join, stop: Stop) -> anyhow::Result<Self> {
        let sessions = u64::from(args.listeners + args.rooms * args.speakers);
        let limit = socket::raise_file_limit().context("the limit of open files")?;
        let each = if args.no_sockets { 1 } else { 2 };
        let needed = sessions * each + args.concurrency as u64 + OTHER_FILES;
        anyhow::ensure!(
            limit >= needed,
            "{needed} open files are needed and {limit} allowed; raise `ulimit -Hn`"
        );
        let file = &args.admin_token_file;
        let token =
            std::fs::read_to_string(file).with_context(|| format!("no admin token in {}", file.display()))?;
        let app = Client::new(&args.url)?;
        let loopback = matches!(app.base().host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        Ok(Self {
            args,
            stop,
            admin: AdminClient::new(&args.operations, token.trim())?,
            media: Media::start(args.threads, loopback)?,
            sockets: (!args.no_sockets).then(Sockets::default),
            app,
            id: rand::random(),
        })
    }

    async fn accounts(&self, count: usize) -> anyhow::Result<Vec<Person>> {
        let mut step = Step::begin("accounts", count as u64, "made");
        let people = people::make(&self.admin, &self.app, count, |made| step.at(made as u64, "")).await?;
        step.end("");
        Ok(people)
    }

    async fn open_rooms(&self, people: Vec<Person>) -> anyhow::Result<Vec<Room>> {
        let stage = Stage {
            media: &self.media,
            run: self.id,
        };
        let mut step = Step::begin("rooms", self.args.rooms.into(), "open");
        let (mut rooms, mut people) = (Vec::new(), people.into_iter());
        for number in 0..self.args.rooms {
            let speakers = people.by_ref().take(self.args.speakers as usize).collect();
            let title = format!("Load test {}", number + 1);
            rooms.push(stage.open(&title, speakers, number * self.args.speakers).await?);
            step.at(rooms.len() as u64, "");
        }
        step.end("");
        Ok(rooms)
    }

    async fn measure(&self, rooms: &[Room], listeners: Vec<Person>) -> anyhow::Result<Report> {
        let empty = self.usage().await;
        let joins = self.joins(rooms, listeners).await;
        let stay = self.stay().await?;
        let said = self.media.hush().await?;
        let mut sent = vec![None; (self.args.rooms * self.args.speakers) as usize];
        for said in &said {
            sent[said.speaker as usize] = said.last;
        }
        self.drain(&sent).await?;
        let tally = self.media.finish(sent).await?;
        let stalls = said.iter().map(|said| said.stalls).sum();
        let server = empty
            .zip(stay.before)
            .and_then(|(empty, full)| server_use(empty, full, &joins, &stay));
        Ok(self.report(joins, &stay, &tally, stalls, server))
    }

    /// Waits until what is under way has arrived: a machine that is too slow is late, and that is no loss. With more
    /// speakers than slots nobody knows what should come, and a pause must do.
    async fn drain(&self, sent: &[Option<u32>]) -> anyhow::Result<()> {
        let (began, mut before) = (Instant::now(), None);
        while began.elapsed() < LONGEST_DRAIN {
            let look = self.media.look(sent).await?;
            let all_there = look.behind == 0 && look.heard.lost_audio() == 0;
            let nothing_new = before.replace(look.heard.packets) == Some(look.heard.packets);
            if nothing_new || all_there && self.args.speakers as usize <= SLOTS {
                break;
            }
            tokio::time::sleep(QUIET).await;
        }
        Ok(())
    }

    async fn joins(&self, rooms: &[Room], listeners: Vec<Person>) -> Joins {
        let mut step = Step::begin("joins", listeners.len() as u64, "joined");
        let ears = |room: &Room| Ear::new(self.id, SLOTS, room.speakers.clone());
        let plan = listeners.into_iter().zip(0..).map(|(person, n)| {
            let room = &rooms[self.args.room_of(n) as usize];
            (person, room.id.clone(), ears(room))
        });
        let arrivals = Arrivals {
            args: self.args,
            media: &self.media,
            sockets: self.sockets.as_ref(),
            stop: self.stop.clone(),
        };
        let joins = arrivals
            .all(plan.collect(), |joined, failed| {
                step.at(joined.into(), &failures(failed))
            })
            .await;
        step.end(&failures(joins.failed()));
        joins
    }

    /// Everybody stays, and every packet is judged.
    async fn stay(&self) -> anyhow::Result<Stay> {
        let (before, began) = (self.usage().await, Instant::now());
        let packets = self.media.look(&[]).await?.heard.packets;
        let mut step = Step::begin("stay", self.args.duration.as_secs(), "s");
        let mut stop = self.stop.clone();
        while began.elapsed() < self.args.duration && !*stop.borrow() {
            let pause = LOOK_EVERY.min(self.args.duration.saturating_sub(began.elapsed()));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
            let look = self.media.look(&[]).await?;
            let lost = look.heard.lost_audio();
            let remark = format!(
                "{} packets, {lost} lost, {} dropped",
                look.heard.packets, look.dropped
            );
            step.at(began.elapsed().as_secs(), &remark);
            if look.dropped == self.args.listeners + self.args.rooms * self.args.speakers {
                say("the server has ended every session");
                break;
            }
        }
        step.end("");
        let after = self.usage().await;
        let packets = self.media.look(&[]).await?.heard.packets - packets;
        Ok(Stay {
            before,
            after,
            packets,
            time: began.elapsed(),
        })
    }

    /// `None` if the server does not tell; that is no reason to fail.
    async fn usage(&self) -> Option<Usage> {
        match self.args.server_pid {
            Some(pid) => usage::of_process(pid).ok(),
            None => usage::of_metrics(&self.admin.metrics().await.ok()?),
        }
    }

    fn report(
        &self,
        joins: Joins,
        stay: &Stay,
        tally: &Tally,
        stalls: u32,
        server: Option<ServerUse>,
    ) -> Report {
        Report {
            rooms: self.args.rooms,
            speakers: self.args.speakers,
            listeners: self.args.listeners,
            joined: joins.joined(),
            failed: joins.failed(),
            dropped: tally.dropped,
            rate_per_s: self.args.rate,
            joins_per_s: joins.per_second(),
            first_audio: joins.first_audio.spread(),
            join_request: joins.request.spread(),
            failures: joins.failures(),
            latency: tally.latency.spread(),
            stayed_s: stay.time.as_secs_f64(),
            heard: tally.heard,
            sockets: self.sockets.as_ref().map(Sockets::heard),
            lost_percent: tally.heard.lost_percent(),
            stalls,
            server,
            interrupted: *self.stop.borrow(),
        }
    }
}

fn failures(failed: u32) -> String {
    if failed == 0 {
        String::new()
    } else {
        format!("{failed} failed")
    }
}

/// Differences of readings: before the first join, after the last, and after the stay.
fn server_use(empty: Usage, full: Usage, joins: &Joins, stay: &Stay) -> Option<ServerUse> {
    let listeners = f64::from(joins.joined());
    let seconds = stay.time.as_secs_f64();
    if listeners == 0.0 || seconds == 0.0 || stay.packets == 0 {
        return None;
    }
    let us = |from: Usage, to: Usage| to.cpu.saturating_sub(from.cpu).as_secs_f64() * 1e6;
    let stayed_us = us(full, stay.after?);
    Some(ServerUse {
        memory_per_listener_bytes: (full.memory_bytes as f64 - empty.memory_bytes as f64) / listeners,
        memory_bytes: full.memory_bytes,
        cpu_per_join_us: us(empty, full) / listeners,
        cpu_per_listener_us_per_s: stayed_us / listeners / seconds,
        cpu_per_packet_us: stayed_us / stay.packets as f64,
        cores: stayed_us / 1e6 / seconds,
    })
}
