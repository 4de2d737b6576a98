//! `ecs-parrot preview`: what would be told, and why, without telling anybody.

use std::io::{self, Write};
use std::process::ExitCode;

use ecs_parrot::config::{self, Filter};
use ecs_parrot::deliver::{flowdock, slack, terminal};
use ecs_parrot::inbox::{self, Item};
use ecs_parrot::notice::Notice;
use ecs_parrot::notify::decide;
use ecs_parrot::render::{Dialect, Message, Renderer, TemplateError};
use ecs_parrot::triage::{Telling, Verdict};
use serde::Serialize;
use serde_json::{Map, Value};
use strum::VariantArray as _;

use crate::args::{Output, PreviewArgs};
use crate::input::{self, Input};

/// One line of `--output json`; the names are a contract.
#[derive(Debug, Default, Serialize)]
struct Line {
    file: String,
    event_id: Option<String>,
    kind: Option<&'static str>,
    decision: &'static str,
    reason: Option<&'static str>,
    severity: Option<&'static str>,
    loud: Option<bool>,
    headline: Option<String>,
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payloads: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What `--output text` prints: the message in the dialect that was asked for.
    #[serde(skip)]
    shown: String,
}

pub(crate) fn run(args: &PreviewArgs) -> anyhow::Result<ExitCode> {
    let filter = Filter::read(&config::environment())?;
    let renderer = filter.renderer()?;
    let preview = Preview {
        filter,
        renderer,
        channel: args.channel,
    };
    let mut out = anstream::stdout();
    let inputs = input::read(&args.inputs);
    let all = inputs.len();
    let mut failed = Vec::new();
    for input in inputs {
        let name = input.name.clone();
        let lines = preview.lines(input);
        if lines.iter().any(|line| line.error.is_some()) {
            failed.push(name);
        }
        for line in lines {
            match args.output {
                Output::Json => writeln!(out, "{}", serde_json::to_string(&line)?)?,
                Output::Text => print(&mut out, &line)?,
            }
        }
    }
    Ok(input::conclude(&failed, all))
}

struct Preview {
    filter: Filter,
    renderer: Renderer,
    channel: Option<Dialect>,
}

impl Preview {
    fn lines(&self, input: Input) -> Vec<Line> {
        match input.payload {
            Ok(payload) => inbox::open(&payload)
                .into_iter()
                .map(|item| Line {
                    file: input.name.clone(),
                    ..self.line(item)
                })
                .collect(),
            Err(error) => vec![Line {
                file: input.name,
                ..Line::error(error)
            }],
        }
    }

    fn line(&self, item: Item) -> Line {
        let event = match item.event {
            Ok(event) => event,
            Err(error) => return Line::error(error.to_string()),
        };
        let (notice, verdict) = decide(&event, &self.filter.policy);
        let line = Line {
            event_id: notice.origin.event_id.clone(),
            kind: Some(notice.kind.into()),
            reason: Some(verdict.reason(notice.kind)),
            ..Line::default()
        };
        match verdict {
            Verdict::Drop(_) => Line {
                decision: "drop",
                ..line
            },
            Verdict::Keep(telling) => match self.kept(&notice, telling) {
                Ok(kept) => Line {
                    event_id: line.event_id,
                    kind: line.kind,
                    reason: line.reason,
                    ..kept
                },
                Err(error) => Line {
                    event_id: line.event_id,
                    kind: line.kind,
                    ..Line::error(error.to_string())
                },
            },
        }
    }

    fn kept(&self, notice: &Notice, telling: Telling) -> Result<Line, TemplateError> {
        let plain = self.renderer.render(Dialect::Terminal, notice, telling)?;
        let text = terminal::plain(&terminal::text(&plain));
        Ok(Line {
            decision: "keep",
            severity: Some(telling.severity.into()),
            loud: Some(telling.is_loud()),
            headline: text.lines().next().map(str::to_owned),
            text: Some(text),
            payloads: Some(self.payloads(notice, telling)?),
            shown: self.shown(notice, telling)?,
            ..Line::default()
        })
    }

    /// The bodies that would be posted, of every chat or of the one that was asked for.
    fn payloads(
        &self,
        notice: &Notice,
        telling: Telling,
    ) -> Result<Map<String, Value>, TemplateError> {
        let wanted = |dialect: &&Dialect| self.channel.is_none_or(|channel| channel == **dialect);
        let mut payloads = Map::new();
        for dialect in Dialect::VARIANTS.iter().filter(wanted) {
            let message = self.renderer.render(*dialect, notice, telling)?;
            payloads.extend(payload(*dialect, &message).map(|body| (dialect.to_string(), body)));
        }
        Ok(payloads)
    }

    fn shown(&self, notice: &Notice, telling: Telling) -> Result<String, TemplateError> {
        let dialect = self.channel.unwrap_or(Dialect::Terminal);
        let message = self.renderer.render(dialect, notice, telling)?;
        Ok(match dialect {
            Dialect::Terminal => terminal::text(&message),
            Dialect::Slack | Dialect::Flowdock => {
                let lines = message.details.iter().map(|line| format!("\n  {line}"));
                std::iter::once(message.headline).chain(lines).collect()
            }
        })
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

impl Line {
    fn error(error: String) -> Self {
        Self {
            decision: "error",
            error: Some(error),
            ..Self::default()
        }
    }
}

fn print(out: &mut impl Write, line: &Line) -> io::Result<()> {
    let bold = anstyle::Style::new().bold();
    writeln!(out, "{bold}{}{bold:#}", line.file)?;
    if let Some(error) = &line.error {
        return writeln!(out, "error: {error}\n");
    }
    let kind = line.kind.unwrap_or_default();
    let reason = line.reason.unwrap_or_default();
    match (line.severity, line.loud) {
        (Some(severity), Some(loud)) => {
            let volume = if loud { "loud" } else { "quiet" };
            writeln!(
                out,
                "keep: {reason} ({kind}, {severity}, {volume})\n{}\n",
                line.shown
            )
        }
        (_, _) => writeln!(out, "drop: {reason} ({kind})\n"),
    }
}
