//! Tests of the core with a simulated clock: events in, turns out.

mod activities;
mod alarms;
mod announcements;
mod deployments;
mod disorder;
mod escalations;
mod events;
mod expectations;
mod hosts;
mod incidents;
mod other_rollouts;
mod outbox;
mod runs;
mod scene;
mod sizes;
mod storms;
