//! The stage of every scenario: somebody honest who talks, somebody who listens, and a cheat between them.

use anyhow::Context;
use mitalk::wire::rooms::{CreateRoom, HandRaising, Moderation, Visibility};
use mitalk_load::people::Person;
use mitalk_tests::light::{Session, Talk};
use mitalk_tests::server::{Server, until};

/// Who talks honestly, in frames.
pub(crate) const HONEST: u32 = 0;
/// Who cheats, in frames.
pub(crate) const CHEAT: u32 = 1;
/// Half a second: what was sent before it has long been heard when the honest one has gone on for so long.
const AFTERWARDS: u32 = 25;

/// Packets of people who may not speak.
const REFUSED: &str = "mitalk_media_packets_refused_total{reason=\"rights\"}";

pub(crate) struct Stage {
    /// Runs as long as this is there.
    server: Server,
    pub(crate) room: String,
    /// The honest speaker.
    pub(crate) moderator: Person,
    pub(crate) cheat: Person,
    pub(crate) listener: Session,
    pub(crate) honest: Session,
    pub(crate) talk: Talk,
}

impl Stage {
    /// A room in which the moderator talks and is heard; the cheat has not joined yet.
    pub(crate) async fn set() -> anyhow::Result<Self> {
        let server = Server::start(&["admin.test_admission=true"]).await?;
        let [moderator, listener, cheat] = server.people().await?;
        let create = CreateRoom {
            title: "Honesty".to_owned(),
            topics: Vec::new(),
            language: None,
            visibility: Visibility::Open,
            hand_raising: HandRaising::Everyone,
        };
        let room = moderator.client.create_room(&create, "honesty").await?.id;
        let honest = Session::join(&moderator, &room, None).await?;
        moderator.client.mute(&room, false).await?;
        let talk = honest.talk(HONEST, 0);
        let listener = Session::join(&listener, &room, None).await?;
        listener
            .hears("the moderator", |ear| !ear.frames.is_empty())
            .await?;
        Ok(Self {
            server,
            room,
            moderator,
            cheat,
            listener,
            honest,
            talk,
        })
    }

    /// The cheat joins, is invited on stage, and unmutes: for now they may be heard.
    pub(crate) async fn cheat_on_stage(&self) -> anyhow::Result<Session> {
        let session = Session::join(&self.cheat, &self.room, None).await?;
        self.invite().await?;
        Ok(session)
    }

    /// Brings the cheat, who has joined, on stage and lets them unmute.
    pub(crate) async fn invite(&self) -> anyhow::Result<()> {
        self.moderate(Moderation::InviteToStage).await?;
        self.cheat
            .client
            .answer_stage(&self.room, true)
            .await
            .context("coming on stage")?;
        self.cheat
            .client
            .mute(&self.room, false)
            .await
            .context("unmuting")?;
        Ok(())
    }

    /// How many packets the server has decrypted and refused, because their sender may not speak. All that had come in
    /// when this was called are counted.
    pub(crate) async fn refused(&self) -> anyhow::Result<u64> {
        // The honest one talks on, so each time that the server publishes its counts another one stands there.
        let mut before = self.metric("mitalk_media_packets_in_total").await?;
        for _ in 0..2 {
            before = until("the server to publish its counts", async || {
                let now = self.metric("mitalk_media_packets_in_total").await.ok()?;
                (now != before).then_some(now)
            })
            .await;
        }
        self.metric(REFUSED).await
    }

    async fn metric(&self, name: &str) -> anyhow::Result<u64> {
        Ok(self.server.metric(name).await?.unwrap_or(0.0) as u64)
    }

    /// Waits until so many packets were refused since `before`: they have come in, and it was the right that they lacked.
    pub(crate) async fn were_refused(&self, packets: u32, before: u64) -> anyhow::Result<()> {
        until("packets to be refused for want of the right", async || {
            let refused = self.metric(REFUSED).await.ok()?;
            (refused >= before + u64::from(packets)).then_some(())
        })
        .await;
        Ok(())
    }

    pub(crate) async fn moderate(&self, action: Moderation) -> anyhow::Result<()> {
        self.moderator
            .client
            .moderate(&self.room, &self.cheat.user, action)
            .await?;
        Ok(())
    }

    /// Waits until the listener hears the cheat, whose next frame is `from` or later.
    pub(crate) async fn cheat_is_heard(&self, from: u32) -> anyhow::Result<()> {
        let heard = |ear: &mitalk_tests::light::Ear| {
            ear.frames
                .iter()
                .any(|heard| heard.frame.speaker == CHEAT && heard.frame.counter >= from)
        };
        self.listener.hears("the cheat, who may speak", heard).await
    }

    /// Lets half a second of honest talk go by, which carries everything to the listener that was sent before. Then no
    /// frame of the cheat's from `first` on may have been heard, and none of the honest one's may be missing.
    #[allow(clippy::print_stdout, reason = "figures are for people to look at")]
    pub(crate) async fn nothing_of_the_cheat(&mut self, first: u32) -> anyhow::Result<()> {
        let last = self.talk.goes_on(AFTERWARDS).await? - 1;
        let arrived = |ear: &mitalk_tests::light::Ear| {
            ear.frames
                .iter()
                .any(|heard| heard.frame.speaker == HONEST && heard.frame.counter >= last - 1)
        };
        self.listener.hears("the honest speaker go on", arrived).await?;
        let ear = self.listener.ear().clone();
        let of = |speaker| {
            let frames = ear
                .frames
                .iter()
                .filter(move |heard| heard.frame.speaker == speaker);
            frames.map(|heard| heard.frame.counter).collect::<Vec<_>>()
        };
        let cheated: Vec<_> = of(CHEAT)
            .into_iter()
            .filter(|counter| *counter >= first)
            .collect();
        assert!(
            cheated.is_empty(),
            "the cheat was heard with frames {cheated:?}, which begin at {first}"
        );
        assert!(ear.foreign.is_empty(), "payloads of nobody's");
        let honest = of(HONEST);
        let gaps: Vec<_> = honest.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
        assert!(
            gaps.is_empty(),
            "the honest speaker was not heard throughout: {gaps:?}"
        );
        println!(
            "{} honest frames heard without a gap, none of the cheat's from {first} on",
            honest.len()
        );
        Ok(())
    }
}
