//! Instances and Auto Scaling groups: AWS is asked in which cluster they are, and which services run there.

use std::time::Duration;

use serde_json::{Value, json};

use super::{assert_dropped, assert_posted, denied, event, numbered, of_account};
use crate::enrich::{counted, notify, once, sorted};
use crate::fake_aws::{FakeAws, arn};

const EC2: &str = "i-0c1d2e3f4a5b6c7d8";
const OTHER_EC2: &str = "i-0d1d2e3f4a5b6c7d8";
const CONTAINER_INSTANCE: &str = "5d2c0a9c51e84b26b1c4d2e8f6a70111";
const SPOT: &str = "instance_interruption-spot";
const LAUNCH: &str = "instance_launch_failed-no-capacity";
const HEALTH: &str = "aws_health-instance-retirement";
const OTHER_ACCOUNT: &str = "123456789012";

/// An account with three clusters. The instance is in the second one, where two services and a task of none run on it.
async fn account() -> FakeAws {
    let aws = FakeAws::start().await;
    for name in ["batch", "prod-web", "staging"] {
        aws.cluster(name);
    }
    describe_instance(&aws, CONTAINER_INSTANCE, EC2);
    for (number, group) in [
        "service:mailer",
        "service:checkout",
        "service:checkout",
        "family:report",
    ]
    .iter()
    .enumerate()
    {
        let id = format!("{number:032x}");
        aws.described(&id, task(&id, group, "RUNNING"));
    }
    let stopped = format!("{:032x}", 9);
    aws.described(&stopped, task(&stopped, "service:gone", "STOPPED"));
    aws
}

fn describe_instance(aws: &FakeAws, id: &str, ec2: &str) {
    let shown = json!({
        "containerInstanceArn": arn(&format!("container-instance/prod-web/{id}")),
        "ec2InstanceId": ec2, "status": "ACTIVE", "agentConnected": true,
        "attributes": [{"name": "ecs.instance-type", "value": "m7g.large"}],
        "capacityProviderName": "prod-web-spot",
    });
    aws.described(id, shown);
}

fn task(id: &str, group: &str, status: &str) -> Value {
    json!({
        "taskArn": arn(&format!("task/prod-web/{id}")),
        "containerInstanceArn": arn(&format!("container-instance/prod-web/{CONTAINER_INSTANCE}")),
        "group": group, "lastStatus": status,
    })
}

fn spot_of(instance: &str) -> Value {
    let mut event = event(SPOT);
    event["detail"]["instance-id"] = json!(instance);
    event
}

#[tokio::test]
async fn the_cluster_of_an_instance_and_its_services_are_named() {
    for sample in [
        SPOT,
        "instance_interruption-rebalance",
        "instance_interruption-terminate-lifecycle",
    ] {
        let aws = account().await;
        let run = notify(&aws, vec![event(sample)], &[]).await;
        let services = "checkout, mailer (4 tasks in all)";
        assert_posted(&run, &["prod-web: instance", EC2, services]);
        let calls = sorted(counted(&aws));
        // The other clusters have no instances.
        let expected = [
            ("DescribeClusters", 1),
            ("DescribeContainerInstances", 1),
            ("DescribeTasks", 1),
            ("ListClusters", 1),
            ("ListContainerInstances", 1),
            ("ListTasks", 1),
        ];
        let expected = expected.map(|(name, times)| (name.to_owned(), times));
        assert_eq!(calls, expected, "{}", run.log);
        for body in aws.bodies("ListContainerInstances") {
            assert_eq!(body["filter"], format!("ec2InstanceId == {EC2}"));
        }
        assert!(!run.log.contains("messages lack"), "{}", run.log);
    }
}

/// A recommendation and the interruption come within minutes.
#[tokio::test]
async fn an_instance_is_looked_up_once() {
    let aws = account().await;
    let payloads = vec![
        numbered(event("instance_interruption-rebalance"), 1),
        numbered(event(SPOT), 2),
    ];
    let run = notify(&aws, payloads, &[]).await;
    // The second event is counted in the message of the first.
    assert_posted(&run, &["checkout, mailer"]);
    assert_eq!(run.log.matches("slack counted").count(), 1, "{}", run.log);
    assert_eq!(aws.bodies("ListClusters").len(), 1);
    assert_eq!(aws.bodies("DescribeClusters").len(), 1);
    assert_eq!(aws.bodies("ListContainerInstances").len(), 1);
    assert_eq!(aws.bodies("DescribeTasks").len(), 1);
}

