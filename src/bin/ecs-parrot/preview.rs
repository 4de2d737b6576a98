//! `ecs-parrot preview`: shows what would be posted, and why, without sending anything.

mod channels;
mod line;
mod page;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use ecs_parrot::aws::LazySession;
use ecs_parrot::aws::deadline::Deadline;
use ecs_parrot::config;
use ecs_parrot::ecs::event::Time;
use ecs_parrot::ecs::notice::Notice;
use ecs_parrot::http::SharedClient;
use ecs_parrot::notifier::channel::{ChannelType, ConfiguredChannel, Operation, terminal};
use ecs_parrot::notifier::config::{self as notifier_config, Filter, Lookup};
use ecs_parrot::notifier::dispatch::{evaluate, look_up};
use ecs_parrot::notifier::enrich::{EnrichLimits, Enricher};
use ecs_parrot::notifier::group::{Group, GroupItem, MessagePlan, PlannedMessage};
use ecs_parrot::notifier::ingest;
use ecs_parrot::notifier::message::Message;
use ecs_parrot::notifier::policy::{Decision, Priority, is_brought_back};
use ecs_parrot::notifier::render::{Renderer, TemplateError, ThreadMessage, View};
use ecs_parrot::notifier::thread::{
    Action, Observation, ThreadForm, ThreadKind, UnixTime, kinds_heard, opening,
};
use serde_json::{Map, Value};
use strum::VariantArray as _;
use tokio::runtime::Runtime;

