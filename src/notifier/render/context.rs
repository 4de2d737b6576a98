//! The names that a template can use. All kinds of messages have the same names.
//!
//! A fact that an event does not contain is `none`, so only a misspelt name is undefined. Every text is cleaned here,
//! before the markup of a channel escapes it.

mod expected;
mod other_services;
mod summary;
mod thread;
mod words;

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

use serde::Serialize;
use tera::Value;

use super::clean::{clean, clean_all};
use super::{NameSettings, ThreadMessage, View};
use crate::ecs::arn::Arn;
use crate::ecs::diagnosis::Cause;
use crate::ecs::diagnosis::{
    blames, blames_container, explain, in_words, launches, placement, says_nothing, signal,
};
use crate::ecs::event::{HookStateChange, InstanceHealthChange, InstanceStateChange, Time};
use crate::ecs::links;
use crate::ecs::notice::{
    CallFacts, CallPurpose, Facts, Kind, Notice, Resource, ServiceFacts, Subject, TaskFacts,
    TaskSource, UnknownFacts,
};
use crate::ecs::service_events::{is_rollback, rollback_target, without_names};
use crate::notifier::channel::ChannelType;
use crate::notifier::channel::markup::escape;
use crate::notifier::group::{Form, Group};
use crate::notifier::policy::Priority;
use crate::notifier::tag_keys::TagKeys;
use crate::notifier::thread::{ShownNotice, UnixTime};
use expected::ExpectedNames;
use other_services::{CommandNames, DAEMON_PAGE, daemon_advice};
use summary::{SummaryCount, counts, lines};
use thread::{ThreadNames, thread_names};
use words::{
    deployment_reason, deployment_text, duration, event_text, event_why, hook_text, hook_why,
    image, plural,
};

pub(super) use summary::MOST_LINES;
pub(super) use words::mark;

/// The most items in one list. No channel can show more. The channel counts the lines that it leaves out.
const LONGEST_LIST: usize = 100;

/// The most task ids in a message of many events.
const MOST_TASKS: usize = 5;

/// The most links to logs of containers. A task may have ten containers, most of them sidecars.
const MOST_LOGS: usize = 4;

/// The cleaned values for a template.
pub(super) struct Context {
    values: tera::Context,
    event_id: String,
}

impl Context {
    /// `headlines` are those of a summary's parts, in the channel's markup.
    pub(super) fn new(
        view: View,
        group: &Group<'_>,
        headlines: &[String],
        settings: &NameSettings,
    ) -> Self {
        let notice = group.first();
        let mut names = TemplateNames::new(view, notice, group.priority, settings);
        names.add_group(group);
        let mut context = Self::of_names(view, &names, notice);
        context
            .values
            .insert_value("lines", lines(group, headlines));
        context
    }

    fn of_names(view: View, names: &TemplateNames, notice: &Notice) -> Self {
        let mut values = tera::Context::new();
        for (name, value) in clean_all(names, view.markup()) {
            values.insert_value(name, value);
        }
        Self {
            values,
            event_id: escape(
                view.markup(),
                &clean(
                    notice.origin.event_id.as_deref().unwrap_or("without an id"),
                    view.markup(),
                ),
            ),
        }
    }

    /// The names of a thread's message. The headline and the details are those of the event that it shows, rendered
    /// already.
    pub(super) fn of_thread(
        view: View,
        shown: &ThreadMessage<'_>,
        event: &ShownNotice,
        (headline, details): (&str, &str),
        settings: &NameSettings,
    ) -> Self {
        let group = Group::of_one(&event.notice, event.priority);
        let mut names = TemplateNames::new(view, &event.notice, event.priority, settings);
        names.add_group(&group);
        names.add_thread(shown);
        let mut context = Self::of_names(view, &names, &event.notice);
        let values = &mut context.values;
        values.insert_value("event_headline", Value::safe_string(headline));
        values.insert_value("event_details", Value::safe_string(details));
        values.insert_value("lines", lines(&group, &[]));
        context
    }

    pub(super) fn values(&self) -> &tera::Context {
        &self.values
    }

    pub(super) fn event_id(&self) -> &str {
        &self.event_id
    }
}

/// All names.
pub(super) fn names() -> &'static HashSet<String> {
    static NAMES: OnceLock<HashSet<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        clean_all(&TemplateNames::default(), ChannelType::Terminal.markup())
            .into_iter()
            .map(|(name, _)| name.to_owned())
            .collect()
    })
}

