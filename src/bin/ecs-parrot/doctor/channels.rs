//! The settings of the function, and its channels: whether the secrets can be read, and the tokens are valid.

use std::sync::Arc;

use ecs_parrot::aws::secret_store::SecretStore;
use ecs_parrot::aws::{LazySession, Session};
use ecs_parrot::http::SharedClient;
use ecs_parrot::notifier::channel::{ConfiguredChannel, Http};
use ecs_parrot::notifier::config::NotifierConfig;

use super::finding::Findings;
use super::installation::Installation;

pub(super) async fn check(
    session: &Session,
    http: &SharedClient,
    it: &Installation,
    findings: &mut Findings,
) {
    let before = findings.findings.len();
    let session = Arc::new(LazySession::opened(session.clone(), http.clone()));
    let loaded = NotifierConfig::load_with(it.environment(), &session).await;
    let config = match loaded {
        Ok(config) => config,
        Err(error) => {
            return findings.wrong(
                "settings",
                format!("the function cannot start with its settings: {error:#}"),
                "correct them, `ecs-parrot config FILE`, and deploy again".to_owned(),
            );
        }
    };
    for warning in &config.warnings {
        findings.warning(
            "settings",
            warning.clone(),
            "look at the setting".to_owned(),
        );
    }
    if config.channels.is_log_only() {
        findings.wrong(
            "no_channel",
            "no channel is configured, so that messages are written to the log only".to_owned(),
            "set `channels`".to_owned(),
        );
    }
    let secrets = SecretStore::new(Arc::clone(&session));
    let http = Http::with_secret_store(http.clone(), secrets).with_aws(session);
    let mut untried = Vec::new();
    for channel in &config.channels.configured {
        match channel.channel.check(&http) {
            Some(answer) => note(channel, answer.await.why(), findings),
            None => untried.push(format!("`{}`", channel.name)),
        }
    }
    findings.done("channels", before);
    if !untried.is_empty() && !config.channels.is_log_only() {
        findings.untried(
            "channels",
            format!("whether {} take messages: that can only be tried by posting one", untried.join(", ")),
            format!("aws lambda invoke --function-name {} --payload '{{\"source\": \"ecs-parrot\", \"detail-type\": \"Send Test\"}}' --cli-binary-format raw-in-base64-out /dev/stdout", it.name),
        );
    }
}

fn note(channel: &ConfiguredChannel, why: Option<&str>, findings: &mut Findings) {
    if let Some(why) = why {
        findings.wrong(
            "channel",
            format!("the channel `{}` does not work: {why}", channel.name),
            "correct its token or its settings: docs/channels.md".to_owned(),
        );
    }
}
