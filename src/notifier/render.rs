//! Words a notice: `Notice` in, [`Message`] in a channel's dialect out, by Tera templates.
//!
//! A template's name is looked up as `CHANNEL/KIND.tera`, `KIND.tera`, `default.tera`, the operator's own
//! files before the built-in ones. Built-in templates are compiled on the first use of their kind, because
//! a cold start has no time for the others; the operator's are compiled at start, where a mistake stops.

mod built_in;
mod context;
mod functions;
mod html;
mod own;

use std::sync::OnceLock;

use strum::VariantArray;
use tera::Tera;

pub use own::{OwnTemplates, TemplateFile};

use crate::ecs::notice::Kind;
use crate::notifier::channel::ChannelType;
use crate::notifier::channel::markup::Markup;
use crate::notifier::group::{Form, Group};
use crate::notifier::message::{Line, Message};
use crate::text::spelling::nearest;
use context::{Context, MOST_LINES, mark};
use functions::compile;
use functions::marks::{BLOCK, BOLD, COUNT_IS_SAID, END_OF_BOLD, LINE_OF_BLOCK, is_mark};
use html::Html;

/// For which channel a message is rendered, and in which markup.
#[derive(Clone, Copy)]
pub struct View {
    channel: ChannelType,
    format: Format,
}

#[derive(Debug, Clone, Copy, VariantArray)]
enum Format {
    /// The channel's own.
    Own,
    /// As the page of a preview shows it.
    Html,
}

impl View {
    /// In the channel's own markup.
    pub fn of(channel: ChannelType) -> Self {
        let format = Format::Own;
        Self { channel, format }
    }

    /// With the channel's templates, in HTML.
    pub fn html(channel: ChannelType) -> Self {
        let format = Format::Html;
        Self { channel, format }
    }

    fn all() -> impl Iterator<Item = Self> {
        let formats = Format::VARIANTS.iter();
        formats.flat_map(|format| {
            ChannelType::VARIANTS.iter().map(|channel| Self {
                channel: *channel,
                format: *format,
            })
        })
    }

