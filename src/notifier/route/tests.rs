//! Tests of filters: what never matches stops the start, and which clauses refuse an event.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fields::RouteField;
use super::pattern::Scalar;
use super::*;
use crate::notifier::thread::ThreadKind;

fn read(settings: &Value) -> Result<RouteFilter, Vec<String>> {
    let Value::Object(settings) = settings else {
        panic!("{settings} is not an object");
    };
    RouteFilter::read(settings).map_err(|errors| {
        let texts = errors
            .iter()
            .map(|it| format!("{it}; {}", it.problem.remedy()));
        texts.collect()
    })
}

fn errors(settings: Value) -> Vec<String> {
    read(&settings).expect_err(&settings.to_string())
}

fn route() -> EventRoute {
    let mut route = EventRoute::default();
    for (field, value) in [
        (RouteField::Kind, "task_stopped"),
        (RouteField::Cause, "out_of_memory"),
        (RouteField::Cluster, "prod-web"),
        (RouteField::Service, "checkout"),
        (RouteField::Account, "210987654321"),
    ] {
        route.set(field, Some(value));
    }
    route.set_priority(Severity::Critical, true);
    route.set_threads(&[ThreadKind::Deployment, ThreadKind::Incident]);
    route.set_tags(&Subject {
        tags: Some(BTreeMap::from([
            ("team".to_owned(), "payments".to_owned()),
            ("cost:center".to_owned(), "4.2".to_owned()),
        ])),
        ..Subject::default()
    });
    route
}

const KINDS: &str = "run_task, start_task, stop_task, task_started, task_running, task_stopped, instance_registered, instance_deregistered, instance_state, instance_health, instance_interruption, instance_launch_failed, service_changed, task_definition, api_call, api_denied, service_action, deployment, deployment_hook, daemon_deployment, daemon_action, code_deploy, task_retirement, aws_health, scaled_to_max, alarm, did_not_run, other";

