//! The whole pipeline on one screen: a payload in, a [`BatchReport`] out.
//!
//! Each channel processes a batch in four steps: deduplicate, group, send, record
//! ([`ChannelDispatcher`](channel::ChannelDispatcher)). No channel waits for another one.

mod budget;
mod candidate;
mod channel;
mod event;
mod rate_limiter;

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::join_all;
use serde_json::Value;
use tokio::time::timeout_at;

use crate::aws::LazySession;
use crate::aws::deadline::Deadline;
use crate::aws::visibility::{ReceivedMessage, RetryDelay, change_visibility};
use crate::ecs::classify::classify;
use crate::ecs::event::EcsEvent;
use crate::ecs::notice::Notice;
use crate::notifier::channel::{ConfiguredChannel, Http};
use crate::notifier::dedup::DedupStore;
use crate::notifier::enrich::Enricher;
use crate::notifier::ingest::{self, IngestError, IngestItem};
use crate::notifier::policy::{Decision, Policy, decide};
use crate::notifier::render::Renderer;
use crate::notifier::report::{BatchReport, Delivery, ReportEntry};
use channel::ChannelDispatcher;
use event::BatchEvent;

/// A key under `custom` in the client context of an invocation. With it, the function answers how many events it posted
/// and dropped.
pub const COUNTS_PLEASE: &str = "ecs-parrot-counts";

/// Posts events to channels.
pub struct Notifier {
    pub policy: Policy,
    /// `None` if AWS is not asked for more facts.
    pub enricher: Option<Enricher>,
    pub renderer: Renderer,
    pub channels: Vec<ConfiguredChannel>,
    pub http: Http,
    pub dedup: DedupStore,
    pub session: Arc<LazySession>,
}

/// Classifies an event and decides whether it is posted. Uses only the facts in the event itself.
pub fn evaluate(event: &EcsEvent, policy: &Policy) -> (Notice, Decision) {
    let mut notice = classify(event);
    policy.mark(&mut notice);
    let decision = decide(&notice, policy);
    (notice, decision)
}

/// Asks AWS for more facts about the notices that are kept, and decides again. The second decision counts.
pub async fn look_up<'a>(
    evaluated: impl IntoIterator<Item = &'a mut (Notice, Decision)>,
    enricher: &Enricher,
    policy: &Policy,
    deadline: Deadline,
) {
    let mut kept: Vec<_> = evaluated
        .into_iter()
        .filter(|(_, decision)| matches!(decision, Decision::Keep(_)))
        .collect();
    let notices = kept.iter_mut().map(|(notice, _)| notice).collect();
    let until = deadline.share(enricher.timeout());
    enricher.enrich(notices, policy, until).await;
    for (notice, decision) in kept {
        policy.mark(notice);
        *decision = decide(notice, policy);
    }
}

impl Notifier {
    /// Posts every event of a payload, until the deadline.
    pub async fn notify(&self, payload: &Value, deadline: Deadline) -> BatchReport {
        BatchReport {
            sender: ingest::sender(payload),
            entries: self.dispatch(ingest::open(payload), deadline).await,
        }
    }

    /// Posts events to every channel whose minimum they reach and that does not have them yet. Writes one log line for
    /// each event.
    pub async fn dispatch(&self, items: Vec<IngestItem>, end: Deadline) -> Vec<ReportEntry> {
        let end = budget::record_deadline(end);
        let deadline = budget::send_deadline(end, items.len());
        self.dedup.begin();
        let read = |item| BatchEvent::read(item, &self.policy);
        let mut events: Vec<_> = items.into_iter().map(read).collect();
        self.find_duplicates(&mut events, deadline).await;
        if let Some(enricher) = &self.enricher {
            let read = events.iter_mut().filter_map(BatchEvent::evaluated_mut);
            look_up(read, enricher, &self.policy, deadline).await;
        }
        self.deliver(&mut events, deadline, end).await;
        end.hold(self.dedup.finish()).await;
        let entries: Vec<_> = events.into_iter().map(BatchEvent::into_entry).collect();
        entries.iter().for_each(ReportEntry::log);
        entries.iter().for_each(ReportEntry::count);
        entries
    }

    /// Changes the visibility of the records that failed, so that the queue delivers them again with growing delays. An
    /// outage of a chat service that lasts an hour must not use up all attempts in minutes. A record that cannot be read
    /// is delivered again at once, because it must go to the dead-letter queue.
    pub async fn return_to_queue(&self, report: &BatchReport) {
        let mut records: HashMap<&str, (&ReceivedMessage, RetryDelay)> = HashMap::new();
        for entry in report.failed() {
            let Some(receipt) = &entry.receipt else {
                continue;
            };
            let Some(message) = receipt.message.as_deref() else {
                continue;
            };
            let delay = match &entry.result {
                Ok(event) => event.retry_delay(),
                // The record itself is correct. The batch before it was full.
                Err(IngestError::BatchFull) => RetryDelay::Later(None),
                Err(_) => RetryDelay::Now,
            };
            let (_, latest) = records.entry(&receipt.id).or_insert((message, delay));
            *latest = delay.max(*latest);
        }
        if records.is_empty() {
            return;
        }
        let session = match self.session.own().await {
            Ok(session) => session,
            Err(error) => {
                return tracing::warn!(%error, "the visibility was not changed, so the queue's own visibility timeout applies");
            }
        };
        change_visibility(&session.sqs(), records.into_values()).await;
    }

    /// Finds out which channels have an event already. This comes before any call to AWS about the event.
    async fn find_duplicates(&self, events: &mut [BatchEvent], deadline: Deadline) {
        let mut keys = Vec::new();
        for event in events.iter() {
            for channel in &self.channels {
                keys.extend(event.keys(&channel.name));
            }
        }
        let until = deadline.share(budget::FIND_DUPLICATES);
        let posted = timeout_at(until, self.dedup.posted(keys)).await;
        let posted = posted.unwrap_or_default();
        for event in events {
            event.note_duplicates(&self.channels, &self.dedup, &posted);
        }
    }

    /// Sends to all channels at the same time, and adds one delivery for each channel to each event.
    async fn deliver(&self, events: &mut [BatchEvent], deadline: Deadline, end: Deadline) {
        let dispatchers = self.channels.iter().map(|channel| ChannelDispatcher {
            channel,
            renderer: &self.renderer,
            http: &self.http,
            dedup: &self.dedup,
            deadline,
            end,
        });
        let shared: &[BatchEvent] = events;
        let delivered =
            join_all(dispatchers.map(|it| async move { it.dispatch(shared).await })).await;
        for (channel, statuses) in self.channels.iter().zip(delivered) {
            for (index, status) in statuses {
                let channel = channel.name.clone();
                events[index].deliveries.push(Delivery { channel, status });
            }
        }
    }
}
