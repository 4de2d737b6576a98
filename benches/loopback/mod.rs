//! Code that the benchmarks share: servers on loopback, and the process of the program.

pub(crate) mod aws;
pub(crate) mod expression;
pub(crate) mod process;
pub(crate) mod server;
pub(crate) mod table;
