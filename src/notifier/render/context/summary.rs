//! The values for a message that counts many different events.

use std::collections::HashMap;

use serde::Serialize;
use tera::Value;

use super::LONGEST_LIST;
use crate::notifier::group::Group;

/// The most parts of a summary with their own line. Slack shows fewer.
pub(in crate::notifier::render) const MOST_LINES: usize = 50;

/// The number of equal events in a summary.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct SummaryCount {
    kind: &'static str,
    cause: Option<&'static str>,
    /// The service, or the family if there is no service.
    workload: Option<String>,
    cluster: Option<String>,
    count: usize,
}

/// The line of each part, with a link: to the task if there is only one, else to what the tasks have in common.
pub(super) fn lines(group: &Group<'_>, headlines: &[String]) -> Value {
    let lines = group.parts.iter().zip(headlines).map(|(part, headline)| {
        let links = &part.first().links;
        let task = links.task.as_ref().filter(|_| part.notices.len() == 1);
        let others = [
            ("task", task),
            ("service", links.service.as_ref()),
            ("task definition", links.task_definition.as_ref()),
            ("instance", links.container_instance.as_ref()),
            ("cluster", links.cluster.as_ref()),
        ];
        let found = others
            .into_iter()
            .find_map(|(text, url)| url.map(|url| (text, url)));
        let url = found.map(|(_, url)| url.as_str());
        let mut line = tera::Map::new();
        line.insert("text".into(), Value::safe_string(headline));
        line.insert("link".into(), found.map(|(text, _)| text).into());
        line.insert("url".into(), url.into());
        Value::from(line)
    });
    Value::from(lines.collect::<Vec<_>>())
}

/// The counts, the highest first.
pub(super) fn counts(group: &Group<'_>) -> Vec<SummaryCount> {
    let mut counted: HashMap<_, usize> = HashMap::new();
    for part in &group.parts {
        for notice in &part.notices {
            let subject = &notice.subject;
            let workload = subject.service.as_ref().or(subject.family.as_ref());
            let cluster = subject.cluster.as_ref();
            let key = (notice.kind, part.priority.cause, workload, cluster);
            *counted.entry(key).or_default() += 1;
        }
    }
    let counts = counted
        .into_iter()
        .map(|((kind, cause, workload, cluster), count)| SummaryCount {
            kind: kind.into(),
            cause: cause.map(Into::into),
            workload: workload.cloned(),
            cluster: cluster.cloned(),
            count,
        });
    let mut counts: Vec<_> = counts.collect();
    counts.sort_by(|one, other| {
        let name = |it: &SummaryCount| (it.workload.clone(), it.cluster.clone(), it.kind, it.cause);
        let by_count = other.count.cmp(&one.count);
        by_count.then_with(|| name(one).cmp(&name(other)))
    });
    counts.truncate(LONGEST_LIST);
    counts
}
