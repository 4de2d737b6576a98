//! The keys of the tags that the operator's settings name: in patterns, in mentions, in templates. Only these tags are
//! kept, and if there are none, AWS is not asked.

use std::collections::{BTreeMap, BTreeSet};

/// The most tags of one service or task that are kept. They are stored with threads, whose states are small.
pub const MOST_TAGS: usize = 10;

/// The longest value of a tag that is kept, in bytes. AWS allows 256 characters.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html#tag-restrictions>
const LONGEST_VALUE: usize = 256;

/// Keys of tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagKeys {
    pub named: BTreeSet<String>,
    /// Something uses all tags, such as a loop of a template.
    pub has_all: bool,
}

impl TagKeys {
    pub fn named(named: BTreeSet<String>) -> Self {
        let has_all = false;
        Self { named, has_all }
    }

    pub fn all() -> Self {
        Self {
            named: BTreeSet::new(),
            has_all: true,
        }
    }

    /// Whether nothing uses a tag.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && !self.has_all
    }

    /// Whether so many keys are named that some would be left out.
    pub fn are_too_many(&self) -> bool {
        self.named.len() > MOST_TAGS
    }

    pub fn add(&mut self, other: Self) {
        self.named.extend(other.named);
        self.has_all |= other.has_all;
    }

    /// The tags with these keys, the named ones first.
    pub fn select<'a>(
        &self,
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> BTreeMap<String, String> {
        let (named, others): (Vec<_>, Vec<_>) = tags
            .into_iter()
            .partition(|(key, _)| self.named.contains(*key));
        let others = others.into_iter().filter(|_| self.has_all);
        let selected = named.into_iter().chain(others).take(MOST_TAGS);
        selected
            .map(|(key, value)| {
                let end = value.floor_char_boundary(LONGEST_VALUE);
                (key.to_owned(), value[..end].to_owned())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&str], has_all: bool) -> TagKeys {
        TagKeys {
            named: names.iter().map(|it| (*it).to_owned()).collect(),
            has_all,
        }
    }

    #[test]
    fn the_named_tags_are_kept_and_others_only_if_all_are_used() {
        let tags = [("a", "1"), ("team", "payments"), ("z", "")];
        for (keys, expected) in [
            (keys(&[], false), vec![]),
            (keys(&["team", "owner"], false), vec!["team"]),
            (keys(&["team"], true), vec!["a", "team", "z"]),
        ] {
            let selected = keys.select(tags);
            assert_eq!(selected.keys().collect::<Vec<_>>(), expected, "{keys:?}");
        }
    }

    #[test]
    fn tags_are_few_and_short() {
        let names: Vec<_> = (0..50).map(|it| format!("tag-{it:02}")).collect();
        let value = "ä".repeat(200);
        let tags = names.iter().map(|it| (it.as_str(), value.as_str()));
        let selected = keys(&["tag-49"], true).select(tags);
        assert_eq!(selected.len(), MOST_TAGS);
        assert_eq!(selected["tag-49"], "ä".repeat(128));
    }
}
