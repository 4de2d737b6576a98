//! Addresses of events in the archive: the log group in which the deployment keeps every event.
//!
//! The address opens a query of CloudWatch Logs Insights in the console. Its form is that of the console itself; AWS does
//! not document it. The query is an object in the notation of JSURL (<https://github.com/Sage/jsurl>): `~(name~value)` is
//! an object, `~(~value)` a list and `'text` a text, in which every character is `*` and two hexadecimal digits, except
//! letters, digits, `-`, `_` and `.`. The console parses the part after `#` as a second address, so the rest is
//! percent-encoded twice, with `$` in place of `%`.
//! <https://stackoverflow.com/questions/69816735> has an address that was copied from the console.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use super::links::Console;
use super::notice::Origin;

/// The log group of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The function's own region: the rules and the archive are there, also for events of other regions.
    pub region: String,
    /// The name: `/aws/events/ecs-parrot-dev`.
    pub log_group: String,
}

/// How far the query goes back from the event's time. Clocks differ.
const BEFORE: SignedDuration = SignedDuration::from_hours(1);

/// How far it goes on: EventBridge tries to deliver an event for six hours at most (`event_age`), and CloudTrail reports
/// a call minutes after it.
const AFTER: SignedDuration = SignedDuration::from_hours(7);

/// The longest id of an event. EventBridge's have 36 characters.
const LONGEST_ID: usize = 64;

impl Archive {
    /// The address of the event. `None` if its id or its time is not known, or if the region has no public console.
    pub fn event(&self, origin: &Origin) -> Option<String> {
        let id = origin.event_id.as_deref().filter(|id| is_id(id))?;
        // A record of a log file of CloudTrail has no id of EventBridge, and did not come through a rule.
        if origin.call_id.as_deref() == Some(id) {
            return None;
        }
        let at = origin.time.as_ref()?.instant()?;
        let (from, to) = (at.checked_sub(BEFORE).ok()?, at.checked_add(AFTER).ok()?);
        let query = format!("fields @timestamp, @message\n| filter id = \"{id}\"");
        self.query((from, to), &query)
    }

    /// The address of a query.
    fn query(&self, (from, to): (Timestamp, Timestamp), query: &str) -> Option<String> {
        let Console { region, domain } = Console::of_region(&self.region)?;
        let (from, to) = (time(from), time(to));
        let (query, group) = (text(query), text(&self.log_group));
        let detail = format!(
            "~(end~'{to}~start~'{from}~timeType~'ABSOLUTE~tz~'UTC~editorString~'{query}~isLiveTail~false~source~(~'{group}))"
        );
        Some(format!(
            "https://{region}.{domain}/cloudwatch/home?region={region}#logsV2:logs-insights$3FqueryDetail$3D{}",
            encoded_twice(&detail)
        ))
    }
}

/// Whether a text can be an id in a query: letters, digits and dashes.
fn is_id(text: &str) -> bool {
    let is_of_id = |it: char| it.is_ascii_alphanumeric() || it == '-';
    !text.is_empty() && text.len() <= LONGEST_ID && text.chars().all(is_of_id)
}

/// A time as the console writes it: `2026-11-05T12*3a34*3a56.000Z`.
fn time(at: Timestamp) -> String {
    text(&format!("{at:.3}"))
}

/// The content of a text in JSURL. It has no characters outside ASCII.
fn text(raw: &str) -> String {
    let mut encoded = String::with_capacity(raw.len());
    for byte in raw.bytes() {
        match byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            true => encoded.push(char::from(byte)),
            false => {
                // A write to a text does not fail.
                let _ = write!(encoded, "*{byte:02x}");
            }
        }
    }
    encoded
}

