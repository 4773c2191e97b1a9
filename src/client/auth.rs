//! Signing in and out.

use super::{Client, Error};
use crate::wire::auth::{CodeRequest, CodeSent, RefreshRequest, SignedIn, Tokens, VerifyRequest};
use reqwest::Method;

impl Client {
    /// Asks for a one-time code.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn send_code(&self, phone: &str) -> Result<CodeSent, Error> {
        self.send(
            Method::POST,
            &["v1", "auth", "code"],
            &CodeRequest {
                phone: phone.to_owned(),
            },
        )
        .await
    }

    /// Trades a code for tokens.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn verify(&self, request: &VerifyRequest) -> Result<SignedIn, Error> {
        self.send(Method::POST, &["v1", "auth", "verify"], request).await
    }

    /// Trades the newest refresh token for new tokens.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens, Error> {
        let request = RefreshRequest {
            refresh_token: refresh_token.to_owned(),
        };
        self.send(Method::POST, &["v1", "auth", "refresh"], &request)
            .await
    }

    /// Signs this device out.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn sign_out(&self) -> Result<(), Error> {
        self.act(Method::POST, &["v1", "auth", "sign-out"]).await
    }
}
