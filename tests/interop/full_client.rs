//! A complete WebRTC client (the `webrtc` crate: its own ICE, DTLS, SRTP, SDP and RTCP) with the default codecs and
//! interceptors, as an application would set it up. It shares no code with the server.

use anyhow::Context;
use async_trait::async_trait;
use mitalk_load::pattern::{FRAME_TICKS, Frame};
use mitalk_tests::light::clock;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::MIME_TYPE_OPUS;
use rtc::rtp::extension::HeaderExtension;
use rtc::rtp::extension::audio_level_extension::AudioLevelExtension;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpHeaderExtensionCapability,
    RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState, RTCSessionDescription, Registry, register_default_interceptors,
};

/// RFC 6464, what the server ranks speakers by.
const LEVEL_URI: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// As loud as a clear voice, in -dBov.
const VOICE_LEVEL: u8 = 20;
/// What the default media engine calls Opus.
const OPUS_PAYLOAD_TYPE: u8 = 111;
const SLOTS: usize = 3;
/// Generous: the test waits for a condition.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An RTP packet as the application gets it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) csrc: Option<u32>,
    pub(crate) payload: Vec<u8>,
}

/// One peer connection: a microphone and three slots.
pub(crate) struct FullClient {
    peer: Arc<dyn PeerConnection>,
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    state: watch::Receiver<State>,
    /// Everything heard, in order of arrival.
    pub(crate) received: mpsc::UnboundedReceiver<Received>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct State {
    gathered: bool,
    connected: bool,
}

struct Handler {
    state: watch::Sender<State>,
    received: mpsc::UnboundedSender<Received>,
}

#[async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.state
            .send_modify(|s| s.gathered = state == RTCIceGatheringState::Complete);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.state
            .send_modify(|s| s.connected = state == RTCPeerConnectionState::Connected);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let received = self.received.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                let TrackRemoteEvent::OnRtpPacket(packet) = event else {
                    continue;
                };
                let header = packet.header;
                let _ = received.send(Received {
                    ssrc: header.ssrc,
                    sequence: header.sequence_number,
                    timestamp: header.timestamp,
                    csrc: header.csrc.first().copied(),
                    payload: packet.payload.to_vec(),
                });
            }
        });
    }
}

impl FullClient {
    /// A client that has made no connection yet.
    pub(crate) async fn new() -> anyhow::Result<Self> {
        let mut media = MediaEngine::default();
        media.register_default_codecs()?;
        let level = RTCRtpHeaderExtensionCapability {
            uri: LEVEL_URI.to_owned(),
        };
        media.register_header_extension(level, RtpCodecKind::Audio, None)?;
        let interceptors = register_default_interceptors(Registry::new(), &mut media)?;
        let (state, watched) = watch::channel(State::default());
        let (received, inbox) = mpsc::unbounded_channel();
        let building = PeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_interceptor_registry(interceptors)
            .with_handler(Arc::new(Handler { state, received }))
            .with_udp_addrs(vec!["127.0.0.1:0"])
            .build();
        // It takes 20 KB.
        let peer = Box::pin(building).await?;
        let ssrc = rand::random();
        let track = Arc::new(TrackLocalStaticRTP::new(microphone(ssrc)));
        let direction = |direction| {
            Some(RTCRtpTransceiverInit {
                direction,
                ..Default::default()
            })
        };
        let send = direction(RTCRtpTransceiverDirection::Sendonly);
        peer.add_transceiver_from_track(track.clone() as Arc<dyn TrackLocal>, send)
            .await?;
        for _ in 0..SLOTS {
            let receive = direction(RTCRtpTransceiverDirection::Recvonly);
            peer.add_transceiver_from_kind(RtpCodecKind::Audio, receive)
                .await?;
        }
        Ok(Self {
            peer: Arc::new(peer),
            track,
            ssrc,
            state: watched,
            received: inbox,
        })
    }

    /// An offer with all candidates.
    pub(crate) async fn offer(&mut self) -> anyhow::Result<String> {
        let offer = self.peer.create_offer(None).await?;
        self.peer.set_local_description(offer).await?;
        self.wait(|state| state.gathered, "candidates to be gathered")
            .await?;
        Ok(self
            .peer
            .local_description()
            .await
            .context("an offer was just set")?
            .sdp)
    }

    /// An offer with new ICE credentials for the same connection.
    pub(crate) async fn restart_offer(&mut self) -> anyhow::Result<String> {
        self.peer.restart_ice().await?;
        self.offer().await
    }

    pub(crate) async fn answer(&self, sdp: String) -> anyhow::Result<()> {
        Ok(self
            .peer
            .set_remote_description(RTCSessionDescription::answer(sdp)?)
            .await?)
    }

    pub(crate) async fn connected(&mut self) -> anyhow::Result<()> {
        self.wait(|state| state.connected, "the connection").await
    }

    async fn wait(&mut self, condition: impl Fn(&State) -> bool, what: &str) -> anyhow::Result<()> {
        let waited = tokio::time::timeout(PATIENCE, self.state.wait_for(|state| condition(state))).await;
        waited.with_context(|| format!("waited {PATIENCE:?} for {what}"))??;
        Ok(())
    }

    /// Speaks frames `from..to` of a speaker, in real time.
    pub(crate) async fn speak(
        &self,
        run: u32,
        speaker: u32,
        frames: std::ops::Range<u32>,
    ) -> anyhow::Result<()> {
        let frame = |counter| Frame {
            run,
            speaker,
            counter,
            due_us: 0,
        };
        self.say(frames.map(|counter| (counter, frame(counter).write().to_vec())))
            .await
    }

    /// Sends payloads of 20 ms, in real time, with their places in the sequence.
    pub(crate) async fn say(&self, payloads: impl Iterator<Item = (u32, Vec<u8>)>) -> anyhow::Result<()> {
        let mut clock = clock();
        for (counter, payload) in payloads {
            clock.tick().await;
            let packet = rtc::rtp::Packet {
                header: rtc::rtp::Header {
                    version: 2,
                    payload_type: OPUS_PAYLOAD_TYPE,
                    sequence_number: counter as u16,
                    timestamp: counter.wrapping_mul(FRAME_TICKS),
                    ssrc: self.ssrc,
                    ..Default::default()
                },
                payload: payload.into(),
            };
            let level = HeaderExtension::AudioLevel(AudioLevelExtension {
                level: VOICE_LEVEL,
                voice: true,
            });
            self.track.write_rtp_with_extensions(packet, &[level]).await?;
        }
        Ok(())
    }

    pub(crate) async fn close(self) -> anyhow::Result<()> {
        Ok(self.peer.close().await?)
    }
}

fn microphone(ssrc: u32) -> MediaStreamTrack {
    let codec = RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: Vec::new(),
    };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            ..Default::default()
        },
        codec,
        ..Default::default()
    };
    let name = |what: &str| format!("{what}-{ssrc}");
    MediaStreamTrack::new(
        name("stream"),
        name("track"),
        name("microphone"),
        RtpCodecKind::Audio,
        vec![encoding],
    )
}
