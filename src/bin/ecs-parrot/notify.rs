//! `ecs-parrot notify`: what the Lambda does, from here.

use std::io::Write as _;
use std::process::ExitCode;

use ecs_parrot::aws::{LazySession, Session, SessionError};
use ecs_parrot::config::{self, Parrot, Place};
use ecs_parrot::deadline::Deadline;
use ecs_parrot::deliver::Channel;
use ecs_parrot::inbox;
use ecs_parrot::notify::{Entry, Notifier};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::args::NotifyArgs;
use crate::input::{self, Input};

pub(crate) fn run(args: &NotifyArgs) -> anyhow::Result<ExitCode> {
    log_to_standard_error();
    let config = Parrot::read(&config::environment())?;
    for warning in &config.warnings {
        anstream::eprintln!("ecs-parrot: {warning}");
    }
    let place = Place::Terminal {
        enrich: args.enrich,
    };
    let mut notifier = config.notifier(place, open_as_caller)?;
    for warning in notifier.renderer.warnings() {
        anstream::eprintln!("ecs-parrot: {warning}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if notifier.enricher.is_some() && !runtime.block_on(can_ask(&notifier.session)) {
        notifier.enricher = None;
    }
    runtime.block_on(tell_all(&notifier, &args.inputs))
}

/// AWS with the credentials of whoever runs this.
pub(crate) fn open_as_caller(region: String) -> BoxFuture<'static, Result<Session, SessionError>> {
    Session::of_environment(region).boxed()
}

/// Whether there are credentials to ask AWS with; where there are none, it is said once and not for each event.
pub(crate) async fn can_ask(session: &LazySession) -> bool {
    let opened = session.own().await;
    if let Err(error) = &opened {
        anstream::eprintln!(
            "ecs-parrot: AWS is not asked, and messages lack what it knows: {error}"
        );
    }
    opened.is_ok()
}

/// Of the outcome of each event enough is printed; of a template that failed only the log tells.
pub(crate) fn log_to_standard_error() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        tracing_subscriber::EnvFilter::new("ecs_parrot::render=error,ecs_parrot::enrich=warn")
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .init();
}

async fn tell_all(notifier: &Notifier, paths: &[std::path::PathBuf]) -> anyhow::Result<ExitCode> {
    let inputs = input::read(paths);
    let all = inputs.len();
    let mut failed = Vec::new();
    for input in inputs {
        let name = input.name.clone();
        if tell(notifier, input).await? > 0 {
            failed.push(name);
        }
    }
    Ok(input::conclude(&failed, all))
}

/// Tells every event of a payload; how many of them failed.
async fn tell(notifier: &Notifier, input: Input) -> std::io::Result<usize> {
    let bold = anstyle::Style::new().bold();
    writeln!(anstream::stdout(), "{bold}{}{bold:#}", input.name)?;
    let payload = match input.payload {
        Ok(payload) => payload,
        Err(error) => {
            writeln!(anstream::stdout(), "error: {error}\n")?;
            return Ok(1);
        }
    };
    let mut failures = 0;
    for item in inbox::open(&payload) {
        for entry in notifier.tell(vec![item], Deadline::NONE).await {
            failures += usize::from(entry.failure().is_some());
            writeln!(anstream::stdout(), "{}", outcome(&entry, notifier))?;
        }
    }
    Ok(failures)
}

/// What is said below a message; the terminal's own delivery speaks for itself.
fn outcome(entry: &Entry, notifier: &Notifier) -> String {
    let told = match &entry.result {
        Ok(told) => told,
        Err(error) => return format!("error: {error}\n"),
    };
    let kind = told.kind;
    let reason = told.verdict.reason(kind);
    if told.deliveries.is_empty() {
        return format!("not told: {reason} ({kind})\n");
    }
    if let [Channel::Terminal(_)] = &notifier.channels[..] {
        return String::new();
    }
    let lines: Vec<_> = told.deliveries.iter().map(ToString::to_string).collect();
    format!("{reason} ({kind}): {}\n", lines.join(", "))
}
