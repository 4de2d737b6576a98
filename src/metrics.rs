//! What is counted: enough to see that every event is accounted for.
//!
//! `EventsReceived` = `EventsKept` + `EventsDropped` (by `Reason`) + `EventsUnread`. For each `Channel`, of what
//! is kept: `EventsKept` = `Delivered` + `Failed` + `Elsewhere` + `AlreadyTold` + `NotWanted`. The function writes them as
//! CloudWatch's embedded metrics, at the command line nobody listens.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::time::Duration;

use metrics::{counter, histogram};

use crate::deliver::Outcome;
use crate::notify::{Delivery, Entry, Sent};
use crate::render::Dialect;
use crate::triage::Verdict;

/// Says what is measured in what.
pub fn describe() {
    metrics::describe_histogram!("DeliveryTime", metrics::Unit::Milliseconds, "");
}

/// The namespace in CloudWatch.
pub const NAMESPACE: &str = "ecs-parrot";

/// One event and what became of it.
pub fn count(entry: &Entry) {
    counter!("EventsReceived").increment(1);
    let told = match &entry.result {
        Ok(told) => told,
        Err(_) => return counter!("EventsUnread").increment(1),
    };
    match told.verdict {
        Verdict::Drop(reason) => {
            let reason: &'static str = reason.into();
            counter!("EventsDropped", "Reason" => reason).increment(1);
        }
        Verdict::Keep(_) => {
            counter!("EventsKept").increment(1);
            told.deliveries.iter().for_each(count_delivery);
        }
    }
}

fn count_delivery(delivery: &Delivery) {
    let channel: &'static str = delivery.channel.into();
    match &delivery.result {
        Sent::NotWanted => counter!("NotWanted", "Channel" => channel).increment(1),
        Sent::AlreadyTold => counter!("AlreadyTold", "Channel" => channel).increment(1),
        Sent::Tried(Outcome::Delivered) => counter!("Delivered", "Channel" => channel).increment(1),
        // Nothing is wrong: it is told by another function, and comes again to be counted.
        Sent::Elsewhere => counter!("Elsewhere", "Channel" => channel).increment(1),
        Sent::Tried(Outcome::Retry { .. } | Outcome::Refused { .. }) => {
            counter!("Failed", "Channel" => channel).increment(1);
            // An alarm cannot add up channels.
            counter!("DeliveryFailures").increment(1);
        }
    }
}

/// A message, whatever came of it.
pub fn count_message(channel: Dialect, took: Duration) {
    let channel: &'static str = channel.into();
    counter!("Messages", "Channel" => channel).increment(1);
    histogram!("DeliveryTime", "Channel" => channel).record(took.as_secs_f64() * 1_000.0);
}

/// An attempt after the first.
pub fn count_retry(channel: Dialect) {
    let channel: &'static str = channel.into();
    counter!("Retries", "Channel" => channel).increment(1);
}

/// A call that brought no fact.
pub fn count_enrichment_failures(failures: usize) {
    counter!("EnrichmentFailures").increment(failures as u64);
}
