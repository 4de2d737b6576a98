//! Renders messages with Tera templates: a [`Group`] of notices in, a [`Message`] in a channel's markup out.
//!
//! The templates are `CHANNEL/KIND.tera`, `KIND.tera` and `default.tera`, in this order. The operator's files come before
//! the built-in ones. Built-in templates are compiled on their first use, because to compile all of them would make a
//! cold start slow. The operator's templates are compiled at the start, so that an error stops the program.

mod built_in;
mod clean;
mod context;
mod facts;
mod functions;
mod own;
mod subjects;
mod thread_message;

use std::sync::OnceLock;

use strum::{IntoStaticStr, VariantArray};
use tera::Tera;

pub use own::{OwnTemplates, TemplateFile};
pub use thread_message::ThreadMessage;

use crate::ecs::archive::Archive;
use crate::ecs::notice::{Kind, Notice};
use crate::notifier::channel::html::Html;
use crate::notifier::channel::markup::Markup;
use crate::notifier::channel::{ChannelType, ConfiguredChannel, Flavor};
use crate::notifier::group::{Form, Group};
use crate::notifier::message::{Line, Message, MessageFacts, MessageSubject, MessageThread};
use crate::notifier::policy::Severity;
use crate::notifier::tag_keys::TagKeys;
use crate::notifier::thread::ThreadKind;
use crate::text::spelling::nearest;
use context::{Context, MOST_LINES, mark};
use facts::{facts_of, facts_of_thread};
use functions::compile;
use functions::marks::{BLOCK, BOLD, COUNT_IS_SHOWN, END_OF_BOLD, LINE_OF_BLOCK, is_mark};
use subjects::{subjects_of, subjects_of_thread};

/// The channel type that a message is rendered for, and the markup.
#[derive(Clone, Copy)]
pub struct View {
    channel: ChannelType,
    format: Format,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    /// The channel's own markup.
    Own(Flavor),
    /// HTML, for the page of a preview.
    Html,
}

impl View {
    /// The number of views: two for each type, and one for Mattermost's flavor of Slack.
    const COUNT: usize = 2 * ChannelType::VARIANTS.len() + 1;

    /// In the type's own markup.
    pub fn of(channel: ChannelType) -> Self {
        let format = Format::Own(Flavor::Own);
        Self { channel, format }
    }

    /// In the markup of a configured channel.
    pub fn of_channel(channel: &ConfiguredChannel) -> Self {
        Self {
            channel: channel.channel_type,
            format: Format::Own(channel.channel.flavor()),
        }
    }

    /// With the channel's templates, in HTML.
    pub fn html(channel: ChannelType) -> Self {
        let format = Format::Html;
        Self { channel, format }
    }

    fn markup(self) -> &'static dyn Markup {
        match self.format {
            Format::Own(flavor) => flavor.markup(self.channel),
            Format::Html => &Html,
        }
    }

    /// A number below [`View::COUNT`].
    fn index(self) -> usize {
        let types = ChannelType::VARIANTS.len();
        match self.format {
            Format::Own(Flavor::Own) => self.channel as usize,
            Format::Html => types + self.channel as usize,
            // Only the type `slack` has this flavor.
            Format::Own(Flavor::Mattermost) => 2 * types,
        }
    }
}

/// A template that does not compile, or cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {problem}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct TemplateError {
    /// The operator's path, or the name of a built-in template.
    pub file: String,
    /// 1-based.
    pub line: Option<usize>,
    pub problem: String,
}

/// All templates, for all channel types.
pub struct Renderer {
    own: Option<OwnTemplates>,
    settings: NameSettings,
    built_in: Vec<OnceLock<Result<Tera, TemplateError>>>,
}

/// What the names of a template depend on besides the event.
#[derive(Default)]
struct NameSettings {
    /// The tags that the operator's templates use. The built-in ones use none.
    tag_keys: TagKeys,
    /// Where events are found again.
    archive: Option<Archive>,
}

impl NameSettings {
    /// The address of the event in the archive. Messages are rendered again from stored notices, so it is made here and
    /// not stored with them.
    fn archived(&self, notice: &Notice) -> Option<String> {
        self.archive.as_ref()?.event(&notice.origin)
    }
}

