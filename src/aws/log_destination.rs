//! The log group and stream to which the awslogs driver sends a container's lines.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html>

use crate::ecs::arn;

/// A log group and the prefix of its streams. Without a prefix, which only EC2 allows, a stream has the name of the
/// container's Docker id, which is not known beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDestination {
    pub group: String,
    prefix: String,
    region: Option<String>,
}

impl LogDestination {
    /// `option` returns the value of an option in a container's `logConfiguration`.
    pub fn read(option: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let region = option("awslogs-region");
        // It becomes a part of a host name, so it must be a region.
        if region
            .as_deref()
            .is_some_and(|region| !arn::is_region(region))
        {
            return None;
        }
        Some(Self {
            group: option("awslogs-group")?,
            prefix: option("awslogs-stream-prefix")?,
            region,
        })
    }

    /// The name of the stream of a container in a task.
    pub fn stream(&self, container: &str, task_id: &str) -> String {
        format!("{}/{container}/{task_id}", self.prefix)
    }

    /// Its own region, or else the region of the task.
    pub fn region<'a>(&'a self, of_task: &'a str) -> &'a str {
        self.region.as_deref().unwrap_or(of_task)
    }
}
