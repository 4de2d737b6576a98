//! What can be done in a chat with a message: post it, edit it, or add a reply to its thread.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::notifier::message::Message;

/// What is done in the chat with a message. A channel that can neither edit nor reply posts in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Posts a new message.
    Post,
    /// Replaces the content of this message.
    Update(&'a MessageRef),
    /// Posts a reply in the thread of this message. `broadcast` also shows it in the channel itself.
    Reply {
        root: &'a MessageRef,
        broadcast: bool,
    },
}

/// Identifies a posted message, so that it can be edited and replied to. Both values come from the chat's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRef {
    pub channel: String,
    /// Unique within the channel. In Slack it is the `ts` of the message.
    pub id: String,
}

/// What a channel type can do with a message that it has posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    pub edits: bool,
    pub replies: bool,
}

impl Capabilities {
    pub(super) const NONE: Self = Self {
        edits: false,
        replies: false,
    };
}

/// A message with the body of its request, which is made once for all attempts.
#[derive(Debug, Clone)]
pub struct PreparedMessage<'a> {
    pub message: &'a Message,
    pub operation: Operation<'a>,
    /// `null` if the channel writes text only.
    pub body: Value,
}