use crate::args::{Output, PreviewArgs};
use crate::input::{self, Input};
use crate::notify::{can_ask, log_to_standard_error, open_as_caller};
use channels::{Judged, Why, route};
use line::{ChannelView, EventLine};

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
            let Lookup { role, log_tail, .. } = Lookup::read(&environment)?;
            let session = Arc::new(LazySession::new(open_as_caller, SharedClient::default()));
            let can_ask = runtime.block_on(can_ask(&session));
            let (channels, _) = notifier_config::configured_channels(&environment);
            let tag_keys = notifier_config::tag_keys(&channels, &renderer)?;
            can_ask.then(|| {
                let enricher = Enricher::new(log_tail, EnrichLimits::TERMINAL, session);
                enricher.with_tags(tag_keys).with_lookup_role(role)
            })
        }
        false => None,
    };
    let configured = match args.output {
        Output::Html if args.why.is_some() => bail!("--why needs --output text or json"),
        Output::Html => Vec::new(),
        Output::Text | Output::Json => configured_channels(&environment),
    };
    check_name(args.why.as_deref(), &configured)?;
    let preview = Preview {
        filter,
        configured,
        why: args.why.clone(),
        renderer,
        enricher,
        channel: args.channel,
        shown: match args.output {
            Output::Html => page_channels(&environment, args.channel),
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

/// The channels of the page. Problems with their configuration are printed.
fn page_channels(
    environment: &[(String, String)],
    only: Option<ChannelType>,
) -> Vec<ConfiguredChannel> {
    let (channels, warnings) = notifier_config::preview_channels(environment, only);
    for warning in warnings {
        anstream::eprintln!("ecs-parrot: {warning}");
    }
    channels
}

/// The channels of the configuration. Problems with `CHANNELS` are printed; the other variables of channels decide nothing
/// that a preview shows.
fn configured_channels(environment: &[(String, String)]) -> Vec<ConfiguredChannel> {
    let (channels, warnings) = notifier_config::configured_channels(environment);
    let is_list = |(name, value): &(String, String)| name == "CHANNELS" && !value.trim().is_empty();
    let has_list = environment.iter().any(is_list);
    for warning in warnings.iter().filter(|_| has_list) {
        anstream::eprintln!("ecs-parrot: {warning}");
    }
    channels
}

/// Whether `--why` names a channel.
fn check_name(why: Option<&str>, channels: &[ConfiguredChannel]) -> anyhow::Result<()> {
    let Some(why) = why.filter(|it| !channels.iter().any(|channel| channel.name == **it)) else {
        return Ok(());
    };
    let names: Vec<_> = channels.iter().map(|it| it.name.as_str()).collect();
    let why = why.escape_debug();
    match names.is_empty() {
        true => bail!("--why `{why}`: no channel is configured; set CHANNELS"),
        false => bail!(
            "--why `{why}`: no channel has this name; allowed: {}",
            names.join(", ")
        ),
    }
}

/// Renders a message in a view.
trait Render: Fn(View) -> Result<Message, TemplateError> {}

impl<F: Fn(View) -> Result<Message, TemplateError>> Render for F {}

struct Preview {
    filter: Filter,
    renderer: Renderer,
    enricher: Option<Enricher>,
    channel: Option<ChannelType>,
    /// The channels of the configuration. Empty for the page.
    configured: Vec<ConfiguredChannel>,
    /// The channel of `--why`.
    why: Option<String>,
    /// The channels on the page. Empty for other outputs.
    shown: Vec<ConfiguredChannel>,
}

impl Preview {
    async fn lines(&self, input: Input) -> Vec<EventLine> {
        let payload = match input.payload {
            Ok(payload) => payload,
            Err(error) => {
                return vec![EventLine {
                    file: input.name,
                    ..EventLine::error(error)
                }];
            }
        };
        let policy = &self.filter.policy;
        let found = ingest::open(&payload).items.into_iter();
        let mut decided: Vec<_> = found
            .map(|item| item.event.map(|event| evaluate(&event, policy)))
            .collect();
        if let Some(enricher) = &self.enricher {
            let read = decided.iter_mut().filter_map(|it| it.as_mut().ok());
            look_up(read, enricher, policy, Deadline::NONE).await;
        }
        let mut lines: Vec<_> = decided
            .iter()
            .map(|decided| EventLine {
                file: input.name.clone(),
                ..match decided {
                    Ok((notice, decision)) => self.line(notice, *decision),
                    Err(error) => EventLine::error(error.to_string()),
                }
            })
            .collect();
        let mut items = items(&decided);
        items.retain(|item| match self.deployment(item) {
            Some(action) => {
                let judged = self.judged(&decided, &[item.index]);
                self.add_thread(&mut lines[item.index], item, &action, &judged);
                false
            }
            None => true,
        });
        let mut plan = MessagePlan::of(&items);
        while let Some(PlannedMessage { indexes, group }) = plan.next(None) {
            let judged = self.judged(&decided, &indexes);
            self.add_message(&mut lines, &indexes, &group, &judged);
        }
        lines
    }

    /// What the channels on the page judge these events by.
    fn judged<E>(
        &self,
        decided: &[Result<(Notice, Decision), E>],
        indexes: &[usize],
    ) -> Vec<Judged> {
        if self.shown.is_empty() {
            return Vec::new();
        }
        let decided = indexes.iter().filter_map(|it| decided[*it].as_ref().ok());
        let judged = decided.filter_map(|(notice, decision)| {
            let observation = self.observation(notice, *decision);
            Judged::of(&observation)
        });
        judged.collect()
    }

    /// The line of an event without its message.
    fn line(&self, notice: &Notice, decision: Decision) -> EventLine {
        let observation = self.observation(notice, decision);
        let judged = match self.configured.is_empty() {
            true => None,
            false => Judged::of(&observation),
        };
        let in_channels = |judged: &Judged| {
            let channels = self.configured.iter();
            channels.map(|it| judged.in_channel(it)).collect()
        };
        let mut channels = self.configured.iter();
        let asked = channels.find(|it| self.why.as_ref() == Some(&it.name));
        EventLine {
            event_id: notice.origin.event_id.clone(),
            kind: Some(notice.kind.into()),
            decision: match decision {
                Decision::Keep(_) => "keep",
                Decision::Drop(_) => "drop",
            },
            reason: Some(decision.reason(notice.kind)),
            threads: kinds_heard(&observation)
                .into_iter()
                .map(Into::into)
                .collect(),
            route: Some(route(&observation, notice).to_json()),
            channels: judged.as_ref().map(in_channels).unwrap_or_default(),
            why: asked.map(|it| Why::of(it, judged.as_ref())),
            ..EventLine::default()
        }
    }

    fn observation<'a>(&self, notice: &'a Notice, decision: Decision) -> Observation<'a> {
        let is_brought_back = is_brought_back(notice, &self.filter.policy);
        Observation::new(0, notice, decision, is_brought_back, time_of(notice))
    }

    /// The deployment that the event opens. Its message differs from the event's own. Any other thread that an event
    /// opens shows the event itself.
    fn deployment(&self, item: &GroupItem<'_>) -> Option<Action> {
        let decision = Decision::Keep(item.priority);
        let observation = self.observation(item.notice, decision);
        if observation.is_brought_back {
            return None;
        }
        let action = opening(&observation, observation.at);
        action.filter(|it| it.thread.kind() == ThreadKind::Deployment)
    }

    fn add_thread(
        &self,
        line: &mut EventLine,
        item: &GroupItem<'_>,
        action: &Action,
        judged: &[Judged],
    ) {
        let shown = ThreadMessage {
            thread: &action.thread,
            turn: &action.turn,
            form: ThreadForm::Whole,
        };
        let render = |view| self.renderer.render_thread(view, &shown);
        match self.message_line(item.priority, judged, render) {
            Ok(message) => line.set_message(message),
            Err(error) => line.set_error(error.to_string()),
        }
    }

    /// The message is in the line of its first event. The lines of the other events contain the id of that event.
    fn add_message(
        &self,
        lines: &mut [EventLine],
        indexes: &[usize],
        group: &Group<'_>,
        judged: &[Judged],
    ) {
        let Some((first, others)) = indexes.split_first() else {
            return;
        };
        let id = lines[*first].event_id.clone();
        let render = |view| self.renderer.render(view, group);
        match self.message_line(group.priority, judged, render) {
            Ok(message) => lines[*first].set_message(message),
            Err(error) => lines[*first].set_error(error.to_string()),
        }
        for other in others {
            lines[*other].grouped_in.clone_from(&id);
            lines[*other].severity = Some(group.priority.severity.into());
            lines[*other].urgent = Some(group.priority.urgent);
        }
    }

    fn message_line(
        &self,
        priority: Priority,
        judged: &[Judged],
        render: impl Render,
    ) -> Result<EventLine, TemplateError> {
        let message = render(View::of(ChannelType::Terminal))?;
        let text = terminal::plain(&terminal::text(&message));
        Ok(EventLine {
            severity: Some(priority.severity.into()),
            urgent: Some(priority.urgent),
            headline: text.lines().next().map(str::to_owned),
            text: Some(text),
            payloads: Some(self.payloads(&render)?),
            shown: self.shown(&render)?,
            views: self.views(judged, &render)?,
            ..EventLine::default()
        })
    }

    /// The payloads for every channel type, or for the requested one. They do not contain what the configuration of a
    /// channel adds.
    fn payloads(&self, render: &impl Render) -> Result<Map<String, Value>, TemplateError> {
        let requested = |it: &&ChannelType| self.channel.is_none_or(|channel| channel == **it);
        let mut payloads = Map::new();
        for channel_type in ChannelType::VARIANTS.iter().filter(requested) {
            let message = render(View::of(*channel_type))?;
            let channel = ConfiguredChannel::unconfigured(*channel_type);
            let payload = channel.channel.payload(&message, Operation::Post);
            payloads.extend(payload.map(|body| (channel.name, body)));
        }
        Ok(payloads)
    }

    /// What `--output text` prints.
    fn shown(&self, render: &impl Render) -> Result<String, TemplateError> {
        let channel = self.channel.unwrap_or(ChannelType::Terminal);
        let message = render(View::of(channel))?;
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
    fn views(
        &self,
        judged: &[Judged],
        render: &impl Render,
    ) -> Result<Vec<ChannelView>, TemplateError> {
        let views = self.shown.iter().map(|configured| {
            let channel_type = configured.channel_type;
            let message = render(View::of_channel(configured))?;
            let html = render(View::html(channel_type))?;
            Ok(ChannelView {
                name: configured.name.clone(),
                channel_type: channel_type.into(),
                refused: refused(judged, configured),
                shown: configured.channel.show(&message, &html),
            })
        });
        views.collect()
    }
}

/// Why a channel does not get a message: it takes none of its events.
fn refused(judged: &[Judged], channel: &ConfiguredChannel) -> Option<String> {
    let is_taken = judged.iter().any(|it| it.is_taken_by(channel));
    let first = judged.first().filter(|_| !is_taken)?;
    Some(first.in_channel(channel).refusal())
}

/// The notices of a batch that are posted.
fn items<E>(decided: &[Result<(Notice, Decision), E>]) -> Vec<GroupItem<'_>> {
    let read = decided.iter().enumerate();
    let kept = read.filter_map(|(index, decided)| GroupItem::of(index, decided.as_ref().ok()?));
    kept.collect()
}

/// Previews judge an event at its own time.
fn time_of(notice: &Notice) -> UnixTime {
    let time = notice.origin.time.as_ref().and_then(Time::instant);
    time.map(UnixTime::of).unwrap_or_default()
}

/// Prints each line at once, or one page with all lines at the end.
struct Printer {
    output: Output,
    page: Vec<EventLine>,
}

impl Printer {
    fn new(output: Output) -> Self {
        Self {
            output,
            page: Vec::new(),
        }
    }

    fn print(&mut self, line: EventLine) -> anyhow::Result<()> {
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
