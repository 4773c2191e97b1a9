//! Times, as operators write and read them: RFC 3339.

use anyhow::Context as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time as milliseconds since 1970.
///
/// # Errors
/// Not RFC 3339, or before 1970.
pub(super) fn milliseconds(text: &str) -> anyhow::Result<u64> {
    let time = OffsetDateTime::parse(text, &Rfc3339)
        .with_context(|| format!("{text} is not a time in RFC 3339, like 2027-06-30T12:00:00+02:00"))?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).context("that was before 1970")
}

/// Milliseconds since 1970 as a time, in UTC.
pub(super) fn shown(at_ms: u64) -> String {
    let time = i64::try_from(at_ms / 1_000)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{at_ms} ms after 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_offset_and_shown_in_utc() {
        let at = milliseconds("2027-06-30T12:00:00+02:00").unwrap();
        assert_eq!(shown(at), "2027-06-30T10:00:00Z");
        for wrong in ["tomorrow", "2027-06-30", "1969-12-31T23:59:59Z"] {
            assert!(milliseconds(wrong).is_err(), "{wrong}");
        }
    }
}