impl Default for Renderer {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Renderer {
    pub fn new(own: Option<OwnTemplates>) -> Self {
        let slots = View::COUNT * TemplateKind::SLOTS;
        Self {
            settings: NameSettings {
                tag_keys: own.as_ref().map(OwnTemplates::tag_keys).unwrap_or_default(),
                archive: None,
            },
            own,
            built_in: (0..slots).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Messages link to their events in this archive.
    #[must_use]
    pub fn with_archive(mut self, archive: Option<Archive>) -> Self {
        self.settings.archive = archive;
        self
    }

    /// Problems in the operator's folder that do not stop the program.
    pub fn warnings(&self) -> &[String] {
        self.own.as_ref().map_or(&[], OwnTemplates::warnings)
    }

    /// The tags that the templates use.
    pub fn tag_keys(&self) -> &TagKeys {
        &self.settings.tag_keys
    }

    /// Renders with the first template only, so that the author of a template sees its errors.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if that template fails, or uses an unknown name.
    pub fn render(&self, view: View, group: &Group<'_>) -> Result<Message, TemplateError> {
        self.render_strictly(view, &self.of_group(view, group))
    }

    /// Always renders a message. If a template fails, the next one is used.
    pub fn render_or_fall_back(&self, view: View, group: &Group<'_>) -> Message {
        self.render_always(view, &self.of_group(view, group))
    }

    /// The same as [`Self::render`] for the message of a thread.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if the template fails, or uses an unknown name.
    pub fn render_thread(
        &self,
        view: View,
        shown: &ThreadMessage<'_>,
    ) -> Result<Message, TemplateError> {
        self.render_strictly(view, &self.of_thread(view, shown))
    }

    /// The same as [`Self::render_or_fall_back`] for the message of a thread.
    pub fn render_thread_or_fall_back(&self, view: View, shown: &ThreadMessage<'_>) -> Message {
        self.render_always(view, &self.of_thread(view, shown))
    }

    fn of_group(&self, view: View, group: &Group<'_>) -> Rendering {
        let count = group.notices.len();
        let is_counted = group.form == Form::Same && count > 1;
        Rendering {
            template: TemplateKind::of(group),
            context: Context::new(view, group, &self.headlines(view, group), &self.settings),
            kind: group.first().kind,
            severity: group.priority.severity,
            urgent: group.priority.urgent,
            subjects: match group.priority.severity {
                Severity::Critical => Some(subjects_of(group)),
                Severity::Info | Severity::Success | Severity::Warning => None,
            },
            count: is_counted.then_some(count),
            facts: facts_of(group.first(), group.priority, &self.settings),
            thread: None,
        }
    }

    fn of_thread(&self, view: View, shown: &ThreadMessage<'_>) -> Rendering {
        let event = shown.event();
        let group = Group::of_one(&event.notice, event.priority);
        let text = self.text_always(view, &self.of_group(view, &group));
        let (headline, details) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
        let mark = mark(event.priority.severity);
        let headline = headline.strip_prefix(mark).unwrap_or(headline).trim_start();
        let (severity, urgent) = (shown.severity(), shown.urgent());
        Rendering {
            template: TemplateKind::of_thread(shown.thread.kind()),
            context: Context::of_thread(view, shown, &event, (headline, details), &self.settings),
            kind: event.notice.kind,
            severity,
            urgent,
            subjects: shown
                .turn
                .mentions
                .then(|| subjects_of_thread(shown.thread)),
            count: None,
            facts: facts_of_thread(shown, &event, &self.settings),
            thread: Some(shown.as_message_thread()),
        }
    }

    fn render_strictly(&self, view: View, rendering: &Rendering) -> Result<Message, TemplateError> {
        match self.candidates(view, rendering.template).next() {
            Some(candidate) => {
                let candidate = candidate?;
                candidate.check_names()?;
                let text = candidate.text(&rendering.context)?;
                Ok(rendering.message(view, &text))
            }
            None => Ok(rendering.last_resort()),
        }
    }

    fn render_always(&self, view: View, rendering: &Rendering) -> Message {
        match self.text_always(view, rendering).as_str() {
            "" => rendering.last_resort(),
            text => rendering.message(view, text),
        }
    }

    /// The text of the first template that does not fail, or an empty text.
    fn text_always(&self, view: View, rendering: &Rendering) -> String {
        for candidate in self.candidates(view, rendering.template) {
            match candidate.and_then(|it| it.text(&rendering.context)) {
                Ok(text) => return text,
                Err(error) => tracing::error!(%error, "a template failed, so the next one is used"),
            }
        }
        String::new()
    }

    /// The headlines of a summary's parts, each rendered with its own template.
    fn headlines(&self, view: View, group: &Group<'_>) -> Vec<String> {
        let parts = group.parts.iter().take(MOST_LINES);
        let headlines = parts.map(|part| {
            let headline = self.render_or_fall_back(view, part).headline;
            let mark = mark(part.priority.severity);
            let text = headline.strip_prefix(mark).unwrap_or(&headline);
            text.trim_start().to_owned()
        });
        headlines.collect()
    }

    /// The templates in the order of the lookup. After the operator's template of a kind comes the built-in one of that
    /// kind, and then the defaults.
    fn candidates(
        &self,
        view: View,
        template: TemplateKind,
    ) -> impl Iterator<Item = Result<TemplateCandidate<'_>, TemplateError>> {
        let name = template.name();
        let of_kind = names_of_kind(view.channel, name);
        let default = ["default.tera".to_owned()];
        let own_of_kind = self.own_candidates(view, of_kind.clone());
        let own_default = self.own_candidates(view, default.to_vec());
        own_of_kind
            .chain(self.built_in_candidates(view, template, of_kind.clone()))
            .chain(own_default)
            .chain(self.built_in_candidates(view, TemplateKind::Default, default.to_vec()))
    }

    /// The operator's templates, and built-in ones with the operator's parts.
    fn own_candidates(
        &self,
        view: View,
        names: Vec<String>,
    ) -> impl Iterator<Item = Result<TemplateCandidate<'_>, TemplateError>> {
        self.own.iter().flat_map(move |own| match own.tera(view) {
            Ok(tera) => found(tera, &names, Some(own)),
            Err(error) => vec![Err(error)],
        })
    }

