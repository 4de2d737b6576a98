//! What ECS's strings mean: a cause in words, what to do about it, and AWS's page that explains it.
//!
//! One table, read from the top: the first entry of a cause whose sign is there explains the stop, and the
//! last entry of each cause explains what no other does. The strings are those of
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>, of the ECS
//! agent, and of the programs that ECS quotes in them: Docker, containerd, the registries, AWS's SDK for Go.

mod failed_to_start;
mod image_pull;
mod marks;
mod others;
mod page;

use super::launches;
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::{Host, TaskFacts};
use page::Page;

/// Why a task stopped, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Finishes "the task …".
    pub words: String,
    /// What to do, in one line.
    pub advice: Option<&'static str>,
    /// AWS's page about it.
    pub page: Option<&'static str>,
}

/// One line of the table.
#[derive(Debug)]
pub struct Entry {
    pub cause: Cause,
    sign: Sign,
    pub words: &'static str,
    /// Empty where there is nothing to do.
    pub advice: &'static str,
    page: Page,
}

/// By what an entry is known.
#[derive(Debug)]
enum Sign {
    /// ECS says one of each group, in any case of letters.
    Says(&'static [&'static [&'static str]]),
    /// ECS or the container itself says that the image is for another CPU.
    WrongFormat,
    Exit(i64),
    /// A container ran and ended, though the task never did run.
    ContainerEnded,
    On(Host),
    /// The task ran on Fargate.
    OnFargate,
    Always,
}

/// The entry that explains a stop. Every cause has one.
pub(super) fn entry(cause: Cause, said: &Said<'_>) -> &'static Entry {
    let entries = || table().filter(|entry| entry.cause == cause);
    let found = entries().find(|entry| entry.sign.is_in(said));
    found.or_else(|| entries().last()).unwrap_or(&UNEXPLAINED)
}

/// The table, for whoever checks that every line of it is shown to somebody.
pub fn table() -> impl Iterator<Item = &'static Entry> {
    let tables = [
        image_pull::ENTRIES,
        failed_to_start::ENTRIES,
        others::ENTRIES,
    ];
    tables.into_iter().flatten()
}

/// Whether ECS's reason is one that only a task has that never ran.
pub(super) fn names_a_failed_start(reason: &str) -> bool {
    let said = Said::of_reason(reason);
    let in_table = failed_to_start::ENTRIES
        .iter()
        .any(|entry| matches!(entry.sign, Sign::Says(_)) && entry.sign.is_in(&said));
    in_table || launches::is_known(reason)
}

impl Entry {
    pub(super) fn explain(&self, task: &TaskFacts, said: &Said<'_>) -> Explanation {
        if let Some(explanation) = self.of_placement(said) {
            return explanation;
        }
        Explanation {
            words: self.with_figures(task, said),
            advice: Some(self.advice).filter(|advice| !advice.is_empty()),
            page: Some(self.page.address()).filter(|_| !self.advice.is_empty()),
        }
    }

    /// A task that found no place stops with the reason that RunTask's failures have.
    fn of_placement(&self, said: &Said<'_>) -> Option<Explanation> {
        let is_general = self.cause == Cause::FailedToStart && matches!(self.sign, Sign::Always);
        let reason = said.reasons.iter().find(|it| launches::is_known(it))?;
        is_general.then(|| Explanation {
            words: match launches::words(reason) {
                Some(words) => format!("failed to start: {words}"),
                None => "failed to start: no place was found".to_owned(),
            },
            advice: launches::advice(reason),
            page: Some(launches::PAGE),
        })
    }

    /// With the limit that was hit, the exit code, or the target group that found the task unhealthy, where
    /// they are known.
    fn with_figures(&self, task: &TaskFacts, said: &Said<'_>) -> String {
        let words = self.words;
        let exit = said.exits.first();
        match (self.cause, &self.sign, exit) {
            (Cause::OutOfMemory, _, _) => match memory_limit(task) {
                Some(limit) => format!("{words} (limit {limit} MiB)"),
                None => words.to_owned(),
            },
            (Cause::HealthCheck, _, _) => match said.target_group() {
                Some(group) => format!("{words} {group}"),
                None => words.to_owned(),
            },
            (Cause::ApplicationExit, Sign::Always, Some(code)) => format!("exited with {code}"),
            (Cause::ApplicationExit, Sign::Exit(code), _) => format!("{words} (exit {code})"),
            (_, _, _) => words.to_owned(),
        }
    }
}

/// Of the container that was killed, or else of the task.
fn memory_limit(task: &TaskFacts) -> Option<i64> {
    let mut containers = task.containers.iter();
    let killed = containers.find(|it| {
        let reason = it.reason.as_deref().unwrap_or_default();
        super::says_out_of_memory(reason)
    });
    let own = killed.and_then(|it| it.memory_limit);
    own.filter(|limit| *limit > 0).or(task.memory_limit)
}

/// What Linux says of a program for another CPU.
pub(super) const WRONG_FORMAT: &str = "exec format error";

/// What is known of a stop, as the signs ask for it.
#[derive(Default)]
pub(super) struct Said<'a> {
    /// ECS's reasons, as they are.
    pub(super) reasons: Vec<&'a str>,
    /// The same as the table's marks are written.
    pub(super) texts: Vec<String>,
    /// A container that failed said so itself: all else that applications say explains nothing.
    pub(super) has_wrong_format: bool,
    /// Of the containers that failed.
    pub(super) exits: Vec<i64>,
    /// A container that may end the task has an exit code, 0 included.
    pub(super) has_ended: bool,
    pub(super) host: Option<Host>,
    pub(super) is_on_fargate: bool,
}

impl<'a> Said<'a> {
    pub(super) fn of_reasons(reasons: Vec<&'a str>) -> Self {
        Self {
            texts: reasons.iter().map(|reason| plain(reason)).collect(),
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

/// Small letters and no contractions: AWS writes "can’t", "can't" and "cannot" in sentences of one kind.
fn plain(reason: &str) -> String {
    let text = reason.to_lowercase().replace('’', "'");
    text.replace("can't", "cannot")
        .replace("doesn't", "does not")
}

impl Sign {
    fn is_in(&self, said: &Said<'_>) -> bool {
        match self {
            Self::Says(groups) => groups
                .iter()
                .all(|marks| marks.iter().any(|mark| said.has(mark))),
            Self::WrongFormat => said.has_wrong_format || said.has(WRONG_FORMAT),
            Self::Exit(code) => said.exits.contains(code),
            Self::ContainerEnded => said.has_ended,
            Self::On(host) => said.host == Some(*host),
            Self::OnFargate => said.is_on_fargate,
            Self::Always => true,
        }
    }
}

const fn entry_of(
    cause: Cause,
    sign: Sign,
    words: &'static str,
    advice: &'static str,
    page: Page,
) -> Entry {
    Entry {
        cause,
        sign,
        words,
        advice,
        page,
    }
}

/// In the place of a cause that has no entry: a test shows that there is none.
const UNEXPLAINED: Entry = entry_of(
    Cause::UnknownCause,
    Sign::Always,
    "stopped",
    "",
    Page::Stopped,
);

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn every_cause_is_explained_and_the_last_of_its_entries_always() {
        for cause in Cause::VARIANTS {
            let last = table().filter(|entry| entry.cause == *cause).last();
            assert!(
                last.is_some_and(|entry| matches!(entry.sign, Sign::Always)),
                "{cause}"
            );
        }
    }

    #[test]
    fn marks_are_plain_and_no_entry_hides_behind_another() {
        for (number, entry) in table().enumerate() {
            if let Sign::Says(groups) = &entry.sign {
                for mark in groups.iter().copied().flatten() {
                    assert_eq!(*mark, plain(mark), "{}", entry.words);
                }
            }
            let hides = |before: &&Entry| {
                before.cause == entry.cause && matches!(before.sign, Sign::Always)
            };
            assert!(
                table().take(number).find(hides).is_none(),
                "{}",
                entry.words
            );
        }
    }
}
