//! Points in time as AWS writes them.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

/// A time, or the text that stood where one was expected: an unknown format is shown, not lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time {
    text: String,
    instant: Option<Timestamp>,
}

/// CloudTrail's console writes these; all times of AWS's events are UTC.
const WORDED_FORMATS: [&str; 2] = ["%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p"];

impl Time {
    pub fn read(text: String) -> Self {
        let instant = text.parse().ok().or_else(|| worded(&text));
        Self { text, instant }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn instant(&self) -> Option<Timestamp> {
        self.instant
    }

    /// How long after `earlier` this is; none where either is unknown or they stand the wrong way round.
    pub fn since(&self, earlier: &Self) -> Option<SignedDuration> {
        let passed = self.instant?.duration_since(earlier.instant?);
        (!passed.is_negative()).then_some(passed)
    }
}

fn worded(text: &str) -> Option<Timestamp> {
    WORDED_FORMATS
        .iter()
        .find_map(|format| DateTime::strptime(format, text).ok())
        .and_then(|time| time.to_zoned(TimeZone::UTC).ok())
        .map(|time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_that_aws_writes_a_time() {
        for (text, expected) in [
            ("2026-11-05T12:34:56Z", "2026-11-05T12:34:56Z"),
            ("2026-11-05T12:34:56.7Z", "2026-11-05T12:34:56.7Z"),
            (
                "2026-11-05T12:34:56.618059641Z",
                "2026-11-05T12:34:56.618059641Z",
            ),
            ("Oct 27, 2025, 12:00:52 AM", "2025-10-27T00:00:52Z"),
            ("Jul 9, 2018 12:56:54 PM", "2018-07-09T12:56:54Z"),
        ] {
            let time = Time::read(text.to_owned());
            assert_eq!(
                time.instant().map(|at| at.to_string()).as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn what_does_not_parse_stays_as_text() {
        let time = Time::read("next Tuesday".to_owned());
        assert_eq!((time.text(), time.instant()), ("next Tuesday", None));
    }

    #[test]
    fn time_runs_forwards() {
        let early = Time::read("2026-11-05T12:00:00Z".to_owned());
        let late = Time::read("2026-11-05T12:01:30Z".to_owned());
        assert_eq!(late.since(&early), Some(SignedDuration::from_secs(90)));
        assert_eq!(early.since(&late), None);
    }
}
