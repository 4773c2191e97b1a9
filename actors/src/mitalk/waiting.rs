//! Coming in: what is tried whenever a waiting person is here.
//!
//! Sign-up, the account page and a live socket all end in [`Mitalk::settle_waiting`]: by invite if the phase lets invites
//! in, by the allow-list, because the phase is open, or else with a ticket. So a sign-up that was cut off, a phase that
//! changed, a number that was allowed and an invite that came while waiting all need nothing of their own.

use super::Mitalk;
use crate::error::{Trouble, refusal};
use crate::id::InviteId;
use crate::invite::{self, Invite};
use crate::person::Standing;
use crate::phase::{self, Admits, Entrance, Phase, entrance};
use crate::user::{self, Admitted, Refusal, Summary, User};
use mitalk_cluster::{BootInstant, Call};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The phase is asked again after so long: it is read for every waiting person who looks.
const PHASE_FOR: Duration = Duration::from_secs(1);

/// The phase as this node last saw it.
#[derive(Default)]
pub(super) struct PhaseCache(Mutex<Option<(BootInstant, Admits)>>);

impl PhaseCache {
    pub(super) fn put(&self, at: BootInstant, admits: Admits) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, admits));
    }

    fn get(&self, now: BootInstant) -> Option<Admits> {
        let cached = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached
            .filter(|(at, _)| now.since(*at) < PHASE_FOR)
            .map(|(_, admits)| admits)
    }
}

impl Mitalk {
    /// Lets a waiting person in if they may, else gives them a ticket; whoever does not wait stays as they are.
    pub(super) async fn settle_waiting(&self, account: Summary, call: &Call) -> Result<Summary, Trouble> {
        if account.standing != Standing::Waiting {
            return Ok(account);
        }
        let phase = self.current_phase(call).await?;
        let allowed = self
            .allow_list
            .find(&account.phone)
            .await?
            .is_some_and(|entry| entry.enabled);
        if entrance(phase, allowed, !account.offered.is_empty()) == Some(Entrance::Invite) {
            for invite in &account.offered {
                if let Some(account) = self.come_in_by(&account, *invite, call).await? {
                    return Ok(account);
                }
            }
        }
        let how = match entrance(phase, allowed, false) {
            Some(Entrance::AllowList) => Admitted::AllowList,
            Some(Entrance::Open | Entrance::Invite) => Admitted::Open,
            None if account.queued => return Ok(account),
            None => {
                self.tell_waiting(&account, user::Command::Queue, call).await?;
                return Ok(Summary {
                    queued: true,
                    ..account
                });
            }
        };
        let admitted = self
            .tell_waiting(&account, user::Command::Admit { how }, call)
            .await?;
        Ok(admitted.unwrap_or(account))
    }

    pub(super) async fn current_phase(&self, call: &Call) -> Result<Admits, Trouble> {
        if let Some(admits) = self.phase.get(self.clock.boot()) {
            return Ok(admits);
        }
        match self
            .cluster
            .ask::<Phase>(phase::KEY, phase::Command::Read, call.clone())
            .await
        {
            Ok(reply) => {
                self.phase.put(self.clock.boot(), reply.admits);
                Ok(reply.admits)
            }
            Err(error) => match refusal(error)? {},
        }
    }

    /// Takes an invite that the person holds. The account is told at once, and again by the invite's own outbox.
    async fn come_in_by(
        &self,
        account: &Summary,
        invite: InviteId,
        call: &Call,
    ) -> Result<Option<Summary>, Trouble> {
        let accept = invite::Command::Accept { by: account.user };
        let terms = match self
            .cluster
            .ask::<Invite>(&invite.to_string(), accept, call.clone())
            .await
        {
            Ok(invite::Reply(terms)) => terms,
            Err(error) => {
                let (invite::Refusal::NotFound | invite::Refusal::NotPending) = refusal(error)?;
                self.tell_waiting(account, user::Command::DropOffer { invite }, call)
                    .await?;
                return Ok(None);
            }
        };
        let redeem = user::Command::Redeem {
            invite,
            inviter: terms.inviter,
        };
        let told = self.tell_waiting(account, redeem, call).await?;
        Ok(told.filter(|account| account.standing == Standing::Active))
    }

    /// Tells an account that is known to exist something; its answer, if it is all of the account.
    async fn tell_waiting(
        &self,
        account: &Summary,
        command: user::Command,
        call: &Call,
    ) -> Result<Option<Summary>, Trouble> {
        match self
            .cluster
            .ask::<User>(&account.user.to_string(), command, call.clone())
            .await
        {
            Ok(user::Reply::Account(account)) => Ok(Some(*account)),
            Ok(_) => Ok(None),
            Err(error) => match refusal(error)? {
                // Stopped a moment ago: they stay outside.
                Refusal::Suspended => Ok(None),
                // It was there a moment ago, and none of these commands is refused for another reason.
                _ => Err(Trouble::Corrupt),
            },
        }
    }
}
