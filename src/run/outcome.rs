//! How the tasks of a request ended.

use crate::aws::Task;
use crate::notice::{Container, Failure};
use crate::triage::{Cause, diagnosis};

/// Every task that was started, in the order in which it was, and what was not started.
#[derive(Debug, Clone, Default)]
pub struct RunOutcome {
    pub tasks: Vec<Task>,
    pub failures: Vec<Failure>,
    /// The container whose exit code is the task's.
    pub container: String,
}

/// How one task ended.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    pub task: &'a Task,
    container: &'a str,
}

/// A process that ran and failed in a way of its own would have said so: this is ours.
pub const FAILED: u8 = 1;

impl RunOutcome {
    pub fn ends(&self) -> impl Iterator<Item = End<'_>> {
        self.tasks.iter().map(|task| End {
            task,
            container: &self.container,
        })
    }

    /// The exit status for whoever asked: of the first task that failed; of the request, where every task
    /// that was started succeeded but not all were.
    pub fn status(&self) -> u8 {
        let of_tasks = self.ends().map(End::status).find(|status| *status != 0);
        let of_request = if self.failures.is_empty() && !self.tasks.is_empty() {
            0
        } else {
            FAILED
        };
        of_tasks.unwrap_or(of_request)
    }
}

impl<'a> End<'a> {
    /// The chosen container's; absent where it never ran, and sometimes where it did.
    pub fn exit_code(self) -> Option<i64> {
        self.container().and_then(|it| it.exit_code)
    }

    pub fn cause(self) -> Cause {
        diagnosis::cause(&self.task.facts, &self.task.subject)
    }

    /// A container that was told to stop before it was done may exit with 0 as well.
    pub fn ended_by_itself(self) -> bool {
        match self.task.facts.stop_code.as_deref() {
            None | Some("EssentialContainerExited") => true,
            Some(_) => false,
        }
    }

    pub fn succeeded(self) -> bool {
        self.exit_code() == Some(0) && self.ended_by_itself()
    }

    /// The container's own exit code as a process's status. Windows has codes that a status cannot hold.
    pub fn status(self) -> u8 {
        match self.exit_code() {
            Some(0) if self.succeeded() => 0,
            Some(code) => u8::try_from(code)
                .ok()
                .filter(|code| *code != 0)
                .unwrap_or(FAILED),
            None => FAILED,
        }
    }

    /// In a sentence: "`app` exited with 1", "could not pull its image: CannotPullContainerError: …".
    pub fn in_words(self) -> String {
        let signal = |code| match diagnosis::signal(code) {
            Some(signal) => format!(" ({signal})"),
            None => String::new(),
        };
        let exit = self
            .exit_code()
            .map(|code| format!("`{}` exited with {code}{}", self.container, signal(code)));
        if self.succeeded() {
            return exit.unwrap_or_default();
        }
        let cause = self.cause();
        let words = diagnosis::in_words(cause);
        match (exit, cause) {
            (Some(exit), Cause::ApplicationExit | Cause::Finished) if self.ended_by_itself() => {
                exit
            }
            (Some(exit), _) => format!("{exit}; the task {words}{}", self.reason()),
            (None, _) => format!("the task {words}{}", self.reason()),
        }
    }

    pub fn advice(self) -> Option<&'static str> {
        (!self.succeeded())
            .then(|| diagnosis::explain(self.cause(), &self.task.facts).advice)
            .flatten()
    }

    fn container(self) -> Option<&'a Container> {
        self.task.container(self.container)
    }

    /// What ECS says of it, after a colon.
    fn reason(self) -> String {
        let facts = &self.task.facts;
        let of_container = || {
            let chosen = self.container().and_then(|it| it.reason.as_deref());
            let any = || facts.containers.iter().find_map(|it| it.reason.as_deref());
            chosen.or_else(any)
        };
        let of_task = facts.stopped_reason.as_deref();
        let reason = if diagnosis::blames_container(Some(self.cause()), facts) {
            of_container().or(of_task)
        } else {
            of_task.or_else(of_container)
        };
        reason.map(|it| format!(": {it}")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::{Subject, TaskFacts};

    /// Stop code and reason, exit code and reason of `app`, exit code of `sidecar`.
    type Case = (
        Option<&'static str>,
        &'static str,
        Option<i64>,
        Option<&'static str>,
        Option<i64>,
    );

    fn outcome((stop_code, reason, exit_code, why, sidecar): Case) -> RunOutcome {
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
                .map(|_| crate::event::Time::read("2026-11-05T12:00:00Z".to_owned())),
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
    fn the_containers_own_exit_code_is_the_status() {
        const EXITED: &str = "Essential container in task exited";
        let essential = Some("EssentialContainerExited");
        let cases: [(Case, u8, &str); 11] = [
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
            // Whoever is told to stop may exit with 0, done or not.
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
                "the task exited with an error",
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
            let told = outcome.ends().next().unwrap().in_words();
            assert!(told.starts_with(words), "{told}");
        }
    }

    #[test]
    fn not_all_that_was_asked_for_is_a_failure() {
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
    fn the_first_task_that_failed_counts() {
        let mut all = outcome((None, "", Some(0), None, None));
        all.tasks
            .extend(outcome((None, "", Some(4), None, None)).tasks);
        all.tasks
            .extend(outcome((None, "", Some(5), None, None)).tasks);
        assert_eq!(all.status(), 4);
    }
}
