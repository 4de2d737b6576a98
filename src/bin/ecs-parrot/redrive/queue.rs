//! The dead-letter queue: what is taken from it, deleted from it, and returned to it.

use aws_sdk_sqs::types::{Message, QueueAttributeName};
use ecs_parrot::aws::CallError;
use futures::{StreamExt as _, stream};

/// How long a message is ours: a function may take a quarter of an hour for one. What is held is returned at the end.
pub(super) const OURS: i32 = 3_600;

/// Messages that are returned at the same time.
const AT_ONCE: usize = 8;

pub(super) struct Queue<'a> {
    pub(super) sqs: aws_sdk_sqs::Client,
    pub(super) url: &'a str,
}

/// Messages that could not be returned.
pub(super) struct NotReturned {
    pub(super) messages: usize,
    /// The first error.
    pub(super) why: String,
}

impl Queue<'_> {
    /// Messages that can be seen.
    pub(super) async fn length(&self) -> Result<u64, CallError> {
        self.count(QueueAttributeName::ApproximateNumberOfMessages)
            .await
    }

    /// Messages that somebody received and that are neither deleted nor returned.
    pub(super) async fn hidden(&self) -> Result<u64, CallError> {
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

    /// One: more of them would wait for those before them, and are ours from now on.
    pub(super) async fn receive(&self) -> Result<Option<Message>, CallError> {
        let answer = self
            .sqs
            .receive_message()
            .queue_url(self.url)
            .max_number_of_messages(1)
            .visibility_timeout(OURS)
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

    /// For whoever comes next; what cannot be returned is back by itself when our time is over.
    pub(super) async fn return_to_queue(
        &self,
        messages: impl IntoIterator<Item = &Message>,
    ) -> Option<NotReturned> {
        let returned = messages.into_iter().map(|message| self.show(message));
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

    async fn show(&self, message: &Message) -> Result<(), CallError> {
        let request = self.sqs.change_message_visibility().queue_url(self.url);
        let request = request.set_receipt_handle(message.receipt_handle().map(str::to_owned));
        match request.visibility_timeout(0).send().await {
            Ok(_) => Ok(()),
            // Our time was over, and it can be seen.
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
