//! Makes few messages of many: a channel's notices of one batch in, [`Digest`]s out.
//!
//! Notices that say the same of the same service become one message with a count. Critical ones go first, then what else
//! is loud, then the calm. Where they are more than there is time for, each of the three has its messages as long as
//! there is room and one summary for the rest, the calm ones one for all where they are a flood. Nothing is left out,
//! and nothing is folded into anything less urgent.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::notice::{Facts, Kind, Notice};
use crate::triage::diagnosis::explain;
use crate::triage::{Cause, Severity, Telling, Verdict};

/// Chat services take a message a second from a webhook.
/// <https://docs.slack.dev/apis/web-api/rate-limits>
pub const PACE: Duration = Duration::from_secs(1);

/// What one message tells.
#[derive(Debug, Clone)]
pub struct Digest<'a> {
    /// At least one, in their order.
    pub notices: Vec<&'a Notice>,
    /// Of each of them.
    pub causes: Vec<Option<Cause>>,
    pub telling: Telling,
    pub form: Form,
    /// What a summary tells of, the gravest first; none where all are alike.
    pub parts: Vec<Self>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// All say the same: the first speaks for them.
    Alike,
    /// They are counted.
    Summary,
}

/// A notice that a channel is told, with its place in the batch.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    pub place: usize,
    pub notice: &'a Notice,
    pub telling: Telling,
}

impl<'a> Item<'a> {
    /// None of what is dropped.
    pub fn of(place: usize, (notice, verdict): &'a (Notice, Verdict)) -> Option<Self> {
        match verdict {
            Verdict::Keep(telling) => Some(Self {
                place,
                notice,
                telling: *telling,
            }),
            Verdict::Drop(_) => None,
        }
    }
}

/// A digest with the places of all that it tells.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    pub places: Vec<usize>,
    pub digest: Digest<'a>,
}

impl<'a> Digest<'a> {
    pub fn of_one(notice: &'a Notice, telling: Telling) -> Self {
        Self {
            notices: vec![notice],
            causes: vec![telling.cause],
            telling,
            form: Form::Alike,
            parts: Vec::new(),
        }
    }

    /// The one that speaks for all.
    pub fn first(&self) -> &'a Notice {
        self.notices[0]
    }
}

/// A channel's messages: as few as say it all, the most urgent first.
#[derive(Debug)]
pub struct Plan<'a> {
    critical: VecDeque<Critical<'a>>,
    /// What else is loud.
    warning: VecDeque<Group<'a>>,
    calm: VecDeque<Group<'a>>,
}

/// A critical message, and what somebody did to the same cluster just before: who stopped the task, say.
#[derive(Debug)]
struct Critical<'a> {
    before: VecDeque<Group<'a>>,
    group: Group<'a>,
}

impl<'a> Plan<'a> {
    pub fn of(items: &[Item<'a>]) -> Self {
        let mut alike: Vec<Group<'a>> = Vec::new();
        let mut places: HashMap<_, usize> = HashMap::new();
        for item in items {
            match places.entry(Likeness::of(item)) {
                Entry::Occupied(place) => alike[*place.get()].add(item),
                Entry::Vacant(place) => {
                    place.insert(alike.len());
                    alike.push(Group::of(item));
                }
            }
        }
        let is_loud = |group: &Group<'_>| group.digest.telling.is_loud();
        let (loud, calm): (Vec<_>, Vec<_>) = alike.into_iter().partition(is_loud);
        let (critical, warning) = ranked(loud);
        Self {
            critical,
            warning,
            calm: calm.into(),
        }
    }

    /// The next message, where there is time for so many more; without a number there is time for all. Time is
    /// asked for each time anew, because a chat may be slower than it should be.
    pub fn next(&mut self, room: Option<usize>) -> Option<Group<'a>> {
        let room = room.unwrap_or(usize::MAX);
        // Those behind need one each, at least.
        let for_calm = usize::from(!self.calm.is_empty());
        if !self.critical.is_empty() {
            return self.next_critical(room.saturating_sub(for_calm));
        }
        if !self.warning.is_empty() {
            return next_of(&mut self.warning, room.saturating_sub(for_calm));
        }
        // A few of very many would be no news to anybody.
        match self.calm.len() / 2 > room {
            true => Group::summary(std::mem::take(&mut self.calm)),
            false => next_of(&mut self.calm, room),
        }
    }

    fn next_critical(&mut self, room: usize) -> Option<Group<'a>> {
        let before: usize = self.critical.iter().map(|it| it.before.len()).sum();
        let all = self.critical.len() + before + self.warning.len();
        if all <= room {
            let first = self.critical.front_mut()?;
            let before = first.before.pop_front();
            return before.or_else(|| self.critical.pop_front().map(|it| it.group));
        }
        for critical in self.critical.iter_mut().rev() {
            while let Some(group) = critical.before.pop_back() {
                self.warning.push_front(group);
            }
        }
        let for_warning = usize::from(!self.warning.is_empty());
        let room = room.saturating_sub(for_warning);
        if self.critical.len() <= room.max(1) || room > 1 {
            return self.critical.pop_front().map(|it| it.group);
        }
        let critical = std::mem::take(&mut self.critical);
        Group::summary(critical.into_iter().map(|it| it.group).collect())
    }
}

