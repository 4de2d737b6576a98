//! Starts a task again that stopped because its network interface was not ready in time.
//!
//! The event of the stop does not contain the whole request (no network, tags, group or volumes). So the task carries
//! the request in a variable of its first container, together with the name of the function that started it and the
//! number of restarts. A function does not restart tasks of other functions, for example of another stage. It also does
//! not restart tasks that name no function: each stage gets their events, and each would start them, or fail and raise
//! its alarm.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::message::{InvalidMessage, first_container};
use super::{PROGRAM, RecordError, RunFromQueue};
use crate::ecs::event::Time;
use crate::runner::request::{MAX_OVERRIDES, RunRequest};
use crate::runner::task::{self, StartError};
use crate::runner::token::token;

/// The reason that ECS reports. It is also the only one for which aws-lambda-ecs-run-task started a task again.
pub const REASON: &str = "Timeout waiting for network interface provisioning to complete";

/// The limit of restarts, the same as in aws-lambda-ecs-run-task.
const MAX_RESTARTS: u32 = 3;

const VARIABLE: &str = "ECS_PARROT_RERUN";

/// Fields that the event of a stop contains, or that each start sets itself.
const NOT_CARRIED: [&str; 6] = [
    "cluster",
    "taskDefinition",
    "overrides",
    "startedBy",
    "clientToken",
    "count",
];

/// ECS always gives the same answer for a client token, also if it was a failure, so each try needs another token.
/// Lambda tries an event again after one minute and after two more: each of these pauses leads to at least one new
/// token.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>
const SECONDS_PER_TOKEN: i64 = 45;
const MAX_TOKENS: u32 = 10;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rerun {
    /// How often the task was started again.
    again: u32,
    /// The function that started the task. It is empty in tasks of an earlier version, which are not started again.
    #[serde(default)]
    function: String,
    /// The part of the request that the event does not contain.
    #[serde(default)]
    request: Map<String, Value>,
    /// The network, in tasks of an earlier version.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    network: Value,
}

impl Rerun {
    /// For the first start of a request.
    pub(super) fn first(request: &Map<String, Value>, function: &str) -> Self {
        let mut rest = request.clone();
        rest.retain(|field, _| !NOT_CARRIED.contains(&field.as_str()));
        Self {
            again: 0,
            function: function.to_owned(),
            request: rest,
            network: Value::Null,
        }
    }

    /// Adds this to the request, if the task has a network of its own. If the overrides become too large, only the
    /// network is added. If that is still too large, nothing is added: the task runs, but it is not started again.
    pub(super) fn add_to(&self, request: &mut Map<String, Value>) -> Result<(), InvalidMessage> {
        remove_variable(request);
        if !self.request.contains_key("networkConfiguration") {
            return Ok(());
        }
        let mut network_only = self.clone();
        network_only
            .request
            .retain(|field, _| field == "networkConfiguration");
        for carried in [self, &network_only] {
            let mut with = request.clone();
            carried.put(&mut with)?;
            let size = with.get("overrides").map_or(0, |it| it.to_string().len());
            if size <= MAX_OVERRIDES {
                *request = with;
                return Ok(());
            }
        }
        Ok(())
    }

    fn put(&self, request: &mut Map<String, Value>) -> Result<(), InvalidMessage> {
        let container = first_container(request)?;
        let variables = container.entry("environment").or_insert_with(|| json!([]));
        let wrong = || InvalidMessage::Type("environment".to_owned(), "a list");
        let variables = variables.as_array_mut().ok_or_else(wrong)?;
        variables.push(json!({"name": VARIABLE, "value": json!(self).to_string()}));
        Ok(())
    }

    /// Reads what a stopped task carried.
    fn of_task(detail: &Value) -> Option<Self> {
        let containers = detail["overrides"]["containerOverrides"].as_array()?;
        let mut variables = containers
            .iter()
            .filter_map(|container| container["environment"].as_array())
            .flatten();
        let variable = variables.find(|it| it["name"] == VARIABLE)?;
        let mut carried: Self = serde_json::from_str(variable["value"].as_str()?).ok()?;
        if !carried.network.is_null() {
            let network = carried.network.take();
            carried
                .request
                .insert("networkConfiguration".to_owned(), network);
        }
        Some(carried)
    }
}

/// Removes the variable from all containers.
fn remove_variable(request: &mut Map<String, Value>) {
    let overrides = request.get_mut("overrides");
    let containers = overrides.and_then(|it| it.get_mut("containerOverrides")?.as_array_mut());
    for container in containers.into_iter().flatten() {
        let variables = container.get_mut("environment");
        if let Some(variables) = variables.and_then(Value::as_array_mut) {
            variables.retain(|it| it.get("name") != Some(&json!(VARIABLE)));
        }
    }
}

/// Whether this is the stop of a task that a `run-from-queue` function started and that should be started again.
pub fn is_late_interface(detail: &Value) -> bool {
    let text = |field: &str| detail[field].as_str().unwrap_or_default();
    text("lastStatus") == "STOPPED"
        && text("stoppedReason").contains(REASON)
        && text("startedBy").starts_with(&format!("{PROGRAM}/"))
}

impl RunFromQueue {
    /// Whether the task carries the name of this function. A task without the variable, or of an earlier version, does
    /// not.
    pub fn is_own(&self, detail: &Value) -> bool {
        let carried = Rerun::of_task(detail);
        carried.is_some_and(|it| !it.function.is_empty() && it.function == self.function)
    }

