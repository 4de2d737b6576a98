//! "CloudWatch Alarm State Change" and "CloudWatch Alarm Configuration Change": alarms of metrics about ECS, and
//! composite alarms.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html>

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Fields, Time};
use crate::ecs::target_tracking;

/// The namespaces of ECS's own metrics.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html>,
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-ECS.html>
const NAMESPACES: [&str; 2] = ["AWS/ECS", "ECS/ContainerInsights"];

/// Whether a namespace has metrics of ECS.
pub fn is_namespace_of_ecs(namespace: &str) -> bool {
    NAMESPACES.contains(&namespace)
}

/// What an event says about an alarm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AlarmEventType {
    #[default]
    StateChange,
    /// It was created or changed.
    ConfigurationChange,
    /// It was deleted. CloudWatch sends no other state for it.
    Deletion,
}

#[derive(Debug, Clone, Default)]
pub struct AlarmStateChange {
    pub event_type: AlarmEventType,
    pub name: Option<String>,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: Option<String>,
    pub previous_state: Option<String>,
    pub reason: Option<String>,
    pub changed_at: Option<Time>,
    /// The operator's own description.
    pub description: Option<String>,
    pub metrics: Vec<AlarmMetric>,
    /// The newest data point, and the threshold that it is compared with.
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    /// Of a composite alarm: `ALARM(checkout-cpu) AND ALARM(checkout-latency)`.
    pub rule: Option<String>,
    /// Of a composite alarm: the alarms that changed its state.
    pub triggered_by: Vec<String>,
    /// Of a composite alarm: `Alarm`, `WaitPeriod` or `ExtensionPeriod`, if its actions are suppressed.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_CompositeAlarm.html>
    pub suppressed_by: Option<String>,
}

/// A metric that an alarm looks at. One that is computed from others has an expression and no name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlarmMetric {
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub dimensions: BTreeMap<String, String>,
    pub statistic: Option<String>,
    /// In seconds.
    pub period: Option<i64>,
    pub expression: Option<String>,
    pub label: Option<String>,
    /// Whether the alarm compares this metric with its threshold.
    pub is_result: bool,
}

impl AlarmMetric {
    fn read(fields: Fields<'_>) -> Self {
        let stat = fields.object("metricStat");
        let metric = stat.object("metric");
        let dimensions = metric.object("dimensions").value().as_object();
        let dimensions = dimensions.into_iter().flatten().filter_map(|(key, value)| {
            let value = value.as_str()?.trim();
            (!value.is_empty()).then(|| (key.clone(), value.to_owned()))
        });
        Self {
            namespace: metric.text("namespace"),
            name: metric.text("name"),
            dimensions: dimensions.collect(),
            statistic: stat.text("stat"),
            period: stat.number("period"),
            expression: fields.text("expression"),
            label: fields.text("label"),
            is_result: fields.flag("returnData").unwrap_or(true),
        }
    }

    /// Whether the metric is one of ECS.
    pub fn is_of_ecs(&self) -> bool {
        self.namespace.as_deref().is_some_and(is_namespace_of_ecs)
    }
}

impl AlarmStateChange {
    /// `None` if the alarm is not about ECS. A composite alarm may be: only its alarms show it.
    pub(super) fn read(fields: Fields<'_>) -> Option<Self> {
        let configuration = fields.object("configuration");
        let state = fields.object("state");
        let metrics = configuration.list("metrics").into_iter();
        let name = fields.text("alarmName");
        let alarm = Self {
            state: state.text("value"),
            previous_state: fields.object("previousState").text("value"),
            reason: state.text("reason"),
            changed_at: state.time("timestamp"),
            description: configuration.text("description"),
            metrics: metrics.map(AlarmMetric::read).collect(),
            rule: configuration.text("alarmRule"),
            suppressed_by: state.text("actionsSuppressedBy"),
            name,
            ..Self::default()
        };
        let is_of_ecs = alarm.metrics.iter().any(AlarmMetric::is_of_ecs);
        let tracks = alarm.name.as_deref().and_then(target_tracking::read);
        let is_about_ecs = is_of_ecs || tracks.is_some() || alarm.rule.is_some();
        is_about_ecs.then(|| alarm.with_reason_data(state))
    }

