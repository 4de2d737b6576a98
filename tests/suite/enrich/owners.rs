//! Who owns a service: its tags and the alias of its account, for patterns, mentions and templates.

use std::time::Duration;

use ecs_parrot::aws::Session;
use ecs_parrot::notifier::config::{NotifierConfig, RunMode};
use futures::FutureExt as _;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use wiremock::MockServer;

use super::{NotifyRun, counted, notify};
use crate::chat::{chat, messages, ok, texts, webhook};
use crate::events;
use crate::fake_aws::{FakeAws, Refusal, arn};
use crate::tools;

/// Makes AWS fail.
type Change<'a> = &'a dyn Fn(&FakeAws);

/// An account in which the services of [`failure`] run, each with the tag `team`.
async fn account(owned: &[(&str, &str)]) -> FakeAws {
    let aws = FakeAws::start().await;
    aws.cluster("prod-web");
    for (service, team) in owned {
        aws.service(
            service,
            json!({
                "serviceName": service,
                "serviceArn": arn(&format!("service/prod-web/{service}")),
                "deployments": [],
                "tags": [{"key": "team", "value": team}, {"key": "cost center", "value": "4 2"}],
            }),
        );
    }
    aws
}

/// A task of this service that has failed just now.
fn failure(service: &str, number: usize) -> Value {
    let mut event = events::sample("task_stopped-image-pull-not-found");
    let now = (Timestamp::now() - 5.seconds()).to_string();
    event["id"] = json!(format!("{service} {number}"));
    event["time"] = json!(now);
    let detail = &mut event["detail"];
    detail["taskArn"] = json!(arn(&format!("task/prod-web/{number:032x}")));
    detail["group"] = json!(format!("service:{service}"));
    for field in ["stoppedAt", "stoppingAt", "executionStoppedAt", "updatedAt"] {
        detail[field] = json!(now);
    }
    event
}

/// A failed task of no service.
fn failure_outside_services(number: usize) -> Value {
    let mut event = failure("none", number);
    event["detail"]["group"] = json!("family:checkout");
    event["detail"]["startedBy"] = json!("events-rule/nightly");
    event
}

fn slack(name: &str, chat: &MockServer, settings: Value) -> Value {
    let mut channel = json!({"name": name, "type": "slack", "url": webhook(chat)});
    let more = settings.as_object().unwrap().clone();
    channel.as_object_mut().unwrap().extend(more);
    channel
}

async fn run(
    aws: &FakeAws,
    payloads: Vec<Value>,
    channels: &[Value],
    variables: &[(&str, &str)],
) -> NotifyRun {
    let list = Value::from(channels).to_string();
    let mut all = vec![("CHANNELS", list.as_str())];
    all.extend_from_slice(variables);
    notify(aws, payloads, &all).await
}

fn only_team(team: &str) -> Value {
    json!({"only": {"tags": {"team": [team]}}})
}

#[tokio::test]
async fn a_channel_gets_the_services_of_its_team() {
    let aws = account(&[("checkout", "payments"), ("catalog", "search")]).await;
    let (payments, search, others) = (chat(ok()).await, chat(ok()).await, chat(ok()).await);
    let channels = [
        slack("payments", &payments, only_team("payments")),
        slack("search", &search, only_team("search")),
        slack(
            "others",
            &others,
            json!({"except": {"tags.team": ["payments", "search"]}}),
        ),
    ];
    let payloads = vec![failure("checkout", 1), failure("catalog", 2)];
    let run = run(&aws, payloads, &channels, &[]).await;
    let headlines = texts(&payments).await;
    assert_eq!(headlines.len(), 1, "{}", run.log);
    assert!(
        headlines[0].contains("checkout in prod-web"),
        "{headlines:?}"
    );
    let headlines = texts(&search).await;
    assert_eq!(headlines.len(), 1, "{}", run.log);
    assert!(
        headlines[0].contains("catalog in prod-web"),
        "{headlines:?}"
    );
    assert_eq!(texts(&others).await.len(), 0, "{}", run.log);
    assert!(!run.log.contains("messages lack"), "{}", run.log);
}

/// Tags change rarely, so a process asks for those of a service once an hour.
#[tokio::test]
async fn the_tags_of_a_service_are_asked_for_once() {
    let aws = account(&[("checkout", "payments")]).await;
    let chat = chat(ok()).await;
    let channels = [slack("payments", &chat, only_team("payments"))];
    let payloads = (1..=3).map(|number| failure("checkout", number)).collect();
    let run = run(&aws, payloads, &channels, &[]).await;
    assert_eq!(
        aws.bodies("DescribeServices"),
        [
            json!({"cluster": arn("cluster/prod-web"), "services": ["checkout"], "include": ["TAGS"]})
        ],
        "{}",
        run.log
    );
}

