//! What became of the events that belong to threads, in each channel.

use std::collections::BTreeSet;

use super::channel::ChannelReport;
use super::recorder::ThreadRecorder;
use super::threads::BatchThreads;
use crate::notifier::channel::Outcome;
use crate::notifier::report::DeliveryStatus;
use crate::notifier::thread::{SubjectKey, ThreadId};

/// The status of an event that a thread has taken.
pub(super) async fn of_event(
    index: usize,
    subject: &SubjectKey,
    channel: &str,
    report: &ChannelReport,
    threads: &BatchThreads,
    recorder: &ThreadRecorder<'_>,
) -> DeliveryStatus {
    if threads.contested.contains(subject) {
        return DeliveryStatus::Tried(contested());
    }
    let nothing = BTreeSet::new();
    let shown_in = threads.shown_in.get(&index).unwrap_or(&nothing);
    let is_repeated = threads.repeated.contains(&index);
    let is_of = |subject_of: &SubjectKey, id: &ThreadId| match is_repeated {
        true => subject_of == subject,
        false => shown_in.contains(id),
    };
    let chains = report
        .chains
        .iter()
        .filter(|it| is_of(&it.subject, it.id()));
    let found = worst(chains.filter_map(|it| it.status.clone()));
    match found {
        Some(status) => status,
        // Another function counted it, and is sending, or has sent.
        None if is_repeated => match recorder.is_due_in(subject, channel).await {
            true => DeliveryStatus::InFlight,
            false => DeliveryStatus::Duplicate,
        },
        None if shown_in.is_empty() => DeliveryStatus::Counted,
        None => DeliveryStatus::Filtered,
    }
}

/// What a thread could not show of an event that is dropped, for example a recovery.
pub(super) fn unsent(
    index: usize,
    reports: &[ChannelReport],
    threads: &BatchThreads,
) -> Option<String> {
    let shown_in = threads.shown_in.get(&index)?;
    let chains = reports.iter().flat_map(|report| &report.chains);
    let chains = chains.filter(|it| shown_in.contains(it.id()));
    let failures = chains.filter_map(|it| match &it.status {
        Some(DeliveryStatus::Tried(outcome)) => outcome.why().map(str::to_owned),
        Some(_) | None => None,
    });
    let failures: Vec<_> = failures.collect();
    (!failures.is_empty()).then(|| failures.join("; "))
}

/// A failure counts more than a success, because the event must come again.
fn worst(statuses: impl Iterator<Item = DeliveryStatus>) -> Option<DeliveryStatus> {
    let is_delivered =
        |it: &DeliveryStatus| matches!(it, DeliveryStatus::Tried(Outcome::Delivered { .. }));
    let mut worst = None;
    for status in statuses {
        if worst.as_ref().is_none_or(is_delivered) {
            worst = Some(status);
        }
    }
    worst
}

fn contested() -> Outcome {
    Outcome::Retry {
        after: None,
        why: "other functions change the same thread at the same time".to_owned(),
    }
}
