//! Container instances: what is said about them once, and what their problems mean for the tasks on them.

use super::events::*;
use super::scene::Scene;
use crate::notifier::thread::{ActivityCount, Incident, SubjectKind, Thread, ThreadKind};

const EC2: &str = "i-0ba4faab662936203";

fn incident(scene: &Scene) -> &Incident {
    match &scene.last(ThreadKind::Incident).thread {
        Thread::Incident(it) => it,
        other => panic!("{other:?}"),
    }
}

/// What the cluster's activity counts.
fn counted(scene: &Scene) -> Vec<(String, u32)> {
    let mut states = scene.states.iter();
    let instances =
        states.find(|(key, _)| key.kind == SubjectKind::Activity && key.name == "instances");
    let activity = instances.and_then(|(_, state)| state.activity.as_ref());
    let counts = activity.map_or_else(Vec::new, |it| it.counts.clone());
    let shown = |it: ActivityCount| (it.detail.unwrap_or_default(), it.count);
    counts.into_iter().map(shown).collect()
}

fn one(detail: &str) -> Vec<(String, u32)> {
    vec![(detail.to_owned(), 1)]
}

fn disconnected(id: &str) -> Event {
    instance(id, "ACTIVE").with("agentConnected", false)
}

fn failure(service: &str) -> Event {
    failed(service, EXITED_WITH_1).on_instance("aa")
}

fn troubles(scene: &Scene) -> Vec<String> {
    let hosts = incident(scene).hosts.iter();
    let shown = hosts.map(|it| {
        format!(
            "{} {:?} {}",
            it.instance,
            it.what,
            it.at.as_seconds() % 3_600
        )
    });
    shown.collect()
}

#[test]
fn a_persons_call_and_its_event_are_one_change() {
    for (call, state) in [
        (drain("noor", "aa"), "DRAINING"),
        (deregister("noor", "aa"), "INACTIVE"),
    ] {
        let call = at("10:00:00", call);
        let event = at("10:00:01", instance("aa", state));
        let mut scene = Scene::default();
        scene.play(&[call.clone(), event.clone()]);
        assert_eq!(scene.singles.len(), 1, "{state}");
        assert_eq!(counted(&scene), [], "{state}");
        // The same in one batch, and again.
        let both = [event.clone(), call.clone()];
        let mut scene = Scene::default();
        scene.arrive("10:00:02", &both).arrive("10:00:03", &both);
        assert_eq!(counted(&scene), [], "{state}");
        // The event comes first. The call says who did it, and is posted too.
        let mut scene = Scene::default();
        scene
            .arrive("10:00:01", &[event])
            .arrive("10:03:00", &[call]);
        assert_eq!(scene.singles.len(), 1, "{state}");
        assert_eq!(counted(&scene), one(state));
    }
}

#[test]
fn a_call_about_several_instances_is_one_change_of_each() {
    let call = at("10:00:00", drain_all("noor", &["aa", "bb"]));
    let event = |time, id| at(time, instance(id, "DRAINING"));
    let mut scene = Scene::default();
    scene.play(&[call, event("10:00:01", "aa"), event("10:00:01", "bb")]);
    assert_eq!((counted(&scene), scene.singles.len()), (vec![], 1));
    // The call did not name this one.
    scene.play(&[event("10:00:02", "cc")]);
    assert_eq!(counted(&scene), one("DRAINING"));
}

#[test]
fn a_call_that_is_counted_and_its_event_are_one_change() {
    let call = || at("10:00:00", by_template(drain("noor", "aa")));
    let event = || at("10:00:01", instance("aa", "DRAINING"));
    for order in [[call(), event()], [event(), call()]] {
        let mut scene = Scene::default();
        scene
            .arrive("10:00:02", &order[..1])
            .arrive("10:00:03", &order[1..]);
        assert_eq!((counted(&scene), scene.singles.len()), (one("DRAINING"), 0));
        // Another function wrote the activity at the same time, so the batch is advanced again.
        let mut scene = Scene::default();
        scene.arrive("10:00:02", &order);
        scene
            .states
            .retain(|key, _| key.kind != SubjectKind::Activity);
        scene.arrive("10:00:03", &order);
        assert_eq!((counted(&scene), scene.singles.len()), (one("DRAINING"), 0));
    }
    // Another instance is another one.
    let mut scene = Scene::default();
    scene.play(&[call(), at("10:00:02", instance("bb", "DRAINING"))]);
    assert_eq!(counted(&scene), [("DRAINING".to_owned(), 2)]);
}

#[test]
fn a_deregistered_instance_has_no_problem_whatever_comes_first() {
    let mut scene = Scene::default();
    scene.play(&[
        at("10:00:00", health("aa", "IMPAIRED")),
        at("10:05:00", deregister("noor", "aa")),
        // It was impaired again while it was deregistered.
        at("10:05:10", health("aa", "IMPAIRED")),
        at("10:05:20", instance("aa", "INACTIVE")),
    ]);
    assert!(incident(&scene).is_over());
    assert_eq!(counted(&scene), []);
}

#[test]
fn failures_name_the_ec2_instance_that_an_event_named() {
    let mut scene = Scene::default();
    scene.play(&[
        at("09:00:00", instance("aa", "ACTIVE")),
        at("10:00:00", failure("imports")),
        at("10:01:00", failure("imports")),
        at("10:02:00", failure("imports")),
    ]);
    scene.finish();
    let common = &incident(&scene).common;
    let on = common.iter().find(|it| it.fact == "instance").unwrap();
    assert_eq!((on.value.as_str(), on.count, on.of), (EC2, 3, 3));
    let shown = incident(&scene).newest.as_ref().unwrap();
    assert_eq!(shown.notice.subject.ec2_instance.as_deref(), Some(EC2));
    assert_eq!(troubles(&scene), Vec::<String>::new());
}