/// docs/templates.md explains these names. A test compares both.
#[derive(Debug, Default, Serialize)]
struct TemplateNames {
    // Every message.
    channel: &'static str,
    kind: &'static str,
    severity: &'static str,
    mark: &'static str,
    urgent: bool,
    cause: Option<&'static str>,
    cause_text: Option<String>,
    advice: Option<&'static str>,
    advice_url: Option<&'static str>,
    event_id: Option<String>,
    detail_type: Option<String>,
    source: Option<String>,
    account: Option<String>,
    account_name: Option<String>,
    lookup_problem: Option<String>,
    region: Option<String>,
    happened_at: Option<String>,
    // Messages about several events.
    count: usize,
    first_at: Option<String>,
    last_at: Option<String>,
    task_ids: Vec<String>,
    counts: Vec<SummaryCount>,
    /// Set separately, because its texts are markup already.
    lines: Vec<()>,
    others: usize,
    // Messages about threads.
    thread: Option<ThreadNames>,
    /// Set separately, as `lines`.
    event_headline: Option<()>,
    event_details: Option<()>,
    // The subject of the event.
    cluster: Option<String>,
    service: Option<String>,
    family: Option<String>,
    revision: Option<String>,
    task_definition: Option<String>,
    task: Option<String>,
    task_short: Option<String>,
    instance: Option<String>,
    ec2_instance: Option<String>,
    resource: Option<String>,
    availability_zone: Option<String>,
    cluster_url: Option<String>,
    service_url: Option<String>,
    task_definition_url: Option<String>,
    task_url: Option<String>,
    logs_url: Option<String>,
    instance_url: Option<String>,
    alarm_url: Option<String>,
    event_url: Option<String>,
    links: Vec<LinkNames>,
    /// A tag that a template names and that is absent or not known is none. They keep their order: a message that is
    /// rendered again must not differ.
    tags: BTreeMap<String, Option<String>>,
    // The actor.
    actor: Option<String>,
    actor_via: Option<String>,
    source_ip: Option<String>,
    // API calls.
    call: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
    failures: Vec<FailureNames>,
    launched: usize,
    changes: Vec<Labelled>,
    forced: bool,
    effect: Option<String>,
    scaled_to: Option<i64>,
    // Tasks.
    status: Option<String>,
    desired_status: Option<String>,
    stop_code: Option<String>,
    stopped_reason: Option<String>,
    started_by: Option<String>,
    launch_type: Option<String>,
    ran_for: Option<String>,
    containers: Vec<ContainerNames>,
    blames_container: bool,
    is_report: bool,
    // Services and deployments.
    event_name: Option<String>,
    event_text: Option<String>,
    event_why: Option<&'static str>,
    event_type: Option<String>,
    reason: Option<String>,
    deployment: Option<String>,
    is_rollback: bool,
    /// Whether nobody needs to do anything any more.
    is_over: bool,
    capacity_providers: Vec<String>,
    tasks: Vec<String>,
    instances: Vec<String>,
    targets: Vec<String>,
    running_tasks: Option<i64>,
    desired_tasks: Option<i64>,
    pending_tasks: Option<i64>,
    failed_tasks: Option<i64>,
    service_deployment: Option<String>,
    hook: Option<String>,
    hook_type: Option<String>,
    lifecycle_stage: Option<String>,
    expires_at: Option<String>,
    timeout_action: Option<String>,
    // Container instances.
    agent_version: Option<String>,
    docker_version: Option<String>,
    health_checks: Vec<HealthCheckNames>,
    // What EC2 and Auto Scaling say about instances.
    group: Option<String>,
    action: Option<String>,
    services: Vec<String>,
    task_count: Option<usize>,
    // Deployments of daemons, and of CodeDeploy.
    failure_type: Option<String>,
    application: Option<String>,
    // Events of AWS Health.
    type_code: Option<String>,
    category: Option<String>,
    description: Option<String>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    affected_services: Vec<String>,
    standalone_tasks: Vec<String>,
    affected_instances: Vec<String>,
    affected_others: Vec<String>,
    commands: Vec<CommandNames>,
    // Scaling.
    old_count: Option<i64>,
    new_count: Option<i64>,
    max_count: Option<i64>,
    // Alarms.
    alarm: Option<String>,
    measured: Option<String>,
    triggered_by: Vec<String>,
    // What did not run.
    expected: Option<ExpectedNames>,
    // Events of an unknown type.
    fields: Vec<Labelled>,
}

