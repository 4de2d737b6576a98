//! The URL of the queue in `--queue`, which accepts a URL, a name or an ARN.

use anyhow::{Context as _, bail};
use aws_sdk_sqs::Client;
use ecs_parrot::aws::CallError;
use ecs_parrot::ecs::arn::Arn;

/// The URL of the queue. A URL is used as it is. A name or an ARN is looked up; an ARN may belong to another account.
///
/// # Errors
///
/// Each error names the text that was typed.
pub(crate) async fn queue_url(sqs: &Client, text: &str) -> anyhow::Result<String> {
    if text.contains("://") {
        return Ok(text.to_owned());
    }
    let (name, account) = match Arn::parse(text) {
        Some(arn) => {
            check_region(sqs, text, &arn)?;
            (arn.resource, Some(arn.account.to_owned()))
        }
        None => (text, None),
    };
    if !is_name(name) {
        bail!("--queue {text}: expected the URL, the name or the ARN of a queue");
    }
    let answer = sqs
        .get_queue_url()
        .queue_name(name)
        .set_queue_owner_aws_account_id(account)
        .send()
        .await
        .map_err(|error| CallError::of("GetQueueUrl", error))
        .with_context(|| match region(sqs) {
            Some(region) => format!("--queue {text}: no URL was found for it in {region}"),
            None => format!("--queue {text}: no URL was found for it"),
        })?;
    let url = answer.queue_url().map(str::to_owned);
    url.with_context(|| format!("--queue {text}: GetQueueUrl answered without a URL"))
}

/// The region in a queue's URL or ARN: `eu-west-1` of
/// `https://sqs.eu-west-1.amazonaws.com/210987654321/jobs` and of `arn:aws:sqs:eu-west-1:210987654321:jobs`.
pub(crate) fn region_of(queue: &str) -> Option<&str> {
    if let Some(arn) = Arn::parse(queue) {
        return Some(arn.region).filter(|region| !region.is_empty());
    }
    let (_, host) = queue.split_once("://sqs.")?;
    host.split('.').next()
}

/// GetQueueUrl looks in one region only. For an ARN of another region it would find another queue of the same name, or
/// no queue.
fn check_region(sqs: &Client, text: &str, arn: &Arn<'_>) -> anyhow::Result<()> {
    if arn.service != "sqs" {
        bail!(
            "--queue {text}: expected the ARN of a queue; this is an ARN of `{}`",
            arn.service
        );
    }
    match region(sqs) {
        Some(region) if region != arn.region => {
            bail!(
                "--queue {text}: the queue is in {}, but --region is {region}",
                arn.region
            )
        }
        Some(_) | None => Ok(()),
    }
}

fn region(sqs: &Client) -> Option<&str> {
    sqs.config().region().map(AsRef::as_ref)
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>
fn is_name(text: &str) -> bool {
    let name = text.strip_suffix(".fifo").unwrap_or(text);
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !name.is_empty() && text.len() <= 80 && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_of_a_queue() {
        for (queue, region) in [
            (
                "https://sqs.eu-west-1.amazonaws.com/210987654321/jobs",
                Some("eu-west-1"),
            ),
            ("arn:aws:sqs:eu-west-2:210987654321:jobs", Some("eu-west-2")),
            ("http://localhost:4566/000000000000/jobs", None),
            ("jobs", None),
        ] {
            assert_eq!(region_of(queue), region, "{queue}");
        }
    }

    #[test]
    fn names_of_queues() {
        for name in ["jobs", "Jobs_2-x", "jobs.fifo"] {
            assert!(is_name(name), "{name}");
        }
        for text in [
            "",
            ".fifo",
            "jobs.fif",
            "a b",
            "210987654321/jobs",
            &"x".repeat(81),
        ] {
            assert!(!is_name(text), "{text}");
        }
    }
}
