//! Starts the tasks, once: a call that is made again carries the same client token.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use ecs_parrot::aws::Nature;
use ecs_parrot::run::request::RunRequest;
use ecs_parrot::run::task::{self, StartError, Started};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::make::{Made, is_denied_tagging};
use super::plan::Plan;
use super::problem::Problem;
use super::progress::elapsed;
use super::{Cloud, Run};

impl Run<'_> {
    pub(super) async fn start(
        &mut self,
        cloud: &Cloud,
        plan: &Plan,
        made: &mut Made,
        deadline: Option<Instant>,
    ) -> Result<Started, Problem> {
        let request = plan.request.for_definition(made.definition.arn());
        match self.start_patiently(cloud, &request, made, deadline).await {
            Err(Problem::Start(StartError::Call(error)))
                if request.has_tags() && is_denied_tagging(&error) =>
            {
                self.warn("the task gets no tags: ecs:TagResource is denied".to_owned());
                let untagged = request.without_tags();
                self.start_patiently(cloud, &untagged, made, deadline).await
            }
            started => started,
        }
    }

    /// For about a minute, and no longer than --timeout: a CI job would rather wait than fail.
    async fn start_patiently(
        &mut self,
        cloud: &Cloud,
        request: &RunRequest,
        made: &mut Made,
        deadline: Option<Instant>,
    ) -> Result<Started, Problem> {
        let mut request = request.clone();
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(20))
            .with_max_times(7)
            .build();
        loop {
            let error = match task::start(&cloud.ecs, &request).await {
                Err(error) if error.may_pass() => error,
                started => return Ok(started?),
            };
            match &error {
                StartError::Call(error) => made.is_in_doubt |= error.nature == Nature::Unavailable,
                // An answer: whatever went unanswered before has started nothing. It would come again under its token.
                StartError::NotPlaced(_) => {
                    made.is_in_doubt = false;
                    request = request.with_token(Uuid::new_v4().simple().to_string());
                }
            }
            let Some(pause) = pauses.next() else {
                return Err(self.not_started(cloud, &request, made, error));
            };
            if deadline.is_some_and(|deadline| Instant::now() + pause >= deadline) {
                let problem = self.not_started(cloud, &request, made, error);
                let limit = self.args.timeout.unwrap_or_default();
                return Err(Problem::TimedOut {
                    limit: elapsed(limit),
                    problem: Box::new(problem),
                });
            }
            let seconds = pause.as_secs_f32();
            self.progress
                .say(&format!("{error}; once more in {seconds} s"));
            tokio::select! {
                () = sleep(pause) => {}
                signal = self.interrupts.next() => {
                    if made.is_in_doubt {
                        let problem = self.not_started(cloud, &request, made, error);
                        self.warn(problem.to_string());
                    }
                    return Err(Problem::Interrupted(signal));
                }
            }
        }
    }

    fn not_started(
        &self,
        cloud: &Cloud,
        request: &RunRequest,
        made: &Made,
        error: StartError,
    ) -> Problem {
        if !made.is_in_doubt {
            return error.into();
        }
        let command = list_command(request, cloud.session.region());
        Problem::Unanswered { error, command }
    }
}

/// The command that lists what a request started.
fn list_command(request: &RunRequest, region: &str) -> String {
    let cluster = request.cluster();
    let mark = request.input().started_by().unwrap_or_default();
    format!("aws ecs list-tasks --cluster {cluster} --started-by {mark} --region {region}")
}
