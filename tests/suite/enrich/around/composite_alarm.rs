//! Composite alarms: DescribeAlarms says which metrics their alarms look at.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::{assert_dropped, assert_posted, denied, event, numbered, of_account};
use crate::enrich::{counted, notify, once};
use crate::fake_aws::{FakeAws, REGION};

const OTHER_ACCOUNT: &str = "123456789012";

/// The alarm of this rule goes into a state.
fn composite(rule: &str, state: &str, number: usize) -> Value {
    let mut event = numbered(event("alarm-composite"), number);
    let now = Timestamp::now() - 60.seconds() + i64::try_from(number).unwrap().seconds();
    event["time"] = json!(now.to_string());
    let detail = &mut event["detail"];
    detail["configuration"]["alarmRule"] = json!(rule);
    detail["state"]["value"] = json!(state);
    detail["state"]["timestamp"] = json!(now.to_string());
    event
}

fn of_service(aws: &FakeAws, alarm: &str, service: &str) {
    let dimensions = [("ClusterName", "prod-web"), ("ServiceName", service)];
    aws.alarm(alarm, "AWS/ECS", &dimensions);
}

const RULE: &str = "ALARM(\"checkout-latency\") OR ALARM(\"checkout-memory\")";

/// An account in which both alarms of the rule are about one service.
async fn account() -> FakeAws {
    let aws = FakeAws::start().await;
    of_service(&aws, "checkout-memory", "checkout");
    let target = [("TargetGroup", "targetgroup/checkout/1")];
    aws.alarm("checkout-latency", "AWS/ApplicationELB", &target);
    aws
}

#[tokio::test]
async fn the_service_of_the_alarms_has_an_incident() {
    let aws = account().await;
    let run = notify(&aws, vec![composite(RULE, "ALARM", 1)], &[]).await;
    assert_posted(&run, &["checkout in prod-web", "shop-slow"]);
    assert_eq!(
        aws.bodies("DescribeAlarms"),
        [json!({
            "Action": "DescribeAlarms", "Version": "2010-08-01", "MaxRecords": "100",
            "AlarmNames.member.1": "checkout-latency", "AlarmNames.member.2": "checkout-memory",
            "AlarmTypes.member.1": "CompositeAlarm", "AlarmTypes.member.2": "MetricAlarm",
        })]
    );
    assert!(!run.log.contains("messages lack"), "{}", run.log);
}

