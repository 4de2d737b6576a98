//! AWS as both halves see it: a session with an account and a region, a task as ECS shows it, and what a call
//! that failed means for whoever made it.

mod log_destination;
mod task;

use std::error::Error;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, error::CredentialsError,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{arn, certificates};

pub use log_destination::LogDestination;
pub use task::Task;

/// A server that accepts a call and never answers would hold us for ever: the SDK has no limit of its own.
const ATTEMPT: Duration = Duration::from_secs(20);
const CALL: Duration = Duration::from_secs(60);

/// Credentials and region, from which clients are made.
#[derive(Debug, Clone)]
pub struct Session {
    config: SdkConfig,
    region: Region,
}

/// How a session is opened, given a region for where the environment names none: a function and a person have
/// their credentials in other places, and a function's program has no use for the other ways.
pub type Open = fn(String) -> BoxFuture<'static, Result<Session, SessionError>>;

/// A session that is opened by whoever needs it first.
#[derive(Debug)]
pub struct LazySession {
    open: Open,
    session: OnceCell<Session>,
}

impl LazySession {
    pub fn new(open: Open) -> Self {
        Self {
            open,
            session: OnceCell::new(),
        }
    }

    /// In the environment's region; where it names none, nothing is found, and the call says so.
    pub async fn own(&self) -> Result<&Session, SessionError> {
        self.get("us-east-1").await
    }

    pub async fn get(&self, region: &str) -> Result<&Session, SessionError> {
        let open = || (self.open)(region.to_owned());
        self.session.get_or_try_init(open).await
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("no region: give --region, or set AWS_REGION, or `region` in the profile")]
    NoRegion,
    #[error("`{0}` is no region's name: they look like `eu-west-1`")]
    NoRegionsName(String),
    #[error(
        "profile `{profile}`{from} is not there or gives no credentials ({why}): see `aws configure list-profiles`"
    )]
    NoProfile {
        profile: String,
        /// Where it was named, if not by a flag.
        from: &'static str,
        why: String,
    },
    #[error("no credentials: {0}; give --profile, or set AWS_ACCESS_KEY_ID and its companions")]
    NoCredentials(String),
    #[error(
        "no AWS credentials: {0}; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its companions, or log in with `aws sso login`"
    )]
    NoneInEnvironment(String),
    #[error("{variable}: {problem}; allowed: {}", certificates::ALLOWED)]
    Certificates {
        variable: &'static str,
        problem: String,
    },
}

impl Session {
    /// Finds region and credentials as the AWS CLI does, and fails now rather than at the first call.
    pub async fn open(profile: Option<&str>, region: Option<&str>) -> Result<Self, SessionError> {
        trusts_somebody()?;
        let mut loader = loader();
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        let mut config = loader.load().await;
        let region = config.region().cloned().ok_or(SessionError::NoRegion)?;
        if !arn::is_region(region.as_ref()) {
            return Err(SessionError::NoRegionsName(region.to_string()));
        }
        if let Some(profile) = profile {
            config = with_profile(config, profile, &region);
        }
        let of_environment = || {
            let variable = std::env::var("AWS_PROFILE").ok();
            variable.filter(|profile| !profile.is_empty())
        };
        credentials(&config).await.map_err(|why| {
            let (profile, from) = match profile {
                Some(profile) => (Some(profile.to_owned()), ""),
                None => (of_environment(), " of AWS_PROFILE"),
            };
            match profile {
                Some(profile) => SessionError::NoProfile { profile, from, why },
                None => SessionError::NoCredentials(why),
            }
        })?;
        Ok(Self { config, region })
    }

