//! Makes few messages of many: a channel's notices of one batch in, [`Digest`]s out.
//!
//! Notices that say the same of the same service become one message with a count. Where even these are more
//! than there is time for, the loud ones go first and the calm rest is counted, all of it where it is a flood;
//! nothing is left out, and nothing loud is folded into anything calm.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::notice::{Facts, Kind, Notice};
use crate::triage::{Cause, Telling, Verdict};

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
        }
    }

    /// The one that speaks for all.
    pub fn first(&self) -> &'a Notice {
        self.notices[0]
    }
}

/// A channel's messages: as few as say it all, the loud ones first.
#[derive(Debug)]
pub struct Plan<'a> {
    loud: VecDeque<Group<'a>>,
    calm: VecDeque<Group<'a>>,
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
        Self {
            loud: loud.into(),
            calm: calm.into(),
        }
    }

    /// The next message, where there is time for so many more; without a number there is time for all. Time is
    /// asked for each time anew, because a chat may be slower than it should be.
    pub fn next(&mut self, room: Option<usize>) -> Option<Group<'a>> {
        let room = room.unwrap_or(usize::MAX);
        let (groups, room, is_flood) = if self.loud.is_empty() {
            // A few of very many would be no news to anybody.
            let is_flood = self.calm.len() / 2 > room;
            (&mut self.calm, room, is_flood)
        } else {
            // The calm ones need one at least.
            let room = room.saturating_sub(usize::from(!self.calm.is_empty()));
            (&mut self.loud, room, false)
        };
        if groups.len() <= room.max(1) || (room > 1 && !is_flood) {
            return groups.pop_front();
        }
        Group::summary(std::mem::take(groups))
    }
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

    /// All of these in one, as grave as the gravest.
    fn summary(groups: VecDeque<Self>) -> Option<Self> {
        let gravest = groups.iter().map(|it| it.digest.telling);
        let telling = gravest.max_by_key(|telling| telling.severity as u8)?;
        let mut places = Vec::new();
        let (mut notices, mut causes) = (Vec::new(), Vec::new());
        for group in groups {
            places.extend(group.places);
            notices.extend(group.digest.notices);
            causes.extend(group.digest.causes);
        }
        Some(Self {
            places,
            digest: Digest {
                notices,
                causes,
                telling: Telling {
                    cause: None,
                    ..telling
                },
                form: Form::Summary,
            },
        })
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
    verdict: (Option<Cause>, crate::triage::Severity, bool),
    /// What else a reader would miss.
    detail: Detail<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Detail<'a> {
    None,
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
            Facts::Task(_) => Detail::None,
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
    use crate::notice::{Links, Origin, Subject};
    use crate::triage::{Severity, Volume};

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
}
