//! The template functions, and the escaping of values, in a channel's markup.

use tera::{Kwargs, State, Tera, TeraResult, Value};

use crate::ecs::event::Time;
use crate::notifier::channel::markup::{Markup, escape, link_address};

/// Private characters in a rendered text, until its lines are read. No cleaned value contains one of them.
pub(super) mod marks {
    /// Ends a line within a block.
    pub(in crate::notifier::render) const LINE_OF_BLOCK: char = '\u{e000}';
    /// Marks that the headline contains the number of its events.
    pub(in crate::notifier::render) const COUNT_IS_SHOWN: char = '\u{e001}';
    /// Before and after bold text.
    pub(in crate::notifier::render) const BOLD: char = '\u{e002}';
    pub(in crate::notifier::render) const END_OF_BOLD: char = '\u{e003}';
    /// Before a block.
    pub(in crate::notifier::render) const BLOCK: char = '\u{e004}';

    pub(in crate::notifier::render) fn is_mark(character: char) -> bool {
        (LINE_OF_BLOCK..=BLOCK).contains(&character)
    }
}

use marks::{BLOCK, BOLD, COUNT_IS_SHOWN, END_OF_BOLD, LINE_OF_BLOCK};

/// The length of a block in UTF-16 units. Three blocks leave enough space for the other lines in every channel.
const LONGEST_BLOCK: usize = 1_500;

/// The template variables whose values are times.
const TIMES: [&str; 7] = [
    "happened_at",
    "first_at",
    "last_at",
    "expires_at",
    "starts_at",
    "ends_at",
    "health_checks[].since",
];

/// Tera's filters that would show a value unescaped.
const UNSAFE_FILTERS: [&str; 4] = ["safe", "escape_html", "escape_xml", "newlines_to_br"];

pub(super) fn compile<N: AsRef<str>, T: AsRef<str>>(
    markup: &'static dyn Markup,
    sources: impl IntoIterator<Item = (N, T)>,
) -> TeraResult<Tera> {
    let mut tera = Tera::new();
    tera.autoescape_on([".tera"]);
    tera.set_escape_fn(markup.escape_fn());
    register(&mut tera, "bold", move |kwargs, _| {
        let text = argument(markup, kwargs, "text")?;
        Ok(match text.is_empty() {
            true => text,
            false => format!("{BOLD}{text}{END_OF_BOLD}"),
        })
    });
    register(&mut tera, "code", move |kwargs, _| {
        let text = raw(kwargs, "text")?;
        Ok(match text.is_empty() {
            true => text,
            false => markup.code(&text),
        })
    });
    register(&mut tera, "counted", move |kwargs, _| {
        let (count, of) = (raw(kwargs, "count")?, argument(markup, kwargs, "of")?);
        Ok(format!("{}{COUNT_IS_SHOWN} {of}", escape(markup, &count)))
    });
    register(&mut tera, "block", move |kwargs, _| {
        Ok(block(markup, &texts(kwargs, "lines")?))
    });
    register(&mut tera, "link", move |kwargs, _| {
        let (url, text) = (raw(kwargs, "url")?, argument(markup, kwargs, "text")?);
        Ok(match link_address(&url) {
            Some(url) => markup.link(url, &text),
            None => text,
        })
    });
    register(&mut tera, "time", move |kwargs, state| {
        Ok(time(markup, &time_of(raw(kwargs, "at")?, state)?))
    });
    for name in UNSAFE_FILTERS {
        tera.register_filter(name, move |_: Value, _: Kwargs, _: &State<'_>| {
            refuse_unsafe(name)
        });
    }
    tera.add_raw_templates(sources)?;
    Ok(tera)
}

