//! Classifies alarms of CloudWatch: which service, family, instance or cluster an alarm is about.

use std::collections::BTreeMap;

use super::Classification;
use crate::ecs::event::{AlarmEventType, AlarmMetric, AlarmStateChange};
use crate::ecs::notice::{AlarmFacts, AlarmState, Facts, Kind, Resource, Subject};
use crate::ecs::target_tracking::{self, TrackingAlarm};

pub(super) fn find(alarm: &AlarmStateChange) -> Classification {
    let name = alarm.name.as_deref().unwrap_or_default();
    let measured = of_metrics(&alarm.metrics);
    let tracks = target_tracking::read(name).filter(|it| agrees(it, &measured));
    let is_composite = alarm.rule.is_some();
    let subject = match (tracks, is_composite) {
        (Some(tracks), _) => of_tracking(&tracks),
        (None, true) => of_children(alarm),
        (None, false) => measured,
    };
    let result = alarm.metrics.iter().find(|it| it.is_result);
    let unit = result.map_or("", unit);
    let value = alarm.value.map(number).or_else(|| value_in(alarm));
    let is_of_ecs = match is_composite {
        true => subject.cluster.is_some().then_some(true),
        false => Some(true),
    };
    Classification {
        kind: Kind::Alarm,
        facts: Facts::Alarm(Box::new(AlarmFacts {
            name: alarm.name.clone(),
            state: state_of(alarm),
            was: state(alarm.previous_state.as_deref()),
            reason: alarm.reason.clone(),
            description: alarm.description.clone().filter(|_| tracks.is_none()),
            changed_at: alarm.changed_at.clone(),
            metric: result.map(in_words),
            value: value.map(|it| format!("{it}{unit}")),
            threshold: threshold(alarm).map(|it| format!("{it}{unit}")),
            tracks: tracks.map(|it| it.end),
            is_composite,
            children: alarms_in(alarm.rule.as_deref().unwrap_or_default()),
            triggered_by: alarm.triggered_by.clone(),
            is_suppressed: alarm.suppressed_by.is_some(),
            is_of_ecs,
        })),
        subject: Subject {
            resource: alarm.name.as_deref().map(|it| Resource::new("alarm", it)),
            ..subject
        },
        actor: None,
    }
}

/// ECS measures these in percent.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html>
fn unit(metric: &AlarmMetric) -> &'static str {
    let is_of_ecs = metric.namespace.as_deref() == Some("AWS/ECS");
    let name = metric.name.as_deref().unwrap_or_default();
    let is_share = name.ends_with("Utilization") || name.ends_with("Reservation");
    match is_of_ecs && is_share {
        true => " %",
        false => "",
    }
}

fn state_of(alarm: &AlarmStateChange) -> AlarmState {
    match alarm.event_type {
        AlarmEventType::StateChange => state(alarm.state.as_deref()),
        AlarmEventType::ConfigurationChange => AlarmState::Changed,
        AlarmEventType::Deletion => AlarmState::Deleted,
    }
}

fn state(text: Option<&str>) -> AlarmState {
    match text {
        Some("OK") => AlarmState::Ok,
        Some("ALARM") => AlarmState::Alarm,
        Some("INSUFFICIENT_DATA") => AlarmState::InsufficientData,
        Some(_) | None => AlarmState::Unknown,
    }
}

/// The subject of the metrics of ECS, as far as all of them are about the same.
fn of_metrics(metrics: &[AlarmMetric]) -> Subject {
    let metrics = metrics.iter().filter(|it| it.is_of_ecs());
    let dimensions: Vec<_> = metrics.map(|it| &it.dimensions).collect();
    of_dimensions(&dimensions)
}

/// The subject that metrics of ECS share, by the dimensions of each.
pub fn of_dimensions(metrics: &[&BTreeMap<String, String>]) -> Subject {
    let shared = |dimension: &str| {
        let mut values = metrics.iter().map(|it| it.get(dimension));
        let first = values.next()??;
        values.all(|it| it == Some(first)).then(|| first.clone())
    };
    let cluster = shared("ClusterName");
    // A name alone does not say in which cluster.
    let of_cluster = |dimension: &str| shared(dimension).filter(|_| cluster.is_some());
    Subject {
        service: of_cluster("ServiceName"),
        family: of_cluster("TaskDefinitionFamily"),
        container_instance: of_cluster("ContainerInstanceId"),
        ec2_instance: of_cluster("InstanceId"),
        cluster,
        ..Subject::default()
    }
}

/// Anybody may give an alarm the name of one of target tracking, but not AWS's metrics another service.
fn agrees(tracks: &TrackingAlarm<'_>, measured: &Subject) -> bool {
    let is_same =
        |known: &Option<String>, name: &str| known.as_deref().is_none_or(|known| known == name);
    is_same(&measured.cluster, tracks.cluster) && is_same(&measured.service, tracks.service)
}

fn of_tracking(tracks: &TrackingAlarm<'_>) -> Subject {
    Subject {
        cluster: Some(tracks.cluster.to_owned()),
        service: Some(tracks.service.to_owned()),
        ..Subject::default()
    }
}

