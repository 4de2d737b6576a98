//! Reads `EXPECT`: which tasks must end well, and how often.

use std::time::Duration;

use jiff::Timestamp;

use crate::config::values::quoted;
use crate::config::{Problem, Remedy};
use crate::notifier::thread::{Expectation, Rhythm, Schedule};
use crate::text::cron::Cron;
use crate::text::duration::{ALLOWED, duration};

const VARIABLE: &str = "EXPECT";

/// The allowed texts, for error messages.
const ENTRY: &str = "`NAME: SCHEDULE` or `CLUSTER/NAME: SCHEDULE`, separated by `,`, such as \
    `report-nightly: 25h, prod-batch/invoices: cron(30 2 * * ? *) grace 1h`";

const SCHEDULE: &str = "a duration since the last good end, such as `25h`; `rate(1 day)`; or \
    `cron(30 2 * * ? *)`; each may have `grace 1h` behind it";

/// `grace` of a rate and of a cron expression that have none. A task also needs time to run.
const GRACE: Duration = Duration::from_secs(3_600);

/// A function looks at each entry every quarter of an hour.
const MOST_ENTRIES: usize = 100;

/// More than a year is not useful. A timer comes a second late at the earliest.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(400 * 86_400);

/// Names of clusters, families and services have at most 255 letters, digits, `-` and `_`.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html>
const LONGEST_NAME: usize = 255;

pub(super) fn read(value: Option<&str>, problems: &mut Vec<Problem>) -> Vec<Expectation> {
    let mut found: Vec<Expectation> = Vec::new();
    for part in entries(value.unwrap_or_default()) {
        match entry(part) {
            Ok(entry) if found.iter().any(|it| is_same(it, &entry)) => {
                let problem = format!("{} is there twice", quoted(name_of(part)));
                let remedy = Remedy::Advice("write each name once".to_owned());
                problems.push(problem_of(&problem, remedy));
            }
            Ok(entry) => found.push(entry),
            Err((problem, remedy)) => problems.push(problem_of(&problem, remedy)),
        }
    }
    if found.len() > MOST_ENTRIES {
        let problem = format!("it has {} entries", found.len());
        let remedy = Remedy::Allowed(format!("at most {MOST_ENTRIES}"));
        problems.push(problem_of(&problem, remedy));
    }
    found
}

fn is_same(one: &Expectation, other: &Expectation) -> bool {
    one.name == other.name && one.cluster == other.cluster
}

fn problem_of(problem: &str, remedy: Remedy) -> Problem {
    Problem {
        variable: VARIABLE.to_owned(),
        problem: problem.to_owned(),
        remedy,
    }
}

type Wrong = (String, Remedy);

/// The entries between commas and lines. A cron expression may have commas in its parentheses.
fn entries(value: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = value.split(move |it| {
        match it {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            // A missing parenthesis must not hide all other entries.
            '\n' => depth = 0,
            _ => {}
        }
        depth == 0 && (it == ',' || it == '\n')
    });
    parts.map(str::trim).filter(|it| !it.is_empty()).collect()
}

fn name_of(part: &str) -> &str {
    part.split(':').next().unwrap_or(part).trim()
}

fn entry(part: &str) -> Result<Expectation, Wrong> {
    let Some((name, schedule)) = part.split_once(':') else {
        let problem = format!("{} has no schedule", quoted(part));
        return Err((problem, Remedy::Allowed(ENTRY.to_owned())));
    };
    let (cluster, name) = match name.trim().split_once('/') {
        Some((cluster, name)) => (Some(cluster), name),
        None => (None, name.trim()),
    };
    for name in cluster.into_iter().chain([name]) {
        if !is_name(name) {
            let problem = format!(
                "{} is not the name of a family, a service or a cluster",
                quoted(name)
            );
            let allowed =
                "at most 255 letters, digits, `-` and `_`, without `*` and without a revision";
            return Err((problem, Remedy::Allowed(allowed.to_owned())));
        }
    }
    Ok(Expectation {
        cluster: cluster.map(str::to_owned),
        name: name.to_owned(),
        schedule: self::schedule(name, schedule.trim())?,
    })
}

fn is_name(name: &str) -> bool {
    let is_allowed = |it: char| it.is_ascii_alphanumeric() || "-_".contains(it);
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(is_allowed)
}