    /// Built-in templates. They are compiled only if all templates before them have failed.
    fn built_in_candidates(
        &self,
        view: View,
        template: TemplateKind,
        names: Vec<String>,
    ) -> impl Iterator<Item = Result<TemplateCandidate<'_>, TemplateError>> {
        std::iter::once_with(move || self.built_in(view, template)).flat_map(move |tera| match tera
        {
            Ok(tera) => found(tera, &names, None),
            Err(error) => vec![Err(error)],
        })
    }

    fn built_in(&self, view: View, template: TemplateKind) -> Result<&Tera, TemplateError> {
        let slot = view.index() * TemplateKind::SLOTS + template.slot();
        self.built_in[slot]
            .get_or_init(|| {
                let sources = built_in::of(template);
                compile(view.markup(), sources.clone()).map_err(|error| {
                    TemplateError::read(&error, &|name| format!("built-in {name}"))
                })
            })
            .as_ref()
            .map_err(Clone::clone)
    }
}

/// The templates of a kind for a channel type, in the order of the lookup.
fn names_of_kind(channel: ChannelType, kind: &str) -> Vec<String> {
    let folders = channel.template_folders();
    let of_types = folders.map(|folder| format!("{folder}/{kind}.tera"));
    of_types.chain([format!("{kind}.tera")]).collect()
}

/// The templates in use: for each kind the path of a file, or `built-in`, and after it the channel types that have a
/// file of their own for this kind. The operator's parts come last.
pub fn templates_in_use(renderer: &Renderer) -> Vec<(String, String)> {
    let own = renderer.own.as_ref();
    let mut found = Vec::new();
    for template in TemplateKind::all() {
        let name = template.name();
        let path = own.and_then(|own| own.path_of(&format!("{name}.tera")));
        found.push((
            name.to_owned(),
            path.unwrap_or_else(|| "built-in".to_owned()),
        ));
        for channel in ChannelType::VARIANTS {
            let path = own.and_then(|own| own.path_of(&format!("{channel}/{name}.tera")));
            found.extend(path.map(|path| (format!("{channel}/{name}"), path)));
        }
    }
    found.extend(own.into_iter().flat_map(OwnTemplates::parts_in_use));
    found
}

/// Every name that a template can use, sorted.
pub fn names() -> Vec<String> {
    let mut names: Vec<_> = context::names().iter().cloned().collect();
    names.sort_unstable();
    names
}

/// The templates of threads that no kind of event has. A deployment has the template of its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
enum ThreadTemplate {
    Incident,
    Storm,
    Run,
    Activity,
    Announcement,
}

