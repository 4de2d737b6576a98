//! Finds top-level keys that only hold YAML anchors, whose values `mysettings` uses by aliases.

use regex::Regex;

/// Whether the lines of a key, up to the next key, have an anchor (`&chat`) and the lines below have its alias
/// (`*chat`). This searches the text, because the parser replaces aliases by their values.
pub(super) fn has_used_anchor(lines: &[&str], from: usize, next: Option<usize>) -> bool {
    let to = next.map_or(lines.len(), |line| line.saturating_sub(1));
    let (Some(own), Some(rest)) = (lines.get(from.saturating_sub(1)..to), lines.get(to..)) else {
        return false;
    };
    let aliases = marked(rest, '*');
    let mut anchors = marked(own, '&').into_iter();
    anchors.any(|name| aliases.contains(&name))
}

/// The names that follow this mark at the start of a value.
fn marked<'t>(lines: &[&'t str], mark: char) -> Vec<&'t str> {
    let mark = regex::escape(&mark.to_string());
    let Ok(name) = Regex::new(&format!(r"(?:^|[\s\[{{,]){mark}([^\s,\[\]{{}}]+)")) else {
        return Vec::new();
    };
    let found = lines.iter().flat_map(|line| name.captures_iter(line));
    found
        .filter_map(|it| it.get(1))
        .map(|it| it.as_str())
        .collect()
}
