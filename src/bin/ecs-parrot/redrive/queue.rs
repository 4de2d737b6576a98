//! The dead-letter queue: receives, deletes and returns messages.

use aws_sdk_sqs::types::{Message, QueueAttributeName};
use ecs_parrot::aws::CallError;
use futures::{StreamExt as _, stream};

/// How long a received message stays invisible for others. A function may take 15 minutes for one message. Messages
/// that are not deleted are returned at the end.
pub(super) const VISIBILITY_TIMEOUT: i32 = 3_600;

/// Messages that are returned at the same time.
const AT_ONCE: usize = 8;

pub(super) struct Queue<'a> {
    pub(super) sqs: aws_sdk_sqs::Client,
    pub(super) url: &'a str,
}

/// The messages that could not be returned to the queue.
pub(super) struct NotReturned {
    pub(super) messages: usize,
    /// The first error.
    pub(super) why: String,
}

impl Queue<'_> {
    /// The number of visible messages.
    pub(super) async fn length(&self) -> Result<u64, CallError> {
        self.count(QueueAttributeName::ApproximateNumberOfMessages)
            .await
    }

    /// The number of messages that were received but neither deleted nor returned, by any reader.
    pub(super) async fn invisible(&self) -> Result<u64, CallError> {
        self.count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .await
    }

    async fn count(&self, name: QueueAttributeName) -> Result<u64, CallError> {
        let request = self.sqs.get_queue_attributes().queue_url(self.url);
        let answer = request.attribute_names(name.clone()).send().await;
        let answer = answer.map_err(|error| CallError::of("GetQueueAttributes", error))?;
        let length = answer
            .attributes()
            .and_then(|it| it.get(&name)?.parse().ok());
        Ok(length.unwrap_or_default())
    }

    /// Receives one message at a time: with more, the visibility timeout of the later ones would already run while they
    /// wait.
    pub(super) async fn receive(&self) -> Result<Option<Message>, CallError> {
        let answer = self
            .sqs
            .receive_message()
            .queue_url(self.url)
            .max_number_of_messages(1)
            .visibility_timeout(VISIBILITY_TIMEOUT)
            .wait_time_seconds(1)
            .send()
            .await
            .map_err(|error| CallError::of("ReceiveMessage", error))?;
        Ok(answer.messages.unwrap_or_default().pop())
    }

    pub(super) async fn delete(&self, message: &Message) -> Result<(), CallError> {
        let request = self.sqs.delete_message().queue_url(self.url);
        let request = request.set_receipt_handle(message.receipt_handle().map(str::to_owned));
        let answer = request.send().await;
        answer
            .map(|_| ())
            .map_err(|error| CallError::of("DeleteMessage", error))
    }

    /// Returns messages to the queue. A message that cannot be returned becomes visible again after its visibility
    /// timeout.
    pub(super) async fn return_to_queue(
        &self,
        messages: impl IntoIterator<Item = &Message>,
    ) -> Option<NotReturned> {
        let returned = messages
            .into_iter()
            .map(|message| self.make_visible(message));
        let returned: Vec<_> = stream::iter(returned)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let failed: Vec<_> = returned.into_iter().filter_map(Result::err).collect();
        let why = failed.first().map(ToString::to_string);
        why.map(|why| NotReturned {
            messages: failed.len(),
            why,
        })
    }

    async fn make_visible(&self, message: &Message) -> Result<(), CallError> {
        let request = self.sqs.change_message_visibility().queue_url(self.url);
        let request = request.set_receipt_handle(message.receipt_handle().map(str::to_owned));
        match request.visibility_timeout(0).send().await {
            Ok(_) => Ok(()),
            // Its visibility timeout is over, so it is already visible.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|it| it.is_message_not_inflight()) =>
            {
                Ok(())
            }
            Err(error) => Err(CallError::of("ChangeMessageVisibility", error)),
        }
    }
}
