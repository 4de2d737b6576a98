//! Calls AWS: several calls at the same time, each with a timeout. All failures are logged in one line.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use super::own_account::OwnAccount;
use crate::aws::lookup_role::LookupRole;
use crate::aws::service::{self, Service};
use crate::aws::{CallError, ErrorKind, Session};
use crate::ecs::arn;
use crate::ecs::notice::Notice;
use crate::notifier::metrics;

/// The number of calls at the same time. ECS throttles only at far more.
const AT_ONCE: usize = 8;

/// The most failures in the log line of a batch. Each one may contain a name.
const MOST_PROBLEMS: usize = 10;

/// An account and a region. They are checked, because they become parts of ARNs and of host names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Location {
    pub(super) account: String,
    pub(super) region: String,
}

impl Location {
    /// Where an event happened.
    pub(super) fn of(notice: &Notice) -> Option<Self> {
        let origin = &notice.origin;
        Self::new(origin.account.as_deref()?, origin.region.as_deref()?)
    }

    /// `None` if a part is not valid.
    pub(super) fn new(account: &str, region: &str) -> Option<Self> {
        let is_valid = arn::is_account(account) && arn::is_region(region);
        is_valid.then(|| Self {
            account: account.to_owned(),
            region: region.to_owned(),
        })
    }

    /// The ARN of a resource of ECS.
    pub(super) fn arn(&self, resource: &str) -> String {
        let Self { account, region } = self;
        let partition = arn::partition(region);
        format!("arn:{partition}:ecs:{region}:{account}:{resource}")
    }
}

/// A cluster, by its ARN in the event's account. If that is another account, AWS refuses the call. With a name, AWS could
/// return our own cluster with the same name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Cluster {
    pub(super) location: Location,
    pub(super) arn: String,
}

impl Cluster {
    pub(super) fn of(notice: &Notice) -> Option<Self> {
        Self::new(Location::of(notice)?, notice.subject.cluster.as_deref()?)
    }

    /// `None` if the name is not valid.
    pub(super) fn new(location: Location, name: &str) -> Option<Self> {
        arn::is_name(name).then(|| Self {
            arn: location.arn(&format!("cluster/{name}")),
            location,
        })
    }
}

/// A resource in a cluster, by its name or id.
pub(super) type Member = (Cluster, String);

/// One client for each account and region. Its connections stay open as long as the process runs.
#[derive(Debug)]
pub(super) struct ClientCache {
    session: Session,
    own_account: Arc<OwnAccount>,
    /// `None` if only the own account is asked.
    lookup_role: Option<LookupRole>,
    /// The sessions of the other accounts.
    sessions: Mutex<BTreeMap<String, Session>>,
    ecs: Mutex<BTreeMap<Location, aws_sdk_ecs::Client>>,
    services: Mutex<BTreeMap<(&'static str, Location), service::Client>>,
}

impl ClientCache {
    pub(super) fn new(
        session: Session,
        own_account: Arc<OwnAccount>,
        lookup_role: Option<LookupRole>,
    ) -> Self {
        Self {
            session,
            own_account,
            lookup_role,
            sessions: Mutex::default(),
            ecs: Mutex::default(),
            services: Mutex::default(),
        }
    }

    /// Whether a lookup role is assumed to ask there. The function's own role is for its own account and region.
    fn needs_role(&self, location: &Location) -> bool {
        let is_home = self.own_account.get() == Some(location.account.as_str())
            && self.session.region() == location.region;
        self.lookup_role.is_some() && !is_home
    }

    fn session(&self, location: &Location) -> Session {
        let account = &location.account;
        let role = self.lookup_role.as_ref();
        let Some(role) = role.filter(|_| self.needs_role(location)) else {
            return self.session.clone();
        };
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || self.session.in_account(role, account);
        sessions.entry(account.clone()).or_insert_with(make).clone()
    }

    fn ecs(&self, location: &Location) -> aws_sdk_ecs::Client {
        let mut clients = self.ecs.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let session = self.session(location);
            session.ecs_with_short_timeout(&location.region)
        };
        clients.entry(location.clone()).or_insert_with(make).clone()
    }

