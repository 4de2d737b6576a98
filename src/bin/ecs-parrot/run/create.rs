//! The resources that are created in AWS for a one-off task: a task definition revision and a log group. If no task
//! starts, they are removed.

use ecs_parrot::aws::{CallError, ErrorKind};
use ecs_parrot::ecs::arn;
use ecs_parrot::runner::definition::{self, DefinitionError, TaskDefinition};
use ecs_parrot::runner::log_group::{self, LogGroupState};

use super::error::CommandError;
use super::plan::RunPlan;
use super::{Run, RunClients};

#[derive(Debug, Default)]
pub(super) struct CreatedResources {
    /// The task definition as ECS registered it; empty before that.
    pub(super) definition: TaskDefinition,
    /// The name of the log group, if this run created it.
    log_group: Option<String>,
    /// RunTask was not answered. A task may be running that needs both.
    pub(super) is_in_doubt: bool,
}

impl CreatedResources {
    /// The ARN of the registered revision.
    fn revision(&self) -> Option<&str> {
        Some(self.definition.arn()).filter(|arn| !arn.is_empty())
    }
}

impl Run<'_> {
    pub(super) async fn create(
        &mut self,
        clients: &RunClients,
        plan: &RunPlan,
        created: &mut CreatedResources,
    ) -> Result<(), CommandError> {
        created.definition = self.register(clients, plan).await?;
        self.report.task_definition = created.revision().map(str::to_owned);
        self.progress.say(&format!(
            "registered {}, a copy of {}",
            arn::name(created.definition.arn()),
            arn::name(plan.reference.arn())
        ));
        created.log_group = self.ensure_log_group(clients, &plan.log_group).await;
        Ok(())
    }

    async fn register(
        &mut self,
        clients: &RunClients,
        plan: &RunPlan,
    ) -> Result<TaskDefinition, CommandError> {
        let registered = definition::register(&clients.ecs, &plan.clone.body).await;
        let denied_tags = matches!(
            &registered,
            Err(DefinitionError::Call(error)) if is_denied_tagging(error)
        );
        if denied_tags && plan.clone.body.contains_key("tags") {
            self.warn("the task definition gets no tags: ecs:TagResource is denied".to_owned());
            return Ok(definition::register(&clients.ecs, &plan.clone.without_tags()).await?);
        }
        Ok(registered?)
    }

    /// The name of the log group, if it was created now. After an error the run continues: the group may exist, and
    /// only the permission to create it may be missing.
    async fn ensure_log_group(&mut self, clients: &RunClients, name: &str) -> Option<String> {
        match log_group::ensure(&clients.logs, name).await {
            Ok(LogGroupState::Existing) => {
                self.progress.say(&format!("logs go to {name}"));
                None
            }
            Ok(LogGroupState::Created) => {
                let days = self.args.retention_days;
                self.progress.say(&format!(
                    "logs go to {name}, a new log group that keeps them {days} days"
                ));
                if let Err(error) = log_group::keep_for(&clients.logs, name, days).await {
                    self.warn(format!("{name} keeps its lines for ever, because its retention could not be set: {error}"));
                }
                Some(name.to_owned())
            }
            Err(error) => {
                self.warn(format!(
                    "{name} could not be created; if it does not exist, no task will start: {error}"
                ));
                None
            }
        }
    }

    /// Removes the created resources after no task was started.
    pub(super) async fn remove_created(
        &mut self,
        clients: &RunClients,
        created: &CreatedResources,
    ) {
        if !self.args.keep {
            self.deregister(clients, created).await;
        }
        let Some(group) = &created.log_group else {
            return;
        };
        match log_group::remove(&clients.logs, group).await {
            Ok(()) => self.progress.say(&format!("removed log group {group}")),
            Err(error) => self.warn(format!("log group {group} was not removed: {error}")),
        }
    }

    pub(super) async fn deregister(&mut self, clients: &RunClients, created: &CreatedResources) {
        let Some(arn) = created.revision() else {
            return;
        };
        match definition::deregister(&clients.ecs, arn).await {
            Ok(()) => self
                .progress
                .say(&format!("deregistered {}", arn::name(arn))),
            Err(error) => {
                let region = clients.session.region();
                self.warn(format!(
                    "{arn} was not deregistered: {error}; to deregister it: `aws ecs deregister-task-definition \
                     --task-definition {arn} --region {region}`"
                ));
            }
        }
    }
}

/// Whether the permission to set tags is missing. A user may have the permissions to register and run, but not this
/// one.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/supported-iam-actions-tagging.html>
pub(super) fn is_denied_tagging(error: &CallError) -> bool {
    error.kind == ErrorKind::Denied && error.message.contains("ecs:TagResource")
}
