//! ECS tells everything that happens in a cluster to EventBridge; ecs-parrot tells what matters in chat.
//!
//! An event's way, each stage a module of that name:
//!
//! ```text
//! payload ─ inbox ▶ events ─ event ▶ EcsEvent ─ classify ▶ Notice ─ triage ▶ Verdict
//! what is told:  Notice ─ enrich ▶ Notice ─ triage ▶ Verdict
//! then for each channel that wants it:  claim in the ledger ─ digest ─ render ▶ Message ─ deliver ▶ Outcome ─ settle
//! ```
//!
//! [`notify`] is the whole way on one screen. [`run`] is the other half: it runs tasks on request and finds out
//! how they ended. Imports go one way, `bin → notify → deliver → render → triage → classify → event`,
//! `notify → enrich → triage` and
//! `bin → run → triage`; stages take values, never a configuration.

pub mod arn;
pub mod aws;
pub mod characters;
pub mod classify;
pub mod config;
pub mod deadline;
pub mod deliver;
pub mod digest;
pub mod enrich;
pub mod event;
pub mod function;
pub mod hook;
pub mod http;
pub mod inbox;
pub mod ledger;
pub mod metrics;
pub mod notice;
pub mod notify;
pub mod queue;
pub mod render;
pub mod requeue;
pub mod run;
pub mod secret;
pub mod spelling;
pub mod triage;
pub mod vault;