#[tokio::test]
async fn nothing_is_asked_if_nothing_names_a_tag() {
    let aws = account(&[("checkout", "payments")]).await;
    let chat = chat(ok()).await;
    let channels = [slack(
        "web",
        &chat,
        json!({"only": {"cluster": ["prod-web"]}, "mention": {"service=checkout": "<@U1>"}}),
    )];
    let run = run(&aws, vec![failure("checkout", 1)], &channels, &[]).await;
    assert_eq!(texts(&chat).await.len(), 1, "{}", run.log);
    assert_eq!(counted(&aws), [], "{}", run.log);
}

/// A task outside services has tags of its own.
#[tokio::test]
async fn a_task_outside_services_has_its_own_tags() {
    let aws = account(&[]).await;
    for (number, team) in [(1_usize, "payments"), (2, "search")] {
        let id = format!("{number:032x}");
        aws.described(
            &id,
            json!({
                "taskArn": arn(&format!("task/prod-web/{id}")),
                "tags": [{"key": "team", "value": team}],
            }),
        );
    }
    let chat = chat(ok()).await;
    let channels = [slack("payments", &chat, only_team("payments"))];
    for (number, messages) in [(2, 0), (1, 1)] {
        let payloads = vec![failure_outside_services(number)];
        let run = run(&aws, payloads, &channels, &[]).await;
        assert_eq!(texts(&chat).await.len(), messages, "{number}: {}", run.log);
    }
    let bodies = aws.bodies("DescribeTasks");
    assert!(
        bodies.iter().all(|it| it["include"] == json!(["TAGS"])),
        "{bodies:?}"
    );
}

