//! EventBridge's cron expressions: six fields, in UTC.
//!
//! They are read here and not by a crate, because no crate reads this dialect without a wrong reading: the days of the
//! week are 1 to 7 from Sunday on, one of the two fields of days must be `?`, and the last field is the year.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html>

use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

/// A schedule. Its values are those that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    minutes: Vec<i16>,
    hours: Vec<i16>,
    days: Days,
    months: Vec<i16>,
    years: Vec<i16>,
}

/// The days of a month on which it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Days {
    OfMonth(Vec<DayOfMonth>),
    OfWeek(Vec<DayOfWeek>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DayOfMonth {
    Day(i16),
    /// `L`.
    Last,
    /// `15W`: the weekday in the same month that is nearest to this day.
    WeekdayNear(i16),
    /// `LW`.
    LastWeekday,
}

/// The days are 1 to 7, from Sunday on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DayOfWeek {
    Day(i16),
    /// `6L`: the last one in the month.
    LastInMonth(i16),
    /// `3#2`: the second one in the month.
    InMonth(i16, i16),
}

/// Why a text is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    #[error(
        "it has {0} fields, and not six: minutes, hours, day of month, month, day of week, year"
    )]
    Fields(usize),
    #[error("the {field} is `{text}`, but allowed are {allowed}")]
    Field {
        field: &'static str,
        text: String,
        allowed: &'static str,
    },
    #[error("one of day of month and day of week must be `?`, and not both")]
    QuestionMark,
}

struct Field {
    name: &'static str,
    range: RangeInclusive<i16>,
    /// The names of the values, the first one for the start of the range.
    names: &'static [&'static str],
    allowed: &'static str,
}

const MINUTES: Field = Field {
    name: "minutes",
    range: 0..=59,
    names: &[],
    allowed: "0-59 with `,` `-` `*` `/`",
};
const HOURS: Field = Field {
    name: "hours",
    range: 0..=23,
    names: &[],
    allowed: "0-23 with `,` `-` `*` `/`",
};
const DAY_OF_MONTH: Field = Field {
    name: "day of month",
    range: 1..=31,
    names: &[],
    allowed: "1-31 with `,` `-` `*` `/`, `?`, `L`, `LW`, or a day with `W`",
};
const MONTH: Field = Field {
    name: "month",
    range: 1..=12,
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
    allowed: "1-12 or JAN-DEC with `,` `-` `*` `/`",
};
const DAY_OF_WEEK: Field = Field {
    name: "day of week",
    range: 1..=7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    allowed: "1-7 from Sunday on or SUN-SAT with `,` `-` `*` `/`, `?`, a day with `L`, or `DAY#NUMBER`",
};
const YEAR: Field = Field {
    name: "year",
    range: 1970..=2199,
    names: &[],
    allowed: "1970-2199 with `,` `-` `*` `/`",
};

impl Cron {
    /// Reads the six fields between the parentheses of `cron(…)`.
    ///
    /// # Errors
    ///
    /// [`CronError`] for what EventBridge does not take.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let fields: Vec<_> = text.split_whitespace().collect();
        let [minutes, hours, of_month, months, of_week, years] = fields[..] else {
            return Err(CronError::Fields(fields.len()));
        };
        let days = match (of_month, of_week) {
            ("?", "?") => return Err(CronError::QuestionMark),
            (_, "?") => Days::OfMonth(DAY_OF_MONTH.read(of_month, Field::day_of_month)?),
            ("?", _) => Days::OfWeek(days_of_week(of_week)?),
            (_, _) => return Err(CronError::QuestionMark),
        };
        let values = |field: &Field, text| field.read(text, Field::values);
        Ok(Self {
            minutes: sorted(values(&MINUTES, minutes)?),
            hours: sorted(values(&HOURS, hours)?),
            days,
            months: sorted(values(&MONTH, months)?),
            years: sorted(values(&YEAR, years)?),
        })
    }

    /// The first time after this one. `None` if there is none, for example because all years have passed.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = after.to_zoned(TimeZone::UTC).datetime();
        let years = self.years.iter().filter(|it| **it >= after.year());
        for year in years {
            for month in &self.months {
                if (*year, *month) < (after.year(), i16::from(after.month())) {
                    continue;
                }
                for date in self.days_in(*year, *month) {
                    let from = match date.cmp(&after.date()) {
                        std::cmp::Ordering::Less => continue,
                        std::cmp::Ordering::Equal => Some(after.time()),
                        std::cmp::Ordering::Greater => None,
                    };
                    if let Some(time) = self.time_after(from) {
                        let found = date.to_datetime(time).to_zoned(TimeZone::UTC);
                        return found.ok().map(|it| it.timestamp());
                    }
                }
            }
        }
        None
    }

    /// The days of a month on which it runs, in order.
    fn days_in(&self, year: i16, month: i16) -> Vec<Date> {
        let first = i8::try_from(month)
            .ok()
            .and_then(|month| Date::new(year, month, 1).ok());
        let Some(first) = first else {
            return Vec::new();
        };
        let days = 1..=first.days_in_month();
        let dates = days.filter_map(|day| Date::new(year, first.month(), day).ok());
        dates.filter(|date| self.days.include(*date)).collect()
    }

    /// The first time of a day, after this one.
    fn time_after(&self, after: Option<Time>) -> Option<Time> {
        let hours = self.hours.iter();
        let times = hours.flat_map(|hour| self.minutes.iter().map(move |minute| (hour, minute)));
        let mut times = times.filter_map(|(hour, minute)| {
            let (hour, minute) = (i8::try_from(*hour).ok()?, i8::try_from(*minute).ok()?);
            Time::new(hour, minute, 0, 0).ok()
        });
        times.find(|time| after.is_none_or(|after| *time > after))
    }
}

