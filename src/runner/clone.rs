//! A copy of a task definition for a one-off task. The copy keeps every field of the reference, except for the
//! requested changes and for settings that are wrong for a task that runs once beside its service.

mod container;

use serde_json::{Map, Value, json};

use super::definition::{TaskDefinition, is_essential};
use container::{name_of, redirect, run_once, set_variable};

pub use container::log_driver;

/// Fields that DescribeTaskDefinition returns and RegisterTaskDefinition does not accept.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html>
pub const READ_ONLY: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
];

/// The smallest task that Fargate runs. It is used if the reference has no task sizes.
const FARGATE_CPU: &str = "256";
const FARGATE_MEMORY: &str = "512";

/// The requested differences between the copy and the reference.
#[derive(Debug, Clone)]
pub struct Changes {
    pub family: String,
    /// The container to change. Without a name it is the first essential container.
    pub container: Option<String>,
    pub image: Option<String>,
    pub command: Vec<String>,
    /// Without a value, the entry point of the image is used.
    pub entry_point: Option<Vec<String>>,
    pub environment: Vec<(String, String)>,
    pub cpu: Option<String>,
    pub memory: Option<String>,
    pub task_role: TaskRole,
    pub tags: Vec<(String, String)>,
    pub host: LaunchTarget,
    pub logs: LogGroup,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TaskRole {
    #[default]
    OfReference,
    None,
    Other(String),
}

/// What the task will run on. The task definition must be compatible with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaunchTarget {
    Fargate,
    /// An EC2 instance, with a network configuration for `awsvpc`.
    InstanceWithNetwork,
    /// An EC2 instance, without a network configuration.
    Instance,
}

/// The log destination of the copy's containers.
#[derive(Debug, Clone)]
pub struct LogGroup {
    pub name: String,
    pub region: String,
    pub prefix: String,
}

/// The input of RegisterTaskDefinition.
#[derive(Debug, Clone)]
pub struct ClonedDefinition {
    pub body: Map<String, Value>,
    /// The container that was changed. Its exit code decides how the task ended.
    pub container: String,
    /// One sentence for each difference that was not requested.
    pub notes: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloneError {
    #[error("`{reference}` has no containers")]
    NoContainers { reference: String },
    #[error("`{reference}` has no container `{wanted}`; its containers: {}", names.join(", "))]
    NoSuchContainer {
        reference: String,
        wanted: String,
        names: Vec<String>,
    },
    #[error("--memory {0}: expected a number of MiB for the container, such as 512")]
    Memory(String),
    #[error("--cpu {0}: expected a number of CPU units for the container, such as 256")]
    Cpu(String),
}

/// Makes a copy of `reference` with `changes`.
pub fn clone(
    reference: &TaskDefinition,
    changes: &Changes,
) -> Result<ClonedDefinition, CloneError> {
    let container = chosen(reference, changes.container.as_deref())?;
    let mut body = reference.body.clone();
    for field in READ_ONLY {
        body.remove(field);
    }
    let mut copy = ClonedDefinition {
        body,
        container,
        notes: Vec::new(),
    };
    copy.set("family", json!(changes.family));
    copy.fit_host(changes.host);
    copy.drop_host_ports();
    copy.change_container(changes);
    copy.resize(changes)?;
    copy.change_role(&changes.task_role);
    copy.redirect_logs(&changes.logs);
    copy.retag(&reference.tags, &changes.tags);
    Ok(copy)
}

fn chosen(reference: &TaskDefinition, wanted: Option<&str>) -> Result<String, CloneError> {
    let family = reference.text("family").unwrap_or_default().to_owned();
    let names = reference.containers().map(|it| name_of(it).to_owned());
    let names: Vec<_> = names.collect();
    match wanted {
        Some(wanted) if names.iter().any(|name| name == wanted) => Ok(wanted.to_owned()),
        Some(wanted) => Err(CloneError::NoSuchContainer {
            reference: family,
            wanted: wanted.to_owned(),
            names,
        }),
        None => first_essential(reference).ok_or(CloneError::NoContainers { reference: family }),
    }
}

/// The container that a task is run for, if the caller does not name one.
pub fn first_essential(definition: &TaskDefinition) -> Option<String> {
    definition
        .containers()
        .find(|container| is_essential(container))
        .or_else(|| definition.containers().next())
        .map(|container| name_of(container).to_owned())
}

impl ClonedDefinition {
    /// The same definition without its tags, for callers without permission to set tags.
    #[must_use]
    pub fn without_tags(&self) -> Map<String, Value> {
        let mut body = self.body.clone();
        body.remove("tags");
        body
    }

