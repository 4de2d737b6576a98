//! The order of the messages, and which of them become a summary.

use super::*;
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::{ApiError, CallFacts, Kind, Links, Origin, Subject};

fn stopped(service: &str) -> Notice {
    Notice {
        kind: Kind::TaskStopped,
        origin: Origin::default(),
        subject: Subject {
            service: Some(service.to_owned()),
            ..Subject::default()
        },
        facts: Facts::Task(Box::default()),
        actor: None,
        links: Links::default(),
    }
}

fn priority(urgent: bool) -> Priority {
    let (cause, severity) = match urgent {
        true => (Cause::OutOfMemory, Severity::Critical),
        false => (Cause::Finished, Severity::Success),
    };
    Priority {
        cause: Some(cause),
        severity,
        urgent,
    }
}

/// The messages for these services. Services in capital letters are urgent. A summary is in brackets.
fn planned(services: &[&str], budget: Option<usize>) -> Vec<String> {
    let notices: Vec<_> = services.iter().map(|it| stopped(it)).collect();
    let items = notices.iter().enumerate().map(|(index, notice)| GroupItem {
        index,
        notice,
        priority: priority(services[index].chars().all(char::is_uppercase)),
    });
    let mut plan = MessagePlan::of(&items.collect::<Vec<_>>());
    let budgets = (0..).map(|sent: usize| budget.map(|it| it.saturating_sub(sent)));
    let groups: Vec<_> = budgets.map_while(|budget| plan.next(budget)).collect();
    let mut indexes: Vec<_> = groups.iter().flat_map(|it| it.indexes.clone()).collect();
    indexes.sort_unstable();
    assert_eq!(
        indexes,
        (0..services.len()).collect::<Vec<_>>(),
        "every notice is in exactly one message"
    );
    let worded = groups.iter().map(|group| {
        let names: Vec<_> = group.indexes.iter().map(|index| services[*index]).collect();
        match group.group.form {
            Form::Same => names.join(""),
            Form::Summary => format!("[{}]", names.join("")),
        }
    });
    worded.collect()
}

#[test]
fn equal_notices_are_grouped_and_urgent_ones_come_first() {
    assert_eq!(planned(&["a", "B", "a", "c", "B"], None), ["BB", "aa", "c"]);
    assert_eq!(planned(&[], Some(3)), [""; 0]);
}

#[test]
fn beyond_the_budget_the_not_urgent_become_a_summary() {
    let batch = ["a", "b", "C", "d", "a", "E"];
    assert_eq!(planned(&batch, Some(5)), ["C", "E", "aa", "b", "d"]);
    assert_eq!(planned(&batch, Some(4)), ["C", "E", "aa", "[bd]"]);
    assert_eq!(planned(&batch, Some(3)), ["C", "E", "[aabd]"]);
    assert_eq!(planned(&batch, Some(2)), ["[CE]", "[aabd]"]);
}

/// There are more than twice as many messages as there is time for, so none of them is sent alone.
#[test]
fn far_too_many_messages_all_become_a_summary() {
    let batch = ["a", "B", "c", "d", "e", "f", "g"];
    assert_eq!(planned(&batch, Some(4)), ["B", "a", "c", "[defg]"]);
    assert_eq!(planned(&batch, Some(3)), ["B", "[acdefg]"]);
}

/// Urgent messages never share a summary with messages that are not urgent, even with no time left.
#[test]
fn urgent_messages_have_their_own_summary() {
    let batch = ["A", "b", "C", "D"];
    // One message is reserved for those that are not urgent.
    assert_eq!(planned(&batch, Some(3)), ["A", "[CD]", "b"]);
    assert_eq!(planned(&batch, Some(2)), ["[ACD]", "b"]);
    assert_eq!(planned(&["A", "B", "C"], Some(3)), ["A", "B", "C"]);
    assert_eq!(planned(&batch, Some(1)), ["[ACD]", "b"]);
    assert_eq!(planned(&batch, Some(0)), ["[ACD]", "b"]);
}

/// A StopTask in a cluster. The name of the actor is in the field of the service. With an error, AWS refused it.
fn call(cluster: &str, actor: &str, error: Option<ApiError>) -> Notice {
    Notice {
        kind: Kind::StopTask,
        facts: Facts::Call(CallFacts {
            name: "StopTask".to_owned(),
            error,
            ..CallFacts::default()
        }),
        subject: Subject {
            cluster: Some(cluster.to_owned()),
            service: Some(actor.to_owned()),
            ..Subject::default()
        },
        ..stopped("")
    }
}

/// The severity and the services of each message.
fn ordered(notices: &[Notice], budget: Option<usize>) -> Vec<String> {
    let items: Vec<_> = notices
        .iter()
        .enumerate()
        .map(|(index, notice)| GroupItem {
            index,
            notice,
            priority: Priority {
                severity: match notice.kind {
                    Kind::StopTask => Severity::Warning,
                    _ => Severity::Critical,
                },
                ..priority(true)
            },
        })
        .collect();
    let mut plan = MessagePlan::of(&items);
    let budgets = (0..).map(|sent: usize| budget.map(|it| it.saturating_sub(sent)));
    let groups = budgets.map_while(|budget| plan.next(budget));
    let worded = groups.map(|group| {
        let names = group.group.notices.iter();
        let names: Vec<_> = names
            .map(|it| it.subject.service.as_deref().unwrap())
            .collect();
        format!("{} {}", group.group.priority.severity, names.join("+"))
    });
    worded.collect()
}

/// A call stays before the critical message that it may have caused. All other warnings come after the critical
/// messages. Without budget for all, the critical messages come first, and never share a summary with the others.
#[test]
fn critical_messages_come_first() {
    let mut oom = stopped("oom");
    oom.subject.cluster = Some("prod".to_owned());
    let refused = ApiError {
        code: "AccessDenied".to_owned(),
        message: None,
    };
    let batch = [
        call("prod", "denied", Some(refused)),
        call("test", "elsewhere", None),
        call("prod", "maya", None),
        oom,
        call("prod", "late", None),
    ];
    let all = [
        "warning maya",
        "critical oom",
        "warning denied",
        "warning elsewhere",
        "warning late",
    ];
    assert_eq!(ordered(&batch, None), all);
    assert_eq!(ordered(&batch, Some(5)), all);
    assert_eq!(
        ordered(&batch, Some(3)),
        [
            "critical oom",
            "warning maya",
            "warning denied+elsewhere+late"
        ]
    );
    assert_eq!(
        ordered(&batch, Some(1)),
        ["critical oom", "warning maya+denied+elsewhere+late"]
    );
}

#[test]
fn a_summary_that_is_not_urgent_is_never_a_warning() {
    let notices = [stopped("a"), stopped("b")];
    let summary = |severities: [Severity; 2], urgent| {
        let items = notices.iter().zip(severities).enumerate();
        let items = items.map(|(index, (notice, severity))| GroupItem {
            index,
            notice,
            priority: Priority {
                severity,
                ..priority(urgent)
            },
        });
        let mut plan = MessagePlan::of(&items.collect::<Vec<_>>());
        let group = plan.next(Some(0)).unwrap();
        assert_eq!(group.group.form, Form::Summary);
        group.group.priority.severity
    };
    use Severity::{Info, Success, Warning};
    assert_eq!(summary([Warning, Info], false), Info);
    assert_eq!(summary([Success, Info], false), Info);
    assert_eq!(summary([Success, Success], false), Success);
    assert_eq!(summary([Warning, Warning], true), Warning);
}
