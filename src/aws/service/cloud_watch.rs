//! CloudWatch's DescribeAlarms and GetMetricStatistics:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>.

use std::collections::BTreeMap;

use aws_smithy_xml::decode::{Document, ScopedDecoder, try_data};

use super::{Client, query};
use crate::aws::CallError;

/// The most names in one call.
pub const MOST_NAMES: usize = 100;

/// A metric that an alarm looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metric {
    pub namespace: String,
    pub dimensions: BTreeMap<String, String>,
}

/// An alarm of metrics, or of other alarms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alarm {
    pub name: String,
    pub arn: String,
    pub metrics: Vec<Metric>,
    /// Of a composite alarm.
    pub rule: Option<String>,
}

/// The alarms with these names. Names that are not known are left out, and so are those after the first
/// [`MOST_NAMES`].
///
/// # Errors
///
/// [`CallError`], after the client's retries, or if the answer cannot be read.
pub async fn alarms(cloud_watch: &Client, names: &[String]) -> Result<Vec<Alarm>, CallError> {
    let names = names.iter().take(MOST_NAMES).enumerate();
    let names =
        names.map(|(index, name)| (format!("AlarmNames.member.{}", index + 1), name.clone()));
    let most = MOST_NAMES.to_string();
    let others = [
        ("AlarmTypes.member.1", "CompositeAlarm"),
        ("AlarmTypes.member.2", "MetricAlarm"),
        ("MaxRecords", &most),
    ];
    let others = others.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let request = query::request("DescribeAlarms", "2010-08-01", names.chain(others));
    query::call(cloud_watch, request, read).await
}

/// How often a function was invoked from one time to another, in RFC 3339.
///
/// # Errors
///
/// [`CallError`], after the client's retries, or if the answer cannot be read.
pub async fn invocations(
    cloud_watch: &Client,
    function: &str,
    (from, to): (&str, &str),
) -> Result<f64, CallError> {
    let parameters = [
        ("Namespace", "AWS/Lambda"),
        ("MetricName", "Invocations"),
        ("Dimensions.member.1.Name", "FunctionName"),
        ("Dimensions.member.1.Value", function),
        ("StartTime", from),
        ("EndTime", to),
        ("Period", "3600"),
        ("Statistics.member.1", "Sum"),
    ];
    let request = query::request("GetMetricStatistics", "2010-08-01", parameters);
    query::call(cloud_watch, request, sum).await
}

fn sum(answer: &str) -> Option<f64> {
    answer.contains("GetMetricStatisticsResponse").then(|| {
        let sums = answer.split("<Sum>").skip(1);
        let sums = sums.filter_map(|it| it.split_once("</Sum>")?.0.trim().parse::<f64>().ok());
        sums.sum()
    })
}

/// `None` if this is no answer to the call.
fn read(answer: &str) -> Option<Vec<Alarm>> {
    let mut document = Document::new(answer);
    let mut root = document.root_element().ok()?;
    if root.start_el().local() != "DescribeAlarmsResponse" {
        return None;
    }
    let mut found = Vec::new();
    while let Some(mut result) = root.next_tag() {
        if result.start_el().local() != "DescribeAlarmsResult" {
            continue;
        }
        while let Some(mut list) = result.next_tag() {
            // Besides the two lists there may be a token.
            while let Some(mut member) = list.next_tag() {
                found.push(alarm(&mut member));
            }
        }
    }
    Some(found)
}

fn alarm(element: &mut ScopedDecoder<'_, '_>) -> Alarm {
    let mut alarm = Alarm::default();
    let mut metric = Metric::default();
    while let Some(mut child) = element.next_tag() {
        let name = child.start_el().local().to_owned();
        match name.as_str() {
            "AlarmName" => alarm.name = text(&mut child),
            "AlarmArn" => alarm.arn = text(&mut child),
            "AlarmRule" => alarm.rule = Some(text(&mut child)),
            "Namespace" => metric.namespace = text(&mut child),
            "Dimensions" => metric.dimensions = dimensions(&mut child),
            _ => collect(&mut child, &mut alarm.metrics),
        }
    }
    if !metric.namespace.is_empty() {
        alarm.metrics.push(metric);
    }
    alarm
}

/// The metrics of an alarm that computes something. Each element with a namespace is one.
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
    fn alarms_are_read() {
        let dimension = |name: &str, value: &str| {
            format!("<member><Name>{name}</Name><Value>{value}</Value></member>")
        };
        let web = dimension("ClusterName", "prod") + &dimension("ServiceName", "web");
        let answer = format!(
            "<DescribeAlarmsResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\"><DescribeAlarmsResult>\
             <CompositeAlarms><member><AlarmRule>ALARM(&quot;cpu&quot;)</AlarmRule><AlarmName>all</AlarmName></member>\
             </CompositeAlarms><MetricAlarms><member><AlarmName>cpu</AlarmName><AlarmArn>arn:1</AlarmArn>\
             <Dimensions>{web}</Dimensions><Namespace>AWS/ECS</Namespace><Metrics/></member>\
             <member><AlarmName>a&amp;b</AlarmName><Metrics><member><Id>m</Id><MetricStat><Metric>\
             <Namespace>AWS/EC2</Namespace><Dimensions/></Metric></MetricStat></member></Metrics></member>\
             </MetricAlarms><NextToken>x</NextToken></DescribeAlarmsResult>\
             <ResponseMetadata><RequestId>7d3c</RequestId></ResponseMetadata></DescribeAlarmsResponse>"
        );
        let web = [("ClusterName", "prod"), ("ServiceName", "web")];
        let web = web.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let metric = |namespace: &str, dimensions: BTreeMap<_, _>| Metric {
            namespace: namespace.to_owned(),
            dimensions,
        };
        let expected = [
            Alarm {
                name: "all".to_owned(),
                rule: Some("ALARM(\"cpu\")".to_owned()),
                ..Alarm::default()
            },
            Alarm {
                name: "cpu".to_owned(),
                arn: "arn:1".to_owned(),
                metrics: vec![metric("AWS/ECS", BTreeMap::from(web))],
                ..Alarm::default()
            },
            Alarm {
                name: "a&b".to_owned(),
                metrics: vec![metric("AWS/EC2", BTreeMap::new())],
                ..Alarm::default()
            },
        ];
        assert_eq!(read(&answer).unwrap(), expected);
        for other in ["", "<html>Gateway</html>", "<ErrorResponse/>", "{}"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
