//! Invites.

use crate::wire::invites::{Invite, InvitePreview, InviteStatus, Invites};
use crate::wire::people::PersonBrief;
use mitalk_actors::invite::Status;
use mitalk_actors::invites;

impl From<Status> for InviteStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Accepted => Self::Accepted,
            Status::Revoked => Self::Revoked,
            Status::Expired => Self::Expired,
            Status::GivenBack => Self::GivenBack,
        }
    }
}

impl From<invites::Invite> for Invite {
    fn from(invite: invites::Invite) -> Self {
        Self {
            id: invite.id.to_string(),
            status: invite.status.into(),
            phone_hint: invite.phone_hint,
            link: invite.link_code.map(|code| format!("/i/{code}")),
            created_at_ms: invite.created_at.0,
            expires_at_ms: invite.expires_at.0,
            accepted_by: invite.accepted_by.map(PersonBrief::from),
        }
    }
}

impl From<invites::Invites> for Invites {
    fn from(invites: invites::Invites) -> Self {
        Self {
            invites: invites.invites.into_iter().map(Invite::from).collect(),
            left: invites.left,
            earned: invites.earned,
            rooms_to_next: invites.rooms_to_next,
        }
    }
}

impl From<invites::Preview> for InvitePreview {
    fn from(preview: invites::Preview) -> Self {
        Self {
            status: preview.status.into(),
            by: preview.by.map(PersonBrief::from),
        }
    }
}
