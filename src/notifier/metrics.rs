//! The metrics. They show that every event is accounted for.
//!
//! `EventsReceived` = `EventsKept` + `EventsDropped` (by `Reason`) + `EventsInvalid`. For each `Channel`:
//! `EventsKept` = `Delivered` + `Failed` + `InFlight` + `Duplicates` + `Filtered` + `Counted`. What a timer makes due and a
//! channel does not take is in `ThreadFailures`. The function writes the metrics in
//! CloudWatch's embedded metric format. The command line does not write them.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::time::Duration;

use metrics::{counter, histogram};

use crate::notifier::policy::DropReason;
use crate::notifier::thread::{Reason, Thread, Turn};

/// Sets the units of the metrics.
pub fn describe() {
    metrics::describe_histogram!("DeliveryTime", metrics::Unit::Milliseconds, "");
}

/// The CloudWatch namespace.
pub const NAMESPACE: &str = "ecs-parrot";

/// Counts every event, and every item of a payload that is not an event.
pub fn count_received() {
    counter!("EventsReceived").increment(1);
}

/// Counts an item that is not an event.
pub fn count_invalid() {
    counter!("EventsInvalid").increment(1);
}

pub fn count_dropped(reason: DropReason) {
    let reason: &'static str = reason.into();
    counter!("EventsDropped", "Reason" => reason).increment(1);
}

pub fn count_kept() {
    counter!("EventsKept").increment(1);
}

/// Counts one kept event in one channel. `status` is `Delivered`, `Failed`, `Duplicates`, `Filtered`,
/// `InFlight` or `Counted`.
pub fn count_delivery(channel: &str, status: &'static str) {
    counter!(status, "Channel" => channel.to_owned()).increment(1);
    if status == FAILED {
        // A CloudWatch alarm cannot add up the values of all channels.
        counter!("DeliveryFailures").increment(1);
    }
}

/// Counts a turn of a thread: threads that open and end, and reminders.
pub fn count_turn(thread: &Thread, turn: &Turn) {
    let kind: &'static str = thread.kind().into();
    match turn.reason {
        Reason::Opened => counter!("ThreadsOpened", "Kind" => kind).increment(1),
        Reason::Reminder => counter!("Reminders").increment(1),
        _ => {}
    }
    // A deployment that failed may also roll back, and an incident may come back. They end once.
    if thread.first_end() == Some(turn.at) {
        counter!("ThreadsResolved", "Kind" => kind).increment(1);
    }
}

/// Counts a message of a thread that failed, and that no event of the batch asked for.
pub fn count_thread_failure(channel: &str) {
    counter!("ThreadFailures", "Channel" => channel.to_owned()).increment(1);
    counter!("DeliveryFailures").increment(1);
}

/// Counts a message that was edited.
pub fn count_edit(channel: &str) {
    counter!("Edits", "Channel" => channel.to_owned()).increment(1);
}

/// The metric of a delivery that failed.
pub const FAILED: &str = "Failed";

/// Counts a message that was sent, with or without success.
pub fn count_message(channel: &str, took: Duration) {
    counter!("Messages", "Channel" => channel.to_owned()).increment(1);
    histogram!("DeliveryTime", "Channel" => channel.to_owned())
        .record(took.as_secs_f64() * 1_000.0);
}

/// Counts an attempt after the first.
pub fn count_retry(channel: &str) {
    counter!("Retries", "Channel" => channel.to_owned()).increment(1);
}

/// Counts calls to AWS that failed or returned nothing.
pub fn count_enrichment_failures(failures: usize) {
    counter!("EnrichmentFailures").increment(failures as u64);
}
