//! Posts what matters of what ECS reports.
//!
//! ```text
//! payload ─ ingest ▶ events ─ classify ▶ Notice ─ policy ▶ Decision
//! what is kept:  Notice ─ enrich ▶ Notice ─ policy ▶ Decision
//! then for each channel:  deduplicate ─ group ─ render, send ─ record
//! ```
//!
//! [`dispatch`] is the whole way on one screen; the modules are its stages, in this order.

pub mod channel;
pub mod config;
pub mod dedup;
pub mod dispatch;
pub mod enrich;
pub mod group;
pub mod ingest;
pub mod message;
pub mod metrics;
pub mod policy;
pub mod render;
pub mod report;
