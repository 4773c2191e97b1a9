//! Opens rooms and brings their speakers on stage, by the API that everybody uses.

use crate::ear::Speaker;
use crate::media::Media;
use crate::peer::{Role, Voice};
use crate::people::Person;
use anyhow::Context;
use mitalk::wire::rooms::{CreateRoom, HandRaising, Moderation, Visibility};
use std::time::Duration;
use tokio::sync::oneshot;

/// Speakers are few and come one after the other; one who is not connected by then never will be.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// A room in which everybody on stage talks.
#[derive(Debug)]
pub struct Room {
    /// Opaque.
    pub id: String,
    /// Whom its listeners should hear.
    pub speakers: Vec<Speaker>,
    moderator: Person,
}

/// What the rooms of a run have in common.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// Joins the speakers.
    pub media: &'a Media,
    /// Names the run in every frame.
    pub run: u32,
}

impl Stage<'_> {
    /// Opens a room. The first of `people` moderates; the first of its speakers has this index in the run.
    ///
    /// # Errors
    /// Those of the API, or a speaker who is not connected.
    pub async fn open(&self, title: &str, people: Vec<Person>, first_index: u32) -> anyhow::Result<Room> {
        let mut people = people.into_iter();
        let moderator = people.next().context("a room needs a speaker")?;
        let create = CreateRoom {
            title: title.to_owned(),
            topics: Vec::new(),
            language: None,
            visibility: Visibility::Open,
            hand_raising: HandRaising::Off,
        };
        let key = format!("load-{}-{first_index}", self.run);
        let room = moderator
            .client
            .create_room(&create, &key)
            .await
            .context("no room")?
            .id;
        self.speak(&moderator, &room, first_index).await?;
        let mut users = vec![moderator.user.clone()];
        for (index, person) in (first_index + 1..).zip(people) {
            self.listen_then_speak(&moderator, &person, &room, index).await?;
            users.push(person.user);
        }
        let snapshot = moderator.client.room(&room).await?;
        let speakers = (first_index..).zip(&users).map(|(index, user)| {
            let member = snapshot.stage.iter().find(|member| member.person.id == *user);
            Some(Speaker {
                index,
                number: member?.number,
            })
        });
        let speakers = speakers
            .collect::<Option<_>>()
            .context("a speaker is not on stage")?;
        Ok(Room {
            id: room,
            speakers,
            moderator,
        })
    }

    /// Joins as somebody of the audience, is invited, and comes.
    async fn listen_then_speak(
        &self,
        moderator: &Person,
        person: &Person,
        room: &str,
        index: u32,
    ) -> anyhow::Result<()> {
        self.connect(person, room, index).await?;
        moderator
            .client
            .moderate(room, &person.user, Moderation::InviteToStage)
            .await?;
        person
            .client
            .answer_stage(room, true)
            .await
            .context("coming on stage")?;
        person.client.mute(room, false).await.context("unmuting")?;
        Ok(())
    }

    async fn speak(&self, person: &Person, room: &str, index: u32) -> anyhow::Result<()> {
        self.connect(person, room, index).await?;
        person.client.mute(room, false).await.context("unmuting")?;
        Ok(())
    }

    /// What is said before the stage gives the right to speak is dropped by the server, and heard by nobody.
    async fn connect(&self, person: &Person, room: &str, index: u32) -> anyhow::Result<()> {
        let (connected, up) = oneshot::channel();
        let voice = Voice::new(self.run, index, self.media.epoch, connected);
        self.media
            .join(person, room, Role::Speaker(voice), None)
            .await
            .context("a speaker can not join")?;
        let up = tokio::time::timeout(CONNECT_TIMEOUT, up).await;
        up.context("a speaker was not connected in time; is the server's UDP port reachable?")??;
        Ok(())
    }
}

impl Room {
    /// Ends the room for all.
    ///
    /// # Errors
    /// Those of the API.
    pub async fn end(mut self) -> anyhow::Result<()> {
        self.moderator.stay_signed_in().await?;
        self.moderator.client.end_room(&self.id).await?;
        Ok(())
    }
}