/// If AWS denies the call or is slow, nobody knows whose service it is. A message too many is better than a lost one.
#[tokio::test]
async fn a_channel_gets_what_may_be_its_own() {
    let refuse = |aws: &FakeAws| aws.refuse("DescribeServices", 9, &denied());
    let delay = |aws: &FakeAws| aws.answer_late("DescribeServices", Duration::from_secs(30));
    let fails: [(&str, Change<'_>); 2] = [("denied", &refuse), ("slow", &delay)];
    for (name, fail) in fails {
        let aws = account(&[("checkout", "payments")]).await;
        fail(&aws);
        let (search, rest) = (chat(ok()).await, chat(ok()).await);
        let channels = [
            slack("search", &search, only_team("search")),
            slack(
                "rest",
                &rest,
                json!({"except": {"tags.team": ["payments"]}}),
            ),
            slack(
                "staging",
                &rest,
                json!({"only": {"tags.team": ["search"], "cluster": ["staging"]}}),
            ),
        ];
        let run = run(&aws, vec![failure("checkout", 1)], &channels, &[]).await;
        assert_eq!(texts(&search).await.len(), 1, "{name}: {}", run.log);
        assert_eq!(texts(&rest).await.len(), 1, "{name}: {}", run.log);
        assert!(run.log.contains("messages lack"), "{name}: {}", run.log);
        assert!(run.log.contains("staging filtered"), "{name}: {}", run.log);
    }
}

fn denied() -> Refusal {
    Refusal::new(
        "AccessDeniedException",
        "User is not authorized to perform it",
    )
}

#[tokio::test]
async fn with_enrich_false_tags_refuse_nothing_and_a_warning_says_so() {
    let aws = account(&[("checkout", "payments")]).await;
    let chat = chat(ok()).await;
    let channels = [slack("search", &chat, only_team("search"))];
    let run = run(
        &aws,
        vec![failure("checkout", 1)],
        &channels,
        &[("ENRICH", "false")],
    )
    .await;
    assert_eq!(texts(&chat).await.len(), 1, "{}", run.log);
    assert_eq!(counted(&aws), [], "{}", run.log);
    let warning = "the channel `search` gets messages whatever their tags are";
    assert!(run.log.contains(warning), "{}", run.log);
}

#[tokio::test]
async fn a_mention_may_depend_on_tags_and_names() {
    let by_owner = json!({"mention": {
        "cluster=prod-web": "<@U2>",
        "service=checkout": "<!subteam^S1>",
        "tags.cost center=4 2": "<@U2>",
        "tags.team=payments": "<@U1> <@U3>",
        "tags.team=search": "<@U4>",
        "default": "<!here>",
    }});
    let by_team = json!({"mention": {"tags.team=search": "<@U4>", "default": "<!here>"}});
    let without_default = json!({"mention": {"tags.team=search": "<@U4>"}});
    for (settings, is_known, expected) in [
        (&by_owner, true, "<@U2> <!subteam^S1> <@U1> <@U3> "),
        (&by_owner, false, "<@U2> <!subteam^S1> "),
        (&by_team, true, "<!here> "),
        (&by_team, false, "<!here> "),
        (&without_default, true, ""),
        (&without_default, false, ""),
    ] {
        let aws = account(&[("checkout", "payments")]).await;
        if !is_known {
            aws.refuse("DescribeServices", 9, &denied());
        }
        let chat = chat(ok()).await;
        let channels = [slack("ops", &chat, settings.clone())];
        let run = run(&aws, vec![failure("checkout", 1)], &channels, &[]).await;
        let headlines = texts(&chat).await;
        let [headline] = &headlines[..] else {
            panic!("{headlines:?}: {}", run.log)
        };
        let start = format!("{expected}🔴 checkout in prod-web");
        assert!(
            headline.starts_with(&start),
            "{settings} {is_known}: {headline}"
        );
    }
}

/// A storm mentions the owners of all services that fail, each once.
#[tokio::test]
async fn a_storm_mentions_all_owners() {
    let services = ["one", "two", "three", "four", "five"];
    let owned = services.map(|it| match it {
        "one" | "two" => (it, "payments"),
        "three" => (it, "search"),
        _ => (it, "platform"),
    });
    let aws = account(&owned).await;
    let chat = chat(ok()).await;
    let channels = [slack(
        "ops",
        &chat,
        json!({"mention": {
            "tags.team=payments": "<@U1>",
            "tags.team=search": "<@U2>",
            "tags.team=nobody": "<@U9>",
            "default": "<!here>",
        }}),
    )];
    let failures = services.iter().enumerate();
    let records = failures.map(|(number, service)| {
        let body = failure(service, number).to_string();
        json!({"messageId": service, "eventSource": "aws:sqs", "body": body})
    });
    let batch = json!({"Records": records.collect::<Vec<_>>()});
    let run = run(&aws, vec![batch], &channels, &[]).await;
    let headlines = texts(&chat).await;
    let storm = headlines.iter().find(|it| it.contains("5 services"));
    let storm = storm.unwrap_or_else(|| panic!("{headlines:?}: {}", run.log));
    assert!(storm.starts_with("<@U1> <@U2> 🔴"), "{storm}");
    assert_eq!(aws.bodies("DescribeServices").len(), 1, "{}", run.log);
}

#[tokio::test]
async fn templates_show_tags() {
    const TEMPLATE: &str = "{{ service }} of {{ tags.team or \"nobody\" }}\n\
        cost: {{ tags[\"cost center\"] }}\nowner: {{ tags.owner }}|{% if tags.owner %}yes{% endif %}\n";
    const LOOP: &str =
        "{{ service }}\n{% for key, value in tags %}{{ key }}={{ value }};{% endfor %}\n";
    for (template, is_known, expected) in [
        (TEMPLATE, true, "checkout of payments\ncost: 4 2\nowner: |"),
        (TEMPLATE, false, "checkout of nobody\ncost:\nowner: |"),
        (LOOP, true, "checkout\ncost center=4 2;team=payments;"),
    ] {
        let aws = account(&[("checkout", "payments")]).await;
        if !is_known {
            aws.refuse("DescribeServices", 9, &denied());
        }
        let folder = tools::scratch();
        std::fs::write(folder.path().join("task_stopped.tera"), template).unwrap();
        let dir = folder.path().to_str().unwrap();
        // A task outside services is posted as it is, and an incident shows the event's details.
        let run = notify(
            &aws,
            vec![failure("checkout", 1)],
            &[("TEMPLATES_DIR", dir)],
        )
        .await;
        let message = &run.messages[0];
        let shown = expected.split_once('\n').unwrap().1;
        assert!(
            message.contains(shown),
            "{expected}: {message}: {}",
            run.log
        );
        assert_eq!(aws.bodies("DescribeServices").len(), 1, "{}", run.log);
        assert!(!run.log.contains("a template failed"), "{}", run.log);
    }
}

/// Tags are stored with threads, so they are few.
#[tokio::test]
async fn too_many_tags_stop_the_start() {
    let folder = tools::scratch();
    let names = (0..10).map(|it| format!("{{{{ tags.t{it:02} }}}}"));
    let template: String = names.collect();
    std::fs::write(folder.path().join("task_stopped.tera"), template).unwrap();
    let dir = folder.path().to_str().unwrap();
    let chat = chat(ok()).await;
    let channels = [slack("ops", &chat, only_team("payments"))];
    let list = Value::from(&channels[..]).to_string();
    let environment = [
        ("CHANNELS".to_owned(), list),
        ("TEMPLATES_DIR".to_owned(), dir.to_owned()),
    ];
    let config = NotifierConfig::read(&environment).unwrap();
    let open = |http, _| async move { Session::of_function(&http) }.boxed();
    let Err(error) = config.notifier(RunMode::Function, open) else {
        panic!("it starts");
    };
    let expected = "templates: they and the channels name 11 tags; at most 10 are looked up: \
        `t00`, `t01`, `t02`, `t03`, `t04`, `t05`, `t06`, `t07`, `t08`, `t09`, `team`";
    assert_eq!(error.to_string(), expected);
}

const ALIAS: &[(&str, &str)] = &[("ACCOUNT_NAMES", "ALIAS")];

#[tokio::test]
async fn the_alias_of_the_own_account_is_asked_for_once() {
    let aws = account(&[]).await;
    aws.alias("example-prod");
    let mut other = failure("catalog", 3);
    other["account"] = json!("123456789012");
    other["detail"]["clusterArn"] = json!("arn:aws:ecs:eu-west-1:123456789012:cluster/prod-web");
    let payloads = vec![failure("checkout", 1), failure("basket", 2), other];
    let run = notify(&aws, payloads, ALIAS).await;
    assert_eq!(run.messages.len(), 3, "{}", run.log);
    for message in &run.messages[..2] {
        let shown = "account example-prod (210987654321)";
        assert!(message.contains(shown), "{message}");
    }
    let message = &run.messages[2];
    assert!(message.contains("account 123456789012"), "{message}");
    assert_eq!(
        aws.bodies("ListAccountAliases"),
        [json!({"Action": "ListAccountAliases", "Version": "2010-05-08"})],
        "{}",
        run.log
    );
}

#[tokio::test]
async fn a_configured_name_comes_before_the_alias() {
    let aws = account(&[]).await;
    aws.alias("example-prod");
    for (names, shown, calls) in [
        ("210987654321=prod,ALIAS", "account prod (210987654321)", 0),
        (
            "123456789012=prod,ALIAS",
            "account example-prod (210987654321)",
            1,
        ),
        ("", "account 210987654321", 1),
    ] {
        let payloads = vec![failure("checkout", 1)];
        let run = notify(&aws, payloads, &[("ACCOUNT_NAMES", names)]).await;
        assert!(
            run.messages[0].contains(shown),
            "{names}: {:?}",
            run.messages
        );
        assert_eq!(aws.bodies("ListAccountAliases").len(), calls, "{names}");
    }
}

/// The call that failed costs the name, and is not repeated for each message. A channel for the account gets the message:
/// nobody knows the account's name.
#[tokio::test]
async fn without_the_alias_the_number_is_shown() {
    let refuse = |aws: &FakeAws| {
        let message = "User is not authorized to perform: iam:ListAccountAliases";
        aws.refuse(
            "ListAccountAliases",
            9,
            &Refusal::new("AccessDenied", message),
        );
    };
    let delay = |aws: &FakeAws| aws.answer_late("ListAccountAliases", Duration::from_secs(30));
    let none = |_: &FakeAws| {};
    let fails: [(&str, Change<'_>, usize, &str); 3] = [
        ("denied", &refuse, 1, "is not authorized"),
        ("slow", &delay, 1, "ListAccountAliases: no answer in time"),
        // An account without an alias has no name, and that is known.
        ("no alias", &none, 0, ""),
    ];
    for (name, fail, taken, why) in fails {
        let aws = account(&[]).await;
        fail(&aws);
        let chat = chat(ok()).await;
        let channels = [slack(
            "prod",
            &chat,
            json!({"only": {"account_name": ["prod"]}}),
        )];
        let payloads = vec![failure("checkout", 1), failure("checkout", 2)];
        let run = run(&aws, payloads, &channels, ALIAS).await;
        let messages = messages(&chat).await;
        assert_eq!(messages.len(), taken, "{name}: {}", run.log);
        assert!(
            run.messages[0].contains("account 210987654321"),
            "{name}: {:?}",
            run.messages
        );
        assert_eq!(
            aws.bodies("ListAccountAliases").len(),
            1,
            "{name}: {}",
            run.log
        );
        assert!(run.log.contains(why), "{name}: {}", run.log);
    }
}
