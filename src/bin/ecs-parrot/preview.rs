//! `ecs-parrot preview`: what would be told, and why, without telling anybody.

mod line;
mod markup;
mod page;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use ecs_parrot::aws::LazySession;
use ecs_parrot::config::{self, Filter, Lookup};
use ecs_parrot::deadline::Deadline;
use ecs_parrot::deliver::{flowdock, slack, terminal};
use ecs_parrot::digest::{Digest, Group, Item, Plan};
use ecs_parrot::enrich::{Enricher, Limits};
use ecs_parrot::http::SharedClient;
use ecs_parrot::inbox;
use ecs_parrot::notice::Notice;
use ecs_parrot::notify::{decide, look_up};
use ecs_parrot::render::{Dialect, Message, Renderer, TemplateError};
use ecs_parrot::triage::Verdict;
use serde_json::{Map, Value};
use strum::VariantArray as _;

use crate::args::{Output, PreviewArgs};
use crate::input::{self, Input};
use crate::notify::{can_ask, log_to_standard_error, open_as_caller};
use line::Line;

pub(crate) fn run(args: &PreviewArgs) -> anyhow::Result<ExitCode> {
    log_to_standard_error();
    let environment = config::environment();
    for warning in config::preview_warnings(&environment, args.enrich) {
        anstream::eprintln!("ecs-parrot: {warning}");
    }
    let filter = Filter::read(&environment)?;
    let renderer = filter.renderer()?;
    for warning in renderer.warnings() {
        anstream::eprintln!("ecs-parrot: {warning}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let enricher = match args.enrich {
        true => {
            let last_words = Lookup::read(&environment)?.last_words;
            let session = Arc::new(LazySession::new(open_as_caller, SharedClient::default()));
            let can_ask = runtime.block_on(can_ask(&session));
            can_ask.then(|| Enricher::new(last_words, Limits::TERMINAL, session))
        }
        false => None,
    };
    let preview = Preview {
        filter,
        renderer,
        enricher,
        channel: args.channel,
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
    channel: Option<Dialect>,
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
        let found = inbox::open(&payload).into_iter();
        let mut decided: Vec<_> = found
            .map(|item| item.event.map(|event| decide(&event, policy)))
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
                    Ok((notice, verdict)) => line(notice, *verdict),
                    Err(error) => Line::error(error.to_string()),
                }
            })
            .collect();
        let mut plan = Plan::of(&items(&decided));
        while let Some(Group { places, digest }) = plan.next(None) {
            self.tell(&mut lines, &places, &digest);
        }
        lines
    }

    /// A message stands in the line of the first event that it tells; the others name that.
    fn tell(&self, lines: &mut [Line], places: &[usize], digest: &Digest<'_>) {
        let Some((first, others)) = places.split_first() else {
            return;
        };
        let id = lines[*first].event_id.clone();
        match self.kept(digest) {
            Ok(kept) => lines[*first].keep(kept),
            Err(error) => lines[*first].fail(error.to_string()),
        }
        for other in others {
            lines[*other].told_in.clone_from(&id);
            lines[*other].severity = Some(digest.telling.severity.into());
            lines[*other].loud = Some(digest.telling.is_loud());
        }
    }

    fn kept(&self, digest: &Digest<'_>) -> Result<Line, TemplateError> {
        let telling = digest.telling;
        let message = self.renderer.render(Dialect::Terminal, digest)?;
        let terminal = terminal::text(&message);
        let text = terminal::plain(&terminal);
        Ok(Line {
            severity: Some(telling.severity.into()),
            loud: Some(telling.is_loud()),
            headline: text.lines().next().map(str::to_owned),
            text: Some(text),
            payloads: Some(self.payloads(digest)?),
            shown: self.shown(digest)?,
            terminal,
            ..Line::default()
        })
    }

    /// The bodies that would be posted, of every chat or of the one that was asked for.
    fn payloads(&self, digest: &Digest<'_>) -> Result<Map<String, Value>, TemplateError> {
        let wanted = |dialect: &&Dialect| self.channel.is_none_or(|channel| channel == **dialect);
        let mut payloads = Map::new();
        for dialect in Dialect::VARIANTS.iter().filter(wanted) {
            let message = self.renderer.render(*dialect, digest)?;
            payloads.extend(payload(*dialect, &message).map(|body| (dialect.to_string(), body)));
        }
        Ok(payloads)
    }

    fn shown(&self, digest: &Digest<'_>) -> Result<String, TemplateError> {
        let dialect = self.channel.unwrap_or(Dialect::Terminal);
        let message = self.renderer.render(dialect, digest)?;
        Ok(match dialect {
            Dialect::Terminal => terminal::text(&message),
            Dialect::Slack | Dialect::Flowdock => {
                let lines = message.details.iter().map(|line| format!("\n  {line}"));
                std::iter::once(message.headline).chain(lines).collect()
            }
        })
    }
}

/// What is told of a batch.
fn items<E>(decided: &[Result<(Notice, Verdict), E>]) -> Vec<Item<'_>> {
    let read = decided.iter().enumerate();
    let told = read.filter_map(|(place, decided)| Item::of(place, decided.as_ref().ok()?));
    told.collect()
}

/// An event before its message.
fn line(notice: &Notice, verdict: Verdict) -> Line {
    Line {
        event_id: notice.origin.event_id.clone(),
        kind: Some(notice.kind.into()),
        decision: match verdict {
            Verdict::Keep(_) => "keep",
            Verdict::Drop(_) => "drop",
        },
        reason: Some(verdict.reason(notice.kind)),
        ..Line::default()
    }
}

/// What a chat would be sent, without what a channel's configuration adds.
fn payload(dialect: Dialect, message: &Message) -> Option<Value> {
    match dialect {
        Dialect::Slack => Some(slack::payload(message, &slack::Look::default())),
        Dialect::Flowdock => Some(flowdock::payload(message, &flowdock::Look::default())),
        Dialect::Terminal => None,
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
