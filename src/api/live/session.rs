//! One live socket, from its hello to its end.

use super::super::problem::Error;
use super::super::rates::Allowance;
use super::super::tokens::Claims;
use super::super::{Api, Context, codes};
use super::MAX_MESSAGE_BYTES;
use super::end::End;
use crate::wire::live::{ClientMessage, ServerMessage};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use mitalk_actors::Caller;
use mitalk_actors::id::RoomId;
use mitalk_actors::live::LiveStream;
use mitalk_actors::sockets::LiveSession;
use rand::Rng as _;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{Instant, Interval};

/// The first message must come within so long.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// Pings within the time after which a silent client counts as gone: one may be lost, and with the usual minute this is more
/// often than proxies and mobile networks forget a connection.
const PINGS_WITHIN_IDLE: u32 = 3;
/// A frame that cannot be written for so long means that the client is gone or too slow.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// A client whose socket is closed has so long to say goodbye as well.
const FAREWELL: Duration = Duration::from_secs(2);
/// The answer to a client's close is tried for so long.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// When the node stops, clients come back spread over so long.
pub(super) const MOVE_WITHIN: Duration = Duration::from_secs(2);

/// Serves one socket until it ends.
pub(super) async fn run(api: Api, context: Context, socket: WebSocket) {
    let (sender, receiver) = socket.split();
    let mut client = Client {
        sender,
        receiver,
        context,
        wrote: Instant::now(),
    };
    let greeted = tokio::select! {
        greeted = greet(&api, &mut client) => greeted,
        () = api.0.sockets.moving.cancelled() => Err(End::Restart),
    };
    let end = match greeted {
        Ok(session) => session.serve(&api, &mut client).await,
        Err(end) => end,
    };
    let (code, reason) = end.code();
    api.0.metrics.sockets_closed.with_label_values(&[reason]).inc();
    if !matches!(end, End::Gone | End::Closed) {
        client.close(code, reason).await;
    }
}

/// Waits for `hello` and attaches.
async fn greet(api: &Api, client: &mut Client) -> Result<Session, End> {
    let allowance = Allowance::new(api.0.rates.per_socket_rps, api.0.rates.per_socket_burst);
    let hello = tokio::time::timeout(HELLO_TIMEOUT, first(client, &allowance))
        .await
        .map_err(|_| End::NoHello)??;
    let Incoming::Message(ClientMessage::Hello { token, notices_after }) = hello else {
        return Err(End::NoHello);
    };
    let (caller, claims) = authenticate(api, &client.context, &token)?;
    let (sink, stream) = api.0.mitalk.live_queue(&caller);
    match api.0.mitalk.attach(&caller, sink, notices_after).await {
        Ok(live) => Ok(Session {
            expires: Instant::now() + api.0.tokens.left(&claims),
            caller,
            live,
            stream,
            watched: VecDeque::new(),
            allowance,
            heard: Instant::now(),
            pings: tokio::time::interval(api.0.http.live_idle() / PINGS_WITHIN_IDLE),
        }),
        Err(error) => {
            let error = Error::from(error);
            client.problem(&error).await?;
            Err(if error.code().status.is_server_error() {
                End::Unavailable
            } else {
                error.into()
            })
        }
    }
}

/// The first thing that is no ping: some clients begin with one.
async fn first(client: &mut Client, allowance: &Allowance) -> Result<Incoming, End> {
    loop {
        match client.receive().await? {
            Incoming::Control if allowance.take() => {}
            Incoming::Control => return Err(End::TooManyMessages),
            other => return Ok(other),
        }
    }
}

fn authenticate(api: &Api, context: &Context, token: &str) -> Result<(Caller, Claims), Error> {
    let caller = api.signed(token, context)?;
    let claims = api.0.tokens.check(token)?;
    Ok((caller, claims))
}

/// An attached socket.
struct Session {
    caller: Caller,
    expires: Instant,
    live: LiveSession,
    stream: LiveStream,
    /// Rooms that it watches by its own wish, the longest first.
    watched: VecDeque<RoomId>,
    allowance: Allowance,
    /// When anything last came from the client.
    heard: Instant,
    pings: Interval,
}

impl Session {
    async fn serve(mut self, api: &Api, client: &mut Client) -> End {
        loop {
            match self.turn(api, client).await {
                Ok(()) => {}
                Err(end) => {
                    for room in std::mem::take(&mut self.watched) {
                        self.forget(api, room);
                    }
                    let (pings_every, now) = (self.pings.period(), Instant::now());
                    if let Some(since) = end.lost_since(self.heard, client.wrote, now, pings_every) {
                        self.live.sink().lost_since(since);
                    }
                    return end;
                }
            }
        }
    }

    /// Waits for whatever comes next and deals with it.
    async fn turn(&mut self, api: &Api, client: &mut Client) -> Result<(), End> {
        tokio::select! {
            () = api.0.sockets.moving.cancelled() => {
                let after_ms = rand::rng().random_range(0..=MOVE_WITHIN.as_millis() as u64);
                client.send(&ServerMessage::Moving { after_ms }).await?;
                Err(End::Restart)
            }
            message = self.stream.next() => client.send(&message?.into()).await,
            incoming = client.receive() => {
                let incoming = incoming?;
                self.heard = Instant::now();
                match incoming {
                    Incoming::Message(message) => self.take(api, client, message).await,
                    Incoming::Bad(error) => {
                        self.spend()?;
                        client.problem(&error).await
                    }
                    Incoming::Control => self.spend(),
                }
            }
            () = tokio::time::sleep_until(self.expires) => Err(End::SignInAgain),
            () = tokio::time::sleep_until(self.heard + api.0.http.live_idle()) => Err(End::Idle),
            _ = self.pings.tick() => client.ping().await,
        }
    }

