//! Text functions that all parts use: invisible characters, spelling, name patterns.

pub mod characters;
pub mod cron;
pub mod duration;
pub mod globs;
pub mod spelling;
