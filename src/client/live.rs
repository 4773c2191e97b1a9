//! The live socket, with typed messages.

use super::Client;
use crate::wire::live::{ClientMessage, ServerMessage};
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Why a live socket gives no more messages.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The server closed it.
    #[error("closed by the server: {code} {reason}")]
    Closed {
        /// See [`crate::wire::live`].
        code: u16,
        /// For people.
        reason: String,
    },
    /// The connection ended without a word.
    #[error("the connection is gone")]
    Gone,
    /// The connection, or the handshake.
    #[error(transparent)]
    Socket(#[from] Box<tungstenite::Error>),
    /// A message that this client does not know.
    #[error("a message that cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl LiveError {
    /// The close code, if the server gave one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Closed { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// An open live socket.
#[derive(Debug)]
pub struct Live(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    /// Opens the live socket and says hello with the client's access token. The first message is then `welcome`.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn live(&self, notices_after: u64) -> Result<Live, LiveError> {
        let mut live = self.live_silent().await?;
        let token = self.token.as_deref().unwrap_or_default().to_owned();
        live.send(&ClientMessage::Hello { token, notices_after }).await?;
        Ok(live)
    }

    /// Opens the live socket and says nothing.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn live_silent(&self) -> Result<Live, LiveError> {
        let mut url = self.url(&["v1", "live"]);
        // Fails only for URLs that have no host, and ours has answered as HTTP.
        let _ = url.set_scheme("ws");
        let (socket, _) = tokio_tungstenite::connect_async_with_config(url.as_str(), None, true)
            .await
            .map_err(Box::new)?;
        Ok(Live(socket))
    }
}

impl Live {
    /// Sends a message.
    ///
    /// # Errors
    /// [`LiveError::Socket`].
    pub async fn send(&mut self, message: &ClientMessage) -> Result<(), LiveError> {
        self.send_text(&serde_json::to_string(message)?).await
    }

    /// Sends any text, for tests of bad input.
    ///
    /// # Errors
    /// [`LiveError::Socket`].
    pub async fn send_text(&mut self, text: &str) -> Result<(), LiveError> {
        Ok(self.0.send(Message::text(text)).await.map_err(Box::new)?)
    }

    /// Sends any bytes, for tests of bad input.
    ///
    /// # Errors
    /// [`LiveError::Socket`].
    pub async fn send_binary(&mut self, bytes: &'static [u8]) -> Result<(), LiveError> {
        Ok(self.0.send(Message::binary(bytes)).await.map_err(Box::new)?)
    }

    /// The next message of the server. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`LiveError`]; after any but [`LiveError::Unreadable`] nothing more comes.
    pub async fn next(&mut self) -> Result<ServerMessage, LiveError> {
        loop {
            match self.0.next().await.ok_or(LiveError::Gone)?.map_err(Box::new)? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(Some(frame)) => {
                    return Err(LiveError::Closed {
                        code: frame.code.into(),
                        reason: frame.reason.to_string(),
                    });
                }
                Message::Close(None) => return Err(LiveError::Gone),
                // Pings are answered by the next read or write of the socket.
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Closes it.
    ///
    /// # Errors
    /// [`LiveError::Socket`].
    pub async fn close(mut self) -> Result<(), LiveError> {
        Ok(self.0.close(None).await.map_err(Box::new)?)
    }
}
