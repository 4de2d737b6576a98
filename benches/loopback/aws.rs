//! The AWS calls of the function: DynamoDB's table, SQS, and ECS. Each call takes as long as a call within a region.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::server::{Answer, answer_with};
use super::table::{Item, Table, TableCosts};

const LATENCY: Duration = Duration::from_millis(5);

/// What the function may do with its queue.
pub(crate) trait QueueCalls: Send + Sync {
    /// Sets the visibility timeout of a record.
    fn change_visibility(&self, receipt_handle: &str, timeout: Duration);

    /// Sends a message that is visible after the delay.
    fn send_later(&self, body: String, delay: Duration);
}

pub(crate) struct Aws {
    queue: Box<dyn QueueCalls>,
    table: Mutex<Table>,
    calls: Mutex<HashMap<String, usize>>,
}

impl Aws {
    pub(crate) fn new(queue: impl QueueCalls + 'static) -> Self {
        Self {
            queue: Box::new(queue),
            table: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    pub(crate) async fn answer(&self, request: Request<Bytes>) -> Answer {
        sleep(LATENCY).await;
        self.answer_now(&request)
    }

    fn answer_now(&self, request: &Request<Bytes>) -> Answer {
        let target = request.headers()["x-amz-target"].to_str().unwrap();
        let call = target.rsplit('.').next().unwrap();
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        *self
            .calls
            .lock()
            .unwrap()
            .entry(call.to_owned())
            .or_default() += 1;
        let answer = match call {
            "PutItem" | "UpdateItem" | "DeleteItem" | "BatchGetItem" => {
                self.table().answer(call, &body)
            }
            "ChangeMessageVisibilityBatch" => Ok(self.change_visibility(&body)),
            "SendMessageBatch" => Ok(self.send(&body)),
            "DescribeTaskDefinition" => Ok(task_definition(&body)),
            "DescribeTasks" => Ok(json!({"tasks": [], "failures": []})),
            "DescribeServices" => Ok(json!({"services": [], "failures": []})),
            _ => panic!("unexpected call {target}"),
        };
        match answer {
            Ok(answer) => answer_with(200, answer.to_string()),
            Err(failed) => answer_with(400, failed.body().to_string()),
        }
    }

    fn change_visibility(&self, body: &Value) -> Value {
        let mut changed = Vec::new();
        for entry in body["Entries"].as_array().unwrap() {
            let seconds = entry["VisibilityTimeout"].as_u64().unwrap();
            let handle = entry["ReceiptHandle"].as_str().unwrap();
            self.queue
                .change_visibility(handle, Duration::from_secs(seconds));
            changed.push(json!({"Id": entry["Id"]}));
        }
        json!({"Successful": changed, "Failed": []})
    }

    fn send(&self, body: &Value) -> Value {
        let mut sent = Vec::new();
        for entry in body["Entries"].as_array().unwrap() {
            let seconds = entry["DelaySeconds"].as_u64().unwrap_or(0);
            let message = entry["MessageBody"].as_str().unwrap().to_owned();
            self.queue.send_later(message, Duration::from_secs(seconds));
            sent.push(json!({"Id": entry["Id"], "MessageId": "sent", "MD5OfMessageBody": ""}));
        }
        json!({"Successful": sent, "Failed": []})
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap()
    }

    pub(crate) fn calls(&self, name: &str) -> usize {
        self.calls.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    pub(crate) fn table_costs(&self) -> TableCosts {
        self.table().costs()
    }

    pub(crate) fn items(&self) -> Vec<Item> {
        self.table().items().cloned().collect()
    }
}

/// The container has the name of the family.
fn task_definition(body: &Value) -> Value {
    let arn = body["taskDefinition"].as_str().unwrap();
    let family = arn.rsplit('/').next().unwrap().split(':').next().unwrap();
    json!({"taskDefinition": {
        "taskDefinitionArn": arn,
        "containerDefinitions": [{"name": family, "essential": true}],
    }})
}
