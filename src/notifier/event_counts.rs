//! The metric `Events`: what happened in ECS, by kind and cause, for alarms.
//!
//! It counts each kept event once: not for each channel, and not again when the event comes again. It is not one of the
//! metrics of [`metrics`](crate::notifier::metrics), because one measurement has two sets of dimensions: an alarm can use
//! the number of a cause, with or without the cluster and the service. The crate of the others writes one set only.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Map, Value, json};
use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::ecs::notice::{Facts, Kind, Notice};
use crate::notifier::dedup::Transition;
use crate::notifier::metrics::NAMESPACE;
use crate::notifier::policy::Priority;
use crate::notifier::report::BatchReport;
use crate::notifier::thread::cause_name;

/// The name of the metric.
const EVENTS: &str = "Events";

/// The value of a dimension that the event does not have.
const NONE: &str = "none";

/// The value of a dimension for what exceeds [`MOST_CAUSES`] and [`MOST_PLACES`].
const OTHER: &str = "other";

/// The most causes of one invocation. Names of causes may come from events.
const MOST_CAUSES: usize = 50;

/// The most combinations with clusters and services of one invocation.
const MOST_PLACES: usize = 200;

/// The longest value of a dimension, in characters. No name of AWS is longer. CloudWatch allows 1,024.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html>
const LONGEST: usize = 255;

/// A dimension that `METRICS_BY` adds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum MetricsBy {
    Cluster,
    Service,
}

impl MetricsBy {
    fn dimension(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::Service => "Service",
        }
    }
}

/// A kept event that is new, as the metric counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCount {
    kind: Kind,
    cause: String,
    cluster: String,
    service: String,
    /// The same change may be twice in a batch.
    transition: Option<Transition>,
}

impl EventCount {
    pub(in crate::notifier) fn new(
        notice: &Notice,
        priority: Priority,
        transition: Option<Transition>,
    ) -> Self {
        let subject = &notice.subject;
        Self {
            kind: notice.kind,
            cause: cause(notice, priority),
            cluster: dimension(subject.cluster.as_deref()),
            service: dimension(subject.service.as_deref()),
            transition,
        }
    }

    fn value(&self, by: MetricsBy) -> &str {
        match by {
            MetricsBy::Cluster => &self.cluster,
            MetricsBy::Service => &self.service,
        }
    }
}

/// The names of alarms are no values: each would be a metric of its own, which costs money.
fn cause(notice: &Notice, priority: Priority) -> String {
    match notice.facts {
        Facts::Alarm(_) => NONE.to_owned(),
        _ => dimension(cause_name(notice, priority).as_deref()),
    }
}

/// A text of an event as the value of a dimension: ASCII without control characters, and not only spaces.
fn dimension(text: Option<&str>) -> String {
    let text = text.unwrap_or_default().trim();
    let allowed = |it: char| match it == ' ' || it.is_ascii_graphic() {
        true => it,
        false => '?',
    };
    match text.is_empty() {
        true => NONE.to_owned(),
        false => text.chars().take(LONGEST).map(allowed).collect(),
    }
}

/// The documents of a batch in the embedded metric format, one line of the log each. `milliseconds` is the Unix time.
pub fn documents(
    report: &BatchReport,
    by: &BTreeSet<MetricsBy>,
    function: &str,
    milliseconds: u128,
) -> Vec<Value> {
    let read = report
        .entries
        .iter()
        .filter_map(|it| it.result.as_ref().ok());
    let counted = read.filter_map(|it| it.count.as_ref());
    let sums = sums(counted, by).into_iter();
    let documents = sums.map(|(values, sum)| document(&values, by, sum, function, milliseconds));
    documents.collect()
}

/// The kind, the cause, and the values of the dimensions of `METRICS_BY`.
type Values = (&'static str, String, Vec<String>);

fn sums<'c>(
    counted: impl Iterator<Item = &'c EventCount>,
    by: &BTreeSet<MetricsBy>,
) -> BTreeMap<Values, u64> {
    let mut seen = HashSet::new();
    let mut causes = BTreeSet::new();
    let mut sums: BTreeMap<Values, u64> = BTreeMap::new();
    for count in counted {
        let transition = count.transition.as_ref();
        if transition.is_some_and(|it| !seen.insert(it.clone())) {
            continue;
        }
        if causes.len() < MOST_CAUSES {
            causes.insert(&count.cause);
        }
        let cause = match causes.contains(&count.cause) {
            true => count.cause.clone(),
            false => OTHER.to_owned(),
        };
        let kind: &'static str = count.kind.into();
        let places = by.iter().map(|it| count.value(*it).to_owned()).collect();
        let mut values = (kind, cause, places);
        if sums.len() >= MOST_PLACES && !sums.contains_key(&values) {
            values.2.fill(OTHER.to_owned());
        }
        *sums.entry(values).or_default() += 1;
    }
    sums
}