/// The next event may learn what AWS did not say at first.
#[tokio::test]
async fn unknown_services_are_asked_for_again() {
    let aws = account().await;
    aws.refuse("ListTasks", 1, &denied("ecs:ListTasks"));
    let payloads = vec![
        numbered(event("instance_interruption-rebalance"), 1),
        numbered(event(SPOT), 2),
    ];
    let run = notify(&aws, payloads, &[]).await;
    let message = assert_posted(&run, &["prod-web: instance"]);
    assert!(!message.contains("checkout"), "{message}");
    assert_eq!(aws.bodies("ListTasks").len(), 2, "{}", run.log);
    assert_eq!(aws.bodies("DescribeTasks").len(), 1, "{}", run.log);
}

#[tokio::test]
async fn an_instance_in_no_cluster_is_dropped_and_looked_up_once() {
    let aws = account().await;
    let payloads = vec![
        numbered(spot_of(OTHER_EC2), 1),
        numbered(spot_of(OTHER_EC2), 2),
    ];
    let run = notify(&aws, payloads, &[]).await;
    assert_dropped(&run, "not_in_cluster");
    assert_eq!(aws.bodies("ListClusters").len(), 1);
    assert_eq!(aws.bodies("ListContainerInstances").len(), 1);
    assert_eq!(aws.bodies("DescribeContainerInstances").len(), 0);
}

#[tokio::test]
async fn an_account_without_clusters_has_no_container_instances() {
    let aws = FakeAws::start().await;
    let run = notify(&aws, vec![event(SPOT)], &[]).await;
    assert_dropped(&run, "not_in_cluster");
    assert_eq!(counted(&aws), once(&["ListClusters"]));
}

/// The other instances of an answer are not taken for the one of the event.
#[tokio::test]
async fn an_answer_about_other_instances_does_not_confuse() {
    let aws = account().await;
    aws.ignore_filters();
    describe_instance(&aws, "0a2c0a9c51e84b26b1c4d2e8f6a70111", OTHER_EC2);
    let run = notify(&aws, vec![event(SPOT)], &[]).await;
    assert_posted(&run, &["prod-web: instance", "checkout, mailer"]);
    let run = notify(&aws, vec![spot_of("i-0e1d2e3f4a5b6c7d8")], &[]).await;
    assert_dropped(&run, "not_in_cluster");
}

#[tokio::test]
async fn clusters_on_several_pages_are_all_asked() {
    let aws = FakeAws::start().await;
    for number in 0..9 {
        aws.cluster(&format!("a{number}"));
    }
    aws.cluster("prod-web");
    describe_instance(&aws, CONTAINER_INSTANCE, EC2);
    aws.page(4);
    let run = notify(&aws, vec![event(SPOT)], &[]).await;
    assert_posted(&run, &["prod-web: instance"]);
    let tokens: Vec<_> = aws
        .bodies("ListClusters")
        .iter()
        .map(|it| it["nextToken"].clone())
        .collect();
    assert_eq!(tokens, [Value::Null, json!("4"), json!("8")]);
    assert_eq!(aws.bodies("ListContainerInstances").len(), 1);
}

/// Whichever call fails: the event is posted by itself, or with what is known.
#[tokio::test]
async fn without_an_answer_the_event_is_posted_by_itself() {
    for (call, known) in [
        ("ListClusters", "instance i-"),
        ("DescribeClusters", "instance i-"),
        ("ListContainerInstances", "instance i-"),
        ("DescribeContainerInstances", "instance i-"),
        ("ListTasks", "prod-web: instance"),
        ("DescribeTasks", "prod-web: instance"),
    ] {
        let aws = account().await;
        aws.refuse(call, 9, &denied(call));
        let run = notify(&aws, vec![event(SPOT)], &[]).await;
        let message = assert_posted(&run, &[EC2, known]);
        assert!(!message.contains("checkout"), "{call}: {message}");
        let line = run.log.lines().find(|it| it.contains("messages lack"));
        assert!(line.is_some_and(|it| it.contains(call)), "{}", run.log);
    }
}

