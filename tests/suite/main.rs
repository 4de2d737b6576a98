//! The integration tests: real events, the real binaries, and the other side's account of what it was sent.
//!
//! One binary, so that it links once and its parts share what they install and start.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what is wrong by panicking"
)]

mod acceptance;
mod calm;
mod channel_list;
mod channels;
mod chat;
mod command_line;
mod dedup;
mod deploy_hook;
mod deploy_hook_ends;
mod documents;
mod enqueue;
mod enrich;
mod events;
mod fake_aws;
mod functions_on_moto;
mod group;
mod hostile;
mod infrastructure;
mod ingest;
mod kept;
mod lambda;
mod metrics;
mod moto;
mod notify;
mod page;
mod properties;
mod redrive;
mod run;
mod run_from_queue;
mod runtime_api;
mod samples;
mod secrets;
mod served;
mod slack_sdk;
mod stop_strings;
mod structure;
mod tls;
mod tools;
mod urgent;
