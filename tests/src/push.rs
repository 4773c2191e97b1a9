//! The other side of Web Push: a push service that takes messages as a real one does, and a browser's keys, which decrypt them.
//!
//! Written from the RFCs (8030, 8188, 8291, 8292) over another library than the service's, so that both must be right.

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use mitalk::wire::push::{PushKeys, PushSubscription};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Of the header before the record: salt, record size, and the key's length (RFC 8188, 2.1).
const SALT: usize = 16;
const HEADER: usize = SALT + 4 + 1;
/// An uncompressed point.
const POINT: usize = 65;
/// The end of the last record (RFC 8188, 2).
const LAST: u8 = 2;

/// A browser's keys of one subscription.
pub struct Browser {
    private: PrivateKey,
    public: Vec<u8>,
    auth: [u8; 16],
}

impl Default for Browser {
    fn default() -> Self {
        let private = PrivateKey::generate(&ECDH_P256).expect("a key");
        Self::of(private, rand::random())
    }
}

impl Browser {
    fn of(private: PrivateKey, auth: [u8; 16]) -> Self {
        let public = private.compute_public_key().expect("its point");
        let public = public.as_ref().to_vec();
        Self {
            private,
            public,
            auth,
        }
    }

    /// What the app sends to the service.
    pub fn subscription(&self, endpoint: &str, server_key: &str) -> PushSubscription {
        PushSubscription {
            endpoint: endpoint.to_owned(),
            keys: PushKeys {
                p256dh: URL_SAFE_NO_PAD.encode(&self.public),
                auth: URL_SAFE_NO_PAD.encode(self.auth),
            },
            server_key: server_key.to_owned(),
            language: "en".to_owned(),
        }
    }

    /// Its public key, and the secret that it shares.
    pub fn keys(&self) -> (Vec<u8>, Vec<u8>) {
        (self.public.clone(), self.auth.to_vec())
    }

    /// What is in a message (RFC 8291, 3.4).
    ///
    /// # Errors
    /// It is not for this browser, or not of the form.
    pub fn decrypt(&self, body: &[u8]) -> Result<Vec<u8>> {
        let (header, rest) = body.split_at_checked(HEADER).context("no header")?;
        ensure!(usize::from(header[HEADER - 1]) == POINT, "its key is no point");
        let (sender, record) = rest.split_at_checked(POINT).context("no key")?;
        let size = u32::from_be_bytes(header[SALT..SALT + 4].try_into()?) as usize;
        ensure!(
            record.len() < size,
            "more than one record, which browsers need not take"
        );
        let wrong = || anyhow::anyhow!("it does not decrypt");

        let sender_key = UnparsedPublicKey::new(&ECDH_P256, sender);
        let info = [b"WebPush: info\0".as_slice(), &self.public, sender];
        let secret = agree(&self.private, sender_key, wrong(), |shared| {
            expand::<32>(&self.auth, shared, &info).ok_or_else(wrong)
        })?;
        let salt = &header[..SALT];
        let key = expand::<16>(salt, &secret, &[b"Content-Encoding: aes128gcm\0"]).ok_or_else(wrong)?;
        let nonce = expand::<12>(salt, &secret, &[b"Content-Encoding: nonce\0"]).ok_or_else(wrong)?;

        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).map_err(|_| wrong())?);
        let mut record = record.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = key
            .open_in_place(nonce, Aad::empty(), &mut record)
            .map_err(|_| wrong())?;
        let end = opened.iter().rposition(|byte| *byte != 0).context("no end")?;
        ensure!(opened[end] == LAST, "not the last record");
        Ok(opened[..end].to_vec())
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> Option<[u8; N]> {
    let mut out = [0; N];
    let key = Salt::new(HKDF_SHA256, salt).extract(secret);
    key.expand(info, Length(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

/// A message, as it reached the push service.
#[derive(Clone, Debug)]
pub struct Message {
    /// Of the endpoint.
    pub path: String,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Deserialize)]
struct Claims {
    exp: u64,
    sub: String,
}

impl Message {
    /// A header's text; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// What is in it, for this browser.
    ///
    /// # Panics
    /// It does not decrypt, or is no JSON.
    pub fn said(&self, to: &Browser) -> Value {
        let clear = to.decrypt(&self.body).expect("it is for this browser");
        serde_json::from_slice(&clear).expect("it is JSON")
    }

    /// Whom the sender says to write to, in a token that is good at `origin` at `now_s`.
    ///
    /// # Errors
    /// It is not signed by the holder of `server_key`, or not good there and then (RFC 8292, 2 and 3).
    pub fn sender(&self, server_key: &str, origin: &str, now_s: u64) -> Result<String> {
        let value = self
            .header("authorization")
            .strip_prefix("vapid ")
            .context("no vapid")?;
        let parts: HashMap<&str, &str> = value
            .split(',')
            .filter_map(|part| part.trim().split_once('='))
            .collect();
        ensure!(parts["k"] == server_key, "another key");
        let point = URL_SAFE_NO_PAD.decode(server_key)?;
        let coordinate = |range| URL_SAFE_NO_PAD.encode(&point[range]);
        let key = DecodingKey::from_ec_components(&coordinate(1..33), &coordinate(33..65))?;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[origin]);
        validation.required_spec_claims = HashSet::from(["exp", "aud", "sub"].map(str::to_owned));
        let claims = jsonwebtoken::decode::<Claims>(parts["t"], &key, &validation)?.claims;
        ensure!(
            claims.exp <= now_s + 24 * 60 * 60,
            "it is good for more than a day"
        );
        Ok(claims.sub)
    }
}

/// What a push service does with messages to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Answers with this status.
    Answers(u16),
    /// Never answers.
    Hangs,
}

