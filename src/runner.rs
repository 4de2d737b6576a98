//! Runs ECS tasks and finds out how they ended.
//!
//! ```text
//! RunRequest ─ task::start ▶ Started ─ wait::TaskWaiter ▶ RunOutcome
//! ```
//!
//! [`definition`] and [`clone`](mod@clone) make a task definition for a one-off task, and [`logs`] reads what its
//! containers write. These modules do not depend on who asked for the task. There are three front ends: [`queue`],
//! [`hook`] and `ecs-parrot run`.

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
