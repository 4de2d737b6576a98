//! A pattern without `$or`: its alternatives. What can never match is found in them.

use super::{Clause, Pattern, ValueTest};

/// One combination of a pattern. All of its clauses must match.
pub type Alternative<'a> = Vec<FieldTests<'a>>;

/// The tests of a field, of which one must match.
#[derive(Debug, Clone, Copy)]
pub struct FieldTests<'a> {
    pub field: &'a str,
    pub tests: &'a [ValueTest],
}

impl Pattern {
    /// The combinations of all `$or`. [`Pattern::read`] bounds their number.
    pub fn alternatives(&self) -> Vec<Alternative<'_>> {
        let none = vec![Vec::new()];
        let clauses = self.clauses.iter();
        clauses.fold(none, |all, clause| combined(&all, &clause.alternatives()))
    }
}

impl Clause {
    fn alternatives(&self) -> Vec<Alternative<'_>> {
        match self {
            Self::Field { field, tests, .. } => vec![vec![FieldTests { field, tests }]],
            Self::Or { branches, .. } => branches.iter().flat_map(Pattern::alternatives).collect(),
        }
    }
}

/// Each of these with each of those.
fn combined<'a>(these: &[Alternative<'a>], those: &[Alternative<'a>]) -> Vec<Alternative<'a>> {
    let with_each = |this: &Alternative<'a>| {
        let this = this.clone();
        let combined = those.iter().map(move |it| [this.as_slice(), it].concat());
        combined.collect::<Vec<_>>()
    };
    these.iter().flat_map(with_each).collect()
}
