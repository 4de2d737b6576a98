//! SNS's Publish: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>.
//!
//! SNS speaks the AWS Query protocol: the request is a form, the answer is XML.
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Client, Request};
use crate::aws::CallError;

/// The unreserved characters of RFC 3986 need no encoding in a form.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

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
    let mut fields = vec![
        ("Action", "Publish"),
        ("Version", "2010-03-31"),
        ("TopicArn", topic),
        ("Message", message),
    ];
    if let Some(FifoIds {
        group,
        deduplication,
    }) = fifo
    {
        fields.push(("MessageGroupId", group));
        fields.push(("MessageDeduplicationId", deduplication));
    }
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, VALUE)));
    let request = Request {
        operation: "Publish",
        path: "/".to_owned(),
        headers: vec![(
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        )],
        body: fields.collect::<Vec<_>>().join("&"),
    };
    sns.send(request).await.map(|_| ())
}
