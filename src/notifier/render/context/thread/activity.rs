//! How an activity is described.

use super::super::words::plural;
use super::{ThreadNames, rough};
use crate::ecs::diagnosis::in_words;
use crate::ecs::notice::Kind;
use crate::notifier::thread::{Activity, ActivityCount, Turn, UnixTime};

pub(super) fn activity_names(
    activity: &Activity,
    turn: Option<&Turn>,
    now: UnixTime,
) -> ThreadNames {
    let counts: Vec<_> = activity
        .counts
        .iter()
        .map(|it| counted(it, activity))
        .collect();
    let is_one = activity.total < 2;
    let end = activity.last_at.max(activity.first_at);
    let lasted = match turn {
        Some(_) => rough(end.since(activity.first_at)),
        None => rough(now.min(end).since(activity.first_at)),
    };
    let is_at_once = end == activity.first_at;
    let says = (!is_one).then(|| match is_at_once {
        true => counts.join(", "),
        false => format!("{} in {lasted}", counts.join(", ")),
    });
    ThreadNames {
        says,
        total: activity.total,
        counts,
        of_instances: activity.is_of_instances,
        ..ThreadNames::default()
    }
}

/// `18 instances draining`, `maya stopped 12 tasks`.
fn counted(count: &ActivityCount, activity: &Activity) -> String {
    let number = count.count;
    let detail = count.detail.as_deref().unwrap_or_default();
    let things = |one: &str, many: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    };
    match count.kind {
        Kind::InstanceRegistered => format!("{} registered", things("instance", "instances")),
        Kind::InstanceDeregistered => format!("{} deregistered", things("instance", "instances")),
        Kind::InstanceState | Kind::InstanceHealth => {
            let status = match detail {
                "INACTIVE" => "deregistered".to_owned(),
                other => other.to_ascii_lowercase(),
            };
            format!("{} {status}", things("instance", "instances"))
        }
        Kind::InstanceInterruption => {
            format!(
                "{} {}",
                things("instance", "instances"),
                plural_if(number, detail)
            )
        }
        Kind::ScaledToMax => match number {
            1 => "reached its maximum".to_owned(),
            number => format!("reached its maximum {number} times"),
        },
        Kind::InstanceLaunchFailed => format!("{detail} {number} times"),
        Kind::TaskStopped if activity.is_of_instances => {
            let is_instance = |it: &ActivityCount| !matches!(it.kind, Kind::TaskStopped);
            let whom = match activity.counts.iter().any(is_instance) {
                true => "them",
                false => "their instance",
            };
            format!("{} stopped with {whom}", things("task", "tasks"))
        }
        Kind::TaskStopped => {
            let words = detail.parse().map_or("stopped", in_words);
            format!("{} {}", things("task", "tasks"), plural_if(number, words))
        }
        Kind::ApiDenied => match number {
            1 => format!("{detail} refused"),
            number => format!("{detail} refused {number} times"),
        },
        Kind::ServiceAction | Kind::Deployment => format!("{detail} ×{number}"),
        _ => match detail {
            "StopTask" => format!("{} stopped", things("task", "tasks")),
            "" => format!("{} ×{number}", count.kind),
            call => format!("{call} ×{number}"),
        },
    }
}

fn plural_if(number: u32, words: &str) -> String {
    match number {
        1 => words.to_owned(),
        _ => plural(words),
    }
}
