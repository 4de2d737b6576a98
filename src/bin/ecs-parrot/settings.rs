//! `ecs-parrot config`: the effective configuration, or everything that is wrong with it.

use std::io::Write as _;
use std::process::ExitCode;

use ecs_parrot::config::{self, Parrot};

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let environment = config::environment();
    let mut out = anstream::stdout();
    for setting in config::settings(&environment) {
        let value = if setting.value.is_empty() {
            "-"
        } else {
            &setting.value
        };
        writeln!(out, "{:34} {value:24} ({})", setting.name, setting.source)?;
    }
    let config = Parrot::read(&environment)?;
    config.filter.renderer()?;
    let channels: Vec<_> = config
        .channels
        .iter()
        .map(|channel| channel.dialect().to_string())
        .collect();
    writeln!(out, "\nmessages go to: {}", channels.join(", "))?;
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(ExitCode::SUCCESS)
}
