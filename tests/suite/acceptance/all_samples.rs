//! Checks with every sample that the tests of `cargo test` run with one sample of each kind.

use serde_json::Value;

use crate::{events, hostile, properties, slack_sdk};

fn samples() -> Vec<&'static (String, Value)> {
    events::all().iter().collect()
}

#[test]
#[ignore = "acceptance"]
fn a_value_of_any_length_keeps_every_message_whole() {
    hostile::keeps_whole(&samples());
}

#[test]
#[ignore = "acceptance"]
fn every_sample_with_every_field_broken_in_every_way() {
    properties::survive_breakages(&samples());
}

#[test]
#[ignore = "acceptance"]
fn nothing_in_any_sample_becomes_markup() {
    let messages = hostile::becomes_no_markup(&samples());
    assert!(messages > 1_000, "{messages}");
}

#[test]
#[ignore = "acceptance"]
fn nothing_in_a_group_of_all_samples_becomes_markup() {
    hostile::becomes_no_markup_in_groups(&samples());
}

#[test]
#[ignore = "acceptance"]
fn slacks_own_models_accept_every_samples_payload() {
    slack_sdk::models_accept(&samples());
}
