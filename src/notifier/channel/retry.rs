//! Tries a delivery again with growing delays, as long as there is time.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use super::{Outcome, UnansweredKind};
use crate::aws::deadline::Deadline;

/// How many attempts a message gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempts {
    One,
    Several,
}

/// The shortest time for an attempt. With less time left no attempt begins, because it would be cut off.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(250);

/// The longest wait before an attempt. It is longer than an invocation can wait. It limits the wait at a terminal.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The most attempts after the first, if the channel does not say when to try again.
const MOST_RETRIES: usize = 4;

/// The most attempts after the first in all cases.
const MOST_WAITS: usize = 20;

/// The most attempts after the first, if the connection was closed without an answer. The connection may have been an
/// old one, so one more attempt is right. Further attempts could post the same message again and again.
const MOST_AFTER_CLOSED: usize = 1;

/// Tries until the message is delivered, or until there is no time or no attempt left. Before each further attempt it
/// calls `retrying` with the length of the wait and the reason.
///
/// A message that was sent and has no answer may have arrived, so it is not sent again here.
pub async fn send_with_retries<A>(
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
        // An attempt that is cut off may have arrived.
        if !deadline.has(SHORTEST_ATTEMPT) {
            return last.unwrap_or_else(no_time_left);
        }
        let Some(outcome) = deadline.hold(attempt()).await else {
            return cut_off();
        };
        let delay = match &outcome {
            Outcome::Delivered { .. } | Outcome::Refused { .. } => return outcome,
            // The channel's own delay applies. The jitter prevents that all functions try again at the same time.
            Outcome::Retry {
                after: Some(after), ..
            } => Some(after.saturating_add(jitter())),
            Outcome::Retry { after: None, .. } => delays.next(),
            Outcome::Unanswered { kind, .. } => {
                closed += 1;
                let may_be_old = *kind == UnansweredKind::Closed && closed <= MOST_AFTER_CLOSED;
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

/// 0.2 s, 0.4 s, 0.8 s …, each with a random addition of up to the same length.
fn delays() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(MOST_RETRIES)
        .with_jitter()
        .build()
}

/// A random time of up to 0.2 s.
fn jitter() -> Duration {
    delays()
        .next()
        .unwrap_or_default()
        .saturating_sub(Duration::from_millis(200))
}

fn no_time_left() -> Outcome {
    Outcome::retry("there is no time left".to_owned())
}

fn cut_off() -> Outcome {
    Outcome::Unanswered {
        kind: UnansweredKind::Stalled,
        why: "no answer, and there is no time left".to_owned(),
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
            advice: None,
        }
    }

    fn server_error() -> Outcome {
        Outcome::retry("500".to_owned())
    }

    /// Sends with these answers and returns the outcome and the times of the attempts. The last answer repeats.
    async fn attempts_with(
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
        let outcome = send_with_retries(attempt, deadline, attempts, |_, _| ()).await;
        (outcome, times.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn the_delays_grow() {
        let answers = [
            server_error(),
            server_error(),
            server_error(),
            Outcome::DELIVERED,
        ];
        let (outcome, times) = attempts_with(&answers, 60, Attempts::Several).await;
        assert_eq!((outcome, times.len()), (Outcome::DELIVERED, 4));
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        for (gap, least) in gaps.zip([200, 400, 800]) {
            let (least, gap) = (u128::from(least as u32), gap.as_millis());
            assert!((least..=2 * least + 1).contains(&gap), "{least}: {gap}");
        }
        let (outcome, times) = attempts_with(&[server_error()], 60, Attempts::Several).await;
        assert_eq!((outcome, times.len()), (server_error(), 1 + MOST_RETRIES));
    }

    #[tokio::test(start_paused = true)]
    async fn the_delay_that_the_channel_asks_for_applies() {
        let (outcome, times) =
            attempts_with(&[busy(7), Outcome::DELIVERED], 60, Attempts::Several).await;
        assert_eq!((outcome, times.len()), (Outcome::DELIVERED, 2));
        assert!((7_000..7_500).contains(&times[1].as_millis()), "{times:?}");
        // A delay longer than the time left: the outcome is returned at once, and the queue waits.
        for seconds in [30, 3_600, u64::MAX] {
            let (outcome, times) = attempts_with(&[busy(seconds)], 20, Attempts::Several).await;
            assert_eq!((outcome, times.len()), (busy(seconds), 1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_begins_after_the_deadline() {
        let (outcome, times) = attempts_with(&[busy(1)], 5, Attempts::Several).await;
        assert_eq!(outcome, busy(1));
        assert!(
            times.iter().all(|it| *it < Duration::from_millis(4_500)),
            "{times:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_message_and_a_single_attempt_are_not_repeated() {
        let (outcome, times) = attempts_with(&[server_error()], 60, Attempts::One).await;
        assert_eq!((outcome, times.len()), (server_error(), 1));
        let refused = Outcome::Refused {
            why: "404".to_owned(),
        };
        let (outcome, times) =
            attempts_with(std::slice::from_ref(&refused), 60, Attempts::Several).await;
        assert_eq!((outcome, times.len()), (refused, 1));
    }

    /// After a closed connection there is one more attempt, because it may have been an old connection.
    #[tokio::test(start_paused = true)]
    async fn a_message_that_may_have_arrived_is_not_sent_again() {
        let unanswered = |kind| Outcome::Unanswered {
            kind,
            why: "no answer".to_owned(),
        };
        for (kind, most) in [
            (UnansweredKind::Stalled, 1),
            (UnansweredKind::Unexpected, 1),
            (UnansweredKind::Closed, 2),
        ] {
            let (outcome, times) = attempts_with(&[unanswered(kind)], 60, Attempts::Several).await;
            assert_eq!((outcome, times.len()), (unanswered(kind), most));
            // Also after other errors.
            let answers = [server_error(), unanswered(kind)];
            let (outcome, times) = attempts_with(&answers, 60, Attempts::Several).await;
            assert_eq!((outcome, times.len()), (unanswered(kind), 1 + most));
        }
        let answers = [unanswered(UnansweredKind::Closed), Outcome::DELIVERED];
        let (outcome, times) = attempts_with(&answers, 60, Attempts::Several).await;
        assert_eq!((outcome, times.len()), (Outcome::DELIVERED, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_reported_before_it_begins() {
        let deadline = Deadline::at(SystemTime::now() + Duration::from_secs(60));
        let reported = RefCell::new(Vec::new());
        let attempt = || {
            std::future::ready(if reported.borrow().is_empty() {
                busy(7)
            } else {
                Outcome::DELIVERED
            })
        };
        let report = |wait: Duration, why: &str| {
            reported.borrow_mut().push((wait.as_secs(), why.to_owned()));
        };
        let outcome = send_with_retries(attempt, deadline, Attempts::Several, report).await;
        assert_eq!(outcome, Outcome::DELIVERED);
        assert_eq!(reported.into_inner(), [(7, "429".to_owned())]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_without_an_answer_is_cut_off_and_may_have_arrived() {
        let deadline = Deadline::at(SystemTime::now() + Duration::from_secs(3));
        let outcome =
            send_with_retries(std::future::pending, deadline, Attempts::Several, |_, _| ()).await;
        assert_eq!(outcome, cut_off());
    }
}
