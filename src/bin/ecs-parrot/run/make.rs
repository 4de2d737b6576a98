//! What is made in AWS for a one-off task, and taken back where no task starts: a revision of its own, and the
//! log group that it writes to.

use ecs_parrot::aws::{CallError, ErrorKind};
use ecs_parrot::ecs::arn;
use ecs_parrot::runner::definition::{self, DefinitionError, TaskDefinition};
use ecs_parrot::runner::log_group::{self, LogGroupState};

use super::error::CommandError;
use super::plan::RunPlan;
use super::{Clients, Run};

#[derive(Debug, Default)]
pub(super) struct CreatedResources {
    /// As ECS keeps it; empty until it is registered.
    pub(super) definition: TaskDefinition,
    /// The log group's name, where we made it.
    log_group: Option<String>,
    /// RunTask was not answered: a task may run that needs both.
    pub(super) is_in_doubt: bool,
}

impl CreatedResources {
    /// The revision that was registered.
    fn revision(&self) -> Option<&str> {
        Some(self.definition.arn()).filter(|arn| !arn.is_empty())
    }
}

impl Run<'_> {
    pub(super) async fn make(
        &mut self,
        clients: &Clients,
        plan: &RunPlan,
        made: &mut CreatedResources,
    ) -> Result<(), CommandError> {
        made.definition = self.register(clients, plan).await?;
        self.report.task_definition = made.revision().map(str::to_owned);
        self.progress.say(&format!(
            "registered {}, a copy of {}",
            arn::name(made.definition.arn()),
            arn::name(plan.reference.arn())
        ));
        made.log_group = self.ensure_log_group(clients, &plan.log_group).await;
        Ok(())
    }

    async fn register(
        &mut self,
        clients: &Clients,
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

    /// The name of the group, if it was made now. Without it the task may still run: it is there, perhaps, and
    /// only its making is denied.
    async fn ensure_log_group(&mut self, clients: &Clients, name: &str) -> Option<String> {
        match log_group::ensure(&clients.logs, name).await {
            Ok(LogGroupState::Existing) => {
                self.progress.say(&format!("logs go to {name}"));
                None
            }
            Ok(LogGroupState::Created) => {
                let days = self.args.retention_days;
                self.progress
                    .say(&format!("logs go to {name}, made to keep them {days} days"));
                if let Err(error) = log_group::keep_for(&clients.logs, name, days).await {
                    self.warn(format!("{name} keeps its lines for ever: {error}"));
                }
                Some(name.to_owned())
            }
            Err(error) => {
                self.warn(format!(
                    "{name} could not be made; unless it is there, no task will start: {error}"
                ));
                None
            }
        }
    }

    /// Nothing started: what was made for it goes.
    pub(super) async fn take_back(&mut self, clients: &Clients, made: &CreatedResources) {
        if !self.args.keep {
            self.deregister(clients, made).await;
        }
        let Some(group) = &made.log_group else { return };
        match log_group::remove(&clients.logs, group).await {
            Ok(()) => self.progress.say(&format!("removed log group {group}")),
            Err(error) => self.warn(format!("log group {group} is left behind: {error}")),
        }
    }

    pub(super) async fn deregister(&mut self, clients: &Clients, made: &CreatedResources) {
        let Some(arn) = made.revision() else { return };
        match definition::deregister(&clients.ecs, arn).await {
            Ok(()) => self
                .progress
                .say(&format!("deregistered {}", arn::name(arn))),
            Err(error) => {
                let region = clients.session.region();
                self.warn(format!(
                    "{arn} is left behind: {error}; `aws ecs deregister-task-definition \
                     --task-definition {arn} --region {region}` takes it away"
                ));
            }
        }
    }
}

/// Tags are denied by themselves: whoever may register and run may not always tag.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/supported-iam-actions-tagging.html>
pub(super) fn is_denied_tagging(error: &CallError) -> bool {
    error.kind == ErrorKind::Denied && error.message.contains("ecs:TagResource")
}