/// A push service on a port of its own. It takes everything, unless it is told otherwise.
pub struct PushService {
    /// To be listed in `push.services`.
    pub origin: String,
    seen: watch::Receiver<Vec<Message>>,
    manners: Arc<Mutex<HashMap<String, Manner>>>,
}

impl PushService {
    /// Starts one.
    ///
    /// # Errors
    /// No port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let (arrived, seen) = watch::channel(vec![]);
        let manners = Arc::<Mutex<HashMap<String, Manner>>>::default();
        let takes = Arc::new(Takes {
            arrived,
            manners: manners.clone(),
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let takes = takes.clone();
                let service = service_fn(move |request| takes.clone().take(request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Ok(Self {
            origin,
            seen,
            manners,
        })
    }

    /// The setting that lets a service send to these.
    pub fn setting(services: &[&Self]) -> String {
        let origins: Vec<_> = services
            .iter()
            .map(|service| format!("\"{}\"", service.origin))
            .collect();
        format!("push.services=[{}]", origins.join(","))
    }

    /// An endpoint of it.
    pub fn endpoint(&self, name: &str) -> String {
        format!("{}/{name}", self.origin)
    }

    /// From now on, messages to this endpoint meet with that.
    pub fn set(&self, name: &str, manner: Manner) {
        let mut manners = self.manners.lock().unwrap_or_else(PoisonError::into_inner);
        manners.insert(format!("/{name}"), manner);
    }

    /// All that came to an endpoint so far, also what was not taken.
    pub fn seen(&self, name: &str) -> Vec<Message> {
        let path = format!("/{name}");
        let seen = self.seen.borrow();
        seen.iter()
            .filter(|message| message.path == path)
            .cloned()
            .collect()
    }
}

struct Takes {
    arrived: watch::Sender<Vec<Message>>,
    manners: Arc<Mutex<HashMap<String, Manner>>>,
}

impl Takes {
    async fn take(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let body = body
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        let known = {
            let manners = self.manners.lock().unwrap_or_else(PoisonError::into_inner);
            manners.get(&path).copied()
        };
        self.arrived.send_modify(|all| {
            all.push(Message {
                path,
                headers: head.headers,
                body,
            });
        });
        let status = match known {
            None => 201,
            Some(Manner::Answers(status)) => status,
            Some(Manner::Hangs) => std::future::pending().await,
        };
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = hyper::StatusCode::from_u16(status).expect("a status");
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8291, 5 and Appendix A.
    #[test]
    fn opens_the_message_of_the_rfc() {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let private = bytes("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94");
        let private = PrivateKey::from_private_key(&ECDH_P256, &private).unwrap();
        let auth = bytes("BTBZMqHH6r4Tts7J_aSIgg").try_into().unwrap();
        let browser = Browser::of(private, auth);
        assert_eq!(
            browser.subscription("", "").keys.p256dh,
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        );
        let body = bytes(concat!(
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK",
            "6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
        ));
        let clear = browser.decrypt(&body).unwrap();
        assert_eq!(clear, b"When I grow up, I want to be a watermelon");
        let mut changed = body;
        *changed.last_mut().unwrap() ^= 1;
        browser.decrypt(&changed).unwrap_err();
        Browser::default().decrypt(&changed).unwrap_err();
    }
}
