//! Name patterns, as in a shell.

use globset::{Glob, GlobSet, GlobSetBuilder};

/// Name patterns with `*`, `?` and `[…]`.
#[derive(Debug, Clone, Default)]
pub struct Globs(GlobSet);

impl Globs {
    /// # Errors
    ///
    /// The first invalid pattern.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, globset::Error> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            set.add(Glob::new(pattern)?);
        }
        set.build().map(Self)
    }

    pub fn matches(&self, name: Option<&str>) -> bool {
        name.is_some_and(|name| self.0.is_match(name))
    }
}
