//! How AWS is asked: several things at once, each for a limited time, and what failed said in one line.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use crate::aws::{CallError, Session, service};
use crate::ecs::arn;
use crate::ecs::notice::Notice;
use crate::notifier::metrics;

/// Calls on their way at the same time: far below what ECS throttles.
const AT_ONCE: usize = 8;

/// Troubles that are told of a batch: each may quote a name.
const MOST_TROUBLES: usize = 10;

/// A cluster, by the ARN that it has in the event's own account: what belongs to another account than ours
/// is then refused by AWS, and not mistaken for something of ours that has the same name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Cluster {
    pub(super) region: String,
    pub(super) arn: String,
}

impl Cluster {
    pub(super) fn of(notice: &Notice) -> Option<Self> {
        let name = notice.subject.cluster.as_deref().filter(|it| is_name(it))?;
        let (region, resource) = (region(notice)?, format!("cluster/{name}"));
        Some(Self {
            arn: own_arn(notice, &resource)?,
            region,
        })
    }
}

/// The event's region, where it is one: it becomes part of a host's name.
pub(super) fn region(notice: &Notice) -> Option<String> {
    let region = notice.origin.region.as_deref()?;
    arn::is_region(region).then(|| region.to_owned())
}

/// An ARN of ECS in the account and region of the event.
pub(super) fn own_arn(notice: &Notice, resource: &str) -> Option<String> {
    let region = region(notice)?;
    let account = notice.origin.account.as_deref()?;
    let is_account = account.len() == 12 && account.bytes().all(|it| it.is_ascii_digit());
    let partition = arn::partition(&region);
    is_account.then(|| format!("arn:{partition}:ecs:{region}:{account}:{resource}"))
}

/// What ECS calls anything in a cluster: letters, digits, `-` and `_`.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || "-_".contains(it))
}

/// The id of a task or an instance: 32 hexadecimal digits, or a UUID. ECS refuses a whole call for one that
/// is neither.
pub(super) fn is_id(text: &str) -> bool {
    (32..=36).contains(&text.len()) && text.chars().all(|it| it.is_ascii_hexdigit() || it == '-')
}

/// Something in a cluster, by its name.
pub(super) type Member = (Cluster, String);

/// A client for each region, each with connections that live as long as the process.
#[derive(Debug)]
pub(super) struct Clients {
    session: Session,
    ecs: Mutex<BTreeMap<String, aws_sdk_ecs::Client>>,
    logs: Mutex<BTreeMap<String, service::Client>>,
}

impl Clients {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            ecs: Mutex::new(BTreeMap::new()),
            logs: Mutex::new(BTreeMap::new()),
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

    fn logs(&self, region: &str) -> service::Client {
        let mut clients = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || self.session.logs_with_short_timeout(region);
        clients
            .entry(region.to_owned())
            .or_insert_with(make)
            .clone()
    }
}

/// One batch's questions.
pub(super) struct Ask<'a> {
    clients: &'a Clients,
    limit: Duration,
    until: Instant,
    troubles: Mutex<BTreeMap<String, usize>>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(clients: &'a Clients, limit: Duration, until: Instant) -> Self {
        Self {
            clients,
            limit,
            until,
            troubles: Mutex::new(BTreeMap::new()),
        }
    }

    pub(super) fn ecs(&self, region: &str) -> aws_sdk_ecs::Client {
        self.clients.ecs(region)
    }

    pub(super) fn logs(&self, region: &str) -> service::Client {
        self.clients.logs(region)
    }

    /// An answer, or none in time.
    pub(super) async fn call<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, CallError>>,
    ) -> Option<T> {
        let now = Instant::now();
        if now >= self.until {
            self.trouble(format!("{call}: no time left"));
            return None;
        }
        let limit = self.until.min(now + self.limit);
        match timeout_at(limit, answer).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                self.trouble(error.to_string());
                None
            }
            Err(_) => {
                self.trouble(format!("{call}: no answer in time"));
                None
            }
        }
    }

    /// Asks for the members of each cluster, as many in a call as it takes.
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

    /// Whatever is answered, in any order.
    pub(super) async fn all<T>(
        &self,
        calls: impl IntoIterator<Item = impl Future<Output = Option<T>>>,
    ) -> Vec<T> {
        let answers = stream::iter(calls).buffer_unordered(AT_ONCE);
        answers.filter_map(std::future::ready).collect().await
    }

    pub(super) fn trouble(&self, what: String) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        *troubles.entry(what).or_default() += 1;
    }

    /// Of what a call said was not there.
    pub(super) fn missing(&self, call: &'static str, how_many: usize) {
        if how_many > 0 {
            self.trouble(format!("{call}: {how_many} MISSING"));
        }
    }

    /// One line for whoever wonders why messages say so little. AWS quotes names in its errors: their control
    /// characters are written escaped.
    pub(super) fn report(self) {
        let troubles = self
            .troubles
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        metrics::count_enrichment_failures(troubles.values().sum());
        let lines = troubles.into_iter().map(|(what, times)| match times {
            1 => what,
            _ => format!("{what} ({times} times)"),
        });
        let lines: Vec<_> = lines.collect();
        if !lines.is_empty() {
            let more = match lines.len().saturating_sub(MOST_TROUBLES) {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            let lines: Vec<_> = lines.into_iter().take(MOST_TROUBLES).collect();
            let why = lines.join("; ") + &more;
            let why = why.escape_debug();
            tracing::warn!(%why, "messages lack what AWS did not tell");
        }
    }
}

/// The members of each cluster, in lists that are short enough for a call.
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
    fn a_cluster_is_asked_for_where_the_event_came_from() {
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
    fn each_name_once_in_lists_that_a_call_takes() {
        let cluster = cluster("eu-west-1", "210987654321", "prod").unwrap();
        let wanted = (0..250).map(|number| (cluster.clone(), format!("{:03}", number % 125)));
        let parts = parts(wanted, 100);
        let sizes: Vec<_> = parts.iter().map(|(_, names)| names.len()).collect();
        assert_eq!(sizes, [100, 25]);
    }
}
