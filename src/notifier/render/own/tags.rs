//! Which tags a template uses: `tags.team`, `tags["cost center"]`, or all of them.
//!
//! Tera names only the variables that a template uses, and not their fields. So the text is read here, without any regard
//! for what is executed: a tag that is looked up without need costs little.

use crate::notifier::tag_keys::TagKeys;

/// The name in templates.
const TAGS: &str = "tags";

pub(super) fn tag_keys(template: &str) -> TagKeys {
    let mut keys = TagKeys::default();
    for code in parts_with_code(template) {
        let mut rest = code;
        while let Some((before, after)) = next_use(rest) {
            rest = after;
            let is_field_of_another = before.trim_end().ends_with('.');
            if !is_field_of_another {
                keys.add(used_by(after));
            }
        }
    }
    keys
}

/// The insides of `{{ … }}` and `{% … %}`.
fn parts_with_code(template: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = template;
    while let Some(start) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        let end = match &rest[start..start + 2] {
            "{{" => "}}",
            _ => "%}",
        };
        let inside = &rest[start + 2..];
        let (code, after) = inside.split_once(end).unwrap_or((inside, ""));
        found.push(code);
        rest = after;
    }
    found
}

/// What stands before and after the next use of the name, outside texts.
fn next_use(code: &str) -> Option<(&str, &str)> {
    let is_word = |it: char| it.is_alphanumeric() || it == '_';
    let mut quote = None;
    let mut word_start = None;
    for (index, character) in code.char_indices().chain([(code.len(), ' ')]) {
        match quote {
            Some(open) if character == open => quote = None,
            Some(_) => {}
            None if is_word(character) => word_start = word_start.or(Some(index)),
            None => {
                if let Some(start) = word_start.take()
                    && &code[start..index] == TAGS
                {
                    return Some((&code[..start], &code[index..]));
                }
                if "\"'`".contains(character) {
                    quote = Some(character);
                }
            }
        }
    }
    None
}

/// The tag that stands after the name, else all.
fn used_by(after: &str) -> TagKeys {
    let after = after.trim_start();
    let after = after.strip_prefix('?').unwrap_or(after);
    let key = match (after.strip_prefix('.'), after.strip_prefix('[')) {
        (Some(field), _) => {
            let is_end = |it: char| !it.is_alphanumeric() && it != '_';
            field.trim_start().split(is_end).next()
        }
        (None, Some(index)) => quoted(index.trim_start()),
        (None, None) => None,
    };
    match key.filter(|it| !it.is_empty()) {
        Some(key) => TagKeys::named([key.to_owned()].into()),
        None => TagKeys::all(),
    }
}

/// The text between quotes, if nothing but the bracket follows.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|it| "\"'`".contains(*it))?;
    let (key, after) = text[1..].split_once(quote)?;
    after.trim_start().starts_with(']').then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(keys: &[&str]) -> TagKeys {
        TagKeys::named(keys.iter().map(|it| (*it).to_owned()).collect())
    }

    #[test]
    fn a_template_names_the_tags_that_it_uses() {
        for (template, expected) in [
            ("tags.team {# no code #} {{ service }}", TagKeys::default()),
            ("{{ tags.team }}", named(&["team"])),
            (
                "{{tags . team}} {% if tags?.tier %}",
                named(&["team", "tier"]),
            ),
            ("{{ tags[\"cost center\"] }}", named(&["cost center"])),
            ("{{ tags?['a]b'] or tags[`x`] }}", named(&["a]b", "x"])),
            ("{{ thread.tags.team }} {{ my_tags }}", TagKeys::default()),
            ("{{ \"tags\" ~ 'tags.x' }}", TagKeys::default()),
            ("{{ tags.team.length }}", named(&["team"])),
            ("{{ größe ~ tags.größe }}", named(&["größe"])),
            (
                "{% for key, value in tags %}{{ key }}{% endfor %}",
                TagKeys::all(),
            ),
            ("{{ tags[key] }}", TagKeys::all()),
            ("{{ tags[\"a\" ~ b] }}", TagKeys::all()),
            ("{{ tags", TagKeys::all()),
            ("{% if tags %}", TagKeys::all()),
        ] {
            assert_eq!(tag_keys(template), expected, "{template}");
        }
    }
}