impl Days {
    fn include(&self, date: Date) -> bool {
        match self {
            Self::OfMonth(days) => days.iter().any(|it| it.is(date)),
            Self::OfWeek(days) => days.iter().any(|it| it.is(date)),
        }
    }
}

impl DayOfMonth {
    fn is(self, date: Date) -> bool {
        let last = i16::from(date.days_in_month());
        let day = i16::from(date.day());
        match self {
            Self::Day(it) => day == it,
            Self::Last => day == last,
            // A month without this day has no run: EventBridge does not take another day for it.
            Self::WeekdayNear(it) => it <= last && day == weekday_near(date, it),
            Self::LastWeekday => day == weekday_near(date, last),
        }
    }
}

/// The weekday of the date's month that is nearest to a day of it.
fn weekday_near(date: Date, day: i16) -> i16 {
    let last = i16::from(date.days_in_month());
    let of_day = i8::try_from(day)
        .ok()
        .and_then(|day| Date::new(date.year(), date.month(), day).ok());
    match of_day.map(Date::weekday) {
        Some(Weekday::Saturday) if day == 1 => 3,
        Some(Weekday::Saturday) => day - 1,
        Some(Weekday::Sunday) if day == last => day - 2,
        Some(Weekday::Sunday) => day + 1,
        _ => day,
    }
}

impl DayOfWeek {
    fn is(self, date: Date) -> bool {
        let day = i16::from(date.day());
        let of_week = i16::from(date.weekday().to_sunday_one_offset());
        match self {
            Self::Day(it) => of_week == it,
            Self::LastInMonth(it) => of_week == it && day + 7 > i16::from(date.days_in_month()),
            Self::InMonth(it, number) => of_week == it && (day + 6) / 7 == number,
        }
    }
}

fn sorted(mut values: Vec<i16>) -> Vec<i16> {
    values.sort_unstable();
    values.dedup();
    values
}

/// EventBridge takes `#` only alone: `3#1,6#3` is an error.
fn days_of_week(text: &str) -> Result<Vec<DayOfWeek>, CronError> {
    let error = || DAY_OF_WEEK.error(text);
    if let Some((day, number)) = text.split_once('#') {
        let day = DAY_OF_WEEK.value(day).ok_or_else(error)?;
        let number = self::number(number).filter(|it| (1..=5).contains(it));
        return Ok(vec![DayOfWeek::InMonth(day, number.ok_or_else(error)?)]);
    }
    DAY_OF_WEEK.read(text, Field::day_of_week)
}

impl Field {
    fn error(&self, text: &str) -> CronError {
        CronError::Field {
            field: self.name,
            text: text.chars().take(40).collect(),
            allowed: self.allowed,
        }
    }

    /// Reads a list.
    fn read<T>(
        &self,
        text: &str,
        part: impl Fn(&Self, &str) -> Option<Vec<T>>,
    ) -> Result<Vec<T>, CronError> {
        let parts: Option<Vec<_>> = text.split(',').map(|it| part(self, it)).collect();
        let parts = parts.ok_or_else(|| self.error(text))?;
        Ok(parts.into_iter().flatten().collect())
    }

