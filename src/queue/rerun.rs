//! Starts a task of ours again that stopped because its network interface was not there in time.
//!
//! The event of the stop does not name the network that was asked for, so the task carries it with it, in a
//! variable of its first container, with a number that ends it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::message::{BadMessage, first_container};
use super::{PROGRAM, Refusal, RunFromQueue};
use crate::run::request::RunRequest;
use crate::run::task;
use crate::run::token::token;

/// ECS's words for it, and the only ones that the ancestor started a task again for.
pub const REASON: &str = "Timeout waiting for network interface provisioning to complete";

/// As often as the ancestor did.
const AT_MOST: u32 = 3;

const VARIABLE: &str = "ECS_PARROT_RERUN";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rerun {
    /// How often it was started again.
    again: u32,
    network: Value,
}

impl Rerun {
    /// Of a request that is made for the first time.
    pub(super) fn first(request: &Map<String, Value>) -> Self {
        let network = request.get("networkConfiguration").cloned();
        Self {
            again: 0,
            network: network.unwrap_or(Value::Null),
        }
    }

    /// Has the task carry this, if it has a network whose interface may be late.
    pub(super) fn note(&self, request: &mut Map<String, Value>) -> Result<(), BadMessage> {
        if self.network.is_null() {
            return Ok(());
        }
        let container = first_container(request)?;
        let variables = container.entry("environment").or_insert_with(|| json!([]));
        let form = || BadMessage::Form("environment".to_owned(), "list");
        let variables = variables.as_array_mut().ok_or_else(form)?;
        variables.retain(|it| it.get("name") != Some(&json!(VARIABLE)));
        variables.push(json!({"name": VARIABLE, "value": json!(self).to_string()}));
        Ok(())
    }

    /// What a stopped task carried.
    fn of_task(detail: &Value) -> Option<Self> {
        let containers = detail["overrides"]["containerOverrides"].as_array()?;
        let mut variables = containers
            .iter()
            .filter_map(|container| container["environment"].as_array())
            .flatten();
        let variable = variables.find(|it| it["name"] == VARIABLE)?;
        serde_json::from_str(variable["value"].as_str()?).ok()
    }
}

/// Whether this is the stop of a task of ours that should be started again.
pub fn is_wanted(detail: &Value) -> bool {
    let text = |field: &str| detail[field].as_str().unwrap_or_default();
    text("lastStatus") == "STOPPED"
        && text("stoppedReason").contains(REASON)
        && text("startedBy").starts_with(&format!("{PROGRAM}/"))
}

impl RunFromQueue {
    /// Starts a stopped task again, once for each time that it stopped.
    pub async fn run_again(&self, detail: &Value) -> Result<Vec<String>, Refusal> {
        let Some(mut carried) = Rerun::of_task(detail) else {
            return Err(BadMessage::Form(VARIABLE.to_owned(), "variable of this task").into());
        };
        if carried.again >= AT_MOST {
            return Err(Refusal::Enough(carried.again));
        }
        carried.again += 1;
        let mut request = request(detail, &carried.network);
        self.allowed.check(&request)?;
        carried.note(&mut request)?;
        let request = RunRequest::from_json(&Value::Object(request))?;
        Ok(task::start(&self.ecs, &request).await?.tasks)
    }
}

/// The request that would have made this task.
fn request(detail: &Value, network: &Value) -> Map<String, Value> {
    let task = detail["taskArn"].as_str().unwrap_or_default();
    let mut request = Map::new();
    let mut set = |field: &str, value: Value| {
        if !value.is_null() {
            request.insert(field.to_owned(), value);
        }
    };
    set("cluster", detail["clusterArn"].clone());
    set("taskDefinition", detail["taskDefinitionArn"].clone());
    set("overrides", overrides(detail));
    set("startedBy", detail["startedBy"].clone());
    set("networkConfiguration", network.clone());
    set("platformVersion", detail["platformVersion"].clone());
    set("clientToken", json!(token(&[PROGRAM, "rerun", task])));
    match detail["capacityProviderName"].as_str() {
        Some(provider) => set(
            "capacityProviderStrategy",
            json!([{"capacityProvider": provider}]),
        ),
        None => set("launchType", detail["launchType"].clone()),
    }
    request
}

/// The overrides without the lists that an event shows empty.
fn overrides(detail: &Value) -> Value {
    let mut overrides = detail["overrides"].clone();
    if let Some(fields) = overrides.as_object_mut() {
        fields.retain(|_, value| value != &json!([]));
    }
    overrides
}
