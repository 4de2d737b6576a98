//! Starts a task of ours again that stopped because its network interface was not there in time.
//!
//! The event of the stop does not show the whole request (no network, tags, group or volumes), so the task carries it with
//! it, in a variable of its first container, with the function that started it and a number that ends it. Tasks of other
//! functions, of another stage say, are theirs to start again, and so are tasks that name no function: every stage is told of
//! them, and each would start them, or fail and raise its alarm.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::message::{InvalidMessage, first_container};
use super::{PROGRAM, RecordError, RunFromQueue};
use crate::ecs::event::Time;
use crate::runner::request::{OVERRIDES, RunRequest};
use crate::runner::task::{self, StartError};
use crate::runner::token::token;

/// ECS's words for it, and the only ones that the ancestor started a task again for.
pub const REASON: &str = "Timeout waiting for network interface provisioning to complete";

/// As often as the ancestor did.
const AT_MOST: u32 = 3;

const VARIABLE: &str = "ECS_PARROT_RERUN";

/// What the event of a stop shows of the request, or what each start has anew.
const NOT_CARRIED: [&str; 6] = [
    "cluster",
    "taskDefinition",
    "overrides",
    "startedBy",
    "clientToken",
    "count",
];

/// ECS answers a client token always the same, failures too, so that each try needs another. Lambda tries an event again
/// after one minute and after two: every such pause brings at least one new token.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>
const SECONDS_A_TURN: i64 = 45;
const MOST_TURNS: u32 = 10;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rerun {
    /// How often it was started again.
    again: u32,
    /// The function that started it; none where an earlier version did, and then nobody starts it again.
    #[serde(default)]
    function: String,
    /// The rest of the request.
    #[serde(default)]
    request: Map<String, Value>,
    /// Where an earlier version put the network.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    network: Value,
}

impl Rerun {
    /// Of a request that is made for the first time.
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

    /// Has the task carry this, if it has a network whose interface may be late. Where there is no room for all of it,
    /// only the network; where there is none for that, nothing: the task runs, and is not started again.
    pub(super) fn note(&self, request: &mut Map<String, Value>) -> Result<(), InvalidMessage> {
        forget(request);
        if !self.request.contains_key("networkConfiguration") {
            return Ok(());
        }
        let mut of_network = self.clone();
        of_network
            .request
            .retain(|field, _| field == "networkConfiguration");
        for carried in [self, &of_network] {
            let mut with = request.clone();
            carried.put(&mut with)?;
            let size = with.get("overrides").map_or(0, |it| it.to_string().len());
            if size <= OVERRIDES {
                *request = with;
                return Ok(());
            }
        }
        Ok(())
    }

