//! The AWS calls of the function: DynamoDB's table, SQS's visibility timeouts, and ECS. Each call takes as long as a
//! call within a region.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::server::{Answer, answer_with};

const LATENCY: Duration = Duration::from_millis(5);

/// Called with a receipt handle and its new visibility timeout.
type ChangeVisibility = Box<dyn Fn(&str, Duration) + Send + Sync>;

pub(crate) struct Aws {
    change_visibility: ChangeVisibility,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The items of the table, and whether they are posted or only claimed.
    items: HashMap<String, bool>,
    calls: HashMap<String, usize>,
    reads: usize,
}

impl Aws {
    pub(crate) fn new(change_visibility: impl Fn(&str, Duration) + Send + Sync + 'static) -> Self {
        Self {
            change_visibility: Box::new(change_visibility),
            state: Mutex::default(),
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
            .state
            .lock()
            .unwrap()
            .calls
            .entry(call.clone())
            .or_default() += 1;
        match call.as_str() {
            "BatchGetItem" => self.read(&body),
            "PutItem" => self.claim(&body),
            "UpdateItem" => self.keep(&body["Key"]["id"]["S"], true),
            "DeleteItem" => self.delete(&body["Key"]["id"]["S"]),
            "ChangeMessageVisibilityBatch" => self.change_visibility(&body),
            "DescribeTaskDefinition" => answer_with(200, task_definition(&body).to_string()),
            "DescribeTasks" => answer_with(200, r#"{"tasks":[],"failures":[]}"#),
            "DescribeServices" => answer_with(200, r#"{"services":[],"failures":[]}"#),
            _ => panic!("unexpected call {target}"),
        }
    }

    fn read(&self, body: &Value) -> Answer {
        let mut state = self.state.lock().unwrap();
        let (table, wanted) = body["RequestItems"]
            .as_object()
            .unwrap()
            .iter()
            .next()
            .unwrap();
        let keys = wanted["Keys"].as_array().unwrap();
        state.reads += keys.len();
        let is_posted = |id: &&Value| state.items.get(id.as_str().unwrap()) == Some(&true);
        let posted = keys.iter().map(|key| &key["id"]["S"]).filter(is_posted);
        let posted: Vec<_> = posted
            .map(|id| json!({"id": {"S": id}, "state": {"S": "posted"}}))
            .collect();
        answer_with(
            200,
            json!({"Responses": {table: posted}, "UnprocessedKeys": {}}).to_string(),
        )
    }

    fn claim(&self, body: &Value) -> Answer {
        let id = &body["Item"]["id"]["S"];
        if self
            .state
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

    fn keep(&self, id: &Value, is_posted: bool) -> Answer {
        let id = id.as_str().unwrap().to_owned();
        self.state.lock().unwrap().items.insert(id, is_posted);
        answer_with(200, "{}")
    }

    fn delete(&self, id: &Value) -> Answer {
        self.state
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
        self.state
            .lock()
            .unwrap()
            .calls
            .get(name)
            .copied()
            .unwrap_or(0)
    }

    /// The number of items read. Each costs one read unit.
    pub(crate) fn reads(&self) -> usize {
        self.state.lock().unwrap().reads
    }
}

fn task_definition(body: &Value) -> Value {
    json!({"taskDefinition": {
        "taskDefinitionArn": body["taskDefinition"],
        "containerDefinitions": [{"name": "app", "essential": true}],
    }})
}
