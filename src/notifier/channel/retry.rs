//! Tries a delivery again, later and later, as long as there is time.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use super::{Outcome, Silence};
use crate::aws::deadline::Deadline;

/// How often a message is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempts {
    One,
    Several,
}

/// The least that an attempt takes: none is begun that would only be broken off.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(250);

/// No invocation waits so long; at a terminal nobody should.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Attempts after the first, where the channel does not say when to come again.
const MOST_RETRIES: usize = 4;

/// Attempts after the first, whatever the channel says.
const MOST_WAITS: usize = 20;

/// Attempts after the first, where the connection was closed without an answer: the connection may have been an old
/// one. More of them could be the same message again and again.
const MOST_AFTER_CLOSED: usize = 1;

/// Delivers, or finds out that it does not work in the time that there is. `retrying` is called before each attempt after
/// the first how long it waits, and why.
///
/// A message that was sent and has no answer may have arrived: it is not sent again here.
pub async fn persist<A>(
    mut attempt: impl FnMut() -> A,
    deadline: Deadline,
    attempts: Attempts,
    retrying: impl Fn(Duration, &str),
) -> Outcome
where
    A: Future<Output = Outcome>,
{
    let mut delays = delays();
    let (mut waits, mut closed) = (0, 0);
    let mut last = None;
    loop {
        // One that is broken off may have arrived.
        if !deadline.has(SHORTEST_ATTEMPT) {
            return last.unwrap_or_else(out_of_time);
        }
        let Some(outcome) = deadline.hold(attempt()).await else {
            return broken_off();
        };
        let delay = match &outcome {
            Outcome::Delivered | Outcome::Refused { .. } => return outcome,
            // What the channel says counts, and jitter keeps functions from coming all at once.
            Outcome::Retry {
                after: Some(after), ..
            } => Some(after.saturating_add(delays_of_one())),
            Outcome::Retry { after: None, .. } => delays.next(),
            Outcome::Unanswered { silence, .. } => {
                closed += 1;
                let may_be_old = *silence == Silence::Closed && closed <= MOST_AFTER_CLOSED;
                may_be_old.then(|| delays.next()).flatten()
            }
        };
        waits += 1;
        let Some(delay) = delay.filter(|delay| {
            attempts == Attempts::Several
                && waits <= MOST_WAITS
                && *delay <= LONGEST_WAIT
                && deadline.has(delay.saturating_add(SHORTEST_ATTEMPT))
        }) else {
            return outcome;
        };
        retrying(delay, outcome.why().unwrap_or_default());
        last = Some(outcome);
        tokio::time::sleep(delay).await;
    }
}

/// 0.2 s, 0.4 s, 0.8 s …, each with as much again at random.
fn delays() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(MOST_RETRIES)
        .with_jitter()
        .build()
}

fn delays_of_one() -> Duration {
    delays()
        .next()
        .unwrap_or_default()
        .saturating_sub(Duration::from_millis(200))
}

fn out_of_time() -> Outcome {
    Outcome::Retry {
        after: None,
        why: "the function's time is over".to_owned(),
    }
}

