//! `mitalk admin sunset ...`: when the service ends.

use super::super::super::table::facts;
use super::super::super::when::{milliseconds, shown};
use super::super::Answer;
use crate::client::AdminClient;
use crate::wire::admin::Sunset;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(in super::super) enum SunsetCommand {
    /// Show when the service ends; after that hour, how far the deletion of everybody is
    Show,
    /// Announce when the service ends. Exports stay open until that hour; from it on nobody signs in, no room is opened, and
    /// all accounts are deleted
    Set {
        /// In RFC 3339, like 2027-06-30T12:00:00+02:00
        time: String,
    },
    /// Take the announcement back; not after the hour
    Cancel,
}

impl SunsetCommand {
    pub(super) async fn run(self, client: &AdminClient) -> anyhow::Result<Answer> {
        let sunset = match self {
            Self::Show => client.sunset().await?,
            Self::Set { time } => client.set_sunset(milliseconds(&time)?).await?,
            Self::Cancel => client.cancel_sunset().await?,
        };
        Answer::new(text(&sunset), &sunset)
    }
}

fn text(sunset: &Sunset) -> String {
    let Some(at_ms) = sunset.at_ms else {
        return "no end is announced\n".to_owned();
    };
    let mut lines = vec![("the service ends", shown(at_ms))];
    if let Some(purge) = &sunset.purge {
        lines.push(("accounts deleted", purge.deleted.to_string()));
        lines.push(("found left by this pass", purge.left.to_string()));
        lines.push(("pass", purge.pass.to_string()));
        lines.push((
            "nobody left",
            purge.done_at_ms.map_or_else(|| "not yet".to_owned(), shown),
        ));
    }
    facts(&lines)
}
