//! A fake AWS, for what moto cannot do: failures, unknown tasks, exit codes, pages, throttling, denials.
//!
//! It uses the protocol AWS JSON 1.1, and for IAM, STS and CloudWatch the Query protocol. It keeps the state of one account,
//! checks each call against an IAM policy, and records the call. It follows the API references of the services.

mod cloud_watch;
mod code_deploy;
mod ecs;
mod hosts;
mod logs;
pub(crate) mod policy;
mod secrets;
mod sqs;
mod sts;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use ecs_parrot::http::SharedClient;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

pub(crate) use ecs::{Life, Log};
use policy::Policy;

use crate::runtime_api::{Answer as Reply, RuntimeApi};

pub(crate) const ACCOUNT: &str = "210987654321";

/// The configuration for SDK clients that call a server of the tests.
pub(crate) fn sdk_config(url: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(SharedClient::default())
        .endpoint_url(url)
        .build()
}

pub(crate) const REGION: &str = "eu-west-1";

/// A call that was received.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// `ecs`, `logs`: the prefix of its IAM actions.
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    pub(crate) body: Value,
    /// The id of the access key that signed it.
    pub(crate) access_key: String,
    pub(crate) is_denied: bool,
}

impl Call {
    /// `target` is the header that names the call. The Query protocol has none: its calls are forms.
    pub(crate) fn read(target: &str, body: &[u8]) -> Self {
        if target.is_empty() {
            return Self::of_form(body);
        }
        let (service, operation) = target.split_once('.').expect("a call of AWS JSON 1.1");
        let service = match service {
            "AmazonEC2ContainerServiceV20141113" => "ecs",
            "Logs_20140328" => "logs",
            "AmazonSQS" => "sqs",
            "DynamoDB_20120810" => "dynamodb",
            "AmazonSSM" => "ssm",
            "secretsmanager" => "secretsmanager",
            "CodeDeploy_20141006" => "codedeploy",
            other => panic!("the fake AWS does not support {other}"),
        };
        Self {
            service,
            operation: operation.to_owned(),
            body: serde_json::from_slice(body).expect("a call's body is JSON"),
            access_key: String::new(),
            is_denied: false,
        }
    }
}

impl Call {
    /// The calls of IAM, STS and CloudWatch. The recorded form is decoded.
    fn of_form(body: &[u8]) -> Self {
        let form = String::from_utf8(body.to_vec()).expect("a form is text");
        let is_encoded = |it: u8| it.is_ascii_alphanumeric() || b"-._~%&=".contains(&it);
        assert!(form.bytes().all(is_encoded), "{form}");
        let decoded = |it: &str| percent_decode_str(it).decode_utf8().unwrap().into_owned();
        let fields = form.split('&').map(|it| it.split_once('=').unwrap());
        let form: BTreeMap<_, _> = fields
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect();
        let service = match form["Version"].as_str() {
            "2010-05-08" => "iam",
            cloud_watch::VERSION => "cloudwatch",
            sts::VERSION => "sts",
            other => panic!("the fake AWS does not support the version {other}"),
        };
        Self {
            service,
            operation: form["Action"].clone(),
            body: json!(form),
            access_key: String::new(),
            is_denied: false,
        }
    }
}

/// The answer to a call: a result, or an error with its HTTP status.
type Answer = Result<Value, Refusal>;

#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    status: u16,
    code: String,
    message: String,
    more: Value,
}

impl Refusal {
    pub(crate) fn new(code: &str, message: &str) -> Self {
        Self {
            status: 400,
            code: code.to_owned(),
            message: message.to_owned(),
            more: json!({}),
        }
    }

    pub(crate) fn throttled() -> Self {
        Self::new("ThrottlingException", "Rate exceeded")
    }

    /// An error of the service itself.
    pub(crate) fn server() -> Self {
        Self {
            status: 500,
            ..Self::new("ServerException", "Service is unavailable")
        }
    }

    /// The answer of a load balancer: neither JSON nor an error code.
    pub(crate) fn nameless() -> Self {
        Self {
            status: 503,
            ..Self::new("", "")
        }
    }

    fn with(self, more: Value) -> Self {
        Self { more, ..self }
    }
}

#[derive(Default)]
struct State {
    policy: Option<Policy>,
    calls: Vec<Call>,
    /// Scripted answers to the next calls of an operation. They are used first.
    scripted: BTreeMap<String, VecDeque<Scripted>>,
    ecs: ecs::Ecs,
    logs: logs::Logs,
    cloud_watch: cloud_watch::CloudWatch,
    code_deploy: code_deploy::CodeDeploy,
    secrets: secrets::Secrets,
    sqs: sqs::Sqs,
    sts: sts::Sts,
    /// The alias of the account.
    alias: Option<String>,
}

