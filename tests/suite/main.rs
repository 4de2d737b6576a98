//! The integration tests. They send real events to the built programs, and check what the servers on the other side
//! received.
//!
//! The tests are one binary: it is linked once, and its modules share what they install and start.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test reports a failure by a panic"
)]

mod acceptance;
mod any_events;
mod archive;
mod channel_list;
mod channels;
mod chat;
mod chat_services;
mod command_line;
mod dedup;
mod deploy_hook;
mod deploy_hook_ends;
mod doctor;
mod documents;
mod enqueue;
mod enrich;
mod events;
mod expectations;
mod fake_aws;
mod functions_on_moto;
mod group;
mod hostile;
mod html_preview;
mod html_replay;
mod infrastructure;
mod ingest;
mod lambda;
mod many_threads;
mod metrics;
mod mock_table;
mod moto;
mod notify;
mod pictures;
mod properties;
mod redrive;
mod release;
mod routes;
mod routine;
mod run;
mod run_from_queue;
mod runtime_api;
mod samples;
mod secret_leaks;
mod secrets;
mod send_test;
mod server_process;
mod slack_api;
mod slack_sdk;
mod stop_strings;
mod stories;
mod structure;
mod table_costs;
mod thread_words;
mod threads;
mod timers;
mod tls;
mod tools;
mod urgent;
