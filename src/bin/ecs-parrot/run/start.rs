//! Starts the tasks, once: a call that is made again carries the same client token.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use ecs_parrot::aws::{CallError, ErrorKind};
use ecs_parrot::runner::error::RunError;
use ecs_parrot::runner::request::RunRequest;
use ecs_parrot::runner::task::{self, StartError, Started};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::error::CommandError;
use super::follow::over;
use super::interrupt::Signal;
use super::make::{CreatedResources, is_denied_tagging};
use super::plan::RunPlan;
use super::progress::elapsed;
use super::{Clients, Run};

/// How long a call that is on its way may still take when --timeout is over or a signal comes: a task that it starts is
/// then known, and can be stopped. CI leaves us a few seconds.
const GRACE: Duration = Duration::from_secs(4);

impl Run<'_> {
    pub(super) async fn start(
        &mut self,
        clients: &Clients,
        plan: &RunPlan,
        made: &mut CreatedResources,
        deadline: Option<Instant>,
    ) -> Result<Started, CommandError> {
        let request = plan.request.for_definition(made.definition.arn());
        match self
            .start_patiently(clients, &request, made, deadline)
            .await
        {
            Err(CommandError::Run(RunError::Start(StartError::Call(error))))
                if request.has_tags() && is_denied_tagging(&error) =>
            {
                self.warn("the task gets no tags: ecs:TagResource is denied".to_owned());
                let untagged = request.without_tags();
                self.start_patiently(clients, &untagged, made, deadline)
                    .await
            }
            started => started,
        }
    }

    /// For about a minute, and no longer than --timeout: a CI job would rather wait than fail.
    async fn start_patiently(
        &mut self,
        clients: &Clients,
        request: &RunRequest,
        made: &mut CreatedResources,
        deadline: Option<Instant>,
    ) -> Result<Started, CommandError> {
        let mut request = request.clone();
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(20))
            .with_max_times(7)
            .build();
        loop {
            let error = match self.ask(clients, &request, deadline).await {
                Err(error) if error.is_retryable() => error,
                started => return Ok(started?),
            };
            match &error {
                StartError::Call(error) => made.is_in_doubt |= error.kind == ErrorKind::Unavailable,
                // An answer: whatever went unanswered before has started nothing. It would come again under its token.
                StartError::NotPlaced(_) => {
                    made.is_in_doubt = false;
                    request = request.with_token(Uuid::new_v4().simple().to_string());
                }
            }
            if let Some(signal) = self.interrupts.pending() {
                return Err(self.interrupted(signal, clients, &request, made, error));
            }
            let Some(pause) = pauses.next() else {
                return Err(self.not_started(clients, &request, made, error));
            };
            if deadline.is_some_and(|deadline| Instant::now() + pause >= deadline) {
                let error = self.not_started(clients, &request, made, error);
                let limit = self.args.timeout.unwrap_or_default();
                return Err(CommandError::TimedOut {
                    limit: elapsed(limit),
                    error: Box::new(error),
                });
            }
            let seconds = pause.as_secs_f32();
            self.progress
                .say(&format!("{error}; once more in {seconds} s"));
            tokio::select! {
                () = sleep(pause) => {}
                signal = self.interrupts.next() => {
                    return Err(self.interrupted(signal, clients, &request, made, error));
                }
            }
        }
    }

    /// RunTask's answer. Once --timeout is over or a signal came, it is not waited for to the end: the call may then
    /// have started a task.
    async fn ask(
        &mut self,
        clients: &Clients,
        request: &RunRequest,
        deadline: Option<Instant>,
    ) -> Result<Started, StartError> {
        let mut call = Box::pin(task::start(&clients.ecs, request));
        let signal = tokio::select! {
            answer = &mut call => return answer,
            signal = self.interrupts.next() => Some(signal),
            () = over(deadline) => None,
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
        clients: &Clients,
        request: &RunRequest,
        made: &CreatedResources,
        error: StartError,
    ) -> CommandError {
        if made.is_in_doubt {
            let unanswered = self.not_started(clients, request, made, error);
            self.warn(unanswered.to_string());
        }
        CommandError::Interrupted(signal)
    }

    fn not_started(
        &self,
        clients: &Clients,
        request: &RunRequest,
        made: &CreatedResources,
        error: StartError,
    ) -> CommandError {
        if !made.is_in_doubt {
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

/// The command that lists what a request started.
fn list_command(request: &RunRequest, region: &str) -> String {
    let cluster = request.cluster();
    let mark = request.input().started_by().unwrap_or_default();
    format!("aws ecs list-tasks --cluster {cluster} --started-by {mark} --region {region}")
}
