//! Starts the tasks once: a repeated call has the same client token.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use ecs_parrot::aws::{CallError, ErrorKind};
use ecs_parrot::runner::error::RunError;
use ecs_parrot::runner::request::RunRequest;
use ecs_parrot::runner::task::{self, StartError, Started};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::create::{CreatedResources, is_denied_tagging};
use super::error::CommandError;
use super::follow::reach;
use super::interrupt::Signal;
use super::plan::RunPlan;
use super::progress::elapsed;
use super::{Run, RunClients};

/// How long a call may still take after --timeout or a signal. If it is answered in this time, the started task is
/// known and can be stopped. CI services kill the process a few seconds after the signal.
const GRACE: Duration = Duration::from_secs(4);

impl Run<'_> {
    pub(super) async fn start(
        &mut self,
        clients: &RunClients,
        plan: &RunPlan,
        created: &mut CreatedResources,
        deadline: Option<Instant>,
    ) -> Result<Started, CommandError> {
        let request = plan.request.for_definition(created.definition.arn());
        match self
            .start_with_retries(clients, &request, created, deadline)
            .await
        {
            Err(CommandError::Run(RunError::Start(StartError::Call(error))))
                if request.has_tags() && is_denied_tagging(&error) =>
            {
                self.warn("the task gets no tags: ecs:TagResource is denied".to_owned());
                let untagged = request.without_tags();
                self.start_with_retries(clients, &untagged, created, deadline)
                    .await
            }
            started => started,
        }
    }

    /// Tries for about one minute, but not longer than --timeout, because a CI job prefers waiting to failing.
    async fn start_with_retries(
        &mut self,
        clients: &RunClients,
        request: &RunRequest,
        created: &mut CreatedResources,
        deadline: Option<Instant>,
    ) -> Result<Started, CommandError> {
        let mut request = request.clone();
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(20))
            .with_max_times(7)
            .build();
        loop {
            let error = match self.run_task(clients, &request, deadline).await {
                Err(error) if error.is_retryable() => error,
                started => return Ok(started?),
            };
            match &error {
                StartError::Call(error) => {
                    created.is_in_doubt |= error.kind == ErrorKind::Unavailable
                }
                // This is an answer, so earlier calls without an answer have started nothing. With the same token, ECS
                // would repeat this answer.
                StartError::NotPlaced(_) => {
                    created.is_in_doubt = false;
                    request = request.with_token(Uuid::new_v4().simple().to_string());
                }
            }
            if let Some(signal) = self.interrupts.pending() {
                return Err(self.interrupted(signal, clients, &request, created, error));
            }
            let Some(pause) = pauses.next() else {
                return Err(self.not_started(clients, &request, created, error));
            };
            if deadline.is_some_and(|deadline| Instant::now() + pause >= deadline) {
                let error = self.not_started(clients, &request, created, error);
                let limit = self.args.timeout.unwrap_or_default();
                return Err(CommandError::TimedOut {
                    limit: elapsed(limit),
                    error: Box::new(error),
                });
            }
            let seconds = pause.as_secs_f32();
            self.progress
                .say(&format!("{error}; trying again in {seconds} s"));
            tokio::select! {
                () = sleep(pause) => {}
                signal = self.interrupts.next() => {
                    return Err(self.interrupted(signal, clients, &request, created, error));
                }
            }
        }
    }

    /// Calls RunTask. After --timeout or a signal it waits only a short time for the answer. Without an answer, the
    /// call may have started a task.
    async fn run_task(
        &mut self,
        clients: &RunClients,
        request: &RunRequest,
        deadline: Option<Instant>,
    ) -> Result<Started, StartError> {
        let mut call = Box::pin(task::start(&clients.ecs, request));
        let signal = tokio::select! {
            answer = &mut call => return answer,
            signal = self.interrupts.next() => Some(signal),
            () = reach(deadline) => None,
        };
        let answer = tokio::select! {
            answer = &mut call => answer,
            () = sleep(GRACE) => Err(unanswered()),
            _ = self.interrupts.next(), if signal.is_some() => Err(unanswered()),
        };
        if let Some(signal) = signal {
            self.interrupts.put_back(signal);
        }
        answer
    }

    fn interrupted(
        &mut self,
        signal: Signal,
        clients: &RunClients,
        request: &RunRequest,
        created: &CreatedResources,
        error: StartError,
    ) -> CommandError {
        if created.is_in_doubt {
            let unanswered = self.not_started(clients, request, created, error);
            self.warn(unanswered.to_string());
        }
        CommandError::Interrupted(signal)
    }

    fn not_started(
        &self,
        clients: &RunClients,
        request: &RunRequest,
        created: &CreatedResources,
        error: StartError,
    ) -> CommandError {
        if !created.is_in_doubt {
            return error.into();
        }
        let command = list_command(request, clients.session.region());
        CommandError::Unanswered {
            error: error.into(),
            command,
        }
    }
}

fn unanswered() -> StartError {
    StartError::Call(CallError {
        call: "RunTask",
        code: None,
        message: "AWS has not answered yet".to_owned(),
        kind: ErrorKind::Unavailable,
    })
}

/// The AWS CLI command that lists the tasks that a request started.
fn list_command(request: &RunRequest, region: &str) -> String {
    let cluster = request.cluster();
    let started_by = request.input().started_by().unwrap_or_default();
    format!("aws ecs list-tasks --cluster {cluster} --started-by {started_by} --region {region}")
}
