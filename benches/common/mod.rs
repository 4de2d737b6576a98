//! What the benchmarks share: loopback servers, and the program between them.

pub(crate) mod aws;
pub(crate) mod process;
pub(crate) mod server;
