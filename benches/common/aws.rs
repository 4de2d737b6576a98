//! What the function asks of AWS while it tells: DynamoDB's table, SQS's visibility, and ECS. Each call takes as long as
//! one within a region does.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::server::{Answer, answer_with};

const LATENCY: Duration = Duration::from_millis(5);

/// What is done when a message shall be shown again after that time.
type ChangeVisibility = Box<dyn Fn(&str, Duration) + Send + Sync>;

pub(crate) struct Aws {
    change_visibility: ChangeVisibility,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    /// The items of the table, and whether they are told.
    items: HashMap<String, bool>,
    calls: HashMap<String, usize>,
    reads: usize,
}

impl Aws {
    pub(crate) fn new(change_visibility: impl Fn(&str, Duration) + Send + Sync + 'static) -> Self {
        Self {
            change_visibility: Box::new(change_visibility),
            inside: Mutex::default(),
        }
    }

    pub(crate) async fn answer(&self, request: Request<Bytes>) -> Answer {
        sleep(LATENCY).await;
        self.answer_now(&request)
    }

    fn answer_now(&self, request: &Request<Bytes>) -> Answer {
        let target = request
            .headers()
            .get("x-amz-target")
            .unwrap()
            .to_str()
            .unwrap();
        let call = target.rsplit('.').next().unwrap().to_owned();
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        *self
            .inside
            .lock()
            .unwrap()
            .calls
            .entry(call.clone())
            .or_default() += 1;
        match call.as_str() {
            "BatchGetItem" => self.read(&body),
            "PutItem" => self.claim(&body),
            "UpdateItem" => self.keep(&body["Key"]["id"]["S"], true),
            "DeleteItem" => self.forget(&body["Key"]["id"]["S"]),
            "ChangeMessageVisibilityBatch" => self.change_visibility(&body),
            "DescribeTaskDefinition" => answer_with(200, task_definition(&body).to_string()),
            "DescribeTasks" => answer_with(200, r#"{"tasks":[],"failures":[]}"#),
            "DescribeServices" => answer_with(200, r#"{"services":[],"failures":[]}"#),
            _ => panic!("nobody expected {target}"),
        }
    }

    fn read(&self, body: &Value) -> Answer {
        let mut inside = self.inside.lock().unwrap();
        let (table, wanted) = body["RequestItems"]
            .as_object()
            .unwrap()
            .iter()
            .next()
            .unwrap();
        let keys = wanted["Keys"].as_array().unwrap();
        inside.reads += keys.len();
        let is_told = |id: &&Value| inside.items.get(id.as_str().unwrap()) == Some(&true);
        let told = keys.iter().map(|key| &key["id"]["S"]).filter(is_told);
        let told: Vec<_> = told
            .map(|id| json!({"id": {"S": id}, "state": {"S": "posted"}}))
            .collect();
        answer_with(
            200,
            json!({"Responses": {table: told}, "UnprocessedKeys": {}}).to_string(),
        )
    }

    fn claim(&self, body: &Value) -> Answer {
        let id = &body["Item"]["id"]["S"];
        if self
            .inside
            .lock()
            .unwrap()
            .items
            .contains_key(id.as_str().unwrap())
        {
            let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
            return answer_with(400, json!({"__type": kind}).to_string());
        }
        self.keep(id, false)
    }

    fn keep(&self, id: &Value, is_told: bool) -> Answer {
        let id = id.as_str().unwrap().to_owned();
        self.inside.lock().unwrap().items.insert(id, is_told);
        answer_with(200, "{}")
    }

    fn forget(&self, id: &Value) -> Answer {
        self.inside
            .lock()
            .unwrap()
            .items
            .remove(id.as_str().unwrap());
        answer_with(200, "{}")
    }

    fn change_visibility(&self, body: &Value) -> Answer {
        let mut changed = Vec::new();
        for entry in body["Entries"].as_array().unwrap() {
            let seconds = entry["VisibilityTimeout"].as_u64().unwrap();
            let handle = entry["ReceiptHandle"].as_str().unwrap();
            (self.change_visibility)(handle, Duration::from_secs(seconds));
            changed.push(json!({"Id": entry["Id"]}));
        }
        answer_with(
            200,
            json!({"Successful": changed, "Failed": []}).to_string(),
        )
    }

    pub(crate) fn calls(&self, name: &str) -> usize {
        self.inside
            .lock()
            .unwrap()
            .calls
            .get(name)
            .copied()
            .unwrap_or(0)
    }

    /// Items read, each a read unit.
    pub(crate) fn reads(&self) -> usize {
        self.inside.lock().unwrap().reads
    }
}

fn task_definition(body: &Value) -> Value {
    json!({"taskDefinition": {
        "taskDefinitionArn": body["taskDefinition"],
        "containerDefinitions": [{"name": "app", "essential": true}],
    }})
}