    /// `operation` is `create`, `update` or `delete`. The state in such an event is from before.
    pub(super) fn read_configuration(fields: Fields<'_>) -> Option<Self> {
        let event_type = match fields.text("operation").as_deref() {
            Some("delete") => AlarmEventType::Deletion,
            Some(_) | None => AlarmEventType::ConfigurationChange,
        };
        let alarm = Self::read(fields)?;
        Some(Self {
            event_type,
            changed_at: None,
            ..alarm
        })
    }

    /// The numbers are in a JSON text.
    fn with_reason_data(self, state: Fields<'_>) -> Self {
        let text = state.text("reasonData");
        let data: Value = text
            .and_then(|it| serde_json::from_str(&it).ok())
            .unwrap_or_default();
        let data = Fields::new(&data);
        let triggers = data.list("triggeringAlarms").into_iter();
        let triggers = triggers.filter_map(|it| Some(alarm_name(&it.text("arn")?).to_owned()));
        Self {
            value: newest(data),
            threshold: data.value().get("threshold").and_then(Value::as_f64),
            triggered_by: triggers.collect(),
            ..self
        }
    }
}

/// `arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME`. A name may contain colons.
fn alarm_name(arn: &str) -> &str {
    arn.splitn(7, ':').nth(6).unwrap_or(arn)
}

/// The newest data point. `recentDatapoints` has no times, so it counts only if it has one item.
fn newest(data: Fields<'_>) -> Option<f64> {
    let value = |it: &Value| it.as_f64();
    let points = data.list("evaluatedDatapoints").into_iter();
    let newest = points.filter(|it| it.is_present("value")).max_by_key(|it| {
        let time = it.time("timestamp");
        time.and_then(|it| it.instant())
    });
    let newest = newest.and_then(|it| it.value().get("value").and_then(value));
    newest.or_else(|| {
        let recent = data.value().get("recentDatapoints")?.as_array()?;
        match recent.as_slice() {
            [one] => value(one),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_value_and_the_threshold_are_read() {
        let data = json!({
            "threshold": 80.0,
            "recentDatapoints": [81.0, 93.5],
            "evaluatedDatapoints": [
                {"timestamp": "2026-11-12T10:01:00.000+0000", "value": 93.5},
                {"timestamp": "2026-11-12T10:02:00.000+0000"},
                {"timestamp": "2026-11-12T10:00:00.000+0000", "value": 81.0},
            ],
        });
        let detail = json!({
            "alarmName": "cpu",
            "configuration": {"metrics": [{"metricStat": {"metric": {"namespace": "AWS/ECS"}}}]},
            "state": {"value": "ALARM", "reasonData": data.to_string()},
        });
        let alarm = AlarmStateChange::read(Fields::new(&detail)).unwrap();
        assert_eq!((alarm.value, alarm.threshold), (Some(93.5), Some(80.0)));
    }

    #[test]
    fn only_alarms_that_may_be_about_ecs_are_read() {
        let of = |namespace: &str, name: &str| {
            json!({
                "alarmName": name,
                "configuration": {"metrics": [{"metricStat": {"metric": {"namespace": namespace}}}]},
            })
        };
        let tracking =
            "TargetTracking-service/prod/web-AlarmHigh-2f1c5d7e-5a0b-4c3d-9e8f-0a1b2c3d4e5f";
        for (detail, expected) in [
            (of("AWS/ECS", "cpu"), true),
            (of("ECS/ContainerInsights", "cpu"), true),
            (of("AWS/EC2", "cpu"), false),
            (of("AWS/ApplicationELB", tracking), true),
            (
                of("AWS/EC2", "TargetTracking-service/prod/web-AlarmHigh-x"),
                false,
            ),
            (json!({"configuration": {"alarmRule": "ALARM(a)"}}), true),
            (json!({"configuration": {"metrics": "text"}}), false),
            (json!({}), false),
        ] {
            let read = AlarmStateChange::read(Fields::new(&detail));
            assert_eq!(read.is_some(), expected, "{detail}");
        }
    }

    #[test]
    fn the_alarms_behind_a_composite_alarm_are_named() {
        let data = json!({"triggeringAlarms": [
            {"arn": "arn:aws:cloudwatch:eu-west-1:210987654321:alarm:web: slow"}, {"arn": null},
        ]});
        let detail = json!({
            "configuration": {"alarmRule": "ALARM(\"web: slow\")"},
            "state": {"value": "ALARM", "reasonData": data.to_string()},
        });
        let alarm = AlarmStateChange::read(Fields::new(&detail)).unwrap();
        assert_eq!(alarm.triggered_by, ["web: slow"]);
    }
}
