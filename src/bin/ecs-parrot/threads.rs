//! `ecs-parrot threads`: lists the open threads of a state table, and closes one by hand.

use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::Style;
use ecs_parrot::aws::Session;
use ecs_parrot::ecs::arn::Arn;
use ecs_parrot::http::SharedClient;
use ecs_parrot::notifier::thread::{SubjectKey, UnixTime};
use ecs_parrot::notifier::thread_store::{
    ClosedThread, OpenThread, OpenThreads, ResolveError, ThreadTable, UnreadableThreads,
};
use jiff::Timestamp;

use crate::args::{ListOutput, ThreadsArgs};

pub(crate) async fn run(args: &ThreadsArgs) -> anyhow::Result<ExitCode> {
    let of_table = Arn::parse(&args.table).map(|arn| arn.region);
    let region = args.region.as_deref().or(of_table);
    let http = SharedClient::default();
    let session = Session::open(&http, args.profile.as_deref(), region).await?;
    let table = ThreadTable {
        dynamo: &session.dynamo_db(),
        name: &args.table,
        now: UnixTime::of(Timestamp::now()),
    };
    let mut out = anstream::stdout();
    match &args.resolve {
        Some(id) => {
            let closed = table.resolve(id).await;
            let closed = closed.map_err(|error| match error {
                // By itself, so that the advice for it is found.
                ResolveError::Call(error) => anyhow::Error::from(error),
                ResolveError::NotFound { .. } | ResolveError::Changed => error.into(),
            })?;
            print(&mut out, &closed.thread, args.output)?;
            note_closed(&closed);
            Ok(ExitCode::SUCCESS)
        }
        None => {
            let found = table.open_threads().await?;
            for thread in &found.threads {
                print(&mut out, thread, args.output)?;
            }
            Ok(conclude(&found))
        }
    }
}

/// What is said beside the list. It is the end of the output, because an earlier line is easily overlooked.
fn conclude(found: &OpenThreads) -> ExitCode {
    match found.threads.len() {
        0 => anstream::eprintln!("ecs-parrot: no thread is open"),
        1 => anstream::eprintln!("ecs-parrot: 1 thread is open"),
        count => anstream::eprintln!("ecs-parrot: {count} threads are open"),
    }
    for UnreadableThreads { id, why } in &found.unreadable {
        let (id, why) = (id.escape_debug(), why.escape_debug());
        anstream::eprintln!("ecs-parrot: the item `{id}` cannot be read: {why}");
    }
    match found.unreadable.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn note_closed(closed: &ClosedThread) {
    let thread = closed.thread.thread.as_str().escape_debug();
    let shown_at = closed.shown_at.and_then(UnixTime::timestamp);
    let shown = match shown_at {
        Some(at) => format!("the chat shows it after {at}, when the function looks at it next"),
        None => "the chat shows it with the next event of the same subject".to_owned(),
    };
    anstream::eprintln!("ecs-parrot: {thread} is closed; {shown}");
}

fn print(out: &mut impl Write, thread: &OpenThread, output: ListOutput) -> anyhow::Result<()> {
    match output {
        ListOutput::Json => writeln!(out, "{}", serde_json::to_string(thread)?)?,
        ListOutput::Text => print_text(out, thread)?,
    }
    Ok(())
}

/// Names come from events, and an item may be written by hand. So control characters are escaped.
fn print_text(out: &mut impl Write, thread: &OpenThread) -> io::Result<()> {
    let bold = Style::new().bold();
    let id = thread.thread.as_str().escape_debug();
    let state = thread.state.map(|it| format!(", {it}")).unwrap_or_default();
    let time = |time: &Option<String>| time.clone().unwrap_or_else(|| "unknown".to_owned());
    writeln!(out, "{bold}{id}{bold:#} ({}{state})", thread.kind)?;
    writeln!(out, "  about         {}", subject(&thread.subject))?;
    writeln!(out, "  since         {}", time(&thread.since))?;
    writeln!(out, "  count         {}", thread.count)?;
    writeln!(out, "  last message  {}", time(&thread.last_message))?;
    match thread.due {
        0 => Ok(()),
        due => writeln!(out, "  not sent yet  {due}"),
    }
}

/// `service checkout in prod-web, eu-west-1, account 210987654321`. What is not known is left out.
fn subject(subject: &SubjectKey) -> String {
    let SubjectKey {
        kind,
        account,
        region,
        cluster,
        name,
    } = subject;
    let named = |before: &str, value: &str| match value {
        "" => String::new(),
        value => format!("{before}{value}"),
    };
    let parts = [
        kind.to_string(),
        named(" ", name),
        named(" in ", cluster),
        named(", ", region),
        named(", account ", account),
    ];
    parts.concat().escape_debug().to_string()
}