fn schedule(name: &str, text: &str) -> Result<Schedule, Wrong> {
    let (rhythm, grace) = match text.rsplit_once("grace") {
        Some((rhythm, grace)) => (rhythm.trim(), Some(self::grace(name, grace)?)),
        None => (text, None),
    };
    let (rhythm, default) = match call(rhythm) {
        Some(("cron", fields)) => {
            let cron = Cron::parse(fields).map_err(|error| {
                let problem = format!(
                    "{}: {} cannot be used: {error}",
                    quoted(name),
                    quoted(rhythm)
                );
                let page = "write it as in EventBridge, in UTC, such as `cron(30 2 * * ? *)`";
                (problem, Remedy::Advice(page.to_owned()))
            })?;
            if cron.next_after(Timestamp::now()).is_none() {
                let problem = format!("{}: {} never comes", quoted(name), quoted(rhythm));
                let advice = "write a day and a year that exist and are to come";
                return Err((problem, Remedy::Advice(advice.to_owned())));
            }
            (Rhythm::At(Box::new(cron)), GRACE)
        }
        Some(("rate", rate)) => (Rhythm::Every(self::rate(name, rate)?), GRACE),
        Some(("at", _)) => {
            let problem = format!("{}: an `at` expression runs only once", quoted(name));
            return Err((problem, Remedy::Allowed(SCHEDULE.to_owned())));
        }
        Some(_) | None => (Rhythm::Every(every(name, rhythm)?), Duration::ZERO),
    };
    Ok(Schedule {
        rhythm,
        grace: grace.unwrap_or(default),
        text: text.split_whitespace().collect::<Vec<_>>().join(" "),
    })
}

/// `cron(…)`: the word and what is in the parentheses.
fn call(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = text.split_once('(')?;
    Some((word.trim(), rest.strip_suffix(')')?))
}

fn every(name: &str, text: &str) -> Result<Duration, Wrong> {
    match duration(text) {
        Some(every) => bounded(name, text, every),
        None => {
            let problem = format!("{}: {} is not a schedule", quoted(name), quoted(text));
            Err((problem, Remedy::Allowed(SCHEDULE.to_owned())))
        }
    }
}

/// EventBridge wants `1 day` and `2 days`. Both are read for any number.
fn rate(name: &str, text: &str) -> Result<Duration, Wrong> {
    let mut words = text.split_whitespace();
    let value = words.next().and_then(|it| it.parse::<u64>().ok());
    let seconds = match words.next() {
        Some("minute" | "minutes") => Some(60),
        Some("hour" | "hours") => Some(3_600),
        Some("day" | "days") => Some(86_400),
        Some(_) | None => None,
    };
    let rate = value.zip(seconds).filter(|_| words.next().is_none());
    match rate.and_then(|(value, seconds)| value.checked_mul(seconds)) {
        Some(seconds) => bounded(name, text, Duration::from_secs(seconds)),
        None => {
            let problem = format!("{}: `rate({})` is no rate", quoted(name), text);
            let allowed = "a number of minutes, hours or days, such as `rate(1 day)`";
            Err((problem, Remedy::Allowed(allowed.to_owned())))
        }
    }
}

fn bounded(name: &str, text: &str, every: Duration) -> Result<Duration, Wrong> {
    if (SHORTEST..=LONGEST).contains(&every) {
        return Ok(every);
    }
    let problem = format!(
        "{}: {} is too short or too long",
        quoted(name),
        quoted(text)
    );
    Err((
        problem,
        Remedy::Allowed("1s to 9600h, which is 400 days".to_owned()),
    ))
}

