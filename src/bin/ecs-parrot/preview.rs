//! `ecs-parrot preview`: what would be told, and why, without priority anybody.

mod line;
mod page;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use ecs_parrot::aws::LazySession;
use ecs_parrot::aws::deadline::Deadline;
use ecs_parrot::config;
use ecs_parrot::ecs::notice::Notice;
use ecs_parrot::http::SharedClient;
use ecs_parrot::notifier::channel::{ChannelType, ConfiguredChannel, terminal};
use ecs_parrot::notifier::config::{self as notifier_config, Filter, Lookup};
use ecs_parrot::notifier::dispatch::{evaluate, look_up};
use ecs_parrot::notifier::enrich::{Enricher, Limits};
use ecs_parrot::notifier::group::{Group, Item, Plan, PlannedMessage};
use ecs_parrot::notifier::ingest;
use ecs_parrot::notifier::policy::Decision;
use ecs_parrot::notifier::render::{Renderer, TemplateError, View};
use serde_json::{Map, Value};
use strum::VariantArray as _;
use tokio::runtime::Runtime;

use crate::args::{Output, PreviewArgs};
use crate::input::{self, Input};
use crate::notify::{can_ask, log_to_standard_error, open_as_caller};
use line::Line;
use page::ChannelView;

pub(crate) fn run(args: &PreviewArgs, runtime: &Runtime) -> anyhow::Result<ExitCode> {
    log_to_standard_error();
    let environment = config::environment();
    for warning in notifier_config::preview_warnings(&environment, args.enrich) {
        anstream::eprintln!("ecs-parrot: {warning}");
    }
    let filter = Filter::read(&environment)?;
    let renderer = filter.renderer()?;
    for warning in renderer.warnings() {
        anstream::eprintln!("ecs-parrot: {warning}");
    }
    let enricher = match args.enrich {
        true => {
            let log_tail = Lookup::read(&environment)?.log_tail;
            let session = Arc::new(LazySession::new(open_as_caller, SharedClient::default()));
            let can_ask = runtime.block_on(can_ask(&session));
            can_ask.then(|| Enricher::new(log_tail, Limits::TERMINAL, session))
        }
        false => None,
    };
    let preview = Preview {
        filter,
        renderer,
        enricher,
        channel: args.channel,
        shown: match args.output {
            Output::Html => notifier_config::preview_channels(&environment),
            Output::Text | Output::Json => Vec::new(),
        },
    };
    let mut printer = Printer::new(args.output);
    let inputs = input::read(&args.inputs);
    let all = inputs.len();
    let mut failed = Vec::new();
    for input in inputs {
        let name = input.name.clone();
        let lines = runtime.block_on(preview.lines(input));
        if lines.iter().any(|line| line.error.is_some()) {
            failed.push(name);
        }
        lines.into_iter().try_for_each(|line| printer.print(line))?;
    }
    printer.finish()?;
    Ok(input::conclude(&failed, all))
}

struct Preview {
    filter: Filter,
    renderer: Renderer,
    enricher: Option<Enricher>,
    channel: Option<ChannelType>,
    /// Those of the page; none where none is made.
    shown: Vec<ConfiguredChannel>,
}

impl Preview {
    async fn lines(&self, input: Input) -> Vec<Line> {
        let payload = match input.payload {
            Ok(payload) => payload,
            Err(error) => {
                return vec![Line {
                    file: input.name,
                    ..Line::error(error)
                }];
            }
        };
        let policy = &self.filter.policy;
        let found = ingest::open(&payload).into_iter();
        let mut decided: Vec<_> = found
            .map(|item| item.event.map(|event| evaluate(&event, policy)))
            .collect();
        if let Some(enricher) = &self.enricher {
            let read = decided.iter_mut().filter_map(|it| it.as_mut().ok());
            look_up(read, enricher, policy, Deadline::NONE).await;
        }
        let mut lines: Vec<_> = decided
            .iter()
            .map(|decided| Line {
                file: input.name.clone(),
                ..match decided {
                    Ok((notice, decision)) => line(notice, *decision),
                    Err(error) => Line::error(error.to_string()),
                }
            })
            .collect();
        let mut plan = Plan::of(&items(&decided));
        while let Some(PlannedMessage { indexes, group }) = plan.next(None) {
            self.add_message(&mut lines, &indexes, &group);
        }
        lines
    }

