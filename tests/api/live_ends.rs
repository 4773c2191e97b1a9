//! Live sockets that the server closes by itself: of clients that went silent, and of clients that are too slow.

use crate::live::{closed, next, open_room, welcome};
use crate::offer::join;
use anyhow::Result;
use mitalk::client::Live;
use mitalk::wire::live::{ClientMessage, ServerMessage};
use mitalk::wire::rooms::JoinRequest;
use mitalk_tests::server::{Person, Server, until};

/// Messages that may wait for a client in these tests.
const QUEUE: u64 = 4;

#[tokio::test]
async fn a_silent_socket_is_closed_and_one_that_answers_pings_stays() -> Result<()> {
    let server = Server::open(&["http.live_idle_ms=1000"]).await?;
    let person = server.sign_in("+4915112346031").await?;
    let other = server.sign_in("+4915112346032").await?;
    let mut silent = person.client.live(0).await?;
    next(&mut silent, "welcome", welcome).await?;
    let mut answering = other.client.live(0).await?;
    next(&mut answering, "welcome", welcome).await?;
    // Pings are answered while somebody reads.
    let reader = tokio::spawn(async move { closed(&mut answering).await });

    until("the silent socket to be closed", async || {
        closed_sockets(&server, "idle").await.filter(|count| *count > 0)
    })
    .await;
    assert_eq!(closed(&mut silent).await?, 1001);
    assert_eq!(
        closed_sockets(&server, "idle").await,
        Some(1),
        "the other one is still there"
    );
    assert!(!reader.is_finished());
    server.stop().await?;
    assert_eq!(reader.await??, 1012);
    Ok(())
}

#[tokio::test]
async fn what_is_more_than_may_wait_is_healed_by_a_snapshot() -> Result<()> {
    let queue = format!("limits.live.queue={QUEUE}");
    let server = Server::open(&[&queue]).await?;
    let (_host, guest, room, mut live) = room_of_two(&server, QUEUE + 1).await?;
    let seen = guest.client.room(&room).await?.seq;
    // From the beginning: more changes than the queue takes at once.
    live.send(&ClientMessage::Watch {
        room: room.clone(),
        after: Some(seen - QUEUE - 1),
    })
    .await?;
    let healed = next(&mut live, "all that was missed", |message| match message {
        ServerMessage::RoomSnapshot { room } => Some(room.seq),
        ServerMessage::Room { .. } => panic!("changes one by one would have closed the socket"),
        _ => None,
    })
    .await?;
    assert!(healed >= seen);
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_socket_that_is_too_slow_is_closed_and_told_so() -> Result<()> {
    let server = Server::open(&["rates.per_socket_rps=100000", "rates.per_socket_burst=100000"]).await?;
    let (_host, guest, room, mut live) = room_of_two(&server, 0).await?;
    // Asks and asks, and reads nothing: what the systems between hold is full at last.
    let flood = async {
        loop {
            let watch = ClientMessage::Watch {
                room: room.clone(),
                after: None,
            };
            if live.send(&watch).await.is_err() {
                return;
            }
        }
    };
    let closed_too_slow = until("the socket to count as too slow", async || {
        closed_sockets(&server, "too_slow")
            .await
            .filter(|count| *count > 0)
    });
    tokio::select! {
        () = flood => {}
        _ = closed_too_slow => {}
    }
    assert_eq!(closed(&mut live).await?, 1013);
    assert!(
        guest.client.room(&room).await?.my_role.is_some(),
        "the place in the room stays"
    );
    let mut live = guest.client.live(0).await?;
    next(&mut live, "the next socket", welcome).await?;
    server.stop().await?;
    Ok(())
}

/// Two people in a room in which so much has happened since the guest came, whose socket watches nothing yet.
async fn room_of_two(server: &Server, changes: u64) -> Result<(Person, Person, String, Live)> {
    let host = server.person("+4915112346041", "Host").await?;
    let guest = server.person("+4915112346042", "Guest").await?;
    let room = open_room(&host).await?;
    let mut live = guest.client.live(0).await?;
    let socket = next(&mut live, "welcome", welcome).await?;
    let request = JoinRequest {
        socket: Some(socket),
        ..join()
    };
    let from = guest.client.join(&room, &request).await?.room.seq;
    live.send(&ClientMessage::Unwatch { room: room.clone() }).await?;
    for n in 0..changes {
        host.client.mute(&room, n % 2 == 1).await?;
    }
    until("everything to have happened", async || {
        let seen = guest.client.room(&room).await.ok()?;
        (seen.seq >= from + changes).then_some(())
    })
    .await;
    Ok((host, guest, room, live))
}

/// How many sockets were closed for that reason.
async fn closed_sockets(server: &Server, reason: &str) -> Option<u64> {
    let series = format!("mitalk_api_live_sockets_closed_total{{reason=\"{reason}\"}}");
    let count = server.metric(&series).await.ok()??;
    Some(count as u64)
}
