//! What people do, turn by turn.

use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use mitalk::client::{Client, Error};
use mitalk::sms::{Line, receiver};
use mitalk::wire::auth::VerifyRequest;
use mitalk::wire::invites::InviteRequest;
use mitalk::wire::people::ProfilePatch;
use mitalk::wire::rooms::CreateRoom;
use mitalk_actors::number::PhoneNumber;
use mitalk_tests::light::Session;

use super::{AGAIN, PATIENCE, Worker, is_busy};

/// Turns after which a person begins anew.
const ROUND: usize = 10;
/// As many as the product lets somebody have open.
const MOST_INVITES: usize = 100;
/// Numbers of this form are nobody's; the digits that follow are the person's and the turn's.
const NEW_NUMBER: &str = "+49152";

pub(super) fn room(title: &str) -> CreateRoom {
    CreateRoom {
        title: title.to_owned(),
        topics: vec!["faults".into()],
        language: None,
        visibility: Default::default(),
        hand_raising: Default::default(),
    }
}

impl Worker {
    pub(super) async fn turn(&mut self, turn: usize) -> Result<()> {
        // Each person walks over all others once, beginning behind themselves.
        let (follows, everybody) = (turn / 2, self.common.everybody.len());
        match turn % ROUND {
            1 => self.hand().await,
            3 => self.sign_up(turn).await,
            5 if self.worked.invites.len() < MOST_INVITES => self.invite(turn).await,
            9 => self.room(turn).await,
            even if even % 2 == 0 && follows + 1 < everybody => {
                let whom = (self.number + follows + 1) % everybody;
                self.follow(self.common.everybody[whom].clone()).await
            }
            _ => self.headline(turn).await,
        }
    }

    async fn follow(&mut self, whom: String) -> Result<()> {
        let command = |client: Client| {
            let whom = whom.clone();
            async move { client.follow(&whom).await }
        };
        self.insist(command).await?;
        self.worked.follows.push(whom);
        Ok(())
    }

    async fn headline(&mut self, turn: usize) -> Result<()> {
        let headline = format!("Turn {turn}");
        let patch = ProfilePatch {
            headline: Some(headline.clone()),
            ..ProfilePatch::default()
        };
        self.insist(async |client| client.patch_profile(&patch).await)
            .await?;
        self.worked.headline = Some(headline);
        Ok(())
    }

    /// Asked for twice with one key: the second answer is the first one.
    async fn room(&mut self, turn: usize) -> Result<()> {
        let request = room(&format!("Room {turn}"));
        let key = format!("room-{}-{turn}", self.number);
        for _ in 0..2 {
            let command = |client: Client| {
                let (request, key) = (request.clone(), key.clone());
                async move { client.create_room(&request, &key).await }
            };
            let room = self.insist(command).await?;
            self.worked.rooms.push((key.clone(), room.id));
        }
        Ok(())
    }

    /// Spends one of the quota, asked for twice with one key.
    async fn invite(&mut self, turn: usize) -> Result<()> {
        let phone = number(1, self.number, turn);
        let key = format!("invite-{}-{turn}", self.number);
        for _ in 0..2 {
            let command = |client: Client| {
                let (request, key) = (InviteRequest::Phone { phone: phone.clone() }, key.clone());
                async move { client.invite(&request, &key).await }
            };
            let invite = self.insist(command).await?;
            self.worked.invites.push((key.clone(), invite.id));
        }
        self.worked.invited.push(phone);
        Ok(())
    }

    /// A new number, by as many codes as it takes: a code, or the answer to it, may die with the service.
    async fn sign_up(&mut self, turn: usize) -> Result<()> {
        let phone = number(2, self.number, turn);
        let (begun, mut used) = (Instant::now(), 0);
        while begun.elapsed() < PATIENCE {
            match self.ask(async |client| client.send_code(&phone).await).await? {
                Err(Error::Problem(problem)) if problem.code == "code_rate_limited" => {}
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
            let Some(code) = self.newest_code(&phone, &mut used)? else {
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            let request = VerifyRequest {
                phone: phone.clone(),
                code,
                device_name: Some("Faults".to_owned()),
                invite: None,
            };
            match self.ask(async |client| client.verify(&request).await).await? {
                Ok(signed_in) => {
                    self.worked.signed_up.push((phone, signed_in.me.id));
                    return Ok(());
                }
                // An attempt without an answer may have been carried out: that used the code up.
                Err(Error::Problem(problem)) if problem.status == 401 => {}
                Err(error) => return Err(error.into()),
            }
        }
        bail!("no sign-up in {PATIENCE:?}")
    }

    fn newest_code(&self, phone: &str, used: &mut usize) -> Result<Option<String>> {
        let to = receiver(&PhoneNumber::parse(phone)?);
        let text = std::fs::read_to_string(&self.common.texts)?;
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let codes: Vec<String> = lines
            .filter(|line| line.to == to)
            .filter_map(|line| line.code)
            .collect();
        let is_new = codes.len() > *used;
        *used = codes.len();
        Ok(codes.into_iter().next_back().filter(|_| is_new))
    }

    /// Raises a hand in the common room, sees it there, and lowers it. The first person runs the room and has none.
    async fn hand(&mut self) -> Result<()> {
        if self.session.is_none() && !self.enter().await? {
            return Ok(());
        }
        if self.number == 0 {
            return Ok(());
        }
        let room = self.common.hands.clone();
        match self.ask(async |client| client.raise_hand(&room).await).await? {
            Ok(ack) => ensure!(ack.hand.is_some(), "a raised hand has a place: {ack:?}"),
            Err(error) => return self.sent_out(error),
        }
        match self.ask(async |client| client.lower_hand(&room).await).await? {
            Ok(ack) => ensure!(ack.hand.is_none(), "a lowered hand has none: {ack:?}"),
            Err(error) => return self.sent_out(error),
        }
        self.worked.hands += 1;
        Ok(())
    }

    /// Joins the room of hands; false if it is over.
    async fn enter(&mut self) -> Result<bool> {
        let begun = Instant::now();
        loop {
            let mut person = self.person.clone();
            person.client = self.client()?;
            let error = match Session::join(&person, &self.common.hands, None).await {
                Ok(session) => {
                    self.session = Some(session);
                    return Ok(true);
                }
                Err(error) => error,
            };
            match error.downcast_ref::<Error>() {
                Some(Error::Problem(problem)) if problem.code == "room_ended" => return Ok(false),
                Some(refused) if !is_busy(refused) => return Err(error.context("joining")),
                _ if begun.elapsed() > PATIENCE => return Err(error.context("joining takes too long")),
                _ => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Who is not in the room any more comes back at their next turn.
    fn sent_out(&mut self, error: Error) -> Result<()> {
        self.session = None;
        let code = error.code().context("a problem document")?;
        ensure!(
            matches!(code, "not_in_room" | "session_not_found" | "room_ended"),
            "refused with {code}"
        );
        Ok(())
    }
}

fn number(kind: u32, person: usize, turn: usize) -> String {
    format!("{NEW_NUMBER}{kind}{person:02}{turn:05}")
}
