//! Telling followers, page by page: what a [`Fanout`] asks for, done by a job of its own.

use super::{Consumer, Failed};
use crate::fanout::{self, Fanout, Walk};
use crate::person::NoticeKind;
use crate::room::Visibility;
use futures::{StreamExt, stream};
use mitalk_cluster::{Effects, EntityId, Stamp};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};

/// Followers told at once.
const AT_ONCE: usize = 16;

impl Consumer {
    /// Background job: tells pages of followers.
    pub(crate) async fn run_pages(self: Arc<Self>, pages: Arc<Mutex<mpsc::Receiver<Walk>>>) {
        let mut pages = pages.lock().await;
        while let Some(walk) = pages.recv().await {
            if let Err(Failed::Later(why, _) | Failed::NotTaken(why, _) | Failed::Never(why)) =
                self.tell_page(&walk).await
            {
                tracing::warn!(%why, "page of followers is told again later");
            }
        }
    }

    async fn tell_page(&self, walk: &Walk) -> Result<(), Failed> {
        let limit = self.mitalk.limits.notices.fanout_per_second.max(1) as usize;
        let page = self.mitalk.reads.followers(walk.by, walk.after, limit).await?;
        // A room that is over already, or closed meanwhile, is no news.
        let scene = self.live_room(walk.room).await?;
        let scene = scene.filter(|scene| scene.settings.visibility != Visibility::Closed);
        let last = page.last.filter(|_| scene.is_some());
        if let Some(scene) = scene {
            let what = NoticeKind::RoomStarted {
                room: walk.room,
                title: scene.settings.title,
                by: walk.by,
            };
            let told = page
                .people
                .into_iter()
                .map(|follower| self.notify(follower, what.clone(), walk.origin));
            let told: Vec<_> = stream::iter(told).buffer_unordered(AT_ONCE).collect().await;
            // One that failed: the whole page again, those who know are not told twice.
            for failed in told.into_iter().filter_map(Result::err) {
                match failed {
                    Failed::Later(..) | Failed::NotTaken(..) => return Err(failed),
                    Failed::Never(why) => tracing::error!(%why, "a follower is not told"),
                }
            }
        }
        self.ask_fanout(
            walk.room,
            fanout::Command::Told {
                after: walk.after,
                last,
            },
        )
        .await
    }
}

/// Puts pages into the job's queue.
pub(crate) struct Pages(pub(crate) mpsc::Sender<Walk>);

impl Effects<Fanout> for Pages {
    fn run(&self, _id: &EntityId, _stamp: Stamp, effects: Vec<Walk>) {
        for walk in effects {
            // A full queue: the walk's timer brings the page again.
            let _ = self.0.try_send(walk);
        }
    }
}