    /// A message stands in the line of its first event. The other events name that one.
    fn add_message(&self, lines: &mut [Line], indexes: &[usize], group: &Group<'_>) {
        let Some((first, others)) = indexes.split_first() else {
            return;
        };
        let id = lines[*first].event_id.clone();
        match self.kept(group) {
            Ok(kept) => lines[*first].keep(kept),
            Err(error) => lines[*first].fail(error.to_string()),
        }
        for other in others {
            lines[*other].grouped_in.clone_from(&id);
            lines[*other].severity = Some(group.priority.severity.into());
            lines[*other].urgent = Some(group.priority.urgent);
        }
    }

    fn kept(&self, group: &Group<'_>) -> Result<Line, TemplateError> {
        let priority = group.priority;
        let view = View::of(ChannelType::Terminal);
        let message = self.renderer.render(view, group)?;
        let text = terminal::plain(&terminal::text(&message));
        Ok(Line {
            severity: Some(priority.severity.into()),
            urgent: Some(priority.urgent),
            headline: text.lines().next().map(str::to_owned),
            text: Some(text),
            payloads: Some(self.payloads(group)?),
            shown: self.shown(group)?,
            views: self.views(group)?,
            ..Line::default()
        })
    }

    /// The bodies that would be sent, of every type of channel or of the one that was asked for. What a channel's
    /// configuration adds is not in them.
    fn payloads(&self, group: &Group<'_>) -> Result<Map<String, Value>, TemplateError> {
        let wanted = |it: &&ChannelType| self.channel.is_none_or(|channel| channel == **it);
        let mut payloads = Map::new();
        for channel_type in ChannelType::VARIANTS.iter().filter(wanted) {
            let message = self.renderer.render(View::of(*channel_type), group)?;
            let channel = ConfiguredChannel::unconfigured(*channel_type);
            let payload = channel.channel.payload(&message);
            payloads.extend(payload.map(|body| (channel.name, body)));
        }
        Ok(payloads)
    }

    /// What `--output text` prints.
    fn shown(&self, group: &Group<'_>) -> Result<String, TemplateError> {
        let channel = self.channel.unwrap_or(ChannelType::Terminal);
        let message = self.renderer.render(View::of(channel), group)?;
        if channel == ChannelType::Terminal {
            return Ok(terminal::text(&message));
        }
        let lines = message
            .details
            .iter()
            .map(|line| format!("\n  {}", line.text));
        Ok(std::iter::once(message.headline).chain(lines).collect())
    }

    /// The message as the reader of each channel on the page sees it.
    fn views(&self, group: &Group<'_>) -> Result<Vec<ChannelView>, TemplateError> {
        let views = self.shown.iter().map(|configured| {
            let channel_type = configured.channel_type;
            let message = self.renderer.render(View::of(channel_type), group)?;
            let html = self.renderer.render(View::html(channel_type), group)?;
            Ok(ChannelView {
                name: configured.name.clone(),
                channel_type: channel_type.into(),
                is_wanted: configured.wants(group.priority),
                shown: configured.channel.show(&message, &html),
            })
        });
        views.collect()
    }
}

/// What is posted of a batch.
fn items<E>(decided: &[Result<(Notice, Decision), E>]) -> Vec<Item<'_>> {
    let read = decided.iter().enumerate();
    let told = read.filter_map(|(index, decided)| Item::of(index, decided.as_ref().ok()?));
    told.collect()
}

/// An event before its message.
fn line(notice: &Notice, decision: Decision) -> Line {
    Line {
        event_id: notice.origin.event_id.clone(),
        kind: Some(notice.kind.into()),
        decision: match decision {
            Decision::Keep(_) => "keep",
            Decision::Drop(_) => "drop",
        },
        reason: Some(decision.reason(notice.kind)),
        ..Line::default()
    }
}

/// Prints as the events come, or a page of all at the end.
struct Printer {
    output: Output,
    page: Vec<Line>,
}

impl Printer {
    fn new(output: Output) -> Self {
        Self {
            output,
            page: Vec::new(),
        }
    }

    fn print(&mut self, line: Line) -> anyhow::Result<()> {
        let mut out = anstream::stdout();
        match self.output {
            Output::Json => writeln!(out, "{}", serde_json::to_string(&line)?)?,
            Output::Text => line::print(&mut out, &line)?,
            Output::Html => self.page.push(line),
        }
        Ok(())
    }

    fn finish(&self) -> anyhow::Result<()> {
        if self.output == Output::Html {
            write!(std::io::stdout(), "{}", page::page(&self.page)?)?;
        }
        Ok(())
    }
}