/// The four characters of JSURL, of which browsers and markups change some.
fn encoded_twice(detail: &str) -> String {
    detail
        .replace('~', "$257E")
        .replace('(', "$2528")
        .replace(')', "$2529")
        .replace('\'', "$2527")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::event::Time;

    fn archive(region: &str) -> Archive {
        Archive {
            region: region.to_owned(),
            log_group: "/aws/events/ecs-parrot-dev".to_owned(),
        }
    }

    fn origin(id: &str) -> Origin {
        Origin {
            event_id: Some(id.to_owned()),
            region: Some("us-west-2".to_owned()),
            time: Some(Time::read("2026-11-05T12:34:56Z".to_owned())),
            ..Origin::default()
        }
    }

    /// The address of <https://stackoverflow.com/questions/69816735>, which the console made. Its time zone is `Local`, it
    /// has the id of a saved query and the open tab, and the name of its log group ends with `######`.
    #[test]
    fn an_address_is_written_as_by_the_console() {
        const KNOWN: &str = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:logs-insights$3FqueryDetail$3D$257E$2528end$257E$25272021-07-18T20*3a59*3a59.000Z$257Estart$257E$25272021-07-15T21*3a00*3a00.000Z$257EtimeType$257E$2527ABSOLUTE$257Etz$257E$2527Local$257EeditorString$257E$2527fields*20*40timestamp*2c*20*40message*0a*7c*20sort*20*40timestamp*20desc*0a*7c*20filter*20*40message*20*3d*7e*20*22Exception*22*0a*7c*20limit*20200$257EisLiveTail$257Efalse$257EqueryId$257E$2527####$257Esource$257E$2528$257E$2527*2faws*2flambda*2f######$2529$2529$26tab$3Dlogs";
        let archive = Archive {
            region: "eu-west-1".to_owned(),
            log_group: "/aws/lambda/web".to_owned(),
        };
        let range = ["2021-07-15T21:00:00Z", "2021-07-18T20:59:59Z"].map(|it| it.parse().unwrap());
        let query = "fields @timestamp, @message\n| sort @timestamp desc\n| filter @message =~ \"Exception\"\n| limit 200";
        let expected = KNOWN
            .replace("$2527Local", "$2527UTC")
            .replace("$257EqueryId$257E$2527####", "")
            .replace("######", "web")
            .replace("$26tab$3Dlogs", "");
        assert_eq!(archive.query(range.into(), query), Some(expected));
    }

    #[test]
    fn an_event_is_found_by_its_id_around_its_time() {
        let address = archive("eu-west-1").event(&origin("5457cde6-9833-b5c6-9796-4cac47804ecc"));
        assert_eq!(
            address.unwrap(),
            "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:logs-insights\
             $3FqueryDetail$3D$257E$2528end$257E$25272026-11-05T19*3a34*3a56.000Z\
             $257Estart$257E$25272026-11-05T11*3a34*3a56.000Z$257EtimeType$257E$2527ABSOLUTE$257Etz$257E$2527UTC\
             $257EeditorString$257E$2527fields*20*40timestamp*2c*20*40message*0a*7c*20filter*20id*20*3d*20\
             *225457cde6-9833-b5c6-9796-4cac47804ecc*22$257EisLiveTail$257Efalse\
             $257Esource$257E$2528$257E$2527*2faws*2fevents*2fecs-parrot-dev$2529$2529"
        );
    }

    /// The archive is in the function's region, and in its partition.
    #[test]
    fn the_address_is_in_the_archives_region() {
        for (region, host) in [
            ("eu-west-1", "https://eu-west-1.console.aws.amazon.com/"),
            ("cn-north-1", "https://cn-north-1.console.amazonaws.cn/"),
            (
                "us-gov-west-1",
                "https://us-gov-west-1.console.amazonaws-us-gov.com/",
            ),
        ] {
            let address = archive(region).event(&origin("1b9d3a52")).unwrap();
            assert!(address.starts_with(host), "{address}");
            assert!(!address.contains("us-west-2"), "{address}");
        }
        for region in ["", "evil.example/", "us-iso-east-1"] {
            assert_eq!(archive(region).event(&origin("1b9d3a52")), None, "{region}");
        }
    }

    #[test]
    fn an_id_that_is_no_id_gives_no_address() {
        let longest = "a".repeat(LONGEST_ID);
        for id in ["1b9d3a52-6f5c", "ABC", "7", &longest] {
            assert!(archive("eu-west-1").event(&origin(id)).is_some(), "{id}");
        }
        let too_long = format!("{longest}a");
        for id in [
            "",
            "a b",
            "a\"",
            "a\" or 1=1",
            "a|b",
            "a\nb",
            "a*20b",
            "a_b",
            "é",
            "~(x)",
            "${id}",
            &too_long,
        ] {
            assert_eq!(archive("eu-west-1").event(&origin(id)), None, "{id:?}");
        }
    }

    #[test]
    fn without_id_or_time_there_is_no_address() {
        let known = origin("1b9d3a52");
        for origin in [
            Origin {
                event_id: None,
                ..known.clone()
            },
            Origin {
                time: None,
                ..known.clone()
            },
            Origin {
                time: Some(Time::read("soon".to_owned())),
                ..known.clone()
            },
            // CloudTrail's own id, which the archive does not have.
            Origin {
                call_id: known.event_id.clone(),
                ..known
            },
        ] {
            assert_eq!(archive("eu-west-1").event(&origin), None, "{origin:?}");
        }
    }
}