/// The first of them, or all in one where there is room for one message only.
fn next_of<'a>(groups: &mut VecDeque<Group<'a>>, room: usize) -> Option<Group<'a>> {
    if groups.len() <= room.max(1) || room > 1 {
        return groups.pop_front();
    }
    Group::summary(std::mem::take(groups))
}

/// The critical ones, and the others. What may have led to a critical one stays before it, as long as there is room
/// for all.
fn ranked(loud: Vec<Group<'_>>) -> (VecDeque<Critical<'_>>, VecDeque<Group<'_>>) {
    let is_critical = |it: &Group<'_>| it.digest.telling.severity == Severity::Critical;
    let (critical, others): (Vec<_>, Vec<_>) = loud.into_iter().partition(is_critical);
    let with_none = critical.into_iter().map(|group| Critical {
        before: VecDeque::new(),
        group,
    });
    let mut critical: VecDeque<_> = with_none.collect();
    let mut warning = VecDeque::new();
    for group in others {
        let number = critical.partition_point(|it| it.group.places[0] < group.places[0]);
        match critical.range_mut(number..).next() {
            Some(next) if group.may_lead_to(&next.group) => next.before.push_back(group),
            Some(_) | None => warning.push_back(group),
        }
    }
    (critical, warning)
}

impl<'a> Group<'a> {
    fn of(item: &Item<'a>) -> Self {
        Self {
            places: vec![item.place],
            digest: Digest::of_one(item.notice, item.telling),
        }
    }

    fn add(&mut self, item: &Item<'a>) {
        self.places.push(item.place);
        self.digest.notices.push(item.notice);
        self.digest.causes.push(item.telling.cause);
    }

    /// Whether somebody did something to the same cluster before. A call that failed did nothing.
    fn may_lead_to(&self, later: &Self) -> bool {
        let (first, later) = (self.digest.first(), later.digest.first());
        let is_done = matches!(&first.facts, Facts::Call(call) if call.error.is_none());
        is_done && first.subject.cluster == later.subject.cluster
    }

    /// All of these in one, the gravest first.
    fn summary(groups: VecDeque<Self>) -> Option<Self> {
        let first = groups.front()?.digest.telling;
        let mut places = Vec::new();
        let (mut notices, mut causes) = (Vec::new(), Vec::new());
        let mut parts = Vec::new();
        for group in groups {
            places.extend(group.places);
            notices.extend(group.digest.notices.iter().copied());
            causes.extend(group.digest.causes.iter().copied());
            parts.push(group.digest);
        }
        parts.sort_by_key(|part| {
            let severity = part.telling.severity as u8;
            (Reverse(severity), Reverse(part.notices.len()))
        });
        Some(Self {
            places,
            digest: Digest {
                notices,
                causes,
                telling: Telling {
                    cause: None,
                    severity: severity_of(&parts),
                    volume: first.volume,
                },
                form: Form::Summary,
                parts,
            },
        })
    }
}

