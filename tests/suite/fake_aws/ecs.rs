//! ECS: clusters, services, task definitions as the JSON that they were registered with, and tasks that change their
//! state as a test plans it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::hosts::Hosts;
use super::logs::Logs;
use super::{Answer, FakeAws, Refusal, arn};

#[derive(Default)]
pub(super) struct Ecs {
    pub(super) clusters: Vec<String>,
    pub(super) hosts: Hosts,
    services: BTreeMap<String, Value>,
    revisions: BTreeMap<String, Value>,
    pub(super) definitions: Vec<Definition>,
    lives: VecDeque<Life>,
    tasks: Vec<Task>,
    /// Tasks and instances that exist before the test, by their ids, as the describe calls return them.
    pub(super) described: BTreeMap<String, Value>,
    /// The RunTask request of each client token, and the tasks that it started.
    tokens: BTreeMap<String, (Value, Vec<String>)>,
}

pub(super) struct Definition {
    pub(super) body: Map<String, Value>,
    tags: Value,
    is_registered_by_call: bool,
}

/// The plan for the next task: its states, each for a number of DescribeTasks calls, and how it ends.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    /// How many DescribeTasks calls do not find the task yet.
    pub(crate) unknown: usize,
    pub(crate) states: Vec<(&'static str, usize)>,
    /// The task runs until StopTask is called.
    pub(crate) endless: bool,
    /// Fields of the containers while the task runs, by container name.
    pub(crate) running: Value,
    /// Fields of the task once it has stopped.
    pub(crate) end: Value,
    /// Fields of the containers once the task has stopped, by container name.
    pub(crate) containers: Value,
    pub(crate) logs: Vec<Log>,
    /// If this is not empty, RunTask starts no task and returns these failures.
    pub(crate) failures: Vec<Value>,
}

/// A log line of a container, and how long after the start it can be read.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) container: &'static str,
    pub(crate) after: Duration,
    pub(crate) at: i64,
    pub(crate) text: String,
}

impl Default for Life {
    fn default() -> Self {
        Self {
            unknown: 0,
            states: vec![("PENDING", 1), ("RUNNING", 1)],
            endless: false,
            running: json!({}),
            end: json!({
                "stopCode": "EssentialContainerExited",
                "stoppedReason": "Essential container in task exited",
            }),
            containers: json!({"app": {"exitCode": 0}}),
            logs: Vec::new(),
            failures: Vec::new(),
        }
    }
}

struct Task {
    arn: String,
    definition: String,
    life: Life,
    describes: usize,
    stop_reason: Option<String>,
    /// The body of the RunTask call.
    request: Value,
}

impl FakeAws {
    pub(crate) fn cluster(&self, name: &str) {
        self.state().ecs.clusters.push(name.to_owned());
    }

    pub(crate) fn service(&self, name: &str, service: Value) {
        self.state().ecs.services.insert(name.to_owned(), service);
    }

    pub(crate) fn service_revision(&self, arn: &str, revision: Value) {
        let mut state = self.state();
        state.ecs.revisions.insert(arn.to_owned(), revision);
    }

    /// The ARNs of the tasks that were started, in this order.
    pub(crate) fn tasks(&self) -> Vec<String> {
        let state = self.state();
        state
            .ecs
            .tasks
            .iter()
            .map(|task| task.arn.clone())
            .collect()
    }

    /// The ARNs of the tasks that run and for which StopTask was not called.
    pub(crate) fn running(&self) -> Vec<String> {
        let state = self.state();
        let tasks = state
            .ecs
            .tasks
            .iter()
            .filter(|task| task.status() != "STOPPED");
        tasks.map(|task| task.arn.clone()).collect()
    }

    /// Ends a task now, as its plan says.
    pub(crate) fn end(&self, task: &str) {
        let mut state = self.state();
        let task = state
            .ecs
            .tasks
            .iter_mut()
            .find(|it| it.arn == task)
            .unwrap();
        task.life.states = Vec::new();
    }

    /// The event of a task's stop, as EventBridge delivers it.
    pub(crate) fn stop_event(&self, task: &str) -> Value {
        let state = self.state();
        let task = state.ecs.tasks.iter().find(|it| it.arn == task).unwrap();
        json!({
            "version": "0",
            "id": "8e07966c-b500-4a24-a0a5-3a4c2f7c1f9e",
            "detail-type": "ECS Task State Change",
            "source": "aws.ecs",
            "detail": task.shown(),
        })
    }

    /// Adds a task definition that exists before the test, with its tags.
    pub(crate) fn definition(&self, body: Value, tags: Value) -> String {
        let mut state = self.state();
        state.ecs.keep(body, tags, false)
    }

