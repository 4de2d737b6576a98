//! CloudWatch's DescribeAlarms: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::{ACCOUNT, Answer, FakeAws, REGION, Refusal, xml_error};

pub(super) const VERSION: &str = "2010-08-01";
const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";

#[derive(Default)]
pub(super) struct CloudWatch {
    alarms: BTreeMap<String, Alarm>,
    /// The account of the alarms.
    account: Option<String>,
}

enum Alarm {
    /// Its namespace and its dimensions.
    Metric(String, Vec<(String, String)>),
    /// Its rule.
    Composite(String),
}

impl FakeAws {
    /// Adds an alarm of a metric with these dimensions.
    pub(crate) fn alarm(&self, name: &str, namespace: &str, dimensions: &[(&str, &str)]) {
        let dimensions = dimensions.iter();
        let dimensions = dimensions.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let alarm = Alarm::Metric(namespace.to_owned(), dimensions.collect());
        self.state()
            .cloud_watch
            .alarms
            .insert(name.to_owned(), alarm);
    }

    pub(crate) fn composite_alarm(&self, name: &str, rule: &str) {
        let alarm = Alarm::Composite(rule.to_owned());
        self.state()
            .cloud_watch
            .alarms
            .insert(name.to_owned(), alarm);
    }

    /// The alarms are those of this account.
    pub(crate) fn alarms_of(&self, account: &str) {
        self.state().cloud_watch.account = Some(account.to_owned());
    }
}

impl CloudWatch {
    /// The answer holds the two lists as XML.
    pub(super) fn act(&self, operation: &str, form: &Value) -> Answer {
        assert_eq!(operation, "DescribeAlarms");
        let form = form.as_object().unwrap();
        let known = |it: &&String| {
            let known = ["Action", "Version", "MaxRecords"].contains(&it.as_str());
            !known && !it.starts_with("AlarmNames.member.") && !it.starts_with("AlarmTypes.member.")
        };
        if let Some(unknown) = form.keys().find(known) {
            return Err(invalid(&format!("unexpected {unknown}")));
        }
        let most = form
            .get("MaxRecords")
            .map_or("50", |it| it.as_str().unwrap());
        if !(1..=100).contains(&most.parse::<usize>().unwrap()) {
            return Err(invalid("MaxRecords must be between 1 and 100"));
        }
        let names = members(form, "AlarmNames")?;
        if names.len() > 100
            || names
                .iter()
                .any(|it| !(1..=255).contains(&it.chars().count()))
        {
            return Err(invalid("AlarmNames has too many or too long members"));
        }
        let types = match members(form, "AlarmTypes")? {
            types if types.is_empty() => vec!["MetricAlarm"],
            types => types,
        };
        if let Some(wrong) = types
            .iter()
            .find(|it| !["MetricAlarm", "CompositeAlarm"].contains(it))
        {
            return Err(invalid(&format!("{wrong} is no alarm type")));
        }
        let (mut of_metrics, mut composite) = (String::new(), String::new());
        for (name, alarm) in &self.alarms {
            if !names.contains(&name.as_str()) {
                continue;
            }
            match alarm {
                Alarm::Metric(namespace, dimensions) if types.contains(&"MetricAlarm") => {
                    of_metrics += &self.metric_alarm(name, namespace, dimensions);
                }
                Alarm::Composite(rule) if types.contains(&"CompositeAlarm") => {
                    composite +=
                        &self.member(name, &format!("<AlarmRule>{}</AlarmRule>", escaped(rule)));
                }
                Alarm::Metric(..) | Alarm::Composite(_) => {}
            }
        }
        Ok(json!(format!(
            "<CompositeAlarms>{composite}</CompositeAlarms><MetricAlarms>{of_metrics}</MetricAlarms>"
        )))
    }

    fn metric_alarm(&self, name: &str, namespace: &str, dimensions: &[(String, String)]) -> String {
        let dimensions = dimensions.iter().map(|(name, value)| {
            let (name, value) = (escaped(name), escaped(value));
            format!("<member><Name>{name}</Name><Value>{value}</Value></member>")
        });
        let dimensions: String = dimensions.collect();
        self.member(
            name,
            &format!(
                "<MetricName>CPUUtilization</MetricName><Namespace>{namespace}</Namespace>\n\
                 <Dimensions>{dimensions}</Dimensions><Period>60</Period><OKActions/>"
            ),
        )
    }

    fn member(&self, name: &str, fields: &str) -> String {
        let account = self.account.as_deref().unwrap_or(ACCOUNT);
        let name = escaped(name);
        format!(
            "<member><AlarmName>{name}</AlarmName><AlarmArn>arn:aws:cloudwatch:{REGION}:{account}:alarm:{name}</AlarmArn>\
             {fields}<StateValue>ALARM</StateValue></member>\n"
        )
    }
}

/// `NAME.member.1`, `NAME.member.2` and so on, without a gap.
fn members<'a>(
    form: &'a serde_json::Map<String, Value>,
    name: &str,
) -> Result<Vec<&'a str>, Refusal> {
    let prefix = format!("{name}.member.");
    let count = form.keys().filter(|it| it.starts_with(&prefix)).count();
    let members = (1..=count).map(|number| form.get(&format!("{prefix}{number}"))?.as_str());
    let members: Option<_> = members.collect();
    members.ok_or_else(|| invalid(&format!("the members of {name} have a gap")))
}

fn invalid(message: &str) -> Refusal {
    Refusal::new("ValidationError", message)
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

pub(super) fn written(answer: Answer) -> ResponseTemplate {
    match answer {
        Ok(lists) => {
            let lists = lists.as_str().unwrap();
            let body = format!(
                "<DescribeAlarmsResponse xmlns=\"{NAMESPACE}\">\n<DescribeAlarmsResult>{lists}</DescribeAlarmsResult>\n\
                 <ResponseMetadata><RequestId>7d3c</RequestId></ResponseMetadata>\n</DescribeAlarmsResponse>"
            );
            ResponseTemplate::new(200).set_body_raw(body, "text/xml")
        }
        Err(refusal) => xml_error(NAMESPACE, refusal),
    }
}
