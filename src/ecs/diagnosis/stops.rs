//! Explains a stop: the cause in words, what to do about it, and AWS's page about it.
//!
//! There is one table, which is searched from the top: the first entry of a cause whose condition holds explains the
//! stop. The last entry of each cause always holds. The texts in the conditions are those of
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>, of the ECS agent, and
//! of the programs that ECS quotes in them: Docker, containerd, the registries, AWS's SDK for Go.

mod failed_to_start;
mod image_pull;
mod marks;
mod others;
mod page;

use super::launches;
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::{Host, TaskFacts};
use page::GuidePage;

/// Why a task stopped, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Completes the sentence "the task …".
    pub words: String,
    /// What to do, in one line.
    pub advice: Option<&'static str>,
    /// AWS's page about it.
    pub page: Option<&'static str>,
}

/// One entry of the table.
#[derive(Debug)]
pub struct StopEntry {
    pub cause: Cause,
    condition: Condition,
    pub words: &'static str,
    /// Empty if there is nothing to do.
    pub advice: &'static str,
    page: GuidePage,
}

/// When an entry explains a stop.
#[derive(Debug)]
enum Condition {
    /// The reasons of ECS contain one text of each group, in any letter case.
    ReasonHas(&'static [&'static [&'static str]]),
    /// A reason or a container's log says that the image is for another CPU.
    WrongFormat,
    Exit(i64),
    /// A container ran and ended, but the task as a whole never ran.
    ContainerEnded,
    HostIs(Host),
    /// The task ran on Fargate.
    OnFargate,
    Always,
}

/// The entry that explains a stop. Every cause has one.
pub(super) fn entry(cause: Cause, facts: &StopFacts<'_>) -> &'static StopEntry {
    let entries = || table().filter(|entry| entry.cause == cause);
    let found = entries().find(|entry| entry.condition.holds(facts));
    found.or_else(|| entries().last()).unwrap_or(&UNEXPLAINED)
}

/// The whole table. A test checks that some sample shows every entry.
pub fn table() -> impl Iterator<Item = &'static StopEntry> {
    let tables = [
        image_pull::ENTRIES,
        failed_to_start::ENTRIES,
        others::ENTRIES,
    ];
    tables.into_iter().flatten()
}

/// Whether only a task that never ran can have this reason.
pub(super) fn names_a_failed_start(reason: &str) -> bool {
    let facts = StopFacts::of_reason(reason);
    let in_table = failed_to_start::ENTRIES.iter().any(|entry| {
        matches!(entry.condition, Condition::ReasonHas(_)) && entry.condition.holds(&facts)
    });
    in_table || launches::is_known(reason)
}

impl StopEntry {
    pub(super) fn explain(&self, task: &TaskFacts, facts: &StopFacts<'_>) -> Explanation {
        if let Some(explanation) = self.of_placement(facts) {
            return explanation;
        }
        Explanation {
            words: self.with_details(task, facts),
            advice: Some(self.advice).filter(|advice| !advice.is_empty()),
            page: Some(self.page.address()).filter(|_| !self.advice.is_empty()),
        }
    }

    /// A task that ECS could not place stops with one of the reasons of RunTask's failures.
    fn of_placement(&self, facts: &StopFacts<'_>) -> Option<Explanation> {
        let is_general =
            self.cause == Cause::FailedToStart && matches!(self.condition, Condition::Always);
        let reason = facts.reasons.iter().find(|it| launches::is_known(it))?;
        is_general.then(|| Explanation {
            words: match launches::words(reason) {
                Some(words) => format!("failed to start: {words}"),
                None => "failed to start: ECS could not place it".to_owned(),
            },
            advice: launches::advice(reason),
            page: Some(launches::PAGE),
        })
    }

    /// The words, with the memory limit, the exit code, or the target group that found the task unhealthy, if they are
    /// known.
    fn with_details(&self, task: &TaskFacts, facts: &StopFacts<'_>) -> String {
        let words = self.words;
        let exit = facts.exits.first();
        match (self.cause, &self.condition, exit) {
            (Cause::OutOfMemory, _, _) => match memory_limit(task) {
                Some(limit) => format!("{words} (limit {limit} MiB)"),
                None => words.to_owned(),
            },
            (Cause::HealthCheck, _, _) => match facts.target_group() {
                Some(group) => format!("{words} {group}"),
                None => words.to_owned(),
            },
            (Cause::ApplicationExit, Condition::Always, Some(code)) => {
                format!("exited with {code}")
            }
            (Cause::ApplicationExit, Condition::Exit(code), _) => format!("{words} (exit {code})"),
            (_, _, _) => words.to_owned(),
        }
    }
}

/// The limit of the container that was killed, or else of the task.
fn memory_limit(task: &TaskFacts) -> Option<i64> {
    let mut containers = task.containers.iter();
    let killed = containers.find(|it| {
        let reason = it.reason.as_deref().unwrap_or_default();
        super::says_out_of_memory(reason)
    });
    let own = killed.and_then(|it| it.memory_limit);
    own.filter(|limit| *limit > 0).or(task.memory_limit)
}

/// Linux's error for a program that was built for another CPU.
pub(super) const WRONG_FORMAT: &str = "exec format error";

/// The facts of a stop that the conditions need.
#[derive(Default)]
pub(super) struct StopFacts<'a> {
    /// The reasons of ECS, unchanged.
    pub(super) reasons: Vec<&'a str>,
    /// The same in the spelling of the texts in the table.
    pub(super) texts: Vec<String>,
    /// Whether the log of a failed container says so. No other output of applications is used.
    pub(super) has_wrong_format: bool,
    /// The exit codes of the containers that failed.
    pub(super) exits: Vec<i64>,
    /// Whether a container that may end the task has an exit code, also 0.
    pub(super) has_ended: bool,
    pub(super) host: Option<Host>,
    pub(super) is_on_fargate: bool,
}

impl<'a> StopFacts<'a> {
    pub(super) fn of_reasons(reasons: Vec<&'a str>) -> Self {
        Self {
            texts: reasons.iter().map(|reason| normalized(reason)).collect(),
            reasons,
            ..Self::default()
        }
    }