#[derive(Debug, Serialize)]
struct ContainerNames {
    name: String,
    image: Option<String>,
    status: Option<String>,
    exit_code: Option<i64>,
    signal: Option<&'static str>,
    reason: Option<String>,
    blamed: bool,
    logs_url: Option<String>,
    log_tail: Vec<String>,
}

#[derive(Debug, Serialize)]
struct LinkNames {
    text: String,
    url: String,
}

#[derive(Debug, Serialize)]
struct FailureNames {
    reason: String,
    detail: Option<String>,
    resource: Option<String>,
}

#[derive(Debug, Serialize)]
struct Labelled {
    label: String,
    value: String,
}

#[derive(Debug, Serialize)]
struct HealthCheckNames {
    name: String,
    status: Option<String>,
    reason: Option<String>,
    since: Option<String>,
}

impl TemplateNames {
    fn new(view: View, notice: &Notice, priority: Priority, settings: &NameSettings) -> Self {
        let origin = &notice.origin;
        let subject = &notice.subject;
        let pages = notice.links.clone();
        let actor = notice.actor.clone();
        let mut names = Self {
            channel: view.channel.into(),
            kind: notice.kind.into(),
            severity: priority.severity.into(),
            mark: mark(priority.severity),
            urgent: priority.urgent,
            cause: priority.cause.map(Into::into),
            cause_text: priority.cause.map(in_words).map(str::to_owned),
            event_id: origin.event_id.clone(),
            detail_type: origin.detail_type.clone(),
            source: origin.source.clone(),
            account: origin.account.clone(),
            account_name: origin.account_name.clone(),
            lookup_problem: origin.lookup_problem.clone(),
            region: origin.region.clone(),
            happened_at: text(origin.time.as_ref()),
            cluster: subject.cluster.clone(),
            service: subject.service.clone(),
            family: subject.family.clone(),
            revision: subject.revision.clone(),
            task_definition: subject.task_definition(),
            task: subject.task.clone(),
            task_short: subject.task_short(),
            instance: subject.container_instance.clone(),
            ec2_instance: subject.ec2_instance.clone(),
            resource: subject.resource.as_ref().map(Resource::in_words),
            availability_zone: subject.availability_zone.clone(),
            cluster_url: pages.cluster,
            service_url: pages.service,
            task_definition_url: pages.task_definition,
            task_url: pages.task,
            logs_url: pages.logs,
            instance_url: pages.container_instance,
            alarm_url: pages.alarm,
            event_url: settings.archived(notice),
            actor: actor.as_ref().map(|actor| actor.name.clone()),
            actor_via: actor.as_ref().and_then(|actor| actor.via.clone()),
            source_ip: actor.and_then(|actor| actor.source_ip),
            ..Self::default()
        };
        names.add_facts(&notice.facts, notice.kind, priority);
        names.add_tags(view, subject, &settings.tag_keys);
        names.links = names.all_links();
        names
    }

    fn add_group(&mut self, group: &Group<'_>) {
        let times = group
            .notices
            .iter()
            .filter_map(|it| it.origin.time.as_ref());
        let mut times: Vec<_> = times.collect();
        times.sort_by_key(|time| time.instant());
        self.count = group.notices.len();
        self.first_at = text(times.first().copied());
        self.last_at = text(times.last().copied());
        if self.count > 1 {
            let tasks = group
                .notices
                .iter()
                .filter_map(|it| it.subject.task_short());
            self.task_ids = tasks.take(MOST_TASKS).collect();
        }
        // Only for tasks is the text of the cause about the counted items.
        let is_of_tasks = matches!(group.first().facts, Facts::Task(_));
        if self.count > 1 && is_of_tasks {
            self.cause_text = self.cause_text.take().map(|words| plural(&words));
        }
        if group.form == Form::Summary {
            let others = group.parts.iter().skip(MOST_LINES);
            self.others = others.map(|part| part.notices.len()).sum();
            self.counts = counts(group);
            let cluster = &group.first().subject.cluster;
            let is_one = group
                .notices
                .iter()
                .all(|it| it.subject.cluster == *cluster);
            self.cluster = cluster.clone().filter(|_| is_one);
        }
    }

