//! Profiles, handles, following and notices.

use anyhow::Result;
use mitalk::wire::people::{NoticeKind, ProfilePatch};
use mitalk_tests::server::{Server, code, until};
use reqwest::header::{ETAG, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};

#[tokio::test]
async fn a_profile_is_written_read_and_cached() -> Result<()> {
    let server = Server::open(&[]).await?;
    let ann = server.person("+4915112345701", "Ann").await?;
    let ben = server.person("+4915112345702", "Ben").await?;
    let patch = ProfilePatch {
        headline: Some("Builds bridges".to_owned()),
        topics: Some(vec!["bridges".to_owned()]),
        links: Some(vec!["https://example.org".to_owned()]),
        ..ProfilePatch::default()
    };
    let me = ann.client.patch_profile(&patch).await?;
    assert_eq!(
        (me.profile.name.as_str(), me.profile.headline.as_str()),
        ("Ann", "Builds bridges")
    );
    let me = ann.client.set_handle("Ann_B").await?;
    assert_eq!(
        me.profile.handle.as_deref(),
        Some("ann_b"),
        "handles are lower case"
    );

    let seen = until("others to see it", async || {
        let view = ben.client.profile(&ann.id).await.ok()?;
        (view.profile.handle.is_some() && view.profile.headline == "Builds bridges").then_some(view)
    })
    .await;
    let by_handle = until("the handle to lead there", async || {
        ben.client.profile_by_handle("ANN_b").await.ok()
    })
    .await;
    assert_eq!(by_handle.profile, seen.profile);

    for path in [vec!["v1", "users", ann.id.as_str()], vec!["v1", "me"]] {
        let first = ben.client.request(Method::GET, &path).send().await?;
        let tag = first.headers().get(ETAG).expect("an ETag").clone();
        let again = ben
            .client
            .request(Method::GET, &path)
            .header(IF_NONE_MATCH, tag)
            .send()
            .await?;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert!(again.bytes().await?.is_empty());
        let changed = ben
            .client
            .request(Method::GET, &path)
            .header(IF_NONE_MATCH, "W/\"x\"")
            .send()
            .await?;
        assert_eq!(changed.status(), StatusCode::OK);
    }
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn handles_are_unique_and_of_a_form() -> Result<()> {
    let server = Server::open(&[]).await?;
    let ann = server.sign_in("+4915112345711").await?;
    let ben = server.sign_in("+4915112345712").await?;
    ann.client.set_handle("taken").await?;
    assert_eq!(code(ben.client.set_handle("TAKEN").await), "handle_taken");
    for bad in [
        "ab",
        "1abc",
        "has space",
        "über",
        "a-b-c",
        "x23456789012345678901",
        "admin",
    ] {
        assert_eq!(code(ben.client.set_handle(bad).await), "handle_invalid", "{bad}");
    }
    ann.client.set_handle("another").await?;
    until("the old handle to be free", async || {
        ben.client.set_handle("taken").await.ok()
    })
    .await;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn fields_of_a_profile_are_bounded_and_named() -> Result<()> {
    let server = Server::open(&[]).await?;
    let ann = server.sign_in("+4915112345721").await?;
    let long = |chars: usize| Some("x".repeat(chars));
    let none = ProfilePatch::default;
    for (field, patch) in [
        (
            "/name",
            ProfilePatch {
                name: long(51),
                ..none()
            },
        ),
        (
            "/name",
            ProfilePatch {
                name: Some(String::new()),
                ..none()
            },
        ),
        (
            "/headline",
            ProfilePatch {
                headline: long(101),
                ..none()
            },
        ),
        (
            "/bio",
            ProfilePatch {
                bio: long(1_001),
                ..none()
            },
        ),
        (
            "/topics",
            ProfilePatch {
                topics: Some(vec!["t".to_owned(); 11]),
                ..none()
            },
        ),
        (
            "/links",
            ProfilePatch {
                links: Some(vec!["javascript:alert(1)".to_owned()]),
                ..none()
            },
        ),
    ] {
        let Err(mitalk::client::Error::Problem(problem)) = ann.client.patch_profile(&patch).await else {
            panic!("{field} must be refused");
        };
        assert_eq!((problem.code.as_str(), problem.status), ("unprocessable", 422));
        let named = problem.field.unwrap_or_default();
        assert!(named.starts_with(field), "{named}");
        assert!(problem.detail.is_some());
    }
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn following_is_listed_counted_and_told() -> Result<()> {
    let server = Server::open(&[]).await?;
    let ann = server.person("+4915112345731", "Ann").await?;
    let ben = server.person("+4915112345732", "Ben").await?;
    ben.client.follow(&ann.id).await?;
    ben.client.follow(&ann.id).await?;
    until("Ann to be followed", async || {
        let view = ben.client.profile(&ann.id).await.ok()?;
        (view.followed && view.followers == 1).then_some(())
    })
    .await;
    let followers = ann.client.followers(&ann.id, None, None).await?;
    assert_eq!(
        followers
            .items
            .iter()
            .map(|person| person.id.as_str())
            .collect::<Vec<_>>(),
        [ben.id.as_str()]
    );
    assert_eq!(ben.client.following(&ben.id, None, Some(1)).await?.items.len(), 1);

    let notice = until("Ann to be told", async || {
        ann.client
            .notices(None, None)
            .await
            .ok()?
            .items
            .into_iter()
            .next()
    })
    .await;
    assert!(
        matches!(notice.what, NoticeKind::NewFollower { ref person } if person.id == ben.id),
        "{notice:?}"
    );
    ann.client.notices_read(notice.seq).await?;
    let me = ann.client.me().await?;
    assert_eq!((me.notice_seq, me.notices_read), (notice.seq, notice.seq));

    ben.client.unfollow(&ann.id).await?;
    until("Ann to be followed no more", async || {
        (!ben.client.profile(&ann.id).await.ok()?.followed).then_some(())
    })
    .await;
    assert_eq!(code(ben.client.follow(&ben.id).await), "not_yourself");
    assert_eq!(code(ben.client.profile("nobody").await), "person_not_found");
    assert_eq!(
        code(ben.client.profile_by_handle("nobody_here").await),
        "person_not_found"
    );
    assert_eq!(
        code(ben.client.followers(&ann.id, Some("bad cursor"), None).await),
        "cursor_invalid"
    );
    server.stop().await?;
    Ok(())
}