/// A composite alarm has no metrics. The names of its alarms show the service, if target tracking made them.
fn of_children(alarm: &AlarmStateChange) -> Subject {
    let names = alarms_in(alarm.rule.as_deref().unwrap_or_default());
    let names = names.iter().chain(&alarm.triggered_by);
    let mut tracked = names.filter_map(|it| target_tracking::read(it));
    let Some(first) = tracked.next() else {
        return Subject::default();
    };
    let mut subject = of_tracking(&first);
    for other in tracked {
        if other.cluster != first.cluster {
            return Subject::default();
        }
        if other.service != first.service {
            subject.service = None;
        }
    }
    subject
}

/// The names in `ALARM("checkout-cpu") AND NOT OK(arn:aws:…:alarm:latency)`, each once.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html>
pub fn alarms_in(rule: &str) -> Vec<String> {
    const STATES: [&str; 3] = ["ALARM(", "OK(", "INSUFFICIENT_DATA("];
    const MOST: usize = 100;
    let mut names = Vec::new();
    let mut rest = rule;
    while names.len() < MOST {
        let starts = STATES
            .iter()
            .filter_map(|it| Some(rest.find(it)? + it.len()));
        let Some(start) = starts.min() else {
            break;
        };
        rest = rest[start..].trim_start();
        let quote = rest.chars().next().filter(|it| matches!(it, '"' | '\''));
        let (text, end) = match quote {
            Some(quote) => (&rest[1..], quote),
            None => (rest, ')'),
        };
        let (name, after) = text.split_once(end).unwrap_or((text, ""));
        // The rule may name an alarm by its ARN.
        let name = name.trim();
        let name = name.split_once(":alarm:").map_or(name, |(_, name)| name);
        if !name.is_empty() && !names.iter().any(|it| it == name) {
            names.push(name.to_owned());
        }
        rest = after;
    }
    names
}

/// `CPUUtilization (Average over 1 min)`, or the label or the expression of one that is computed.
fn in_words(metric: &AlarmMetric) -> String {
    let computed = metric.label.as_ref().or(metric.expression.as_ref());
    let Some(name) = &metric.name else {
        return computed.cloned().unwrap_or_else(|| "its metric".to_owned());
    };
    let period =
        metric
            .period
            .filter(|it| *it > 0)
            .map(|seconds| match (seconds % 3_600, seconds % 60) {
                (0, _) => format!("{} h", seconds / 3_600),
                (_, 0) => format!("{} min", seconds / 60),
                (_, _) => format!("{seconds} s"),
            });
    match (&metric.statistic, period) {
        (Some(statistic), Some(period)) => format!("{name} ({statistic} over {period})"),
        (Some(statistic), None) => format!("{name} ({statistic})"),
        (None, _) => name.clone(),
    }
}

/// With at most two decimals. One that is too long for a headline has a power of ten.
fn number(value: f64) -> String {
    const LONGEST: f64 = 1e15;
    if value.abs() >= LONGEST {
        return format!("{value:e}");
    }
    let text = format!("{value:.2}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    match short {
        "" | "-0" => "0".to_owned(),
        short => short.to_owned(),
    }
}

/// The newest data point in "3 datapoints [93.1 (05/11/26 10:02:00), 92.4 (…)] were greater than …".
fn value_in(alarm: &AlarmStateChange) -> Option<String> {
    let (_, points) = alarm.reason.as_deref()?.split_once(" [")?;
    let first = points.split([' ', ',', ']']).next()?;
    first.parse().ok().map(number)
}

