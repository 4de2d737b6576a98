//! Adds the facts that an event does not contain: notices in, the same notices with facts from AWS out.
//!
//! It asks only about notices that are kept, only for missing facts, and in as few calls as possible: first for tasks and
//! deployments, then for task definitions and instances, and then for the logs. If AWS is slow or refuses a call, the
//! message lacks a fact, but it is always sent.

mod calls;
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
use calls::{AwsCalls, ClientCache};
use definition::DefinitionCache;

pub use log_tail::LogTail;

/// Asks AWS for missing facts. It opens no session before the first call.
#[derive(Debug)]
pub struct Enricher {
    session: Arc<LazySession>,
    clients: OnceCell<ClientCache>,
    definitions: DefinitionCache,
    log_tail: Option<LogTail>,
    limits: EnrichLimits,
}

/// How long to wait for AWS.
#[derive(Debug, Clone, Copy)]
pub struct EnrichLimits {
    pub call: Duration,
    pub all: Duration,
}

impl EnrichLimits {
    /// A message within two seconds that lacks a fact is better than a later one with it.
    pub const FUNCTION: Self = Self {
        call: Duration::from_millis(800),
        all: Duration::from_millis(1_500),
    };

    /// At a terminal, the person's credentials may take time.
    pub const TERMINAL: Self = Self {
        call: Duration::from_secs(10),
        all: Duration::from_secs(30),
    };
}

impl Enricher {
    pub fn new(log_tail: Option<LogTail>, limits: EnrichLimits, session: Arc<LazySession>) -> Self {
        Self {
            session,
            clients: OnceCell::new(),
            definitions: DefinitionCache::default(),
            log_tail,
            limits,
        }
    }

    /// The time for all calls of one batch.
    pub fn timeout(&self) -> Duration {
        self.limits.all
    }

    /// Adds the missing facts that AWS returns in time.
    pub async fn enrich(&self, mut notices: Vec<&mut Notice>, policy: &Policy, until: Instant) {
        let Some(region) = notices.iter().find_map(|notice| self.region_to_ask(notice)) else {
            return;
        };
        let open = || async {
            self.session
                .get(&region)
                .await
                .cloned()
                .map(ClientCache::new)
        };
        let open = self.clients.get_or_try_init(open);
        let clients = match timeout_at(until, open).await {
            Ok(Ok(clients)) => clients,
            Ok(Err(error)) => {
                return tracing::warn!(%error, "AWS is not asked, so messages lack its facts");
            }
            Err(_) => {
                return tracing::warn!(
                    "there were no AWS credentials in time, so messages lack its facts"
                );
            }
        };
        let aws = AwsCalls::new(clients, self.limits.call, until);
        let (tasks, deployments) = join(
            task::fetch(&aws, &notices),
            deployment::fetch(&aws, &notices),
        )
        .await;
        for notice in &mut notices {
            task::add_to(notice, &tasks);
            deployment::add_to(notice, &deployments);
        }
        notices.retain(|notice| is_kept(notice, policy));
        let (definitions, instances) = join(
            definition::fetch(&aws, &self.definitions, &notices),
            instance::fetch(&aws, &notices),
        )
        .await;
        for notice in &mut notices {
            definition::add_to(notice, &definitions);
            instance::add_to(notice, &instances);
            relink(notice);
        }
        if let Some(log_tail) = &self.log_tail {
            log_tail.add_to(&aws, notices, policy).await;
        }
        aws.report();
    }

    /// The region of the first call about a notice. `None` if no call is needed.
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

fn is_kept(notice: &Notice, policy: &Policy) -> bool {
    matches!(decide(notice, policy), Decision::Keep(_))
}

/// Makes the links again, because the new facts may have their own pages.
fn relink(notice: &mut Notice) {
    notice.links = links::links(notice.kind, &notice.subject, &notice.origin);
}
