//! Says once a day, in a message, that another account may not be asked. Its messages lack facts until somebody corrects
//! its role; the log says so each time.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::budget;
use super::event::BatchEvent;
use crate::aws::deadline::Deadline;
use crate::ecs::notice::Notice;
use crate::notifier::dedup::{Claim, DedupKey, DedupStore, Transition};
use crate::notifier::thread::UnixTime;

/// The problems that the messages of this batch tell, each with the indexes of its events.
pub(super) struct ToldProblems(Vec<(DedupKey, Vec<usize>)>);

impl ToldProblems {
    /// Leaves each problem in the events of this batch, unless another batch has told it today.
    pub(super) async fn claim(
        events: &mut [BatchEvent],
        dedup: &DedupStore,
        now: UnixTime,
        end: Deadline,
    ) -> Self {
        let mut wanted: BTreeMap<DedupKey, Vec<usize>> = BTreeMap::new();
        for (index, event) in events.iter().enumerate() {
            let problem = event.kept().and_then(|(notice, _)| key(notice, now));
            if let Some(key) = problem {
                wanted.entry(key).or_default().push(index);
            }
        }
        let mut claimed = Vec::new();
        for (key, indexes) in wanted {
            let until = SystemTime::now() + budget::claim_for(end);
            match end.hold(dedup.claim(&key, until)).await {
                Some(Claim::Granted) => claimed.push((key, indexes)),
                Some(Claim::Duplicate | Claim::InFlight) | None => {
                    for index in indexes {
                        events[index].forget_lookup_problem();
                    }
                }
            }
        }
        Self(claimed)
    }

    /// Records what was told. What no channel shows may be told by the next event.
    pub(super) async fn settle(self, events: &[BatchEvent], dedup: &DedupStore) {
        if self.0.is_empty() {
            return;
        }
        for (key, indexes) in self.0 {
            match indexes.iter().any(|index| events[*index].is_shown()) {
                true => dedup.commit("", &key, None).await,
                false => dedup.release(&key).await,
            }
        }
        dedup.finish().await;
    }
}

/// One for each account, region and day. `None` if the account may be asked.
fn key(notice: &Notice, now: UnixTime) -> Option<DedupKey> {
    let origin = &notice.origin;
    origin.lookup_problem.as_ref()?;
    let (account, region) = (origin.account.as_deref()?, origin.region.as_deref()?);
    const DAY: i64 = 86_400;
    let day = now.as_seconds().div_euclid(DAY);
    let transition = Transition::of_lookup_problem(account, region, day);
    Some(DedupKey::new("", &transition))
}