    /// A Lambda function's own. Lambda puts region and credentials into the environment; the places where a
    /// person keeps them (profiles, logins, an instance's role) are not looked at, nor even linked: finding them
    /// would cost each cold start more than all else.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
    pub fn of_function() -> Result<Self, SessionError> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let is_on = |name| variable(name).map(|value| value.eq_ignore_ascii_case("true"));
        let region = Region::new(variable("AWS_REGION").ok_or(SessionError::NoRegion)?);
        let credentials = EnvironmentVariableCredentialsProvider::new();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region.clone())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts());
        config.set_endpoint_url(variable("AWS_ENDPOINT_URL"));
        config.set_use_fips(is_on("AWS_USE_FIPS_ENDPOINT"));
        config.set_use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT"));
        Ok(Self {
            config: config.build(),
            region,
        })
    }

    /// Whatever the environment gives; where it names no region, this one. Without credentials it fails now, in one
    /// sentence, rather than at each call.
    pub async fn of_environment(region: String) -> Result<Self, SessionError> {
        trusts_somebody()?;
        let config = loader().load().await;
        let fallback = || Region::new(region);
        let region = config.region().cloned().unwrap_or_else(fallback);
        let checked = credentials(&config).await;
        checked.map_err(SessionError::NoneInEnvironment)?;
        Ok(Self { config, region })
    }

    pub fn region(&self) -> &str {
        self.region.as_ref()
    }

    pub fn ecs(&self) -> aws_sdk_ecs::Client {
        aws_sdk_ecs::Client::new(&self.config)
    }

    /// ECS in another region, for whoever would rather have no answer than a late one.
    pub fn ecs_in_a_hurry(&self, region: &str) -> aws_sdk_ecs::Client {
        let config = aws_sdk_ecs::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            .retry_config(hurry())
            .build();
        aws_sdk_ecs::Client::from_conf(config)
    }

    /// The same for CloudWatch Logs.
    pub fn logs_in_a_hurry(&self, region: &str) -> aws_sdk_cloudwatchlogs::Client {
        let config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            .retry_config(hurry())
            .build();
        aws_sdk_cloudwatchlogs::Client::from_conf(config)
    }

    /// Lambda, for whoever waits for a function's answer: as long as a function may take, and once, because an
    /// invocation that is repeated does its work twice.
    pub fn lambda_without_haste(&self) -> aws_sdk_lambda::Client {
        const LONGEST: Duration = Duration::from_secs(910);
        let config = aws_sdk_lambda::config::Builder::from(&self.config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(LONGEST).build())
            .build();
        aws_sdk_lambda::Client::from_conf(config)
    }

    pub fn parameters(&self) -> aws_sdk_ssm::Client {
        aws_sdk_ssm::Client::new(&self.config)
    }

    pub fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.config)
    }

    pub fn dynamo_db_in_a_hurry(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::config::Builder::from(&self.config)
            .retry_config(hurry())
            .build();
        aws_sdk_dynamodb::Client::from_conf(config)
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    pub fn code_deploy(&self) -> aws_sdk_codedeploy::Client {
        aws_sdk_codedeploy::Client::new(&self.config)
    }

    /// CloudWatch Logs, in the region that a log configuration names.
    pub fn logs(&self, region: &str) -> aws_sdk_cloudwatchlogs::Client {
        let config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            .build();
        aws_sdk_cloudwatchlogs::Client::from_conf(config)
    }
}

/// Without a certificate every call would fail, each with another error.
fn trusts_somebody() -> Result<(), SessionError> {
    let environment: Vec<_> = certificates::VARIABLES
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .collect();
    let problem = certificates::problems(&environment).into_iter().next();
    problem.map_or(Ok(()), |(variable, problem)| {
        Err(SessionError::Certificates { variable, problem })
    })
}

/// One more attempt, soon.
fn hurry() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(2)
        .with_initial_backoff(Duration::from_millis(100))
}

fn loader() -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts())
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(CALL)
        .build()
}

/// A profile that is named goes before credentials that lie in the environment, as with the AWS CLI; the SDK
/// by itself would take those, and another account with them.
fn with_profile(config: SdkConfig, profile: &str, region: &Region) -> SdkConfig {
    let provider = ProfileFileCredentialsProvider::builder()
        .profile_name(profile)
        .configure(&ProviderConfig::default().with_region(Some(region.clone())))
        .build();
    config
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(provider))
        .build()
}