fn grace(name: &str, text: &str) -> Result<Duration, Wrong> {
    let found = match text.trim() {
        "0" | "0s" => Some(Duration::ZERO),
        other => duration(other).filter(|it| *it <= LONGEST),
    };
    found.ok_or_else(|| {
        let problem = format!(
            "{}: {} is no time for `grace`",
            quoted(name),
            quoted(text.trim())
        );
        (problem, Remedy::Allowed(ALLOWED.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(value: &str) -> (Vec<Expectation>, Vec<String>) {
        let mut problems = Vec::new();
        let found = read(Some(value), &mut problems);
        (found, problems.iter().map(ToString::to_string).collect())
    }

    fn hours(hours: u64) -> Duration {
        Duration::from_secs(hours * 3_600)
    }

    fn at(fields: &str) -> Rhythm {
        Rhythm::At(Box::new(Cron::parse(fields).unwrap()))
    }

    #[test]
    fn entries_are_read() {
        let value = " report-nightly: 25h, prod-batch/invoices:26h 30m grace 1h,
            cleanup: cron(0,30 2 ? * MON,WED *)  grace 90m , sync: rate(1 day), poll: rate(5 minutes) grace 0,
            weekly: cron(0 4 ? * SUN *)";
        let (found, problems) = read_all(value);
        assert_eq!(problems, Vec::<String>::new());
        let shown: Vec<_> = found
            .into_iter()
            .map(|it| {
                let Schedule {
                    rhythm,
                    grace,
                    text,
                } = it.schedule;
                (it.cluster, it.name, rhythm, grace, text)
            })
            .collect();
        let entry = |cluster: Option<&str>, name: &str, rhythm, grace, text: &str| {
            let cluster = cluster.map(str::to_owned);
            (cluster, name.to_owned(), rhythm, grace, text.to_owned())
        };
        let minutes = |it: u64| Duration::from_secs(it * 60);
        let expected = [
            entry(
                None,
                "report-nightly",
                Rhythm::Every(hours(25)),
                Duration::ZERO,
                "25h",
            ),
            entry(
                Some("prod-batch"),
                "invoices",
                Rhythm::Every(minutes(26 * 60 + 30)),
                hours(1),
                "26h 30m grace 1h",
            ),
            entry(
                None,
                "cleanup",
                at("0,30 2 ? * MON,WED *"),
                minutes(90),
                "cron(0,30 2 ? * MON,WED *) grace 90m",
            ),
            entry(
                None,
                "sync",
                Rhythm::Every(hours(24)),
                hours(1),
                "rate(1 day)",
            ),
            entry(
                None,
                "poll",
                Rhythm::Every(minutes(5)),
                Duration::ZERO,
                "rate(5 minutes) grace 0",
            ),
            entry(
                None,
                "weekly",
                at("0 4 ? * SUN *"),
                hours(1),
                "cron(0 4 ? * SUN *)",
            ),
        ];
        assert_eq!(shown, expected);
        assert_eq!(read_all("  "), (vec![], vec![]));
    }

    #[test]
    fn a_wrong_entry_is_reported_with_what_is_allowed() {
        for (value, expected) in [
            (
                "report-nightly",
                "EXPECT: `report-nightly` has no schedule; allowed: `NAME: SCHEDULE` or `CLUSTER/NAME: SCHEDULE`",
            ),
            (
                "report-nightly 25h",
                "EXPECT: `report-nightly 25h` has no schedule; allowed: `NAME: SCHEDULE`",
            ),
            (
                "report-*: 25h",
                "EXPECT: `report-*` is not the name of a family, a service or a cluster; allowed: at most 255 letters",
            ),
            (
                "a/b/c: 25h",
                "EXPECT: `b/c` is not the name of a family, a service or a cluster; allowed: at most 255",
            ),
            (": 25h", "EXPECT: `` is not the name of a family"),
            (
                "report: daily",
                "EXPECT: `report`: `daily` is not a schedule; allowed: a duration since the last good end, such as `25h`",
            ),
            (
                "report: 1d",
                "EXPECT: `report`: `1d` is not a schedule; allowed: a duration",
            ),
            (
                "report: 900ms",
                "EXPECT: `report`: `900ms` is too short or too long; allowed: 1s to 9600h",
            ),
            (
                "report: 9601h",
                "EXPECT: `report`: `9601h` is too short or too long; allowed: 1s to 9600h",
            ),
            (
                "report: 25h grace soon",
                "EXPECT: `report`: `soon` is no time for `grace`; allowed: a number of seconds",
            ),
            (
                "report: 25h grace",
                "EXPECT: `report`: `` is no time for `grace`; allowed: a number of seconds",
            ),
            (
                "report: rate(1 week)",
                "EXPECT: `report`: `rate(1 week)` is no rate; allowed: a number of minutes, hours or days",
            ),
            (
                "report: rate(1 day 2)",
                "EXPECT: `report`: `rate(1 day 2)` is no rate",
            ),
            (
                "report: at(2026-11-20T00:00:00)",
                "EXPECT: `report`: an `at` expression runs only once",
            ),
            (
                "report: cron(30 2 * * *)",
                "EXPECT: `report`: `cron(30 2 * * *)` cannot be used: it has 5 fields, and not six: minutes, hours, day of month, month, day of week, year; write it as in EventBridge",
            ),
            (
                "report: cron(30 2 * * * *)",
                "EXPECT: `report`: `cron(30 2 * * * *)` cannot be used: one of day of month and day of week must be `?`, and not both",
            ),
            (
                "report: cron(30 2 * * ? *",
                "EXPECT: `report`: `cron(30 2 * * ? *` is not a schedule",
            ),
            (
                "report: 25h, b/report: 1h, report: 2h",
                "EXPECT: `report` is there twice; write each name once",
            ),
        ] {
            let (_, problems) = read_all(value);
            assert_eq!(problems.len(), 1, "{value}: {problems:?}");
            assert!(problems[0].starts_with(expected), "{value}: {problems:?}");
        }
        let many: Vec<_> = (0..101).map(|it| format!("job-{it}: 25h")).collect();
        let (_, problems) = read_all(&many.join(","));
        assert_eq!(
            problems,
            ["EXPECT: it has 101 entries; allowed: at most 100"]
        );
        // One entry that is wrong hides no other one.
        let (found, problems) = read_all("a: cron(0 2 * * ? *\nb: 2h");
        assert_eq!((found.len(), problems.len()), (1, 1), "{problems:?}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-z0-9:,/() *?\\-\n]{0,60}", other in "\\PC{0,40}") {
            for text in [text, other] {
                let (found, problems) = read_all(&text);
                prop_assert!(found.len() + problems.len() <= text.len());
            }
        }
    }
}
