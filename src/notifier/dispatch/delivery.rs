//! What became of the events that belong to threads, in each channel.

use super::channel::ChannelReport;
use super::recorder::ThreadRecorder;
use super::threads::BatchThreads;
use crate::notifier::channel::{Outcome, UnansweredKind};
use crate::notifier::report::{Delivery, DeliveryStatus};
use crate::notifier::thread::SubjectKey;

/// The status of an event in one channel, by the threads that have it.
pub(super) struct EventInChannel<'a> {
    pub(super) index: usize,
    /// How often a queue has delivered the event's record.
    pub(super) receives: Option<u32>,
    pub(super) channel: &'a str,
    pub(super) report: &'a ChannelReport,
    pub(super) threads: &'a BatchThreads,
    pub(super) recorder: &'a ThreadRecorder<'a>,
}

impl EventInChannel<'_> {
    /// The status of an event that a thread has taken.
    pub(super) async fn status(&self, subject: &SubjectKey) -> DeliveryStatus {
        match self.threads.contested.contains(subject) {
            true => DeliveryStatus::Tried(contested()),
            false => self.shown().await.unwrap_or(DeliveryStatus::Filtered),
        }
    }

    /// What a thread could not show of an event that is dropped, for example a recovery.
    pub(super) async fn failure(&self) -> Option<String> {
        let status = self.shown().await?;
        let channel = self.channel.to_owned();
        Delivery { channel, status }.failure()
    }

    /// `None` if the channel has none of the threads.
    async fn shown(&self) -> Option<DeliveryStatus> {
        let (threads, recorder) = (self.threads, self.recorder);
        let repeated = threads.repeated.get(&self.index);
        let shown_in = threads.shown_in.get(&self.index);
        let shown_in: Vec<_> = shown_in.into_iter().flatten().collect();
        let chains = self.report.chains.iter().filter(|chain| {
            let is_repeated = repeated.is_some_and(|it| it.contains(&chain.subject));
            is_repeated || shown_in.contains(&chain.id())
        });
        if let Some(status) = worst(chains.filter_map(|it| it.status.clone())) {
            return Some(self.for_its_sender(status));
        }
        // Another function counted it, and is sending, or has sent.
        if let Some(subjects) = repeated {
            let status = recorder.status_in(subjects, self.channel).await;
            return Some(self.for_its_sender(status));
        }
        if shown_in.is_empty() {
            return Some(DeliveryStatus::Counted);
        }
        let has_begun = recorder.has_begun(&shown_in, self.channel).await;
        has_begun.then_some(DeliveryStatus::Counted)
    }

    /// Messages without an answer are counted only for records of a queue. What comes without one is sent each time.
    fn for_its_sender(&self, status: DeliveryStatus) -> DeliveryStatus {
        match status {
            DeliveryStatus::GivenUp { why } if self.receives.is_none() => {
                let kind = UnansweredKind::Stalled;
                DeliveryStatus::Tried(Outcome::Unanswered { kind, why })
            }
            other => other,
        }
    }
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
        advice: None,
    }
}