    /// Keys are cleaned here, because only values are cleaned elsewhere.
    fn add_tags(&mut self, view: View, subject: &Subject, keys: &TagKeys) {
        let absent = keys.named.iter().map(|key| (key.clone(), None));
        self.tags = absent.collect();
        for (key, value) in subject.tags.iter().flatten() {
            let key = match keys.named.contains(key) {
                true => key.clone(),
                false if keys.has_all => clean(key, view.markup()),
                false => continue,
            };
            self.tags.insert(key, Some(value.clone()));
        }
    }

    fn add_thread(&mut self, shown: &ThreadMessage<'_>) {
        let (first, last) = shown.times();
        let text = |time: UnixTime| Some(time.timestamp()?.to_string());
        if let Some(first) = first {
            self.first_at = text(first);
            self.last_at = text(last.unwrap_or(shown.turn.at));
        }
        // The times of the event that is shown are in its own lines.
        self.happened_at = None;
        self.ran_for = None;
        self.severity = shown.severity().into();
        self.mark = mark(shown.severity());
        self.urgent = shown.urgent();
        self.thread = Some(thread_names(shown.thread, shown.turn(), shown.turn.at));
    }

    /// The links, the most useful first.
    fn all_links(&self) -> Vec<LinkNames> {
        let link = |what: &str, name: &Option<String>, url: &Option<String>| {
            let text = match name {
                Some(name) => format!("{what} {name}"),
                None => what.to_owned(),
            };
            url.clone().map(|url| LinkNames { text, url })
        };
        let instance = self.ec2_instance.clone().or_else(|| self.instance.clone());
        let task = link("task", &self.task_short, &self.task_url);
        let streams = self.containers.iter().filter(|it| it.logs_url.is_some());
        let logs = streams.take(MOST_LOGS).map(|container| {
            link(
                "logs of",
                &Some(container.name.clone()),
                &container.logs_url,
            )
        });
        let mut logs: Vec<_> = logs.collect();
        if logs.is_empty() {
            logs.push(link("logs", &None, &self.logs_url));
        }
        let others = [
            link("alarm", &self.alarm, &self.alarm_url),
            link("service", &self.service, &self.service_url),
            link(
                "task definition",
                &self.task_definition,
                &self.task_definition_url,
            ),
            link("instance", &instance, &self.instance_url),
            link("cluster", &self.cluster, &self.cluster_url),
            link("event", &None, &self.event_url),
        ];
        let links = std::iter::once(task).chain(logs).chain(others);
        links.flatten().collect()
    }

    fn add_facts(&mut self, facts: &Facts, kind: Kind, priority: Priority) {
        match facts {
            Facts::Call(call) => self.add_call(call),
            Facts::Task(task) => self.add_task(task, kind, priority),
            Facts::Service(service) => {
                self.add_service(service);
                if kind == Kind::Deployment {
                    self.add_deployment(service);
                }
            }
            Facts::Instance(instance) => self.add_instance(instance),
            Facts::Health(health) => self.add_health(health),
            Facts::Hook(hook) => self.add_hook(hook),
            Facts::Host(host) => self.add_host(host),
            Facts::Rollout(rollout) => self.add_rollout(rollout),
            Facts::AwsHealth(health) => self.add_aws_health(health, kind),
            Facts::Scaling(scaling) => self.add_scaling(scaling),
            Facts::Alarm(alarm) => self.add_alarm(alarm),
            Facts::Unknown(unknown) => self.add_unknown(unknown),
            Facts::Missed(missed) => {
                self.expected = Some(ExpectedNames::of(missed, self.happened_at.as_deref()))
            }
            Facts::Foreign => {}
        }
    }