fn broken_off() -> Outcome {
    Outcome::Unanswered {
        silence: Silence::Stalled,
        why: "no answer, and the function's time is over".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::SystemTime;

    use tokio::time::Instant;

    use super::*;

    fn busy(seconds: u64) -> Outcome {
        Outcome::Retry {
            after: Some(Duration::from_secs(seconds)),
            why: "429".to_owned(),
        }
    }

    fn broken() -> Outcome {
        Outcome::Retry {
            after: None,
            why: "500".to_owned(),
        }
    }

    /// The outcome of these answers, the last for ever, and when each attempt was made.
    async fn told(
        answers: &[Outcome],
        seconds: u64,
        attempts: Attempts,
    ) -> (Outcome, Vec<Duration>) {
        let started = Instant::now();
        let deadline = Deadline::at(SystemTime::now() + Duration::from_secs(seconds));
        let times = RefCell::new(Vec::new());
        let attempt = || {
            let number = times.borrow().len().min(answers.len() - 1);
            times.borrow_mut().push(started.elapsed());
            std::future::ready(answers[number].clone())
        };
        let outcome = persist(attempt, deadline, attempts, |_, _| ()).await;
        (outcome, times.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn later_and_later() {
        let answers = [broken(), broken(), broken(), Outcome::Delivered];
        let (outcome, times) = told(&answers, 60, Attempts::Several).await;
        assert_eq!((outcome, times.len()), (Outcome::Delivered, 4));
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        for (gap, least) in gaps.zip([200, 400, 800]) {
            let (least, gap) = (u128::from(least as u32), gap.as_millis());
            assert!((least..=2 * least + 1).contains(&gap), "{least}: {gap}");
        }
        let (outcome, times) = told(&[broken()], 60, Attempts::Several).await;
        assert_eq!((outcome, times.len()), (broken(), 1 + MOST_RETRIES));
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_channel_says() {
        let (outcome, times) = told(&[busy(7), Outcome::Delivered], 60, Attempts::Several).await;
        assert_eq!((outcome, times.len()), (Outcome::Delivered, 2));
        assert!((7_000..7_500).contains(&times[1].as_millis()), "{times:?}");
        // Later than there is time: given back at once, for the queue to wait.
        for seconds in [30, 3_600, u64::MAX] {
            let (outcome, times) = told(&[busy(seconds)], 20, Attempts::Several).await;
            assert_eq!((outcome, times.len()), (busy(seconds), 1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn never_past_the_deadline() {
        let (outcome, times) = told(&[busy(1)], 5, Attempts::Several).await;
        assert_eq!(outcome, busy(1));
        assert!(
            times.iter().all(|it| *it < Duration::from_millis(4_500)),
            "{times:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn once_where_nothing_else_was_taken() {
        let (outcome, times) = told(&[broken()], 60, Attempts::One).await;
        assert_eq!((outcome, times.len()), (broken(), 1));
        let refused = Outcome::Refused {
            why: "404".to_owned(),
        };
        let (outcome, times) = told(std::slice::from_ref(&refused), 60, Attempts::Several).await;
        assert_eq!((outcome, times.len()), (refused, 1));
    }

    /// What was sent and has no answer may have arrived: it is not sent again. A closed connection may have been an
    /// old one, and is tried once more.
    #[tokio::test(start_paused = true)]
    async fn what_may_have_arrived_is_not_sent_again() {
        let unanswered = |silence| Outcome::Unanswered {
            silence,
            why: "no answer".to_owned(),
        };
        for (silence, most) in [
            (Silence::Stalled, 1),
            (Silence::Unexpected, 1),
            (Silence::Closed, 2),
        ] {
            let (outcome, times) = told(&[unanswered(silence)], 60, Attempts::Several).await;
            assert_eq!((outcome, times.len()), (unanswered(silence), most));
            // Also after other troubles.
            let answers = [broken(), unanswered(silence)];
            let (outcome, times) = told(&answers, 60, Attempts::Several).await;
            assert_eq!((outcome, times.len()), (unanswered(silence), 1 + most));
        }
        let answers = [unanswered(Silence::Closed), Outcome::Delivered];
        let (outcome, times) = told(&answers, 60, Attempts::Several).await;
        assert_eq!((outcome, times.len()), (Outcome::Delivered, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_said_before_it_begins() {
        let deadline = Deadline::at(SystemTime::now() + Duration::from_secs(60));
        let said = RefCell::new(Vec::new());
        let attempt = || {
            std::future::ready(if said.borrow().is_empty() {
                busy(7)
            } else {
                Outcome::Delivered
            })
        };
        let say =
            |wait: Duration, why: &str| said.borrow_mut().push((wait.as_secs(), why.to_owned()));
        let outcome = persist(attempt, deadline, Attempts::Several, say).await;
        assert_eq!(outcome, Outcome::Delivered);
        assert_eq!(said.into_inner(), [(7, "429".to_owned())]);
    }

    /// One that hangs is broken off at the end, and may have arrived.
    #[tokio::test(start_paused = true)]
    async fn who_hangs_is_broken_off() {
        let deadline = Deadline::at(SystemTime::now() + Duration::from_secs(3));
        let outcome = persist(std::future::pending, deadline, Attempts::Several, |_, _| ()).await;
        assert_eq!(outcome, broken_off());
    }
}