    /// Starts a stopped task again, once for each stop. When the same event is delivered again, the calls have the same
    /// tokens in the same order, and ECS returns the task that it already started.
    pub async fn run_again(
        &self,
        detail: &Value,
        now: Timestamp,
    ) -> Result<Vec<String>, RecordError> {
        let Some(mut carried) = Rerun::of_task(detail) else {
            return Err(InvalidMessage::Type(
                VARIABLE.to_owned(),
                "a variable that this function set",
            )
            .into());
        };
        if carried.again >= MAX_RESTARTS {
            return Err(RecordError::TooOften(carried.again));
        }
        carried.again += 1;
        let mut request = request(detail, &carried);
        self.allowed.check(&request)?;
        carried.add_to(&mut request)?;
        let task = detail["taskArn"].as_str().unwrap_or_default();
        let mut failures = Vec::new();
        for number in 0..token_count(detail, now) {
            let token = token(&[PROGRAM, "rerun", task, &number.to_string()]);
            request.insert("clientToken".to_owned(), json!(token));
            let request = RunRequest::from_json(&Value::Object(request.clone()), &[])?;
            match task::start(&self.ecs, &request).await {
                Ok(started) => return Ok(started.tasks),
                Err(StartError::NotPlaced(new_failures)) => {
                    let has_reasons = !new_failures.is_empty();
                    let error = StartError::NotPlaced(new_failures.clone());
                    if !error.is_retryable() {
                        return Err(error.into());
                    }
                    if has_reasons {
                        failures = new_failures;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StartError::NotPlaced(failures).into())
    }
}

/// How many tokens may be used at this time after the stop.
fn token_count(detail: &Value, now: Timestamp) -> u32 {
    let stopped = detail["stoppedAt"].as_str().unwrap_or_default();
    let stopped = Time::read(stopped.to_owned()).instant();
    let passed = stopped.map(|stopped| now.duration_since(stopped).as_secs().max(0));
    let count = passed.map(|seconds| u32::try_from(1 + seconds / SECONDS_PER_TOKEN));
    match count {
        Some(Ok(count)) => count.min(MAX_TOKENS),
        Some(Err(_)) | None => MAX_TOKENS,
    }
}

/// The request that starts this task again.
fn request(detail: &Value, carried: &Rerun) -> Map<String, Value> {
    let mut request = carried.request.clone();
    let mut set = |field: &str, value: Value| {
        if !value.is_null() {
            request.insert(field.to_owned(), value);
        }
    };
    set("cluster", detail["clusterArn"].clone());
    set("taskDefinition", detail["taskDefinitionArn"].clone());
    set("overrides", overrides(detail));
    set("startedBy", detail["startedBy"].clone());
    let has = |field: &str| carried.request.contains_key(field);
    if !has("platformVersion") {
        set("platformVersion", detail["platformVersion"].clone());
    }
    if !has("capacityProviderStrategy") && !has("launchType") {
        match detail["capacityProviderName"].as_str() {
            Some(provider) => set(
                "capacityProviderStrategy",
                json!([{"capacityProvider": provider}]),
            ),
            None => set("launchType", detail["launchType"].clone()),
        }
    }
    request
}

/// The overrides, without the empty lists that events add.
fn overrides(detail: &Value) -> Value {
    let mut overrides = detail["overrides"].clone();
    if let Some(fields) = overrides.as_object_mut() {
        fields.retain(|_, value| value != &json!([]));
    }
    overrides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_try_of_lambda_uses_a_new_token() {
        let stopped = "2026-11-20T04:02:05Z";
        let after = |seconds: i64| {
            let stopped: Timestamp = stopped.parse().unwrap();
            let now = stopped + jiff::SignedDuration::from_secs(seconds);
            token_count(&json!({"stoppedAt": stopped.to_string()}), now)
        };
        let counts = [after(-5), after(2), after(63), after(185), after(86_400)];
        assert_eq!(counts, [1, 1, 2, 5, MAX_TOKENS]);
        assert_eq!(token_count(&json!({}), Timestamp::UNIX_EPOCH), MAX_TOKENS);
    }

    #[test]
    fn a_carried_request_never_makes_the_task_fail() {
        let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}});
        let tags: Vec<_> = (0..20)
            .map(|n| json!({"key": format!("k{n}"), "value": "x".repeat(60)}))
            .collect();
        for (command, carries) in [
            (10, vec!["networkConfiguration", "tags"]),
            (7_000, vec!["networkConfiguration"]),
            (8_000, vec![]),
        ] {
            let mut request = json!({
                "networkConfiguration": network,
                "tags": tags,
                "overrides": {"containerOverrides": [{"name": "app", "command": ["x".repeat(command)]}]},
            });
            let request = request.as_object_mut().unwrap();
            Rerun::first(request, "f").add_to(request).unwrap();
            assert!(json!(request)["overrides"].to_string().len() <= MAX_OVERRIDES);
            let carried = Rerun::of_task(&json!(request));
            let fields: Option<Vec<_>> = carried.map(|it| it.request.keys().cloned().collect());
            assert_eq!(fields.unwrap_or_default(), carries, "{command}");
        }
    }

    #[test]
    fn the_variable_of_an_earlier_version_is_read() {
        let value = json!({"again": 1, "network": {"awsvpcConfiguration": {}}}).to_string();
        let variable = json!({"name": VARIABLE, "value": value});
        let detail = json!({"overrides": {"containerOverrides": [{"environment": [variable]}]}});
        let carried = Rerun::of_task(&detail).unwrap();
        assert_eq!(carried.again, 1);
        assert!(carried.request.contains_key("networkConfiguration"));
    }
}
