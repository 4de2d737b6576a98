//! Starts the tasks, once: a call that is made again carries the same client token.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use ecs_parrot::aws::Nature;
use ecs_parrot::run::request::RunRequest;
use ecs_parrot::run::task::{self, StartError, Started};
use tokio::time::sleep;

use super::make::{Made, is_denied_tagging};
use super::plan::Plan;
use super::problem::Problem;
use super::{Cloud, Run};

impl Run<'_> {
    pub(super) async fn start(
        &mut self,
        cloud: &Cloud,
        plan: &Plan,
        made: &Made,
    ) -> Result<Started, Problem> {
        let request = plan.request.for_definition(made.definition.arn());
        match self.start_patiently(cloud, &request).await {
            Err(Problem::Start(StartError::Call(error)))
                if request.has_tags() && is_denied_tagging(&error) =>
            {
                self.warn("the task gets no tags: ecs:TagResource is denied".to_owned());
                self.start_patiently(cloud, &request.without_tags()).await
            }
            Err(Problem::Start(StartError::Call(error))) if error.nature == Nature::Unavailable => {
                Err(Problem::Unanswered {
                    error,
                    command: list_command(&request, cloud.session.region()),
                })
            }
            started => started,
        }
    }

    /// For about a minute, beyond the SDK's own retries: a CI job would rather wait than fail.
    async fn start_patiently(
        &mut self,
        cloud: &Cloud,
        request: &RunRequest,
    ) -> Result<Started, Problem> {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(Duration::from_secs(2))
            .with_max_delay(Duration::from_secs(20))
            .with_max_times(5)
            .build();
        for pause in pauses {
            match task::start(&cloud.ecs, request).await {
                Err(StartError::Call(error)) if error.may_pass() => {
                    self.progress
                        .say(&format!("{error}; once more in {} s", pause.as_secs()));
                    tokio::select! {
                        () = sleep(pause) => {}
                        signal = self.interrupts.next() => return Err(Problem::Interrupted(signal)),
                    }
                }
                started => return Ok(started?),
            }
        }
        Ok(task::start(&cloud.ecs, request).await?)
    }
}

/// The command that lists what a request started.
fn list_command(request: &RunRequest, region: &str) -> String {
    let cluster = request.cluster();
    let mark = request.input().started_by().unwrap_or_default();
    format!("aws ecs list-tasks --cluster {cluster} --started-by {mark} --region {region}")
}
