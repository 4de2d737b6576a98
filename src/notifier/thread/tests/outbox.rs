//! What waits until there is room for it.

use std::time::Duration;

use super::events::*;
use super::scene::{Scene, time};
use crate::notifier::channel::{Capabilities, EscalationSource, MessageRef};
use crate::notifier::thread::{
    Action, Asked, ClaimedDue, DueResult, Outbox, OutboxChannel, Reason, Step, ThreadForm,
    ThreadSettings, UnixTime,
};

const CHANNEL: OutboxChannel<'_> = OutboxChannel {
    name: "ops",
    capabilities: Capabilities {
        edits: true,
        replies: true,
    },
    accepts: true,
    has_route: false,
    escalated_from: &[],
};

const MINUTE: Duration = Duration::from_secs(60);

/// An incident that opens, and whose count is edited twice.
fn actions() -> Vec<Action> {
    let mut scene = Scene::default();
    for second in [0, 10, 20, 45, 50] {
        let at_second = format!("10:00:{second:02}");
        scene.play(&[at(&at_second, failed("web", OUT_OF_MEMORY))]);
    }
    scene.until("10:01:30");
    let actions = scene.actions.into_iter().map(|(_, action)| action);
    let actions: Vec<_> = actions.collect();
    let reasons: Vec<_> = actions.iter().map(|it| it.turn.reason).collect();
    assert_eq!(
        reasons[..3],
        [Reason::Opened, Reason::Counted, Reason::Counted]
    );
    actions
}

fn claim(outbox: &mut Outbox, now: UnixTime) -> Vec<ClaimedDue> {
    outbox.claim("function", now.plus(MINUTE), now, Asked::No)
}

/// While an edit waits for room, later counts are no edits of their own: it will show them too.
#[test]
fn an_edit_without_room_waits_once() {
    let actions = actions();
    let mut outbox = Outbox::default();
    outbox.add(&actions[0], CHANNEL);
    let opened = claim(&mut outbox, time("10:00:00"));
    let root = Some(MessageRef {
        channel: "C1".to_owned(),
        id: "1.1".to_owned(),
    });
    outbox.note(&opened[0], &DueResult::Done { root }, time("10:00:01"));

    outbox.add(&actions[1], CHANNEL);
    let edit = claim(&mut outbox, time("10:00:30"));
    assert_eq!(edit[0].due.step, Step::Edit);
    let later = DueResult::Postponed { wait: 2 * MINUTE };
    outbox.note(&edit[0], &later, time("10:00:30"));
    assert_eq!(outbox.wake_at(time("10:00:30")), Some(time("10:02:30")));

    let before = outbox.clone();
    outbox.add(&actions[2], CHANNEL);
    assert_eq!(claim(&mut outbox, time("10:01:00")).len(), 0);
    assert_eq!(outbox.due_count(), 1);
    assert_eq!(
        outbox.without_counts().due_count(),
        before.without_counts().due_count(),
        "it is stored, and not written again"
    );

    let again = claim(&mut outbox, time("10:02:30"));
    assert_eq!(again.len(), 1);
    outbox.note(&again[0], &DueResult::Done { root: None }, time("10:02:31"));
    assert_eq!(outbox.due_count(), 0);
}

/// While a chat is down, the timers that try again come less and less often. A new event tries at once.
#[test]
fn timers_wait_longer_after_each_failure() {
    let actions = actions();
    let mut outbox = Outbox::default();
    outbox.add(&actions[0], CHANNEL);
    let mut now = time("10:00:00");
    let mut waits = Vec::new();
    for _ in 0..7 {
        let claimed = claim(&mut outbox, now);
        // The timer is sent with the claim, before anything is sent to the chat.
        let until = now.plus(MINUTE);
        let at = outbox.wake_at(now).unwrap();
        waits.push(at.since(until).as_secs());
        outbox.note(&claimed[0], &DueResult::Failed, now);
        let soon = now.plus(Duration::from_secs(1));
        assert_eq!(
            outbox.clone().claim("other", soon, soon, Asked::No).len(),
            1
        );
        now = at;
    }
    assert_eq!(waits, [1, 60, 120, 240, 480, 900, 900]);
}

/// The other channel gets the whole thread once, if the first one has it. Its later turns go there too.
#[test]
fn an_escalation_begins_the_thread_in_another_channel() {
    let mut scene = Scene::with(ThreadSettings {
        escalate_after: vec![10 * MINUTE],
        ..ThreadSettings::default()
    });
    for minute in 0..14 {
        scene.play(&[at(
            &format!("10:{minute:02}:00"),
            failed("web", OUT_OF_MEMORY),
        )]);
    }
    scene.play(&[at("10:14:00", steady("web"))]).finish();
    let actions: Vec<_> = scene.actions.into_iter().map(|(_, it)| it).collect();
    let sources = |channel: &str, after| vec![source(channel, after)];
    let whole = (Reason::Escalated, ThreadForm::Whole);
    let end = (Reason::Recovered, ThreadForm::Turn);
    for (escalated_from, expected) in [
        (sources("ops", 10 * MINUTE), vec![whole, end]),
        (sources("ops", 20 * MINUTE), vec![]),
        (sources("elsewhere", 10 * MINUTE), vec![]),
        (vec![], vec![]),
    ] {
        let oncall = oncall(&escalated_from);
        let mut outbox = Outbox::default();
        let mut shown = Vec::new();
        for action in &actions {
            for channel in [CHANNEL, oncall] {
                outbox.add(action, channel);
            }
            let now = action.turn.at;
            for claimed in claim(&mut outbox, now) {
                let root = None;
                outbox.note(&claimed, &DueResult::Done { root }, now);
                if claimed.channel == "oncall" {
                    shown.push((claimed.due.turn.reason, claimed.due.form));
                }
            }
        }
        assert_eq!(shown, expected, "{escalated_from:?}");
    }
}

/// It does not take the first cause, so it gets the thread after the time that is to pass in it.
#[test]
fn a_channel_that_gets_the_thread_late_escalates_it_at_once() {
    let mut scene = Scene::with(ThreadSettings {
        escalate_after: vec![10 * MINUTE],
        ..ThreadSettings::default()
    });
    for minute in 0..14 {
        let cause = if minute < 12 {
            HEALTH_CHECK
        } else {
            OUT_OF_MEMORY
        };
        scene.play(&[at(&format!("10:{minute:02}:00"), failed("web", cause))]);
    }
    let escalated_from = [source("ops", 10 * MINUTE)];
    let mut outbox = Outbox::default();
    let mut shown = Vec::new();
    for (_, action) in &scene.actions {
        let accepts = action.turn.reason == Reason::Worse;
        outbox.add(action, OutboxChannel { accepts, ..CHANNEL });
        if outbox.add(action, oncall(&escalated_from)) {
            shown.push(action.turn.reason);
        }
    }
    assert_eq!(shown.first(), Some(&Reason::Worse), "{:?}", scene.turns());
}

fn source(channel: &str, after: Duration) -> EscalationSource {
    EscalationSource {
        channel: channel.to_owned(),
        after,
    }
}

/// A channel that takes nothing but escalations.
fn oncall(escalated_from: &[EscalationSource]) -> OutboxChannel<'_> {
    OutboxChannel {
        name: "oncall",
        capabilities: Capabilities {
            edits: false,
            replies: false,
        },
        accepts: false,
        escalated_from,
        ..CHANNEL
    }
}
