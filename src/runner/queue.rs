//! Runs tasks for SQS messages. Each record is handled by itself: its tasks are started once, or it is returned to the
//! queue.
//!
//! ```text
//! record ─ RunMessage ─ allowed? ─ network, container ▶ RunRequest ─ task::start ▶ RecordReport
//! ```

mod allowed;
mod config;
mod error;
mod fifo;
pub mod message;
pub mod rerun;

use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_ecs::types::{AssignPublicIp, AwsVpcConfiguration};
use futures::StreamExt as _;
use serde_json::{Map, Value, json};

use crate::aws::visibility::{ReceivedMessage, RetryDelay, change_visibility, receives};
use crate::runner::definition;
use crate::runner::error::RunError;
use crate::runner::request::RunRequest;
use crate::runner::service;
use crate::runner::task::{self, StartError};
use crate::runner::token::{started_by, token};
use message::{InvalidMessage, RunMessage, first_container};
use rerun::Rerun;

pub use allowed::{Allowed, Patterns};
pub use config::QueueConfig;
pub use error::RecordError;

/// The beginning of `startedBy` of the tasks that this function starts.
pub const PROGRAM: &str = "run-from-queue";

/// Records that are handled at the same time. RunTask has a quota of 20 calls per second for the whole account.
const AT_ONCE: usize = 5;

/// The function with its clients and its configuration.
#[derive(Debug, Clone)]
pub struct RunFromQueue {
    pub ecs: aws_sdk_ecs::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub allowed: Allowed,
    /// The function's own name, by which it recognizes the tasks that it started.
    pub function: String,
}

/// The result for one record: its tasks, or why they were not started.
#[derive(Debug)]
pub struct RecordReport {
    pub message_id: String,
    pub result: Result<Vec<String>, RecordError>,
}

impl RunFromQueue {
    /// Starts the tasks of the records, and sets when the queue delivers the failed records again. `time` is the time
    /// that the invocation has left.
    pub async fn handle(&self, records: Vec<SqsMessage>, time: Duration) -> Vec<RecordReport> {
        let deadline = tokio::time::Instant::now() + time;
        if records.iter().any(fifo::is_fifo) {
            return self.handle_in_order(records, deadline).await;
        }
        futures::stream::iter(records)
            .map(|record| self.handle_record(record, deadline))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await
    }

    async fn handle_record(
        &self,
        record: SqsMessage,
        deadline: tokio::time::Instant,
    ) -> RecordReport {
        // Boxed, because the type of the batch's future would be too deep for the compiler.
        let run = Box::pin(self.run(&record));
        let result = tokio::time::timeout_at(deadline, run).await;
        let result = result.unwrap_or(Err(RecordError::Time));
        let message_id = record.message_id.clone().unwrap_or_default();
        if let Err(error) = &result {
            // Boxed for the same reason.
            Box::pin(self.delay(&record, error)).await;
        }
        log(&record, &result);
        RecordReport { message_id, result }
    }

    async fn run(&self, record: &SqsMessage) -> Result<Vec<String>, RecordError> {
        let Some(seed) = record.message_id.as_deref().filter(|id| !id.is_empty()) else {
            return Err(InvalidMessage::NoId.into());
        };
        let message = RunMessage::read(record.body.as_deref().unwrap_or_default())?;
        self.allowed.check(&message.request)?;
        let queue = record.event_source_arn.as_deref().unwrap_or_default();
        let mut request = message.request;
        self.fill_network(&mut request, message.service.as_deref())
            .await?;
        self.fill_container(&mut request).await?;
        request.insert(
            "startedBy".to_owned(),
            json!(started_by(PROGRAM, queue_name(queue))),
        );
        Rerun::first(&request, &self.function).add_to(&mut request)?;
        Ok(self.start(request, seed, receives(record)).await?)
    }

    /// Takes the subnets or the security groups from the service if the message does not have them.
    async fn fill_network(
        &self,
        request: &mut Map<String, Value>,
        service: Option<&str>,
    ) -> Result<(), RecordError> {
        let Some(service) = service else {
            return Ok(());
        };
        let given = |part: &str| {
            let network = request
                .get("networkConfiguration")?
                .get("awsvpcConfiguration")?;
            network
                .get(part)?
                .as_array()
                .filter(|list| !list.is_empty())
        };
        if given("subnets").is_some() && given("securityGroups").is_some() {
            return Ok(());
        }
        let cluster = request
            .get("cluster")
            .and_then(Value::as_str)
            .unwrap_or("default");
        let settings = service::describe(&self.ecs, cluster, service).await?;
        let Some(network) = settings.network else {
            return Ok(());
        };
        let target = message::network(request)?;
        for (part, value) in parts_of(&network) {
            let is_given = target
                .get(part)
                .is_some_and(|it| it != &json!([]) && !it.is_null());
            if !is_given {
                target.insert(part.to_owned(), value);
            }
        }
        Ok(())
    }

