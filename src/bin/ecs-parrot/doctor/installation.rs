//! The function of an installation: which one it is, what is set, whether it works, and which version it is.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use ecs_parrot::aws::Session;
use ecs_parrot::aws::service::{self, cloud_watch, lambda};
use ecs_parrot::ecs::arn::Arn;
use ecs_parrot::text::spelling::nearest;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::finding::Findings;

/// How the functions of serverless.yml, of the Terraform module and of the SAM template end.
const END: &str = "-parrot";

/// A function, as AWS describes it.
#[derive(Debug)]
pub(super) struct Installation {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) role: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) variables: BTreeMap<String, String>,
    /// The ARNs of the queues that invoke it, each with its state.
    pub(super) sources: Vec<(String, String)>,
    /// The names of the other functions that are notifiers too.
    pub(super) others: Vec<String>,
    state: String,
}

impl Installation {
    /// The function with this name, or the only one in the region.
    pub(super) async fn find(session: &Session, name: Option<&str>) -> anyhow::Result<Self> {
        let client = session.service(service::LAMBDA);
        let functions = lambda::functions(&client).await?;
        let notifiers: Vec<_> = functions.iter().filter(|it| is_notifier(it)).collect();
        let names: Vec<_> = notifiers
            .iter()
            .map(|it| text(it, "FunctionName"))
            .collect();
        let region = session.region();
        let name = match (name, names.as_slice()) {
            (Some(name), _) => name.to_owned(),
            (None, [only]) => only.clone(),
            (None, []) => bail!(
                "no function in {region} is a notifier: its name would end with `{END}`; give --function NAME, or another --region"
            ),
            (None, several) => bail!(
                "{} functions in {region} are notifiers: choose one with --function: {}",
                several.len(),
                several.join(", ")
            ),
        };
        let described = lambda::function(&client, &name).await;
        let described =
            described.with_context(|| match nearest(&name, names.iter().map(String::as_str)) {
                Some(near) => format!("--function {name} in {region}; did you mean `{near}`?"),
                None => format!("--function {name} in {region}"),
            })?;
        let sources = lambda::event_sources(&client, &name).await?;
        let others = names.into_iter().filter(|it| *it != name).collect();
        Ok(Self::read(&described, &sources, others, region))
    }

    fn read(described: &Value, sources: &[Value], others: Vec<String>, region: &str) -> Self {
        let variables = described["Environment"]["Variables"].as_object();
        let variables = variables.into_iter().flatten();
        let variables = variables.filter_map(|(name, value)| {
            let value = value.as_str()?;
            Some((name.clone(), value.to_owned()))
        });
        let arn = text(described, "FunctionArn");
        Self {
            account: Arn::parse(&arn).map_or_else(String::new, |it| it.account.to_owned()),
            region: region.to_owned(),
            name: text(described, "FunctionName"),
            role: text(described, "Role"),
            variables: variables.collect(),
            sources: sources
                .iter()
                .map(|it| (text(it, "EventSourceArn"), text(it, "State")))
                .collect(),
            others,
            state: match text(described, "LastUpdateStatus").as_str() {
                "Failed" => "its last update failed".to_owned(),
                _ => match text(described, "State").as_str() {
                    "" | "Active" => String::new(),
                    state => format!("its state is {state}"),
                },
            },
            arn,
        }
    }

    /// The value of a variable, unless it is empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// What is set, without the paths of files that only the function has.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        const PATHS: [&str; 4] = [
            "TEMPLATES_DIR",
            "AWS_CA_BUNDLE",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
        ];
        let set = self.variables.iter();
        let set = set.filter(|(name, it)| !it.is_empty() && !PATHS.contains(&name.as_str()));
        set.map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

/// Whether a function is a notifier, by its name and by a variable that only a notifier has.
fn is_notifier(function: &Value) -> bool {
    let has_variable = !function["Environment"]["Variables"]["STATE_TABLE"].is_null();
    let name = text(function, "FunctionName");
    name.ends_with(END) || (has_variable && name.contains("parrot"))
}

/// Whether the function works, and is invoked.
pub(super) async fn check(session: &Session, it: &Installation, findings: &mut Findings) {
    let before = findings.findings.len();
    if !it.state.is_empty() {
        findings.wrong(
            "function_state",
            format!("the function cannot be invoked: {}", it.state),
            format!(
                "aws lambda get-function-configuration --function-name {}",
                it.name
            ),
        );
    }
    let to = Timestamp::now();
    let from = to - 24.hours();
    let client = session.service(service::CLOUD_WATCH);
    let times = (&*from.to_string(), &*to.to_string());
    match cloud_watch::invocations(&client, &it.name, times).await {
        Ok(count) if count < 1.0 => findings.wrong(
            "not_invoked",
            "the function was not invoked for a day".to_owned(),
            "a cluster in use has events every day: look at the rules below, and whether this is the region of the clusters".to_owned(),
        ),
        Ok(_) => {}
        Err(error) => findings.not_checked("not_invoked", &error),
    }
    for other in &it.others {
        findings.warning(
            "second_installation",
            format!(
                "`{other}` is a notifier too: if both post to one channel, each message comes twice"
            ),
            "remove one of them, or give their channels different patterns (`only`)".to_owned(),
        );
    }
    findings.done("function", before);
}

/// Which version is deployed. `None` if the function does not say so.
pub(super) async fn version(
    session: &Session,
    it: &Installation,
    findings: &mut Findings,
) -> Option<String> {
    const OWN: &str = env!("CARGO_PKG_VERSION");
    let before = findings.findings.len();
    let client = session.service(service::LAMBDA);
    let payload = json!({"source": "ecs-parrot", "detail-type": "Version"});
    let answer = lambda::invoke(&client, &it.name, &payload, &json!({})).await;
    let deployed = match answer {
        Ok(answer) => {
            let answer: Value = serde_json::from_str(&answer.payload).unwrap_or_default();
            answer["version"].as_str().map(str::to_owned)
        }
        Err(error) => {
            findings.not_checked("version", &error);
            return None;
        }
    };
    match deployed.as_deref() {
        Some(OWN) => {}
        Some(other) => findings.warning(
            "version",
            format!("the version {other} is deployed, and this is {OWN}"),
            format!("deploy {OWN}, or use the command line of {other}"),
        ),
        None => findings.warning(
            "version",
            format!("the function does not say its version: it is older than {OWN}, cannot start, or is another program"),
            format!("look at its log, and deploy {OWN}"),
        ),
    }
    findings.done("version", before);
    deployed
}