/// Nobody posts that an alarm is over, but its incident ends.
#[tokio::test]
async fn the_end_of_the_alarm_reaches_the_incident() {
    let aws = account().await;
    let payloads = vec![composite(RULE, "ALARM", 1), composite(RULE, "OK", 2)];
    let run = notify(&aws, payloads, &[]).await;
    assert_posted(&run, &["checkout in prod-web"]);
    let told = r#""reason":"learned","subject":"service 210987654321 eu-west-1 prod-web checkout""#;
    assert!(run.log.contains(told), "{}", run.log);
    assert!(run.log.contains(r#""reason":"alarm_ok""#), "{}", run.log);
    // The second one is answered from memory.
    assert_eq!(aws.bodies("DescribeAlarms").len(), 1, "{}", run.log);
}

#[tokio::test]
async fn alarms_of_several_services_are_about_their_cluster() {
    let aws = account().await;
    of_service(&aws, "checkout-latency", "search");
    let run = notify(&aws, vec![composite(RULE, "ALARM", 1)], &[]).await;
    let message = assert_posted(&run, &["prod-web", "shop-slow"]);
    assert!(!message.contains("checkout in"), "{message}");
    assert!(!message.contains("search in"), "{message}");
}

#[tokio::test]
async fn alarms_of_other_services_of_aws_are_dropped() {
    for state in ["ALARM", "OK"] {
        let aws = account().await;
        aws.alarm("checkout-memory", "AWS/RDS", &[]);
        let payloads = vec![composite(RULE, state, 1), composite(RULE, state, 2)];
        let run = notify(&aws, payloads, &[]).await;
        assert_dropped(&run, "not_ecs");
        assert_eq!(aws.bodies("DescribeAlarms").len(), 1, "{state}");
    }
}

/// A composite alarm may be made of others.
#[tokio::test]
async fn alarms_of_alarms_are_followed() {
    let nested = "ALARM(\"shop\") OR ALARM(database)";
    let aws = account().await;
    aws.alarm("database", "AWS/RDS", &[]);
    aws.composite_alarm("shop", RULE);
    let run = notify(&aws, vec![composite(nested, "ALARM", 1)], &[]).await;
    assert_posted(&run, &["checkout in prod-web"]);
    assert_eq!(aws.bodies("DescribeAlarms").len(), 2, "{}", run.log);

    aws.composite_alarm("shop", "ALARM(database)");
    let run = notify(&aws, vec![composite(nested, "ALARM", 1)], &[]).await;
    assert_dropped(&run, "not_ecs");

    // It is unknown what the rules below the third say.
    for (alarm, child) in [("shop", "shop2"), ("shop2", "shop3"), ("shop3", "shop4")] {
        aws.composite_alarm(alarm, &format!("ALARM({child})"));
    }
    let run = notify(&aws, vec![composite(nested, "ALARM", 1)], &[]).await;
    assert_posted(&run, &["shop-slow"]);
}

/// AWS has not said what an alarm is about that it does not know.
#[tokio::test]
async fn an_unknown_alarm_may_be_about_ecs() {
    let aws = FakeAws::start().await;
    aws.alarm("database", "AWS/RDS", &[]);
    let rule = "ALARM(database) OR ALARM(deleted)";
    let run = notify(&aws, vec![composite(rule, "ALARM", 1)], &[]).await;
    assert_posted(&run, &["shop-slow"]);
    assert!(run.log.contains("DescribeAlarms: 1 MISSING"), "{}", run.log);
}

/// Our own alarms may have the same names.
#[tokio::test]
async fn an_alarm_of_another_account_is_posted_by_itself() {
    let aws = account().await;
    let event = of_account(composite(RULE, "ALARM", 1), OTHER_ACCOUNT);
    let run = notify(&aws, vec![event], &[]).await;
    let message = assert_posted(&run, &["shop-slow", OTHER_ACCOUNT]);
    assert!(!message.contains("checkout in"), "{message}");

    let aws = account().await;
    aws.alarms_of(OTHER_ACCOUNT);
    let run = notify(&aws, vec![composite(RULE, "ALARM", 1)], &[]).await;
    let message = assert_posted(&run, &["shop-slow"]);
    assert!(!message.contains("checkout in"), "{message}");
}

/// The names are encoded in the form, and read from XML.
#[tokio::test]
async fn names_may_have_any_characters() {
    let aws = FakeAws::start().await;
    let names = ["a&b=c", "50 % + 1", "größe/€", "<x> \u{1f600}", "a:b"];
    for name in names {
        of_service(&aws, name, "checkout");
    }
    let rule = names.map(|it| format!("ALARM(\"{it}\")")).join(" OR ");
    let run = notify(&aws, vec![composite(&rule, "ALARM", 1)], &[]).await;
    assert_posted(&run, &["checkout in prod-web"]);
    let [body] = &aws.bodies("DescribeAlarms")[..] else {
        panic!("{}", run.log)
    };
    let form = body.as_object().unwrap().iter();
    let asked = form.filter(|(name, _)| name.starts_with("AlarmNames"));
    let mut asked: Vec<_> = asked.map(|(_, value)| value.as_str().unwrap()).collect();
    let mut names = names;
    names.sort_unstable();
    asked.sort_unstable();
    assert_eq!(asked, names);
    assert!(!run.log.contains("messages lack"), "{}", run.log);
}

#[tokio::test]
async fn the_alarms_are_asked_for_once() {
    let aws = account().await;
    let payloads = vec![composite(RULE, "ALARM", 1), composite(RULE, "ALARM", 2)];
    let run = notify(&aws, payloads, &[]).await;
    assert_eq!(counted(&aws), once(&["DescribeAlarms"]), "{}", run.log);
}

#[tokio::test]
async fn without_an_answer_the_event_is_posted_by_itself() {
    type Change<'a> = &'a dyn Fn(&FakeAws);
    let refuse =
        |aws: &FakeAws| aws.refuse("DescribeAlarms", 9, &denied("cloudwatch:DescribeAlarms"));
    let delay = |aws: &FakeAws| aws.answer_late("DescribeAlarms", Duration::from_secs(30));
    let garble = |aws: &FakeAws| aws.garble("DescribeAlarms");
    let fails: [(&str, Change<'_>); 3] = [
        ("not authorized", &refuse),
        ("no answer in time", &delay),
        ("the answer cannot be read", &garble),
    ];
    for (why, fail) in fails {
        let aws = account().await;
        fail(&aws);
        let run = notify(&aws, vec![composite(RULE, "ALARM", 1)], &[]).await;
        let message = assert_posted(&run, &["shop-slow"]);
        assert!(!message.contains("checkout in"), "{message}");
        let line = run.log.lines().find(|it| it.contains("messages lack"));
        assert!(
            line.is_some_and(|it| it.contains(why)),
            "{why}: {}",
            run.log
        );
    }
}

#[tokio::test]
async fn without_enrichment_nothing_is_asked() {
    let aws = account().await;
    let payloads = vec![composite(RULE, "ALARM", 1), composite(RULE, "OK", 2)];
    let run = notify(&aws, payloads, &[("ENRICH", "false")]).await;
    assert!(run.messages[0].contains("shop-slow"), "{:?}", run.messages);
    assert_eq!(aws.calls().len(), 0);
}

/// The region becomes a part of a host name.
#[tokio::test]
async fn a_region_that_is_not_well_formed_is_not_asked() {
    let aws = account().await;
    let mut event = composite(RULE, "ALARM", 1);
    event["region"] = json!(format!("{REGION}.evil.example/"));
    let run = notify(&aws, vec![event], &[]).await;
    assert_posted(&run, &["shop-slow"]);
    assert_eq!(aws.calls().len(), 0);
}

#[tokio::test]
async fn answers_do_not_become_markup() {
    const HOSTILE: &str = "<!channel> <https://evil.example|x>";
    let aws = FakeAws::start().await;
    of_service(&aws, "a", HOSTILE);
    let run = notify(&aws, vec![composite("ALARM(a)", "ALARM", 1)], &[]).await;
    let message = assert_posted(&run, &["evil.example"]);
    assert!(!message.contains("<!channel"), "{message}");
    assert!(!message.contains("<https://evil"), "{message}");
}
