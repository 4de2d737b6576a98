//! Events of the services around ECS: CodeDeploy, EC2, Auto Scaling, AWS Health and composite alarms. Only AWS can say
//! whether they are about ECS, and about which cluster and service.

mod code_deploy;
mod composite_alarm;
mod hosts;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::NotifyRun;
use crate::events;
use crate::fake_aws::Refusal;

/// A sample, as an event of now.
fn event(sample: &str) -> Value {
    let mut event = events::sample(sample);
    event["time"] = json!(Timestamp::now().to_string());
    event
}

/// An event with its own id, so that it is no duplicate.
fn numbered(mut event: Value, number: usize) -> Value {
    event["id"] = json!(format!("event-{number}"));
    event
}

/// The event, in another account.
fn of_account(mut event: Value, account: &str) -> Value {
    event["account"] = json!(account);
    event
}

fn denied(call: &str) -> Refusal {
    let message = format!("User is not authorized to perform: {call}");
    Refusal::new("AccessDeniedException", &message)
}

/// Nothing was posted, and the log says why.
#[track_caller]
fn assert_dropped(run: &NotifyRun, reason: &str) {
    assert_eq!(run.messages, Vec::<String>::new(), "{}", run.log);
    let reason = format!(r#""reason":"{reason}""#);
    assert!(run.log.contains(&reason), "{reason}: {}", run.log);
}

/// The only message. It contains each of the texts.
#[track_caller]
fn assert_posted<'a>(run: &'a NotifyRun, texts: &[&str]) -> &'a str {
    let [message] = &run.messages[..] else {
        panic!("{:?}: {}", run.messages, run.log)
    };
    for text in texts {
        assert!(message.contains(text), "{text}: {message}: {}", run.log);
    }
    message
}