fn register<F>(tera: &mut Tera, name: &'static str, function: F)
where
    F: Fn(&Kwargs, &State<'_>) -> TeraResult<String> + Send + Sync + 'static,
{
    tera.register_function(name, MarkupFunction(function));
}

/// The last log lines that fit, as the program wrote them. They count as one line of the message, so that a channel
/// leaves out the whole block or nothing.
fn block(markup: &dyn Markup, lines: &[String]) -> String {
    let separator = LINE_OF_BLOCK.to_string();
    let mut budget = LONGEST_BLOCK;
    let fitting = lines.iter().rev().take_while(|line| {
        let shown = markup.block(&[line.as_str()], "");
        let needed = shown.encode_utf16().count() + 1;
        let fits = needed <= budget;
        budget = budget.saturating_sub(needed);
        fits
    });
    let first = lines.len() - fitting.count();
    let shown: Vec<_> = lines[first..].iter().map(String::as_str).collect();
    match shown.is_empty() {
        true => String::new(),
        false => format!("{BLOCK}{}", markup.block(&shown, &separator)),
    }
}

fn time(markup: &dyn Markup, time: &Time) -> String {
    let Some(instant) = time.instant() else {
        return escape(markup, time.text());
    };
    let utc = instant.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    markup.time(instant.as_second(), &utc)
}

/// An escaped argument. The result of another template function is not escaped again.
fn argument(markup: &dyn Markup, kwargs: &Kwargs, name: &str) -> TeraResult<String> {
    let value = given(kwargs, name)?;
    let text = text_of(&value)?;
    Ok(match value.is_safe() {
        true => text,
        false => escape(markup, &text),
    })
}

/// A time. If an event contains an invalid time, its text is shown unchanged. Any other text is an error in the template.
fn time_of(text: String, state: &State<'_>) -> TeraResult<Time> {
    let time = Time::read(text);
    if time.instant().is_some() || time.text().is_empty() || is_of_event(time.text(), state)? {
        return Ok(time);
    }
    let shown: String = time.text().chars().take(40).collect();
    Err(tera::Error::message(format!(
        "`{shown}` is not a time; allowed: {}",
        TIMES.join(", ")
    )))
}

/// Whether one of [`TIMES`] has this text.
fn is_of_event(text: &str, state: &State<'_>) -> TeraResult<bool> {
    for name in TIMES {
        let is_it = match name.split_once("[].") {
            Some((list, field)) => state.get::<Value>(list)?.is_some_and(|list| {
                let mut items = list.as_array().into_iter().flatten();
                items.any(|item| item.get_from_path(field).and_then(Value::as_str) == Some(text))
            }),
            None => state
                .get::<Value>(name)?
                .is_some_and(|it| it.as_str() == Some(text)),
        };
        if is_it {
            return Ok(true);
        }
    }
    Ok(false)
}

fn raw(kwargs: &Kwargs, name: &str) -> TeraResult<String> {
    text_of(&given(kwargs, name)?)
}

/// A list of texts.
fn texts(kwargs: &Kwargs, name: &str) -> TeraResult<Vec<String>> {
    let list = given(kwargs, name)?;
    let items = list
        .as_array()
        .ok_or_else(|| tera::Error::message(format!("`{name}` is not a list")))?;
    items.iter().map(text_of).collect()
}

/// The value of an argument may be `none`, but the argument must be given. A misspelt one would render to nothing.
fn given(kwargs: &Kwargs, name: &str) -> TeraResult<Value> {
    kwargs
        .get::<Value>(name)?
        .ok_or_else(|| tera::Error::message(format!("the function needs `{name}=…`")))
}

fn text_of(value: &Value) -> TeraResult<String> {
    if value.is_none() {
        return Ok(String::new());
    }
    if value.is_undefined() {
        return Err(tera::Error::message("the argument is undefined"));
    }
    Ok(value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned))
}

fn refuse_unsafe(filter: &str) -> TeraResult<Value> {
    Err(tera::Error::message(format!(
        "`{filter}` is not allowed, because it would show an event's text unescaped; use link(), bold(), code() or time() to make markup"
    )))
}

/// A template function whose result is markup and is not escaped again.
struct MarkupFunction<F>(F);

impl<F> tera::Function<TeraResult<String>> for MarkupFunction<F>
where
    F: Fn(&Kwargs, &State<'_>) -> TeraResult<String> + Send + Sync + 'static,
{
    fn call(&self, kwargs: Kwargs, state: &State<'_>) -> TeraResult<String> {
        self.0(&kwargs, state)
    }

    fn is_safe(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::render::names;

    /// The names of all times end with `_at`.
    #[test]
    fn all_times_are_listed() {
        let found = names().into_iter().filter(|name| name.ends_with("_at"));
        let mut known: Vec<_> = TIMES.iter().filter(|it| !it.contains('[')).collect();
        known.sort();
        assert_eq!(
            found.collect::<Vec<_>>(),
            known.into_iter().copied().collect::<Vec<_>>()
        );
    }
}
