//! Runs ECS tasks and finds out how they ended, for whoever asks.
//!
//! ```text
//! RunRequest ─ task::start ▶ Started ─ wait::TaskWaiter ▶ RunOutcome
//! ```
//!
//! Beside it stand [`definition`] and [`clone`](mod@clone), which make a task definition for a one-off task,
//! and [`logs`], which follows what containers write. Nothing here knows whether a terminal, a queue or a
//! deployment asked: [`queue`] and [`hook`] are two front ends, and `ecs-parrot run` is the third.

pub mod clone;
pub mod definition;
pub mod error;
pub mod hook;
pub mod log_group;
pub mod logs;
pub mod outcome;
pub mod queue;
pub mod request;
pub mod service;
pub mod task;
pub mod token;
pub mod wait;
