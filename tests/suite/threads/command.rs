//! `ecs-parrot threads`: what it lists, and what the chat shows of a thread that it closed.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use wiremock::Request;

use super::*;
use crate::mock_table::record_in;
use crate::secret_leaks::assert_no_secrets_printed;

struct Printed {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Printed {
    fn json(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines.map(|it| serde_json::from_str(it).unwrap()).collect()
    }
}

async fn run_command(url: &str, arguments: &[&str]) -> Printed {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"));
    command
        .args(["threads", "--region", REGION])
        .args(arguments)
        .env_clear()
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    let run = move || {
        let output = command.output().unwrap();
        assert_no_secrets_printed(&command, &output);
        Printed {
            status: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn list(table: &Dynalite) -> Vec<Value> {
    let arguments = ["--table", TABLE, "--output", "json"];
    run_command(table.url(), &arguments).await.json()
}

/// Closes the only open thread of this kind. Returns its subject.
async fn close(table: &Dynalite, kind: &str) -> Value {
    let open = list(table).await;
    let mut of_kind = open.iter().filter(|it| it["kind"] == kind);
    let thread = of_kind.next().unwrap_or_else(|| panic!("{open:?}"));
    assert!(of_kind.next().is_none(), "{open:?}");
    let id = thread["thread"].as_str().unwrap();
    let closed = run_command(table.url(), &["--table", TABLE, "--resolve", id]).await;
    assert_eq!(closed.status, 0, "{}", closed.stderr);
    assert!(closed.stdout.starts_with(&format!("{id} (")));
    let expected = format!("ecs-parrot: {id} is closed; the chat shows it ");
    assert!(closed.stderr.starts_with(&expected), "{}", closed.stderr);
    let open = list(table).await;
    assert!(!open.iter().any(|it| it["thread"] == id), "{open:?}");
    thread["subject"].clone()
}

fn timer(subject: &Value) -> Value {
    json!({"source": "ecs-parrot", "detail-type": "Thread Timer", "detail": {"subject": subject, "at": 1_793_064_704_000_i64}})
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_open_threads_are_listed() {
    let (slack, table) = (SlackApi::start().await, Dynalite::start().await);
    let empty = run_command(table.url(), &["--table", TABLE]).await;
    assert_eq!((empty.status, empty.stdout.as_str()), (0, ""));
    assert_eq!(empty.stderr, "ecs-parrot: no thread is open\n");
    let stage = Stage::app(slack.settings(), &table);
    let started = deployment("SERVICE_DEPLOYMENT_IN_PROGRESS", 60, "started.");
    let (first, second) = (out_of_memory(1), out_of_memory(2));
    let failed_at = time(&first["time"]);
    let before = Timestamp::now();
    let (answers, log) = stage.run(vec![json!([started, first, second])]).await;
    assert_eq!(answers, [SUCCEEDED], "{log}");

    let open = list(&table).await;
    assert_eq!(open.len(), 2, "{open:?}");
    let [deployment, incident] = &open[..] else {
        panic!("{open:?}");
    };
    assert_eq!(
        (&deployment["kind"], &deployment["state"]),
        (&json!("deployment"), &json!("in_progress"))
    );
    assert_eq!(
        (&incident["kind"], &incident["state"]),
        (&json!("incident"), &json!("open"))
    );
    for thread in &open {
        let id = thread["thread"].as_str().unwrap();
        assert!(id.starts_with(thread["kind"].as_str().unwrap()), "{id}");
        let subject = json!({"kind": "service", "account": "210987654321", "region": REGION, "cluster": "prod-web", "name": "checkout"});
        assert_eq!(thread["subject"], subject);
        assert_eq!(thread["due"], 0);
        let shown = time(&thread["last_message"]);
        let now = Timestamp::now();
        assert!(before - 1.second() <= shown && shown <= now, "{shown}");
    }
    assert_eq!(incident["count"], 2);
    let since = time(&incident["since"]);
    assert_eq!(since.as_millisecond(), failed_at.as_millisecond());

    let text = run_command(table.url(), &["--table", TABLE]).await;
    let expected: Vec<_> = open.iter().map(expected_text).collect();
    assert_eq!(text.stdout, expected.concat());
    assert_eq!(text.stderr, "ecs-parrot: 2 threads are open\n");
    assert_eq!(text.status, 0);
}

fn expected_text(thread: &Value) -> String {
    let field = |name: &str| match &thread[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!(
        "{} ({}, {})\n  about         service checkout in prod-web, eu-west-1, account 210987654321\n  since         {}\n  \
         count         {}\n  last message  {}\n",
        field("thread"),
        field("kind"),
        field("state"),
        field("since"),
        field("count"),
        field("last_message"),
    )
}

/// The table is larger than one page of a Scan.
#[tokio::test]
async fn an_item_that_cannot_be_read_is_named_beside_the_list() {
    let (slack, table) = (chat(ok()).await, Dynalite::start().await);
    let stage = Stage::webhook(&slack, Some(table.url()));
    stage.run(vec![out_of_memory(1)]).await;
    let good = table.whole_items().await[SERVICE].clone();
    let string = |text: &str| AttributeValue::S(text.to_owned());
    let number = |text: &str| AttributeValue::N(text.to_owned());
    let changes = [
        ("newer", "format", Some(number("99"))),
        ("no JSON", "thread", Some(string("{ no\u{1b}[31m JSON"))),
        ("no subject", "subject", None),
        ("of another", "version", Some(number("1"))),
    ];
    for (name, field, value) in changes {
        let mut item = good.clone();
        // Short records are stored as JSON.
        if name == "no JSON" {
            item.insert("format".to_owned(), number("1"));
        }
        item.remove(field);
        item.extend(value.map(|value| (field.to_owned(), value)));
        let id = format!("thread service 210987654321 eu-west-1 prod-web {name}");
        item.insert("id".to_owned(), string(&id));
        item.insert("filler".to_owned(), string(&"x".repeat(380_000)));
        table.put_whole(item).await;
    }
    let listed = run_command(table.url(), &["--table", TABLE]).await;
    assert_eq!(listed.status, 1, "a part of the list is missing");
    assert_eq!(
        listed.stdout.matches("incident-").count(),
        1,
        "{}",
        listed.stdout
    );
    let mut lines: Vec<_> = listed.stderr.lines().collect();
    assert_eq!(lines.remove(0), "ecs-parrot: 1 thread is open");
    lines.sort_unstable();
    let item = "ecs-parrot: the item `thread service 210987654321 eu-west-1 prod-web";
    let without_subject = "it has no `subject`, or another one than its id";
    assert_eq!(
        lines,
        [
            format!("{item} newer` cannot be read: its format is 99, and this version knows 2"),
            format!("{item} no JSON` cannot be read: key must be a string at line 1 column 3"),
            format!("{item} no subject` cannot be read: {without_subject}"),
            format!("{item} of another` cannot be read: {without_subject}"),
        ]
    );
    let unknown = run_command(table.url(), &["--table", TABLE, "--resolve", "incident-1"]).await;
    assert_eq!((unknown.status, unknown.stdout.as_str()), (1, ""));
    assert_eq!(
        unknown.stderr,
        "ecs-parrot: there is no open thread `incident-1` in this table; items that cannot be read: 4 (without \
         `--resolve`, they are named)\n"
    );
}

/// Values that a person wrote into an item, or that came with an event.
#[tokio::test]
async fn hostile_names_are_harmless_in_the_list() {
    let (slack, table) = (chat(ok()).await, Dynalite::start().await);
    let stage = Stage::webhook(&slack, Some(table.url()));
    let name = "a\u{1b}[31m\u{7}b\nincident-forged (incident, open)\r\u{202e}c";
    let mut event = out_of_memory(1);
    event["detail"]["group"] = json!(format!("service:{name}"));
    let (answers, log) = stage.run(vec![event, out_of_memory(2)]).await;
    assert_eq!(answers, [SUCCEEDED, SUCCEEDED], "{log}");
    let mut item = table.whole_items().await[SERVICE].clone();
    let mut thread = record_of(&item);
    thread["state"]["incident"]["thread"] = json!(name);
    item.insert("format".to_owned(), AttributeValue::N("1".to_owned()));
    let subject =
        json!({"kind": "service", "account": name, "region": name, "cluster": name, "name": name});
    let string = |text: String| AttributeValue::S(text);
    let id = format!("thread service {name} {name} {name} {name}");
    item.insert("id".to_owned(), string(id));
    item.insert("thread".to_owned(), string(thread.to_string()));
    item.insert("subject".to_owned(), string(subject.to_string()));
    table.put_whole(item.clone()).await;
    item.insert("id".to_owned(), string(format!("thread {name}")));
    table.put_whole(item).await;

    let listed = run_command(table.url(), &["--table", TABLE]).await;
    assert_eq!(listed.stderr.lines().count(), 2, "{}", listed.stderr);
    assert_eq!(listed.stdout.lines().count(), 3 * 5, "{}", listed.stdout);
    let is_hidden = |it: char| it != '\n' && (it.is_control() || it == '\u{202e}');
    for output in [&listed.stdout, &listed.stderr] {
        assert!(!output.contains(is_hidden), "{output:?}");
        assert!(output.contains(r"a\u{1b}[31m\u{7}b\n"), "{output}");
    }
    // One JSON object in each line, also here.
    assert_eq!(list(&table).await.len(), 3);
    let closed = run_command(table.url(), &["--table", TABLE, "--resolve", name]).await;
    assert_eq!(closed.status, 0, "{}", closed.stderr);
    assert!(
        !closed.stderr.trim().contains(is_hidden),
        "{:?}",
        closed.stderr
    );
}

#[tokio::test]
async fn what_aws_refuses_is_said_with_advice() {
    let table = Dynalite::start().await;
    let missing = run_command(table.url(), &["--table", "nothing"]).await;
    assert_eq!((missing.status, missing.stdout.as_str()), (1, ""));
    assert_eq!(
        missing.stderr,
        "ecs-parrot: Scan: Requested resource not found\necs-parrot: advice: check the table's name and the region\n"
    );
    let message = "User: arn:aws:iam::210987654321:user/maya is not authorized to perform: dynamodb:Scan on resource: \
                   arn:aws:dynamodb:eu-west-1:210987654321:table/dedup";
    let denied = MockServer::start().await;
    let error =
        json!({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": message});
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(400).set_body_json(error))
        .mount(&denied)
        .await;
    for arguments in [
        &["--table", TABLE][..],
        &["--table", TABLE, "--resolve", "incident-1"],
    ] {
        let denied = run_command(&denied.uri(), arguments).await;
        assert_eq!((denied.status, denied.stdout.as_str()), (1, ""));
        assert_eq!(
            denied.stderr,
            format!(
                "ecs-parrot: Scan: {message}\necs-parrot: advice: allow dynamodb:Scan to the user or role that runs this\n"
            )
        );
    }
}

/// The JSON of DynamoDB's API.
fn as_json(item: &HashMap<String, AttributeValue>) -> Value {
    let fields = item.iter().map(|(name, value)| {
        let value = match value {
            AttributeValue::S(text) => json!({"S": text}),
            AttributeValue::N(number) => json!({"N": number}),
            AttributeValue::B(bytes) => json!({"B": BASE64.encode(bytes)}),
            other => panic!("{other:?}"),
        };
        (name.clone(), value)
    });
    Value::Object(fields.collect())
}

/// A table in which a function changes the item after each read, so many times. Then writes succeed.
async fn contested_table(items: Vec<Value>, conflicts: usize) -> MockServer {
    let server = MockServer::start().await;
    let call = |name: &str| header("x-amz-target", format!("DynamoDB_20120810.{name}").as_str());
    let scanned = json!({"Items": [items[0]], "Count": 1, "ScannedCount": 1});
    let scan = Mock::given(call("Scan"));
    scan.respond_with(ResponseTemplate::new(200).set_body_json(scanned))
        .mount(&server)
        .await;
    let reads = AtomicUsize::new(0);
    let read = move |_: &Request| {
        let number = reads.fetch_add(1, Ordering::Relaxed) + 1;
        let item = &items[number.min(items.len() - 1)];
        ResponseTemplate::new(200).set_body_json(json!({"Item": item}))
    };
    let get = Mock::given(call("GetItem"));
    get.respond_with(read).mount(&server).await;
    let writes = AtomicUsize::new(0);
    let write = move |_: &Request| {
        if writes.fetch_add(1, Ordering::Relaxed) >= conflicts {
            return ResponseTemplate::new(200).set_body_json(json!({}));
        }
        let error = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        ResponseTemplate::new(400)
            .set_body_json(json!({"__type": error, "message": "The conditional request failed"}))
    };
    let put = Mock::given(call("PutItem"));
    put.respond_with(write).mount(&server).await;
    server
}

/// The writes that a table received.
async fn writes(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    let is_write = |it: &&Request| {
        it.headers["x-amz-target"]
            .to_str()
            .unwrap()
            .ends_with("PutItem")
    };
    let writes = requests.iter().filter(is_write);
    writes
        .map(|it| serde_json::from_slice(&it.body).unwrap())
        .collect()
}

/// The newer item is read and closed. What the function has added to it stays.
#[tokio::test]
async fn a_thread_that_changes_meanwhile_is_read_again() {
    let (slack, table) = (SlackApi::start().await, Dynalite::start().await);
    let stage = Stage::app(slack.settings(), &table);
    let mut items = Vec::new();
    for number in 1..3 {
        stage.run(vec![out_of_memory(number)]).await;
        items.push(as_json(&table.whole_items().await[SERVICE]));
    }
    let versions: Vec<_> = items
        .iter()
        .map(|it| it["version"]["N"].as_str().unwrap())
        .collect();
    assert_ne!(versions[0], versions[1]);
    let id = list(&table).await[0]["thread"].as_str().unwrap().to_owned();
    let arguments = ["--table", TABLE, "--resolve", &id];
    let contested = contested_table(items.clone(), 1).await;
    let closed = run_command(&contested.uri(), &arguments).await;
    assert_eq!(closed.status, 0, "{}", closed.stderr);
    assert!(
        closed.stdout.contains("count         2\n"),
        "{}",
        closed.stdout
    );
    let writes_of_it = writes(&contested).await;
    assert_eq!(writes_of_it.len(), 2);
    let conditions: Vec<_> = writes_of_it
        .iter()
        .map(|it| {
            it["ExpressionAttributeValues"][":version"]["N"]
                .as_str()
                .unwrap()
        })
        .collect();
    assert_eq!(conditions, versions);
    let written = &writes_of_it[1]["Item"];
    let thread = record_in(written.as_object().unwrap());
    assert_eq!(thread["state"]["incident"]["total"], 2);
    assert_eq!(thread["state"]["incident"]["resolution"], "by_hand");

    // Somebody else has closed it meanwhile.
    close(&table, "incident").await;
    let gone = vec![
        items[0].clone(),
        as_json(&table.whole_items().await[SERVICE]),
    ];
    let gone = run_command(&contested_table(gone, 9).await.uri(), &arguments).await;
    assert_eq!(gone.status, 1);
    let expected = format!("ecs-parrot: there is no open thread `{id}` in this table\n");
    assert_eq!(gone.stderr, expected);

    let hot = contested_table(items, 99).await;
    let refused = run_command(&hot.uri(), &arguments).await;
    assert_eq!((refused.status, refused.stdout.as_str()), (1, ""));
    assert!(
        refused.stderr.contains("the thread was not closed"),
        "{}",
        refused.stderr
    );
    assert_eq!(writes(&hot).await.len(), 5);
}

#[tokio::test]
async fn the_chat_shows_that_an_incident_was_closed_by_hand() {
    let (slack, table) = (SlackApi::start().await, Dynalite::start().await);
    let stage = Stage::app(slack.settings(), &table);
    stage
        .run(vec![json!([out_of_memory(1), out_of_memory(2)])])
        .await;
    let subject = close(&table, "incident").await;
    for _ in 0..2 {
        let (answers, log) = stage.run(vec![timer(&subject)]).await;
        assert_eq!(answers, [SUCCEEDED], "{log}");
        let messages = slack.messages();
        assert_eq!(messages.len(), 2, "{messages:?}");
        let closed = "checkout in prod-web was closed by hand after";
        assert!(
            messages.iter().all(|it| it.text.contains(closed)),
            "{messages:?}"
        );
        assert_eq!(messages[1].thread_ts.as_ref(), Some(&messages[0].ts));
        assert!(!messages[1].is_broadcast, "{messages:?}");
    }
    // What fails later is the same thread again.
    let mut later = out_of_memory(3);
    for field in ["stoppedAt", "stoppingAt", "executionStoppedAt", "updatedAt"] {
        later["detail"][field] = json!(Timestamp::now().to_string());
    }
    stage.run(vec![later]).await;
    let messages = slack.messages();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(
        messages[2].text.contains("after it was closed by hand"),
        "{messages:?}"
    );
    assert_eq!(list(&table).await.len(), 1);
}

/// A failure of one of several services.
fn failure_of(service: usize) -> Value {
    let mut event = out_of_memory(service);
    event["detail"]["group"] = json!(format!("service:service-{service}"));
    event
}

/// Their messages are edited. A storm that is over gets a reply too.
#[tokio::test]
async fn the_chat_shows_that_other_threads_were_closed_by_hand() {
    let mut launch = events::sample("run_task-by-person");
    launch["time"] = json!(seconds_ago(60));
    launch["detail"]["eventTime"] = json!(seconds_ago(60));
    let started = deployment("SERVICE_DEPLOYMENT_IN_PROGRESS", 60, "started.");
    let storm: Vec<_> = (1..=5).map(failure_of).collect();
    for (kind, events, says, posted) in [
        (
            "deployment",
            started,
            "deployment was closed by hand after 1 min",
            1,
        ),
        ("run", launch, "the run was closed by hand", 1),
        ("storm", json!(storm), ": 0 of 5 services recovered", 2),
    ] {
        let (slack, table) = (SlackApi::start().await, Dynalite::start().await);
        let stage = Stage::app(slack.settings(), &table);
        let (answers, log) = stage.run(vec![events]).await;
        assert_eq!(answers, [SUCCEEDED], "{log}");
        let subject = close(&table, kind).await;
        for _ in 0..2 {
            let (answers, log) = stage.run(vec![timer(&subject)]).await;
            assert_eq!(answers, [SUCCEEDED], "{log}");
        }
        let messages = slack.messages();
        assert_eq!(messages.len(), posted, "{messages:?}");
        let text = &messages[0].text;
        assert!(text.contains("closed by hand"), "{kind} {messages:?}");
        assert!(text.contains(says), "{kind} {messages:?}");
    }
}

/// What an activity has counted and not shown is shown, and what comes later is another activity.
#[tokio::test]
async fn an_activity_that_was_closed_by_hand_loses_no_count() {
    let (slack, table) = (chat(ok()).await, Dynalite::start().await);
    let stage = Stage::webhook(&slack, Some(table.url()));
    let registered = |number: usize| {
        let mut event = events::sample("instance_registered-by-agent");
        event["id"] = json!(format!("registered {number}"));
        event["detail"]["eventID"] = event["id"].clone();
        let instance = &mut event["detail"]["responseElements"]["containerInstance"];
        instance["containerInstanceArn"] = json!(format!(
            "arn:aws:ecs:eu-west-1:210987654321:container-instance/batch/{number:032x}"
        ));
        event
    };
    stage.run(vec![registered(1), registered(2)]).await;
    assert_eq!(texts(&slack).await.len(), 1);
    let subject = close(&table, "activity").await;
    let (_, log) = stage.run(vec![timer(&subject)]).await;
    let shown = texts(&slack).await;
    assert_eq!(shown.len(), 2, "{shown:?} {log}");
    assert!(shown[1].contains("2 instances registered"), "{shown:?}");
    let (_, log) = stage.run(vec![registered(3)]).await;
    assert_eq!(texts(&slack).await.len(), 3, "{log}");
}
