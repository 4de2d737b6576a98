//! A timer: a delayed message that the function sends to its own queue, to look at a subject again.
//!
//! Anybody who may send to the queue can forge one. It only makes the function look at a subject, as any event does.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::subject::{SubjectKey, SubjectKind, is_plain};
use super::unix_time::UnixTime;

const SOURCE: &str = "ecs-parrot";
const DETAIL_TYPE: &str = "Thread Timer";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadTimer {
    pub subject: SubjectKey,
    /// When it is due.
    pub at: UnixTime,
}

impl ThreadTimer {
    /// The message in the queue.
    pub fn message(&self) -> Value {
        json!({"source": SOURCE, "detail-type": DETAIL_TYPE, "detail": self})
    }

    /// `None` for any other message.
    pub fn read(message: &Value) -> Option<Self> {
        let is = |field: &str, text: &str| message.get(field).and_then(Value::as_str) == Some(text);
        if !is("source", SOURCE) || !is("detail-type", DETAIL_TYPE) {
            return None;
        }
        let timer = Self::deserialize(message.get("detail")?).ok()?;
        let subject = &timer.subject;
        let parts = [
            &subject.account,
            &subject.region,
            &subject.cluster,
            &subject.name,
        ];
        // The function sends no other parts. The key of an item in the table may have 2,048 bytes, and one key that is too
        // long would make the call fail for all keys.
        parts.iter().all(|part| is_plain(part)).then_some(timer)
    }
}

/// `timer of service checkout in prod-web, due 2026-11-12T10:00:00Z`.
impl fmt::Display for ThreadTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SubjectKey {
            kind,
            cluster,
            name,
            ..
        } = &self.subject;
        let kind = kind.to_string().replace('_', " ");
        write!(f, "timer of {kind}")?;
        if !name.is_empty() {
            write!(f, " {name}")?;
        }
        match (cluster.as_str(), self.subject.kind) {
            ("", _) => {}
            (cluster, SubjectKind::Cluster) => write!(f, " {cluster}")?,
            (cluster, _) => write!(f, " in {cluster}")?,
        }
        match self.at.timestamp() {
            Some(at) => write!(f, ", due {at}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_read_as_it_was_written() {
        let timer = ThreadTimer {
            subject: SubjectKey {
                kind: SubjectKind::Service,
                account: "210987654321".to_owned(),
                region: "eu-west-1".to_owned(),
                cluster: "prod-web".to_owned(),
                name: "checkout".to_owned(),
            },
            at: UnixTime::of_milliseconds(1_793_064_704_000),
        };
        assert_eq!(ThreadTimer::read(&timer.message()).as_ref(), Some(&timer));
        let mut other = timer.message();
        other["detail"]["subject"]["kind"] = json!("planet");
        assert_eq!(ThreadTimer::read(&other), None);
        let mut long = timer.message();
        long["detail"]["subject"]["name"] = json!("x".repeat(201));
        assert_eq!(ThreadTimer::read(&long), None);
        assert_eq!(ThreadTimer::read(&json!({"source": "aws.ecs"})), None);
    }
}