    /// Adds a task or a container instance that exists before the test.
    pub(crate) fn described(&self, id: &str, shown: Value) {
        self.state().ecs.described.insert(id.to_owned(), shown);
    }

    pub(crate) fn forget(&self, id: &str) {
        self.state().ecs.described.remove(id);
    }

    pub(crate) fn next_task(&self, life: Life) {
        self.state().ecs.lives.push_back(life);
    }

    /// What calls created and did not clean up: tasks that still run, ACTIVE revisions, and empty log groups.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        let state = self.state();
        let tasks = state
            .ecs
            .tasks
            .iter()
            .filter(|task| task.status() != "STOPPED");
        let revisions = state.ecs.definitions.iter();
        let revisions =
            revisions.filter(|it| it.is_registered_by_call && it.body["status"] == "ACTIVE");
        tasks
            .map(|task| task.arn.clone())
            .chain(revisions.map(|it| it.arn().to_owned()))
            .chain(state.logs.created_groups())
            .collect()
    }
}

impl Definition {
    pub(super) fn arn(&self) -> &str {
        self.body["taskDefinitionArn"].as_str().unwrap()
    }
}

impl Ecs {
    pub(super) fn act(&mut self, operation: &str, body: &Value, logs: &mut Logs) -> Answer {
        match operation {
            "DescribeTaskDefinition" => self.describe_definition(body),
            "RegisterTaskDefinition" => self.register(body),
            "DeregisterTaskDefinition" => self.deregister(body),
            "DescribeServices" => self.describe_services(body),
            "DescribeServiceRevisions" => {
                let name = body["serviceRevisionArns"][0].as_str().unwrap();
                Ok(
                    json!({"serviceRevisions": self.revisions.get(name).into_iter().collect::<Vec<_>>()}),
                )
            }
            "RunTask" => self.run_task(body, logs),
            "DescribeTasks" => self.describe_tasks(body),
            "DescribeContainerInstances" => self.describe_instances(body),
            "ListClusters" => self.list_clusters(body),
            "DescribeClusters" => self.describe_clusters(body),
            "DescribeCapacityProviders" => self.describe_providers(body),
            "ListContainerInstances" => self.list_instances(body),
            "ListTasks" => self.list_tasks(body),
            "StopTask" => self.stop_task(body),
            other => panic!("the fake ECS does not support {other}"),
        }
    }

    fn keep(&mut self, body: Value, tags: Value, is_registered_by_call: bool) -> String {
        let Value::Object(mut body) = body else {
            panic!("a definition is an object")
        };
        let family = body["family"].as_str().unwrap().to_owned();
        let revision = 1 + self
            .definitions
            .iter()
            .filter(|it| it.body["family"] == family.as_str())
            .count();
        let arn = arn(&format!("task-definition/{family}:{revision}"));
        for (field, value) in [
            ("taskDefinitionArn", json!(arn)),
            ("revision", json!(revision)),
            ("status", json!("ACTIVE")),
            (
                "requiresAttributes",
                json!([{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}]),
            ),
            ("compatibilities", json!(["EC2"])),
            ("registeredAt", json!(1_790_000_000.25)),
            (
                "registeredBy",
                json!("arn:aws:sts::210987654321:assumed-role/ci/session"),
            ),
        ] {
            body.insert(field.to_owned(), value);
        }
        self.definitions.push(Definition {
            body,
            tags,
            is_registered_by_call,
        });
        arn
    }

    /// Finds a definition by ARN, by `family:revision`, or by family: its latest ACTIVE revision.
    pub(super) fn find(&self, name: &str) -> Option<&Definition> {
        let id = name.rsplit('/').next().unwrap();
        self.definitions.iter().rev().find(|it| {
            let full = it.arn().rsplit('/').next().unwrap();
            full == id || (full.split(':').next() == Some(id) && it.body["status"] == "ACTIVE")
        })
    }

    fn describe_definition(&self, body: &Value) -> Answer {
        let found = self.find(body["taskDefinition"].as_str().unwrap());
        let found = found.ok_or_else(|| {
            Refusal::new("ClientException", "Unable to describe task definition.")
        })?;
        let mut answer = json!({"taskDefinition": found.body});
        if body["include"] == json!(["TAGS"]) {
            answer["tags"] = found.tags.clone();
        }
        Ok(answer)
    }

