//! The live socket: hello, renewal, messages, bad input, and why it is closed.

use crate::offer::join;
use anyhow::{Context as _, Result, bail};
use mitalk::client::{Client, Live, LiveError};
use mitalk::wire::admin::{Admit, Phase};
use mitalk::wire::live::{ClientMessage, LeftWhy, RoomChange, ServerMessage};
use mitalk::wire::people::{NoticeKind, Standing};
use mitalk::wire::rooms::{CreateRoom, HandRaising, JoinRequest, Moderation, Visibility};
use mitalk_tests::server::{PATIENCE, Person, Server};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as SocketError, http};

/// The next message that `pick` takes; others pass by.
pub(crate) async fn next<T>(
    live: &mut Live,
    what: &str,
    mut pick: impl FnMut(ServerMessage) -> Option<T>,
) -> Result<T> {
    let search = async {
        loop {
            if let Some(found) = pick(live.next().await?) {
                return Ok(found);
            }
        }
    };
    tokio::time::timeout(PATIENCE, search)
        .await
        .with_context(|| format!("waited in vain for {what}"))?
}

/// Reads until the server closes, and gives the code.
pub(crate) async fn closed(live: &mut Live) -> Result<u16> {
    let search = async {
        loop {
            match live.next().await {
                Ok(_) => {}
                Err(LiveError::Closed { code, .. }) => return Ok(code),
                Err(error) => bail!("closed without a word: {error}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, search)
        .await
        .context("it is not closed")?
}

pub(crate) fn welcome(message: ServerMessage) -> Option<String> {
    match message {
        ServerMessage::Welcome { socket, .. } => Some(socket),
        _ => None,
    }
}

fn problem(message: ServerMessage) -> Option<String> {
    match message {
        ServerMessage::Problem { problem } => Some(problem.code),
        _ => None,
    }
}

pub(crate) async fn open_room(host: &Person) -> Result<String> {
    let request = CreateRoom {
        title: "Live".to_owned(),
        topics: Vec::new(),
        language: None,
        visibility: Visibility::Open,
        hand_raising: HandRaising::Everyone,
    };
    let room = host.client.create_room(&request, "live").await?.id;
    host.client.join(&room, &join()).await?;
    Ok(room)
}

#[tokio::test]
async fn the_waitlist_is_live() -> Result<()> {
    let server = Server::start(&[]).await?;
    server.admin.set_phase(Phase::ClosedTest).await?;
    let first = server.sign_in("+4915112346001").await?;
    let second = server.sign_in("+4915112346002").await?;
    let mut live = second.client.live(0).await?;
    next(&mut live, "welcome", welcome).await?;
    server.admin.admit(&Admit::User(first.id.clone()), "a").await?;
    let ahead = next(&mut live, "a better place", |message| match message {
        ServerMessage::Ticket { ticket } if ticket.ahead == 0 => Some(ticket.ahead),
        ServerMessage::Me { me } => me
            .ticket
            .filter(|ticket| ticket.ahead == 0)
            .map(|ticket| ticket.ahead),
        _ => None,
    })
    .await?;
    assert_eq!(ahead, 0);
    server.admin.admit(&Admit::Count(1), "b").await?;
    let (mut active, mut told) = (false, false);
    next(&mut live, "the admission", |message| {
        match message {
            ServerMessage::Me { me } => active |= me.standing == Standing::Active,
            ServerMessage::Notice { notice } => told |= notice.what == NoticeKind::Admitted,
            _ => {}
        }
        (active && told).then_some(())
    })
    .await?;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn who_waits_with_a_raised_hand_sees_their_own_place_fall() -> Result<()> {
    let server = Server::open(&[]).await?;
    let host = server.person("+4915112346021", "Host").await?;
    let room = open_room(&host).await?;
    let first = server.person("+4915112346022", "First").await?;
    first.client.join(&room, &join()).await?;
    first.client.raise_hand(&room).await?;
    let second = server.person("+4915112346023", "Second").await?;
    let mut live = second.client.live(0).await?;
    let socket = next(&mut live, "welcome", welcome).await?;
    let request = JoinRequest {
        socket: Some(socket),
        ..join()
    };
    second.client.join(&room, &request).await?;
    second.client.raise_hand(&room).await?;
    let up = next(&mut live, "the raised hand", |message| match message {
        ServerMessage::Room {
            change:
                RoomChange::HandUp {
                    hand_count: 2,
                    my_hand,
                    ..
                },
            ..
        } => Some(my_hand),
        _ => None,
    })
    .await?;
    assert_eq!(up, Some(2));
    let next_place = async |live: &mut Live, what: &str| {
        next(live, what, |message| match message {
            ServerMessage::Room {
                change: RoomChange::HandDown { my_hand, .. },
                ..
            } => Some(my_hand),
            _ => None,
        })
        .await
    };
    host.client.answer_hand(&room, &first.id, true).await?;
    assert_eq!(next_place(&mut live, "the first to be accepted").await?, Some(1));
    host.client.answer_hand(&room, &second.id, true).await?;
    assert_eq!(next_place(&mut live, "one's own to be accepted").await?, None);
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_room_is_live_in_sequence_and_a_gap_is_healed() -> Result<()> {
    let server = Server::open(&[]).await?;
    let host = server.person("+4915112346011", "Host").await?;
    let guest = server.person("+4915112346012", "Guest").await?;
    let room = open_room(&host).await?;
    let mut live = guest.client.live(0).await?;
    let socket = next(&mut live, "welcome", welcome).await?;
    let request = JoinRequest {
        socket: Some(socket),
        ..join()
    };
    let mut seq = guest.client.join(&room, &request).await?.room.seq;
    let from = seq;
    guest.client.raise_hand(&room).await?;
    host.client
        .moderate(&room, &guest.id, Moderation::InviteToStage)
        .await?;
    let mut changes = Vec::new();
    next(&mut live, "the invitation", |message| match message {
        ServerMessage::Room {
            room: of,
            seq: this,
            change,
        } => {
            assert_eq!((of.as_str(), this), (room.as_str(), seq + 1), "consecutive");
            seq = this;
            let invited = matches!(change, RoomChange::StageInvitation { invited: true, .. });
            changes.push(change);
            invited.then_some(())
        }
        _ => None,
    })
    .await?;
    assert!(
        changes
            .iter()
            .any(|change| matches!(change, RoomChange::HandUp { hand: Some(_), .. })),
        "{changes:?}"
    );

    live.send(&ClientMessage::Watch {
        room: room.clone(),
        after: Some(from),
    })
    .await?;
    let (mut healed, upto) = (from, seq);
    next(&mut live, "everything that was missed", |message| match message {
        ServerMessage::Room { seq, .. } => {
            assert_eq!(seq, healed + 1, "each once, in order");
            healed = seq;
            (healed >= upto).then_some(())
        }
        ServerMessage::RoomSnapshot { room } => panic!("so little is healed by deltas: {room:?}"),
        _ => None,
    })
    .await?;
    live.send(&ClientMessage::Watch {
        room: room.clone(),
        after: None,
    })
    .await?;
    next(&mut live, "a snapshot", |message| {
        matches!(message, ServerMessage::RoomSnapshot { room: seen } if seen.id == room).then_some(())
    })
    .await?;

    host.client.moderate(&room, &guest.id, Moderation::Ban).await?;
    let why = next(&mut live, "the ban", |message| match message {
        ServerMessage::LeftRoom { why, .. } => Some(why),
        _ => None,
    })
    .await?;
    assert_eq!(why, LeftWhy::Banned);
    live.send(&ClientMessage::Watch {
        room: room.clone(),
        after: None,
    })
    .await?;
    let refused = next(&mut live, "a refusal", problem).await?;
    assert!(
        ["not_in_room", "room_banned"].contains(&refused.as_str()),
        "{refused}"
    );
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn bad_messages_are_answered_and_too_many_close_it() -> Result<()> {
    let server = Server::open(&["rates.per_socket_burst=10", "rates.per_socket_rps=1"]).await?;
    let person = server.sign_in("+4915112346021").await?;
    let mut live = person.client.live(0).await?;
    next(&mut live, "welcome", welcome).await?;
    live.send(&ClientMessage::Ping {}).await?;
    next(&mut live, "pong", |message| {
        matches!(message, ServerMessage::Pong {}).then_some(())
    })
    .await?;
    live.send_text("{").await?;
    assert_eq!(next(&mut live, "a problem", problem).await?, "malformed_json");
    live.send_text(r#"{"type":"dance"}"#).await?;
    assert_eq!(next(&mut live, "a problem", problem).await?, "unprocessable");
    live.send(&ClientMessage::Watch {
        room: "x".to_owned(),
        after: None,
    })
    .await?;
    assert_eq!(next(&mut live, "a problem", problem).await?, "room_not_found");
    live.send(&ClientMessage::Hello {
        token: String::new(),
        notices_after: 0,
    })
    .await?;
    assert_eq!(next(&mut live, "a problem", problem).await?, "conflict");
    for _ in 0..20 {
        // It may be closed before all are sent.
        let _ = live.send(&ClientMessage::Ping {}).await;
    }
    assert_eq!(closed(&mut live).await?, 4429);
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_socket_needs_a_token_that_counts() -> Result<()> {
    let server = Server::open(&["auth.access_token_s=2"]).await?;
    let mut live = server.client.signed_in("nonsense").live(0).await?;
    assert_eq!(closed(&mut live).await?, 4401);
    let mut live = server.client.live_silent().await?;
    live.send(&ClientMessage::Ping {}).await?;
    assert_eq!(closed(&mut live).await?, 4408, "hello comes first");
    let mut live = server.client.live_silent().await?;
    assert_eq!(closed(&mut live).await?, 4408, "hello comes in time");

    let person = server.sign_in("+4915112346031").await?;
    let tokens = server.client.refresh(&person.tokens.refresh_token).await?;
    let mut live = server.client.signed_in(&tokens.access_token).live(0).await?;
    next(&mut live, "welcome", welcome).await?;
    assert_eq!(closed(&mut live).await?, 4401, "the token ended");

    let tokens = server.client.refresh(&tokens.refresh_token).await?;
    let mut live = server.client.signed_in(&tokens.access_token).live(0).await?;
    next(&mut live, "welcome", welcome).await?;
    let tokens = server.client.refresh(&tokens.refresh_token).await?;
    live.send(&ClientMessage::Token {
        token: tokens.access_token,
    })
    .await?;
    live.send(&ClientMessage::Ping {}).await?;
    next(&mut live, "pong", |message| {
        matches!(message, ServerMessage::Pong {}).then_some(())
    })
    .await?;
    live.send(&ClientMessage::Token {
        token: "nonsense".to_owned(),
    })
    .await?;
    assert_eq!(closed(&mut live).await?, 4401);
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_device_has_one_socket_and_loses_it_with_its_rights() -> Result<()> {
    let server = Server::open(&[]).await?;
    let person = server.sign_in("+4915112346041").await?;
    let mut first = person.client.live(0).await?;
    next(&mut first, "welcome", welcome).await?;
    let mut second = person.client.live(0).await?;
    next(&mut second, "welcome", welcome).await?;
    assert_eq!(closed(&mut first).await?, 4409);
    person.client.sign_out().await?;
    assert_eq!(closed(&mut second).await?, 4401);

    let person = server.sign_in("+4915112346042").await?;
    let mut live = person.client.live(0).await?;
    next(&mut live, "welcome", welcome).await?;
    server.admin.suspend(&person.id, true).await?;
    assert_eq!(closed(&mut live).await?, 4403);
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn oversized_and_binary_messages_end_it() -> Result<()> {
    let server = Server::open(&[]).await?;
    let person = server.sign_in("+4915112346051").await?;
    let mut live = person.client.live(0).await?;
    next(&mut live, "welcome", welcome).await?;
    live.send_text(&format!("{{\"type\":\"{}\"}}", "x".repeat(20_000)))
        .await?;
    assert_eq!(closed(&mut live).await?, 1009);
    let mut live = person.client.live(0).await?;
    next(&mut live, "welcome", welcome).await?;
    // It may break before all of it is sent.
    let _ = live.send_text(&"x".repeat(1_000_000)).await;
    let ended = async { while live.next().await.is_ok() {} };
    tokio::time::timeout(PATIENCE, ended)
        .await
        .context("a huge message must end the socket")?;
    let mut live = person.client.live(0).await?;
    next(&mut live, "welcome", welcome).await?;
    live.send_binary(b"{}").await?;
    assert_eq!(closed(&mut live).await?, 1003);
    person.client.me().await.context("and nothing else")?;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn foreign_pages_may_not_connect() -> Result<()> {
    let server = Server::open(&["http.allowed_origins=[\"http://localhost:5173\"]"]).await?;
    let connect = async |origin: &str| {
        let mut request = server.app.replace("http://", "ws://") + "/v1/live";
        request = request.replace("//v1", "/v1");
        let mut request = request.into_client_request()?;
        request
            .headers_mut()
            .insert(http::header::ORIGIN, origin.parse()?);
        anyhow::Ok(tokio_tungstenite::connect_async(request).await)
    };
    assert!(connect(&server.app).await?.is_ok(), "our own page");
    assert!(connect("http://localhost:5173").await?.is_ok(), "an allowed one");
    match connect("https://evil.example").await? {
        Err(SocketError::Http(response)) => {
            assert_eq!(response.status(), 403);
            let body = String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned();
            assert!(body.contains("origin_refused"), "{body}");
        }
        other => bail!("a foreign page got in: {:?}", other.map(|_| ())),
    }
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn missed_notices_come_with_the_hello() -> Result<()> {
    let server = Server::open(&[]).await?;
    let ann = server.person("+4915112346061", "Ann").await?;
    let ben = server.person("+4915112346062", "Ben").await?;
    ben.client.follow(&ann.id).await?;
    mitalk_tests::server::until("the notice", async || {
        (ann.client.me().await.ok()?.notice_seq > 0).then_some(())
    })
    .await;
    let mut live = ann.client.live(0).await?;
    let seq = next(&mut live, "the notice", |message| match message {
        ServerMessage::Notice { notice } => Some(notice.seq),
        _ => None,
    })
    .await?;
    let me = ann.client.me().await?;
    assert_eq!(seq, me.notice_seq);
    drop(live);

    let mut live = ann.client.live(me.notice_seq).await?;
    next(&mut live, "welcome", welcome).await?;
    live.send(&ClientMessage::Ping {}).await?;
    next(
        &mut live,
        "pong and no old notice before",
        |message| match message {
            ServerMessage::Notice { notice } => panic!("an old notice came again: {notice:?}"),
            ServerMessage::Pong {} => Some(()),
            _ => None,
        },
    )
    .await?;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_stopping_server_tells_sockets_to_move() -> Result<()> {
    let mut server = Server::open(&[]).await?;
    let person = server.sign_in("+4915112346071").await?;
    let client: Client = person.client.clone();
    let mut live = client.live(0).await?;
    next(&mut live, "welcome", welcome).await?;
    server.signal(libc::SIGTERM)?;
    next(&mut live, "moving", |message| {
        matches!(message, ServerMessage::Moving { .. }).then_some(())
    })
    .await?;
    assert_eq!(closed(&mut live).await?, 1012);
    assert!(server.ended().await?.success());
    Ok(())
}
