//! How the end of a task is judged, case by case.

use super::*;
use crate::ecs::notice::{Subject, TaskFacts};

/// Stop code and reason, exit code and reason of `app`, exit code of `sidecar`.
type EndCase = (
    Option<&'static str>,
    &'static str,
    Option<i64>,
    Option<&'static str>,
    Option<i64>,
);

fn outcome((stop_code, reason, exit_code, why, sidecar): EndCase) -> RunOutcome {
    let container = |name: &str, exit_code, reason: Option<&str>| Container {
        name: Some(name.to_owned()),
        exit_code,
        reason: reason.map(str::to_owned),
        ..Container::default()
    };
    let facts = TaskFacts {
        last_status: Some("STOPPED".to_owned()),
        stop_code: stop_code.map(str::to_owned),
        stopped_reason: Some(reason.to_owned()).filter(|it| !it.is_empty()),
        started_at: exit_code
            .map(|_| crate::ecs::event::Time::read("2026-11-05T12:00:00Z".to_owned())),
        containers: vec![
            container("sidecar", sidecar, None),
            container("app", exit_code, why),
        ],
        ..TaskFacts::default()
    };
    RunOutcome {
        tasks: vec![Task {
            arn: "arn:aws:ecs:eu-west-1:210987654321:task/prod/1a2b".to_owned(),
            cluster: None,
            definition: None,
            created_at: None,
            subject: Subject::default(),
            facts,
        }],
        failures: Vec::new(),
        container: "app".to_owned(),
    }
}

#[test]
fn the_exit_code_of_the_container_is_the_status() {
    const EXITED: &str = "Essential container in task exited";
    let essential = Some("EssentialContainerExited");
    let cases: [(EndCase, u8, &str); 11] = [
        (
            (essential, EXITED, Some(0), None, Some(143)),
            0,
            "`app` exited with 0",
        ),
        ((None, "", Some(0), None, None), 0, "`app` exited with 0"),
        (
            (essential, EXITED, Some(3), None, Some(0)),
            3,
            "`app` exited with 3",
        ),
        (
            (
                essential,
                EXITED,
                Some(137),
                Some("OutOfMemoryError: Container killed due to memory usage"),
                None,
            ),
            137,
            "`app` exited with 137 (SIGKILL); the task ran out of memory: OutOfMemoryError: Container killed \
             due to memory usage",
        ),
        (
            (
                Some("TaskFailedToStart"),
                "Task failed to start",
                None,
                Some("CannotPullContainerError: pull access denied"),
                None,
            ),
            1,
            "the task could not pull its image: CannotPullContainerError: pull access denied",
        ),
        (
            (
                Some("TaskFailedToStart"),
                "ResourceInitializationError: unable to pull secrets",
                None,
                None,
                None,
            ),
            1,
            "the task failed to start: ResourceInitializationError: unable to pull secrets",
        ),
        // A container that is stopped may exit with 0, whether it was done or not.
        (
            (Some("UserInitiated"), "enough", Some(0), None, None),
            1,
            "`app` exited with 0; the task was stopped by request: enough",
        ),
        (
            (
                Some("SpotInterruption"),
                "Your Spot Task was interrupted.",
                Some(0),
                None,
                None,
            ),
            1,
            "`app` exited with 0; the task lost its Spot capacity: Your Spot Task was interrupted.",
        ),
        (
            (essential, EXITED, None, None, Some(1)),
            1,
            "`app` has no exit code; `sidecar` exited with 1",
        ),
        // Windows.
        (
            (essential, EXITED, Some(-1_073_741_510), None, None),
            1,
            "`app` exited with -1073741510",
        ),
        (
            (essential, EXITED, Some(256), None, None),
            1,
            "`app` exited with 256",
        ),
    ];
    for (case, status, words) in cases {
        let outcome = outcome(case);
        assert_eq!(outcome.status(), status, "{case:?}");
        let text = outcome.ends().next().unwrap().in_words();
        assert!(text.starts_with(words), "{text}");
    }
}

/// Whether `app` and `sidecar` are essential, exit code and reason of the sidecar, the expected status and sentence.
type SidecarCase = (
    Option<(bool, bool)>,
    Option<i64>,
    &'static str,
    u8,
    &'static str,
);