#[test]
fn a_failure_on_an_instance_with_a_problem_says_so() {
    let draining = instance("aa", "DRAINING");
    for (trouble, expected) in [
        (disconnected("aa"), "AgentDisconnected"),
        (draining, "Draining"),
        (health("aa", "IMPAIRED"), "Impaired(\"AGENT_CONNECTIVITY\")"),
    ] {
        let mut scene = Scene::default();
        scene.play(&[
            at("10:00:00", trouble.clone()),
            at("10:00:15", failure("imports")),
            at("10:00:20", failure("imports")),
        ]);
        assert_eq!(troubles(&scene), [format!("{EC2} {expected} 0")]);
        // A problem that begins after the failure does not explain it.
        let mut scene = Scene::default();
        scene.play(&[at("10:00:15", failure("imports")), at("10:00:16", trouble)]);
        scene.arrive("10:00:17", &[at("10:00:15", failure("imports"))]);
        scene.finish();
        let service = scene.states.iter().find(|(key, _)| key.name == "imports");
        let incident = service.unwrap().1.incident.as_ref().unwrap();
        assert_eq!(
            (incident.total, incident.hosts.as_slice()),
            (2, [].as_slice())
        );
    }
}

#[test]
fn a_routine_reconnect_explains_nothing() {
    let reconnected = || instance("aa", "ACTIVE");
    let found = |back: &str, failed_at: &str| {
        let mut scene = Scene::default();
        scene.play(&[
            at("10:00:00", disconnected("aa")),
            at(back, reconnected()),
            at(failed_at, failure("imports")),
        ]);
        troubles(&scene).len()
    };
    assert_eq!(found("10:00:05", "10:00:20"), 0);
    assert_eq!(found("10:01:30", "10:01:40"), 1);
    assert_eq!(found("10:01:30", "10:04:00"), 0);
    // Other events of the instance do not change when it disconnected.
    let mut scene = Scene::default();
    scene.play(&[
        at("10:00:00", disconnected("aa")),
        at("10:00:30", disconnected("aa")),
        at("10:01:00", failure("imports")),
    ]);
    assert_eq!(troubles(&scene), [format!("{EC2} AgentDisconnected 0")]);
}

/// An event of EC2 about the instance, after AWS has said which container instance it is.
fn interruption(detail_type: &str, time: &str) -> super::scene::Evaluated {
    let detail = serde_json::json!({"instance-id": EC2, "instance-action": "terminate"});
    let event = of("aws.ec2", detail_type, time, detail);
    let (mut notice, decision) = super::scene::evaluated(&event);
    notice.subject.cluster = Some("prod-web".to_owned());
    notice.subject.container_instance = Some("aa".to_owned());
    if let crate::ecs::notice::Facts::Host(host) = &mut notice.facts {
        host.is_of_ecs = Some(true);
    }
    (notice, decision)
}

const SPOT_WARNING: &str = "EC2 Spot Instance Interruption Warning";

#[test]
fn an_interruption_is_counted_with_the_clusters_instances() {
    let mut scene = Scene::default();
    let both = [
        interruption("EC2 Instance Rebalance Recommendation", "10:00:00"),
        interruption(SPOT_WARNING, "10:00:30"),
    ];
    scene.arrive_evaluated("10:01:00", &both);
    assert_eq!(scene.turns(), ["10:01:00 activity opened"]);
    assert!(!scene.last(ThreadKind::Activity).turn.urgent);
    assert_eq!(scene.singles, [] as [&str; 0]);
    assert_eq!(counted(&scene).len(), 2);
}

#[test]
fn an_interruption_explains_the_tasks_that_fail_with_the_instance() {
    let mut scene = Scene::default();
    scene.arrive_evaluated("10:00:01", &[interruption(SPOT_WARNING, "10:00:00")]);
    scene.play(&[at("10:02:00", failure("checkout"))]);
    let hosts = &incident(&scene).hosts;
    assert_eq!(hosts.len(), 1, "{hosts:?}");
    assert_eq!(hosts[0].instance, EC2);
}

/// A spot instance that was stopped comes back as the same container instance.
#[test]
fn an_interruption_explains_nothing_days_later() {
    let mut scene = Scene::default();
    scene.arrive_evaluated("10:00:01", &[interruption(SPOT_WARNING, "10:00:00")]);
    scene.play(&[at("10:16:00", failure("checkout"))]);
    assert_eq!(troubles(&scene), Vec::<String>::new());
    scene.arrive_evaluated("11:00:01", &[interruption(SPOT_WARNING, "11:00:00")]);
    scene.play(&[at("11:02:00", failure("search"))]);
    assert_eq!(troubles(&scene).len(), 1);
}

#[test]
fn launches_that_fail_again_and_again_are_one_message_of_their_group() {
    let launch = |time: &str| {
        let detail = serde_json::json!({
            "AutoScalingGroupName": "prod-web-hosts", "StatusMessage": "no capacity", "EC2InstanceId": "",
        });
        of(
            "aws.autoscaling",
            "EC2 Instance Launch Unsuccessful",
            time,
            detail,
        )
    };
    let mut scene = Scene::default();
    scene.play(&[launch("10:00:00"), launch("10:01:00"), launch("10:02:00")]);
    assert_eq!(scene.turns(), ["10:00:00 activity opened"]);
    assert!(scene.last(ThreadKind::Activity).turn.urgent);
}
