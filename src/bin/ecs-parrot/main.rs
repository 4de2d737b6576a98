//! The command line: it shows and posts events, and runs tasks.

mod args;
mod doctor;
mod enqueue;
mod input;
mod notify;
mod page;
mod preview;
mod queue_url;
mod redrive;
mod replay;
mod run;
mod send_test;
mod settings;
mod threads;

use std::io::{self, Write as _};
use std::process::ExitCode;

use ecs_parrot::aws::CallError;

use args::{Args, Command};

fn main() -> ExitCode {
    let command = Args::read().command;
    execute(&command).unwrap_or_else(|error| {
        if is_broken_pipe(&error) && command.is_read_only() {
            return ExitCode::SUCCESS;
        }
        let call = error.chain().find_map(|it| it.downcast_ref::<CallError>());
        let advice = call.and_then(CallError::advice);
        let advice = advice.map(|advice| format!("\necs-parrot: advice: {advice}"));
        // Standard error may be closed too. The exit status is enough then.
        let _ = writeln!(
            anstream::stderr(),
            "ecs-parrot: {error:#}{}",
            advice.unwrap_or_default()
        );
        ExitCode::FAILURE
    })
}

fn execute(command: &Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match command {
        Command::Preview(args) => preview::run(args, &runtime),
        Command::Notify(args) => notify::run(args, &runtime),
        Command::Replay(args) => replay::run(args),
        Command::Redrive(args) => runtime.block_on(redrive::run(args)),
        Command::Threads(args) => runtime.block_on(threads::run(args)),
        Command::SendTest(args) => runtime.block_on(send_test::run(args)),
        Command::Config(args) => settings::run(args),
        Command::Doctor(args) => runtime.block_on(doctor::run(args)),
        Command::Run(args) => runtime.block_on(run::run(args)),
        Command::Enqueue(args) => runtime.block_on(enqueue::run(args)),
    }
}

/// Whether the reader of the output closed it, as `head` does.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