    fn day_of_month(&self, text: &str) -> Option<Vec<DayOfMonth>> {
        let text = text.to_ascii_uppercase();
        let special = match (text.as_str(), text.strip_suffix('W')) {
            ("L", _) => Some(DayOfMonth::Last),
            ("LW", _) => Some(DayOfMonth::LastWeekday),
            (_, Some(day)) => Some(DayOfMonth::WeekdayNear(self.value(day)?)),
            (_, None) => None,
        };
        match special {
            Some(day) => Some(vec![day]),
            None => Some(
                self.values(&text)?
                    .into_iter()
                    .map(DayOfMonth::Day)
                    .collect(),
            ),
        }
    }

    fn day_of_week(&self, text: &str) -> Option<Vec<DayOfWeek>> {
        let text = text.to_ascii_uppercase();
        match text.strip_suffix('L') {
            // The last day of the week.
            Some("") => Some(vec![DayOfWeek::Day(*self.range.end())]),
            Some(day) => Some(vec![DayOfWeek::LastInMonth(self.value(day)?)]),
            None => Some(
                self.values(&text)?
                    .into_iter()
                    .map(DayOfWeek::Day)
                    .collect(),
            ),
        }
    }

    /// `*`, `5`, `1-5`, and each of them with `/STEP`. A range that ends before it begins goes on at the start: `FRI-MON`.
    fn values(&self, text: &str) -> Option<Vec<i16>> {
        let (first, step) = match text.split_once('/') {
            Some((first, step)) => (first, Some(self.step(step)?)),
            None => (text, None),
        };
        let (from, to) = match first.split_once('-') {
            _ if first == "*" => (*self.range.start(), *self.range.end()),
            Some((from, to)) => (self.value(from)?, self.value(to)?),
            // `0/15` is every quarter from 0 to the end.
            None if step.is_some() => (self.value(first)?, *self.range.end()),
            None => (self.value(first)?, self.value(first)?),
        };
        let values: Vec<_> = match from <= to {
            true => (from..=to).collect(),
            false => (from..=*self.range.end())
                .chain(*self.range.start()..=to)
                .collect(),
        };
        Some(values.into_iter().step_by(step.unwrap_or(1)).collect())
    }

    fn step(&self, text: &str) -> Option<usize> {
        let most = usize::try_from(self.range.end() - self.range.start()).ok()?;
        number(text)
            .and_then(|it| usize::try_from(it).ok())
            .filter(|step| (1..=most.max(1)).contains(step))
    }

    fn value(&self, text: &str) -> Option<i16> {
        let is_named = |name: &&&str| name.eq_ignore_ascii_case(text);
        if let Some(name) = self.names.iter().find(is_named) {
            let place = self.names.iter().position(|it| it == name)?;
            return Some(self.range.start() + i16::try_from(place).ok()?);
        }
        number(text).filter(|it| self.range.contains(it))
    }
}

