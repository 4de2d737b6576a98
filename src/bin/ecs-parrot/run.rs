//! `ecs-parrot run`: runs a one-off task with a copy of another task definition, from a terminal or a CI job.
//!
//! ```text
//! RunArgs ─ plan ▶ RunPlan ─ create ▶ revision, log group ─ start ▶ tasks ─ follow ▶ RunOutcome ─ report ▶ RunReport
//! ```

pub(crate) mod args;
mod create;
mod error;
mod follow;
pub(crate) mod interrupt;
mod plan;
mod progress;
mod report;
mod start;

use std::io::Write as _;
use std::process::ExitCode;

use ecs_parrot::aws::{self, Session};
use ecs_parrot::ecs::arn;
use ecs_parrot::ecs::diagnosis::launches;
use ecs_parrot::ecs::links;
use ecs_parrot::http::SharedClient;
use ecs_parrot::runner::definition::{self, TaskDefinition};
use ecs_parrot::runner::logs::{self, LogTailer};
use ecs_parrot::runner::outcome::{FAILED, RunOutcome, mark_essential};
use ecs_parrot::runner::service::{self, ServiceSettings};
use ecs_parrot::runner::task::{self, Started};
use ecs_parrot::runner::wait::TaskWaiter;
use tokio::time::Instant;

use args::{RunArgs, RunOutput};
use create::CreatedResources;
use error::CommandError;
use follow::{EndReason, Follow};
use interrupt::Interrupts;
use plan::{RunOptions, RunPlan};
use progress::{RunProgress, elapsed};
use report::RunReport;

/// The exit status of `timeout` in GNU coreutils.
pub(crate) const TIMED_OUT: u8 = 124;

pub(crate) async fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let mut run = Run {
        args,
        progress: RunProgress::new(args.output),
        interrupts: Interrupts::default(),
        report: RunReport {
            cluster: args.cluster.clone(),
            ..RunReport::default()
        },
    };
    let result = run.go().await;
    let status = run.conclude(result)?;
    Ok(ExitCode::from(status))
}

struct Run<'a> {
    args: &'a RunArgs,
    progress: RunProgress,
    interrupts: Interrupts,
    report: RunReport,
}

/// The clients of one account and region.
struct RunClients {
    session: Session,
    ecs: aws_sdk_ecs::Client,
    logs: aws::service::Client,
}

