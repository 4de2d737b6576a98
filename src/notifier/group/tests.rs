//! What is told first, by itself and in a summary.

use super::*;
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

/// Services in capital letters are loud.
fn told(services: &[&str], budget: Option<usize>) -> Vec<String> {
    let notices: Vec<_> = services.iter().map(|it| stopped(it)).collect();
    let items = notices.iter().enumerate().map(|(index, notice)| Item {
        index,
        notice,
        priority: priority(services[index].chars().all(char::is_uppercase)),
    });
    let mut plan = Plan::of(&items.collect::<Vec<_>>());
    let rooms = (0..).map(|told: usize| budget.map(|it| it.saturating_sub(told)));
    let groups: Vec<_> = rooms.map_while(|budget| plan.next(budget)).collect();
    let mut indexes: Vec<_> = groups.iter().flat_map(|it| it.indexes.clone()).collect();
    indexes.sort_unstable();
    assert_eq!(
        indexes,
        (0..services.len()).collect::<Vec<_>>(),
        "all are told, once"
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
fn alike_are_one_and_the_loud_go_first() {
    assert_eq!(told(&["a", "B", "a", "c", "B"], None), ["BB", "aa", "c"]);
    assert_eq!(told(&[], Some(3)), [""; 0]);
}

#[test]
fn beyond_the_budget_the_calm_are_counted() {
    let batch = ["a", "b", "C", "d", "a", "E"];
    assert_eq!(told(&batch, Some(5)), ["C", "E", "aa", "b", "d"]);
    assert_eq!(told(&batch, Some(4)), ["C", "E", "aa", "[bd]"]);
    assert_eq!(told(&batch, Some(3)), ["C", "E", "[aabd]"]);
    assert_eq!(told(&batch, Some(2)), ["[CE]", "[aabd]"]);
}

/// More than twice what there is time for: none of them is worth more than another.
#[test]
fn of_a_flood_all_are_counted() {
    let batch = ["a", "B", "c", "d", "e", "f", "g"];
    assert_eq!(told(&batch, Some(4)), ["B", "a", "c", "[defg]"]);
    assert_eq!(told(&batch, Some(3)), ["B", "[acdefg]"]);
}

/// Loud ones are never folded into calm ones, however little time there is.
#[test]
fn beyond_it_the_loud_are_counted_by_themselves() {
    let batch = ["A", "b", "C", "D"];
    // One is for the calm.
    assert_eq!(told(&batch, Some(3)), ["A", "[CD]", "b"]);
    assert_eq!(told(&batch, Some(2)), ["[ACD]", "b"]);
    assert_eq!(told(&["A", "B", "C"], Some(3)), ["A", "B", "C"]);
    assert_eq!(told(&batch, Some(1)), ["[ACD]", "b"]);
    assert_eq!(told(&batch, Some(0)), ["[ACD]", "b"]);
}

/// A StopTask in a cluster, by an actor each; refused, or not.
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

/// The services of each message, with their severity.
fn ordered(notices: &[Notice], budget: Option<usize>) -> Vec<String> {
    let items: Vec<_> = notices
        .iter()
        .enumerate()
        .map(|(index, notice)| Item {
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
    let mut plan = Plan::of(&items);
    let rooms = (0..).map(|told: usize| budget.map(|it| it.saturating_sub(told)));
    let groups = rooms.map_while(|budget| plan.next(budget));
    let worded = groups.map(|group| {
        let names = group.group.notices.iter();
        let names: Vec<_> = names
            .map(|it| it.subject.service.as_deref().unwrap())
            .collect();
        format!("{} {}", group.group.priority.severity, names.join("+"))
    });
    worded.collect()
}

/// What somebody did stays before what came of it; all other warnings come after what is critical. Without budget
/// for all, the critical ones are first in any case, and never in one summary with the others.
#[test]
fn critical_ones_go_first() {
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
fn a_summary_of_calm_ones_is_no_warning() {
    let notices = [stopped("a"), stopped("b")];
    let summary = |severities: [Severity; 2], volume| {
        let items = notices.iter().zip(severities).enumerate();
        let items = items.map(|(index, (notice, severity))| Item {
            index,
            notice,
            priority: Priority {
                severity,
                ..priority(volume)
            },
        });
        let mut plan = Plan::of(&items.collect::<Vec<_>>());
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