/// The kinds of templates.
#[derive(Debug, Clone, Copy)]
enum TemplateKind {
    Of(Kind),
    Thread(ThreadTemplate),
    /// A message that counts many events.
    Summary,
    /// The last template of the lookup, for every kind.
    Default,
}

impl TemplateKind {
    /// All kinds except the default. Each of them has a built-in template.
    fn all() -> impl Iterator<Item = Self> {
        let kinds = Kind::VARIANTS.iter().copied().map(Self::Of);
        let threads = ThreadTemplate::VARIANTS.iter().copied().map(Self::Thread);
        kinds.chain(threads).chain([Self::Summary])
    }

    const SLOTS: usize = Kind::VARIANTS.len() + ThreadTemplate::VARIANTS.len() + 2;

    fn of(group: &Group<'_>) -> Self {
        match group.form {
            Form::Same => Self::Of(group.first().kind),
            Form::Summary => Self::Summary,
        }
    }

    fn of_thread(kind: ThreadKind) -> Self {
        match kind {
            ThreadKind::Deployment => Self::Of(Kind::Deployment),
            ThreadKind::Incident => Self::Thread(ThreadTemplate::Incident),
            ThreadKind::Storm => Self::Thread(ThreadTemplate::Storm),
            ThreadKind::Run => Self::Thread(ThreadTemplate::Run),
            ThreadKind::Activity => Self::Thread(ThreadTemplate::Activity),
            ThreadKind::Announcement => Self::Thread(ThreadTemplate::Announcement),
        }
    }

    fn slot(self) -> usize {
        match self {
            Self::Of(kind) => kind as usize,
            Self::Thread(thread) => Kind::VARIANTS.len() + thread as usize,
            Self::Summary => Self::SLOTS - 2,
            Self::Default => Self::SLOTS - 1,
        }
    }

    /// The name of the template, without `.tera`.
    fn name(self) -> &'static str {
        match self {
            Self::Of(kind) => kind.into(),
            Self::Thread(thread) => thread.into(),
            Self::Summary => SUMMARY,
            Self::Default => "default",
        }
    }
}

const SUMMARY: &str = "summary";

/// The templates with these names.
fn found<'a>(
    tera: &'a Tera,
    names: &[String],
    own: Option<&'a OwnTemplates>,
) -> Vec<Result<TemplateCandidate<'a>, TemplateError>> {
    let names = names.iter().filter(|name| tera.contains_template(name));
    let candidates = names.map(|name| {
        let name = name.clone();
        Ok(TemplateCandidate { tera, name, own })
    });
    candidates.collect()
}

/// One template of the lookup.
struct TemplateCandidate<'a> {
    tera: &'a Tera,
    name: String,
    own: Option<&'a OwnTemplates>,
}

/// What is rendered: the names for the template, and what the message has besides the text.
struct Rendering {
    template: TemplateKind,
    context: Context,
    kind: Kind,
    severity: Severity,
    urgent: bool,
    /// What is compared with the channel's `mention`. `None` if the message notifies nobody.
    subjects: Option<Vec<MessageSubject>>,
    /// The number of equal events, which the headline shows.
    count: Option<usize>,
    facts: MessageFacts,
    thread: Option<MessageThread>,
}

impl Rendering {
    /// Makes a message of a rendered text. Its first line is the headline.
    fn message(&self, view: View, text: &str) -> Message {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let headline = lines.next().unwrap_or_default();
        let is_count_shown = headline.contains(COUNT_IS_SHOWN);
        let headline = in_markup(view, headline);
        let headline = match self.count {
            Some(count) if !is_count_shown => format!("{headline} ×{count}"),
            Some(_) | None => headline,
        };
        self.message_of(headline, lines.map(|text| line(view, text)).collect())
    }

    /// The message if even the built-in default template fails: the kind and the id of the event.
    fn last_resort(&self) -> Message {
        let headline = format!("ECS event {} ({})", self.context.event_id(), self.kind);
        self.message_of(headline, Vec::new())
    }

    fn message_of(&self, headline: String, details: Vec<Line>) -> Message {
        Message {
            kind: self.kind,
            severity: self.severity,
            urgent: self.urgent,
            mentions: self.subjects.is_some(),
            subjects: self.subjects.clone().unwrap_or_default(),
            headline,
            details,
            facts: self.facts.clone(),
            thread: self.thread.clone(),
        }
    }
}

