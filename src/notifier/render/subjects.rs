//! What a message is about that notifies somebody: one subject for each problem.

use crate::notifier::group::Group;
use crate::notifier::message::MessageSubject;
use crate::notifier::policy::Severity;
use crate::notifier::thread::{Announcement, ShownNotice, Storm, Thread};

/// The critical events of a group. A summary has others too.
pub(super) fn subjects_of(group: &Group<'_>) -> Vec<MessageSubject> {
    let critical = group.parts.iter();
    let critical = critical.filter(|it| it.priority.severity == Severity::Critical);
    let of_parts = critical.flat_map(|it| &it.notices);
    let notices: Vec<_> = match group.parts.is_empty() {
        true => group.notices.iter().collect(),
        false => of_parts.collect(),
    };
    let subjects = notices.into_iter();
    distinct(subjects.map(|it| MessageSubject::of(&it.subject, &it.origin)))
}

/// What a thread is about: of a storm, the services that have not recovered.
pub(super) fn subjects_of_thread(thread: &Thread) -> Vec<MessageSubject> {
    let of_shown = |shown: Option<&ShownNotice>| {
        let shown = shown.map(|it| &it.notice);
        let subject = shown.map(|it| MessageSubject::of(&it.subject, &it.origin));
        subject.into_iter().collect()
    };
    match thread {
        Thread::Deployment(it) => vec![MessageSubject::of(&it.subject, &it.origin)],
        Thread::Incident(it) => of_shown(it.newest.as_deref()),
        Thread::Run(it) => of_shown(it.newest.as_deref()),
        Thread::Activity(it) => of_shown(it.newest.as_deref()),
        Thread::Announcement(it) => of_announcement(it),
        Thread::Storm(it) => of_storm(it),
    }
}

/// A storm does not remember all of its services, so it is about its cluster too.
fn of_storm(storm: &Storm) -> Vec<MessageSubject> {
    let of_cluster = MessageSubject::of(&storm.subject, &storm.origin);
    let failing = storm.members.iter().filter(|it| !it.has_recovered());
    let of_members = failing.map(|it| MessageSubject::of(&storm.subject_of(it), &storm.origin));
    distinct(std::iter::once(of_cluster).chain(of_members))
}

/// Each of the affected services.
fn of_announcement(announcement: &Announcement) -> Vec<MessageSubject> {
    let Some(newest) = announcement.newest.as_deref() else {
        return Vec::new();
    };
    let notice = &newest.notice;
    let whole = MessageSubject::of(&notice.subject, &notice.origin);
    let services = announcement.services.iter().map(|it| MessageSubject {
        cluster: Some(it.cluster.clone()),
        service: Some(it.service.clone()),
        ..whole.clone()
    });
    distinct(services.chain([whole.clone()]))
}

fn distinct(subjects: impl Iterator<Item = MessageSubject>) -> Vec<MessageSubject> {
    let mut distinct = Vec::new();
    for subject in subjects {
        if !distinct.contains(&subject) {
            distinct.push(subject);
        }
    }
    distinct
}