    fn add_call(&mut self, call: &CallFacts) {
        self.call = Some(call.name.clone());
        self.error_code = call.error.as_ref().map(|error| error.code.clone());
        self.error_message = call.error.as_ref().and_then(|error| error.message.clone());
        self.failures = first(&call.failures, |failure| FailureNames {
            reason: launches::in_words(&failure.reason),
            detail: failure.detail.clone(),
            resource: failure
                .arn
                .as_deref()
                .map(|arn| Arn::parse(arn).map_or(arn, |arn| arn.resource).to_owned()),
        });
        self.launched = call.launched;
        self.add_launch_advice(call.failures.iter().map(|failure| failure.reason.as_str()));
        if let (CallPurpose::Launch, Some(message)) = (call.purpose, &self.error_message) {
            self.advice = launches::exception_advice(message);
            self.advice_url = self.advice.map(|_| launches::PAGE);
        }
        self.changes = first(&call.changes, |change| Labelled {
            label: change.label.to_string(),
            value: change.value.clone(),
        });
        self.forced = matches!(
            call.purpose,
            CallPurpose::DeregisterInstance { forced: true, .. }
        );
        self.reason = call.reason.clone();
        self.effect = call.effect.as_deref().map(str::to_owned);
        let scaled = call.service.as_ref().filter(|it| it.only_scales);
        self.scaled_to = scaled.and_then(|it| it.desired_count);
        self.status = call
            .changes
            .iter()
            .find(|change| change.label == "Status")
            .map(|change| change.value.clone());
        self.agent_version = call.agent_version.clone();
        self.docker_version = call.docker_version.clone();
    }

    fn add_task(&mut self, task: &TaskFacts, kind: Kind, priority: Priority) {
        self.status = task.last_status.clone();
        self.desired_status = task.desired_status.clone();
        self.stop_code = task.stop_code.clone();
        self.stopped_reason = task.stopped_reason.clone();
        self.started_by = task.started_by.clone();
        self.launch_type = task
            .capacity_provider
            .clone()
            .or_else(|| task.launch_type.clone());
        self.ran_for = match (kind, &task.started_at, &task.stopped_at) {
            (Kind::TaskStopped, Some(started), Some(stopped)) => {
                stopped.since(started).map(duration)
            }
            (_, _, _) => None,
        };
        self.cause_text = self
            .cause_text
            .take()
            .or((kind == Kind::TaskStopped).then(|| "stopped".to_owned()));
        if let Some(cause) = priority.cause {
            let explanation = explain(cause, task);
            self.cause_text = Some(explanation.words);
            self.advice = explanation.advice;
            self.advice_url = explanation.page;
        }
        self.containers = containers(task, priority.cause);
        self.blames_container =
            blames_container(priority.cause, task) && self.containers.iter().any(|it| it.blamed);
        self.remove_repeated_reasons();
        self.is_report = task.reported_by == TaskSource::AgentReport;
    }

    /// ECS often repeats the reason of a container as the reason of the task, sometimes cut, or gives a reason that only
    /// refers to a container. Such a reason is shown once.
    fn remove_repeated_reasons(&mut self) {
        let Some(mut of_task) = self.stopped_reason.take() else {
            return;
        };
        let reasons = self.containers.iter().filter_map(|it| it.reason.as_ref());
        let cut = of_task.trim_end_matches(['.', '…']);
        if let Some(whole) = reasons
            .clone()
            .find(|it| it.len() > of_task.len() && it.starts_with(cut))
        {
            of_task = whole.clone();
        }
        let is_repeated = reasons.clone().any(|it| of_task.contains(it.as_str()));
        let has_ended = |it: &ContainerNames| it.exit_code.is_some() || it.reason.is_some();
        let says_more = self.containers.iter().any(has_ended) && says_nothing(&of_task);
        if says_more || (is_repeated && self.blames_container) {
            return;
        }
        for container in &mut self.containers {
            container.reason.take_if(|of| of_task.contains(of.as_str()));
        }
        self.stopped_reason = Some(of_task);
    }