    fn set(&mut self, field: &str, value: Value) {
        self.body.insert(field.to_owned(), value);
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field)?.as_str()
    }

    fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn containers(&mut self) -> impl Iterator<Item = &mut Map<String, Value>> {
        let containers = self.body.get_mut("containerDefinitions");
        containers
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object_mut)
    }

    /// The chosen container. ECS does not accept two containers with the same name, so the first one is enough.
    fn container(&mut self) -> Option<&mut Map<String, Value>> {
        let chosen = self.container.clone();
        self.containers().find(|it| name_of(it) == chosen)
    }

    fn fit_host(&mut self, host: LaunchTarget) {
        match host {
            LaunchTarget::Fargate => self.fit_fargate(),
            LaunchTarget::InstanceWithNetwork => self.fit_instance(),
            LaunchTarget::Instance => {
                self.fit_instance();
                if self.text("networkMode") == Some("awsvpc") {
                    self.body.remove("networkMode");
                    self.note(
                        "the network mode `awsvpc` of the reference is left out, because --networks-id is not set"
                            .to_owned(),
                    );
                }
            }
        }
    }

    fn fit_fargate(&mut self) {
        if let Some(mode) = self.text("networkMode").filter(|mode| *mode != "awsvpc") {
            let note = format!(
                "the network mode is `awsvpc` instead of the reference's `{mode}`, because Fargate has no other mode"
            );
            self.note(note);
        }
        self.set("networkMode", json!("awsvpc"));
        self.set("requiresCompatibilities", json!(["FARGATE"]));
        for (field, smallest) in [("cpu", FARGATE_CPU), ("memory", FARGATE_MEMORY)] {
            if self.body.get(field).is_none_or(Value::is_null) {
                self.set(field, json!(smallest));
            }
        }
        if self.has_any("placementConstraints") {
            self.body.remove("placementConstraints");
            self.note(
                "the placement constraints of the reference are left out, because Fargate does not support them".to_owned(),
            );
        }
    }

    fn fit_instance(&mut self) {
        let requires = self.body.get("requiresCompatibilities");
        let lists_other = requires
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty() && !list.contains(&json!("EC2")));
        if lists_other {
            self.body.remove("requiresCompatibilities");
        }
        if self
            .body
            .remove("ephemeralStorage")
            .is_some_and(|it| !it.is_null())
        {
            self.note("the ephemeral storage of the reference is left out, because only Fargate supports it".to_owned());
        }
    }

    fn has_any(&self, list: &str) -> bool {
        let list = self.body.get(list).and_then(Value::as_array);
        list.is_some_and(|list| !list.is_empty())
    }

    /// Only one task of a host can use a fixed port, and the service may already use it there.
    fn drop_host_ports(&mut self) {
        let mode = self.text("networkMode").map(str::to_owned);
        if mode.as_deref() == Some("awsvpc") {
            return;
        }
        let mut dropped = Vec::new();
        for container in self.containers() {
            let mappings = container
                .get_mut("portMappings")
                .and_then(Value::as_array_mut);
            for mapping in mappings
                .into_iter()
                .flatten()
                .filter_map(Value::as_object_mut)
            {
                let port = mapping.remove("hostPort").filter(|port| *port != json!(0));
                dropped.extend(port.map(|port| port.to_string()));
            }
            // In the network mode `host` each container port is a port of the host.
            if mode.as_deref() == Some("host") {
                container.remove("portMappings");
            }
        }
        if !dropped.is_empty() {
            let ports = dropped.join(", ");
            self.note(format!(
                "the fixed host ports of the reference are left out: {ports}"
            ));
        }
    }

    fn change_container(&mut self, changes: &Changes) {
        let mut notes = Vec::new();
        let Some(container) = self.container() else {
            return;
        };
        if let Some(image) = &changes.image {
            container.insert("image".to_owned(), json!(image));
        }
        container.insert("command".to_owned(), json!(changes.command));
        notes.extend(run_once(container));
        let inherited = match &changes.entry_point {
            Some(entry_point) => {
                container.insert("entryPoint".to_owned(), json!(entry_point));
                None
            }
            None => container.remove("entryPoint"),
        };
        if let Some(Value::Array(words)) = inherited
            && !words.is_empty()
        {
            let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
            let words = shell_words::join(words);
            notes.push(format!(
                "the entry point `{words}` of the reference is left out, so that the image's own is used (to set \
                 another: --entrypoint)"
            ));
        }
        for (name, value) in &changes.environment {
            if set_variable(container, name, value) {
                notes.push(format!(
                    "`{name}` has the given value instead of the reference's secret"
                ));
            }
        }
        self.notes.extend(notes);
    }

    /// Sets the sizes of the task if the definition has task sizes, and lets the chosen container use all of them.
    /// Otherwise sets the sizes of the container.
    fn resize(&mut self, changes: &Changes) -> Result<(), CloneError> {
        let of_task = self.text("cpu").is_some() || self.text("memory").is_some();
        let (cpu, memory) = (changes.cpu.as_ref(), changes.memory.as_ref());
        if of_task {
            for (field, size) in [("cpu", cpu), ("memory", memory)] {
                if let Some(size) = size {
                    self.set(field, json!(size));
                    if let Some(container) = self.container() {
                        container.remove(field);
                    }
                }
            }
        } else if let Some(container) = self.container() {
            if let Some(cpu) = cpu {
                let units: u32 = cpu.parse().map_err(|_| CloneError::Cpu(cpu.clone()))?;
                container.insert("cpu".to_owned(), json!(units));
            }
            if let Some(memory) = memory {
                let mib: u64 = memory
                    .parse()
                    .map_err(|_| CloneError::Memory(memory.clone()))?;
                container.insert("memory".to_owned(), json!(mib));
                let reserved = container.get("memoryReservation").and_then(Value::as_u64);
                if reserved.is_some_and(|reserved| reserved > mib) {
                    container.remove("memoryReservation");
                }
            }
        }
        Ok(())
    }

    fn change_role(&mut self, role: &TaskRole) {
        match role {
            TaskRole::OfReference => {}
            TaskRole::None => {
                self.body.remove("taskRoleArn");
            }
            TaskRole::Other(arn) => self.set("taskRoleArn", json!(arn)),
        }
    }

    /// Has the chosen container log to the log group that is read, and also all others that already log to CloudWatch.
    fn redirect_logs(&mut self, logs: &LogGroup) {
        let chosen = self.container.clone();
        let mut replaced = None;
        for container in self.containers() {
            let driver = log_driver(container).map(str::to_owned);
            let is_chosen = name_of(container) == chosen;
            if driver.as_deref() == Some("awslogs") {
                redirect(container, logs);
            } else if is_chosen {
                container.insert(
                    "logConfiguration".to_owned(),
                    json!({"logDriver": "awslogs"}),
                );
                redirect(container, logs);
                replaced = driver;
            }
        }
        if let Some(driver) = replaced {
            self.note(format!(
                "`{chosen}` logs to `{}` instead of the reference's `{driver}`",
                logs.name
            ));
        }
    }

    /// Tags of AWS itself (`aws:…`) cannot be set, and an empty list is not accepted.
    fn retag(&mut self, inherited: &[Value], given: &[(String, String)]) {
        let mut tags: Vec<(String, Value)> = Vec::new();
        let inherited = inherited.iter().filter_map(|tag| {
            let key = tag.get("key")?.as_str()?;
            (!key.starts_with("aws:")).then(|| (key.to_owned(), tag.clone()))
        });
        let given = given
            .iter()
            .map(|(key, value)| (key.clone(), json!({"key": key, "value": value})));
        for (key, tag) in inherited.chain(given) {
            tags.retain(|(other, _)| *other != key);
            tags.push((key, tag));
        }
        let tags: Vec<_> = tags.into_iter().map(|(_, tag)| tag).collect();
        self.body.remove("tags");
        if !tags.is_empty() {
            self.set("tags", json!(tags));
        }
    }
}

#[cfg(test)]
mod tests;
