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

use crate::aws::lookup_role::LookupRole;
use crate::aws::service::{self, sts};
use crate::aws::{LazySession, Session, SessionError};
use crate::ecs::arn::is_name;
use crate::ecs::links;
use crate::ecs::notice::Notice;
use crate::notifier::policy::{Decision, Policy, decide};
use crate::notifier::tag_keys::TagKeys;
use alarm::AlarmCache;
use alias::{AliasCache, AliasScope};
use calls::{AwsCalls, ClientCache, Cluster, Location, Member};
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
    /// The role for other accounts. Without it AWS answers about the own account only.
    lookup_role: Option<LookupRole>,
    /// `None` if aliases are not wanted.
    alias: Option<AliasCache>,
    log_tail: Option<LogTail>,
    limits: EnrichLimits,
}

/// The most characters of a refusal in a message.
const LONGEST_REFUSAL: usize = 300;

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
        let location = Location::new(self.account, self.region)?;
        let cluster = Cluster::new(location, self.cluster)?;
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
            lookup_role: None,
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

    /// Asks about other accounts with this role.
    #[must_use]
    pub fn with_lookup_role(self, lookup_role: Option<LookupRole>) -> Self {
        Self {
            lookup_role,
            ..self
        }
    }

    /// Also asks for the aliases of the accounts about which AWS answers.
    #[must_use]
    pub fn with_alias(self) -> Self {
        let scope = match &self.lookup_role {
            Some(_) => AliasScope::AllAccounts,
            None => AliasScope::OwnAccount,
        };
        let alias = Some(AliasCache::new(Arc::clone(&self.own_account), scope));
        Self { alias, ..self }
    }

    /// Notes the function's own ARN, whose account is the own one.
    pub fn note_function(&self, arn: &str) {
        self.own_account.note_function(arn);
    }

    /// Names the account of an event, if its alias is known.
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
            let session = self.session.get(region).await?;
            self.note_caller(session).await;
            let own_account = Arc::clone(&self.own_account);
            let lookup_role = self.lookup_role.clone();
            let clients = ClientCache::new(session.clone(), own_account, lookup_role);
            Ok::<_, SessionError>(clients)
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

    /// At a terminal nothing says in which account the caller is, but no role is needed for that one.
    async fn note_caller(&self, session: &Session) {
        if self.lookup_role.is_none() || self.own_account.get().is_some() {
            return;
        }
        let sts = session.service_with_short_timeout(service::STS, session.region());
        match sts::caller_account(&sts).await {
            Ok(account) => self.own_account.note(&account),
            Err(error) => tracing::warn!(%error, "the own account is not known"),
        }
    }

    /// Adds the missing facts that AWS returns in time.
    pub async fn enrich(&self, mut notices: Vec<&mut Notice>, policy: &Policy, until: Instant) {
        let Some(first) = notices
            .iter()
            .find_map(|notice| self.location_to_ask(notice))
        else {
            return;
        };
        let Some(clients) = self.clients(&first.region, until).await else {
            return;
        };
        let aws = AwsCalls::new(clients, self.limits.call, until);
        self.add_first_facts(&aws, until, &mut notices).await;
        notices.retain(|notice| is_kept(notice, policy));
        self.add_more_facts(&aws, &mut notices).await;
        if let Some(log_tail) = &self.log_tail {
            log_tail.add_to(&aws, &mut notices, policy).await;
        }
        let refusals = aws.refusals();
        for notice in &mut notices {
            let why = Location::of(notice).and_then(|it| refusals.get(&it));
            notice.origin.lookup_problem = why.map(|it| it.chars().take(LONGEST_REFUSAL).collect());
        }
        aws.report();
    }

    /// Adds what decides whether a notice is posted.
    async fn add_first_facts(
        &self,
        aws: &AwsCalls<'_>,
        until: Instant,
        notices: &mut [&mut Notice],
    ) {
        let of_ecs = join3(
            task::fetch(aws, notices),
            deployment::fetch(aws, notices),
            self.fetch_alias(aws, notices),
        );
        let of_others = join3(
            code_deploy::fetch(aws, &self.groups, notices),
            self.fetch_hosts(aws, until, notices),
            alarm::fetch(aws, &self.alarms, notices),
        );
        let ((tasks, deployments, ()), (code_deployments, places, alarms)) =
            join(of_ecs, of_others).await;
        for notice in notices {
            task::add_to(notice, &tasks);
            deployment::add_to(notice, &deployments);
            code_deploy::add_to(notice, &code_deployments);
            hosts::add_to(notice, &places);
            alarm::add_to(notice, &alarms);
        }
    }

    /// Adds what a message shows besides.
    async fn add_more_facts(&self, aws: &AwsCalls<'_>, notices: &mut [&mut Notice]) {
        let (definitions, instances, tags) = join3(
            definition::fetch(aws, &self.definitions, notices),
            instance::fetch(aws, notices),
            tags::fetch(aws, &self.tags, notices),
        )
        .await;
        for notice in notices {
            definition::add_to(notice, &definitions);
            instance::add_to(notice, &instances);
            tags::add_to(notice, &self.tags, &tags);
            relink(notice);
        }
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
        hosts::fetch(&aws, &self.places, notices).await
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
        let Some(region) = first.map(|(cluster, _)| cluster.location.region.clone()) else {
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

    /// Where the first call about a notice is made. `None` if no call is needed.
    fn location_to_ask(&self, notice: &Notice) -> Option<Location> {
        let cluster = task::missing(notice)
            .or_else(|| deployment::missing(notice))
            .or_else(|| instance::missing(notice))
            .map(|(cluster, _)| cluster.location);
        cluster
            .or_else(|| Some(definition::missing(notice)?.0))
            .or_else(|| Some(task::retired(notice).first()?.0.location.clone()))
            .or_else(|| Some(code_deploy::missing(notice)?.location))
            .or_else(|| Some(alarm::missing(notice)?.location().clone()))
            .or_else(|| Some(hosts::missing(notice).first()?.location().clone()))
            .or_else(|| Some(self.tags.missing(notice)?.location().clone()))
            .or_else(|| self.alias.as_ref()?.missing(notice))
    }
}

fn is_kept(notice: &Notice, policy: &Policy) -> bool {
    matches!(decide(notice, policy), Decision::Keep(_))
}

/// Makes the links again, because the new facts may have their own pages.
fn relink(notice: &mut Notice) {
    notice.links = links::links(notice.kind, &notice.subject, &notice.origin);
}
