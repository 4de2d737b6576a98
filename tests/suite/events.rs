//! The sample events, and helpers that run the stages without I/O on a payload.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use ecs_parrot::ecs::event::EcsEvent;
use ecs_parrot::ecs::notice::Notice;
use ecs_parrot::notifier::channel::{ChannelType, ConfiguredChannel, Flavor, Operation, terminal};
use ecs_parrot::notifier::config::NotifierConfig;
use ecs_parrot::notifier::dispatch;
use ecs_parrot::notifier::group::Group;
use ecs_parrot::notifier::ingest;
use ecs_parrot::notifier::message::Message;
use ecs_parrot::notifier::policy::{Decision, Policy, Priority};
use ecs_parrot::notifier::render::{Renderer, TemplateError, View};
use ecs_parrot::notifier::replay::{Replay, ReplayLine};
use ecs_parrot::notifier::thread::{ThreadSettings, UnixTime};
use serde_json::{Value, json};
use strum::VariantArray as _;

/// These fields decide how an event is classified. All other fields are facts about it.
pub(crate) const DECIDING: [&str; 16] = [
    "source",
    "detail-type",
    "eventSource",
    "eventName",
    "eventType",
    "lastStatus",
    "desiredStatus",
    "status",
    "stopCode",
    "overallStatus",
    "errorCode",
    "readOnly",
    "type",
    "invokedBy",
    "Type",
    "region",
];

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

pub(crate) fn sample(name: &str) -> Value {
    read(&folder().join(format!("{name}.json")))
}

pub(crate) fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// Every sample, with its file name.
pub(crate) fn all() -> &'static [(String, Value)] {
    static ALL: LazyLock<Vec<(String, Value)>> = LazyLock::new(|| {
        let paths = std::fs::read_dir(folder()).unwrap();
        let paths = paths.map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|it| it == "json"))
            .collect();
        paths.sort();
        assert!(!paths.is_empty());
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        paths.iter().map(|path| (name(path), read(path))).collect()
    });
    &ALL
}

/// For each kind of event that is kept: the largest sample.
pub(crate) fn one_of_each_kind() -> Vec<&'static (String, Value)> {
    let mut chosen: BTreeMap<&'static str, &'static (String, Value)> = BTreeMap::new();
    let length = |sample: &(String, Value)| sample.1.to_string().len();
    for sample in all() {
        let evaluated = evaluate(&sample.1, &Policy::default())
            .into_iter()
            .flatten();
        for evaluated in evaluated.filter(|evaluated| evaluated.priority().is_some()) {
            let largest = chosen.entry(evaluated.notice.kind.into()).or_insert(sample);
            if length(sample) > length(largest) {
                *largest = sample;
            }
        }
    }
    assert!(chosen.len() > 15, "{:?}", chosen.keys());
    chosen.into_values().collect()
}

/// The built-in templates. They are compiled once for all tests.
pub(crate) fn renderer() -> &'static Renderer {
    static RENDERER: LazyLock<Renderer> = LazyLock::new(Renderer::default);
    &RENDERER
}

/// What a channel of this type shows of these batches, from the first event until nothing is due any more.
pub(crate) fn replay(
    batches: impl IntoIterator<Item = (UnixTime, Vec<EcsEvent>)>,
    channel: ChannelType,
) -> Vec<ReplayLine> {
    replay_in(batches, &ConfiguredChannel::unconfigured(channel))
}

/// The same for a configured channel.
pub(crate) fn replay_in(
    batches: impl IntoIterator<Item = (UnixTime, Vec<EcsEvent>)>,
    channel: &ConfiguredChannel,
) -> Vec<ReplayLine> {
    let policy = Policy::default();
    let mut replay = Replay::new(&policy, renderer(), channel, ThreadSettings::default());
    let mut lines = Vec::new();
    for (at, events) in batches {
        lines.extend(replay.batch(at, &events));
    }
    lines.extend(replay.finish(None));
    lines
}

/// The result of one event of a payload. Nothing is sent.
pub(crate) struct Evaluated {
    pub(crate) notice: Notice,
    pub(crate) decision: Decision,
}

/// Evaluates every event of a payload. An item that is not an event gives an error.
pub(crate) fn evaluate(payload: &Value, policy: &Policy) -> Vec<Result<Evaluated, String>> {
    ingest::open(payload)
        .items
        .into_iter()
        .map(|item| {
            let event = item.event.map_err(|error| error.to_string())?;
            let (notice, decision) = dispatch::evaluate(&event, policy);
            Ok(Evaluated { notice, decision })
        })
        .collect()
}

impl Evaluated {
    pub(crate) fn priority(&self) -> Option<Priority> {
        match self.decision {
            Decision::Keep(priority) => Some(priority),
            Decision::Drop(_) => None,
        }
    }

    pub(crate) fn reason(&self) -> &'static str {
        self.decision.reason(self.notice.kind)
    }
}

/// A message as every type of channel would post or print it.
pub(crate) struct Rendered {
    channels: Vec<RenderedChannel>,
    pub(crate) terminal: String,
}

pub(crate) struct RenderedChannel {
    /// The name of the type, or of its flavor.
    pub(crate) name: String,
    pub(crate) channel_type: ChannelType,
    pub(crate) flavor: Flavor,
    pub(crate) message: Message,
    /// `None` for the terminal.
    pub(crate) payload: Option<Value>,
}

impl Rendered {
    pub(crate) fn channels(&self) -> &[RenderedChannel] {
        &self.channels
    }

    pub(crate) fn of(&self, channel_type: ChannelType) -> &RenderedChannel {
        let mut channels = self.channels.iter();
        channels.find(|it| it.channel_type == channel_type).unwrap()
    }
}

/// Renders a notice with the template of its kind and without the fallback, so that a template error becomes visible.
pub(crate) fn render(
    renderer: &Renderer,
    notice: &Notice,
    priority: Priority,
) -> Result<Rendered, TemplateError> {
    render_group(renderer, &Group::of_one(notice, priority))
}

/// A channel of Mattermost, the only flavor of a type.
pub(crate) fn mattermost() -> ConfiguredChannel {
    let list = json!([{
        "name": "mattermost",
        "type": "slack",
        "flavor": "mattermost",
        "url": "https://mattermost.example/hooks/x",
    }]);
    let variable = ("CHANNELS".to_owned(), list.to_string());
    let config = NotifierConfig::read(&[variable]).unwrap();
    config.channels.configured.into_iter().next().unwrap()
}

/// Renders several notices as one message.
pub(crate) fn render_group(
    renderer: &Renderer,
    group: &Group<'_>,
) -> Result<Rendered, TemplateError> {
    let types = ChannelType::VARIANTS.iter().copied();
    let unconfigured = types.map(ConfiguredChannel::unconfigured);
    let channels = unconfigured.chain([mattermost()]).map(|configured| {
        let message = renderer.render(View::of_channel(&configured), group)?;
        Ok(RenderedChannel {
            payload: configured.channel.payload(&message, Operation::Post),
            channel_type: configured.channel_type,
            flavor: configured.channel.flavor(),
            name: configured.name,
            message,
        })
    });
    let channels = channels.collect::<Result<_, TemplateError>>()?;
    let terminal = renderer.render(View::of(ChannelType::Terminal), group)?;
    Ok(Rendered {
        channels,
        terminal: terminal::text(&terminal),
    })
}