enum Scripted {
    Refuse(Refusal),
    /// Executes the call, and answers after this delay.
    Late(Duration),
    /// Executes the call, but answers with a failure, as a broken connection would.
    Lose,
    /// Answers with HTML, which is no valid answer of AWS.
    Garble,
    /// Gives this answer, once.
    Reply(Value),
}

pub(crate) struct FakeAws {
    server: MockServer,
    state: Arc<Mutex<State>>,
}

impl FakeAws {
    pub(crate) async fn start() -> Self {
        let server = MockServer::start().await;
        let state = Arc::new(Mutex::new(State::default()));
        let answers = Answers(Arc::clone(&state));
        Mock::given(any())
            .respond_with(answers)
            .mount(&server)
            .await;
        Self { server, state }
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    /// Runs a built function against this AWS, with these variables. Returns its answers and its log.
    pub(crate) async fn invoke(
        &self,
        program: &str,
        api: RuntimeApi,
        variables: &[(&str, &str)],
    ) -> (Vec<Reply>, String) {
        let url = self.url();
        let mut environment = vec![
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ];
        environment.extend_from_slice(variables);
        api.run_program(program, &environment).await
    }

    pub(crate) fn alias(&self, alias: &str) {
        self.state().alias = Some(alias.to_owned());
    }

    /// From now on a call that the policy does not allow is denied.
    pub(crate) fn allow_only(&self, policy: Policy) {
        self.state().policy = Some(policy);
    }

    /// The next calls of this operation get this refusal.
    pub(crate) fn refuse(&self, operation: &str, times: usize, refusal: &Refusal) {
        for _ in 0..times {
            self.script(operation, Scripted::Refuse(refusal.clone()));
        }
    }

    pub(crate) fn answer_late(&self, operation: &str, delay: Duration) {
        self.script(operation, Scripted::Late(delay));
    }

    /// The next call is executed, but its answer is lost.
    pub(crate) fn lose_answer(&self, operation: &str) {
        self.script(operation, Scripted::Lose);
    }

    /// The next call of this operation gets this answer.
    pub(crate) fn answer_once(&self, operation: &str, answer: Value) {
        self.script(operation, Scripted::Reply(answer));
    }

    pub(crate) fn garble(&self, operation: &str) {
        self.script(operation, Scripted::Garble);
    }

    fn script(&self, operation: &str, scripted: Scripted) {
        let mut state = self.state();
        state
            .scripted
            .entry(operation.to_owned())
            .or_default()
            .push_back(scripted);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The bodies of one operation's calls, including denied calls.
    pub(crate) fn bodies(&self, operation: &str) -> Vec<Value> {
        let calls = self.calls().into_iter();
        calls
            .filter(|call| call.operation == operation)
            .map(|call| call.body)
            .collect()
    }

    /// The visibility changes of records, each with its queue and its timeout.
    pub(crate) fn visibility_changes(&self) -> Vec<Value> {
        let bodies = self.bodies("ChangeMessageVisibilityBatch");
        let changes = bodies.iter().flat_map(|body| {
            sqs::entries(body).map(|entry| {
                let mut change = entry.clone();
                change["QueueUrl"] = body["QueueUrl"].clone();
                change
            })
        });
        changes.collect()
    }

    /// The names of the calls, each once, in the order of their first use.
    pub(crate) fn operations(&self) -> Vec<String> {
        let mut names = Vec::new();
        for call in self.calls() {
            if !names.contains(&call.operation) {
                names.push(call.operation);
            }
        }
        names
    }

    /// The statements of the policy that allowed at least one call.
    pub(crate) fn used_statements(&self) -> Vec<String> {
        let state = self.state();
        state.policy.as_ref().map(Policy::used).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Answers(Arc<Mutex<State>>);

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let header = |name: &str| {
            request
                .headers
                .get(name)
                .map_or("", |it| it.to_str().unwrap())
        };
        let mut call = Call::read(header("x-amz-target"), &request.body);
        let (_, credential) = header("authorization").split_once("Credential=").unwrap();
        let scope: Vec<_> = credential.split('/').collect();
        call.access_key = scope[0].to_owned();
        // A signature for another service would be refused.
        if call.service == "cloudwatch" {
            assert_eq!(scope[3], "monitoring");
        }
        state.answer(call)
    }
}

impl State {
    fn answer(&mut self, mut call: Call) -> ResponseTemplate {
        let denied = self.check(&call);
        call.is_denied = denied.is_some();
        self.calls.push(call.clone());
        let written = |answer| match call.service {
            "iam" => written_as_xml(answer),
            "cloudwatch" => cloud_watch::written(answer),
            "sts" => sts::written(&call.operation, answer),
            _ => written(answer),
        };
        if let Some(refusal) = denied {
            return written(Err(refusal));
        }
        let scripted = self.scripted.get_mut(&call.operation);
        match scripted.and_then(VecDeque::pop_front) {
            Some(Scripted::Refuse(refusal)) => written(Err(refusal)),
            Some(Scripted::Late(delay)) => written(self.act(&call)).set_delay(delay),
            Some(Scripted::Lose) => {
                let _ = self.act(&call);
                written(Err(Refusal::nameless()))
            }
            Some(Scripted::Reply(answer)) => written(Ok(answer)),
            Some(Scripted::Garble) => {
                ResponseTemplate::new(200).set_body_string("<html>Gateway</html>")
            }
            None => written(self.act(&call)),
        }
    }

    fn act(&mut self, call: &Call) -> Answer {
        match call.service {
            "ecs" => self.ecs.act(&call.operation, &call.body, &mut self.logs),
            "iam" => Ok(json!({"alias": self.alias})),
            "cloudwatch" => self.cloud_watch.act(&call.operation, &call.body),
            "sts" => self.sts.act(&call.operation, &call.body),
            "logs" => self.logs.act(&call.operation, &call.body),
            "sqs" => self.sqs.act(&call.operation, &call.body),
            "ssm" | "secretsmanager" => self.secrets.act(&call.body),
            // This table stores nothing. The tests of deduplication use dynalite.
            "dynamodb" => Ok(json!({})),
            _ => self.code_deploy.act(&call.operation, &call.body),
        }
    }

    fn check(&mut self, call: &Call) -> Option<Refusal> {
        // An assumed role has a policy of its own.
        if call.access_key.starts_with("ASIA") {
            return None;
        }
        let needs = policy::needs(call, &self.ecs);
        let policy = self.policy.as_mut()?;
        let denied = needs.into_iter().find(|need| !policy.allows(need))?;
        Some(denied.refusal())
    }
}

fn written(answer: Answer) -> ResponseTemplate {
    const JSON: &str = "application/x-amz-json-1.1";
    match answer {
        Ok(body) => ResponseTemplate::new(200).set_body_raw(body.to_string(), JSON),
        Err(refusal) if refusal.code.is_empty() => ResponseTemplate::new(refusal.status),
        Err(refusal) => {
            let mut body = refusal.more;
            body["__type"] = json!(refusal.code);
            body["message"] = json!(refusal.message);
            ResponseTemplate::new(refusal.status).set_body_raw(body.to_string(), JSON)
        }
    }
}

/// The answers of IAM: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccountAliases.html>.
fn written_as_xml(answer: Answer) -> ResponseTemplate {
    const XML: &str = "text/xml";
    const NAMESPACE: &str = "xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"";
    match answer {
        Ok(body) => {
            let aliases = match body["alias"].as_str() {
                Some(alias) => {
                    format!("<AccountAliases>\n<member>{alias}</member>\n</AccountAliases>")
                }
                None => "<AccountAliases/>".to_owned(),
            };
            let body = format!(
                "<ListAccountAliasesResponse {NAMESPACE}>\n<ListAccountAliasesResult>\n\
                 <IsTruncated>false</IsTruncated>\n{aliases}\n</ListAccountAliasesResult>\n\
                 </ListAccountAliasesResponse>"
            );
            ResponseTemplate::new(200).set_body_raw(body, XML)
        }
        Err(refusal) => xml_error("https://iam.amazonaws.com/doc/2010-05-08/", refusal),
    }
}

/// An error of the Query protocol: <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>.
fn xml_error(namespace: &str, refusal: Refusal) -> ResponseTemplate {
    if refusal.code.is_empty() {
        return ResponseTemplate::new(refusal.status);
    }
    let (code, message) = (refusal.code, refusal.message);
    let body = format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error></ErrorResponse>"
    );
    ResponseTemplate::new(refusal.status).set_body_raw(body, "text/xml")
}

pub(crate) fn arn(resource: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{resource}")
}
