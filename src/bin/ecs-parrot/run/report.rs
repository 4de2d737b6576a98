//! The output of `--output json` and of `--dry-run`.

use std::io::Write as _;

use ecs_parrot::aws::secret::REDACTED;
use ecs_parrot::ecs::event::Time;
use ecs_parrot::ecs::notice::Failure;
use ecs_parrot::runner::clone::READ_ONLY;
use ecs_parrot::runner::logs::ContainerStream;
use ecs_parrot::runner::outcome::{RunOutcome, TaskEnd};
use serde::Serialize;
use serde_json::{Map, Value, json};
use similar::{ChangeTag, TextDiff};

use super::plan::RunPlan;

/// The report of one run. Programs read it, so its names must not change.
#[derive(Debug, Default, Serialize)]
pub(crate) struct RunReport {
    /// The process's exit status.
    pub(crate) status: u8,
    pub(crate) error: Option<String>,
    pub(crate) advice: Option<String>,
    pub(crate) cluster: String,
    /// The task definition that was copied.
    pub(crate) reference: Option<String>,
    /// The registered copy.
    pub(crate) task_definition: Option<String>,
    /// The container whose exit code decides.
    pub(crate) container: Option<String>,
    pub(crate) tasks: Vec<TaskReport>,
    pub(crate) failures: Vec<FailureReport>,
    pub(crate) logs: Vec<LogReport>,
    pub(crate) warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct TaskReport {
    task_arn: String,
    last_status: Option<String>,
    exit_code: Option<i64>,
    /// Why the task stopped, in the words of the notifier.
    cause: Option<&'static str>,
    stop_code: Option<String>,
    stopped_reason: Option<String>,
    created_at: Option<String>,
    started_at: Option<String>,
    stopped_at: Option<String>,
    containers: Vec<ContainerReport>,
}

#[derive(Debug, Serialize)]
struct ContainerReport {
    name: Option<String>,
    exit_code: Option<i64>,
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct FailureReport {
    reason: String,
    detail: Option<String>,
    arn: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct LogReport {
    container: String,
    task: String,
    log_group: String,
    log_stream: String,
}

impl RunReport {
    pub(crate) fn add_failures(&mut self, failures: &[Failure]) {
        self.failures = failures.iter().map(FailureReport::of).collect();
    }

    pub(crate) fn add_outcome(&mut self, outcome: &RunOutcome) {
        self.tasks = outcome.ends().map(TaskReport::of).collect();
    }

    pub(crate) fn add_streams<'a>(&mut self, streams: impl Iterator<Item = &'a ContainerStream>) {
        self.logs = streams.map(LogReport::of).collect();
    }

    /// Tasks of which only the ARN is known yet.
    pub(crate) fn add_started(&mut self, tasks: &[String]) {
        self.tasks = tasks.iter().map(|arn| TaskReport::started(arn)).collect();
    }
}

impl TaskReport {
    fn of(end: TaskEnd<'_>) -> Self {
        let facts = &end.task.facts;
        let time = |time: &Option<Time>| time.as_ref().map(|time| time.text().to_owned());
        let containers = facts.containers.iter().map(|container| ContainerReport {
            name: container.name.clone(),
            exit_code: container.exit_code,
            reason: container.reason.clone(),
        });
        Self {
            task_arn: end.task.arn.clone(),
            last_status: facts.last_status.clone(),
            exit_code: end.exit_code(),
            cause: end.task.has_stopped().then(|| end.cause().into()),
            stop_code: facts.stop_code.clone(),
            stopped_reason: facts.stopped_reason.clone(),
            created_at: time(&end.task.created_at),
            started_at: time(&facts.started_at),
            stopped_at: time(&facts.stopped_at),
            containers: containers.collect(),
        }
    }

    fn started(arn: &str) -> Self {
        Self {
            task_arn: arn.to_owned(),
            last_status: None,
            exit_code: None,
            cause: None,
            stop_code: None,
            stopped_reason: None,
            created_at: None,
            started_at: None,
            stopped_at: None,
            containers: Vec::new(),
        }
    }
}

impl FailureReport {
    fn of(failure: &Failure) -> Self {
        Self {
            reason: failure.reason.clone(),
            detail: failure.detail.clone(),
            arn: failure.arn.clone(),
        }
    }
}

impl LogReport {
    fn of(stream: &ContainerStream) -> Self {
        Self {
            container: stream.container.clone(),
            task: stream.task.clone(),
            log_group: stream.group.clone(),
            log_stream: stream.name.clone(),
        }
    }
}

/// `--dry-run` for people: the differences to the reference, then the request.
pub(crate) fn show_plan(plan: &RunPlan) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    let (old, new) = (pretty(&reference(plan))?, pretty(&copy(plan))?);
    writeln!(
        out,
        "task definition, compared with {}:",
        plan.reference.arn()
    )?;
    let diff = TextDiff::from_lines(&old, &new);
    for (index, group) in diff.grouped_ops(3).iter().enumerate() {
        if index > 0 {
            writeln!(out, "  …")?;
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (mark, colour) = match change.tag() {
                ChangeTag::Delete => ("-", anstyle::AnsiColor::Red.on_default()),
                ChangeTag::Insert => ("+", anstyle::AnsiColor::Green.on_default()),
                ChangeTag::Equal => (" ", anstyle::Style::new()),
            };
            let line = change.value().trim_end_matches('\n');
            writeln!(out, "{colour}{mark} {line}{colour:#}")?;
        }
    }
    writeln!(out, "\nRunTask:\n{:#}", plan.request.to_json())?;
    Ok(())
}

/// `--dry-run` for programs.
pub(crate) fn plan_json(plan: &RunPlan) -> Value {
    json!({
        "reference": reference(plan),
        "task_definition": copy(plan),
        "request": plan.request.to_json(),
        "notes": plan.notes,
    })
}

fn pretty(body: &Map<String, Value>) -> serde_json::Result<String> {
    serde_json::to_string_pretty(body).map(|text| text + "\n")
}

/// The reference without its read-only fields, so that it can be compared with the copy.
fn reference(plan: &RunPlan) -> Map<String, Value> {
    let mut body = plan.reference.body.clone();
    for field in READ_ONLY {
        body.remove(field);
    }
    if !plan.reference.tags.is_empty() {
        body.insert("tags".to_owned(), json!(plan.reference.tags));
    }
    hide_values(body, &[])
}

fn copy(plan: &RunPlan) -> Map<String, Value> {
    hide_values(plan.clone.body.clone(), &plan.given_variables)
}

/// Replaces the values of variables, which are often secrets and must not be in the log of a CI job. The values of the
/// `given` variables get another replacement, so that the comparison shows them as different.
fn hide_values(mut body: Map<String, Value>, given: &[String]) -> Map<String, Value> {
    let containers = body.get_mut("containerDefinitions");
    let containers = containers.and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        let variables = container.get_mut("environment");
        let variables = variables.and_then(Value::as_array_mut);
        let variables = variables.into_iter().flatten();
        for variable in variables.filter_map(Value::as_object_mut) {
            let name = variable.get("name").and_then(Value::as_str);
            let is_given = name.is_some_and(|name| given.iter().any(|given| given == name));
            let by = if is_given { ", given by --env" } else { "" };
            variable.insert("value".to_owned(), json!(format!("{REDACTED}{by}")));
        }
    }
    body
}