/// A number of digits only: Rust also reads `+5`.
fn number(text: &str) -> Option<i16> {
    let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use proptest::prelude::*;

    use super::*;

    fn next(text: &str, after: &str, count: usize) -> Vec<String> {
        let cron = Cron::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut at: Timestamp = after.parse().unwrap();
        let mut found = Vec::new();
        while found.len() < count
            && let Some(time) = cron.next_after(at)
        {
            at = time;
            found.push(at.strftime("%Y-%m-%dT%H:%M").to_string());
        }
        found
    }

    /// The examples of AWS's page, and what its fields allow. 2026-11-01 is a Sunday.
    #[test]
    fn the_fields_mean_what_aws_says() {
        const NOVEMBER: &str = "2026-11-01T00:00:00Z";
        for (text, expected) in [
            ("0 10 * * ? *", vec!["2026-11-01T10:00", "2026-11-02T10:00"]),
            (
                "15 12 * * ? *",
                vec!["2026-11-01T12:15", "2026-11-02T12:15"],
            ),
            (
                "0 18 ? * MON-FRI *",
                vec!["2026-11-02T18:00", "2026-11-03T18:00"],
            ),
            ("0 8 1 * ? *", vec!["2026-11-01T08:00", "2026-12-01T08:00"]),
            (
                "0/15 * * * ? *",
                vec!["2026-11-01T00:15", "2026-11-01T00:30"],
            ),
            (
                "0/5 8-17 ? * MON-FRI *",
                vec!["2026-11-02T08:00", "2026-11-02T08:05"],
            ),
            // 1 is Sunday and 7 is Saturday.
            ("0 9 ? * 1 *", vec!["2026-11-01T09:00", "2026-11-08T09:00"]),
            (
                "0 9 ? * 2-6 *",
                vec!["2026-11-02T09:00", "2026-11-03T09:00"],
            ),
            ("0 9 ? * L *", vec!["2026-11-07T09:00", "2026-11-14T09:00"]),
            (
                "0 9 ? * FRI-SUN *",
                vec!["2026-11-01T09:00", "2026-11-06T09:00"],
            ),
            // The second Tuesday, the last Friday, the last day.
            (
                "0 9 ? * 3#2 *",
                vec!["2026-11-10T09:00", "2026-12-08T09:00"],
            ),
            (
                "0 9 ? * tue#2 *",
                vec!["2026-11-10T09:00", "2026-12-08T09:00"],
            ),
            (
                "0 9 ? * 1#5 *",
                vec!["2026-11-29T09:00", "2027-01-31T09:00"],
            ),
            ("0 9 ? * 6L *", vec!["2026-11-27T09:00", "2026-12-25T09:00"]),
            ("0 9 L * ? *", vec!["2026-11-30T09:00", "2026-12-31T09:00"]),
            ("0 9 L 2 ? *", vec!["2027-02-28T09:00", "2028-02-29T09:00"]),
            // The 1st is a Sunday, the 15th too, the 28th a Saturday.
            ("0 9 1W * ? *", vec!["2026-11-02T09:00", "2026-12-01T09:00"]),
            (
                "0 9 15W * ? *",
                vec!["2026-11-16T09:00", "2026-12-15T09:00"],
            ),
            (
                "0 9 28W * ? *",
                vec!["2026-11-27T09:00", "2026-12-28T09:00"],
            ),
            ("0 9 LW * ? *", vec!["2026-11-30T09:00", "2026-12-31T09:00"]),
            // In January 2027 the 31st is a Sunday, in May 2027 the 1st is a Saturday.
            ("0 9 31W 1 ? 2027", vec!["2027-01-29T09:00"]),
            ("0 9 1W 5 ? 2027", vec!["2027-05-03T09:00"]),
            ("0 9 31 * ? *", vec!["2026-12-31T09:00", "2027-01-31T09:00"]),
            ("0 9 29 2 ? *", vec!["2028-02-29T09:00", "2032-02-29T09:00"]),
            (
                "0 0 1 JAN,jul ? 2026-2028/2",
                vec!["2028-01-01T00:00", "2028-07-01T00:00"],
            ),
            (
                "30 22-2/2 * * ? *",
                vec!["2026-11-01T00:30", "2026-11-01T02:30"],
            ),
            (
                "0 9 ? * MON,WED *",
                vec!["2026-11-02T09:00", "2026-11-04T09:00"],
            ),
            ("0 9 1 1 ? 2020", vec![]),
        ] {
            assert_eq!(next(text, NOVEMBER, 2), expected, "{text}");
        }
    }

    #[test]
    fn what_eventbridge_does_not_take_is_refused() {
        for (text, expected) in [
            (
                "",
                "it has 0 fields, and not six: minutes, hours, day of month, month, day of week, year",
            ),
            (
                "30 2 * * *",
                "it has 5 fields, and not six: minutes, hours, day of month, month, day of week, year",
            ),
            (
                "0 30 2 * * ? *",
                "it has 7 fields, and not six: minutes, hours, day of month, month, day of week, year",
            ),
            (
                "30 2 * * * *",
                "one of day of month and day of week must be `?`, and not both",
            ),
            (
                "30 2 ? * ? *",
                "one of day of month and day of week must be `?`, and not both",
            ),
            (
                "60 2 * * ? *",
                "the minutes is `60`, but allowed are 0-59 with `,` `-` `*` `/`",
            ),
            (
                "0 24 * * ? *",
                "the hours is `24`, but allowed are 0-23 with `,` `-` `*` `/`",
            ),
        ] {
            assert_eq!(
                Cron::parse(text).unwrap_err().to_string(),
                expected,
                "{text}"
            );
        }
        for text in [
            "0 2 0 * ? *",
            "0 2 32 * ? *",
            "0 2 * 13 ? *",
            "0 2 * JANUARY ? *",
            "0 2 ? * 0 *",
            "0 2 ? * 8 *",
            "0 2 * * ? 1969",
            "0 2 * * ? 2200",
            "+5 2 * * ? *",
            "0/0 2 * * ? *",
            "/5 2 * * ? *",
            "0,,5 2 * * ? *",
            "0 2 ? * 3#6 *",
            "0 2 ? * 3#1,6#3 *",
            "0 2 ? * #2 *",
            "0 2 W * ? *",
            "0 2 32W * ? *",
            "0 2 L-3 * ? *",
            "0 2 ? ? 2 *",
            "? 2 * * ? *",
            "0 2 ? * MONDAY *",
            "0-5-9 2 * * ? *",
            "0/5/5 2 * * ? *",
            "0 2 ? * LL *",
            "-5 2 * * ? *",
            "0 2 1W,? * ? *",
            "\u{663} 2 * * ? *",
        ] {
            assert!(Cron::parse(text).is_err(), "{text}");
        }
    }

    /// Whether the expression matches this minute, by a reading of its own: field by field.
    fn matches(cron: &Cron, at: Timestamp) -> bool {
        let at = at.to_zoned(TimeZone::UTC).datetime();
        cron.minutes.contains(&i16::from(at.minute()))
            && cron.hours.contains(&i16::from(at.hour()))
            && cron.months.contains(&i16::from(at.month()))
            && cron.years.contains(&at.year())
            && cron.days.include(at.date())
    }

    fn values(of: &'static str, from: i16, to: i16) -> impl Strategy<Value = String> {
        let one = from..=to;
        prop_oneof![
            Just(of.to_owned()),
            one.clone().prop_map(|it| it.to_string()),
            (one.clone(), one.clone()).prop_map(|(from, to)| format!("{from}-{to}")),
            (one.clone(), 1..6_i16).prop_map(|(from, step)| format!("{from}/{step}")),
            (one.clone(), one).prop_map(|(one, other)| format!("{one},{other}")),
        ]
    }

    fn expressions() -> impl Strategy<Value = String> {
        let of_month = prop_oneof![
            values("*", 1, 31),
            Just("L".to_owned()),
            Just("LW".to_owned()),
            (1..=31_i16).prop_map(|it| format!("{it}W")),
        ];
        let of_week = prop_oneof![
            values("*", 1, 7),
            (1..=7_i16).prop_map(|it| format!("{it}L")),
            (1..=7_i16, 1..=5_i16).prop_map(|(day, number)| format!("{day}#{number}")),
        ];
        let days = prop_oneof![
            of_month.prop_map(|it| (it, "?".to_owned())),
            of_week.prop_map(|it| ("?".to_owned(), it)),
        ];
        let time = (values("*", 0, 59), values("*", 0, 23));
        (time, days, values("*", 1, 12)).prop_map(|((minutes, hours), (day, week), month)| {
            format!("{minutes} {hours} {day} {month} {week} *")
        })
    }

    proptest! {
        /// No time is left out and none is added: every minute of two days is compared.
        #[test]
        fn the_next_time_is_the_first_that_matches(text in expressions(), seconds in 0..2_000_000_000_i64) {
            let cron = Cron::parse(&text).unwrap();
            let after = Timestamp::from_second(seconds).unwrap();
            let next = cron.next_after(after);
            prop_assert!(next.is_none_or(|it| it > after && matches(&cron, it)), "{text} {after} {next:?}");
            let first = after.as_second().div_euclid(60) * 60 + 60;
            for minute in 0..2 * 24 * 60 {
                let at = Timestamp::from_second(first + minute * 60).unwrap();
                if next.is_some_and(|next| next <= at) {
                    break;
                }
                prop_assert!(!matches(&cron, at), "{text} {after}: {at} before {next:?}");
            }
            // The time itself is not after itself, and a moment before it finds it.
            if let Some(next) = next {
                prop_assert!(cron.next_after(next).is_none_or(|it| it > next));
                prop_assert_eq!(cron.next_after(next - 1.second()), Some(next));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}", fields in "[0-9A-Z*?/#,LW -]{0,40}") {
            let _ = (Cron::parse(&text), Cron::parse(&fields));
        }
    }
}
