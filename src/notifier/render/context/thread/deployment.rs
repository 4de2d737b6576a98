//! How a deployment is described.

use std::time::Duration;

use super::super::CommandNames;
use super::super::other_services::{DAEMON_PAGE, code_deploy_commands, code_deploy_question};
use super::super::words::{deployment_reason, image};
use super::{CauseWords, ThreadNames, by, rough, words_of};
use crate::ecs::notice::{HookDecision, Progress};
use crate::ecs::service_events::rollback_target;
use crate::notifier::thread::{Deployment, Hook, Reason, Replacement, ThreadState, Turn, UnixTime};

pub(super) fn deployment_names(
    deployment: &Deployment,
    turn: Option<&Turn>,
    now: UnixTime,
) -> ThreadNames {
    let failures: Vec<_> = deployment.causes.iter().collect();
    let failures = failures.into_iter().map(|(name, count)| CauseWords {
        words: words_of(name, None),
        count,
    });
    ThreadNames {
        says: Some(deployment_says(deployment, turn, now)),
        from: match deployment.is_rolled_back() {
            true => deployment.goes_back_to().map(str::to_owned),
            false => deployment.from.clone(),
        },
        to: deployment.to.clone(),
        images: images(deployment),
        started_by: deployment.actor.clone(),
        registered_by: deployment
            .registered_by
            .clone()
            .filter(|it| Some(it) != deployment.actor.as_ref()),
        progress: progress(deployment),
        causes: match failures.len() {
            0 | 1 => Vec::new(),
            _ => failures.map(|it| it.to_string()).collect(),
        },
        rolled_back: deployment.is_rolled_back(),
        why: deployment_why(deployment),
        waits: deployment.waits_at(now),
        commands: commands(deployment, now),
        decide_by: deployment
            .ready_until
            .filter(|_| deployment.waits_at(now))
            .and_then(|it| Some(it.timestamp()?.to_string())),
        code_deploy: deployment.code_deploy.clone(),
        advice: daemon_advice(deployment),
        advice_url: daemon_advice(deployment).map(|_| DAEMON_PAGE),
        ..ThreadNames::default()
    }
}

