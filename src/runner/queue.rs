//! Runs tasks on request of SQS messages: each record by itself, once, or back to the queue.
//!
//! ```text
//! record ─ RunMessage ─ allowed? ─ network, container ▶ RunRequest ─ task::start ▶ Decision
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
use crate::runner::token::{mark, token};
use message::{InvalidMessage, RunMessage, first_container};
use rerun::Rerun;

pub use allowed::{Allowed, Patterns};
pub use config::QueueConfig;
pub use error::RecordError;

/// What `startedBy` of this function's tasks begins with.
pub const PROGRAM: &str = "run-from-queue";

/// Records that are worked on at once. A service's RunTask quota is 20 a second for the whole account.
const AT_ONCE: usize = 5;

/// The function with what it may do and whom it asks.
#[derive(Debug, Clone)]
pub struct RunFromQueue {
    pub ecs: aws_sdk_ecs::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub allowed: Allowed,
    /// The function's own name, by which it knows its tasks.
    pub function: String,
}

/// What became of a record.
#[derive(Debug)]
pub struct RecordReport {
    pub message_id: String,
    pub result: Result<Vec<String>, RecordError>,
}

impl RunFromQueue {
    /// Starts what the records ask for, and gives back to the queue what it could not, with a delay. `time` is
    /// what the invocation has left.
    pub async fn work(&self, records: Vec<SqsMessage>, time: Duration) -> Vec<RecordReport> {
        let deadline = tokio::time::Instant::now() + time;
        if records.iter().any(fifo::is_fifo) {
            return self.work_in_order(records, deadline).await;
        }
        futures::stream::iter(records)
            .map(|record| self.work_on(record, deadline))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await
    }

    async fn work_on(&self, record: SqsMessage, deadline: tokio::time::Instant) -> RecordReport {
        // In a box: as a part of the batch's future its type would be deeper than compilers go.
        let work = Box::pin(self.run(&record));
        let result = tokio::time::timeout_at(deadline, work).await;
        let result = result.unwrap_or(Err(RecordError::Time));
        let message_id = record.message_id.clone().unwrap_or_default();
        if let Err(error) = &result {
            // A future of its own: this one is nested as deep as the compiler follows.
            Box::pin(self.delay(&record, error)).await;
        }
        tell(&record, &result);
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
            json!(mark(PROGRAM, queue_name(queue))),
        );
        Rerun::first(&request, &self.function).note(&mut request)?;
        Ok(self.start(request, seed, receives(record)).await?)
    }

    /// Whatever half of the network the message lacks comes from the service.
    async fn fill_network(
        &self,
        request: &mut Map<String, Value>,
        service: Option<&str>,
    ) -> Result<(), RecordError> {
        let Some(service) = service else {
            return Ok(());
        };
        let given = |half: &str| {
            let network = request
                .get("networkConfiguration")?
                .get("awsvpcConfiguration")?;
            network
                .get(half)?
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
        let model = service::describe(&self.ecs, cluster, service).await?;
        let Some(network) = model.network else {
            return Ok(());
        };
        let place = message::network(request)?;
        for (half, value) in of_service(&network) {
            let is_given = place
                .get(half)
                .is_some_and(|it| it != &json!([]) && !it.is_null());
            if !is_given {
                place.insert(half.to_owned(), value);
            }
        }
        Ok(())
    }

    /// A container without a name is the definition's first.
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

    /// Starts all tasks of a request, however many calls that takes. A message that comes again asks the same
    /// questions with the same tokens and gets the tasks that run already; a question that ECS answered with
    /// nothing but failures is asked anew, under the next number.
    async fn start(
        &self,
        mut request: Map<String, Value>,
        seed: &str,
        receives: u32,
    ) -> Result<Vec<String>, RunError> {
        let wanted = request.get("count").and_then(Value::as_u64).unwrap_or(1);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let (mut tasks, mut failed) = (Vec::new(), 0);
        let mut turn = 0_u32;
        loop {
            request.insert(
                "clientToken".to_owned(),
                json!(token(&[PROGRAM, seed, &turn.to_string()])),
            );
            if !tasks.is_empty() {
                request.insert("count".to_owned(), json!(wanted - tasks.len()));
            }
            let asked = RunRequest::from_json(&Value::Object(request.clone()), &message::NAMES)?;
            match task::start(&self.ecs, &asked).await {
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
            turn += 1;
        }
    }

    /// Sets when the queue shows the record again: later and later while it may pass, at once where it never will,
    /// so that the dead-letter queue gets it. The record comes back without this too.
    async fn delay(&self, record: &SqsMessage, error: &RecordError) {
        let again = match error.is_retryable() {
            true => RetryDelay::Later(None),
            false => RetryDelay::Now,
        };
        let held = ReceivedMessage::of(record);
        change_visibility(&self.sqs, held.as_ref().map(|held| (held, again))).await;
    }
}

/// A service's network, part by part, as RunTask takes it.
fn of_service(network: &AwsVpcConfiguration) -> [(&'static str, Value); 3] {
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

/// One line a decision. AWS's words do not always name what was asked for.
fn tell(record: &SqsMessage, result: &Result<Vec<String>, RecordError>) {
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
        tracing::warn!(message_id, decision = "later", reason = %error, cluster, task_definition, advice);
    } else {
        tracing::error!(message_id, decision = "never", reason = %error, cluster, task_definition, advice);
    }
}