    fn spend(&self) -> Result<(), End> {
        if self.allowance.take() {
            Ok(())
        } else {
            Err(End::TooManyMessages)
        }
    }

    async fn take(&mut self, api: &Api, client: &mut Client, message: ClientMessage) -> Result<(), End> {
        self.spend()?;
        match message {
            ClientMessage::Hello { .. } => {
                client
                    .problem(&Error::new(codes::CONFLICT).detail("hello was said already"))
                    .await
            }
            ClientMessage::Token { token } => self.renew(api, client, &token),
            ClientMessage::Watch { room, after } => self.watch(api, client, &room, after).await,
            ClientMessage::Unwatch { room } => {
                if let Ok(room) = room.parse() {
                    self.forget(api, room);
                }
                Ok(())
            }
            ClientMessage::Ping {} => client.send(&ServerMessage::Pong {}).await,
        }
    }

    fn renew(&mut self, api: &Api, client: &Client, token: &str) -> Result<(), End> {
        let (caller, claims) = authenticate(api, &client.context, token)?;
        if (caller.user, caller.device) != (self.caller.user, self.caller.device) {
            return Err(End::SignInAgain);
        }
        self.expires = Instant::now() + api.0.tokens.left(&claims);
        self.caller = caller;
        Ok(())
    }

    async fn watch(
        &mut self,
        api: &Api,
        client: &mut Client,
        room: &str,
        after: Option<u64>,
    ) -> Result<(), End> {
        let Ok(room) = room.parse::<RoomId>() else {
            return client.problem(&Error::new(codes::ROOM_NOT_FOUND)).await;
        };
        match api
            .0
            .mitalk
            .rooms()
            .watch(room, self.live.sink().clone(), after)
            .await
        {
            Ok(()) => {
                self.watched.retain(|watched| *watched != room);
                self.watched.push_back(room);
            }
            Err(error) => return client.problem(&error.into()).await,
        }
        // One socket watches few rooms: the one watched longest makes room for the newest.
        if self.watched.len() > api.0.limits.live.watched_rooms
            && let Some(oldest) = self.watched.front().copied()
        {
            self.forget(api, oldest);
        }
        Ok(())
    }

    fn forget(&mut self, api: &Api, room: RoomId) {
        self.watched.retain(|watched| *watched != room);
        api.0.mitalk.rooms().unwatch(room, self.live.socket());
    }
}

/// What came from the client.
enum Incoming {
    Message(ClientMessage),
    Bad(Error),
    /// A ping, or a pong: a sign of life, which costs as much as any message.
    Control,
}

/// The socket's two halves, with their bounds.
struct Client {
    sender: SplitSink<WebSocket, Message>,
    receiver: SplitStream<WebSocket>,
    context: Context,
    /// When a message last went out.
    wrote: Instant,
}

impl Client {
    async fn receive(&mut self) -> Result<Incoming, End> {
        match self.receiver.next().await {
            Some(Ok(Message::Text(text))) if text.len() > MAX_MESSAGE_BYTES => Err(End::TooLarge),
            Some(Ok(Message::Text(text))) => Ok(match serde_json::from_str(&text) {
                Ok(message) => Incoming::Message(message),
                Err(error) if error.is_data() => {
                    Incoming::Bad(Error::new(codes::UNPROCESSABLE).detail(error.to_string()))
                }
                Err(error) => Incoming::Bad(Error::new(codes::MALFORMED_JSON).detail(error.to_string())),
            }),
            Some(Ok(Message::Binary(_))) => Err(End::NotText),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(Incoming::Control),
            Some(Ok(Message::Close(_))) => {
                // The answer is queued already; browsers report a broken connection if it never goes out.
                let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.sender.close()).await;
                Err(End::Closed)
            }
            Some(Err(_)) | None => Err(End::Gone),
        }
    }

    async fn send(&mut self, message: &ServerMessage) -> Result<(), End> {
        let Ok(text) = serde_json::to_string(message) else {
            tracing::error!("a live message cannot be written as JSON");
            return Err(End::Unavailable);
        };
        self.write(Message::Text(text.into())).await
    }

    async fn problem(&mut self, error: &Error) -> Result<(), End> {
        let problem = error.document(self.context.language, Some(&self.context.request_id));
        self.send(&ServerMessage::Problem { problem }).await
    }

    async fn ping(&mut self) -> Result<(), End> {
        self.write(Message::Ping(Vec::new().into())).await
    }

    /// Says why, and hears the client out: closing with something unread would reset the connection, and the client might
    /// never see the reason (RFC 6455, section 7.1.1).
    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        if self.write(Message::Close(Some(frame))).await.is_err() {
            return;
        }
        let farewell = async {
            while let Some(Ok(message)) = self.receiver.next().await {
                if matches!(message, Message::Close(_)) {
                    return;
                }
            }
        };
        // Who does not answer has had their time.
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        match tokio::time::timeout(WRITE_TIMEOUT, self.sender.send(message)).await {
            Ok(Ok(())) => {
                self.wrote = Instant::now();
                Ok(())
            }
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::TooSlow),
        }
    }
}
