//! `ecs-parrot threads`: lists the open threads of a state table, and closes one by hand.

use std::io::Write as _;
use std::process::ExitCode;

use ecs_parrot::aws::Session;
use ecs_parrot::ecs::arn::Arn;
use ecs_parrot::http::SharedClient;
use ecs_parrot::notifier::thread::{SubjectKey, UnixTime};
use ecs_parrot::notifier::thread_store::{OpenThread, open_threads, resolve};
use jiff::Timestamp;

use crate::args::{ListOutput, ThreadsArgs};

pub(crate) async fn run(args: &ThreadsArgs) -> anyhow::Result<ExitCode> {
    let of_table = Arn::parse(&args.table).map(|arn| arn.region);
    let region = args.region.as_deref().or(of_table);
    let http = SharedClient::default();
    let session = Session::open(&http, args.profile.as_deref(), region).await?;
    let dynamo = session.dynamo_db_with_short_timeout();
    let threads = match &args.resolve {
        Some(id) => {
            let now = UnixTime::of(Timestamp::now());
            vec![resolve(&dynamo, &args.table, id, now).await?]
        }
        None => open_threads(&dynamo, &args.table).await?,
    };
    let mut out = anstream::stdout();
    for thread in &threads {
        match args.output {
            ListOutput::Json => writeln!(out, "{}", serde_json::to_string(thread)?)?,
            ListOutput::Text => print(&mut out, thread)?,
        }
    }
    let count = threads.len();
    match (&args.resolve, count) {
        (Some(id), _) => anstream::eprintln!("ecs-parrot: {id} is closed"),
        (None, 0) => anstream::eprintln!("ecs-parrot: no thread is open"),
        (None, 1) => anstream::eprintln!("ecs-parrot: 1 thread is open"),
        (None, count) => anstream::eprintln!("ecs-parrot: {count} threads are open"),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut impl std::io::Write, thread: &OpenThread) -> std::io::Result<()> {
    let bold = anstyle::Style::new().bold();
    let state = thread.state.map(|it| format!(", {it}")).unwrap_or_default();
    let subject = subject(&thread.subject);
    let unknown = "unknown".to_owned();
    writeln!(
        out,
        "{bold}{}{bold:#} ({}{state})",
        thread.thread, thread.kind
    )?;
    writeln!(out, "  about         {subject}")?;
    writeln!(
        out,
        "  since         {}",
        thread.since.as_ref().unwrap_or(&unknown)
    )?;
    writeln!(out, "  count         {}", thread.count)?;
    writeln!(
        out,
        "  last message  {}",
        thread.last_message.as_ref().unwrap_or(&unknown)
    )?;
    match thread.due {
        0 => Ok(()),
        due => writeln!(out, "  not sent yet  {due}"),
    }
}

/// `service checkout in prod-web, eu-west-1, account 210987654321`. A name comes from events, so control characters are
/// escaped.
fn subject(subject: &SubjectKey) -> String {
    let SubjectKey {
        kind,
        account,
        region,
        cluster,
        name,
    } = subject;
    let text = format!("{kind} {name} in {cluster}, {region}, account {account}");
    text.escape_debug().to_string()
}
