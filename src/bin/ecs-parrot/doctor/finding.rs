//! What `doctor` finds: what is wrong, and what to do.

use ecs_parrot::aws::CallError;
use serde::Serialize;
use strum::Display;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(super) enum Severity {
    Wrong,
    /// It may be meant so.
    Warning,
    /// It could not be looked at.
    NotChecked,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// `no_trail`, for scripts.
    pub(super) id: &'static str,
    pub(super) severity: Severity,
    pub(super) problem: String,
    /// What to do about it.
    pub(super) remedy: String,
}

/// All findings, and the names of the checks that found nothing.
#[derive(Debug, Default, Serialize)]
pub(super) struct Findings {
    pub(super) findings: Vec<Finding>,
    pub(super) passed: Vec<&'static str>,
}

impl Findings {
    pub(super) fn wrong(&mut self, id: &'static str, problem: String, remedy: String) {
        self.add(id, Severity::Wrong, problem, remedy);
    }

    pub(super) fn warning(&mut self, id: &'static str, problem: String, remedy: String) {
        self.add(id, Severity::Warning, problem, remedy);
    }

    /// Notes that a check could not be made. The other checks go on.
    pub(super) fn not_checked(&mut self, id: &'static str, error: &CallError) {
        let remedy = error
            .advice()
            .unwrap_or_else(|| "look at the error, and try again".to_owned());
        self.add(id, Severity::NotChecked, error.to_string(), remedy);
    }

    pub(super) fn untried(&mut self, id: &'static str, problem: String, remedy: String) {
        self.add(id, Severity::NotChecked, problem, remedy);
    }

    /// Notes that a check is done. It passed if it found nothing.
    pub(super) fn done(&mut self, id: &'static str, found_before: usize) {
        if self.findings.len() == found_before {
            self.passed.push(id);
        }
    }

    pub(super) fn is_wrong(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|it| it.severity == Severity::Wrong)
    }

    fn add(&mut self, id: &'static str, severity: Severity, problem: String, remedy: String) {
        self.findings.push(Finding {
            id,
            severity,
            problem,
            remedy,
        });
    }
}
