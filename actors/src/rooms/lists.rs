//! The hallway and the roster, page by page.

use super::{AudienceMember, Card, Error, LISTED_STAGE, Listed, Rooms};
use crate::caller::Caller;
use crate::error::Trouble;
use crate::forwarder::{Answer, Request, Sight};
use crate::hallway::{Cursor, Shown, Viewer};
use crate::id::{RoomId, UserId};
use crate::people::Page;
use crate::ports::MANY;
use crate::room::Role;
use std::collections::HashSet;

/// The largest page.
const PAGE: usize = 50;
/// People on stages that a viewer's follows are looked up among, from the newest room on.
const LOOKED_AT: usize = 4 * MANY;

impl Rooms {
    /// The live rooms that the caller may see: with somebody on stage whom they follow first, then the newest.
    ///
    /// # Errors
    /// Not active; the cursor.
    pub async fn hallway(
        &self,
        caller: &Caller,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Listed>, Error> {
        self.active(caller).await?;
        let after: Option<Cursor> = cursor
            .map(str::parse)
            .transpose()
            .map_err(|_| Error::CursorInvalid)?;
        let follows = self.followed_on_stages(caller.user).await?;
        let inside = if self.0.hallway.has_hidden() {
            self.whereabouts(caller.user, caller.plain_call())
                .await?
                .map(|claim| claim.room)
        } else {
            None
        };
        let viewer = Viewer {
            user: caller.user,
            inside,
            follows: &follows,
        };
        let (shown, next) = self.0.hallway.page(&viewer, after, limit.clamp(1, PAGE));
        let named: HashSet<_> = shown
            .iter()
            .flat_map(|room| room.card.stage().take(LISTED_STAGE))
            .collect();
        let names = self.names(&named.into_iter().collect::<Vec<_>>()).await?;
        let listed = shown.into_iter().map(|Shown { card, followed }| {
            let stage = card
                .stage()
                .take(LISTED_STAGE)
                .map(|user| names.of(user))
                .collect();
            listed(card, stage, followed)
        });
        Ok(Page {
            items: listed.collect(),
            next: next.map(|cursor| cursor.to_string()),
        })
    }

    async fn followed_on_stages(&self, user: UserId) -> Result<HashSet<UserId>, Error> {
        let mut followed = HashSet::new();
        for some in self.0.hallway.on_stage(LOOKED_AT).chunks(MANY) {
            followed.extend(
                self.0
                    .reads
                    .followed_among(user, some)
                    .await
                    .map_err(Trouble::from)?,
            );
        }
        Ok(followed)
    }

    /// A live room's title, for whoever was told of the room.
    pub(crate) fn title(&self, room: RoomId) -> Option<String> {
        self.0.hallway.title(room)
    }

    /// All live rooms, the newest first; for operators.
    pub fn live(&self) -> Vec<Card> {
        self.0.hallway.all()
    }

    /// The audience of the caller's room on the caller's node: people they follow first.
    ///
    /// # Errors
    /// Not in the room; the cursor.
    pub async fn roster(
        &self,
        caller: &Caller,
        room: RoomId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<AudienceMember>, Error> {
        let (node, sight) = self.locate(caller, room).await?;
        let after: Option<Place> = cursor.map(Place::parse).transpose()?;
        let audience = match self
            .ask_forwarder(&node, room, Request::Audience, caller.plain_call())
            .await?
        {
            Answer::Audience(audience) => audience,
            _ => return Err(Error::Trouble(Trouble::Corrupt)),
        };
        let followed = self
            .0
            .reads
            .followed_among(caller.user, &audience)
            .await
            .map_err(Trouble::from)?;
        let followed: HashSet<_> = followed.into_iter().collect();
        let mut places: Vec<_> = audience
            .into_iter()
            .map(|user| Place {
                stranger: !followed.contains(&user),
                user,
            })
            .filter(|place| after.is_none_or(|after| *place > after))
            .collect();
        places.sort_unstable();
        let limit = limit.clamp(1, PAGE);
        let more = places.len() > limit;
        places.truncate(limit);
        let next = places.last().filter(|_| more).map(ToString::to_string);
        let users: Vec<_> = places.iter().map(|place| place.user).collect();
        let request = Request::Names { users };
        let names = match self
            .ask_forwarder(&node, room, request, caller.plain_call())
            .await?
        {
            Answer::Names(names) => names,
            _ => return Err(Error::Trouble(Trouble::Corrupt)),
        };
        let mut items = Vec::with_capacity(places.len());
        for (place, person) in places.into_iter().zip(names) {
            let by_stage = self.0.reads.followed_by_any(place.user, &sight.stage).await;
            items.push(AudienceMember {
                person,
                followed: !place.stranger,
                followed_by_stage: by_stage.map_err(Trouble::from)?,
                hand: sees_hand(&sight, caller.user, place.user),
            });
        }
        Ok(Page { items, next })
    }
}

/// Hands are the moderators' business, and their owner's.
fn sees_hand(sight: &Sight, me: UserId, user: UserId) -> bool {
    (sight.role == Some(Role::Moderator) || me == user) && sight.hands.contains(&user)
}

fn listed(card: Card, stage: Vec<crate::person::Brief>, followed: bool) -> Listed {
    let stage_count = card.moderators.len() + card.speakers.len();
    Listed {
        room: card.room,
        title: card.settings.title,
        topics: card.settings.topics,
        language: card.settings.language,
        visibility: card.settings.visibility,
        stage,
        stage_count: u32::try_from(stage_count).unwrap_or(u32::MAX),
        audience_count: card.audience,
        followed,
        started: card.started,
    }
}

/// A place in the roster's order; also its cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// False sorts first.
    stranger: bool,
    user: UserId,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", u8::from(self.stranger), self.user)
    }
}

impl Place {
    fn parse(text: &str) -> Result<Self, Error> {
        let (stranger, user) = text.split_once('.').ok_or(Error::CursorInvalid)?;
        let stranger = match stranger {
            "0" => false,
            "1" => true,
            _ => return Err(Error::CursorInvalid),
        };
        Ok(Self {
            stranger,
            user: user.parse().map_err(|_| Error::CursorInvalid)?,
        })
    }
}
