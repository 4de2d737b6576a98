//! The command line: look at what would be told, or tell it.

mod args;
mod input;
mod notify;
mod preview;
mod settings;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Preview(args) => preview::run(&args),
        Command::Notify(args) => notify::run(&args),
        Command::Config => settings::run(),
    };
    result.unwrap_or_else(|error| {
        anstream::eprintln!("ecs-parrot: {error:#}");
        ExitCode::FAILURE
    })
}