/// AWS has not said that the instance is in no cluster, if it has not answered about one of them.
#[tokio::test]
async fn a_cluster_without_an_answer_may_have_the_instance() {
    let aws = account().await;
    aws.refuse(
        "ListContainerInstances",
        1,
        &denied("ecs:ListContainerInstances"),
    );
    let run = notify(&aws, vec![spot_of(OTHER_EC2)], &[]).await;
    assert_posted(&run, &[OTHER_EC2]);
}

/// The program waits 0.8 s for a call. The fake answers after 30 s, and no test may take so long.
#[tokio::test]
async fn a_slow_answer_does_not_delay_the_message() {
    for call in [
        "ListClusters",
        "DescribeClusters",
        "ListContainerInstances",
        "ListTasks",
    ] {
        let aws = account().await;
        aws.answer_late(call, Duration::from_secs(30));
        let run = notify(&aws, vec![event(SPOT)], &[]).await;
        assert_posted(&run, &[EC2]);
        assert!(
            run.log.contains(&format!("{call}: no answer in time")),
            "{}",
            run.log
        );
    }
}

/// AWS answers about the caller's account only, so it says nothing about an event of another account.
#[tokio::test]
async fn an_event_of_another_account_is_posted_by_itself() {
    let aws = account().await;
    let mut health = event(HEALTH);
    // In an organization, AWS Health names the account in the detail.
    health["detail"]["affectedAccount"] = json!(OTHER_ACCOUNT);
    for event in [event(SPOT), event(LAUNCH), health] {
        let run = notify(&aws, vec![of_account(event, OTHER_ACCOUNT)], &[]).await;
        assert_posted(&run, &[OTHER_ACCOUNT]);
    }
    assert_eq!(counted(&aws), []);
}

/// The credentials may be those of another account than the function's.
#[tokio::test]
async fn clusters_of_another_account_are_no_answer() {
    let aws = account().await;
    aws.clusters_of(OTHER_ACCOUNT);
    let run = notify(&aws, vec![event(SPOT)], &[]).await;
    assert_posted(&run, &[EC2]);
    assert_eq!(counted(&aws), once(&["ListClusters"]));
}

#[tokio::test]
async fn the_capacity_provider_of_a_group_is_named() {
    let aws = account().await;
    for number in 0..12 {
        let name = format!("a{number}");
        aws.provider(&name, &format!("prod-web-hosts-{number}"), Some("batch"));
    }
    aws.provider("prod-web-spot", "prod-web-hosts", Some("prod-web"));
    aws.page(10);
    let run = notify(&aws, vec![event(LAUNCH)], &[]).await;
    let message = "prod-web: capacity provider prod-web-spot could not launch an instance";
    assert_posted(&run, &[message, "no Spot capacity"]);
    let calls = sorted(counted(&aws));
    let expected = [
        ("DescribeCapacityProviders", 2),
        ("DescribeClusters", 1),
        ("ListClusters", 1),
    ];
    let expected = expected.map(|(name, times)| (name.to_owned(), times));
    assert_eq!(calls, expected, "{}", run.log);
}

/// AWS's own example of the event names an instance, which never became a container instance.
#[tokio::test]
async fn a_launch_that_failed_is_looked_up_by_its_group() {
    let aws = account().await;
    aws.provider("prod-web-spot", "prod-web-hosts", Some("prod-web"));
    let mut launch = event(LAUNCH);
    launch["detail"]["EC2InstanceId"] = json!(OTHER_EC2);
    let run = notify(&aws, vec![launch], &[]).await;
    let message = "prod-web: capacity provider prod-web-spot could not launch an instance";
    assert_posted(&run, &[message]);
    assert_eq!(aws.bodies("ListContainerInstances").len(), 0);
}

