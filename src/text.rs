//! What every part does with words: invisible characters, spelling, name patterns.

pub mod characters;
pub mod globs;
pub mod spelling;
