//! Calls AWS: several calls at the same time, each with a timeout. All failures are logged in one line.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use crate::aws::service::Service;
use crate::aws::{CallError, Session, service};
use crate::ecs::arn;
use crate::ecs::notice::Notice;
use crate::notifier::metrics;

/// The number of calls at the same time. ECS throttles only at far more.
const AT_ONCE: usize = 8;

/// The most failures in the log line of a batch. Each one may contain a name.
const MOST_PROBLEMS: usize = 10;

/// A cluster, by its ARN in the event's account. If that is another account, AWS refuses the call. With a name, AWS could
/// return our own cluster with the same name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Cluster {
    pub(super) region: String,
    pub(super) arn: String,
}

impl Cluster {
    pub(super) fn of(notice: &Notice) -> Option<Self> {
        let origin = &notice.origin;
        Self::new(
            origin.account.as_deref()?,
            origin.region.as_deref()?,
            notice.subject.cluster.as_deref()?,
        )
    }

    /// `None` if a part is not valid.
    pub(super) fn new(account: &str, region: &str, name: &str) -> Option<Self> {
        let is_valid = arn::is_name(name) && arn::is_region(region);
        let resource = format!("cluster/{name}");
        Some(Self {
            arn: is_valid.then(|| arn_of(account, region, &resource))??,
            region: region.to_owned(),
        })
    }
}

/// The region of the event. It is checked, because it becomes a part of a host name.
pub(super) fn region(notice: &Notice) -> Option<String> {
    let region = notice.origin.region.as_deref()?;
    arn::is_region(region).then(|| region.to_owned())
}

/// An ECS ARN in the account and region of the event.
pub(super) fn own_arn(notice: &Notice, resource: &str) -> Option<String> {
    let region = region(notice)?;
    arn_of(notice.origin.account.as_deref()?, &region, resource)
}

fn arn_of(account: &str, region: &str, resource: &str) -> Option<String> {
    let partition = arn::partition(region);
    arn::is_account(account).then(|| format!("arn:{partition}:ecs:{region}:{account}:{resource}"))
}

/// A resource in a cluster, by its name or id.
pub(super) type Member = (Cluster, String);

/// One client for each region. Its connections stay open as long as the process runs.
#[derive(Debug)]
pub(super) struct ClientCache {
    session: Session,
    ecs: Mutex<BTreeMap<String, aws_sdk_ecs::Client>>,
    services: Mutex<BTreeMap<(&'static str, String), service::Client>>,
}

impl ClientCache {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            ecs: Mutex::new(BTreeMap::new()),
            services: Mutex::new(BTreeMap::new()),
        }
    }

    fn ecs(&self, region: &str) -> aws_sdk_ecs::Client {
        let mut clients = self.ecs.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || self.session.ecs_with_short_timeout(region);
        clients
            .entry(region.to_owned())
            .or_insert_with(make)
            .clone()
    }

    fn service(&self, service: Service, region: &str) -> service::Client {
        let mut clients = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || self.session.service_with_short_timeout(service, region);
        clients
            .entry((service.name, region.to_owned()))
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
}

impl<'a> AwsCalls<'a> {
    pub(super) fn new(clients: &'a ClientCache, limit: Duration, until: Instant) -> Self {
        Self {
            clients,
            limit,
            until,
            problems: Arc::default(),
        }
    }

    /// The same calls with less time. Their failures are logged with those of the others.
    pub(super) fn until(&self, until: Instant) -> Self {
        Self {
            clients: self.clients,
            limit: self.limit,
            until: self.until.min(until),
            problems: Arc::clone(&self.problems),
        }
    }

    pub(super) fn ecs(&self, region: &str) -> aws_sdk_ecs::Client {
        self.clients.ecs(region)
    }

    pub(super) fn logs(&self, region: &str) -> service::Client {
        self.service(service::CLOUD_WATCH_LOGS, region)
    }

    pub(super) fn service(&self, service: Service, region: &str) -> service::Client {
        self.clients.service(service, region)
    }

    pub(super) fn iam(&self) -> service::Client {
        self.clients.session.iam_with_short_timeout()
    }

    /// Returns the answer. `None` if the call failed or took too long.
    pub(super) async fn call<T>(
        &self,
        call: &'static str,
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
                self.note_problem(error.to_string());
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
