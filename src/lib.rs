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
//!
//! The programs are what this crate is for. Its modules are public so that they, the tests and the benchmarks share them;
//! what the version promises about them is in CONTRIBUTING.md.
//!
//! # Examples
//!
//! An event of EventBridge, judged and explained, without a call to AWS:
//!
//! ```
//! use ecs_parrot::ecs::diagnosis::Cause;
//! use ecs_parrot::notifier::dispatch::evaluate;
//! use ecs_parrot::notifier::ingest;
//! use ecs_parrot::notifier::policy::{Decision, Policy};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let event = include_str!("../samples/task_stopped-application-exit-1.json");
//! let payload = serde_json::from_str(event)?;
//! for item in ingest::open(&payload).items {
//!     let (notice, decision) = evaluate(&item.event?, &Policy::default());
//!     assert_eq!(notice.subject.service.as_deref(), Some("checkout"));
//!     let Decision::Keep(priority) = decision else {
//!         panic!("a crash is posted");
//!     };
//!     assert!(priority.urgent);
//!     assert_eq!(priority.cause, Some(Cause::ApplicationExit));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The message about it, as a terminal shows it:
//!
//! ```
//! use ecs_parrot::notifier::channel::ChannelType;
//! use ecs_parrot::notifier::dispatch::evaluate;
//! use ecs_parrot::notifier::group::Group;
//! use ecs_parrot::notifier::ingest;
//! use ecs_parrot::notifier::policy::{Decision, Policy};
//! use ecs_parrot::notifier::render::{Renderer, View};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let event = include_str!("../samples/task_stopped-image-pull-not-found.json");
//! let payload = serde_json::from_str(event)?;
//! let renderer = Renderer::new(None);
//! for item in ingest::open(&payload).items {
//!     let (notice, decision) = evaluate(&item.event?, &Policy::default());
//!     if let Decision::Keep(priority) = decision {
//!         let group = Group::of_one(&notice, priority);
//!         let message = renderer.render(View::of(ChannelType::Terminal), &group)?;
//!         assert_eq!(
//!             message.headline,
//!             "🔴 checkout in prod-web: task 57aba84a could not pull its image: the image or the tag does not exist"
//!         );
//!     }
//! }
//! # Ok(())
//! # }
//! ```

pub mod aws;
pub mod config;
pub mod ecs;
pub mod env_file;
pub mod http;
pub mod notifier;
pub mod runner;
pub mod text;
