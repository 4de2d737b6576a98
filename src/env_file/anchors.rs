//! Keys beside `mysettings` that only hold what it takes along by an alias.

use regex::Regex;

/// Whether an anchor, `&chat`, stands in the lines of a key, up to the next one's, and its alias, `*chat`, below them.
/// The parser replaces aliases by what they mean, so that this is asked of the text.
pub(super) fn serve(lines: &[&str], from: usize, next: Option<usize>) -> bool {
    let to = next.map_or(lines.len(), |line| line.saturating_sub(1));
    let (Some(own), Some(rest)) = (lines.get(from.saturating_sub(1)..to), lines.get(to..)) else {
        return false;
    };
    let aliases = marked(rest, '*');
    let mut anchors = marked(own, '&').into_iter();
    anchors.any(|name| aliases.contains(&name))
}

/// The names behind such a mark, where a value begins.
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