    fn register(&mut self, body: &Value) -> Answer {
        for field in [
            "taskDefinitionArn",
            "revision",
            "status",
            "requiresAttributes",
            "compatibilities",
        ] {
            if body.get(field).is_some() {
                return Err(Refusal::new(
                    "SerializationException",
                    &format!("unexpected {field}"),
                ));
            }
        }
        if body["tags"] == json!([]) {
            return Err(Refusal::new(
                "InvalidParameterException",
                "Tags can not be empty.",
            ));
        }
        let mut kept = body.clone();
        let tags = kept
            .as_object_mut()
            .unwrap()
            .remove("tags")
            .unwrap_or_else(|| json!([]));
        let arn = self.keep(kept, tags, true);
        Ok(json!({"taskDefinition": self.find(&arn).unwrap().body}))
    }

    fn deregister(&mut self, body: &Value) -> Answer {
        let arn = body["taskDefinition"].as_str().unwrap();
        let found = self.definitions.iter_mut().find(|it| it.arn() == arn);
        let found = found.ok_or_else(|| {
            Refusal::new(
                "ClientException",
                "The specified task definition does not exist.",
            )
        })?;
        found.body.insert("status".to_owned(), json!("INACTIVE"));
        Ok(json!({"taskDefinition": found.body}))
    }

    fn describe_services(&self, body: &Value) -> Answer {
        self.check_cluster(body)?;
        let (mut services, mut failures) = (Vec::new(), Vec::new());
        for name in body["services"].as_array().unwrap() {
            let name = name.as_str().unwrap();
            match self.services.get(name) {
                Some(service) => services.push(with_tags_if_asked(service, body)),
                None => failures.push(json!({"arn": arn(name), "reason": "MISSING"})),
            }
        }
        Ok(json!({"services": services, "failures": failures}))
    }

    pub(super) fn check_cluster(&self, body: &Value) -> Result<(), Refusal> {
        let name = body["cluster"].as_str().unwrap_or("default");
        let name = name.rsplit('/').next().unwrap();
        if self.clusters.iter().any(|it| it == name) {
            Ok(())
        } else {
            Err(Refusal::new(
                "ClusterNotFoundException",
                "Cluster not found.",
            ))
        }
    }

