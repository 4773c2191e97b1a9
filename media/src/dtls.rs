//! DTLS 1.2 by dimpl, as str0m wants it, with the SRTP keys seen in passing.
//!
//! str0m's stock provider builds a `dimpl::Config` per peer, which self-tests all cryptography: 1 ms of each join.
//! This one shares a single configuration. And our own egress needs the keys that str0m keeps to itself.
//!
//! DTLS 1.3 is not offered: there dimpl follows the client's order, and Chromium's starts with AES128_CM_SHA1_80,
//! at 2-5 times the cost per packet; joins are no faster.

use crate::StartError;
use crate::srtp::{self, Profile};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;
use str0m::config::{CryptoProvider, DtlsCert, DtlsVersion};
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion};
use str0m::{Rtc, RtcConfig};

/// Where the keys of one association appear once its handshake is done.
#[derive(Clone, Default)]
pub(crate) struct Keys(Arc<Mutex<Contexts>>);

#[derive(Default)]
struct Contexts {
    inbound: Option<srtp::Context>,
    outbound: Option<srtp::Context>,
}

impl Keys {
    /// Takes the context that seals what we send; `None` before the handshake is done, or after it was taken.
    pub(crate) fn take_outbound(&self) -> Option<srtp::Context> {
        lock(&self.0).outbound.take()
    }

    /// Takes the context that opens what the client sent; `None` as above.
    pub(crate) fn take_inbound(&self) -> Option<srtp::Context> {
        lock(&self.0).inbound.take()
    }
}

/// str0m with our DTLS. One for the whole process, for str0m wants it to live for ever; it holds no session.
pub(crate) struct Factory {
    crypto: Arc<CryptoProvider>,
    provider: &'static Provider,
}

impl Factory {
    /// The process's factory; the first call tests the cryptography.
    ///
    /// # Errors
    /// [`StartError::Crypto`] if that fails.
    pub(crate) fn shared() -> Result<&'static Self, StartError> {
        static SHARED: OnceLock<Result<Factory, String>> = OnceLock::new();
        SHARED
            .get_or_init(Self::new)
            .as_ref()
            .map_err(|e| StartError::Crypto(e.clone()))
    }

    fn new() -> Result<Self, String> {
        // ICE has verified the address before DTLS starts: without the cookie there is one round trip less.
        let config = dimpl::Config::builder().use_server_cookie(false).build();
        let config = Arc::new(config.map_err(|e| e.to_string())?);
        let mut crypto = str0m::crypto::from_feature_flags();
        let stock = crypto.dtls_provider;
        let provider: &'static Provider = Box::leak(Box::new(Provider {
            stock,
            config,
            handover: Mutex::default(),
            building: Mutex::default(),
        }));
        crypto.dtls_provider = provider;
        Ok(Self {
            crypto: Arc::new(crypto),
            provider,
        })
    }

    /// A certificate for [`Factory::build`]; one per engine will do.
    ///
    /// # Errors
    /// [`StartError::Crypto`].
    pub(crate) fn certificate(&self) -> Result<DtlsCert, StartError> {
        let failed = || StartError::Crypto("could not make a DTLS certificate".to_owned());
        self.provider.generate_certificate().ok_or_else(failed)
    }

    /// A configuration for [`Factory::build`].
    pub(crate) fn config(&self) -> RtcConfig {
        RtcConfig::new()
            .set_crypto_provider(self.crypto.clone())
            .set_dtls_version(DtlsVersion::Dtls12)
    }

    /// Makes a session and the place where its keys will appear. str0m makes the DTLS instance in `build` and
    /// tells nobody which session it is for: so one is built at a time (20 us).
    pub(crate) fn build(&self, config: RtcConfig, now: Instant) -> (Rtc, Keys) {
        let _one_at_a_time = lock(&self.provider.building);
        let rtc = config.build(now);
        let keys = lock(&self.provider.handover).take().unwrap_or_default();
        (rtc, keys)
    }
}

struct Provider {
    stock: &'static dyn DtlsProvider,
    config: Arc<dimpl::Config>,
    building: Mutex<()>,
    handover: Mutex<Option<Keys>>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provider")
    }
}

