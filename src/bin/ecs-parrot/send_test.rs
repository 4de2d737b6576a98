//! `ecs-parrot send-test`: posts a test message to each channel, and says for each whether it arrived.

use std::io::Write as _;
use std::process::ExitCode;

use ecs_parrot::aws::deadline::Deadline;
use ecs_parrot::config;
use ecs_parrot::notifier::config::{NotifierConfig, RunMode};
use ecs_parrot::notifier::send_test::{TestRequest, send_test};

use crate::args::SendTestArgs;
use crate::notify::{log_to_standard_error, open_as_caller};

pub(crate) async fn run(args: &SendTestArgs) -> anyhow::Result<ExitCode> {
    log_to_standard_error();
    let config = NotifierConfig::load(config::environment(), open_as_caller).await?;
    for warning in &config.warnings {
        anstream::eprintln!("ecs-parrot: {warning}");
    }
    let notifier = config.notifier(RunMode::Terminal { enrich: false }, open_as_caller)?;
    let request = TestRequest {
        channel: args.channel.clone(),
    };
    let sender = "ecs-parrot send-test, by hand";
    let sent = send_test(
        &request,
        &notifier.channels,
        &notifier.http,
        sender,
        Deadline::NONE,
    );
    let results = sent.await?;
    let mut out = anstream::stdout();
    for result in results
        .iter()
        .filter(|it| !it.is_printed() || !it.is_delivered())
    {
        writeln!(out, "{}", result.to_string().escape_debug())?;
    }
    if results.iter().all(|it| it.is_printed()) {
        anstream::eprintln!(
            "ecs-parrot: no channel is configured here, so the message was printed; set CHANNELS or SLACK_WEBHOOKURL"
        );
    }
    Ok(match results.iter().all(|it| it.is_delivered()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