/// As grave as the gravest; but what is not urgent is no warning, however many there are.
fn severity_of(parts: &[Digest<'_>]) -> Severity {
    let severities = parts.iter().map(|part| part.telling.severity);
    let gravest = severities.clone().max_by_key(|severity| *severity as u8);
    let gravest = gravest.unwrap_or(Severity::Info);
    if parts.iter().any(|part| part.telling.is_loud()) {
        return gravest;
    }
    let is_success = severities.clone().all(|it| it == Severity::Success);
    match is_success {
        true => Severity::Success,
        false => Severity::Info,
    }
}

/// What two notices must have in common to be told as one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Likeness<'a> {
    kind: Kind,
    account: Option<&'a str>,
    region: Option<&'a str>,
    cluster: Option<&'a str>,
    /// The service, or else the family.
    whose: Option<&'a str>,
    verdict: (Option<Cause>, Severity, bool),
    /// What else a reader would miss.
    detail: Detail<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Detail<'a> {
    /// Why it stopped, in words, and with which exit codes: a headline says either of all of them.
    Stop(Option<String>, Vec<i64>),
    Event(Option<&'a str>, Option<&'a str>),
    Call(&'a str, Option<&'a str>, Option<&'a str>),
    /// Nothing is like it.
    Itself(usize),
}

impl<'a> Likeness<'a> {
    fn of(item: &Item<'a>) -> Self {
        let Item {
            notice, telling, ..
        } = *item;
        let (origin, subject) = (&notice.origin, &notice.subject);
        let whose = subject.service.as_deref().or(subject.family.as_deref());
        let detail = match &notice.facts {
            // Without either, they may be anybody's.
            Facts::Task(_) if whose.is_none() => Detail::Itself(item.place),
            Facts::Task(task) => Detail::Stop(
                telling.cause.map(|cause| explain(cause, task).words),
                task.containers
                    .iter()
                    .filter_map(|it| it.exit_code)
                    .collect(),
            ),
            Facts::Call(call) => Detail::Call(
                &call.name,
                notice.actor.as_ref().map(|actor| actor.name.as_str()),
                call.error.as_ref().map(|error| error.code.as_str()),
            ),
            Facts::Service(service) => Detail::Event(
                service.event_name.as_deref(),
                service.deployment_id.as_deref(),
            ),
            Facts::Instance(instance) => Detail::Event(instance.status.as_deref(), None),
            Facts::Health(health) => Detail::Event(health.overall_status.as_deref(), None),
            Facts::Unknown(unknown) => {
                Detail::Event(origin.detail_type.as_deref(), unknown.event_name.as_deref())
            }
            // Each waits for an answer of its own.
            Facts::Hook(_) | Facts::Foreign => Detail::Itself(item.place),
        };
        // Calls on different things are different news.
        let is_change = matches!(
            notice.kind,
            Kind::ApiCall | Kind::TaskDefinition | Kind::ServiceChanged
        );
        Self {
            kind: notice.kind,
            account: origin.account.as_deref(),
            region: origin.region.as_deref(),
            cluster: subject.cluster.as_deref(),
            whose,
            verdict: (telling.cause, telling.severity, telling.is_loud()),
            detail: if is_change {
                Detail::Itself(item.place)
            } else {
                detail
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::{CallError, CallFacts, Links, Origin, Subject};
    use crate::triage::Volume;

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

    fn telling(volume: Volume) -> Telling {
        let loud = volume == Volume::Loud;
        Telling {
            cause: Some(if loud {
                Cause::OutOfMemory
            } else {
                Cause::Finished
            }),
            severity: if loud {
                Severity::Critical
            } else {
                Severity::Success
            },
            volume,
        }
    }

    /// Services in capital letters are loud.
    fn told(services: &[&str], budget: Option<usize>) -> Vec<String> {
        let notices: Vec<_> = services.iter().map(|it| stopped(it)).collect();
        let items = notices.iter().enumerate().map(|(place, notice)| Item {
            place,
            notice,
            telling: telling(match services[place].chars().all(char::is_uppercase) {
                true => Volume::Loud,
                false => Volume::Quiet,
            }),
        });
        let mut plan = Plan::of(&items.collect::<Vec<_>>());
        let rooms = (0..).map(|told: usize| budget.map(|it| it.saturating_sub(told)));
        let groups: Vec<_> = rooms.map_while(|room| plan.next(room)).collect();
        let mut places: Vec<_> = groups.iter().flat_map(|it| it.places.clone()).collect();
        places.sort_unstable();
        assert_eq!(
            places,
            (0..services.len()).collect::<Vec<_>>(),
            "all are told, once"
        );
        let worded = groups.iter().map(|group| {
            let names: Vec<_> = group.places.iter().map(|place| services[*place]).collect();
            match group.digest.form {
                Form::Alike => names.join(""),
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
    fn call(cluster: &str, actor: &str, error: Option<CallError>) -> Notice {
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
    fn ordered(notices: &[Notice], room: Option<usize>) -> Vec<String> {
        let items: Vec<_> = notices
            .iter()
            .enumerate()
            .map(|(place, notice)| Item {
                place,
                notice,
                telling: Telling {
                    severity: match notice.kind {
                        Kind::StopTask => Severity::Warning,
                        _ => Severity::Critical,
                    },
                    ..telling(Volume::Loud)
                },
            })
            .collect();
        let mut plan = Plan::of(&items);
        let rooms = (0..).map(|told: usize| room.map(|it| it.saturating_sub(told)));
        let groups = rooms.map_while(|room| plan.next(room));
        let worded = groups.map(|group| {
            let names = group.digest.notices.iter();
            let names: Vec<_> = names
                .map(|it| it.subject.service.as_deref().unwrap())
                .collect();
            format!("{} {}", group.digest.telling.severity, names.join("+"))
        });
        worded.collect()
    }

    /// What somebody did stays before what came of it; all other warnings come after what is critical. Without room
    /// for all, the critical ones are first in any case, and never in one summary with the others.
    #[test]
    fn critical_ones_go_first() {
        let mut oom = stopped("oom");
        oom.subject.cluster = Some("prod".to_owned());
        let refused = CallError {
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
            let items = items.map(|(place, (notice, severity))| Item {
                place,
                notice,
                telling: Telling {
                    severity,
                    ..telling(volume)
                },
            });
            let mut plan = Plan::of(&items.collect::<Vec<_>>());
            let group = plan.next(Some(0)).unwrap();
            assert_eq!(group.digest.form, Form::Summary);
            group.digest.telling.severity
        };
        use Severity::{Info, Success, Warning};
        assert_eq!(summary([Warning, Info], Volume::Quiet), Info);
        assert_eq!(summary([Success, Info], Volume::Quiet), Info);
        assert_eq!(summary([Success, Success], Volume::Quiet), Success);
        assert_eq!(summary([Warning, Warning], Volume::Loud), Warning);
    }
}
