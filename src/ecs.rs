//! Reads the events of Amazon ECS and finds out what they mean. This part is pure: no I/O, no clock, no SDK.
//!
//! ```text
//! JSON ─ event ▶ EcsEvent ─ classify ▶ Notice ─ diagnosis ▶ Cause
//! ```

pub mod affected;
pub mod archive;
pub mod arn;
pub mod classify;
pub mod diagnosis;
pub mod event;
pub mod launcher;
pub mod links;
pub mod notice;
pub mod service_events;
pub mod target_tracking;