/// `app` always exits with 0.
#[test]
fn a_sidecar_that_may_have_ended_the_task() {
    const MEMORY: &str = "OutOfMemoryError: Container killed due to memory usage";
    let both = Some((true, true));
    let cases: [SidecarCase; 13] = [
        (None, Some(0), "", 0, "`app` exited with 0"),
        (None, Some(143), "", 0, "`app` exited with 0"),
        (both, Some(137), "", 0, "`app` exited with 0"),
        (None, None, "", 0, "`app` exited with 0"),
        (
            both,
            Some(137),
            MEMORY,
            1,
            "`app` exited with 0, but the task may have ended before `app` was done: `sidecar` exited with 137 (SIGKILL): \
             OutOfMemoryError: Container killed due to memory usage",
        ),
        (
            None,
            Some(1),
            "",
            1,
            "`app` exited with 0, but the task may have ended before `app` was done: `sidecar` exited with 1",
        ),
        (
            both,
            Some(139),
            "",
            1,
            "`app` exited with 0, but the task may have ended before `app` was done: `sidecar` exited with 139 \
             (SIGSEGV)",
        ),
        (
            None,
            None,
            "CannotStartContainerError: x",
            1,
            "`app` exited with 0, but the task may have ended before `app` was done: `sidecar` has no exit code: \
             CannotStartContainerError: x",
        ),
        // ECS could not stop it in time, but it was no longer needed.
        (
            None,
            Some(137),
            "DockerTimeoutError: Could not transition to stopped; timed out after waiting 5m0s",
            0,
            "`app` exited with 0",
        ),
        // A container that is not essential cannot end a task.
        (Some((true, false)), Some(1), "", 0, "`app` exited with 0"),
        (
            Some((true, false)),
            Some(137),
            MEMORY,
            0,
            "`app` exited with 0",
        ),
        // This is also true for the chosen container.
        (
            Some((false, true)),
            Some(0),
            "",
            1,
            "`app` exited with 0, but the task may have ended before `app` was done: `sidecar` exited with 0",
        ),
        (Some((false, false)), Some(1), "", 0, "`app` exited with 0"),
    ];
    for (essential, exit_code, reason, status, words) in cases {
        let essential_exit = (
            Some("EssentialContainerExited"),
            "Essential container in task exited",
            Some(0),
            None,
            exit_code,
        );
        let mut outcome = outcome(essential_exit);
        let containers = &mut outcome.tasks[0].facts.containers;
        containers[0].reason = Some(reason.to_owned()).filter(|it| !it.is_empty());
        if let Some((app, sidecar)) = essential {
            containers[0].essential = Some(sidecar);
            containers[1].essential = Some(app);
        }
        let end = outcome.ends().next().unwrap();
        let text = end.in_words();
        assert_eq!(outcome.status(), status, "{text}");
        assert!(text.starts_with(words), "{text}");
        assert_eq!(end.advice().is_some(), status != 0, "{text}");
    }
}

#[test]
fn the_definition_says_which_containers_are_essential() {
    let mut outcome = outcome((None, "", Some(0), None, Some(1)));
    let task = &mut outcome.tasks[0];
    let agent = Container {
        name: Some("aws-guardduty-agent-x".to_owned()),
        ..Container::default()
    };
    task.facts.containers.push(agent);
    let containers = serde_json::json!([{"name": "app"}, {"name": "sidecar", "essential": false}]);
    let mut definition = TaskDefinition::default();
    mark_essential(task, &definition);
    assert_eq!(task.facts.containers[0].essential, None, "nothing is known");
    definition
        .body
        .insert("containerDefinitions".to_owned(), containers);
    mark_essential(task, &definition);
    let essential: Vec<_> = task
        .facts
        .containers
        .iter()
        .map(|it| it.essential)
        .collect();
    assert_eq!(essential, [Some(false), Some(true), Some(false)]);
}

#[test]
fn a_task_that_continues_without_the_chosen_container() {
    let over = |change: &dyn Fn(&mut Task)| {
        let mut outcome = outcome((None, "", Some(0), None, None));
        let task = &mut outcome.tasks[0];
        task.facts.last_status = Some("RUNNING".to_owned());
        for (container, status) in task.facts.containers.iter_mut().zip(["RUNNING", "STOPPED"]) {
            container.last_status = Some(status.to_owned());
        }
        change(task);
        let end = outcome.ends().next().unwrap();
        (end.is_over(), end.status(), end.in_words())
    };
    let ended = (true, 0, "`app` exited with 0".to_owned());
    assert_eq!(over(&|_| {}), ended);
    assert_eq!(
        over(&|it| it.facts.containers[1].essential = Some(false)),
        ended
    );
    // The task is about to stop, and its reason will be known then.
    assert!(!over(&|it| it.facts.containers[1].essential = Some(true)).0);
    assert!(!over(&|it| it.facts.desired_status = Some("STOPPED".to_owned())).0);
    assert!(!over(&|it| it.facts.containers[0].last_status = Some("STOPPED".to_owned())).0);
    assert!(!over(&|it| it.facts.containers[1].last_status = Some("RUNNING".to_owned())).0);
    let failed = over(&|it| it.facts.containers[1].exit_code = Some(3));
    assert_eq!(failed, (true, 3, "`app` exited with 3".to_owned()));
}

#[test]
fn a_task_that_was_not_started_is_a_failure() {
    let mut outcome = outcome((None, "", Some(0), None, None));
    outcome.failures = vec![Failure {
        reason: "RESOURCE:CPU".to_owned(),
        detail: None,
        arn: None,
    }];
    assert_eq!(outcome.status(), FAILED);
    assert_eq!(RunOutcome::default().status(), FAILED, "nothing ran");
}

#[test]
fn the_first_failed_task_decides() {
    let mut all = outcome((None, "", Some(0), None, None));
    all.tasks
        .extend(outcome((None, "", Some(4), None, None)).tasks);
    all.tasks
        .extend(outcome((None, "", Some(5), None, None)).tasks);
    assert_eq!(all.status(), 4);
}
