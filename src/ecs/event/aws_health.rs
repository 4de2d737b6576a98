//! "AWS Health Event": what AWS plans for, or knows to be wrong with, the account's resources.
//!
//! <https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html>. Its times are texts of
//! RFC 822. `region` of the envelope is where the event was delivered; `eventRegion` is the region that it is about.

use std::collections::HashSet;

use super::{Envelope, Fields, Time, is_instance};

#[derive(Debug, Clone, Default)]
pub struct AwsHealthEvent {
    /// The same in all accounts and all updates: `arn:aws:health:eu-west-1::event/ECS/…`.
    pub event_arn: Option<String>,
    /// Identifies an update of the event. Pages and second deliveries have the same.
    pub communication_id: Option<String>,
    /// `ECS`, `FARGATE`, `EC2` …
    pub service: Option<String>,
    /// `AWS_ECS_TASK_PATCHING_RETIREMENT`.
    pub type_code: Option<String>,
    /// `issue`, `accountNotification`, `scheduledChange` or `investigation`.
    pub category: Option<String>,
    /// `open`, `closed` or `upcoming`.
    pub status: Option<String>,
    pub region: Option<String>,
    /// In an organization, the account whose resources are affected.
    pub account: Option<String>,
    pub starts_at: Option<Time>,
    pub ends_at: Option<Time>,
    pub updated_at: Option<Time>,
    /// A long event comes in several pages, counted from 1.
    pub page: Option<i64>,
    pub description: Option<String>,
    /// The affected resources, each once. Those that are resolved are left out.
    pub entities: Vec<String>,
    /// The number of resources that are resolved: nothing is to be done for them any more.
    pub resolved: usize,
}

impl AwsHealthEvent {
    pub(super) fn read(fields: Fields<'_>, envelope: &Envelope) -> Self {
        let time = |key: &str| fields.text(key).map(Time::read_mail_time);
        Self {
            event_arn: fields.text("eventArn"),
            communication_id: fields.text("communicationId"),
            service: fields.text("service"),
            type_code: fields.text("eventTypeCode"),
            category: fields.text("eventTypeCategory"),
            status: fields.text("eventStatusCode"),
            region: fields.text("eventRegion"),
            account: fields.text("affectedAccount"),
            starts_at: time("startTime"),
            ends_at: time("endTime"),
            updated_at: time("lastUpdatedTime"),
            page: fields.number("page"),
            description: description(fields),
            entities: entities(fields, envelope),
            resolved: resolved(fields).len(),
        }
    }

    /// Whether the event is about ECS, or may be: an instance may be in a cluster.
    pub(super) fn is_about_ecs(&self) -> bool {
        match self.service.as_deref() {
            Some("ECS" | "FARGATE") => true,
            Some("EC2") => self.is_about_instances(),
            Some(_) | None => false,
        }
    }

    /// Whether AWS plans something for EC2 instances.
    pub fn is_about_instances(&self) -> bool {
        let is_planned = self.category.as_deref() == Some("scheduledChange");
        let is_of_ec2 = self.service.as_deref() == Some("EC2");
        is_of_ec2 && is_planned && self.entities.iter().any(|it| is_instance(it))
    }
}

/// The English text, else the first one. Its line breaks are the two characters `\n`.
fn description(fields: Fields<'_>) -> Option<String> {
    let texts = fields.list("eventDescription");
    let is_english = |it: &&Fields<'_>| {
        let language = it.text("language");
        language.is_some_and(|it| it.starts_with("en"))
    };
    let text = texts.iter().find(is_english).or(texts.first())?;
    let text = text.text("latestDescription")?.replace("\\n", "\n");
    let words: Vec<_> = text.split_whitespace().collect();
    Some(words.join(" ")).filter(|it| !it.is_empty())
}

/// `affectedEntities` says which resources are affected. Some events name them only in `resources` of the envelope.
fn entities(fields: Fields<'_>, envelope: &Envelope) -> Vec<String> {
    let entities = fields.list("affectedEntities");
    let mut known = resolved(fields);
    let affected = entities.iter().filter_map(|it| it.text("entityValue"));
    let named = affected.chain(envelope.resources.iter().cloned());
    named.filter(|it| known.insert(it.clone())).collect()
}

fn resolved(fields: Fields<'_>) -> HashSet<String> {
    let entities = fields.list("affectedEntities").into_iter();
    let resolved = entities.filter(|it| it.text("status").as_deref() == Some("RESOLVED"));
    resolved.filter_map(|it| it.text("entityValue")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(detail: &serde_json::Value, resources: &[&str]) -> AwsHealthEvent {
        let envelope = Envelope {
            resources: resources.iter().map(|it| (*it).to_owned()).collect(),
            ..Envelope::default()
        };
        AwsHealthEvent::read(Fields::new(detail), &envelope)
    }

    #[test]
    fn each_affected_resource_is_read_once_and_resolved_ones_are_left_out() {
        let event = read(
            &json!({"affectedEntities": [
                {"entityValue": "prod|web"}, {"entityValue": "prod|api", "status": "RESOLVED"},
                {"entityValue": null}, {"entityValue": "prod|web"}, "text", {"status": "IMPAIRED"},
            ]}),
            &["prod|api", "prod|web", "prod|mailer"],
        );
        assert_eq!(event.entities, ["prod|web", "prod|mailer"]);
    }

    #[test]
    fn the_english_description_is_one_line() {
        let text =
            |language: &str, text: &str| json!({"language": language, "latestDescription": text});
        let event = read(
            &json!({"eventDescription": [text("de_DE", "Hallo"), text("en_US", "One.\\n\\nTwo. ")]}),
            &[],
        );
        assert_eq!(event.description.as_deref(), Some("One. Two."));
        let event = read(&json!({"eventDescription": [text("de_DE", "Hallo")]}), &[]);
        assert_eq!(event.description.as_deref(), Some("Hallo"));
        assert_eq!(
            read(&json!({"eventDescription": "text"}), &[]).description,
            None
        );
    }
}