/// Whether there are any, or why not.
async fn credentials(config: &SdkConfig) -> Result<(), String> {
    let provider = config
        .credentials_provider()
        .ok_or_else(|| "none are configured".to_owned())?;
    match provider.provide_credentials().await {
        Ok(_) => Ok(()),
        // The SDK's own words are a list of all places, over several lines.
        Err(CredentialsError::CredentialsNotLoaded(_)) => {
            Err("there are none in the environment, a profile or a role of this machine".to_owned())
        }
        Err(error) => Err(innermost(&error)),
    }
}

/// Sends `body` in place of what the SDK made of its own types, which drop every field they do not know.
/// For `customize().mutate_request(…)`; it comes before the signature.
pub fn with_body(body: &Value) -> impl Fn(&mut HttpRequest) + Send + Sync + 'static {
    let body = body.to_string();
    move |request| {
        request
            .headers_mut()
            .insert("content-length", body.len().to_string());
        *request.body_mut() = SdkBody::from(body.as_str());
    }
}

/// A call that did not succeed, after the SDK's own retries.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{call}: {message}")]
pub struct CallError {
    /// AWS's name of the call, `RunTask`.
    pub call: &'static str,
    /// AWS's name of the error, where AWS answered.
    pub code: Option<String>,
    pub message: String,
    pub nature: Nature,
}

/// What is to be done about a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// IAM says no, now and the next time.
    Denied,
    /// The credentials are wrong or have expired.
    Credentials,
    /// Too many calls: later it may work.
    Throttled,
    /// No answer, or the service's own failure: later it may work.
    Unavailable,
    /// The service does not want this call as it is.
    Refused,
}

impl CallError {
    pub fn of<E>(call: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        // Some errors are a name and nothing more.
        let said = error
            .message()
            .filter(|it| !it.is_empty())
            .map(str::to_owned);
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let message = match (&said, &code) {
            (Some(said), _) => said.clone(),
            (None, Some(code)) => code.clone(),
            (None, None) => unanswered(&error, status),
        };
        let nature = match &error {
            _ if has_bad_credentials(&error) => Nature::Credentials,
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => Nature::Unavailable,
            _ => nature(code.as_deref().unwrap_or_default(), &message, status),
        };
        Self {
            call,
            code,
            message,
            nature,
        }
    }

    /// Whether the same call may succeed later.
    pub fn may_pass(&self) -> bool {
        matches!(self.nature, Nature::Throttled | Nature::Unavailable)
    }

    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// What to do about it, where the message itself does not say.
    pub fn advice(&self) -> Option<String> {
        match self.nature {
            Nature::Denied => Some(match self.denied_action() {
                Some("iam:PassRole") => pass_role(self.denied_resource().unwrap_or("*")),
                Some(action) => format!("allow {action} to whoever runs this"),
                None => format!("allow {} to whoever runs this", self.call),
            }),
            Nature::Credentials => Some("renew the credentials".to_owned()),
            Nature::Throttled => {
                Some("AWS has too many calls of this account: try again later".to_owned())
            }
            Nature::Unavailable => {
                Some("check the region's name and the network, or try again later".to_owned())
            }
            Nature::Refused if self.has_code("ClusterNotFoundException") => {
                Some("check the cluster's name and the region".to_owned())
            }
            Nature::Refused if self.call == "DescribeTaskDefinition" => Some(
                "check the task definition's name and the region: \
                 `aws ecs list-task-definition-families` names those there are"
                    .to_owned(),
            ),
            Nature::Refused => None,
        }
    }

    /// The action that IAM denied, `iam:PassRole`, in AWS's own words.
    pub fn denied_action(&self) -> Option<&str> {
        self.word_after("is not authorized to perform: ")
    }

    /// The resource that IAM denied it on.
    pub fn denied_resource(&self) -> Option<&str> {
        self.word_after("on resource: ")
    }

