//! The second circle: what packages releases and stacks, upgrades them, counts instructions, storms, or repeats with
//! every sample what the first circle does with one of each kind. `make acceptance` runs it; `cargo test` does not.

mod bulk;
mod cargo_lambda;
#[cfg(target_arch = "x86_64")]
mod instructions;
mod make;
mod package;
mod permissions;
mod rules;
mod sam;
mod stack;
mod storm;
mod upgrade;