#[tokio::test]
async fn a_group_behind_no_capacity_provider_of_a_cluster_is_dropped() {
    let aws = account().await;
    aws.provider("prod-web-spot", "prod-web-hosts-2", Some("prod-web"));
    let run = notify(&aws, vec![event(LAUNCH)], &[]).await;
    assert_dropped(&run, "not_in_cluster");

    let aws = account().await;
    aws.provider("prod-web-spot", "prod-web-hosts", None);
    let run = notify(&aws, vec![event(LAUNCH)], &[]).await;
    assert_dropped(&run, "not_in_cluster");
}

#[tokio::test]
async fn a_group_without_an_answer_is_posted_by_itself() {
    for call in [
        "ListClusters",
        "DescribeCapacityProviders",
        "DescribeClusters",
    ] {
        let aws = account().await;
        aws.provider("prod-web-spot", "prod-web-hosts", Some("prod-web"));
        aws.refuse(call, 9, &denied(call));
        let run = notify(&aws, vec![event(LAUNCH)], &[]).await;
        assert_posted(&run, &["group prod-web-hosts could not launch an instance"]);
    }
}

fn health_of(instances: &[&str]) -> Value {
    let mut event = event(HEALTH);
    let entities = instances.iter();
    let entities: Vec<_> = entities
        .map(|it| json!({"entityValue": it, "status": "PENDING"}))
        .collect();
    event["resources"] = json!(instances);
    event["detail"]["affectedEntities"] = json!(entities);
    event
}

/// Of two instances only the one in a cluster is shown.
#[tokio::test]
async fn a_health_event_is_about_the_instances_in_clusters() {
    let aws = account().await;
    let run = notify(&aws, vec![health_of(&[OTHER_EC2, EC2])], &[]).await;
    let shown = format!("{EC2} in prod-web (checkout, mailer)");
    let message = assert_posted(&run, &[&shown]);
    assert!(!message.contains(OTHER_EC2), "{message}");
    assert_eq!(aws.bodies("ListClusters").len(), 1);
    assert_eq!(aws.bodies("ListContainerInstances").len(), 2);

    let run = notify(&aws, vec![health_of(&[OTHER_EC2])], &[]).await;
    assert_dropped(&run, "not_in_cluster");
}

/// An instance about which AWS did not answer stays.
#[tokio::test]
async fn a_health_event_without_an_answer_is_posted() {
    let aws = account().await;
    aws.refuse(
        "ListContainerInstances",
        9,
        &denied("ecs:ListContainerInstances"),
    );
    let run = notify(&aws, vec![health_of(&[OTHER_EC2, EC2])], &[]).await;
    assert_posted(&run, &[OTHER_EC2, EC2]);
}

#[tokio::test]
async fn without_enrichment_nothing_is_asked() {
    let aws = account().await;
    for (event, shown) in [
        (event(SPOT), EC2),
        (event(LAUNCH), "group prod-web-hosts"),
        (health_of(&[OTHER_EC2]), OTHER_EC2),
    ] {
        let run = notify(&aws, vec![event], &[("ENRICH", "false")]).await;
        assert_posted(&run, &[shown]);
    }
    assert_eq!(aws.calls().len(), 0);
}

#[tokio::test]
async fn ids_that_are_not_well_formed_are_not_asked_for() {
    let aws = account().await;
    for id in ["i-1 || true", "i-../../etc", "i-0c1d2e3f4a5b6c7d8 or 1", ""] {
        let run = notify(&aws, vec![spot_of(id)], &[]).await;
        assert_eq!(run.messages.len(), 1, "{id}: {}", run.log);
    }
    assert_eq!(aws.calls().len(), 0);
}

#[tokio::test]
async fn answers_do_not_become_markup() {
    const HOSTILE: &str = "<!channel> <https://evil.example|x>";
    let aws = account().await;
    let id = format!("{:032x}", 7);
    aws.described(&id, task(&id, &format!("service:{HOSTILE}"), "RUNNING"));
    aws.provider(HOSTILE, "prod-web-hosts", Some("prod-web"));
    for event in [event(SPOT), event(LAUNCH)] {
        let run = notify(&aws, vec![event], &[]).await;
        let message = assert_posted(&run, &["prod-web: ", "evil.example"]);
        assert!(!message.contains("<!channel"), "{message}");
        assert!(!message.contains("<https://evil"), "{message}");
    }
}
