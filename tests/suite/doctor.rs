//! `ecs-parrot doctor` on moto: each fault is made, and found.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::fake_aws::REGION;
use crate::moto::Moto;
use crate::runtime_api::{Answer, RuntimeApi};
use crate::slack_api::SlackApi;
use crate::tools;

const NAME: &str = "ecs-parrot-prod-parrot";
/// moto's account.
const ACCOUNT: &str = "123456789012";

/// Lambda and IAM: one installation, and what its role allows.
#[derive(Debug, Clone)]
struct Functions {
    functions: Vec<Value>,
    sources: Vec<Value>,
    version: Value,
    /// The actions that the role does not allow.
    denied: Vec<&'static str>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Functions {
    fn new(slack: &SlackApi) -> Self {
        let channels = json!([slack.settings()]).to_string();
        Self {
            functions: vec![function(
                NAME,
                json!({"CHANNELS": channels, "STATE_TABLE": "ecs-parrot-prod-state"}),
            )],
            sources: vec![json!({
                "EventSourceArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:ecs-parrot-prod-events"), "State": "Enabled",
            })],
            version: json!({"version": env!("CARGO_PKG_VERSION")}),
            denied: Vec::new(),
            calls: Arc::default(),
        }
    }

    fn set(&mut self, variable: &str, value: &str) {
        self.functions[0]["Environment"]["Variables"][variable] = json!(value);
    }
}

fn function(name: &str, variables: Value) -> Value {
    json!({
        "FunctionName": name, "FunctionArn": format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"),
        "Role": format!("arn:aws:iam::{ACCOUNT}:role/{name}"), "State": "Active", "LastUpdateStatus": "Successful",
        "Environment": {"Variables": variables},
    })
}

impl Respond for Functions {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let path = request.url.path();
        let found = |answer: &Value| ResponseTemplate::new(200).set_body_json(answer);
        if path == "/" {
            return self.simulate(std::str::from_utf8(&request.body).unwrap());
        }
        self.calls
            .lock()
            .unwrap()
            .push(format!("{} {path}", request.method));
        if path.ends_with("/invocations") {
            let payload: Value = serde_json::from_slice(&request.body).unwrap();
            assert_eq!(payload["detail-type"], "Version");
            return found(&self.version);
        }
        assert_eq!(request.method.as_str(), "GET");
        if path.ends_with("/functions/") {
            return found(&json!({"Functions": self.functions}));
        }
        if path.ends_with("/event-source-mappings/") {
            return found(&json!({"EventSourceMappings": self.sources}));
        }
        let name = path.split('/').nth(3).unwrap();
        let mut functions = self.functions.iter();
        match functions.find(|it| it["FunctionName"] == name) {
            Some(function) => found(function),
            None => ResponseTemplate::new(404)
                .insert_header("x-amzn-errortype", "ResourceNotFoundException")
                .set_body_json(json!({"Message": format!("Function not found: {name}")})),
        }
    }
}

impl Functions {
    fn simulate(&self, form: &str) -> ResponseTemplate {
        assert!(form.contains("Action=SimulatePrincipalPolicy"), "{form}");
        let is_denied = self
            .denied
            .iter()
            .any(|it| form.contains(&it.replace(':', "%3A")));
        let decision = if is_denied { "implicitDeny" } else { "allowed" };
        let body = format!(
            "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults><member>\
             <EvalDecision>{decision}</EvalDecision></member></EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        );
        ResponseTemplate::new(200).set_body_raw(body, "text/xml")
    }
}

/// The exit status, the report, and what else was printed.
async fn doctor(moto: &Moto, functions: &Functions, more: &[&str]) -> (Option<i32>, Value, String) {
    run(moto, functions, more, &[]).await
}

async fn run(
    moto: &Moto,
    functions: &Functions,
    more: &[&str],
    variables: &[(&str, &str)],
) -> (Option<i32>, Value, String) {
    let server = MockServer::start().await;
    let answers = Mock::given(any()).respond_with(functions.clone());
    answers.mount(&server).await;
    let output = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
        .args(["doctor", "--region", REGION, "--output", "json"])
        .args(more)
        .env_clear()
        .env("AWS_ENDPOINT_URL", moto.url())
        .env("AWS_ENDPOINT_URL_LAMBDA", server.uri())
        .env("AWS_ENDPOINT_URL_IAM", server.uri())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), report, tools::output_text(&output))
}

