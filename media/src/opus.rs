//! The little of Opus (RFC 6716) that a forwarder needs: how long a packet lasts, and how silence looks.

/// RTP clock of Opus (RFC 7587), whatever the audio's bandwidth.
pub(crate) const CLOCK_HZ: u32 = 48_000;
/// Samples in the usual packet of 20 ms.
pub(crate) const FRAME: u32 = 960;
/// One frame of silence, 20 ms: CELT, mono, code 0. Decoders fade to it without a click.
pub(crate) const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];
/// RFC 6716, 3.2.5: no packet lasts longer.
const MAX_SAMPLES: u32 = CLOCK_HZ * 120 / 1000;

/// Samples of 48 kHz that a packet lasts; `None` if it is no Opus packet.
pub(crate) fn samples(payload: &[u8]) -> Option<u32> {
    let toc = *payload.first()?;
    // Table 2: the configuration's mode decides over the frame's length.
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880][usize::from(config % 4)],
        config @ 12..=15 => [480, 960][usize::from(config % 2)],
        config => [120, 240, 480, 960][usize::from(config % 4)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(payload.get(1)? & 63),
    };
    (1..=MAX_SAMPLES)
        .contains(&(frame * frames))
        .then_some(frame * frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_how_long_packets_last() {
        assert_eq!(samples(&SILENCE), Some(FRAME));
        assert_eq!(samples(&[0x78, 1, 2]), Some(FRAME), "hybrid, 20 ms, one frame");
        assert_eq!(
            samples(&[0xfb, 3, 1]),
            Some(3 * FRAME),
            "code 3 with three frames"
        );
        assert_eq!(samples(&[0x18, 0]), Some(3 * FRAME), "SILK, 60 ms");
        assert_eq!(samples(&[0xfb, 7]), None, "140 ms");
        assert_eq!(samples(&[0xfb, 0]), None, "no frames");
        assert_eq!(samples(&[0xfb]), None);
        assert_eq!(samples(&[]), None);
    }
}
