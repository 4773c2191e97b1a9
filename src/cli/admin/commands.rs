//! What operators can do, and how the answers look.

mod allow_list;
mod dlq;
mod sunset;
mod vapid;

use super::super::table::{facts, table};
use super::super::when;
use super::Answer;
use super::copy::Copy;
use crate::client::AdminClient;
use crate::wire::admin::{Admit, Phase};
use allow_list::AllowListCommand;
use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use dlq::{AuditCommand, DlqCommand};
use sunset::SunsetCommand;
use vapid::VapidCommand;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Who becomes active on sign-up
    Phase {
        #[command(subcommand)]
        what: PhaseCommand,
    },
    /// When the service ends: everybody is told, and deleted from that hour on
    Sunset {
        #[command(subcommand)]
        what: SunsetCommand,
    },
    /// Numbers that may come in before the service is open
    AllowList {
        #[command(subcommand)]
        what: AllowListCommand,
    },
    /// People who wait, and letting them in
    Waitlist {
        #[command(subcommand)]
        what: WaitlistCommand,
    },
    /// One person's account
    User {
        #[command(subcommand)]
        what: UserCommand,
    },
    /// Invites of a person
    Invites {
        #[command(subcommand)]
        what: InvitesCommand,
    },
    /// Live rooms
    Rooms {
        #[command(subcommand)]
        what: RoomsCommand,
    },
    /// Dead letters: events that could not be dealt with
    Dlq {
        #[command(subcommand)]
        what: DlqCommand,
    },
    /// Move a stopped service from its file to a CQL cluster and Kafka
    Copy(Copy),
    /// What was done by whom
    Audit {
        #[command(subcommand)]
        what: AuditCommand,
    },
    /// Web Push: the keys of this data directory, which push services know the service by
    Vapid {
        #[command(subcommand)]
        what: VapidCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PhaseCommand {
    /// Show the phase
    Get,
    /// Change the phase; `open` admits everybody who waits
    Set {
        /// The new phase
        phase: PhaseName,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum PhaseName {
    /// Numbers on the allow-list that are registered and enabled
    Employees,
    /// The allow-list, people holding an invite, and whom operators admit
    ClosedTest,
    /// Everyone
    Open,
}

#[derive(Debug, Subcommand)]
pub(super) enum WaitlistCommand {
    /// Show how many wait
    Show,
    /// Let people in; in the phase `employees` only the allow-list does
    #[command(override_usage = "mitalk admin waitlist admit --next N (or --phone, --user, --per-hour)")]
    Admit(AdmitArgs),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct AdmitArgs {
    /// The next N people
    #[arg(long, value_name = "N")]
    next: Option<u64>,
    /// The person with this number
    #[arg(long, value_name = "NUMBER")]
    phone: Option<String>,
    /// The person with this id
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// N people per hour from now on; 0 stops it
    #[arg(long, value_name = "N")]
    per_hour: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Show an account
    Show {
        /// Id or number
        who: String,
    },
    /// Stop an account; all its devices are signed out
    Suspend {
        /// Id or number
        who: String,
    },
    /// Let a stopped account go on
    Restore {
        /// Id or number
        who: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum InvitesCommand {
    /// List the invites that somebody gave
    List {
        /// Their id
        user: String,
    },
    /// Give somebody more invites to give
    Grant {
        /// Their id
        user: String,
        /// How many more
        count: u32,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum RoomsCommand {
    /// List the live rooms
    List,
    /// End a room
    Stop {
        /// Its id
        room: String,
    },
}

impl Action {
    pub(super) async fn run(self, client: &AdminClient) -> anyhow::Result<Answer> {
        match self {
            Self::Phase { what } => what.run(client).await,
            Self::Sunset { what } => what.run(client).await,
            Self::AllowList { what } => what.run(client).await,
            Self::Waitlist { what } => what.run(client).await,
            Self::User { what } => what.run(client).await,
            Self::Invites { what } => what.run(client).await,
            Self::Rooms { what } => what.run(client).await,
            Self::Dlq { what } => what.run(client).await,
            Self::Audit { what } => what.run(client).await,
            // Needs no service, so it was run before there was a client.
            Self::Copy(_) => Ok(Answer::nothing()),
            Self::Vapid { .. } => bail!("this is done here, without asking a service"),
        }
    }
}

impl PhaseCommand {
    async fn run(self, client: &AdminClient) -> anyhow::Result<Answer> {
        let phase = match self {
            Self::Get => client.phase().await?,
            Self::Set { phase } => {
                let phase = match phase {
                    PhaseName::Employees => Phase::Employees,
                    PhaseName::ClosedTest => Phase::ClosedTest,
                    PhaseName::Open => Phase::Open,
                };
                client.set_phase(phase).await?;
                phase
            }
        };
        let text = match phase {
            Phase::Employees => "employees: enabled numbers of the allow-list come in",
            Phase::ClosedTest => "closed_test: the allow-list and people holding an invite come in",
            Phase::Open => "open: everyone comes in",
        };
        Answer::new(format!("{text}\n"), &serde_json::json!({ "phase": phase }))
    }
}

impl WaitlistCommand {
    async fn run(self, client: &AdminClient) -> anyhow::Result<Answer> {
        if let Self::Admit(args) = self {
            // The same command given twice admits twice: each run has a key of its own.
            client.admit(&args.admit()?, &fresh_key()).await?;
        }
        let waitlist = client.waitlist().await?;
        let mut shown = vec![
            ("waiting", waitlist.waiting.to_string()),
            ("admitted by number", waitlist.admitted.to_string()),
        ];
        if waitlist.owed > 0 {
            shown.push(("being admitted", waitlist.owed.to_string()));
        }
        if waitlist.per_hour > 0 {
            shown.push(("admitted per hour", waitlist.per_hour.to_string()));
        }
        Answer::new(facts(&shown), &waitlist)
    }
}

impl AdmitArgs {
    fn admit(self) -> anyhow::Result<Admit> {
        match (self.next, self.phone, self.user, self.per_hour) {
            (Some(next), ..) => Ok(Admit::Count(next)),
            (_, Some(phone), ..) => Ok(Admit::Phone(phone)),
            (_, _, Some(user), _) => Ok(Admit::User(user)),
            (.., Some(rate)) => Ok(Admit::PerHour(rate)),
            _ => bail!("say whom to admit: --next N, --phone NUMBER, --user ID or --per-hour N"),
        }
    }
}

impl UserCommand {
    async fn run(self, client: &AdminClient) -> anyhow::Result<Answer> {
        let who = match &self {
            Self::Show { who } => who,
            Self::Suspend { who } => {
                client.suspend(who, true).await?;
                who
            }
            Self::Restore { who } => {
                client.suspend(who, false).await?;
                who
            }
        };
        let account = client.account(who).await?;
        let profile = &account.me.profile;
        let deletion = account.me.deletion_at_ms.map(when::shown);
        let text = facts(&[
            ("id", account.me.id.clone()),
            ("standing", format!("{:?}", account.me.standing).to_lowercase()),
            ("handle", profile.handle.clone().unwrap_or_else(|| "-".to_owned())),
            ("name", profile.name.clone()),
            ("number", account.phone_hint.clone()),
            ("devices", account.devices.to_string()),
            ("invites left", account.me.invites_left.to_string()),
            ("room", account.me.room.clone().unwrap_or_else(|| "-".to_owned())),
            ("to be deleted", deletion.unwrap_or_else(|| "-".to_owned())),
        ]);
        Answer::new(text, &account)
    }
}

impl InvitesCommand {
    async fn run(self, client: &AdminClient) -> anyhow::Result<Answer> {
        match self {
            Self::List { user } => {
                let invites = client.invites_of(&user).await?;
                let rows: Vec<_> = invites
                    .invites
                    .iter()
                    .map(|invite| {
                        let to = invite.phone_hint.clone().unwrap_or_else(|| "link".to_owned());
                        let by = invite.accepted_by.as_ref().map(|person| person.id.clone());
                        let status = format!("{:?}", invite.status).to_lowercase();
                        vec![
                            invite.id.clone(),
                            status,
                            to,
                            by.unwrap_or_else(|| "-".to_owned()),
                        ]
                    })
                    .collect();
                let list = table(&["invite", "status", "to", "accepted by"], &rows, "no invites");
                Answer::new(format!("{list}left to give: {}\n", invites.left), &invites)
            }
            Self::Grant { user, count } => {
                let granted = client.grant_invites(&user, count, &fresh_key()).await?;
                Answer::new(format!("left to give: {}\n", granted.left), &granted)
            }
        }
    }
}

impl RoomsCommand {
    async fn run(self, client: &AdminClient) -> anyhow::Result<Answer> {
        match self {
            Self::List => {
                let rooms = client.rooms().await?;
                let rows: Vec<_> = rooms
                    .rooms
                    .iter()
                    .map(|room| {
                        vec![
                            room.id.clone(),
                            room.stage_count.to_string(),
                            room.audience_count.to_string(),
                            format!("{:?}", room.visibility).to_lowercase(),
                            room.title.clone(),
                        ]
                    })
                    .collect();
                let list = table(
                    &["room", "stage", "audience", "visibility", "title"],
                    &rows,
                    "no live rooms",
                );
                Answer::new(list, &rooms)
            }
            Self::Stop { room } => {
                client.stop_room(&room).await?;
                Answer::done("stopped")
            }
        }
    }
}

fn fresh_key() -> String {
    format!("{:032x}", rand::random::<u128>())
}
