//! SNS's Publish: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>.

use super::{Client, query};
use crate::aws::CallError;

/// A message to a topic.
#[derive(Debug)]
pub struct Publication<'a> {
    pub topic: &'a str,
    pub message: &'a str,
    /// `None` if the topic is not FIFO.
    pub fifo: Option<FifoIds<'a>>,
}

/// What a FIFO topic requires. Each id has at most 128 characters: letters, digits and punctuation.
#[derive(Debug)]
pub struct FifoIds<'a> {
    /// Messages of one group keep their order.
    pub group: &'a str,
    /// Within five minutes, the topic drops a second message with this id.
    pub deduplication: &'a str,
}

/// Publishes a message. The answer's id is not read, because nothing needs it.
///
/// # Errors
///
/// [`CallError`], after the client's retries.
pub async fn publish(sns: &Client, publication: &Publication<'_>) -> Result<(), CallError> {
    let Publication {
        topic,
        message,
        fifo,
    } = publication;
    let mut fields = vec![("TopicArn", topic), ("Message", message)];
    if let Some(FifoIds {
        group,
        deduplication,
    }) = fifo
    {
        fields.push(("MessageGroupId", group));
        fields.push(("MessageDeduplicationId", deduplication));
    }
    let request = query::request("Publish", "2010-03-31", fields);
    sns.send(request).await.map(|_| ())
}
