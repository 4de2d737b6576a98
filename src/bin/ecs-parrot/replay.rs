//! `ecs-parrot replay`: plays events against a simulated clock, and shows what a channel would have shown, and when.

mod page;
mod source;
mod timeline;

use std::io::Write as _;
use std::process::ExitCode;

use ecs_parrot::config;
use ecs_parrot::notifier::channel::ConfiguredChannel;
use ecs_parrot::notifier::config::{self as notifier_config, Filter};
use ecs_parrot::notifier::replay::{Replay, ReplayLine};
use ecs_parrot::notifier::thread::UnixTime;

use crate::args::{Output, ReplayArgs, Until};
use crate::input;
use crate::notify::log_to_standard_error;
use page::ChannelPage;
use source::{Source, UnreadableEvent};

pub(crate) fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    log_to_standard_error();
    let environment = config::environment();
    for warning in notifier_config::preview_warnings(&environment, false) {
        anstream::eprintln!("ecs-parrot: {warning}");
    }
    let filter = Filter::read(&environment)?;
    let renderer = filter.renderer()?;
    for warning in renderer.warnings() {
        anstream::eprintln!("ecs-parrot: {warning}");
    }
    let channel = ConfiguredChannel {
        minimum: args.minimum,
        ..ConfiguredChannel::unconfigured(args.channel)
    };
    let (mut source, unreadable) = Source::open(&args.inputs)?;
    for UnreadableEvent { place, error } in &unreadable {
        anstream::eprintln!("ecs-parrot: {place}: {error}");
    }
    let mut replay = Replay::new(&filter.policy, &renderer, &channel, filter.threads.clone());
    let mut printer = Printer::new(args.output, &channel);
    let limit = match args.until {
        Until::Time(time) => Some(UnixTime::of(time)),
        Until::After(_) => None,
    };
    let mut last = None;
    while let Some((at, events)) = source.next_batch()? {
        if limit.is_some_and(|limit| at > limit) {
            break;
        }
        last = Some(at);
        printer.print(replay.batch(at, &events))?;
    }
    let until = match (args.until, last) {
        (Until::Time(_), _) => limit,
        (Until::After(after), Some(last)) => Some(last.plus(after)),
        (Until::After(_), None) => None,
    };
    printer.print(replay.finish(until))?;
    printer.finish()?;
    let failed: Vec<_> = unreadable.into_iter().map(|it| it.place).collect();
    Ok(input::conclude(&failed, source.len() + failed.len()))
}

/// Prints each line at once, or the page at the end.
struct Printer<'a> {
    output: Output,
    page: ChannelPage<'a>,
}

impl<'a> Printer<'a> {
    fn new(output: Output, channel: &'a ConfiguredChannel) -> Self {
        let page = ChannelPage::new(channel);
        Self { output, page }
    }

    fn print(&mut self, lines: Vec<ReplayLine>) -> anyhow::Result<()> {
        let mut out = anstream::stdout().lock();
        for line in lines {
            match self.output {
                Output::Json => writeln!(out, "{}", serde_json::to_string(&line)?)?,
                Output::Text => timeline::print(&mut out, &line)?,
                Output::Html => self.page.add(&line),
            }
        }
        Ok(())
    }

    fn finish(&self) -> anyhow::Result<()> {
        if self.output == Output::Html {
            write!(std::io::stdout(), "{}", self.page.render()?)?;
        }
        Ok(())
    }
}
