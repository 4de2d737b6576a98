//! `ecs-parrot config`: shows the effective configuration or all problems with it. With a file, it checks a
//! `serverless.env.yml` before the deployment.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use ecs_parrot::config;
use ecs_parrot::env_file;
use ecs_parrot::notifier::config::{self as notifier_config, NotifierConfig};
use ecs_parrot::notifier::render;

use crate::args::ConfigArgs;

pub(crate) fn run(args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    match &args.file {
        Some(path) => check(path),
        None => show(),
    }
}

fn show() -> anyhow::Result<ExitCode> {
    let environment = config::environment();
    let mut out = anstream::stdout();
    for setting in notifier_config::settings(&environment) {
        let value = if setting.value.is_empty() {
            "-"
        } else {
            &setting.value
        };
        writeln!(out, "{:34} {value:24} ({})", setting.name, setting.source)?;
    }
    let config = NotifierConfig::read(&environment)?;
    let renderer = config.filter.renderer()?;
    match &config.channels.reference {
        Some(reference) => writeln!(
            out,
            "\nchannels (and those of the list in {reference}, which a program reads when it starts):"
        )?,
        None => writeln!(out, "\nchannels:")?,
    }
    for channel in &config.channels.shown {
        writeln!(out, "  {} ({})", channel.name, channel.channel_type)?;
        for setting in &channel.settings {
            let value = match setting.value.as_str() {
                "" => "-",
                value => value,
            };
            writeln!(
                out,
                "    {:30} {value:24} ({})",
                setting.name, setting.source
            )?;
        }
    }
    match &config.state_table {
        Some(table) => writeln!(out, "threads: in the table {table}, for all processes")?,
        None => writeln!(
            out,
            "threads: in the memory of each process, because STATE_TABLE is not set"
        )?,
    }
    print_expectations(&mut out, &config)?;
    match config.filter.templates_dir {
        None => writeln!(out, "templates: all built-in")?,
        Some(_) => {
            writeln!(out, "templates:")?;
            for (name, source) in render::templates_in_use(&renderer) {
                writeln!(out, "  {name:32} {source}")?;
            }
        }
    }
    for warning in config.warnings.iter().chain(renderer.warnings()) {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What must end well. Without a table it cannot work for long.
fn print_expectations(out: &mut impl Write, config: &NotifierConfig) -> anyhow::Result<()> {
    let entries = config.filter.threads.expectations();
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(out, "expected to end well:")?;
    for entry in entries {
        writeln!(out, "  {:34} {}", entry.full_name(), entry.schedule.text)?;
    }
    if config.state_table.is_none() {
        writeln!(
            out,
            "warning: EXPECT: each new process begins its clocks anew, because STATE_TABLE is not set"
        )?;
    }
    Ok(())
}

/// Reports the problems of a file in the form of compilers, so that editors find the line.
fn check(path: &Path) -> anyhow::Result<ExitCode> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
    let report = match env_file::check(&text) {
        Ok(report) => report,
        Err(findings) => {
            for finding in &findings {
                anstream::eprintln!("{shown}:{finding}");
            }
            let count = match findings.len() {
                1 => "1 problem".to_owned(),
                count => format!("{count} problems"),
            };
            anstream::eprintln!("ecs-parrot: {count} in {shown}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut out = anstream::stdout();
    match &report.unchecked[..] {
        [] => writeln!(out, "{shown}: no problems")?,
        [all] if all == env_file::ROOT => writeln!(
            out,
            "{shown}: nothing was checked, because only Serverless knows the value of `{all}`"
        )?,
        keys => {
            writeln!(out, "{shown}: no problems in the part that can be checked")?;
            writeln!(
                out,
                "not checked, because only Serverless or CloudFormation knows the values: {}",
                keys.join(", ")
            )?;
        }
    }
    if let Some(channels) = report.channels.filter(|it| !it.is_empty()) {
        writeln!(out, "messages are sent to: {}", channels.join(", "))?;
    }
    for warning in &report.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(ExitCode::SUCCESS)
}