impl Run<'_> {
    async fn go(&mut self) -> anyhow::Result<u8> {
        let options = RunOptions::of(self.args)?;
        let http = SharedClient::default();
        let (profile, region) = (self.args.profile.as_deref(), self.args.region.as_deref());
        let session = Session::open(&http, profile, region).await;
        let session = session.map_err(CommandError::Session)?;
        let clients = RunClients {
            ecs: session.ecs(),
            logs: session.logs(session.region()),
            session,
        };
        let plan = self.plan(&clients, options).await?;
        if self.args.dry_run {
            return self.show(&plan);
        }
        self.check_cluster(&clients).await?;
        self.interrupts.catch()?;
        let mut created = CreatedResources::default();
        let limit = self.args.timeout;
        let deadline = limit.map(|limit| Instant::now() + limit);
        let started = match self
            .create_and_start(&clients, &plan, &mut created, deadline)
            .await
        {
            Ok(started) => started,
            Err(error) => {
                if !created.is_in_doubt {
                    self.remove_created(&clients, &created).await;
                }
                return Err(error.of_args(self.args).into());
            }
        };
        let status = self
            .follow(&clients, &plan, &created, started, deadline)
            .await;
        if self.args.deregister {
            self.deregister(&clients, &created).await;
        }
        status
    }

    async fn plan(
        &mut self,
        clients: &RunClients,
        options: RunOptions,
    ) -> Result<RunPlan, CommandError> {
        let settings = match &self.args.like_service {
            Some(service) => service::describe(&clients.ecs, &self.args.cluster, service)
                .await
                .map_err(|error| CommandError::from(error).of_args(self.args))?,
            None => ServiceSettings::default(),
        };
        let reference = self
            .args
            .from_task
            .as_ref()
            .or(settings.definition.as_ref());
        let Some(reference) = reference else {
            return Err(CommandError::Usage(
                "the service has no task definition of its own; set --from-task".to_owned(),
            ));
        };
        let typed = match &self.args.from_task {
            Some(name) => format!("--from-task {name}"),
            None => format!("the service's task definition, {reference}"),
        };
        let reference = definition::describe(&clients.ecs, reference)
            .await
            .map_err(|error| CommandError::from(error).of(typed))?;
        self.report.reference = Some(reference.arn().to_owned());
        let plan = plan::plan(
            self.args,
            options,
            reference,
            &settings,
            clients.session.region(),
        )?;
        self.report.container = Some(plan.clone.container.clone());
        Ok(plan)
    }

    fn show(&mut self, plan: &RunPlan) -> anyhow::Result<u8> {
        for note in &plan.notes {
            self.progress.say(&format!("note: {note}"));
        }
        match self.args.output {
            RunOutput::Text => report::show_plan(plan)?,
            RunOutput::Json => {
                writeln!(anstream::stdout(), "{}", report::plan_json(plan))?;
            }
        }
        Ok(0)
    }

    /// Checks the cluster before anything is created: it must exist, and its tasks must be readable.
    async fn check_cluster(&self, clients: &RunClients) -> Result<(), CommandError> {
        let checked = task::check_cluster(&clients.ecs, &self.args.cluster).await;
        match checked {
            Err(error)
                if (!error.is_retryable() && !self.args.no_wait)
                    || error.has_code("ClusterNotFoundException") =>
            {
                Err(CommandError::from(error).of_args(self.args))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Ends the run after a signal. It is called between two calls of AWS, because a call must finish: what it created
    /// must be known.
    fn check_signals(&mut self) -> Result<(), CommandError> {
        match self.interrupts.pending() {
            Some(signal) => Err(CommandError::Interrupted(signal)),
            None => Ok(()),
        }
    }

    async fn create_and_start(
        &mut self,
        clients: &RunClients,
        plan: &RunPlan,
        created: &mut CreatedResources,
        deadline: Option<Instant>,
    ) -> Result<Started, CommandError> {
        for note in &plan.notes {
            self.warn(note.clone());
        }
        self.create(clients, plan, created).await?;
        self.check_signals()?;
        let started = self.start(clients, plan, created, deadline).await?;
        self.report.add_started(&started.tasks);
        self.report.add_failures(&started.failures);
        for task in &started.tasks {
            self.progress.say(&format!("started {task}"));
            let cluster = arn::name(plan.request.cluster());
            let page = links::task(clients.session.region(), cluster, arn::name(task));
            if let Some(page) = page {
                self.progress.say(&format!("  {page}"));
            }
        }
        for failure in &started.failures {
            let reason = task::reason(failure);
            let advice = launches::advice(&reason);
            let advice = advice
                .map(|advice| format!("; {advice}"))
                .unwrap_or_default();
            self.warn(format!("a task was not started: {reason}{advice}"));
        }
        Ok(started)
    }

    async fn follow(
        &mut self,
        clients: &RunClients,
        plan: &RunPlan,
        created: &CreatedResources,
        started: Started,
        deadline: Option<Instant>,
    ) -> anyhow::Result<u8> {
        if self.args.no_wait {
            if self.args.output == RunOutput::Text {
                writeln!(anstream::stdout(), "{}", started.tasks.join("\n"))?;
            }
            return Ok(if started.failures.is_empty() {
                0
            } else {
                FAILED
            });
        }
        let mut tailer = self.open_logs(clients, &created.definition, &started.tasks);
        let (ecs, cluster) = (clients.ecs.clone(), self.args.cluster.clone());
        let mut waiter = TaskWaiter::new(ecs, cluster, started.tasks.clone());
        let end = self
            .wait_for_end(clients, &mut waiter, &mut tailer, deadline)
            .await;
        let mut tasks: Vec<_> = waiter.seen().cloned().collect();
        for task in &mut tasks {
            mark_essential(task, &created.definition);
        }
        let outcome = RunOutcome {
            tasks,
            failures: started.failures,
            container: plan.clone.container.clone(),
        };
        if !outcome.tasks.is_empty() {
            self.report.add_outcome(&outcome);
        }
        match end? {
            EndReason::Stopped => Ok(self.print_outcome(&outcome)),
            EndReason::TimedOut => {
                self.print_outcome(&outcome);
                Ok(TIMED_OUT)
            }
            EndReason::Interrupted(signal) => Err(CommandError::Interrupted(signal).into()),
        }
    }

    fn open_logs(
        &mut self,
        clients: &RunClients,
        definition: &TaskDefinition,
        tasks: &[String],
    ) -> LogTailer {
        let region = clients.session.region();
        let (streams, unread) = logs::streams(definition, tasks, region);
        for it in unread {
            let (container, driver) = (it.container, it.driver);
            self.progress.say(&format!(
                "`{container}` uses the log driver `{driver}`: its lines are not shown here"
            ));
        }
        let tailer = LogTailer::new(&clients.session, streams);
        self.report.add_streams(tailer.streams());
        tailer
    }

    /// Waits for the end of the tasks and prints their logs. Stops the tasks after a time-out or a signal.
    async fn wait_for_end(
        &mut self,
        clients: &RunClients,
        waiter: &mut TaskWaiter,
        tailer: &mut LogTailer,
        deadline: Option<Instant>,
    ) -> Result<EndReason, CommandError> {
        let mut follow = Follow::new(waiter, tailer, &mut self.progress, &mut self.interrupts);
        let end = follow.wait_for_end(deadline).await;
        let reason = match &end {
            Ok(EndReason::Stopped) | Err(_) => None,
            Ok(EndReason::TimedOut) => {
                let limit = elapsed(self.args.timeout.unwrap_or_default());
                Some(format!("time-out after {limit}"))
            }
            Ok(EndReason::Interrupted(signal)) => Some(signal.to_string()),
        };
        if let Some(reason) = &reason {
            let stopping = follow.stop(clients, &self.args.cluster, reason).await;
            match &end {
                Ok(EndReason::TimedOut) if stopping > 0 => {
                    let _ = follow.wait_for_stop().await;
                }
                _ => follow.flush().await,
            }
            self.report.error = Some(reason.clone());
        }
        self.report.warnings.append(&mut follow.warnings);
        end.map_err(|error| {
            let region = clients.session.region();
            let running = waiter.still_running();
            let commands = running.map(|task| task::stop_command(&self.args.cluster, task, region));
            let commands = commands.collect();
            CommandError::Wait { error, commands }
        })
    }

    fn print_outcome(&mut self, outcome: &RunOutcome) -> u8 {
        for end in outcome.ends() {
            let took = end
                .task
                .facts
                .stopped_at
                .as_ref()
                .zip(end.task.created_at.as_ref());
            let took = took
                .and_then(|(stopped, created)| stopped.since(created))
                .and_then(|took| std::time::Duration::try_from(took).ok())
                .map(|took| format!(" after {}", elapsed(took)))
                .unwrap_or_default();
            let colour = if end.succeeded() {
                anstyle::AnsiColor::Green
            } else {
                anstyle::AnsiColor::Red
            };
            let (colour, words) = (colour.on_default(), end.in_words());
            let task = end.task.id();
            self.progress.say(&format!(
                "task {task} stopped{took}: {colour}{words}{colour:#}"
            ));
            if let Some(advice) = end.advice() {
                self.progress.say(&format!("advice: {advice}"));
                self.report.advice = Some(advice);
            }
            if !end.succeeded() {
                self.report.error.get_or_insert(words);
            }
        }
        outcome.status()
    }

    fn warn(&mut self, warning: String) {
        self.progress.warn(&warning);
        self.report.warnings.push(warning);
    }

    /// Prints the error, if there is one, and the report.
    fn conclude(mut self, result: anyhow::Result<u8>) -> anyhow::Result<u8> {
        self.progress.finish();
        let status = match result {
            Ok(status) => status,
            Err(error) => {
                let error = error.downcast::<CommandError>()?;
                self.progress.say(&format!("ecs-parrot: {error}"));
                self.report.advice = error.advice();
                if let Some(advice) = &self.report.advice {
                    self.progress.say(&format!("advice: {advice}"));
                }
                self.report.error = Some(error.to_string());
                error.status()
            }
        };
        if self.args.output == RunOutput::Json && !(self.args.dry_run && status == 0) {
            self.report.status = status;
            let report = serde_json::to_string(&self.report)?;
            writeln!(anstream::stdout(), "{report}")?;
        }
        Ok(status)
    }
}
