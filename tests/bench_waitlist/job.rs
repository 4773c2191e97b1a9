//! The admission of a crowd, with a `kill -9` in the middle.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use mitalk::client::Client;
use mitalk::wire::admin::Admit;
use mitalk_tests::measure::times;
use mitalk_tests::server::Server;

use crate::{ADMITTED, wait};

/// Admits [`ADMITTED`] people, kills the service when a third of them is in, and waits for the rest. The last one's place never
/// rises, and falls by exactly as many.
pub(crate) async fn admit(server: Server, words: &[&str], last: Client) -> Result<()> {
    let count = times(ADMITTED) as u64;
    let before = ahead(&last).await?;
    let begun = Instant::now();
    server.admin.admit(&Admit::Count(count), "crowd").await?;
    wait("a third", async || {
        let waitlist = server.admin.waitlist().await.ok()?;
        (waitlist.admitted > count / 3).then_some(())
    })
    .await?;
    let first = begun.elapsed();
    let server = Server::start_in(server.kill().await?, words).await?;
    let last = last.at(&server.app)?;
    let restarted = Instant::now();
    let mut shown = before;
    let admitted = loop {
        let waitlist = wait("the operators' view", async || server.admin.waitlist().await.ok()).await?;
        let now = wait("a place", async || ahead(&last).await.ok()).await?;
        ensure!(now <= shown, "the place rose from {shown} to {now}");
        shown = now;
        if waitlist.owed == 0 && shown <= before - count {
            break waitlist.admitted;
        }
        ensure!(
            restarted.elapsed() < crate::PATIENCE,
            "{waitlist:?}, {shown} ahead"
        );
        tokio::time::sleep(crate::LOOK).await;
    };
    let seconds = (first + restarted.elapsed()).as_secs_f64();
    ensure!(admitted == count, "{admitted} were admitted instead of {count}");
    ensure!(
        shown == before - count,
        "{shown} ahead instead of {}",
        before - count
    );
    println!(
        "  {count} people admitted, killed once: {seconds:.0} s, {:.0} a second; ahead of the last one {before} -> {shown}",
        count as f64 / seconds
    );
    server.stop().await?;
    Ok(())
}

async fn ahead(client: &Client) -> Result<u64> {
    Ok(client.me().await?.ticket.context("the last one waits")?.ahead)
}
