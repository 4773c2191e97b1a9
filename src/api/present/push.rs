//! What a person is pushed, in both directions.

use crate::wire::push::{NoticeSettings, PushKind, QuietHours};
use mitalk_actors::push::{Kind, Quiet, Settings};

impl From<Settings> for NoticeSettings {
    fn from(settings: Settings) -> Self {
        Self {
            off: settings.off.into_iter().map(PushKind::from).collect(),
            quiet: settings.quiet.map(|quiet| QuietHours {
                from_minute: quiet.from,
                to_minute: quiet.to,
                zone: quiet.zone,
            }),
        }
    }
}

impl From<NoticeSettings> for Settings {
    fn from(settings: NoticeSettings) -> Self {
        Self {
            off: settings.off.into_iter().map(Kind::from).collect(),
            quiet: settings.quiet.map(|quiet| Quiet {
                from: quiet.from_minute,
                to: quiet.to_minute,
                zone: quiet.zone,
            }),
        }
    }
}

impl From<Kind> for PushKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Admitted => Self::Admitted,
            Kind::InviteAccepted => Self::InviteAccepted,
            Kind::StageInvitation => Self::StageInvitation,
            Kind::Pinged => Self::Pinged,
            Kind::RoomStarted => Self::RoomStarted,
            Kind::NewFollower => Self::NewFollower,
        }
    }
}

impl From<PushKind> for Kind {
    fn from(kind: PushKind) -> Self {
        match kind {
            PushKind::Admitted => Self::Admitted,
            PushKind::InviteAccepted => Self::InviteAccepted,
            PushKind::StageInvitation => Self::StageInvitation,
            PushKind::Pinged => Self::Pinged,
            PushKind::RoomStarted => Self::RoomStarted,
            PushKind::NewFollower => Self::NewFollower,
        }
    }
}
