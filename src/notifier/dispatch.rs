//! The whole pipeline on one screen: a payload in, a [`BatchReport`] out.
//!
//! Each channel gets the events of a batch in four steps: deduplicate, group, send, record
//! ([`ChannelDispatcher`](channel::ChannelDispatcher)). No channel waits for another.

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
use crate::notifier::ingest::{self, IngestError, Item};
use crate::notifier::policy::{Decision, Policy, decide};
use crate::notifier::render::Renderer;
use crate::notifier::report::{BatchReport, Delivery, Entry};
use channel::ChannelDispatcher;
use event::BatchEvent;

/// In the client context of an invocation, under `custom`: the answer shall say how many events were posted and dropped.
pub const COUNTS_PLEASE: &str = "ecs-parrot-counts";

/// Posts events to channels.
pub struct Notifier {
    pub policy: Policy,
    /// None where AWS is not asked for more facts.
    pub enricher: Option<Enricher>,
    pub renderer: Renderer,
    pub channels: Vec<ConfiguredChannel>,
    pub http: Http,
    pub dedup: DedupStore,
    pub session: Arc<LazySession>,
}

/// What an event is about and whether it is posted, by its own facts alone.
pub fn evaluate(event: &EcsEvent, policy: &Policy) -> (Notice, Decision) {
    let mut notice = classify(event);
    policy.mark(&mut notice);
    let decision = decide(&notice, policy);
    (notice, decision)
}

/// Adds what only AWS knows to the notices that are kept, and decides again. The second decision counts.
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

    /// Posts events to every channel that wants them and does not have them, and writes one line each to the log.
    pub async fn dispatch(&self, items: Vec<Item>, end: Deadline) -> Vec<Entry> {
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
        entries.iter().for_each(Entry::log);
        entries.iter().for_each(Entry::count);
        entries
    }

    /// Changes the visibility of the records that failed, so that they come again later and later: an hour's outage of
    /// a chat must not use up all attempts in minutes. What cannot be read comes again at once, because it belongs in
    /// the dead-letter queue.
    pub async fn return_to_queue(&self, report: &BatchReport) {
        let mut records: HashMap<&str, (&ReceivedMessage, RetryDelay)> = HashMap::new();
        for entry in report.failed() {
            let Some(receipt) = &entry.receipt else {
                continue;
            };
            let Some(message) = receipt.held.as_deref() else {
                continue;
            };
            let delay = match &entry.result {
                Ok(event) => event.retry_delay(),
                // Nothing is wrong with it: the batch was full.
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
                return tracing::warn!(%error, "the queue's own visibility time-out holds");
            }
        };
        change_visibility(&session.sqs(), records.into_values()).await;
    }

    /// Notes which channels have an event already, before anything else is asked about it.
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

    /// Every event gets its deliveries, one for each channel.
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
