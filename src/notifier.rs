//! Posts ECS events to chat.
//!
//! ```text
//! payload ─ ingest ▶ events ─ classify ▶ Notice ─ policy ▶ Decision
//! kept notices:  Notice ─ enrich ▶ Notice ─ policy ▶ Decision
//! for each channel:  deduplicate ─ group ─ render, send ─ record
//! ```
//!
//! [`dispatch`] shows the whole pipeline on one screen. The other modules are its stages.

pub mod channel;
pub mod config;
pub mod dedup;
pub mod dispatch;
pub mod enrich;
pub mod event_counts;
pub mod group;
pub mod ingest;
pub mod message;
pub mod metrics;
pub mod policy;
pub mod render;
pub mod replay;
pub mod report;
pub mod route;
pub mod send_test;
pub mod state_table;
pub mod tag_keys;
pub mod thread;
pub mod thread_store;