#[test]
fn what_never_matches_is_named_with_what_is_allowed() {
    let fields = super::fields::names();
    for (settings, expected) in [
        (
            json!({"only": {"clutser": ["prod"]}}),
            "only.clutser: not a field; did you mean `cluster`?".to_owned(),
        ),
        (
            json!({"only": {"detail": {"state": ["up"]}}}),
            format!("only.detail.state: not a field; allowed: {fields}"),
        ),
        (
            json!({"only": {"tags": ["payments"]}}),
            "only.tags: it does not say which tag; allowed: `{\"tags\": {\"team\": [\"payments\"]}}`".to_owned(),
        ),
        (
            json!({"only": {"severity": ["criticl"]}}),
            "only.severity[0]: `severity` never has this value; did you mean `critical`?".to_owned(),
        ),
        (
            json!({"except": {"severity": ["error"]}}),
            "except.severity[0]: `severity` never has this value; allowed: info, success, warning, critical".to_owned(),
        ),
        (
            json!({"only": {"kind": ["Task_Stopped"]}}),
            "only.kind[0]: `kind` never has this value; did you mean `task_stopped`?".to_owned(),
        ),
        (
            json!({"only": {"kind": [{"prefix": "tsk_"}]}}),
            format!("only.kind[0]: no value of `kind` matches; allowed: {KINDS}"),
        ),
        (
            json!({"only": {"kind": [{"anything-but": {"prefix": "tsk_"}}]}}),
            format!("only.kind[0]: no value of `kind` matches; allowed: {KINDS}"),
        ),
        (
            json!({"only": {"thread": [{"anything-but": ["incidents"]}]}}),
            "only.thread[0]: `thread` never has this value; did you mean `incident`?".to_owned(),
        ),
        (
            json!({"only": {"severity": [{"anything-but": ["info", "success", "warning", "critical"]}]}}),
            "only.severity[0]: it excludes every value of `severity`; leave one of these: info, success, warning, critical".to_owned(),
        ),
        (
            json!({"only": {"cause": ["out_of_memry"]}}),
            "only.cause[0]: `cause` never has this value; did you mean `out_of_memory`?".to_owned(),
        ),
        (
            json!({"only": {"launch_type": ["fargate"]}}),
            "only.launch_type[0]: `launch_type` never has this value; did you mean `FARGATE`?".to_owned(),
        ),
        (
            json!({"only": {"account": [210987654321_i64]}}),
            "only.account[0]: `account` is text; write the value in quotes, `[\"210987654321\"]`".to_owned(),
        ),
        (
            json!({"only": {"account": ["10987654321"]}}),
            "only.account[0]: an account number has 12 digits; write all 12 digits in quotes, `[\"210987654321\"]`".to_owned(),
        ),
        (
            json!({"only": {"urgent": ["true"]}}),
            "only.urgent[0]: `urgent` is true or false; allowed: `[true]` or `[false]`, without quotes".to_owned(),
        ),
        (
            json!({"only": {"urgent": [{"prefix": "t"}]}}),
            "only.urgent[0]: `urgent` is true or false; allowed: `[true]` or `[false]`, without quotes".to_owned(),
        ),
        (
            json!({"only": {"service": [null]}}),
            "only.service[0]: no field is null; write `{\"exists\": false}` for a field that is not there".to_owned(),
        ),
        (
            json!({"only": {"service": [{"numeric": [">", 5]}]}}),
            "only.service[0]: `numeric` compares numbers, and `service` is text; allowed: a text, or an operator for texts".to_owned(),
        ),
        (
            json!({"except": {"kind": [{"exists": false}]}}),
            "except.kind[0]: `kind` is never absent; leave it out".to_owned(),
        ),
        (
            json!({"only": {"cluster": ["a"], "$or": [{"cluster": ["b"]}, {"cluster": ["c"], "urgent": [true]}]}}),
            "only.cluster: nothing matches all that is asked of `cluster`; put alternatives into one list or into `$or`".to_owned(),
        ),
        (
            json!({"only": {"service": [{"exists": false}], "$or": [{"service": ["b"]}, {"service": [{"prefix": "c"}]}]}}),
            "only.service: nothing matches all that is asked of `service`; put alternatives into one list or into `$or`".to_owned(),
        ),
        (
            json!({"only": {"cluster": ["prod-web"]}, "except": {"cluster": [{"prefix": "prod-"}]}}),
            "except: it matches all that `only` takes, so that the channel gets nothing; leave something to the channel, or remove it".to_owned(),
        ),
        (
            json!({"except": {"urgent": [true, false]}}),
            "except: it matches all that `only` takes, so that the channel gets nothing; leave something to the channel, or remove it".to_owned(),
        ),
        (
            json!({"only": {"cluster": "prod"}}),
            "only.cluster: not a list; allowed: a list of values and operators, `[\"prod\"]`".to_owned(),
        ),
        (
            json!({"only": {"cluster": [{"prefx": "prod"}]}}),
            "only.cluster[0].prefx: not an operator; did you mean `prefix`?".to_owned(),
        ),
        (
            json!({"only": "prod"}),
            "only: not an object; allowed: an object of fields and lists, `{\"cluster\": [\"prod\"]}`".to_owned(),
        ),
    ] {
        assert_eq!(errors(settings.clone()), [expected], "{settings}");
    }
}

#[test]
fn all_that_is_wrong_is_reported_at_once() {
    let settings = json!({
        "only": {"clutser": ["a"], "$or": [{"kind": ["x", "tsk_stopped"]}, {"urgent": ["no"]}]},
        "except": {"severity": []},
    });
    let found = errors(settings);
    let places: Vec<_> = found.iter().filter_map(|it| it.split(':').next()).collect();
    assert_eq!(
        places,
        [
            "only.$or[0].kind[0]",
            "only.$or[0].kind[1]",
            "only.$or[1].urgent[0]",
            "only.clutser",
            "except.severity",
        ]
    );
}

