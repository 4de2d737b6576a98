//! Any events in any order and at any times, through the threads. The input and what is checked:
//! `tests/suite/any_events.rs`.

#![no_main]

#[path = "../../tests/suite/any_events.rs"]
mod any_events;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| any_events::run(bytes));