/// What a reader can do with a deployment of CodeDeploy.
fn commands(deployment: &Deployment, now: UnixTime) -> Vec<CommandNames> {
    let region = deployment.origin.region.as_deref();
    let ends_badly = matches!(
        deployment.state(),
        ThreadState::Failed | ThreadState::Stopped
    );
    match &deployment.code_deploy {
        Some(id) if deployment.waits_at(now) => code_deploy_commands(id, region),
        Some(id) if ends_badly && deployment_why(deployment).is_none() => {
            code_deploy_question(id, region).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The events of a daemon's deployment do not say why it failed.
fn daemon_advice(deployment: &Deployment) -> Option<&'static str> {
    let needs_somebody = matches!(
        deployment.state(),
        ThreadState::Failed | ThreadState::RollingBack | ThreadState::Stopped
    );
    (deployment.is_of_daemon && needs_somebody).then_some(match deployment.rollback_failed {
        Some(_) => {
            "neither revision runs on all instances: see why the daemon's tasks do not start, and deploy a revision that does"
        }
        None => "see why the daemon's tasks did not start: their own events say it",
    })
}

/// The headline of a deployment after the name of the service.
fn deployment_says(deployment: &Deployment, turn: Option<&Turn>, now: UnixTime) -> String {
    let to = deployment.to.as_deref();
    let what = match to {
        Some(to) => format!("deployment of {to}"),
        None => "deployment".to_owned(),
    };
    let by = by(deployment.actor.as_deref());
    let lasted = |word: &str| lasted(deployment, word, now);
    match turn.map(|it| it.reason) {
        Some(Reason::Continued) => return continued(deployment, &what),
        Some(Reason::HookFailed) => {
            return hook_failed(deployment, &what);
        }
        _ => {}
    }
    match deployment.state() {
        ThreadState::RollingBack | ThreadState::Waiting | ThreadState::InProgress
            if deployment.is_closed =>
        {
            match deployment.is_closed_by_hand {
                true => format!("{what} was closed by hand{}", lasted("after")),
                false => format!("{what} has not ended after a day"),
            }
        }
        ThreadState::Completed if deployment.is_creation => {
            let lasted = lasted("after");
            format!("created{by}: {} runs{lasted}", to.unwrap_or("it"))
        }
        ThreadState::Completed => {
            let lasted = lasted("in");
            match (to, &deployment.from) {
                (Some(to), Some(from)) if from != to => {
                    format!("{from} → {to} deployed{lasted}{by}")
                }
                (Some(to), _) => format!("{to} deployed{lasted}{by}"),
                (None, _) => format!("deployment completed{lasted}{by}"),
            }
        }
        ThreadState::Failed if deployment.is_rolled_back() => {
            let new = to.unwrap_or("the new revision");
            let old = deployment.goes_back_to();
            let old = old.unwrap_or("the previous revision");
            let lasted = lasted("after");
            format!("{new} did not stay, rolled back{lasted}; {old} runs")
        }
        ThreadState::Failed if deployment.rollback_failed.is_some() => {
            format!(
                "{what} failed and could not be rolled back{}",
                lasted("after")
            )
        }
        ThreadState::Failed => format!("{what} failed{}", lasted("after")),
        ThreadState::Stopped if deployment.is_of_daemon => {
            let lasted = lasted("after");
            format!("{what} was stopped{lasted}: it failed, or a newer one replaces it")
        }
        ThreadState::Stopped => format!("{what} was stopped{}", lasted("after")),
        ThreadState::InProgress if deployment.is_being_stopped() => {
            format!("{what} is being stopped")
        }
        ThreadState::RollingBack => {
            let to = deployment.goes_back_to().map(|it| format!(" to {it}"));
            let failed = if deployment.failed.is_some() {
                " failed and"
            } else {
                ""
            };
            let to = to.unwrap_or_default();
            match rolled_back_by(deployment).filter(|_| deployment.failed.is_none()) {
                Some(actor) => format!("{actor} rolls the {what} back{to}"),
                None => format!("{what}{failed} is rolling back{to}"),
            }
        }
        ThreadState::Waiting if deployment.waits_at(now) => format!("{what} waits for a decision"),
        ThreadState::Waiting => format!("{what} waited for a decision that did not come in time"),
        ThreadState::Replaced => {
            let failed = match deployment.tasks.failed {
                0 => String::new(),
                1 => ", 1 task failed".to_owned(),
                failed => format!(", {failed} tasks failed"),
            };
            format!(
                "{what} {}{failed}",
                replaced(deployment.replaced_by.as_ref())
            )
        }
        _ => begun(deployment, &by),
    }
}

/// The name of the person who decided that it rolls back.
fn rolled_back_by(deployment: &Deployment) -> Option<&str> {
    let answer = deployment.decision.as_ref();
    let answer = answer.filter(|it| it.decision == HookDecision::RollBack)?;
    answer.actor.as_deref()?.split(" (").next()
}

/// ` after 6 min`. Empty if only the end is known.
fn lasted(deployment: &Deployment, word: &str, now: UnixTime) -> String {
    let end = deployment.ended_at().unwrap_or(now);
    match end.since(deployment.started_at) {
        Duration::ZERO => String::new(),
        lasted => format!(" {word} {}", rough(lasted)),
    }
}

fn replaced(by: Option<&Replacement>) -> String {
    match by {
        Some(Replacement::Revision(revision)) => format!("was replaced by {revision}"),
        Some(Replacement::Deletion) => "ended: the service was deleted".to_owned(),
        Some(Replacement::Newer) | None => "was replaced by a newer deployment".to_owned(),
    }
}

/// The headline of a deployment that goes on.
fn begun(deployment: &Deployment, by: &str) -> String {
    let what = match (&deployment.from, &deployment.to) {
        _ if deployment.is_creation => match &deployment.to {
            Some(to) => format!("is being created with {to}"),
            None => "is being created".to_owned(),
        },
        (Some(from), Some(to)) if from != to => format!("deploying {from} → {to}"),
        (_, Some(to)) => format!("deploying {to}"),
        (_, None) => "deploying".to_owned(),
    };
    let progress = progress(deployment).map(|it| format!(", {it}"));
    let hook = deployment.hook.as_ref().filter(|it| it.has_failed());
    let hook = hook.map(|it| format!("; a hook {}", hook_says(it)));
    format!(
        "{what}{by}{}{}",
        progress.unwrap_or_default(),
        hook.unwrap_or_default()
    )
}

fn continued(deployment: &Deployment, what: &str) -> String {
    let answer = deployment.decision.as_ref();
    let actor = answer.and_then(|it| it.actor.as_deref());
    let actor = actor
        .and_then(|it| it.split(" (").next())
        .unwrap_or("somebody");
    match answer.map(|it| it.decision) {
        Some(HookDecision::RollBack) => format!("{actor} rolls the {what} back"),
        Some(HookDecision::Continue) | None => format!("{actor} let the {what} go on"),
    }
}

/// `nobody decided in time, and the deployment of checkout:59 goes on`.
fn hook_failed(deployment: &Deployment, what: &str) -> String {
    let Some(hook) = &deployment.hook else {
        return format!("{what}: a hook has failed");
    };
    let action = hook.timeout_action.as_deref().unwrap_or_default();
    match (hook.name.as_str(), action) {
        ("HOOK_TIMED_OUT", "CONTINUE") => format!("nobody decided in time, and the {what} goes on"),
        ("HOOK_TIMED_OUT", "ROLLBACK") => {
            format!("nobody decided in time, and the {what} rolls back")
        }
        _ => format!("{what}: a hook {}", hook_says(hook)),
    }
}

fn hook_says(hook: &Hook) -> &'static str {
    match hook.name.as_str() {
        "HOOK_TIMED_OUT" => "did not answer in time",
        _ => "has failed",
    }
}

/// `7 of 10 running, 2 failed: ran out of memory`.
fn progress(deployment: &Deployment) -> Option<String> {
    let tasks = &deployment.tasks;
    if tasks.started == 0 && tasks.failed == 0 {
        return deployment.reported.map(reported);
    }
    let failed = failed_tasks(deployment);
    if deployment.is_rolled_back() {
        return failed;
    }
    let running = match deployment.desired {
        Some(desired) => {
            let running = i64::from(tasks.running()).min(desired);
            format!("{running} of {desired} running")
        }
        None => format!("{} running", tasks.running()),
    };
    let failed = failed.map(|it| format!(", {it}"));
    Some(format!("{running}{}", failed.unwrap_or_default()))
}

/// `2 failed: ran out of memory`.
fn failed_tasks(deployment: &Deployment) -> Option<String> {
    let failed = deployment.tasks.failed;
    let why = deployment.causes.iter().max_by_key(|(_, count)| *count);
    let why = why.map(|(name, _)| format!(": {}", words_of(name, None)));
    (failed > 0).then(|| format!("{failed} failed{}", why.unwrap_or_default()))
}

/// The same from AWS's own counts.
fn reported(progress: Progress) -> String {
    let Progress {
        desired,
        running,
        pending,
        failed,
    } = progress;
    let also = |count: i64, what: &str| match count {
        0 => String::new(),
        count => format!(", {count} {what}"),
    };
    let (pending, failed) = (also(pending, "pending"), also(failed, "failed"));
    format!("{running} of {desired} running{pending}{failed}")
}

/// `checkout:1.4.2 → checkout:1.4.3`.
fn images(deployment: &Deployment) -> Option<String> {
    let shown = |images: &[String]| images.iter().map(|it| image(it)).collect::<Vec<_>>();
    let (to, from) = (shown(&deployment.images), shown(&deployment.from_images));
    let new: Vec<_> = to.iter().filter(|it| !from.contains(it)).cloned().collect();
    let old: Vec<_> = from.iter().filter(|it| !to.contains(it)).cloned().collect();
    match (old.is_empty(), new.is_empty()) {
        (_, true) if to.is_empty() => None,
        (_, true) => Some(to.join(", ")),
        (true, false) => Some(new.join(", ")),
        (false, false) => Some(format!("{} → {}", old.join(", "), new.join(", "))),
    }
}

fn deployment_why(deployment: &Deployment) -> Option<String> {
    let failed = deployment.rollback_failed.as_ref();
    let failed = failed.or(deployment.failed.as_ref());
    let fact = failed.or(deployment.rollback.as_ref());
    let fact = fact.or(deployment.stopped.as_ref());
    let hook = deployment.hook.as_ref().and_then(|it| it.reason.clone());
    let reason = fact.and_then(|it| it.reason.as_deref());
    let reason = reason.and_then(|reason| match rollback_target(reason) {
        Some(target) => deployment_reason(reason, Some(target), deployment.goes_back_to()),
        None => deployment_reason(reason, deployment.id.as_deref(), deployment.to.as_deref()),
    });
    reason.or(hook)
}
