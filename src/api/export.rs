//! The archive of everything that is a person's, made while it is sent: `data.json`, and an `index.html` to read.
//!
//! Lists of people and notices are read page by page, and each page is packed and sent before the next one is read. Memory is
//! bounded by a page, by what waits for the client (one chunk), and by what the readable page shows of each list.
//! A failure in the middle ends the body early: the archive has no directory then, and no program takes it for a whole one.

mod page;

use super::Api;
use super::language::Language;
use crate::wire::export::{EXPORT_VERSION, ExportedAccount, ExportedRoom};
use crate::wire::people::{Me, Notice, PersonBrief};
use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use mitalk_actors::account::Mine;
use mitalk_actors::people::Page as PeoplePage;
use mitalk_actors::person::Brief;
use mitalk_actors::rooms::Card;
use mitalk_actors::{Caller, people};
use page::Index;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

/// Items read at a time.
const PAGE: usize = 100;
/// Chunks that wait for a slow client.
const CHUNKS: usize = 1;
/// A client that takes nothing for so long gets no more.
const STALLED: Duration = Duration::from_secs(30);

/// The whole archive, as it is made.
pub(super) fn body(api: Api, caller: Caller, mine: Mine, language: Language) -> Body {
    let (chunks, sent) = mpsc::channel(CHUNKS);
    tokio::spawn(async move {
        let mut archive = Archive::new(chunks);
        if let Err(error) = fill(&mut archive, &api, &caller, mine, language).await {
            tracing::warn!(%error, "an export was cut short");
            archive.give_up(error).await;
        }
    });
    Body::from_stream(stream::unfold(sent, async |mut sent| {
        let chunk: io::Result<Bytes> = sent.recv().await?;
        Some((chunk, sent))
    }))
}

async fn fill(
    archive: &mut Archive,
    api: &Api,
    caller: &Caller,
    mine: Mine,
    language: Language,
) -> io::Result<()> {
    let account = exported(mine);
    let mut index = Index::new(language);
    archive.begin("data.json")?;
    // One object: what is bounded first, without its closing bracket, then the lists.
    let head = serde_json::to_string(&account)?;
    archive.text(head.strip_suffix('}').unwrap_or(&head))?;
    let people = &api.0.mitalk;
    archive.list("following").await?;
    let mut pages = Pages::default();
    while let Some(cursor) = pages.next() {
        let page = people.following(caller, caller.user, cursor, PAGE).await;
        let shown = pages.turn(page)?.into_iter().map(PersonBrief::from);
        archive
            .items(shown.inspect(|person| index.following(person)))
            .await?;
    }
    archive.list("followers").await?;
    let mut pages = Pages::default();
    while let Some(cursor) = pages.next() {
        let page = people.followers(caller, caller.user, cursor, PAGE).await;
        let shown = pages.turn(page)?.into_iter().map(PersonBrief::from);
        archive
            .items(shown.inspect(|person| index.follower(person)))
            .await?;
    }
    archive.list("notices").await?;
    let mut before = None;
    loop {
        let page = people
            .notices(caller, before, PAGE)
            .await
            .map_err(io::Error::other)?;
        before = page.next.and_then(|next| next.parse().ok());
        let shown = page.items.into_iter().map(Notice::from);
        archive
            .items(shown.inspect(|notice| index.notice(notice)))
            .await?;
        if before.is_none() {
            break;
        }
    }
    archive.text("]}\n")?;
    archive.begin("index.html")?;
    archive.text(&index.html(&account))?;
    archive.end().await
}

/// The cursors of a list, one page after the other.
#[derive(Default)]
struct Pages {
    started: bool,
    cursor: Option<String>,
}

impl Pages {
    /// The next page's cursor, if there is a next page.
    fn next(&mut self) -> Option<Option<&str>> {
        if std::mem::replace(&mut self.started, true) && self.cursor.is_none() {
            return None;
        }
        Some(self.cursor.as_deref())
    }

    fn turn(&mut self, page: Result<PeoplePage<Brief>, people::Error>) -> io::Result<Vec<Brief>> {
        let page = page.map_err(io::Error::other)?;
        self.cursor = page.next;
        Ok(page.items)
    }
}

fn exported(mine: Mine) -> ExportedAccount {
    ExportedAccount {
        version: EXPORT_VERSION,
        made_at_ms: mine.made_at.0,
        phone: mine.number.e164().to_owned(),
        created_at_ms: mine.created_at.0,
        devices: mine.devices.into_iter().map(Into::into).collect(),
        notice_settings: mine.notice_settings.into(),
        invites: mine.invites.into(),
        invites_received: mine.invites_received.iter().map(ToString::to_string).collect(),
        rooms: mine.rooms.into_iter().map(room).collect(),
        me: Me::from(mine.me),
    }
}

fn room(card: Card) -> ExportedRoom {
    ExportedRoom {
        id: card.room.to_string(),
        title: card.settings.title,
        topics: card.settings.topics,
        started_at_ms: card.started.0,
    }
}

/// A ZIP archive on its way to a client.
struct Archive {
    zip: ZipWriter<StreamWriter<Packed>>,
    packed: Packed,
    chunks: mpsc::Sender<io::Result<Bytes>>,
    /// The list has an item already.
    follows: bool,
    lists: usize,
}

/// What was packed and not sent yet.
#[derive(Clone, Default)]
struct Packed(Arc<Mutex<Vec<u8>>>);

impl Packed {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut packed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        packed.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Archive {
    fn new(chunks: mpsc::Sender<io::Result<Bytes>>) -> Self {
        let packed = Packed::default();
        Self {
            zip: ZipWriter::new_stream(packed.clone()),
            packed,
            chunks,
            follows: false,
            lists: 0,
        }
    }

    fn begin(&mut self, name: &str) -> io::Result<()> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        self.zip.start_file(name, options).map_err(io::Error::other)
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        self.zip.write_all(text.as_bytes())
    }

    /// Begins a list of the object, ending the one before.
    async fn list(&mut self, name: &str) -> io::Result<()> {
        let end = if self.lists == 0 { "" } else { "]" };
        self.lists += 1;
        self.follows = false;
        self.text(&format!("{end},\"{name}\":["))?;
        self.send().await
    }

    async fn items<T: Serialize>(&mut self, items: impl Iterator<Item = T>) -> io::Result<()> {
        for item in items {
            if std::mem::replace(&mut self.follows, true) {
                self.text(",")?;
            }
            serde_json::to_writer(&mut self.zip, &item)?;
        }
        self.send().await
    }

    async fn send(&mut self) -> io::Result<()> {
        let chunk = self.packed.take();
        if chunk.is_empty() {
            return Ok(());
        }
        let sent = self.chunks.send_timeout(Ok(chunk.into()), STALLED).await;
        sent.map_err(|_| io::Error::other("the client is gone or takes nothing"))
    }

    async fn end(&mut self) -> io::Result<()> {
        let empty = ZipWriter::new_stream(Packed::default());
        let zip = std::mem::replace(&mut self.zip, empty);
        zip.finish().map_err(io::Error::other)?;
        self.send().await
    }

    /// Breaks the connection off, which the client notices.
    async fn give_up(&self, error: io::Error) {
        // Whoever is gone cannot be told.
        let _ = self.chunks.send_timeout(Err(error), STALLED).await;
    }
}
