//! Every command's decision. This file matches and delegates; the rules are in the files below, one per family.
//!
//! Order of checks everywhere: the room lives, the one who asks may ask, it is so already (a repeat: nothing changes),
//! it can not be, a limit is reached.

mod hands;
mod life;
mod moderation;
mod presence;
mod stage;

use super::{Command, Cut, Refusal, Room, Scene, State};
use crate::id::UserId;
use mitalk_cluster::{Context, Decision};

type Decided = Result<Decision<Room>, Refusal>;

pub(super) fn decide(state: &State, command: Command, cx: &Context) -> Decided {
    match command {
        Command::Open {
            room,
            by,
            settings,
            limits,
        } => life::open(state, room, by, settings, limits, cx),
        Command::Amend { by, patch } => life::amend(state, by, patch, cx),
        Command::RenewLink { by, old } => life::renew_link(state, by, old, cx),
        Command::Ping { by, user } => life::ping(state, by, user, cx),
        Command::End { by } => life::end(state, by, cx),
        Command::EndEmpty => life::end_empty(state, cx),
        Command::RaiseHand { user, followed } => hands::raise(state, user, followed, cx),
        Command::LowerHand { user } => hands::lower(state, user, cx),
        Command::AnswerHand { by, user, accept } => hands::answer(state, by, user, accept, cx),
        Command::InviteToStage { by, user } => stage::invite(state, by, user, cx),
        Command::CancelInvitation { by, user } => stage::cancel(state, by, user, cx),
        Command::AnswerInvitation { user, accept } => stage::answer(state, user, accept, cx),
        Command::Unmute { user } => stage::unmute(state, user, cx),
        Command::MakeModerator { by, user } => stage::promote(state, by, user, cx),
        Command::Mute { by, user } => moderation::mute(state, by, user, cx),
        Command::MoveBack { by, user } => moderation::move_back(state, by, user, cx),
        Command::Remove { by, user, request } => moderation::remove(state, by, user, request, cx),
        Command::Ban { by, user } => moderation::ban(state, by, user, cx),
        Command::Look => presence::look(state, cx),
        Command::Register { node } => presence::register(state, node, cx),
        Command::Report {
            node,
            audience,
            holders,
        } => presence::report(state, node, audience, holders, cx),
        Command::Part { node } => presence::part(state, node, cx),
        Command::Leave { user, presence } => presence::leave(state, user, &presence, cx),
        Command::Away { user, away } => presence::away(state, user, away, cx),
        Command::Tick => presence::tick(state, cx),
    }
}

/// The right that an acceptable command takes away, for acting at once: `None` if there is nothing to take, or if
/// [`decide`] would refuse.
pub(super) fn cut(state: &State, command: &Command) -> Option<(UserId, Cut)> {
    if let Command::Remove { request, .. } = command
        && state.has_removed(*request)
    {
        return None;
    }
    moderation::cut(state.live_scene()?, state.limits()?, command)
}

/// The room, if people can still do something in it.
fn live(state: &State) -> Result<&Scene, Refusal> {
    let scene = state.scene().ok_or(Refusal::NotFound)?;
    if scene.ended {
        Err(Refusal::Ended)
    } else {
        Ok(scene)
    }
}

/// The room, if `by` runs it.
fn run_by(state: &State, by: UserId) -> Result<&Scene, Refusal> {
    let scene = live(state)?;
    if scene.moderates(by) {
        Ok(scene)
    } else {
        Err(Refusal::ModeratorsOnly)
    }
}
