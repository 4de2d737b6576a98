//! Amazon ECS reports everything that happens in a cluster to EventBridge. ecs-parrot has two halves: [`notifier`] posts
//! what matters to chat, and [`runner`] runs tasks on request and reports how they ended.
//!
//! What they share lies below them. Imports go one way, and a test reads the `use` lines:
//!
//! ```text
//! bin → env_file → notifier │ runner → config → aws → http → ecs → text
//! ```
//!
//! The two halves never import each other. [`ecs`] and [`text`] are pure: they do no I/O and import no SDK.

pub mod aws;
pub mod config;
pub mod ecs;
pub mod env_file;
pub mod http;
pub mod notifier;
pub mod runner;
pub mod text;