    fn word_after(&self, mark: &str) -> Option<&str> {
        let (_, rest) = self.message.split_once(mark)?;
        rest.split_whitespace()
            .next()
            .map(|word| word.trim_end_matches(['.', ',']))
    }
}

/// The statement that lets us hand a role to a task.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security_iam_troubleshoot.html>
fn pass_role(role: &str) -> String {
    let statement = serde_json::json!({
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": role,
        "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    });
    format!("allow it with {statement}, or take a task role out")
}

/// ECS calls EC2, and puts EC2's throttling into an error of its own.
const THROTTLING: [&str; 4] = [
    "Rate exceeded",
    "Request limit exceeded",
    "RequestLimitExceeded",
    "Too many concurrent attempts",
];

/// AWS's errors of one kind have many names, by service and age; some hide in another's.
fn nature(code: &str, message: &str, status: Option<u16>) -> Nature {
    let says = |mark: &str| message.contains(mark);
    match code {
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => Nature::Denied,
        _ if says("is not authorized to perform") => Nature::Denied,
        "ExpiredTokenException"
        | "ExpiredToken"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "MissingAuthenticationTokenException" => Nature::Credentials,
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded" => Nature::Throttled,
        _ if THROTTLING.iter().any(|mark| says(mark)) => Nature::Throttled,
        _ if status.is_some_and(|status| status >= 500) => Nature::Unavailable,
        _ => Nature::Refused,
    }
}

fn unanswered(error: &(dyn Error + 'static), status: Option<u16>) -> String {
    match status {
        Some(status) => format!("AWS answered {status} without a reason"),
        None => format!("AWS did not answer: {}", innermost(error)),
    }
}

fn has_bad_credentials(error: &(dyn Error + 'static)) -> bool {
    sources(error).any(|error| error.is::<CredentialsError>())
}

/// The last cause of an error: what the layers above it say is known.
fn innermost(error: &(dyn Error + 'static)) -> String {
    sources(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_one_kind_under_many_names() {
        for (code, message, status, expected) in [
            ("AccessDeniedException", "no", 400, Nature::Denied),
            (
                "ClientException",
                "User: arn:aws:iam::210987654321:user/ci is not authorized to perform: iam:PassRole",
                400,
                Nature::Denied,
            ),
            (
                "ThrottlingException",
                "Rate exceeded",
                400,
                Nature::Throttled,
            ),
            (
                "InvalidParameterException",
                "Error retrieving subnet information: Rate exceeded",
                400,
                Nature::Throttled,
            ),
            (
                "ClientException",
                "Too many concurrent attempts to create a new revision of the specified family.",
                400,
                Nature::Throttled,
            ),
            (
                "InvalidParameterException",
                "Error retrieving security group information for [sg-1]: Request limit exceeded. (ErrorCode: \
                 RequestLimitExceeded)",
                400,
                Nature::Throttled,
            ),
            ("ExpiredTokenException", "expired", 400, Nature::Credentials),
            ("ServerException", "", 500, Nature::Unavailable),
            ("", "", 503, Nature::Unavailable),
            (
                "ClusterNotFoundException",
                "Cluster not found.",
                400,
                Nature::Refused,
            ),
        ] {
            assert_eq!(
                nature(code, message, Some(status)),
                expected,
                "{code} {message}"
            );
        }
    }

    #[test]
    fn what_was_denied_on_what() {
        let error = CallError {
            call: "RegisterTaskDefinition",
            code: Some("AccessDeniedException".to_owned()),
            message: "User: arn:aws:iam::210987654321:user/ci is not authorized to perform: \
                      iam:PassRole on resource: arn:aws:iam::210987654321:role/app because no \
                      identity-based policy allows the iam:PassRole action"
                .to_owned(),
            nature: Nature::Denied,
        };
        assert_eq!(error.denied_action(), Some("iam:PassRole"));
        assert_eq!(
            error.denied_resource(),
            Some("arn:aws:iam::210987654321:role/app")
        );
    }
}
