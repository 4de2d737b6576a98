//! Addresses of the ECS console.
//!
//! A wrong link is worse than no link. So a link is created only if region, partition and names are all known and
//! well-formed. Path segments are percent-encoded, because the names come from events.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::ecs::arn;
use crate::ecs::notice::{Kind, Links, LogStream, Origin, Subject};

/// Only the unreserved characters of RFC 3986 stay unencoded in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

pub fn links(kind: Kind, subject: &Subject, origin: &Origin) -> Links {
    let Some(console) = origin.region.as_deref().and_then(Console::of_region) else {
        return Links::default();
    };
    let of_cluster = |rest: &[&str]| {
        let cluster = subject.cluster.as_deref()?;
        console.page(&[&["clusters", cluster], rest].concat())
    };
    let of_task = |tab| console.task(subject.cluster.as_deref()?, subject.task.as_deref()?, tab);
    Links {
        cluster: of_cluster(&[cluster_tab(subject)]),
        service: subject
            .service
            .as_deref()
            .and_then(|service| of_cluster(&["services", service, service_tab(kind, subject)])),
        task: of_task("configuration"),
        logs: of_task("logs"),
        task_definition: subject.family.as_deref().and_then(|family| {
            match subject.revision.as_deref() {
                Some(revision) => {
                    console.page(&["task-definitions", family, revision, "containers"])
                }
                None => console.page(&["task-definitions", family]),
            }
        }),
        container_instance: subject
            .container_instance
            .as_deref()
            .and_then(|id| of_cluster(&["infrastructure", "container-instances", id])),
        alarm: subject
            .resource
            .as_ref()
            .filter(|it| it.kind == "alarm")
            .map(|it| console.alarm(&it.name)),
    }
}

/// The page of a task, by the names of the cluster and the task.
pub fn task(region: &str, cluster: &str, task: &str) -> Option<String> {
    Console::of_region(region)?.task(cluster, task, "configuration")
}

/// The page of a CloudWatch Logs stream. The console parses the part after `#` as a second address, so names are
/// encoded twice, with `$` in place of `%`: `/ecs/web` becomes `$252Fecs$252Fweb`.
pub fn log_stream(stream: &LogStream) -> Option<String> {
    let Console { region, domain } = Console::of_region(&stream.region)?;
    let encoded = |name: &str| {
        let once = utf8_percent_encode(name, SEGMENT).to_string();
        once.replace('%', "$25")
    };
    Some(format!(
        "https://{region}.{domain}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{}/log-events/{}",
        encoded(&stream.group),
        encoded(&stream.name),
    ))
}

/// The tab of the service's page that shows more about the event.
fn service_tab(kind: Kind, subject: &Subject) -> &'static str {
    match kind {
        _ if is_resource(
            subject,
            &["service-deployment", "service-revision", "task-set"],
        ) =>
        {
            "deployments"
        }
        Kind::ServiceAction => "events",
        Kind::Deployment | Kind::DeploymentHook | Kind::ServiceChanged => "deployments",
        _ => "health",
    }
}

/// The console shows capacity providers on the same tab as instances.
fn cluster_tab(subject: &Subject) -> &'static str {
    match is_resource(subject, &["capacity-provider"]) {
        true => "infrastructure",
        false => "services",
    }
}

fn is_resource(subject: &Subject, kinds: &[&str]) -> bool {
    let resource = subject.resource.as_ref();
    resource.is_some_and(|resource| kinds.contains(&resource.kind.as_str()))
}

/// The console of one region.
pub(super) struct Console<'a> {
    pub(super) region: &'a str,
    pub(super) domain: &'static str,
}

impl<'a> Console<'a> {
    /// `None` for a text that is not a region, and for the isolated partitions, whose consoles are not public.
    pub(super) fn of_region(region: &'a str) -> Option<Self> {
        if region.contains("-iso") {
            return None;
        }
        let domain = match region.split('-').next()? {
            "cn" => "console.amazonaws.cn",
            "us" if region.starts_with("us-gov-") => "console.amazonaws-us-gov.com",
            prefix if prefix.len() == 2 => "console.aws.amazon.com",
            _ => return None,
        };
        arn::is_region(region).then_some(Self { region, domain })
    }