    /// A container override without a name is for the first container of the task definition.
    async fn fill_container(&self, request: &mut Map<String, Value>) -> Result<(), RecordError> {
        if first_container(request)?.contains_key("name") {
            return Ok(());
        }
        let definition = request.get("taskDefinition").and_then(Value::as_str);
        let definition = definition.unwrap_or_default().to_owned();
        let definition = definition::describe(&self.ecs, &definition).await?;
        let name = definition
            .containers()
            .next()
            .and_then(|it| it.get("name"))
            .cloned();
        if let Some(name) = name {
            first_container(request)?.insert("name".to_owned(), name);
        }
        Ok(())
    }

    /// Starts all tasks of a request, with as many calls as needed. When a message is received again, its calls have
    /// the same client tokens, and ECS returns the tasks that it already started. ECS also repeats an answer that
    /// contained only failures, so the next call gets a token with the next number.
    async fn start(
        &self,
        mut request: Map<String, Value>,
        seed: &str,
        receives: u32,
    ) -> Result<Vec<String>, RunError> {
        let wanted = request.get("count").and_then(Value::as_u64).unwrap_or(1);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let (mut tasks, mut failed) = (Vec::new(), 0);
        let mut number = 0_u32;
        loop {
            request.insert(
                "clientToken".to_owned(),
                json!(token(&[PROGRAM, seed, &number.to_string()])),
            );
            if !tasks.is_empty() {
                request.insert("count".to_owned(), json!(wanted - tasks.len()));
            }
            let call = RunRequest::from_json(&Value::Object(request.clone()), &message::NAMES)?;
            match task::start(&self.ecs, &call).await {
                Ok(started) => tasks.extend(started.tasks),
                Err(StartError::NotPlaced(failures)) => {
                    failed += 1;
                    if failed >= receives {
                        return Err(StartError::NotPlaced(failures).into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
            if tasks.len() >= wanted {
                return Ok(tasks);
            }
            number += 1;
        }
    }

    /// Sets when the queue delivers the record again. The delay grows while another try may help. A record that can
    /// never work becomes visible at once, so that it reaches the dead-letter queue. Without this call the record
    /// becomes visible again as well, after the visibility timeout of the queue.
    async fn delay(&self, record: &SqsMessage, error: &RecordError) {
        let delay = match error.is_retryable() {
            true => RetryDelay::Later(None),
            false => RetryDelay::Now,
        };
        let message = ReceivedMessage::of(record);
        change_visibility(&self.sqs, message.as_ref().map(|it| (it, delay))).await;
    }
}

/// The parts of a service's network, with the field names of RunTask.
fn parts_of(network: &AwsVpcConfiguration) -> [(&'static str, Value); 3] {
    let public = network
        .assign_public_ip()
        .map_or("DISABLED", AssignPublicIp::as_str);
    [
        ("subnets", json!(network.subnets())),
        ("securityGroups", json!(network.security_groups())),
        ("assignPublicIp", json!(public)),
    ]
}

fn queue_name(queue: &str) -> &str {
    queue.rsplit(':').next().unwrap_or(queue)
}

/// Logs one line for each record. It names the cluster and the task definition, because errors of AWS often do not.
fn log(record: &SqsMessage, result: &Result<Vec<String>, RecordError>) {
    let message_id = record.message_id.as_deref().unwrap_or_default();
    let error = match result {
        Ok(tasks) => {
            tracing::info!(message_id, decision = "started", tasks = tasks.join(","));
            return;
        }
        Err(error) => error,
    };
    let message = RunMessage::read(record.body.as_deref().unwrap_or_default()).ok();
    let named = |field: &str| message.as_ref()?.request.get(field)?.as_str();
    let (cluster, task_definition) = (named("cluster"), named("taskDefinition"));
    let advice = error.advice();
    if error.is_retryable() {
        tracing::warn!(message_id, decision = "retry", reason = %error, cluster, task_definition, advice);
    } else {
        tracing::error!(message_id, decision = "rejected", reason = %error, cluster, task_definition, advice);
    }
}
