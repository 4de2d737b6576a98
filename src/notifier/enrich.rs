//! Adds the facts that an event does not contain: notices in, the same notices with facts from AWS out.
//!
//! It asks only about notices that are kept, or that may end an incident of a service, only for missing facts, and in as
//! few calls as possible: first for tasks and deployments, then for task definitions and instances, and then for the
//! logs. If AWS is slow or refuses a call, the message lacks a fact, but it is always sent.

mod alarm;
mod alias;
mod answer_cache;
mod calls;
mod code_deploy;
mod definition;
mod deployment;
mod hosts;
mod instance;
mod log_tail;
mod own_account;
mod tags;
mod task;

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join, join3};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

use crate::aws::LazySession;
use crate::ecs::arn::is_name;
use crate::ecs::links;
use crate::ecs::notice::Notice;
use crate::notifier::policy::{Decision, Policy, decide};
use crate::notifier::tag_keys::TagKeys;
use alarm::AlarmCache;
use alias::AliasCache;
use calls::{AwsCalls, ClientCache, Cluster, Member, region};
use code_deploy::GroupCache;
use definition::DefinitionCache;
use hosts::PlaceCache;
use own_account::OwnAccount;
use tags::TagCache;

pub use log_tail::LogTail;

/// Asks AWS for missing facts. It opens no session before the first call.
#[derive(Debug)]
pub struct Enricher {
    session: Arc<LazySession>,
    clients: OnceCell<ClientCache>,
    definitions: DefinitionCache,
    tags: TagCache,
    groups: GroupCache,
    places: PlaceCache,
    alarms: AlarmCache,
    own_account: Arc<OwnAccount>,
    /// `None` if the alias of the own account is not wanted.
    alias: Option<AliasCache>,
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

/// A service, by the parts of its ARN.
#[derive(Debug, Clone, Copy)]
pub struct ServiceName<'a> {
    pub account: &'a str,
    pub region: &'a str,
    pub cluster: &'a str,
    pub service: &'a str,
}

impl ServiceName<'_> {
    fn member(&self) -> Option<Member> {
        let cluster = Cluster::new(self.account, self.region, self.cluster)?;
        is_name(self.service).then(|| (cluster, self.service.to_owned()))
    }
}

impl Enricher {
    pub fn new(log_tail: Option<LogTail>, limits: EnrichLimits, session: Arc<LazySession>) -> Self {
        Self {
            session,
            clients: OnceCell::new(),
            definitions: DefinitionCache::default(),
            tags: TagCache::new(TagKeys::default()),
            groups: code_deploy::cache(),
            places: hosts::cache(),
            alarms: alarm::cache(),
            own_account: Arc::default(),
            alias: None,
            log_tail,
            limits,
        }
    }

    /// Also asks for the tags with these keys.
    #[must_use]
    pub fn with_tags(self, keys: TagKeys) -> Self {
        let tags = TagCache::new(keys);
        Self { tags, ..self }
    }

    /// Also asks for the alias of the own account.
    #[must_use]
    pub fn with_alias(self) -> Self {
        let alias = Some(AliasCache::new(Arc::clone(&self.own_account)));
        Self { alias, ..self }
    }

    /// Notes the function's own ARN, whose account is the own one.
    pub fn note_function(&self, arn: &str) {
        self.own_account.note_function(arn);
    }

    /// Names the account of an event, if it is the own one and its alias is known.
    pub fn name_account(&self, notice: &mut Notice) {
        if let Some(alias) = &self.alias {
            alias.name(notice);
        }
    }

    /// Whether AWS is asked about a notice that is not posted.
    pub fn may_end_incident(notice: &Notice) -> bool {
        alarm::may_end_incident(notice)
    }

    /// The time for all calls of one batch.
    pub fn timeout(&self) -> Duration {
        self.limits.all
    }

    async fn clients(&self, region: &str, until: Instant) -> Option<&ClientCache> {
        let open = || async {
            let session = self.session.get(region).await;
            session.cloned().map(ClientCache::new)
        };
        match timeout_at(until, self.clients.get_or_try_init(open)).await {
            Ok(Ok(clients)) => return Some(clients),
            Ok(Err(error)) => {
                tracing::warn!(%error, "AWS is not asked, so messages lack its facts");
            }
            Err(_) => {
                tracing::warn!("there were no AWS credentials in time, so messages lack its facts");
            }
        }
        None
    }