impl TemplateCandidate<'_> {
    /// The rendered text, with marks. It has at least one line.
    fn text(&self, context: &Context) -> Result<String, TemplateError> {
        let text = self
            .tera
            .render(&self.name, context.values())
            .map_err(|error| self.error(&error))?;
        match text.trim().is_empty() {
            false => Ok(text),
            true => Err(TemplateError {
                file: self.file(&self.name),
                line: None,
                problem: "the result is empty; the first line must be the headline".to_owned(),
            }),
        }
    }

    /// Checks the names in the template. For Tera, `{% if misspelt %}` is false. Here it is an error.
    fn check_names(&self) -> Result<(), TemplateError> {
        let used = self
            .tera
            .get_template_variables(&self.name)
            .map_err(|error| self.error(&error))?;
        let known = context::names();
        let mut unknown: Vec<_> = used
            .into_iter()
            .filter(|name| !known.contains(*name))
            .collect();
        unknown.sort_unstable();
        let Some(name) = unknown.first() else {
            return Ok(());
        };
        let place = self.own.and_then(|own| own.location_of(&self.name, name));
        let (file, line) = place.map_or_else(
            || (self.file(&self.name), None),
            |(file, line)| (file, Some(line)),
        );
        Err(TemplateError {
            file,
            line,
            problem: match nearest(name, names().iter().map(String::as_str)) {
                Some(meant) => format!("`{name}` is not a known name; did you mean `{meant}`?"),
                None => {
                    format!("`{name}` is not a known name; docs/templates.md lists all names")
                }
            },
        })
    }

    fn error(&self, error: &tera::Error) -> TemplateError {
        TemplateError::read(error, &|name| self.file(name))
    }

    fn file(&self, name: &str) -> String {
        self.own
            .and_then(|own| own.path_of(name))
            .unwrap_or_else(|| format!("built-in {name}"))
    }
}

impl TemplateError {
    /// `file` returns the file of a template's name.
    fn read(error: &tera::Error, file: &dyn Fn(&str) -> String) -> Self {
        use tera::ErrorKind;
        match error.kind() {
            ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => Self {
                file: file(report.filename()),
                line: Some(report.span().start_line),
                problem: report.message().to_owned(),
            },
            _ => Self::read_report(&error.to_string(), file),
        }
    }
}

impl TemplateError {
    /// Reads Tera's text report of an error across templates: `error: …` and ` --> NAME:LINE:COLUMN`.
    fn read_report(report: &str, file: &dyn Fn(&str) -> String) -> Self {
        let mut lines = report.lines().map(str::trim);
        let problem = lines
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned();
        let place = lines
            .find_map(|line| line.strip_prefix("--> "))
            .unwrap_or_default();
        let mut parts = place.split(':');
        let name = parts.next().filter(|name| !name.is_empty());
        Self {
            file: name.map_or_else(|| "templates".to_owned(), file),
            line: parts.next().and_then(|line| line.parse().ok()),
            problem,
        }
    }
}

/// Makes a line in a channel's markup of a rendered line with marks.
fn line(view: View, text: &str) -> Line {
    let fact = text.strip_prefix(BOLD).and_then(|rest| {
        let (label, value) = rest.split_once(END_OF_BOLD)?;
        Some((label, value.strip_prefix(':')?))
    });
    match fact {
        Some((label, value)) => {
            let (label, value) = (in_markup(view, label), in_markup(view, value.trim_start()));
            Line {
                text: format!("{}: {value}", view.markup().bold(&label)),
                label: Some(label),
                value,
                is_block: false,
            }
        }
        None => Line {
            is_block: text.starts_with(BLOCK),
            ..Line::of_text(in_markup(view, text))
        },
    }
}

/// Replaces the marks by markup and line breaks.
fn in_markup(view: View, text: &str) -> String {
    if !text.contains(is_mark) {
        return text.to_owned();
    }
    let mut parts = text.split(BOLD);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (bold, rest) = part.split_once(END_OF_BOLD).unwrap_or((part, ""));
        whole.push_str(&view.markup().bold(bold));
        whole.push_str(rest);
    }
    whole.retain(|it| it != COUNT_IS_SHOWN && it != BLOCK);
    whole.replace(LINE_OF_BLOCK, "\n")
}
