//! The table of the benchmarks as a server. It is faster than dynalite, so that a busy machine does not make the program
//! give up on its table.

#[path = "../../benches/loopback/expression.rs"]
mod expression;
#[path = "../../benches/loopback/table.rs"]
mod table;

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use miniz_oxide::inflate::decompress_to_vec;
use serde_json::{Map, Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::dedup::{Dynalite, TABLE};
use table::{ConditionFailed, Table, TableCosts};

pub(crate) struct MockTable {
    server: MockServer,
    table: Arc<Mutex<Table>>,
    /// The ids whose next write is refused, as if another function had been faster.
    conflicts: Arc<Mutex<Vec<String>>>,
}

impl MockTable {
    pub(crate) async fn start() -> Self {
        let server = MockServer::start().await;
        let table = Arc::default();
        let conflicts = Arc::default();
        let calls = Calls(Arc::clone(&table), Arc::clone(&conflicts));
        let every = Mock::given(method("POST")).respond_with(calls);
        every.mount(&server).await;
        Self {
            server,
            table,
            conflicts,
        }
    }

    /// Refuses the next write of an item, as if another function had been faster.
    pub(crate) fn conflict_next(&self, id: &str) {
        self.conflicts.lock().unwrap().push(id.to_owned());
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    /// What the item with this id says of its subject.
    pub(crate) fn record(&self, id: &str) -> Value {
        let table = self.table.lock().unwrap();
        let mut items = table.items().filter(|it| it["id"]["S"] == id);
        record_in(items.next().unwrap())
    }

    pub(crate) fn costs(&self) -> TableCosts {
        self.table.lock().unwrap().costs()
    }
}

/// What an item says of its subject, as DynamoDB's API has it. A long record is compressed.
pub(crate) fn record_in(item: &Map<String, Value>) -> Value {
    let thread = &item["thread"];
    match thread["B"].as_str() {
        Some(bytes) => {
            let json = decompress_to_vec(&BASE64.decode(bytes).unwrap()).unwrap();
            serde_json::from_slice(&json).unwrap()
        }
        None => serde_json::from_str(thread["S"].as_str().unwrap()).unwrap(),
    }
}

struct Calls(Arc<Mutex<Table>>, Arc<Mutex<Vec<String>>>);

impl Respond for Calls {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let target = request.headers["x-amz-target"].to_str().unwrap();
        let call = target.rsplit('.').next().unwrap();
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let mut conflicts = self.1.lock().unwrap();
        let is_it = |id: &String| call == "PutItem" && body["Item"]["id"]["S"] == **id;
        if let Some(place) = conflicts.iter().position(is_it) {
            conflicts.remove(place);
            return ResponseTemplate::new(400).set_body_json(ConditionFailed.body());
        }
        match self.0.lock().unwrap().answer(call, &body) {
            Ok(answer) => ResponseTemplate::new(200).set_body_json(answer),
            Err(failed) => ResponseTemplate::new(400).set_body_json(failed.body()),
        }
    }
}

/// What the program writes: claims, their ends, and versions of a state.
fn requests() -> Vec<(&'static str, Value)> {
    let text = |text: &str| json!({"S": text});
    let number = |number: u64| json!({"N": number.to_string()});
    let claim = |owner: &str, until: u64, now: u64| {
        json!({
            "TableName": TABLE,
            "Item": {
                "id": text("one"), "state": text("claimed"), "owner": text(owner),
                "until": number(until), "expires": number(900),
            },
            "ConditionExpression": "attribute_not_exists(id) OR expires < :seconds \
                OR (#state = :claimed AND (#until < :milliseconds OR #owner = :owner))",
            "ExpressionAttributeNames": {"#state": "state", "#until": "until", "#owner": "owner"},
            "ExpressionAttributeValues": {
                ":claimed": text("claimed"), ":owner": text(owner),
                ":milliseconds": number(now), ":seconds": number(now),
            },
        })
    };
    let end = |owner: &str, expression: Option<&str>| {
        let mut request = json!({
            "TableName": TABLE,
            "Key": {"id": text("one")},
            "ConditionExpression": "#owner = :owner AND #state = :claimed",
            "ExpressionAttributeNames": {"#state": "state", "#owner": "owner"},
            "ExpressionAttributeValues": {":claimed": text("claimed"), ":owner": text(owner)},
        });
        if let Some(expression) = expression {
            request["UpdateExpression"] = json!(expression);
            request["ExpressionAttributeNames"]["#until"] = json!("until");
            request["ExpressionAttributeValues"][":over"] = number(0);
            request["ExpressionAttributeValues"][":more"] = number(1);
            request["ReturnValues"] = json!("UPDATED_NEW");
        }
        request
    };
    let version = |new: u64, old: Option<u64>| {
        let mut request = json!({
            "TableName": TABLE,
            "Item": {"id": text("thread"), "version": number(new), "thread": {"B": "AAECAw=="}},
            "ConditionExpression": "attribute_not_exists(id)",
        });
        if let Some(old) = old {
            request["ConditionExpression"] = json!("version = :version");
            request["ExpressionAttributeValues"] = json!({":version": number(old)});
        }
        request
    };
    let get = || {
        let keys = ["one", "thread", "none"].map(|id| json!({"id": text(id)}));
        json!({"RequestItems": {TABLE: {"Keys": keys, "ConsistentRead": true}}})
    };
    let posted = json!({
        "TableName": TABLE,
        "Key": {"id": text("one")},
        "UpdateExpression": "SET #state = :posted, expires = :expires REMOVE #until",
        "ExpressionAttributeNames": {"#state": "state", "#until": "until"},
        "ExpressionAttributeValues": {":posted": text("posted"), ":expires": number(950)},
    });
    let add = Some("SET #until = :over ADD unanswered :more");
    vec![
        ("PutItem", version(1, Some(1))),
        ("PutItem", version(1, None)),
        ("PutItem", version(2, None)),
        ("PutItem", version(2, Some(1))),
        ("PutItem", version(2, Some(1))),
        ("UpdateItem", end("a", add)),
        ("DeleteItem", end("a", None)),
        ("PutItem", claim("a", 500, 400)),
        ("PutItem", claim("b", 600, 400)),
        ("PutItem", claim("a", 600, 450)),
        ("PutItem", claim("b", 700, 650)),
        ("BatchGetItem", get()),
        ("UpdateItem", end("a", add)),
        ("UpdateItem", end("b", add)),
        ("UpdateItem", end("b", add)),
        ("DeleteItem", end("a", None)),
        ("UpdateItem", posted),
        ("PutItem", claim("b", 900, 800)),
        ("BatchGetItem", get()),
        ("DeleteItem", end("b", None)),
        ("PutItem", claim("b", 1_200, 1_000)),
        ("DeleteItem", end("b", None)),
        ("BatchGetItem", get()),
    ]
}

/// The status, and the answer without the order of items and the words of errors.
async fn answer(client: &reqwest::Client, url: &str, call: &str, body: &Value) -> (u16, Value) {
    let authorization = "AWS4-HMAC-SHA256 Credential=test/20261122/eu-west-1/dynamodb/aws4_request, \
        SignedHeaders=host, Signature=0";
    let request = client
        .post(url)
        .header("x-amz-target", format!("DynamoDB_20120810.{call}"))
        .header("x-amz-date", "20261122T000000Z")
        .header("authorization", authorization)
        .header("content-type", "application/x-amz-json-1.0")
        .body(body.to_string());
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let mut body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    if status == 400 {
        return (status, body["__type"].take());
    }
    if let Some(items) = body["Responses"][TABLE].as_array_mut() {
        items.sort_by_key(|item| item["id"].to_string());
    }
    (status, body)
}

#[tokio::test]
async fn it_answers_as_dynalite_does() {
    let (table, dynalite) = (MockTable::start().await, Dynalite::start().await);
    // The first test of a process that needs one installs it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let mut refused = 0;
    for (number, (call, body)) in requests().into_iter().enumerate() {
        let own = answer(&client, &table.url(), call, &body).await;
        let expected = answer(&client, dynalite.url(), call, &body).await;
        assert_eq!(own, expected, "{number}: {call} {body}");
        refused += usize::from(own.0 == 400);
    }
    let costs = table.costs();
    assert_eq!((costs.reads, costs.conflicts), (9, refused));
    assert_eq!(costs.writes, 20);
    assert_eq!((costs.read_units, costs.write_units), (9.0, 20));
    assert_eq!(costs.largest, 52);
}
