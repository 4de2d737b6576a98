//! Where an action is shown: one policy for all channels, by what a channel can do.

use serde::{Deserialize, Serialize};

use super::action::Reason;
use crate::notifier::channel::Capabilities;

/// One step of showing an action in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The thread's message is edited.
    Edit,
    /// A reply to the thread's message.
    Reply { broadcast: bool },
    /// A new message, which stands for the thread from now on.
    Post,
}

/// What a message of a thread is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThreadForm {
    /// The thread as it is now. It is the thread's own message, and what edits write.
    Whole,
    /// One turn: a reply, or a message in a channel that cannot reply.
    Turn,
}

/// What the reader must notice of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// The thread begins.
    Opening,
    /// An edit and nothing else.
    Quiet,
    /// A step in the thread's course, for channels that do not need a message of its own for it.
    Step,
    /// A new state or a reminder.
    News,
    /// The end of a problem, which is never broadcast.
    Recovery,
    /// It got worse, came back, failed, or waits for a person.
    Alarm,
    /// A count, for channels that cannot edit.
    Summary,
}

impl Weight {
    fn of(reason: Reason) -> Self {
        match reason {
            Reason::Opened => Self::Opening,
            Reason::Counted | Reason::Learned | Reason::Escalated => Self::Quiet,
            Reason::Continued => Self::Step,
            Reason::Summary => Self::Summary,
            Reason::Reminder | Reason::Completed | Reason::Stopped | Reason::RolledBack => {
                Self::News
            }
            Reason::Recovered => Self::Recovery,
            Reason::Waits
            | Reason::HookFailed
            | Reason::RollsBack
            | Reason::Failed
            | Reason::Worse
            | Reason::CameBack => Self::Alarm,
        }
    }
}

/// The steps of an action in a channel that has the thread's message.
///
/// | | edits and replies | replies only | edits only | neither |
/// |---|---|---|---|---|
/// | opening | post | post | post | post |
/// | counts, what is learned late, escalation | edit | – | edit | – |
/// | a person lets a deployment go on | edit, reply | reply | edit | – |
/// | new state, reminder | edit, reply | reply | edit | post |
/// | recovery | edit, reply | reply | edit, post | post |
/// | worse, came back, failed, waits | edit, broadcast | reply | edit, post | post |
/// | summary of an activity | edit | reply | edit | post |
pub fn steps(reason: Reason, capabilities: Capabilities) -> &'static [Step] {
    const REPLY: Step = Step::Reply { broadcast: false };
    const BROADCAST: Step = Step::Reply { broadcast: true };
    let Capabilities { edits, replies } = capabilities;
    match (Weight::of(reason), edits, replies) {
        (Weight::Opening, _, _) => &[Step::Post],
        (Weight::Quiet, true, _) => &[Step::Edit],
        (Weight::Quiet, false, _) => &[],
        (Weight::Step | Weight::News | Weight::Recovery, true, true) => &[Step::Edit, REPLY],
        (Weight::Alarm, true, true) => &[Step::Edit, BROADCAST],
        (Weight::Summary, true, _) => &[Step::Edit],
        (Weight::Step | Weight::News, true, false) => &[Step::Edit],
        (Weight::Recovery | Weight::Alarm, true, false) => &[Step::Edit, Step::Post],
        (Weight::Step, false, false) => &[],
        (_, false, true) => &[REPLY],
        (Weight::News | Weight::Recovery | Weight::Alarm | Weight::Summary, false, false) => {
            &[Step::Post]
        }
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    fn can(edits: bool, replies: bool) -> Capabilities {
        Capabilities { edits, replies }
    }

    #[test]
    fn each_channel_does_what_it_can() {
        for reason in Reason::VARIANTS {
            for (edits, replies) in [(false, false), (false, true), (true, false), (true, true)] {
                let steps = steps(*reason, can(edits, replies));
                let has_edit = steps.contains(&Step::Edit);
                let has_reply = steps.iter().any(|it| matches!(it, Step::Reply { .. }));
                assert!(!has_edit || edits, "{reason}");
                assert!(!has_reply || replies, "{reason}");
            }
        }
    }

    #[test]
    fn a_recovery_and_a_success_are_never_broadcast() {
        for reason in [
            Reason::Recovered,
            Reason::Completed,
            Reason::RolledBack,
            Reason::Stopped,
        ] {
            let broadcast = Step::Reply { broadcast: true };
            assert!(!steps(reason, can(true, true)).contains(&broadcast));
        }
    }
}
