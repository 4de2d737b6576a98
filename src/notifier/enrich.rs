//! Looks up what an event lacks: notices in, the same notices out with what only AWS knows.
//!
//! Asked is only for what triage still wants told, and only for facts that are missing, in as few calls as
//! AWS lets it be: first tasks and deployments, then what these lead to, task definitions and instances, at
//! last the logs. AWS being slow, or saying no, costs a message the fact; it never costs the message.

mod ask;
mod definition;
mod deployment;
mod instance;
mod log_tail;
mod task;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

use crate::aws::LazySession;
use crate::ecs::links;
use crate::ecs::notice::Notice;
use crate::notifier::policy::{Decision, Policy, decide};
use ask::{Ask, Clients};
use definition::Definitions;

pub use log_tail::LogTail;

/// Asks AWS from the first question on, and opens nothing before.
#[derive(Debug)]
pub struct Enricher {
    session: Arc<LazySession>,
    clients: OnceCell<Clients>,
    definitions: Definitions,
    log_tail: Option<LogTail>,
    limits: Limits,
}

/// How long is waited for AWS.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub call: Duration,
    pub all: Duration,
}

impl Limits {
    /// A message that comes within two seconds without a fact is worth more than a later one with it.
    pub const FUNCTION: Self = Self {
        call: Duration::from_millis(800),
        all: Duration::from_millis(1_500),
    };

    /// A person at a terminal may have to be looked up first.
    pub const TERMINAL: Self = Self {
        call: Duration::from_secs(10),
        all: Duration::from_secs(30),
    };
}

impl Enricher {
    pub fn new(log_tail: Option<LogTail>, limits: Limits, session: Arc<LazySession>) -> Self {
        Self {
            session,
            clients: OnceCell::new(),
            definitions: Definitions::default(),
            log_tail,
            limits,
        }
    }

    /// How long all calls for one batch may take.
    pub fn timeout(&self) -> Duration {
        self.limits.all
    }

    /// Adds to the notices what they lack, as far as AWS tells until then.
    pub async fn enrich(&self, mut notices: Vec<&mut Notice>, policy: &Policy, until: Instant) {
        let Some(region) = notices.iter().find_map(|notice| self.region_to_ask(notice)) else {
            return;
        };
        let open = || async { self.session.get(&region).await.cloned().map(Clients::new) };
        let open = self.clients.get_or_try_init(open);
        let clients = match timeout_at(until, open).await {
            Ok(Ok(clients)) => clients,
            Ok(Err(error)) => {
                return tracing::warn!(%error, "AWS is not asked; messages lack what it knows");
            }
            Err(_) => {
                return tracing::warn!(
                    "AWS gave no credentials in time; messages lack what it knows"
                );
            }
        };
        let ask = Ask::new(clients, self.limits.call, until);
        let (tasks, deployments) =
            join(task::ask(&ask, &notices), deployment::ask(&ask, &notices)).await;
        for notice in &mut notices {
            task::learn(notice, &tasks);
            deployment::learn(notice, &deployments);
        }
        notices.retain(|notice| is_told(notice, policy));
        let (definitions, instances) = join(
            definition::ask(&ask, &self.definitions, &notices),
            instance::ask(&ask, &notices),
        )
        .await;
        for notice in &mut notices {
            definition::learn(notice, &definitions);
            instance::learn(notice, &instances);
            relink(notice);
        }
        if let Some(log_tail) = &self.log_tail {
            log_tail.learn(&ask, notices, policy).await;
        }
        ask.report();
    }

    /// The region of the first question about a notice; none where there is no question.
    fn region_to_ask(&self, notice: &Notice) -> Option<String> {
        let cluster = task::missing(notice)
            .or_else(|| deployment::missing(notice))
            .or_else(|| instance::missing(notice))
            .map(|(cluster, _)| cluster.region);
        cluster.or_else(|| {
            let (region, _) = definition::missing(notice)?;
            Some(region)
        })
    }
}

fn is_told(notice: &Notice, policy: &Policy) -> bool {
    matches!(decide(notice, policy), Decision::Keep(_))
}

/// New names have pages of their own.
fn relink(notice: &mut Notice) {
    notice.links = links::links(notice.kind, &notice.subject, &notice.origin);
}