    /// Adds the advice for the first of these reasons that has one.
    fn add_launch_advice<'a>(&mut self, reasons: impl IntoIterator<Item = &'a str>) {
        self.advice = reasons.into_iter().find_map(launches::advice);
        self.advice_url = self.advice.map(|_| launches::PAGE);
    }

    fn add_service(&mut self, service: &ServiceFacts) {
        self.event_name = service.event_name.clone();
        let words = service.event_name.as_deref().and_then(event_text);
        self.event_text = words.map(|words| match placement::missing(service) {
            Some(missing) => format!("{words}: {missing}"),
            None => words.to_owned(),
        });
        self.event_type = service.event_type.clone();
        self.failure_type = service.failure_type.clone();
        let reason = placement::reason(service);
        self.reason = reason.as_deref().map(launches::in_words);
        let reason = reason.as_deref().map(without_names);
        self.add_launch_advice(reason.as_deref());
        if let Some(failure) = &self.failure_type {
            self.advice = self.advice.or(daemon_advice(failure));
            self.advice_url = Some(self.advice_url.unwrap_or(DAEMON_PAGE));
        }
        self.event_why = service.event_name.as_deref().and_then(event_why);
        self.tasks = first(&service.tasks, Clone::clone);
        self.instances = first(&service.container_instances, Clone::clone);
        self.targets = first(&service.targets, Clone::clone);
        self.running_tasks = service.progress.map(|it| it.running);
        self.desired_tasks = service
            .progress
            .map(|it| it.desired)
            .or(service.desired_count);
        self.pending_tasks = service.progress.map(|it| it.pending);
        self.failed_tasks = service.progress.map(|it| it.failed);
        self.capacity_providers = first(&service.capacity_providers, Clone::clone);
    }

    fn add_deployment(&mut self, service: &ServiceFacts) {
        self.deployment = service.deployment_id.clone();
        self.is_rollback = is_rollback(service);
        self.event_text = service.event_name.as_deref().map(deployment_text);
        let reason = service.reason.as_deref();
        let target = reason.and_then(rollback_target);
        let id = target.or(service.deployment_id.as_deref());
        self.reason =
            reason.and_then(|it| deployment_reason(it, id, self.task_definition.as_deref()));
    }

    fn add_instance(&mut self, instance: &InstanceStateChange) {
        self.status = instance.status.clone();
        self.reason = instance.status_reason.clone();
        self.agent_version = instance.agent_version.clone();
        self.docker_version = instance.docker_version.clone();
        self.running_tasks = instance.running_tasks;
    }

    fn add_health(&mut self, health: &InstanceHealthChange) {
        self.status = health.overall_status.clone();
        self.capacity_providers = health.capacity_provider.iter().cloned().collect();
        self.health_checks = first(&health.health_checks, |check| HealthCheckNames {
            name: check
                .kind
                .clone()
                .unwrap_or_else(|| "health check".to_owned()),
            status: check.status.clone(),
            reason: check.reason.clone(),
            since: text(check.since.as_ref()),
        });
    }

    fn add_hook(&mut self, hook: &HookStateChange) {
        self.event_name = hook.event_name.clone();
        self.event_text = hook.event_name.as_deref().map(hook_text);
        self.event_why = hook.event_name.as_deref().and_then(hook_why);
        self.reason = hook.reason.clone();
        self.hook = hook.hook_id.clone().filter(|id| is_shell_safe(id));
        self.service_deployment = hook
            .service_deployment_arn
            .clone()
            .filter(|arn| is_shell_safe(arn));
        self.hook_type = hook.hook_type.clone();
        self.lifecycle_stage = hook.lifecycle_stage.clone();
        self.expires_at = text(hook.expires_at.as_ref());
        self.timeout_action = hook.timeout_action.clone();
    }

    fn add_unknown(&mut self, unknown: &UnknownFacts) {
        self.event_name = unknown.event_name.clone();
        self.event_type = unknown.event_type.clone();
        self.reason = unknown.reason.clone();
        self.fields = first(&unknown.fields, |(label, value)| Labelled {
            label: label.clone(),
            value: value.clone(),
        });
    }
}

/// Whether an id or an ARN is safe in a command that a reader copies: a shell does not interpret it, and a program does
/// not read it as an option.
fn is_shell_safe(text: &str) -> bool {
    text.len() <= 300
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.:/".contains(c))
}

/// The containers that caused the stop come first.
fn containers(task: &TaskFacts, cause: Option<Cause>) -> Vec<ContainerNames> {
    let is_blamed = blames(cause, task);
    let mut containers: Vec<_> = task
        .containers
        .iter()
        .map(|facts| ContainerNames {
            name: facts
                .name
                .clone()
                .unwrap_or_else(|| "a container".to_owned()),
            image: facts.image.as_deref().map(image),
            status: facts.last_status.clone(),
            exit_code: facts.exit_code,
            signal: facts.exit_code.and_then(signal),
            reason: facts.reason.clone(),
            blamed: is_blamed(facts),
            logs_url: facts.log.as_ref().and_then(links::log_stream),
            log_tail: facts.log_tail.clone(),
        })
        .collect();
    containers.sort_by_key(|container| !container.blamed);
    containers.truncate(LONGEST_LIST);
    containers
}

fn first<T, U>(items: &[T], make: impl Fn(&T) -> U) -> Vec<U> {
    items.iter().take(LONGEST_LIST).map(make).collect()
}

fn text(time: Option<&Time>) -> Option<String> {
    time.map(|time| time.text().to_owned())
}
