//! `ecs-parrot send-test`: posts a test message to each channel, and says for each whether it arrived.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use ecs_parrot::aws::deadline::Deadline;
use ecs_parrot::config;
use ecs_parrot::notifier::config::{NotifierConfig, RunMode};
use ecs_parrot::notifier::send_test::{TestRequest, TestRun};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use crate::args::SendTestArgs;
use crate::notify::{log_to_standard_error, open_as_caller};

/// Nobody waits longer at a terminal. A chat that wants a longer wait accepts no messages now.
const TIME: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: &SendTestArgs) -> anyhow::Result<ExitCode> {
    log_to_standard_error();
    let config = NotifierConfig::load(config::environment(), open_as_caller).await?;
    for warning in &config.warnings {
        anstream::eprintln!("ecs-parrot: {warning}");
    }
    let is_default = config.channels.is_default();
    let notifier = config.notifier(RunMode::Terminal { enrich: false }, open_as_caller)?;
    let request = TestRequest {
        channel: args.channel.clone(),
    };
    let run = TestRun {
        http: &notifier.http,
        sender: "ecs-parrot send-test, by hand",
        deadline: Deadline::at(SystemTime::now() + TIME),
        waiting: |channel, wait, why| {
            let text = format!(
                "{channel}: {why}; trying again in {:.1} s",
                wait.as_secs_f64()
            );
            anstream::eprintln!("ecs-parrot: {}", in_one_line(&text));
        },
    };
    let tests = run.tests(&request, &notifier.channels)?;
    let mut results: FuturesUnordered<_> = tests.into_iter().collect();
    let mut out = anstream::stdout();
    let mut exit_code = ExitCode::SUCCESS;
    while let Some(result) = results.next().await {
        if !result.is_printed() || !result.is_success() {
            writeln!(out, "{}", in_one_line(&result.to_string()))?;
        }
        if !result.is_success() {
            exit_code = ExitCode::FAILURE;
        }
    }
    if is_default {
        anstream::eprintln!(
            "ecs-parrot: no channel is configured here, so the message was printed; set CHANNELS or SLACK_WEBHOOKURL"
        );
    }
    Ok(exit_code)
}

/// A service's answer may contain anything, and must not move the cursor or colour the terminal.
fn in_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => line.push(character),
            _ => line.extend(character.escape_debug()),
        }
    }
    line
}