    /// Adds the missing facts that AWS returns in time.
    pub async fn enrich(&self, mut notices: Vec<&mut Notice>, policy: &Policy, until: Instant) {
        let Some(region) = notices.iter().find_map(|notice| self.region_to_ask(notice)) else {
            return;
        };
        let Some(clients) = self.clients(&region, until).await else {
            return;
        };
        let aws = AwsCalls::new(clients, self.limits.call, until);
        let of_ecs = join3(
            task::fetch(&aws, &notices),
            deployment::fetch(&aws, &notices),
            self.fetch_alias(&aws, &notices),
        );
        let of_others = join3(
            code_deploy::fetch(&aws, &self.groups, &notices),
            self.fetch_hosts(&aws, until, &notices),
            alarm::fetch(&aws, &self.alarms, &notices),
        );
        let ((tasks, deployments, ()), (code_deployments, places, alarms)) =
            join(of_ecs, of_others).await;
        for notice in &mut notices {
            task::add_to(notice, &tasks);
            deployment::add_to(notice, &deployments);
            code_deploy::add_to(notice, &code_deployments);
            hosts::add_to(notice, &places);
            alarm::add_to(notice, &alarms);
        }
        notices.retain(|notice| is_kept(notice, policy));
        let (definitions, instances, tags) = join3(
            definition::fetch(&aws, &self.definitions, &notices),
            instance::fetch(&aws, &notices),
            tags::fetch(&aws, &self.tags, &notices),
        )
        .await;
        for notice in &mut notices {
            definition::add_to(notice, &definitions);
            instance::add_to(notice, &instances);
            tags::add_to(notice, &self.tags, &tags);
            relink(notice);
        }
        if let Some(log_tail) = &self.log_tail {
            log_tail.add_to(&aws, notices, policy).await;
        }
        aws.report();
    }

    /// Looking for instances may take many calls. Half of the time is for what other events lack.
    async fn fetch_hosts(
        &self,
        aws: &AwsCalls<'_>,
        until: Instant,
        notices: &[&mut Notice],
    ) -> hosts::Places {
        let now = Instant::now();
        let aws = aws.until(now + until.saturating_duration_since(now) / 2);
        hosts::fetch(&aws, &self.places, self.own_account.get(), notices).await
    }

    async fn fetch_alias(&self, aws: &AwsCalls<'_>, notices: &[&mut Notice]) {
        if let Some(alias) = &self.alias {
            alias.fetch(aws, notices).await;
        }
    }

    /// The running and the desired tasks of each service. `None` if AWS does not answer in time.
    pub async fn service_counts(
        &self,
        services: Vec<ServiceName<'_>>,
        until: Instant,
    ) -> Vec<Option<(i64, i64)>> {
        let members: Vec<_> = services.iter().map(ServiceName::member).collect();
        let first = members.iter().flatten().next();
        let Some(region) = first.map(|(cluster, _)| cluster.region.clone()) else {
            return vec![None; services.len()];
        };
        let Some(clients) = self.clients(&region, until).await else {
            return vec![None; services.len()];
        };
        let aws = AwsCalls::new(clients, self.limits.call, until);
        let found = deployment::fetch_services(&aws, members.iter().flatten().cloned()).await;
        aws.report();
        let counts = |member: &Option<Member>| Some(found.get(member.as_ref()?)?.counts);
        members.iter().map(counts).collect()
    }

    /// The region of the first call about a notice. `None` if no call is needed.
    fn region_to_ask(&self, notice: &Notice) -> Option<String> {
        let cluster = task::missing(notice)
            .or_else(|| deployment::missing(notice))
            .or_else(|| instance::missing(notice))
            .map(|(cluster, _)| cluster.region);
        cluster
            .or_else(|| Some(definition::missing(notice)?.0))
            .or_else(|| Some(task::retired(notice).first()?.0.region.clone()))
            .or_else(|| Some(code_deploy::missing(notice)?.region))
            .or_else(|| Some(alarm::missing(notice)?.region().to_owned()))
            .or_else(|| Some(hosts::missing(notice).first()?.region().to_owned()))
            .or_else(|| Some(self.tags.missing(notice)?.region().to_owned()))
            .or_else(|| {
                let alias = self.alias.as_ref().filter(|it| it.is_missing(notice));
                alias.and_then(|_| region(notice))
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