    fn put(&self, request: &mut Map<String, Value>) -> Result<(), InvalidMessage> {
        let container = first_container(request)?;
        let variables = container.entry("environment").or_insert_with(|| json!([]));
        let form = || InvalidMessage::Form("environment".to_owned(), "list");
        let variables = variables.as_array_mut().ok_or_else(form)?;
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

/// Takes the variable out of every container.
fn forget(request: &mut Map<String, Value>) {
    let overrides = request.get_mut("overrides");
    let containers = overrides.and_then(|it| it.get_mut("containerOverrides")?.as_array_mut());
    for container in containers.into_iter().flatten() {
        let variables = container.get_mut("environment");
        if let Some(variables) = variables.and_then(Value::as_array_mut) {
            variables.retain(|it| it.get("name") != Some(&json!(VARIABLE)));
        }
    }
}

/// Whether this is the stop of a run queue's task that should be started again.
pub fn is_wanted(detail: &Value) -> bool {
    let text = |field: &str| detail[field].as_str().unwrap_or_default();
    text("lastStatus") == "STOPPED"
        && text("stoppedReason").contains(REASON)
        && text("startedBy").starts_with(&format!("{PROGRAM}/"))
}

impl RunFromQueue {
    /// Whether the task says that this function started it. One without the variable, or of an earlier version, does not.
    pub fn is_own(&self, detail: &Value) -> bool {
        let carried = Rerun::of_task(detail);
        carried.is_some_and(|it| !it.function.is_empty() && it.function == self.function)
    }

    /// Starts a stopped task again, once for each time that it stopped. Whoever is told of the stop again asks under
    /// the same tokens in the same order, and gets the task that runs already.
    pub async fn run_again(
        &self,
        detail: &Value,
        now: Timestamp,
    ) -> Result<Vec<String>, RecordError> {
        let Some(mut carried) = Rerun::of_task(detail) else {
            return Err(InvalidMessage::Form(VARIABLE.to_owned(), "variable of this task").into());
        };
        if carried.again >= AT_MOST {
            return Err(RecordError::TooOften(carried.again));
        }
        carried.again += 1;
        let mut request = request(detail, &carried);
        self.allowed.check(&request)?;
        carried.note(&mut request)?;
        let task = detail["taskArn"].as_str().unwrap_or_default();
        let mut failures = Vec::new();
        for turn in 0..turns(detail, now) {
            let token = token(&[PROGRAM, "rerun", task, &turn.to_string()]);
            request.insert("clientToken".to_owned(), json!(token));
            let request = RunRequest::from_json(&Value::Object(request.clone()), &[])?;
            match task::start(&self.ecs, &request).await {
                Ok(started) => return Ok(started.tasks),
                Err(StartError::NotPlaced(of_turn)) => {
                    let has_reasons = !of_turn.is_empty();
                    let error = StartError::NotPlaced(of_turn.clone());
                    if !error.is_retryable() {
                        return Err(error.into());
                    }
                    if has_reasons {
                        failures = of_turn;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StartError::NotPlaced(failures).into())
    }
}

/// How many tokens may have been answered, or may be now, so long after the stop.
fn turns(detail: &Value, now: Timestamp) -> u32 {
    let stopped = detail["stoppedAt"].as_str().unwrap_or_default();
    let stopped = Time::read(stopped.to_owned()).instant();
    let passed = stopped.map(|stopped| now.duration_since(stopped).as_secs().max(0));
    let turns = passed.map(|seconds| u32::try_from(1 + seconds / SECONDS_A_TURN));
    match turns {
        Some(Ok(turns)) => turns.min(MOST_TURNS),
        Some(Err(_)) | None => MOST_TURNS,
    }
}

/// The request that would have made this task.
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

/// The overrides without the lists that an event shows empty.
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
    fn each_of_lambdas_tries_brings_a_new_token() {
        let stopped = "2026-11-20T04:02:05Z";
        let after = |seconds: i64| {
            let stopped: Timestamp = stopped.parse().unwrap();
            let now = stopped + jiff::SignedDuration::from_secs(seconds);
            turns(&json!({"stoppedAt": stopped.to_string()}), now)
        };
        let turns_of_tries = [after(-5), after(2), after(63), after(185), after(86_400)];
        assert_eq!(turns_of_tries, [1, 1, 2, 5, MOST_TURNS]);
        assert_eq!(turns(&json!({}), Timestamp::UNIX_EPOCH), MOST_TURNS);
    }

    #[test]
    fn what_is_carried_never_costs_the_task() {
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
            Rerun::first(request, "f").note(request).unwrap();
            assert!(json!(request)["overrides"].to_string().len() <= OVERRIDES);
            let carried = Rerun::of_task(&json!(request));
            let fields: Option<Vec<_>> = carried.map(|it| it.request.keys().cloned().collect());
            assert_eq!(fields.unwrap_or_default(), carries, "{command}");
        }
    }

    #[test]
    fn what_an_earlier_version_made_carry_is_read() {
        let value = json!({"again": 1, "network": {"awsvpcConfiguration": {}}}).to_string();
        let variable = json!({"name": VARIABLE, "value": value});
        let detail = json!({"overrides": {"containerOverrides": [{"environment": [variable]}]}});
        let carried = Rerun::of_task(&detail).unwrap();
        assert_eq!(carried.again, 1);
        assert!(carried.request.contains_key("networkConfiguration"));
    }
}