/// `more than 80`: the threshold, and how the value compares with it while the alarm is on.
fn threshold(alarm: &AlarmStateChange) -> Option<String> {
    const COMPARISONS: [(&str, &str); 4] = [
        ("greater than or equal to the", "at least"),
        ("greater than the", "more than"),
        ("less than or equal to the", "at most"),
        ("less than the", "less than"),
    ];
    let reason = alarm.reason.as_deref().unwrap_or_default();
    let known = alarm.threshold.map(number).or_else(|| {
        let (_, after) = reason.split_once("threshold (")?;
        let (threshold, _) = after.split_once(')')?;
        threshold.parse().ok().map(number)
    })?;
    let is_negated = reason.contains(" not greater than") || reason.contains(" not less than");
    let mut comparisons = COMPARISONS.iter().filter(|_| !is_negated);
    let comparison = comparisons.find(|(text, _)| reason.contains(text));
    Some(match comparison {
        Some((_, words)) => format!("{words} {known}"),
        None => format!("the threshold is {known}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACKING: &str =
        "TargetTracking-service/prod/web-AlarmHigh-2f1c5d7e-5a0b-4c3d-9e8f-0a1b2c3d4e5f";

    fn metric(namespace: &str, dimensions: &[(&str, &str)]) -> AlarmMetric {
        let dimensions = dimensions.iter();
        let dimensions: BTreeMap<_, _> = dimensions
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        AlarmMetric {
            namespace: Some(namespace.to_owned()),
            name: Some("CPUUtilization".to_owned()),
            dimensions,
            is_result: true,
            ..AlarmMetric::default()
        }
    }

    fn alarm(name: &str, metrics: Vec<AlarmMetric>) -> (Subject, AlarmFacts) {
        let found = find(&AlarmStateChange {
            name: Some(name.to_owned()),
            metrics,
            ..AlarmStateChange::default()
        });
        match found.facts {
            Facts::Alarm(facts) => (found.subject, *facts),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_dimensions_name_the_subject() {
        let web = [("ClusterName", "prod"), ("ServiceName", "web")];
        let api = [("ClusterName", "prod"), ("ServiceName", "api")];
        for (metrics, cluster, service) in [
            (vec![metric("AWS/ECS", &web)], Some("prod"), Some("web")),
            (
                vec![metric("AWS/ECS", &web), metric("AWS/ECS", &api)],
                Some("prod"),
                None,
            ),
            (
                vec![metric("AWS/ECS", &web), metric("AWS/ApplicationELB", &[])],
                Some("prod"),
                Some("web"),
            ),
            (vec![metric("AWS/ECS", &web[1..])], None, None),
        ] {
            let (subject, facts) = alarm("cpu", metrics);
            assert_eq!(subject.cluster.as_deref(), cluster);
            assert_eq!(subject.service.as_deref(), service);
            assert_eq!(facts.tracks, None);
        }
    }

    #[test]
    fn a_name_does_not_count_against_the_dimensions() {
        let api = [("ClusterName", "prod"), ("ServiceName", "api")];
        let (subject, facts) = alarm(TRACKING, vec![metric("AWS/ECS", &api)]);
        assert_eq!(subject.service.as_deref(), Some("api"));
        assert_eq!(facts.tracks, None);
        let (subject, facts) = alarm(TRACKING, vec![metric("AWS/ApplicationELB", &[])]);
        assert_eq!(subject.service.as_deref(), Some("web"));
        assert!(facts.tracks.is_some());
    }

    #[test]
    fn a_composite_alarm_is_about_the_service_of_its_alarms() {
        let composite = |rule: String| {
            find(&AlarmStateChange {
                name: Some("web is overloaded".to_owned()),
                rule: Some(rule),
                ..AlarmStateChange::default()
            })
        };
        let low = TRACKING.replace("High", "Low");
        let other = TRACKING.replace("/web-", "/api-");
        let elsewhere = TRACKING.replace("/prod/", "/test/");
        for (rule, cluster, service) in [
            (
                format!("ALARM(\"{TRACKING}\") AND NOT ALARM({low})"),
                Some("prod"),
                Some("web"),
            ),
            (
                format!("ALARM(arn:aws:cloudwatch:eu-west-1:210987654321:alarm:{TRACKING})"),
                Some("prod"),
                Some("web"),
            ),
            (
                format!("ALARM({TRACKING}) OR ALARM({other})"),
                Some("prod"),
                None,
            ),
            (
                format!("ALARM({TRACKING}) OR ALARM({elsewhere})"),
                None,
                None,
            ),
            ("ALARM(something)".to_owned(), None, None),
        ] {
            let found = composite(rule.clone());
            assert_eq!(found.subject.cluster.as_deref(), cluster, "{rule}");
            assert_eq!(found.subject.service.as_deref(), service, "{rule}");
        }
    }

    #[test]
    fn the_names_in_a_rule_are_read() {
        for (rule, expected) in [
            ("ALARM(a) OR NOT OK(\"b (c)\")", vec!["a", "b (c)"]),
            ("ALARM('a') AND INSUFFICIENT_DATA( b )", vec!["a", "b"]),
            ("ALARM(a) OR (ALARM(a) AND TRUE)", vec!["a"]),
            (
                "ALARM(arn:aws:cloudwatch:eu-west-1:210987654321:alarm:x:y)",
                vec!["x:y"],
            ),
            ("ALARM(", vec![]),
            ("ALARM(\"a", vec!["a"]),
            ("", vec![]),
        ] {
            assert_eq!(alarms_in(rule), expected, "{rule}");
        }
    }

    #[test]
    fn value_and_threshold_are_put_in_words() {
        for (reason, value, threshold) in [
            (
                "Threshold Crossed: 3 datapoints [93.126 (05/11/26 10:02:00), 92.0 (05/11/26 10:01:00)] were greater than the threshold (80.0).",
                Some("93.13"),
                Some("more than 80"),
            ),
            (
                "Threshold Crossed: 1 datapoint [0.0 (05/11/26 10:02:00)] was less than or equal to the threshold (1.0).",
                Some("0"),
                Some("at most 1"),
            ),
            (
                "Threshold Crossed: 1 datapoint [12.5 (05/11/26 10:02:00)] was not greater than the threshold (80.0).",
                Some("12.5"),
                Some("the threshold is 80"),
            ),
            ("Unchecked: Initial alarm creation", None, None),
        ] {
            let alarm = AlarmStateChange {
                reason: Some(reason.to_owned()),
                ..AlarmStateChange::default()
            };
            assert_eq!(value_in(&alarm).as_deref(), value, "{reason}");
            assert_eq!(super::threshold(&alarm).as_deref(), threshold, "{reason}");
        }
    }
}
