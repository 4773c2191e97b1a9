//! Invites by number and by link.

use anyhow::{Context as _, Result};
use mitalk::wire::admin::{AllowEntry, Phase};
use mitalk::wire::invites::{InviteRequest, InviteStatus};
use mitalk::wire::people::{NoticeKind, Standing};
use mitalk_tests::server::{Server, code, until};

async fn closed_test_with_host() -> Result<(Server, mitalk_tests::server::Person)> {
    let server = Server::start(&[]).await?;
    server.admin.set_phase(Phase::ClosedTest).await?;
    let entry = AllowEntry {
        phone: "+4915112345801".to_owned(),
        enabled: true,
    };
    server.admin.import_allowed(vec![entry]).await?;
    let host = server.person("+4915112345801", "Host").await?;
    Ok((server, host))
}

#[tokio::test]
async fn a_repeated_invite_is_the_same_one_and_costs_nothing_more() -> Result<()> {
    let (server, host) = closed_test_with_host().await?;
    let left = host.client.invites().await?.left;
    let first = host.client.invite(&InviteRequest::Link, "key-1").await?;
    let again = host.client.invite(&InviteRequest::Link, "key-1").await?;
    assert_eq!(first.id, again.id);
    assert_eq!(host.client.invites().await?.left, left - 1);
    let other = host.client.invite(&InviteRequest::Link, "key-2").await?;
    assert_ne!(first.id, other.id);
    assert_eq!(
        code(host.client.invite(&InviteRequest::Link, "key-3").await),
        "invite_quota_used_up"
    );

    host.client.revoke_invite(&other.id).await?;
    until("the invite to be given back", async || {
        let invites = host.client.invites().await.ok()?;
        let revoked = invites
            .invites
            .iter()
            .any(|i| i.id == other.id && i.status == InviteStatus::Revoked);
        (invites.left == 1 && revoked).then_some(())
    })
    .await;
    host.client
        .revoke_invite(&other.id)
        .await
        .context("again changes nothing")?;
    assert_eq!(host.client.invites().await?.left, 1);
    assert_eq!(code(host.client.revoke_invite("x").await), "invite_not_found");
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_link_lets_one_person_in() -> Result<()> {
    let (server, host) = closed_test_with_host().await?;
    let invite = host.client.invite(&InviteRequest::Link, "link").await?;
    let link = invite.link.context("a link")?;
    let link_code = link.strip_prefix("/i/").context("its form")?;
    let preview = server.client.preview_invite(link_code).await?;
    assert_eq!(preview.status, InviteStatus::Pending);
    assert_eq!(preview.by.map(|person| person.name).as_deref(), Some("Host"));

    let guest = server.sign_in("+4915112345811").await?;
    assert_eq!(guest.client.me().await?.standing, Standing::Waiting);
    guest.client.accept_invite(link_code).await?;
    until("the guest to be in", async || {
        (guest.client.me().await.ok()?.standing == Standing::Active).then_some(())
    })
    .await;
    assert_eq!(
        code(host.client.revoke_invite(&invite.id).await),
        "invite_not_pending"
    );
    let late = server.sign_in("+4915112345812").await?;
    assert_eq!(
        code(late.client.accept_invite(link_code).await),
        "invite_not_pending"
    );
    assert_eq!(
        code(server.client.preview_invite("nonsense").await),
        "invite_not_found"
    );
    let told = until("the host to be told", async || {
        let notices = host.client.notices(None, None).await.ok()?.items;
        notices.into_iter().find_map(|notice| match notice.what {
            NoticeKind::InviteAccepted { person } => Some(person),
            _ => None,
        })
    })
    .await;
    assert_eq!(told.id, guest.id);
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_link_given_at_sign_in_counts_too() -> Result<()> {
    let (server, host) = closed_test_with_host().await?;
    let invite = host.client.invite(&InviteRequest::Link, "link").await?;
    let link = invite.link.context("a link")?;
    let guest = server
        .sign_in_by("+4915112345821", link.strip_prefix("/i/"))
        .await?;
    until("the guest to be in", async || {
        (guest.client.me().await.ok()?.standing == Standing::Active).then_some(())
    })
    .await;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn who_waits_invites_nobody() -> Result<()> {
    let server = Server::start(&[]).await?;
    let waiting = server.sign_in("+4915112345831").await?;
    assert_eq!(
        code(waiting.client.invite(&InviteRequest::Link, "x").await),
        "not_active"
    );
    server.stop().await?;
    Ok(())
}