    fn markup(self) -> &'static dyn Markup {
        match self.format {
            Format::Own => self.channel.markup(),
            Format::Html => &Html,
        }
    }

    /// Its place in [`View::all`].
    fn index(self) -> usize {
        self.format as usize * ChannelType::VARIANTS.len() + self.channel as usize
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

/// All templates, for all dialects.
pub struct Renderer {
    own: Option<OwnTemplates>,
    built_in: Vec<OnceLock<Result<Tera, TemplateError>>>,
}

impl Default for Renderer {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Renderer {
    pub fn new(own: Option<OwnTemplates>) -> Self {
        let slots = View::all().count() * Sort::SLOTS;
        Self {
            own,
            built_in: (0..slots).map(|_| OnceLock::new()).collect(),
        }
    }

    /// What is wrong with the operator's folder, though not so wrong that nothing of it serves.
    pub fn warnings(&self) -> &[String] {
        self.own.as_ref().map_or(&[], OwnTemplates::warnings)
    }

    /// Words a notice by the first template of the lookup, and by no other: for whoever writes templates.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] where that template fails, or uses a name that no notice has.
    pub fn render(&self, view: View, group: &Group<'_>) -> Result<Message, TemplateError> {
        let context = Context::new(view, group, &self.headlines(view, group));
        match self.candidates(view, Sort::of(group)).next() {
            Some(candidate) => {
                let candidate = candidate?;
                candidate.check_names()?;
                candidate.render(view, group, &context)
            }
            None => Ok(last_resort(group, &context)),
        }
    }

    /// Words a notice whatever happens: a template that fails gives way to the next of the lookup.
    pub fn render_or_fall_back(&self, view: View, group: &Group<'_>) -> Message {
        let context = Context::new(view, group, &self.headlines(view, group));
        for candidate in self.candidates(view, Sort::of(group)) {
            match candidate.and_then(|it| it.render(view, group, &context)) {
                Ok(message) => return message,
                Err(error) => tracing::error!(%error, "a template failed; trying the next"),
            }
        }
        last_resort(group, &context)
    }

    /// What the parts of a summary would say first, each by its own template: a sentence, and the same as ever.
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

    /// The templates of the lookup, in its order. Behind an own template of a kind stands the built-in one of
    /// that kind, before any default.
    fn candidates(
        &self,
        view: View,
        sort: Sort,
    ) -> impl Iterator<Item = Result<Candidate<'_>, TemplateError>> {
        let name = sort.name();
        let of_kind = [
            format!("{}/{name}.tera", view.channel),
            format!("{name}.tera"),
        ];
        let default = ["default.tera".to_owned()];
        let own_of_kind = self.own_candidates(view, of_kind.to_vec());
        let own_default = self.own_candidates(view, default.to_vec());
        own_of_kind
            .chain(self.built_in_candidates(view, sort, of_kind.to_vec()))
            .chain(own_default)
            .chain(self.built_in_candidates(view, Sort::Default, default.to_vec()))
    }

    /// Own templates, and built-in ones with own parts in them.
    fn own_candidates(
        &self,
        view: View,
        names: Vec<String>,
    ) -> impl Iterator<Item = Result<Candidate<'_>, TemplateError>> {
        self.own.iter().flat_map(move |own| match own.tera(view) {
            Ok(tera) => {
                let names = names.iter().filter(|name| tera.contains_template(name));
                let found = names.map(|name| {
                    Ok(Candidate {
                        tera,
                        name: name.clone(),
                        own: Some(own),
                    })
                });
                found.collect()
            }
            Err(error) => vec![Err(error)],
        })
    }

    /// Compiled only when all before them have failed.
    fn built_in_candidates(
        &self,
        view: View,
        sort: Sort,
        names: Vec<String>,
    ) -> impl Iterator<Item = Result<Candidate<'_>, TemplateError>> {
        std::iter::once_with(move || self.built_in(view, sort)).flat_map(move |tera| match tera {
            Ok(tera) => names
                .iter()
                .filter(|name| tera.contains_template(name))
                .map(|name| {
                    Ok(Candidate {
                        tera,
                        name: name.clone(),
                        own: None,
                    })
                })
                .collect(),
            Err(error) => vec![Err(error)],
        })
    }

    fn built_in(&self, view: View, sort: Sort) -> Result<&Tera, TemplateError> {
        let slot = view.index() * Sort::SLOTS + sort.slot();
        self.built_in[slot]
            .get_or_init(|| {
                let sources = built_in::of(sort);
                compile(view.markup(), sources.clone()).map_err(|error| {
                    TemplateError::read(&error, &|name| format!("built-in {name}"))
                })
            })
            .as_ref()
            .map_err(Clone::clone)
    }
}

/// The templates that word messages as things stand: for each kind, and for channels by themselves where they
/// differ, a file's path or `built-in`; then the operator's parts.
pub fn in_force(renderer: &Renderer) -> Vec<(String, String)> {
    const BUILT_IN: &str = "built-in";
    let Some(own) = &renderer.own else {
        return Sort::all()
            .map(|sort| (sort.name().to_owned(), BUILT_IN.to_owned()))
            .collect();
    };
    let mut found = Vec::new();
    for sort in Sort::all() {
        let of = |channel: &ChannelType| {
            let path = own
                .name_in_force(*channel, sort)
                .and_then(|it| own.path_of(&it));
            path.unwrap_or_else(|| BUILT_IN.to_owned())
        };
        let sources: Vec<_> = ChannelType::VARIANTS.iter().map(of).collect();
        if sources.iter().all(|source| *source == sources[0]) {
            found.push((sort.name().to_owned(), sources[0].clone()));
        } else {
            let each = ChannelType::VARIANTS.iter().zip(sources);
            found.extend(each.map(|(channel, it)| (format!("{channel}/{}", sort.name()), it)));
        }
    }
    found.extend(own.parts_in_force());
    found
}