    /// The name stands in the second address after `#`. It is encoded like a part of an address there.
    fn alarm(&self, name: &str) -> String {
        let Self { region, domain } = self;
        let name = utf8_percent_encode(name, SEGMENT);
        format!("https://{region}.{domain}/cloudwatch/home?region={region}#alarmsV2:alarm/{name}")
    }

    fn task(&self, cluster: &str, task: &str, tab: &str) -> Option<String> {
        self.page(&["clusters", cluster, "tasks", task, tab])
    }

    /// `None` if a name would change the path: browsers read `..` as the parent folder, encoded or not.
    fn page(&self, segments: &[&str]) -> Option<String> {
        if segments
            .iter()
            .any(|segment| segment.chars().all(|c| c == '.'))
        {
            return None;
        }
        let Self { region, domain } = self;
        let path: Vec<String> = segments
            .iter()
            .map(|segment| utf8_percent_encode(segment, SEGMENT).to_string())
            .collect();
        Some(format!(
            "https://{region}.{domain}/ecs/v2/{}?region={region}",
            path.join("/")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task_link(region: &str, cluster: &str, task: &str) -> Option<String> {
        let subject = Subject {
            cluster: Some(cluster.to_owned()),
            task: Some(task.to_owned()),
            ..Subject::default()
        };
        let origin = Origin {
            region: Some(region.to_owned()),
            ..Origin::default()
        };
        links(Kind::TaskStopped, &subject, &origin).task
    }

    #[test]
    fn each_partition_has_its_own_console() {
        for (region, host) in [
            ("eu-west-1", "eu-west-1.console.aws.amazon.com"),
            ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
            (
                "us-gov-west-1",
                "us-gov-west-1.console.amazonaws-us-gov.com",
            ),
        ] {
            assert_eq!(
                task_link(region, "prod", "1a2b").unwrap(),
                format!(
                    "https://{host}/ecs/v2/clusters/prod/tasks/1a2b/configuration?region={region}"
                )
            );
        }
    }

    #[test]
    fn an_invalid_region_gives_no_link() {
        for region in [
            "",
            "evil.example",
            "us-iso-east-1",
            "eu-isoe-west-1",
            "eu-west-1.evil.example/",
            "xx",
            "EU-WEST-1",
        ] {
            assert_eq!(task_link(region, "prod", "1a2b"), None, "{region}");
        }
    }

    #[test]
    fn names_cannot_leave_their_segment() {
        let link = task_link("eu-west-1", "../../iam", "a|b> <#?").unwrap();
        assert_eq!(
            link,
            "https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/..%2F..%2Fiam/tasks/a%7Cb%3E%20%3C%23%3F/configuration?region=eu-west-1"
        );
    }

    #[test]
    fn a_log_stream_is_encoded_for_its_console() {
        let mut stream = LogStream {
            region: "cn-north-1".to_owned(),
            group: "/ecs/web [$1]".to_owned(),
            name: "ecs/web/1a2b".to_owned(),
        };
        assert_eq!(
            log_stream(&stream).unwrap(),
            "https://cn-north-1.console.amazonaws.cn/cloudwatch/home?region=cn-north-1#logsV2:log-groups/log-group/\
             $252Fecs$252Fweb$2520$255B$25241$255D/log-events/ecs$252Fweb$252F1a2b"
        );
        stream.region = "evil.example/".to_owned();
        assert_eq!(log_stream(&stream), None);
    }

    #[test]
    fn a_name_of_dots_gives_no_link() {
        for name in ["..", ".", ""] {
            assert_eq!(task_link("eu-west-1", name, "1a2b"), None, "{name:?}");
            assert_eq!(task_link("eu-west-1", "prod", name), None, "{name:?}");
        }
    }

    #[test]
    fn an_unknown_name_gives_no_link() {
        let subject = Subject {
            task: Some("1a2b".to_owned()),
            ..Subject::default()
        };
        let origin = Origin {
            region: Some("eu-west-1".to_owned()),
            ..Origin::default()
        };
        assert_eq!(links(Kind::TaskStopped, &subject, &origin).task, None);
    }
}