    fn service(&self, service: Service, location: &Location) -> service::Client {
        let mut clients = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let session = self.session(location);
            session.service_with_short_timeout(service, &location.region)
        };
        clients
            .entry((service.name, location.clone()))
            .or_insert_with(make)
            .clone()
    }
}

/// The calls for one batch.
pub(super) struct AwsCalls<'a> {
    clients: &'a ClientCache,
    limit: Duration,
    until: Instant,
    problems: Arc<Mutex<BTreeMap<String, usize>>>,
    refusals: Arc<Mutex<BTreeMap<Location, String>>>,
}

impl<'a> AwsCalls<'a> {
    pub(super) fn new(clients: &'a ClientCache, limit: Duration, until: Instant) -> Self {
        Self {
            clients,
            limit,
            until,
            problems: Arc::default(),
            refusals: Arc::default(),
        }
    }

    /// The same calls with less time. Their failures are logged with those of the others.
    pub(super) fn until(&self, until: Instant) -> Self {
        Self {
            clients: self.clients,
            limit: self.limit,
            until: self.until.min(until),
            problems: Arc::clone(&self.problems),
            refusals: Arc::clone(&self.refusals),
        }
    }

    pub(super) fn ecs(&self, location: &Location) -> aws_sdk_ecs::Client {
        self.clients.ecs(location)
    }

    pub(super) fn service(&self, service: Service, location: &Location) -> service::Client {
        self.clients.service(service, location)
    }

    /// Whether AWS answers about an account: the own one, or one whose role is assumed. `None` if the own one is not known.
    pub(super) fn answers_about(&self, account: &str) -> Option<bool> {
        match self.clients.lookup_role {
            Some(_) => Some(true),
            None => self.clients.own_account.get().map(|own| own == account),
        }
    }

    pub(super) fn iam(&self, location: &Location) -> service::Client {
        self.clients.session(location).iam_with_short_timeout()
    }

    /// Returns the answer of a call about an account and region. `None` if the call failed or took too long.
    pub(super) async fn call<T>(
        &self,
        call: &'static str,
        location: &Location,
        answer: impl Future<Output = Result<T, CallError>>,
    ) -> Option<T> {
        let now = Instant::now();
        if now >= self.until {
            self.note_problem(format!("{call}: no time left"));
            return None;
        }
        let limit = self.until.min(now + self.limit);
        match timeout_at(limit, answer).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                self.note_failure(location, &error);
                None
            }
            Err(_) => {
                self.note_problem(format!("{call}: no answer in time"));
                None
            }
        }
    }

    /// Calls `ask` for the members of each cluster, with as many members in a call as allowed.
    pub(super) async fn each<T, F>(
        &self,
        wanted: impl IntoIterator<Item = Member>,
        most: usize,
        ask: impl Fn(Cluster, Vec<String>) -> F,
    ) -> Vec<(Cluster, T)>
    where
        F: Future<Output = Option<T>>,
    {
        let calls = parts(wanted, most).into_iter().map(|(cluster, names)| {
            let answer = ask(cluster.clone(), names);
            async move { Some((cluster, answer.await?)) }
        });
        self.all(calls).await
    }

    /// Returns all answers, in any order.
    pub(super) async fn all<T>(
        &self,
        calls: impl IntoIterator<Item = impl Future<Output = Option<T>>>,
    ) -> Vec<T> {
        let answers = stream::iter(calls).buffer_unordered(AT_ONCE);
        answers.filter_map(std::future::ready).collect().await
    }

    fn note_failure(&self, location: &Location, error: &CallError) {
        let is_refusal = matches!(error.kind, ErrorKind::Denied | ErrorKind::Credentials);
        if is_refusal && self.clients.needs_role(location) {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            let first = || error.to_string();
            refusals.entry(location.clone()).or_insert_with(first);
        }
        let Location { account, region } = location;
        self.note_problem(match self.clients.needs_role(location) {
            true => format!("{account} {region}: {error}"),
            false => error.to_string(),
        });
    }

    /// The other accounts and regions that may not be asked, each with the first refusal.
    pub(super) fn refusals(&self) -> BTreeMap<Location, String> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.clone()
    }

    pub(super) fn note_problem(&self, what: String) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        *problems.entry(what).or_default() += 1;
    }

    /// Notes how many resources a call could not find.
    pub(super) fn note_missing(&self, call: &'static str, how_many: usize) {
        if how_many > 0 {
            self.note_problem(format!("{call}: {how_many} MISSING"));
        }
    }

    /// Logs one line that explains why messages lack facts. Errors of AWS contain names, so control characters are
    /// escaped.
    pub(super) fn report(self) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        let problems = std::mem::take(&mut *problems);
        metrics::count_enrichment_failures(problems.values().sum());
        let lines = problems.into_iter().map(|(what, times)| match times {
            1 => what,
            _ => format!("{what} ({times} times)"),
        });
        let lines: Vec<_> = lines.collect();
        if !lines.is_empty() {
            let more = match lines.len().saturating_sub(MOST_PROBLEMS) {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            let lines: Vec<_> = lines.into_iter().take(MOST_PROBLEMS).collect();
            let why = lines.join("; ") + &more;
            let why = why.escape_debug();
            tracing::warn!(%why, "messages lack facts that AWS did not return");
        }
    }
}

