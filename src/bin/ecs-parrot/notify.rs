//! `ecs-parrot notify`: posts events as the Lambda function does.

use std::io::Write as _;
use std::process::ExitCode;

use ecs_parrot::aws::deadline::Deadline;
use ecs_parrot::aws::{LazySession, Session, SessionError};
use ecs_parrot::config;
use ecs_parrot::http::SharedClient;
use ecs_parrot::notifier::channel::ChannelType;
use ecs_parrot::notifier::config::{NotifierConfig, RunMode};
use ecs_parrot::notifier::dispatch::Notifier;
use ecs_parrot::notifier::ingest;
use ecs_parrot::notifier::policy::Decision;
use ecs_parrot::notifier::report::ReportEntry;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::runtime::Runtime;

use crate::args::NotifyArgs;
use crate::input::{self, Input};

pub(crate) fn run(args: &NotifyArgs, runtime: &Runtime) -> anyhow::Result<ExitCode> {
    log_to_standard_error();
    let config = NotifierConfig::load(config::environment(), open_as_caller);
    let config = runtime.block_on(config)?;
    for warning in &config.warnings {
        anstream::eprintln!("ecs-parrot: {warning}");
    }
    let mode = RunMode::Terminal {
        enrich: args.enrich,
    };
    let mut notifier = config.notifier(mode, open_as_caller)?;
    for warning in notifier.renderer.warnings() {
        anstream::eprintln!("ecs-parrot: {warning}");
    }
    if notifier.enricher.is_some() && !runtime.block_on(can_ask(&notifier.session)) {
        notifier.enricher = None;
    }
    runtime.block_on(post_all(&notifier, &args.inputs))
}

/// AWS with the credentials of the person who runs this.
pub(crate) fn open_as_caller(
    http: SharedClient,
    region: String,
) -> BoxFuture<'static, Result<Session, SessionError>> {
    async move { Session::of_environment(&http, region).await }.boxed()
}

/// Whether there are AWS credentials. If there are none, this is printed once and not for each event.
pub(crate) async fn can_ask(session: &LazySession) -> bool {
    let opened = session.own().await;
    if let Err(error) = &opened {
        anstream::eprintln!("ecs-parrot: AWS is not asked, so messages lack its facts: {error}");
    }
    opened.is_ok()
}

/// The outcome of each event is printed. A template that failed is named in the log only.
pub(crate) fn log_to_standard_error() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        tracing_subscriber::EnvFilter::new(
            "ecs_parrot::notifier::render=error,ecs_parrot::notifier::enrich=warn,ecs_parrot::notifier::dispatch::channel=warn,ecs_parrot::http=warn",
        )
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .init();
}

async fn post_all(notifier: &Notifier, paths: &[std::path::PathBuf]) -> anyhow::Result<ExitCode> {
    let inputs = input::read(paths);
    let all = inputs.len();
    let mut failed = Vec::new();
    let mut totals = Totals::default();
    let mut output = StandardOutput { is_closed: false };
    for input in inputs {
        let name = input.name.clone();
        if !post(notifier, input, &mut totals, &mut output).await {
            failed.push(name);
        }
    }
    let status = input::conclude(&failed, all);
    print_to_standard_error(&totals.to_string());
    Ok(status)
}

/// Posts every event of a payload. False if something failed, or was not sent because standard output is closed.
async fn post(
    notifier: &Notifier,
    input: Input,
    totals: &mut Totals,
    output: &mut StandardOutput,
) -> bool {
    let bold = anstyle::Style::new().bold();
    let payload = match input.payload {
        Ok(payload) => payload,
        Err(error) => {
            output.print(&format!("{bold}{}{bold:#}\nerror: {error}\n", input.name));
            totals.failed += 1;
            return false;
        }
    };
    output.print(&format!("{bold}{}{bold:#}", input.name));
    let failed = totals.failed + totals.unsent;
    // Each file is an invocation with nothing before it.
    notifier.forget();
    for item in ingest::open(&payload).items {
        if output.is_closed {
            totals.unsent += 1;
            continue;
        }
        for entry in notifier.dispatch(vec![item], Deadline::NONE).await {
            totals.add(&entry);
            output.print(&outcome(&entry, notifier));
        }
    }
    totals.failed + totals.unsent == failed
}

/// Standard output. If it is closed, for example by `head`, nothing more is sent.
struct StandardOutput {
    is_closed: bool,
}

impl StandardOutput {
    fn print(&mut self, text: &str) {
        self.is_closed = self.is_closed || writeln!(anstream::stdout(), "{text}").is_err();
    }
}

/// The numbers of events by their result.
#[derive(Default)]
struct Totals {
    posted: usize,
    dropped: usize,
    filtered: usize,
    counted: usize,
    failed: usize,
    unsent: usize,
}

impl Totals {
    fn add(&mut self, entry: &ReportEntry) {
        let count = match (&entry.result, entry.failure()) {
            (Err(_), _) | (Ok(_), Some(_)) => &mut self.failed,
            (Ok(report), None) => match report.decision {
                Decision::Drop(_) => &mut self.dropped,
                Decision::Keep(_) if report.is_delivered() => &mut self.posted,
                Decision::Keep(_) if report.is_counted() => &mut self.counted,
                Decision::Keep(_) => &mut self.filtered,
            },
        };
        *count += 1;
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            posted,
            dropped,
            filtered,
            counted,
            failed,
            unsent,
        } = self;
        write!(f, "{posted} posted, {dropped} dropped, {failed} failed")?;
        if *counted > 0 {
            write!(f, ", {counted} counted in a thread")?;
        }
        if *filtered > 0 {
            write!(f, ", {filtered} not urgent enough for any channel")?;
        }
        if *unsent > 0 {
            write!(f, ", {unsent} not sent because standard output was closed")?;
        }
        Ok(())
    }
}

/// If standard error is closed too, only the exit status shows the result.
fn print_to_standard_error(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// The line below a message. It is empty if the message was printed to this terminal.
fn outcome(entry: &ReportEntry, notifier: &Notifier) -> String {
    let report = match &entry.result {
        Ok(report) => report,
        Err(error) => return format!("error: {error}\n"),
    };
    let kind = report.kind;
    let reason = report.decision.reason(kind);
    if report.deliveries.is_empty() {
        return format!("not posted: {reason} ({kind})\n");
    }
    if report.is_counted() {
        return format!("counted in its thread: {reason} ({kind})\n");
    }
    let mut types = notifier.channels.iter().map(|it| it.channel_type);
    if types.all(|it| it == ChannelType::Terminal) {
        return String::new();
    }
    let lines: Vec<_> = report.deliveries.iter().map(ToString::to_string).collect();
    format!("{reason} ({kind}): {}\n", lines.join(", "))
}