    fn of_reason(reason: &'a str) -> Self {
        Self::of_reasons(vec![reason])
    }

    fn has(&self, mark: &str) -> bool {
        self.texts.iter().any(|text| text.contains(mark))
    }

    /// The name in "(target-group arn:…:targetgroup/NAME/ID)".
    fn target_group(&self) -> Option<&str> {
        self.reasons.iter().find_map(|reason| {
            let (_, rest) = reason.split_once("targetgroup/")?;
            rest.split(['/', ')'])
                .next()
                .filter(|name| !name.is_empty())
        })
    }
}

/// In lower case and without contractions: AWS writes "can’t", "can't" and "cannot" in sentences of one kind.
fn normalized(reason: &str) -> String {
    let text = reason.to_lowercase().replace('’', "'");
    text.replace("can't", "cannot")
        .replace("doesn't", "does not")
}

impl Condition {
    fn holds(&self, facts: &StopFacts<'_>) -> bool {
        match self {
            Self::ReasonHas(groups) => groups
                .iter()
                .all(|marks| marks.iter().any(|mark| facts.has(mark))),
            Self::WrongFormat => facts.has_wrong_format || facts.has(WRONG_FORMAT),
            Self::Exit(code) => facts.exits.contains(code),
            Self::ContainerEnded => facts.has_ended,
            Self::HostIs(host) => facts.host == Some(*host),
            Self::OnFargate => facts.is_on_fargate,
            Self::Always => true,
        }
    }
}

const fn entry_of(
    cause: Cause,
    condition: Condition,
    words: &'static str,
    advice: &'static str,
    page: GuidePage,
) -> StopEntry {
    StopEntry {
        cause,
        condition,
        words,
        advice,
        page,
    }
}

/// Used for a cause without an entry. A test checks that every cause has one.
const UNEXPLAINED: StopEntry = entry_of(
    Cause::UnknownCause,
    Condition::Always,
    "stopped",
    "",
    GuidePage::Stopped,
);

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn the_last_entry_of_every_cause_always_holds() {
        for cause in Cause::VARIANTS {
            let last = table().filter(|entry| entry.cause == *cause).last();
            assert!(
                last.is_some_and(|entry| matches!(entry.condition, Condition::Always)),
                "{cause}"
            );
        }
    }

    #[test]
    fn marks_are_normalized_and_no_entry_hides_another() {
        for (number, entry) in table().enumerate() {
            if let Condition::ReasonHas(groups) = &entry.condition {
                for mark in groups.iter().copied().flatten() {
                    assert_eq!(*mark, normalized(mark), "{}", entry.words);
                }
            }
            let hides = |before: &&StopEntry| {
                before.cause == entry.cause && matches!(before.condition, Condition::Always)
            };
            assert!(
                table().take(number).find(hides).is_none(),
                "{}",
                entry.words
            );
        }
    }
}
