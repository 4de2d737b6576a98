//! `ecs-parrot run`: a one-off task with the definition of another, from a terminal or a CI job.
//!
//! ```text
//! RunArgs ─ plan ▶ RunPlan ─ make ▶ revision, log group ─ start ▶ tasks ─ follow ▶ how they ended ─ report
//! ```

pub(crate) mod args;
mod error;
mod follow;
pub(crate) mod interrupt;
mod make;
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
use error::CommandError;
use follow::{Ended, Follow};
use interrupt::Interrupts;
use make::CreatedResources;
use plan::{RunOptions, RunPlan};
use progress::{RunProgress, elapsed};
use report::RunReport;

/// As `timeout` has it.
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

/// Clients of one account and region.
struct Clients {
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
        let clients = Clients {
            ecs: session.ecs(),
            logs: session.logs(session.region()),
            session,
        };
        let plan = self.plan(&clients, options).await?;
        if self.args.dry_run {
            return self.show(&plan);
        }
        self.look_into_cluster(&clients).await?;
        self.interrupts.catch()?;
        let mut made = CreatedResources::default();
        let limit = self.args.timeout;
        let deadline = limit.map(|limit| Instant::now() + limit);
        let started = match self
            .make_and_start(&clients, &plan, &mut made, deadline)
            .await
        {
            Ok(started) => started,
            Err(problem) => {
                if !made.is_in_doubt {
                    self.take_back(&clients, &made).await;
                }
                return Err(problem.of_args(self.args).into());
            }
        };
        let status = self.follow(&clients, &plan, &made, started, deadline).await;
        if self.args.deregister {
            self.deregister(&clients, &made).await;
        }
        status
    }

    async fn plan(
        &mut self,
        clients: &Clients,
        options: RunOptions,
    ) -> Result<RunPlan, CommandError> {
        let model = match &self.args.like_service {
            Some(service) => service::describe(&clients.ecs, &self.args.cluster, service)
                .await
                .map_err(|error| CommandError::from(error).of_args(self.args))?,
            None => ServiceSettings::default(),
        };
        let reference = self.args.from_task.as_ref().or(model.definition.as_ref());
        let Some(reference) = reference else {
            return Err(CommandError::Usage(
                "the service has no task definition of its own: give --from-task".to_owned(),
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
            &model,
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

    /// Nothing is made for a cluster that is not there, or whose tasks we may not read.
    async fn look_into_cluster(&self, clients: &Clients) -> Result<(), CommandError> {
        let looked = task::look_into(&clients.ecs, &self.args.cluster).await;
        match looked {
            Err(error)
                if (!error.is_retryable() && !self.args.no_wait)
                    || error.has_code("ClusterNotFoundException") =>
            {
                Err(CommandError::from(error).of_args(self.args))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// A signal that came while a call was made, which is let end: what it made must be known.
    fn heed_signals(&mut self) -> Result<(), CommandError> {
        match self.interrupts.pending() {
            Some(signal) => Err(CommandError::Interrupted(signal)),
            None => Ok(()),
        }
    }

    async fn make_and_start(
        &mut self,
        clients: &Clients,
        plan: &RunPlan,
        made: &mut CreatedResources,
        deadline: Option<Instant>,
    ) -> Result<Started, CommandError> {
        for note in &plan.notes {
            self.warn(note.clone());
        }
        self.make(clients, plan, made).await?;
        self.heed_signals()?;
        let started = self.start(clients, plan, made, deadline).await?;
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
        clients: &Clients,
        plan: &RunPlan,
        made: &CreatedResources,
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
        let mut logs = self.open_logs(clients, &made.definition, &started.tasks);
        let (ecs, cluster) = (clients.ecs.clone(), self.args.cluster.clone());
        let mut watch = TaskWaiter::new(ecs, cluster, started.tasks.clone());
        let ended = self
            .until_the_end(clients, &mut watch, &mut logs, deadline)
            .await;
        let mut tasks: Vec<_> = watch.seen().cloned().collect();
        for task in &mut tasks {
            mark_essential(task, &made.definition);
        }
        let outcome = RunOutcome {
            tasks,
            failures: started.failures,
            container: plan.clone.container.clone(),
        };
        if !outcome.tasks.is_empty() {
            self.report.add_outcome(&outcome);
        }
        match ended? {
            Ended::Stopped => Ok(self.tell_outcome(&outcome)),
            Ended::TimedOut => {
                self.tell_outcome(&outcome);
                Ok(TIMED_OUT)
            }
            Ended::Interrupted(signal) => Err(CommandError::Interrupted(signal).into()),
        }
    }

    fn open_logs(
        &mut self,
        clients: &Clients,
        definition: &TaskDefinition,
        tasks: &[String],
    ) -> LogTailer {
        let region = clients.session.region();
        let (streams, elsewhere) = logs::streams(definition, tasks, region);
        for it in elsewhere {
            let (container, driver) = (it.container, it.driver);
            self.progress.say(&format!(
                "`{container}` logs with `{driver}`: its lines are not shown here"
            ));
        }
        let tailer = LogTailer::new(&clients.session, streams);
        self.report.add_streams(tailer.streams());
        tailer
    }

    /// Follows the tasks; stops them where their time is over or a signal wants it.
    async fn until_the_end(
        &mut self,
        clients: &Clients,
        watch: &mut TaskWaiter,
        logs: &mut LogTailer,
        deadline: Option<Instant>,
    ) -> Result<Ended, CommandError> {
        let mut follow = Follow::new(watch, logs, &mut self.progress, &mut self.interrupts);
        let ended = follow.until_the_end(deadline).await;
        let reason = match &ended {
            Ok(Ended::Stopped) | Err(_) => None,
            Ok(Ended::TimedOut) => {
                let limit = elapsed(self.args.timeout.unwrap_or_default());
                Some(format!("time-out after {limit}"))
            }
            Ok(Ended::Interrupted(signal)) => Some(signal.to_string()),
        };
        if let Some(reason) = &reason {
            let stopping = follow.stop(clients, &self.args.cluster, reason).await;
            match &ended {
                Ok(Ended::TimedOut) if stopping > 0 => {
                    let _ = follow.until_stopped().await;
                }
                _ => follow.flush().await,
            }
            self.report.error = Some(reason.clone());
        }
        self.report.warnings.append(&mut follow.warnings);
        ended.map_err(|error| {
            let region = clients.session.region();
            let running = watch.still_running();
            let commands = running.map(|task| task::stop_command(&self.args.cluster, task, region));
            let commands = commands.collect();
            CommandError::Wait { error, commands }
        })
    }

    fn tell_outcome(&mut self, outcome: &RunOutcome) -> u8 {
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

    /// Says what went wrong, once, and prints the report.
    fn conclude(mut self, result: anyhow::Result<u8>) -> anyhow::Result<u8> {
        self.progress.finish();
        let status = match result {
            Ok(status) => status,
            Err(error) => {
                let problem = error.downcast::<CommandError>()?;
                self.progress.say(&format!("ecs-parrot: {problem}"));
                self.report.advice = problem.advice();
                if let Some(advice) = &self.report.advice {
                    self.progress.say(&format!("advice: {advice}"));
                }
                self.report.error = Some(problem.to_string());
                problem.status()
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