fn document(
    (kind, cause, places): &Values,
    by: &BTreeSet<MetricsBy>,
    sum: u64,
    function: &str,
    milliseconds: u128,
) -> Value {
    let mut document = Map::from_iter([
        ("FunctionName".to_owned(), json!(function)),
        ("Kind".to_owned(), json!(kind)),
        ("Cause".to_owned(), json!(cause)),
        (EVENTS.to_owned(), json!(sum)),
    ]);
    let total = vec!["FunctionName", "Kind", "Cause"];
    let mut with_place = total.clone();
    for (by, value) in by.iter().zip(places) {
        with_place.push(by.dimension());
        document.insert(by.dimension().to_owned(), json!(value));
    }
    let mut sets = vec![total];
    if !by.is_empty() {
        sets.push(with_place);
    }
    let directive = json!({
        "Namespace": NAMESPACE,
        "Dimensions": sets,
        "Metrics": [{"Name": EVENTS, "Unit": "Count"}],
    });
    let milliseconds = u64::try_from(milliseconds).unwrap_or(u64::MAX);
    let aws = json!({"Timestamp": milliseconds, "CloudWatchMetrics": [directive]});
    document.insert("_aws".to_owned(), aws);
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(cause: &str, service: &str) -> EventCount {
        EventCount {
            kind: Kind::TaskStopped,
            cause: dimension(Some(cause)),
            cluster: "prod-web".to_owned(),
            service: dimension(Some(service)),
            transition: None,
        }
    }

    #[test]
    fn a_text_of_an_event_becomes_a_value_that_cloudwatch_takes() {
        for (text, expected) in [
            (Some("checkout"), "checkout"),
            (None, "none"),
            (Some("  "), "none"),
            (Some("a\nb\u{e9}\u{202e}c"), "a?b??c"),
        ] {
            assert_eq!(dimension(text), expected, "{text:?}");
        }
        assert_eq!(dimension(Some(&"x".repeat(2_000))).len(), LONGEST);
    }

    #[test]
    fn one_measurement_has_the_total_and_the_place() {
        let by = BTreeSet::from([MetricsBy::Service, MetricsBy::Cluster]);
        let counts = [count("out_of_memory", "a"), count("out_of_memory", "a")];
        let sums = sums(counts.iter(), &by);
        let documents: Vec<_> = sums
            .iter()
            .map(|(values, sum)| document(values, &by, *sum, "parrot", 7))
            .collect();
        let expected = json!({
            "_aws": {"Timestamp": 7, "CloudWatchMetrics": [{
                "Namespace": "ecs-parrot",
                "Dimensions": [
                    ["FunctionName", "Kind", "Cause"],
                    ["FunctionName", "Kind", "Cause", "Cluster", "Service"],
                ],
                "Metrics": [{"Name": "Events", "Unit": "Count"}],
            }]},
            "FunctionName": "parrot",
            "Kind": "task_stopped",
            "Cause": "out_of_memory",
            "Cluster": "prod-web",
            "Service": "a",
            "Events": 2,
        });
        assert_eq!(documents, [expected]);
    }

    /// The names may come from anybody's events, and CloudWatch charges for each one.
    #[test]
    fn the_number_of_documents_is_bounded_and_nothing_is_lost() {
        let by = BTreeSet::from([MetricsBy::Service]);
        let counts: Vec<_> = (0..5_000)
            .map(|it| count(&format!("cause-{}", it % 500), &format!("service-{it}")))
            .collect();
        let sums = sums(counts.iter(), &by);
        assert!(
            sums.len() <= MOST_PLACES + MOST_CAUSES + 1,
            "{}",
            sums.len()
        );
        assert_eq!(sums.values().sum::<u64>(), 5_000);
    }

    #[test]
    fn the_same_change_counts_once() {
        let transition = Transition::of_message("m-1", 0);
        let twice = EventCount {
            transition: Some(transition),
            ..count("out_of_memory", "a")
        };
        let sums = sums([&twice, &twice].into_iter(), &BTreeSet::new());
        assert_eq!(sums.values().copied().collect::<Vec<_>>(), [1]);
    }
}