#[test]
fn what_may_match_is_allowed() {
    for settings in [
        json!({}),
        json!({"only": null, "except": null}),
        json!({"only": {"cause": ["SERVICE_TASK_PLACEMENT_FAILURE", {"prefix": "service_"}, "out_of_memory"]}}),
        json!({"only": {"launch_type": ["FARGATE", "SOMETHING_NEW"]}}),
        json!({"only": {"service": [{"exists": false}, "web"]}}),
        json!({"only": {"tags": {"team": ["a"], "cost:center": [{"exists": true}]}, "tags.env": ["prod"]}}),
        json!({"only": {"thread": ["incident"], "$or": [{"thread": ["storm"]}, {"urgent": [true]}]}}),
        json!({"only": {"cluster": [{"prefix": "a"}], "$or": [{"cluster": [{"suffix": "b"}]}, {"kind": ["other"]}]}}),
        json!({"only": {"cluster": [{"prefix": "prod-"}]}, "except": {"cluster": ["prod-web"]}}),
        json!({"only": {"cluster": ["a"]}, "except": {"cluster": ["a"], "service": ["noisy"]}}),
        json!({"only": {"service": [{"exists": true}]}, "except": {"service": ["a"]}}),
        json!({"except": {"service": [{"exists": true}]}}),
    ] {
        assert_eq!(read(&settings).err(), None, "{settings}");
    }
}

#[test]
fn a_channel_takes_what_matches_only_and_not_except() {
    let route = route();
    for (settings, refusing) in [
        (json!({}), &[][..]),
        (
            json!({"only": {"cluster": [{"prefix": "prod-"}], "urgent": [true]}}),
            &[],
        ),
        (json!({"only": {"thread": ["incident"]}}), &[]),
        (
            json!({"only": {"thread": [{"anything-but": "deployment"}]}}),
            &[],
        ),
        (json!({"only": {"tags": {"team": ["payments"]}}}), &[]),
        (json!({"only": {"tags.team": ["payments"]}}), &[]),
        (
            json!({"only": {"tags": {"cost:center": [{"exists": true}]}}}),
            &[],
        ),
        (json!({"except": {"service": ["mailer"]}}), &[]),
        (
            json!({"except": {"service": ["checkout"], "urgent": [false]}}),
            &[],
        ),
        (json!({"only": {"actor": [{"exists": false}]}}), &[]),
        (json!({"only": {"cluster": ["prod"]}}), &["only.cluster"]),
        (
            json!({"only": {"cluster": ["prod"], "kind": ["other"], "urgent": [true]}}),
            &["only.cluster", "only.kind"],
        ),
        (
            json!({"only": {"$or": [{"service": ["a"]}, {"family": ["b"]}]}}),
            &["only.$or"],
        ),
        (
            json!({"except": {"service": ["checkout"], "urgent": [true]}}),
            &["except.service", "except.urgent"],
        ),
        (
            json!({"except": {"thread": ["deployment"]}}),
            &["except.thread"],
        ),
        (
            json!({"except": {"tags": {"team": ["payments"]}}}),
            &["except.tags.team"],
        ),
    ] {
        let filter = read(&settings).unwrap();
        assert_eq!(filter.refusing(&route), refusing, "{settings}");
        assert_eq!(filter.accepts(&route), refusing.is_empty(), "{settings}");
    }
}

#[test]
fn each_clause_says_what_the_event_has() {
    let settings = json!({
        "only": {"cluster": ["prod"], "$or": [{"urgent": [true]}, {"actor": ["maya"]}]},
        "except": {"actor": ["maya"], "thread": ["run"]},
    });
    let filter = read(&settings).unwrap();
    let route = route();
    let explained = filter.explain(&route).into_iter();
    let explained: Vec<_> = explained
        .map(|it| (it.path, it.written.to_string(), it.has, it.is_match))
        .collect();
    let threads = json!(["deployment", "incident"]);
    assert_eq!(
        explained,
        [
            (
                "only.$or".to_owned(),
                "[{\"urgent\":[true]},{\"actor\":[\"maya\"]}]".to_owned(),
                None,
                true
            ),
            (
                "only.cluster".to_owned(),
                "[\"prod\"]".to_owned(),
                Some(json!("prod-web")),
                false
            ),
            (
                "except.actor".to_owned(),
                "[\"maya\"]".to_owned(),
                Some(Value::Null),
                false
            ),
            (
                "except.thread".to_owned(),
                "[\"run\"]".to_owned(),
                Some(threads),
                false
            ),
        ]
    );
}

