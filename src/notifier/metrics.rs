//! What is counted: enough to see that every event is accounted for.
//!
//! `EventsReceived` = `EventsKept` + `EventsDropped` (by `Reason`) + `EventsInvalid`. For each `Channel`, of what
//! is kept: `EventsKept` = `Delivered` + `Failed` + `InFlight` + `Duplicate` + `Filtered`. The function writes them as
//! CloudWatch's embedded metrics, at the command line nobody listens.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::time::Duration;

use metrics::{counter, histogram};

use crate::notifier::policy::DropReason;

/// Says what is measured in what.
pub fn describe() {
    metrics::describe_histogram!("DeliveryTime", metrics::Unit::Milliseconds, "");
}

/// The namespace in CloudWatch.
pub const NAMESPACE: &str = "ecs-parrot";

/// Every event, or what stood in its place.
pub fn count_received() {
    counter!("EventsReceived").increment(1);
}

/// What is no event.
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

/// One kept event in one channel, by what came of it: `Delivered`, `Failed`, `Duplicates`, `Filtered` or `InFlight`.
pub fn count_delivery(channel: &str, status: &'static str) {
    counter!(status, "Channel" => channel.to_owned()).increment(1);
    if status == FAILED {
        // An alarm cannot add up channels.
        counter!("DeliveryFailures").increment(1);
    }
}

/// The metric of a delivery that failed.
pub const FAILED: &str = "Failed";

/// A message, whatever came of it.
pub fn count_message(channel: &str, took: Duration) {
    counter!("Messages", "Channel" => channel.to_owned()).increment(1);
    histogram!("DeliveryTime", "Channel" => channel.to_owned())
        .record(took.as_secs_f64() * 1_000.0);
}

/// An attempt after the first.
pub fn count_retry(channel: &str) {
    counter!("Retries", "Channel" => channel.to_owned()).increment(1);
}

/// A call that brought no fact.
pub fn count_enrichment_failures(failures: usize) {
    counter!("EnrichmentFailures").increment(failures as u64);
}