/// moto with a good installation.
fn account() -> Moto {
    let moto = Moto::start();
    make(&moto, "");
    moto
}

/// Makes the installation anew, with a fault.
fn make(moto: &Moto, fault: &str) {
    tools::run_python("installation.py", &[moto.url(), fault], "");
}

/// The findings, `wrong no_trail`, without those about what cannot be tried.
fn found(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|it| {
            assert!(
                it["problem"].as_str().is_some_and(|it| !it.is_empty()),
                "{it}"
            );
            assert!(
                it["remedy"].as_str().is_some_and(|it| !it.is_empty()),
                "{it}"
            );
            let (severity, id) = (it["severity"].as_str(), it["id"].as_str());
            format!("{} {}", severity.unwrap(), id.unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_good_installation_has_no_finding() {
    let slack = SlackApi::start().await;
    let functions = Functions::new(&slack);
    let (status, report, printed) = doctor(&account(), &functions, &[]).await;
    assert_eq!(found(&report), [""; 0], "{printed}");
    assert_eq!(status, Some(0), "{printed}");
    assert_eq!(
        report["passed"],
        json!([
            "function", "version", "rules", "trail", "queues", "table", "role", "channels"
        ])
    );
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    // Nothing is posted.
    assert_eq!(slack.methods(), ["auth.test"]);
}

/// The faults of what moto has.
#[tokio::test]
async fn each_fault_of_the_account_is_found() {
    let slack = SlackApi::start().await;
    let functions = Functions::new(&slack);
    let moto = Moto::start();
    for (fault, severity) in [
        ("no_trail", "wrong"),
        ("trail_off", "wrong"),
        ("trail_without_management_events", "wrong"),
        ("no_rules", "wrong"),
        ("rule_off", "wrong"),
        ("rules_overlap", "wrong"),
        ("queue_missing", "wrong"),
        ("no_dead_letter_queue", "wrong"),
        ("dead_letters", "wrong"),
        ("table_missing", "wrong"),
        ("table_key", "wrong"),
        ("table_expires", "warning"),
        ("not_invoked", "wrong"),
    ] {
        make(&moto, fault);
        let (status, report, printed) = doctor(&moto, &functions, &[]).await;
        let expected = format!("{severity} {fault}");
        let all = found(&report);
        assert!(all.contains(&expected), "{fault}: {printed}");
        assert!(
            all.iter().all(|it| it.ends_with(fault)),
            "{fault}: {printed}"
        );
        assert_eq!(status, Some(i32::from(severity == "wrong")), "{printed}");
    }
}

/// The faults of the function, its role and its channels.
#[tokio::test]
async fn each_fault_of_the_function_is_found() {
    let slack = SlackApi::start().await;
    let good = Functions::new(&slack);
    let moto = account();
    type Change = fn(&mut Functions);
    let cases: [(&str, Change); 12] = [
        ("wrong function_state", |it| {
            it.functions[0]["State"] = json!("Inactive")
        }),
        ("wrong event_source_off", |it| {
            it.sources[0]["State"] = json!("Disabled")
        }),
        ("warning second_installation", |it| {
            it.functions.push(function("other-parrot", json!({})));
        }),
        ("warning version", |it| {
            it.version = json!({"version": "0.0.9"})
        }),
        ("warning version", |it| it.version = Value::Null),
        ("wrong role", |it| it.denied.push("dynamodb:PutItem")),
        ("wrong role", |it| it.denied.push("sqs:SendMessage")),
        ("warning no_table", |it| it.set("STATE_TABLE", "DISABLED")),
        ("wrong settings", |it| it.set("REMIND_AFTER", "soon")),
        ("wrong settings", |it| it.set("CHANNELS", "ssm:/nowhere")),
        ("wrong no_channel", |it| it.set("CHANNELS", "")),
        ("not_checked channels", |it| {
            it.set("CHANNELS", r#"[{"name": "hook", "type": "slack", "url": "https://hooks.slack.com/services/T/B/very-secret"}]"#);
        }),
    ];
    for (expected, change) in cases {
        let mut functions = good.clone();
        change(&mut functions);
        let (status, report, printed) = doctor(&moto, &functions, &["--function", NAME]).await;
        assert!(
            found(&report).contains(&expected.to_owned()),
            "{expected}: {printed}"
        );
        let is_wrong = expected.starts_with("wrong");
        assert_eq!(status, Some(i32::from(is_wrong)), "{printed}");
        assert!(!printed.contains("very-secret"), "{printed}");
    }
}

#[tokio::test]
async fn a_token_that_slack_refuses_is_found() {
    let slack = SlackApi::start().await;
    let functions = Functions::new(&slack);
    slack.fail_next("token_revoked");
    let (status, report, printed) = doctor(&account(), &functions, &[]).await;
    assert_eq!(found(&report), ["wrong channel"], "{printed}");
    assert!(printed.contains("token_revoked"), "{printed}");
    assert_eq!(status, Some(1));
    assert_eq!(slack.methods(), ["auth.test"]);
}

/// Discord is asked for the webhook itself. A webhook that is gone is found.
#[tokio::test]
async fn the_webhook_of_discord_is_asked_for() {
    let slack = SlackApi::start().await;
    let moto = account();
    let known =
        json!({"id": "987654321098765432", "channel_id": "123456789012345678", "name": "ops"});
    let gone = json!({"message": "Unknown Webhook", "code": 10015});
    for (status, answer, expected) in [(200, known, vec![]), (404, gone, vec!["wrong channel"])] {
        let discord = MockServer::start().await;
        let answer = ResponseTemplate::new(status).set_body_json(answer);
        Mock::given(any())
            .respond_with(answer)
            .mount(&discord)
            .await;
        let url = format!(
            "{}/api/webhooks/987654321098765432/very-secret-token",
            discord.uri()
        );
        let mut functions = Functions::new(&slack);
        let channels =
            json!([{"name": "ops", "type": "discord", "url": format!("{url}?thread_id=1")}]);
        functions.set("CHANNELS", &channels.to_string());
        let (_, report, printed) = doctor(&moto, &functions, &[]).await;
        assert_eq!(found(&report), expected, "{printed}");
        assert!(!printed.contains("very-secret"), "{printed}");
        let requests = discord.received_requests().await.unwrap();
        assert_eq!(requests[0].method.as_str(), "GET");
        let place = "/api/webhooks/987654321098765432/very-secret-token";
        assert_eq!(
            (requests[0].url.path(), requests[0].url.query()),
            (place, None)
        );
    }
}

/// What a user would do: no installation, a misspelt name, two installations, credentials that may not look.
#[tokio::test]
async fn what_cannot_be_looked_at_is_said() {
    let slack = SlackApi::start().await;
    let good = Functions::new(&slack);
    let moto = account();

    let mut none = good.clone();
    none.functions.clear();
    let (status, _, printed) = doctor(&moto, &none, &[]).await;
    assert_eq!(status, Some(1));
    assert!(
        printed.contains("no function in eu-west-1 is a notifier"),
        "{printed}"
    );

    let misspelt = ["--function", "ecs-parrot-prod-parot"];
    let (_, _, printed) = doctor(&moto, &good, &misspelt).await;
    assert!(
        printed.contains("did you mean `ecs-parrot-prod-parrot`?"),
        "{printed}"
    );

    let mut two = good.clone();
    two.functions.push(function("other-parrot", json!({})));
    let (_, _, printed) = doctor(&moto, &two, &[]).await;
    assert!(
        printed.contains("choose one with --function: ecs-parrot-prod-parrot, other-parrot"),
        "{printed}"
    );
}

/// The text names each finding with what to do.
#[tokio::test]
async fn the_text_says_what_to_do() {
    let slack = SlackApi::start().await;
    let functions = Functions::new(&slack);
    let arguments = ["--output", "text"];
    let moto = Moto::start();
    make(&moto, "dead_letters");
    let (status, _, printed) = doctor(&moto, &functions, &arguments).await;
    assert_eq!(status, Some(1), "{printed}");
    for line in [
        "ecs-parrot-prod-parrot in eu-west-1 of account 123456789012, version 0.1.0",
        "wrong dead_letters: 1 messages are in the dead-letter queue ecs-parrot-prod-dead-letters",
        "  do: ecs-parrot redrive --queue ecs-parrot-prod-dead-letters --dry-run",
        "checked without a finding: function, version, rules, trail, table, role, channels",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
}

/// A service that refuses costs its check. The others go on.
#[tokio::test]
async fn a_check_that_is_not_allowed_is_named() {
    let slack = SlackApi::start().await;
    let functions = Functions::new(&slack);
    let server = MockServer::start().await;
    let refusal = json!({"__type": "AccessDeniedException", "message": "User: me is not authorized to perform: cloudtrail:DescribeTrails"});
    let refusal = ResponseTemplate::new(400).set_body_json(refusal);
    Mock::given(any())
        .respond_with(refusal)
        .mount(&server)
        .await;
    let url = server.uri();
    let variables = [("AWS_ENDPOINT_URL_CLOUDTRAIL", url.as_str())];
    let (status, report, printed) = run(&account(), &functions, &[], &variables).await;
    assert_eq!(found(&report), ["not_checked trail"], "{printed}");
    let remedy = report["findings"][0]["remedy"].as_str().unwrap();
    assert_eq!(
        remedy,
        "allow cloudtrail:DescribeTrails to the user or role that runs this"
    );
    assert_eq!(status, Some(0), "{printed}");
}

/// The function says its version, posts nothing, and needs no channel for it.
#[tokio::test]
async fn the_function_says_its_version() {
    let payload = json!({"source": "ecs-parrot", "detail-type": "Version"});
    let api = RuntimeApi::with(vec![payload]).await;
    let (answers, log) = api.run_program(env!("CARGO_BIN_EXE_parrot"), &[]).await;
    let [Answer::Response(answer)] = &answers[..] else {
        panic!("{answers:?} {log}");
    };
    assert_eq!(*answer, json!({"version": env!("CARGO_PKG_VERSION")}));
    assert!(!log.contains("EventsReceived"), "{log}");
}

/// The policy of the page allows each call, and nothing else.
#[test]
fn the_policy_allows_the_calls_of_doctor() {
    let policy = fs::read_to_string(tools::root().join("docs/policies/doctor.json")).unwrap();
    let policy: Value = serde_json::from_str(&policy).unwrap();
    let folder = tools::root().join("src/bin/ecs-parrot/doctor");
    let code = fs::read_dir(folder).unwrap();
    let code = code.map(|it| fs::read_to_string(it.unwrap().path()).unwrap());
    let code: String = code.collect();
    // The calls of the clients whose names differ from AWS's.
    let calls = [
        ("lambda::functions", "lambda:ListFunctions"),
        ("lambda::function(", "lambda:GetFunctionConfiguration"),
        ("lambda::event_sources", "lambda:ListEventSourceMappings"),
        ("lambda::invoke", "lambda:InvokeFunction"),
        ("cloud_watch::invocations", "cloudwatch:GetMetricStatistics"),
        ("iam::is_allowed", "iam:SimulatePrincipalPolicy"),
        ("SecretStore::new", "ssm:GetParameter"),
        ("SecretStore::new", "secretsmanager:GetSecretValue"),
        ("\"DescribeTrails\"", "cloudtrail:DescribeTrails"),
        ("\"GetTrailStatus\"", "cloudtrail:GetTrailStatus"),
        ("\"GetEventSelectors\"", "cloudtrail:GetEventSelectors"),
        ("\"ListRuleNamesByTarget\"", "events:ListRuleNamesByTarget"),
        ("\"DescribeRule\"", "events:DescribeRule"),
        ("\"GetQueueUrl\"", "sqs:GetQueueUrl"),
        ("\"GetQueueAttributes\"", "sqs:GetQueueAttributes"),
        ("\"DescribeTable\"", "dynamodb:DescribeTable"),
        ("\"DescribeTimeToLive\"", "dynamodb:DescribeTimeToLive"),
    ];
    for (call, _) in calls {
        assert!(code.contains(call), "doctor does not call {call}");
    }
    let statements = policy["Statement"].as_array().unwrap().iter();
    let allowed = statements.flat_map(|it| match &it["Action"] {
        Value::Array(actions) => actions.clone(),
        action => vec![action.clone()],
    });
    let allowed: BTreeSet<_> = allowed.map(|it| it.as_str().unwrap().to_owned()).collect();
    let expected: BTreeSet<_> = calls.iter().map(|(_, it)| (*it).to_owned()).collect();
    assert_eq!(allowed, expected);
}
