//! The queues and the state table.

use aws_sdk_dynamodb::types::{KeyType, TimeToLiveStatus};
use aws_sdk_sqs::types::QueueAttributeName;
use ecs_parrot::aws::{CallError, Session};
use ecs_parrot::ecs::arn;
use serde_json::Value;

use super::finding::Findings;
use super::installation::Installation;

pub(super) async fn check_queues(session: &Session, it: &Installation, findings: &mut Findings) {
    let before = findings.findings.len();
    if it.sources.is_empty() {
        findings.wrong(
            "no_queue",
            "no queue invokes the function, so that timers, for reminders and recoveries, do not arrive".to_owned(),
            "deploy again: the event source was deleted".to_owned(),
        );
    }
    for (queue, _) in &it.sources {
        let Some(policy) = look_at(session, queue, findings).await else {
            continue;
        };
        let dead_letters = serde_json::from_str::<Value>(&policy).unwrap_or_default();
        match dead_letters["deadLetterTargetArn"].as_str() {
            Some(queue) => look_at_dead_letters(session, queue, findings).await,
            None => findings.wrong(
                "no_dead_letter_queue",
                format!("{queue} has no dead-letter queue: what cannot be posted is lost"),
                "deploy again: its redrive policy was removed".to_owned(),
            ),
        }
    }
    findings.done("queues", before);
}

/// The redrive policy of a queue, or an empty text. `None` if the queue could not be looked at.
async fn look_at(session: &Session, queue: &str, findings: &mut Findings) -> Option<String> {
    match attribute(session, queue, QueueAttributeName::RedrivePolicy).await {
        Ok(policy) => Some(policy),
        Err(error) => {
            missing(queue, &error, findings);
            None
        }
    }
}

async fn look_at_dead_letters(session: &Session, queue: &str, findings: &mut Findings) {
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    match attribute(session, queue, name).await {
        Ok(count) if count == "0" || count.is_empty() => {}
        Ok(count) => {
            let queue = arn::name(queue).rsplit(':').next().unwrap_or(queue);
            findings.wrong(
                "dead_letters",
                format!("{count} messages are in the dead-letter queue {queue}: their events were not posted"),
                format!("ecs-parrot redrive --queue {queue} --dry-run says why, and without --dry-run posts them"),
            );
        }
        Err(error) => missing(queue, &error, findings),
    }
}

fn missing(queue: &str, error: &CallError, findings: &mut Findings) {
    let is_missing = [
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
    ];
    match is_missing.iter().any(|code| error.has_code(code)) {
        true => findings.wrong(
            "queue_missing",
            format!("the queue {queue} does not exist"),
            "deploy again: it was deleted".to_owned(),
        ),
        false => findings.not_checked("queues", error),
    }
}

async fn attribute(
    session: &Session,
    queue: &str,
    attribute: QueueAttributeName,
) -> Result<String, CallError> {
    let sqs = session.sqs();
    let name = queue.rsplit(':').next().unwrap_or(queue);
    let url = sqs.get_queue_url().queue_name(name).send().await;
    let url = url.map_err(|error| CallError::of("GetQueueUrl", error))?;
    let answer = sqs
        .get_queue_attributes()
        .queue_url(url.queue_url().unwrap_or_default())
        .attribute_names(attribute.clone())
        .send()
        .await;
    let answer = answer.map_err(|error| CallError::of("GetQueueAttributes", error))?;
    let found = answer.attributes().and_then(|it| it.get(&attribute));
    Ok(found.cloned().unwrap_or_default())
}

pub(super) async fn check_table(session: &Session, it: &Installation, findings: &mut Findings) {
    let before = findings.findings.len();
    match it.variable("STATE_TABLE") {
        None => no_table(findings),
        Some(table) if table.eq_ignore_ascii_case("disabled") => no_table(findings),
        Some(table) => look_at_table(session, table, findings).await,
    }
    findings.done("table", before);
}

fn no_table(findings: &mut Findings) {
    findings.warning(
        "no_table",
        "there is no state table: each process remembers alone, so that messages may come twice and threads end early".to_owned(),
        "leave `state_table` empty, so that one is made".to_owned(),
    );
}

async fn look_at_table(session: &Session, name: &str, findings: &mut Findings) {
    let client = session.dynamo_db();
    let described = client.describe_table().table_name(name).send().await;
    let table = match described.map_err(|error| CallError::of("DescribeTable", error)) {
        Ok(answer) => answer.table,
        Err(error) if error.has_code("ResourceNotFoundException") => {
            return findings.wrong(
                "table_missing",
                format!("the table {name} of STATE_TABLE does not exist"),
                "deploy again, or correct `state_table`".to_owned(),
            );
        }
        Err(error) => return findings.not_checked("table", &error),
    };
    let mut keys = table.iter().flat_map(|it| it.key_schema());
    let is_right = keys.all(|it| it.attribute_name() == "id" && *it.key_type() == KeyType::Hash);
    if !is_right {
        findings.wrong(
            "table_key",
            format!("the key of the table {name} is not `id`"),
            "make a table with the key `id` (a text), or leave `state_table` empty".to_owned(),
        );
    }
    let expires = client.describe_time_to_live().table_name(name).send().await;
    match expires.map_err(|error| CallError::of("DescribeTimeToLive", error)) {
        Ok(answer) => {
            let expires = answer.time_to_live_description();
            let is_on = expires.is_some_and(|it| {
                let status = it.time_to_live_status();
                it.attribute_name() == Some("expires")
                    && matches!(
                        status,
                        Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
                    )
            });
            if !is_on {
                findings.warning(
                    "table_expires",
                    format!("the items of the table {name} do not expire"),
                    format!("aws dynamodb update-time-to-live --table-name {name} --time-to-live-specification Enabled=true,AttributeName=expires"),
                );
            }
        }
        Err(error) => findings.not_checked("table", &error),
    }
}
