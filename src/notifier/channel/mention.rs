//! The setting `mention`: whom a channel notifies when something becomes critical.

use super::settings::Settings;
use crate::notifier::message::Message;

/// Text in the channel's own markup that notifies people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    text: String,
}

/// What a channel type accepts as mention.
pub(super) struct MentionForm {
    pub(super) is_mention: fn(&str) -> bool,
    /// What is wrong with another text.
    pub(super) problem: &'static str,
    pub(super) allowed: &'static str,
}

impl Mention {
    /// Reads the setting `mention`. Notes a problem if it is no mention of this form.
    pub(super) fn read(settings: &mut Settings<'_>, form: &MentionForm) -> Option<Self> {
        let text = settings.text("mention")?;
        if !(form.is_mention)(&text) {
            settings.problem("mention", form.problem, form.allowed);
        }
        Some(Self { text })
    }

    /// The text for this message. `None` if it notifies nobody.
    pub(super) fn text_for(&self, message: &Message) -> Option<&str> {
        message.mentions.then_some(self.text.as_str())
    }
}

/// The text of a channel's mention for this message, if it has one.
pub(super) fn text_for<'a>(mention: Option<&'a Mention>, message: &Message) -> Option<&'a str> {
    mention?.text_for(message)
}
