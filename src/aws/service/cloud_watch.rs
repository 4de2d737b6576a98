//! CloudWatch's DescribeAlarms: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>.

use std::collections::BTreeMap;

use aws_smithy_xml::decode::{Document, ScopedDecoder, try_data};

use super::{Client, query};
use crate::aws::{CallError, ErrorKind};

/// The most names in one call.
pub const MOST_NAMES: usize = 100;

/// A metric that an alarm looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metric {
    pub namespace: String,
    pub dimensions: BTreeMap<String, String>,
}

/// The metrics of the metric alarms with these names. Names that are not known are left out.
///
/// # Errors
///
/// [`CallError`], after the client's retries, or if the answer cannot be read.
pub async fn metrics_of_alarms(
    cloud_watch: &Client,
    names: &[String],
) -> Result<Vec<Metric>, CallError> {
    const CALL: &str = "DescribeAlarms";
    let names = names.iter().take(MOST_NAMES).enumerate();
    let names =
        names.map(|(index, name)| (format!("AlarmNames.member.{}", index + 1), name.clone()));
    let most = MOST_NAMES.to_string();
    let others = [
        ("AlarmTypes.member.1", "MetricAlarm"),
        ("MaxRecords", &most),
    ];
    let others = others.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let request = query::request(CALL, "2010-08-01", names.chain(others));
    let answer = cloud_watch.send(request).await?;
    let answer = String::from_utf8_lossy(&answer.body);
    read(&answer).ok_or_else(|| CallError {
        call: CALL,
        code: None,
        message: "the answer cannot be read".to_owned(),
        kind: ErrorKind::Unavailable,
    })
}

/// `None` if this is no answer to the call.
fn read(answer: &str) -> Option<Vec<Metric>> {
    let mut document = Document::new(answer);
    let mut root = document.root_element().ok()?;
    if root.start_el().local() != "DescribeAlarmsResponse" {
        return None;
    }
    let mut found = Vec::new();
    collect(&mut root, &mut found);
    Some(found)
}

/// Each element with a namespace is a metric: an alarm of one metric itself, or a part of an alarm that computes something.
fn collect(element: &mut ScopedDecoder<'_, '_>, found: &mut Vec<Metric>) {
    let mut metric = Metric::default();
    while let Some(mut child) = element.next_tag() {
        let name = child.start_el().local().to_owned();
        match name.as_str() {
            "Namespace" => metric.namespace = text(&mut child),
            "Dimensions" => metric.dimensions = dimensions(&mut child),
            _ => collect(&mut child, found),
        }
    }
    if !metric.namespace.is_empty() {
        found.push(metric);
    }
}

fn dimensions(element: &mut ScopedDecoder<'_, '_>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    while let Some(mut member) = element.next_tag() {
        let (mut name, mut value) = (String::new(), String::new());
        while let Some(mut part) = member.next_tag() {
            match part.start_el().local() {
                "Name" => name = text(&mut part),
                "Value" => value = text(&mut part),
                _ => {}
            }
        }
        found.insert(name, value);
    }
    found
}

fn text(element: &mut ScopedDecoder<'_, '_>) -> String {
    let text = try_data(element);
    text.map(|it| it.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_of_alarms_are_read() {
        let dimension = |name: &str, value: &str| {
            format!("<member><Name>{name}</Name><Value>{value}</Value></member>")
        };
        let web = dimension("ClusterName", "prod") + &dimension("ServiceName", "web");
        let answer = format!(
            "<DescribeAlarmsResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\"><DescribeAlarmsResult>\
             <MetricAlarms><member><AlarmName>cpu</AlarmName><Dimensions>{web}</Dimensions>\
             <Namespace>AWS/ECS</Namespace><Metrics/></member>\
             <member><AlarmName>a&amp;b</AlarmName><Metrics><member><Id>m</Id><MetricStat><Metric>\
             <Namespace>AWS/EC2</Namespace><Dimensions/></Metric></MetricStat></member></Metrics></member>\
             </MetricAlarms></DescribeAlarmsResult></DescribeAlarmsResponse>"
        );
        let found = read(&answer).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|it| (it.namespace.as_str(), it.dimensions.len()))
            .collect();
        assert_eq!(shown, [("AWS/ECS", 2), ("AWS/EC2", 0)]);
        assert_eq!(found[0].dimensions["ServiceName"], "web");
        for other in ["", "<html>Gateway</html>", "<ErrorResponse/>", "{}"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
