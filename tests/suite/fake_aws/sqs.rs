//! SQS, as far as the functions and the command line call it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ACCOUNT, Answer, FakeAws, REGION, Refusal};

#[derive(Default)]
pub(super) struct Sqs {
    /// The account of each queue that can be looked up by its name.
    queues: BTreeMap<String, String>,
    /// How often each queue delivers a message before it moves it to the dead-letter queue (`maxReceiveCount`).
    receives: BTreeMap<String, u32>,
}

impl FakeAws {
    /// Adds a queue that can be looked up, in this account or in another.
    pub(crate) fn queue(&self, name: &str, account: &str) {
        let queues = &mut self.state().sqs.queues;
        queues.insert(name.to_owned(), account.to_owned());
    }

    /// From now on the queue has a dead-letter queue, with this `maxReceiveCount`.
    pub(crate) fn max_receives(&self, queue: &str, receives: u32) {
        let mut state = self.state();
        state.sqs.receives.insert(queue.to_owned(), receives);
    }
}

impl Sqs {
    pub(super) fn act(&self, operation: &str, body: &Value) -> Answer {
        match operation {
            "ChangeMessageVisibilityBatch" => {
                let ids = entries(body).map(|entry| json!({"Id": entry["Id"]}));
                Ok(json!({"Successful": ids.collect::<Vec<_>>(), "Failed": []}))
            }
            "SendMessageBatch" => {
                let sent = entries(body).map(|entry| {
                    json!({"Id": entry["Id"], "MessageId": "5fea7756-0ea4-451a-a703-a558b933e274"})
                });
                Ok(json!({"Successful": sent.collect::<Vec<_>>(), "Failed": []}))
            }
            "SendMessage" => {
                let is_fifo = body["QueueUrl"].as_str().unwrap().ends_with(".fifo");
                for field in ["MessageGroupId", "MessageDeduplicationId"] {
                    if is_fifo && body[field].is_null() {
                        let message = format!("The request must contain the parameter {field}.");
                        return Err(Refusal::new("MissingParameter", &message));
                    }
                }
                Ok(json!({"MessageId": "5fea7756-0ea4-451a-a703-a558b933e274"}))
            }
            "GetQueueUrl" => {
                let name = body["QueueName"].as_str().unwrap();
                let owner = body["QueueOwnerAWSAccountId"].as_str().unwrap_or(ACCOUNT);
                match self.queues.get(name) {
                    Some(account) if account == owner => {
                        let url = format!("https://sqs.{REGION}.amazonaws.com/{account}/{name}");
                        Ok(json!({"QueueUrl": url}))
                    }
                    _ => Err(Refusal::new(
                        "AWS.SimpleQueueService.NonExistentQueue",
                        "The specified queue does not exist.",
                    )),
                }
            }
            "GetQueueAttributes" => {
                assert_eq!(body["AttributeNames"], json!(["RedrivePolicy"]));
                let url = body["QueueUrl"].as_str().unwrap();
                let attributes = match self.receives.get(url.rsplit('/').next().unwrap()) {
                    Some(most) => {
                        let target = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:dead.fifo");
                        let policy =
                            json!({"deadLetterTargetArn": target, "maxReceiveCount": most});
                        json!({"RedrivePolicy": policy.to_string()})
                    }
                    None => json!({}),
                };
                Ok(json!({"Attributes": attributes}))
            }
            other => panic!("the fake SQS does not support {other}"),
        }
    }
}

/// The entries of a batch call, which takes at most ten.
pub(super) fn entries(body: &Value) -> impl Iterator<Item = &Value> {
    let entries = body["Entries"].as_array().unwrap();
    assert!((1..=10).contains(&entries.len()), "{body}");
    entries.iter()
}
