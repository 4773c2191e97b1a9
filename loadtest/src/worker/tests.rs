use super::*;
use crate::ear::{Ear, Speaker};
use crate::peer::Voice;
use crate::socket;
use mitalk_media::light::{Client, Identity, candidates};
use mitalk_media::{Config, Engine, Handle, Join, Metrics, Rights, RoomKey, SessionKey, StageNumber};
use std::sync::Arc;

const RUN: u32 = 9;
const LISTENERS: u64 = 20;
const SPEAKERS: u32 = 3;

struct Room {
    media: Handle,
    worker: Worker,
    identity: Arc<Identity>,
    epoch: Instant,
}

impl Room {
    async fn join(&self, session: u64, rights: Rights, role: Role) -> anyhow::Result<()> {
        let mut client = Client::new(&self.identity, 3, &mut rand::rng(), Instant::now());
        let (room, session, grace) = (RoomKey(1), SessionKey(session), Duration::from_secs(30));
        let join = Join {
            room,
            session,
            rights,
            offer: client.offer(),
            grace,
        };
        let answer = self.media.join(join).await?;
        let server = candidates(&answer.sdp)[0];
        client.accept(&answer.sdp, Instant::now())?;
        self.worker.add(Peer {
            client,
            socket: socket::connect(server)?,
            server,
            role,
        })?;
        Ok(())
    }

    async fn speaker(&self, speaker: u32) -> anyhow::Result<()> {
        let (connected, up) = oneshot::channel();
        let voice = Voice::new(RUN, speaker, self.epoch, connected);
        let rights = Rights::Speak(StageNumber(100 + speaker));
        self.join(1000 + u64::from(speaker), rights, Role::Speaker(voice))
            .await?;
        up.await?;
        Ok(())
    }
}

/// Three who talk and twenty who listen, all of them connected.
async fn room(engine: &Engine) -> anyhow::Result<Room> {
    let (epoch, identity) = (Instant::now(), Identity::new()?);
    let room = Room {
        media: engine.handle(),
        worker: Worker::start(epoch)?,
        identity,
        epoch,
    };
    for speaker in 0..SPEAKERS {
        room.speaker(speaker).await?;
    }
    let speakers: Vec<_> = (0..SPEAKERS)
        .map(|index| Speaker {
            index,
            number: 100 + index,
        })
        .collect();
    for listener in 0..LISTENERS {
        let (first_audio, heard) = oneshot::channel();
        let ear = Ear::new(RUN, 3, speakers.clone());
        room.join(
            listener,
            Rights::Listen,
            Role::Listener {
                ear,
                first_audio: Some(first_audio),
            },
        )
        .await?;
        heard.await?;
    }
    Ok(room)
}

impl Room {
    /// Waits until the listeners have heard so many more packets.
    async fn listen(&self, packets: u64) -> anyhow::Result<()> {
        let goal = self.worker.look(Vec::new()).await?.heard.packets + packets;
        while self.worker.look(Vec::new()).await?.heard.packets < goal {
            tokio::time::sleep(TICK).await;
        }
        Ok(())
    }

    /// Silences the speakers, waits until all that was sent has come, and judges.
    async fn end(&self) -> anyhow::Result<Tally> {
        let mut sent = vec![None; SPEAKERS as usize];
        for said in self.worker.hush().await? {
            sent[said.speaker as usize] = said.last;
        }
        while self.worker.look(sent.clone()).await?.behind > 0 {
            tokio::time::sleep(TICK).await;
        }
        let tally = self.worker.finish(sent).await?;
        println!("{:?}, {:?}", tally.heard, tally.latency.spread());
        Ok(tally)
    }
}

fn engine() -> anyhow::Result<Engine> {
    let config = Config {
        bind: vec!["127.0.0.1:0".parse()?],
        ..Config::default()
    };
    let (engine, mut events) = Engine::start(config, Metrics::register(&prometheus::Registry::new())?)?;
    tokio::spawn(async move { while events.next().await.is_some() {} });
    Ok(engine)
}

#[tokio::test]
async fn listeners_hear_every_frame_of_every_speaker() -> anyhow::Result<()> {
    let engine = engine()?;
    let room = room(&engine).await?;
    room.listen(LISTENERS * 100).await?;
    let tally = room.end().await?;
    assert!(tally.heard.clean() && tally.dropped == 0, "{tally:?}");
    Ok(())
}

#[tokio::test]
async fn a_listener_who_is_cut_off_is_noticed() -> anyhow::Result<()> {
    let engine = engine()?;
    let room = room(&engine).await?;
    room.media.leave(SessionKey(0))?;
    room.listen(LISTENERS * 100).await?;
    let tally = room.end().await?;
    assert_eq!(tally.dropped, 1);
    assert!(tally.heard.lost_audio() > 0, "{tally:?}");
    Ok(())
}