/// Every name that a template can use, sorted.
pub fn names() -> Vec<String> {
    let mut names: Vec<_> = context::names().iter().cloned().collect();
    names.sort_unstable();
    names
}

/// What a template is for.
#[derive(Debug, Clone, Copy)]
enum Sort {
    Of(Kind),
    /// A count of many.
    Summary,
    /// Anything: the one behind all others.
    Default,
}

impl Sort {
    /// What messages are worded by; the default serves none, since each of these has a built-in template.
    fn all() -> impl Iterator<Item = Self> {
        let kinds = Kind::VARIANTS.iter().copied().map(Self::Of);
        kinds.chain([Self::Summary])
    }

    const SLOTS: usize = Kind::VARIANTS.len() + 2;

    fn of(group: &Group<'_>) -> Self {
        match group.form {
            Form::Same => Self::Of(group.first().kind),
            Form::Summary => Self::Summary,
        }
    }

    fn slot(self) -> usize {
        match self {
            Self::Of(kind) => kind as usize,
            Self::Summary => Kind::VARIANTS.len(),
            Self::Default => Kind::VARIANTS.len() + 1,
        }
    }

    /// Of the template, without its ending.
    fn name(self) -> &'static str {
        match self {
            Self::Of(kind) => kind.into(),
            Self::Summary => SUMMARY,
            Self::Default => "default",
        }
    }
}

const SUMMARY: &str = "summary";

/// One template of the lookup.
struct Candidate<'a> {
    tera: &'a Tera,
    name: String,
    own: Option<&'a OwnTemplates>,
}

impl Candidate<'_> {
    fn render(
        &self,
        view: View,
        group: &Group<'_>,
        context: &Context,
    ) -> Result<Message, TemplateError> {
        let text = self
            .tera
            .render(&self.name, context.values())
            .map_err(|error| self.error(&error))?;
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let headline = lines.next().ok_or_else(|| TemplateError {
            file: self.file(&self.name),
            line: None,
            problem: "it renders to nothing; its first line is the headline".to_owned(),
        })?;
        let count = group.notices.len();
        let is_said = headline.contains(COUNT_IS_SAID);
        let headline = in_markup(view, headline);
        let headline = match group.form {
            Form::Same if count > 1 && !is_said => format!("{headline} ×{count}"),
            Form::Same | Form::Summary => headline,
        };
        let lines = lines.map(|text| line(view, text));
        Ok(message(group, headline, lines.collect()))
    }

    /// Tera lets `{% if misspelt %}` pass as false; here it is an error.
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
        let place = self.own.and_then(|own| own.place_of(&self.name, name));
        let (file, line) = place.map_or_else(
            || (self.file(&self.name), None),
            |(file, line)| (file, Some(line)),
        );
        Err(TemplateError {
            file,
            line,
            problem: match nearest(name, names().iter().map(String::as_str)) {
                Some(meant) => format!("no message has a `{name}`; did you mean `{meant}`?"),
                None => format!("no message has a `{name}`; README has all names, under Templates"),
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
    /// `file` says where the template of a name stands.
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
    /// What Tera finds wrong between templates comes as a drawn report: `error: …` and ` --> NAME:LINE:COLUMN`.
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

/// A line as the templates made it, with its marks, in a channel's markup.
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

/// Puts markup and line breaks in the place of the marks.
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
    whole.retain(|it| it != COUNT_IS_SAID && it != BLOCK);
    whole.replace(LINE_OF_BLOCK, "\n")
}

/// What is said when not even the built-in default renders: that something happened, and its id.
fn last_resort(group: &Group<'_>, context: &Context) -> Message {
    let kind = group.first().kind;
    let headline = format!("ECS event {} ({kind})", context.event_id());
    message(group, headline, Vec::new())
}

fn message(group: &Group<'_>, headline: String, details: Vec<Line>) -> Message {
    Message {
        kind: group.first().kind,
        severity: group.priority.severity,
        urgent: group.priority.urgent,
        headline,
        details,
    }
}
