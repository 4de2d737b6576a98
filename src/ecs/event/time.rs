//! Reads times in the formats that AWS uses.

use jiff::{SignedDuration, Timestamp, civil::DateTime, fmt::rfc2822, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// A time and its text. If the format is unknown, only the text is there, so that it can still be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Time {
    text: String,
    instant: Option<Timestamp>,
}

/// The formats of CloudTrail's console. All times in AWS events are in UTC.
const WORDED_FORMATS: [&str; 2] = ["%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p"];

impl Time {
    pub fn read(text: String) -> Self {
        let instant = text.parse().ok().or_else(|| worded(&text));
        Self { text, instant }
    }

    /// Reads a time of AWS Health: "Wed, 16 Sep 2026 23:18:51 GMT" (RFC 822). It is kept in RFC 3339.
    pub(super) fn read_mail_time(text: String) -> Self {
        // RFC 822 says the day of the week twice. If it does not fit the date, the date counts.
        const PARSER: rfc2822::DateTimeParser =
            rfc2822::DateTimeParser::new().relaxed_weekday(true);
        match PARSER.parse_timestamp(&text) {
            Ok(time) => Self {
                text: time.to_string(),
                instant: Some(time),
            },
            Err(_) => Self::read(text),
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn instant(&self) -> Option<Timestamp> {
        self.instant
    }

    /// The time from `earlier` to this. `None` if one of them is unknown, or if `earlier` is the later one.
    pub fn since(&self, earlier: &Self) -> Option<SignedDuration> {
        let elapsed = self.instant?.duration_since(earlier.instant?);
        (!elapsed.is_negative()).then_some(elapsed)
    }
}

impl From<String> for Time {
    fn from(text: String) -> Self {
        Self::read(text)
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.text
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
    fn every_time_format_of_aws_is_read() {
        for (text, expected) in [
            ("2026-11-05T12:34:56Z", "2026-11-05T12:34:56Z"),
            ("2026-11-05T12:34:56.7Z", "2026-11-05T12:34:56.7Z"),
            (
                "2026-11-05T12:34:56.618059641Z",
                "2026-11-05T12:34:56.618059641Z",
            ),
            ("Oct 27, 2025, 12:00:52 AM", "2025-10-27T00:00:52Z"),
            ("Jul 9, 2018 12:56:54 PM", "2018-07-09T12:56:54Z"),
            // CloudWatch alarms.
            ("2026-11-05T12:34:56.331+0000", "2026-11-05T12:34:56.331Z"),
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
    fn the_times_of_aws_health_are_read() {
        for (text, expected) in [
            ("Wed, 16 Sep 2026 23:18:51 GMT", "2026-09-16T23:18:51Z"),
            ("Fri, 16 Sep 2026 23:18:51 GMT", "2026-09-16T23:18:51Z"),
            ("2026-09-16T23:18:51Z", "2026-09-16T23:18:51Z"),
            ("soon", "soon"),
        ] {
            let time = Time::read_mail_time(text.to_owned());
            assert_eq!(time.text(), expected);
            assert_eq!(Time::read(time.text().to_owned()), time);
        }
    }

    #[test]
    fn an_unknown_format_is_kept_as_text() {
        let time = Time::read("next Tuesday".to_owned());
        assert_eq!((time.text(), time.instant()), ("next Tuesday", None));
    }

    #[test]
    fn a_duration_is_never_negative() {
        let early = Time::read("2026-11-05T12:00:00Z".to_owned());
        let late = Time::read("2026-11-05T12:01:30Z".to_owned());
        assert_eq!(late.since(&early), Some(SignedDuration::from_secs(90)));
        assert_eq!(early.since(&late), None);
    }
}