#[test]
fn an_urgent_channel_may_be_left_with_nothing() {
    for (settings, expected) in [
        (json!({}), false),
        (json!({"only": {"urgent": [true, false]}}), false),
        (json!({"only": {"severity": ["critical"]}}), false),
        (json!({"only": {"urgent": [false]}}), true),
        (json!({"only": {"severity": ["info", "success"]}}), true),
        (
            json!({"only": {"$or": [{"urgent": [false]}, {"cluster": ["a"]}]}}),
            false,
        ),
        (json!({"except": {"urgent": [true]}}), true),
        (
            json!({"except": {"urgent": [true], "cluster": ["a"]}}),
            false,
        ),
        (
            json!({"only": {"cluster": ["a"]}, "except": {"severity": ["warning", "critical"]}}),
            true,
        ),
    ] {
        let filter = read(&settings).unwrap();
        assert_eq!(filter.takes_nothing_urgent(), expected, "{settings}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("cluster".to_owned()),
        Just("tags".to_owned()),
        Just("urgent".to_owned()),
        Just("kind".to_owned()),
        Just("thread".to_owned()),
        Just("$or".to_owned()),
        Just("prefix".to_owned()),
        Just("anything-but".to_owned()),
        Just("numeric".to_owned()),
        Just("exists".to_owned()),
        Just("wildcard".to_owned()),
        Just("equals-ignore-case".to_owned()),
        Just("task_stopped".to_owned()),
        ".{0,6}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(word.clone(), inner, 0..4)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Any JSON is read or refused with words. What is read decides about any event, and says why.
    #[test]
    fn no_pattern_panics(only in any_json(), except in any_json(), name in ".{0,20}") {
        let settings = json!({"only": only, "except": except});
        match read(&settings) {
            Err(errors) => prop_assert!(errors.iter().all(|it| !it.is_empty())),
            Ok(filter) => {
                let mut route = route();
                route.set(RouteField::Cluster, Some(&name));
                prop_assert_eq!(filter.accepts(&route), filter.refusing(&route).is_empty());
                let explained = filter.explain(&route);
                prop_assert_eq!(explained.is_empty(), filter.is_empty());
            }
        }
    }

    /// An exact value matches itself and nothing else, whatever characters it has.
    #[test]
    fn a_value_matches_exactly_itself(name in ".{0,40}", other in ".{0,40}") {
        let filter = read(&json!({"only": {"cluster": [name]}})).unwrap();
        let mut route = EventRoute::default();
        route.set(RouteField::Cluster, Some(&other));
        prop_assert_eq!(filter.accepts(&route), name == other);
        route.set_values(RouteField::Cluster, vec![Scalar::Text(name)]);
        prop_assert!(filter.accepts(&route));
    }
}

fn of(subject: Subject) -> EventRoute {
    EventRoute::of_subject(&subject, &Origin::default())
}

/// Where tags are not known, a clause about them refuses nothing.
#[test]
fn unknown_tags_refuse_nothing() {
    let service = |tags: Option<&[(&str, &str)]>| {
        of(Subject {
            cluster: Some("prod-web".to_owned()),
            service: Some("checkout".to_owned()),
            tags: tags.map(|it| {
                let tags = it.iter();
                tags.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                    .collect()
            }),
            ..Subject::default()
        })
    };
    let unknown = service(None);
    let none = service(Some(&[]));
    let payments = service(Some(&[("team", "payments")]));
    let only = |pattern: Value| json!({"only": pattern});
    let except = |pattern: Value| json!({"except": pattern});
    let team = json!({"tags": {"team": ["payments"]}});
    let absent = json!({"tags": {"team": [{"exists": false}]}});
    let there = json!({"tags.team": [{"exists": true}]});
    let not = json!({"tags.team": [{"anything-but": "payments"}]});
    let elsewhere = json!({"tags.team": ["payments"], "cluster": ["staging"]});
    let either = json!({"$or": [{"tags.team": ["payments"]}, {"cluster": ["staging"]}]});
    let here = json!({"$or": [{"tags.team": ["payments"]}, {"cluster": ["prod-web"]}]});
    for (settings, accepts) in [
        // Whether they accept unknown tags, no tags, and `payments`.
        (only(team.clone()), [true, false, true]),
        (except(team), [true, true, false]),
        (only(absent.clone()), [true, true, false]),
        (except(absent), [true, false, true]),
        (only(there.clone()), [true, false, true]),
        (except(there), [true, true, false]),
        (only(not.clone()), [true, false, false]),
        (except(not), [true, true, true]),
        (only(elsewhere.clone()), [false, false, false]),
        (except(elsewhere), [true, true, true]),
        (only(either.clone()), [true, false, true]),
        (except(either), [true, true, false]),
        (only(here.clone()), [true, true, true]),
        (except(here), [false, false, false]),
    ] {
        let filter = read(&settings).unwrap();
        let found = [&unknown, &none, &payments].map(|it| filter.accepts(it));
        assert_eq!(found, accepts, "{settings}");
        for (route, accepts) in [&unknown, &none, &payments].into_iter().zip(accepts) {
            assert_eq!(filter.refusing(route).is_empty(), accepts, "{settings}");
        }
    }
}

/// Nobody looks up tags of instances and clusters, so what is about them is known to have none.
#[test]
fn what_is_about_no_service_or_task_has_no_tags() {
    let name = || Some("x".to_owned());
    let filter = read(&json!({"only": {"tags.team": ["payments"]}})).unwrap();
    for (subject, accepts) in [
        (Subject::default(), false),
        (
            Subject {
                cluster: name(),
                container_instance: name(),
                ec2_instance: name(),
                ..Subject::default()
            },
            false,
        ),
        (
            Subject {
                service: name(),
                ..Subject::default()
            },
            true,
        ),
        (
            Subject {
                task: name(),
                container_instance: name(),
                ..Subject::default()
            },
            true,
        ),
        (
            Subject {
                family: name(),
                ..Subject::default()
            },
            true,
        ),
    ] {
        let shown = format!("{subject:?}");
        assert_eq!(filter.accepts(&of(subject)), accepts, "{shown}");
    }
}

/// What an event does not know, its thread may know.
#[test]
fn a_route_takes_the_tags_of_its_thread() {
    let subject = |tags: Option<BTreeMap<String, String>>| Subject {
        service: Some("checkout".to_owned()),
        tags,
        ..Subject::default()
    };
    let known = BTreeMap::from([("team".to_owned(), "search".to_owned())]);
    let filter = read(&json!({"only": {"tags.team": ["payments"]}})).unwrap();
    let mut route = of(subject(None));
    route.fill_from(&of(subject(None)));
    assert!(filter.accepts(&route));
    route.fill_from(&of(subject(Some(known))));
    assert!(!filter.accepts(&route));
    let shown = route.to_json();
    assert_eq!(shown["tags.team"], "search");
}

/// The alias of the account could not be looked up.
#[test]
fn an_unknown_name_of_the_account_refuses_nothing() {
    let filter = read(&json!({"only": {"account_name": ["prod"]}})).unwrap();
    for (account_name, lacks_account_name, accepts) in [
        (Some("prod"), false, true),
        (Some("test"), false, false),
        (None, false, false),
        (None, true, true),
    ] {
        let origin = Origin {
            account_name: account_name.map(str::to_owned),
            lacks_account_name,
            ..Origin::default()
        };
        let route = EventRoute::of_subject(&Subject::default(), &origin);
        assert_eq!(filter.accepts(&route), accepts, "{origin:?}");
    }
}

#[test]
fn the_keys_of_tags_are_found_everywhere() {
    let settings = json!({
        "only": {"tags": {"team": ["a"]}, "$or": [{"tags.tier": ["1"]}, {"cluster": ["x"]}]},
        "except": {"tags.cost center": [{"exists": false}]},
    });
    let keys = read(&settings).unwrap().tag_keys();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    assert_eq!(keys, ["cost center", "team", "tier"]);
}