    fn run_task(&mut self, body: &Value, logs: &mut Logs) -> Answer {
        self.check_cluster(body)?;
        let name = body["taskDefinition"].as_str().unwrap();
        let found = self.find(name).filter(|it| it.body["status"] == "ACTIVE");
        let found =
            found.ok_or_else(|| Refusal::new("ClientException", "TaskDefinition is inactive"))?;
        let needs_network = found.body.get("networkMode") == Some(&json!("awsvpc"));
        if needs_network && body.get("networkConfiguration").is_none() {
            return Err(Refusal::new(
                "InvalidParameterException",
                "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            ));
        }
        let definition = found.arn().to_owned();
        let token = body["clientToken"]
            .as_str()
            .expect("a client token")
            .to_owned();
        if let Some((asked, tasks)) = self.tokens.get(&token) {
            if asked != body {
                let message = "The request could not be processed due to conflicts.";
                return Err(
                    Refusal::new("ConflictException", message).with(json!({"resourceIds": tasks}))
                );
            }
            return Ok(json!({"tasks": self.shown(tasks), "failures": []}));
        }
        let cluster = body["cluster"]
            .as_str()
            .unwrap_or("default")
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned();
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for _ in 0..body["count"].as_u64().unwrap_or(1) {
            let life = self.lives.pop_front().unwrap_or_default();
            if !life.failures.is_empty() {
                failures.extend(life.failures);
                continue;
            }
            let id = format!("{:032x}", 0x1a2b_3c4d_u128 << 96 | self.tasks.len() as u128);
            let arn = arn(&format!("task/{cluster}/{id}"));
            logs.open(self.find(&definition).unwrap(), &id, &life.logs);
            self.tasks.push(Task {
                arn: arn.clone(),
                definition: definition.clone(),
                life,
                describes: 0,
                stop_reason: None,
                request: body.clone(),
            });
            tasks.push(arn);
        }
        self.tokens.insert(token, (body.clone(), tasks.clone()));
        Ok(json!({"tasks": self.shown(&tasks), "failures": failures}))
    }

    fn shown(&self, arns: &[String]) -> Vec<Value> {
        let tasks = self.tasks.iter().filter(|task| arns.contains(&task.arn));
        tasks.map(Task::shown).collect()
    }

    fn describe_tasks(&mut self, body: &Value) -> Answer {
        self.check_cluster(body)?;
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for name in body["tasks"].as_array().unwrap() {
            let id = name.as_str().unwrap().rsplit('/').next().unwrap();
            if let Some(shown) = self.described.get(id) {
                tasks.push(with_tags_if_asked(shown, body));
                continue;
            }
            let task = self.tasks.iter_mut().find(|task| task.arn.ends_with(id));
            if let Some(task) = task {
                task.describes += 1;
                if task.describes > task.life.unknown {
                    tasks.push(task.shown());
                    continue;
                }
            }
            failures.push(json!({"arn": arn(&format!("task/{id}")), "reason": "MISSING"}));
        }
        Ok(json!({"tasks": tasks, "failures": failures}))
    }

    fn describe_instances(&self, body: &Value) -> Answer {
        self.check_cluster(body)?;
        let (mut instances, mut failures) = (Vec::new(), Vec::new());
        let wanted = body["containerInstances"].as_array().unwrap();
        assert!((1..=100).contains(&wanted.len()), "{body}");
        for name in wanted {
            let id = name.as_str().unwrap().rsplit('/').next().unwrap();
            match self.described.get(id) {
                Some(shown) => instances.push(shown.clone()),
                None => failures.push(
                    json!({"arn": arn(&format!("container-instance/{id}")), "reason": "MISSING"}),
                ),
            }
        }
        Ok(json!({"containerInstances": instances, "failures": failures}))
    }

    fn stop_task(&mut self, body: &Value) -> Answer {
        self.check_cluster(body)?;
        let name = body["task"].as_str().unwrap();
        let task = self.tasks.iter_mut().find(|task| task.arn == name);
        let task = task.ok_or_else(|| {
            Refusal::new(
                "InvalidParameterException",
                "The referenced task was not found.",
            )
        })?;
        task.stop_reason = Some(body["reason"].as_str().unwrap_or_default().to_owned());
        Ok(json!({"task": task.shown()}))
    }
}

impl Task {
    fn status(&self) -> &'static str {
        if self.stop_reason.is_some() {
            return "STOPPED";
        }
        let mut describes = self.describes.saturating_sub(self.life.unknown);
        for (state, lasts) in &self.life.states {
            if describes <= *lasts {
                return state;
            }
            describes -= lasts;
        }
        if self.life.endless {
            "RUNNING"
        } else {
            "STOPPED"
        }
    }

    fn shown(&self) -> Value {
        const STARTED: f64 = 1_790_000_010.0;
        let status = self.status();
        let mut task = json!({
            "taskArn": self.arn,
            "clusterArn": arn("cluster/prod"),
            "taskDefinitionArn": self.definition,
            "lastStatus": status,
            "desiredStatus": if status == "STOPPED" { "STOPPED" } else { "RUNNING" },
            "createdAt": STARTED - 10.0,
            "version": self.describes,
        });
        let has_stopped = status == "STOPPED";
        let mut end = self.life.end.clone();
        if let Some(reason) = &self.stop_reason {
            end = json!({"stopCode": "UserInitiated", "stoppedReason": reason});
        }
        let never_ran = end["stopCode"] == "TaskFailedToStart";
        if status == "RUNNING" || (has_stopped && !never_ran) {
            task["startedAt"] = json!(STARTED);
        }
        let containers = self
            .life
            .containers
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, ended)| {
                let mut container = json!({"name": name, "lastStatus": status});
                if has_stopped {
                    merge(&mut container, ended);
                }
                if self.stop_reason.is_some() {
                    container["exitCode"] = json!(143);
                }
                // A container that ended before the task keeps its fields.
                match self.life.running.get(name) {
                    Some(early) if status == "RUNNING" || self.stop_reason.is_some() => {
                        merge(&mut container, early);
                    }
                    Some(_) | None => {}
                }
                container
            });
        task["containers"] = containers.collect();
        if has_stopped {
            merge(&mut task, &end);
            task["stoppedAt"] = json!(STARTED + 33.5);
        }
        for field in [
            "startedBy",
            "overrides",
            "launchType",
            "platformVersion",
            "group",
        ] {
            if let Some(value) = self.request.get(field) {
                task[field] = value.clone();
            }
        }
        task
    }
}

/// ECS gives the tags of a service or a task only if `include` has `TAGS`.
fn with_tags_if_asked(shown: &Value, body: &Value) -> Value {
    let mut shown = shown.clone();
    let include = body["include"].as_array();
    let are_asked = include.is_some_and(|it| it.contains(&json!("TAGS")));
    if !are_asked && let Some(fields) = shown.as_object_mut() {
        fields.remove("tags");
    }
    shown
}

fn merge(value: &mut Value, more: &Value) {
    for (field, it) in more.as_object().unwrap() {
        value[field] = it.clone();
    }
}