/// The members of each cluster, in lists that are short enough for one call.
fn parts(wanted: impl IntoIterator<Item = Member>, most: usize) -> Vec<(Cluster, Vec<String>)> {
    let mut clusters: BTreeMap<Cluster, BTreeSet<String>> = BTreeMap::new();
    for (cluster, name) in wanted {
        clusters.entry(cluster).or_default().insert(name);
    }
    let parts = clusters.into_iter().flat_map(|(cluster, names)| {
        let names: Vec<_> = names.into_iter().collect();
        let parts: Vec<_> = names.chunks(most).map(<[String]>::to_vec).collect();
        parts.into_iter().map(move |part| (cluster.clone(), part))
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::notice::{Facts, Kind, Links, Origin, Subject};

    fn cluster(region: &str, account: &str, name: &str) -> Option<Cluster> {
        Cluster::of(&Notice {
            kind: Kind::TaskStopped,
            origin: Origin {
                region: Some(region.to_owned()),
                account: Some(account.to_owned()),
                ..Origin::default()
            },
            subject: Subject {
                cluster: Some(name.to_owned()),
                ..Subject::default()
            },
            facts: Facts::Foreign,
            actor: None,
            links: Links::default(),
        })
    }

    #[test]
    fn a_cluster_is_in_the_account_and_region_of_the_event() {
        for (region, arn) in [
            (
                "eu-west-1",
                "arn:aws:ecs:eu-west-1:210987654321:cluster/prod",
            ),
            (
                "cn-north-1",
                "arn:aws-cn:ecs:cn-north-1:210987654321:cluster/prod",
            ),
            (
                "us-gov-west-1",
                "arn:aws-us-gov:ecs:us-gov-west-1:210987654321:cluster/prod",
            ),
        ] {
            assert_eq!(cluster(region, "210987654321", "prod").unwrap().arn, arn);
        }
        for (region, account, name) in [
            ("evil.example/", "210987654321", "prod"),
            ("eu-west-1", "21098765432", "prod"),
            ("eu-west-1", "210987654321", "prod/../x"),
            ("eu-west-1", "210987654321", ""),
        ] {
            assert_eq!(
                cluster(region, account, name),
                None,
                "{region} {account} {name}"
            );
        }
    }

    #[test]
    fn each_name_is_asked_for_once_in_lists_of_the_allowed_length() {
        let cluster = cluster("eu-west-1", "210987654321", "prod").unwrap();
        let wanted = (0..250).map(|number| (cluster.clone(), format!("{:03}", number % 125)));
        let parts = parts(wanted, 100);
        let sizes: Vec<_> = parts.iter().map(|(_, names)| names.len()).collect();
        assert_eq!(sizes, [100, 25]);
    }
}