impl DtlsProvider for Provider {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.stock.generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        _version: DtlsVersion,
        _mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let certificate = dimpl::DtlsCertificate {
            certificate: certificate.certificate.clone(),
            private_key: certificate.private_key.clone(),
        };
        let dtls = dimpl::Dtls::new_12(self.config.clone(), certificate, now);
        let keys = Keys::default();
        *lock(&self.handover) = Some(keys.clone());
        Ok(Box::new(Tap { dtls, keys }))
    }
}

/// One association; passes everything on and copies the keys.
struct Tap {
    dtls: dimpl::Dtls,
    keys: Keys,
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

impl DtlsInstance for Tap {
    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let active = self.dtls.is_active();
        let output = self.dtls.poll_output(buf);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output {
            let agreed = Profile::agreed(*profile);
            if let Some((client, server)) = agreed.and_then(|profile| srtp::contexts(profile, material)) {
                let (outbound, inbound) = if active {
                    (client, server)
                } else {
                    (server, client)
                };
                *lock(&self.keys.0) = Contexts {
                    inbound: Some(inbound),
                    outbound: Some(outbound),
                };
            }
        }
        output
    }

    fn set_active(&mut self, active: bool) {
        self.dtls.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.dtls.handle_packet(packet)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.dtls.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.dtls.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.dtls.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.dtls.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.dtls.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.dtls.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.dtls.close()
    }
}

/// Nothing here can be half-done when a panic comes, so a poisoned lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// What a side has to say, and what it has agreed on, if it has.
    type Said = (Vec<Vec<u8>>, Option<dimpl::SrtpProfile>);

    fn say(mut poll: impl FnMut(&mut [u8], &mut Said) -> bool) -> Said {
        let (mut said, mut buffer) = (Said::default(), [0; 2048]);
        while poll(&mut buffer, &mut said) {}
        said
    }

    fn note(output: DtlsOutput<'_>, said: &mut Said) -> bool {
        match output {
            DtlsOutput::Packet(packet) => said.0.push(packet.to_vec()),
            DtlsOutput::KeyingMaterial(_, profile) => said.1 = Some(profile),
            DtlsOutput::Timeout(_) => return false,
            _ => {}
        }
        true
    }

    /// A client that would rather have 1.3, as browsers would: there it would get AES-CM, at several times the cost.
    #[test]
    fn what_is_agreed_on_is_dtls_1_2_with_aes_256_gcm() {
        let factory = Factory::shared().unwrap();
        let mut now = Instant::now();
        let certificate = factory.certificate().unwrap();
        let mut server = factory
            .provider
            .new_dtls(&certificate, now, DtlsVersion::Auto, None)
            .unwrap();
        server.set_active(false);
        let certificate = dimpl::certificate::generate_self_signed_certificate().unwrap();
        let config = Arc::new(dimpl::Config::builder().build().unwrap());
        let mut client = dimpl::Dtls::new_auto(config, certificate, now);
        client.set_active(true);
        // It wants to know the time before its first packet.
        server.handle_timeout(now).unwrap();
        let (mut by_server, mut by_client) = (None, None);
        for _ in 0..50 {
            now += Duration::from_millis(100);
            client.handle_timeout(now).unwrap();
            let (packets, agreed) = say(|buffer, said| note(client.poll_output(buffer), said));
            by_client = by_client.or(agreed);
            for packet in packets {
                server.handle_packet(&packet).unwrap();
            }
            server.handle_timeout(now).unwrap();
            let (packets, agreed) = say(|buffer, said| note(server.poll_output(buffer), said));
            by_server = by_server.or(agreed);
            for packet in packets {
                client.handle_packet(&packet).unwrap();
            }
        }
        let gcm = Some(dimpl::SrtpProfile::AEAD_AES_256_GCM);
        assert_eq!((by_server, by_client), (gcm, gcm));
        assert_eq!(server.protocol_version(), Some(ProtocolVersion::DTLS1_2));
        assert_eq!(client.protocol_version(), Some(dimpl::ProtocolVersion::DTLS1_2));
    }
}
