//! The acceptance tests. They package releases and stacks, upgrade a stack, count instructions, put the program under
//! load with failures, and run checks with every sample that other tests run with one sample of each kind.
//! `make acceptance` runs them; `cargo test` does not.

mod all_samples;
mod cargo_lambda;
mod cloud_formation;
mod comparison;
mod hot_service;
#[cfg(target_arch = "x86_64")]
mod instructions;
mod load;
mod make;
mod members;
mod package;
mod permissions;
mod rules;
mod sam;
mod stack;
mod terraform;

mod upgrade;
