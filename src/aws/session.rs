//! A session: credentials and a region, from which clients are created.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, error::CredentialsError,
};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use super::error::innermost;
use super::lookup_role::{LookupRole, RoleCredentials};
use super::service::{self, Service};
use crate::ecs::arn;
use crate::http::{SharedClient, certificates};

/// The SDK has no timeout of its own for these, so a server that never answers would block the program for ever.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub struct Session {
    config: SdkConfig,
    region: Region,
}

/// Opens a session, with the region to use if the environment names none. Functions and people keep their credentials
/// in different places, and a function's program needs only its own way.
pub type Open = fn(SharedClient, String) -> BoxFuture<'static, Result<Session, SessionError>>;

/// A session that is opened on first use.
#[derive(Debug)]
pub struct LazySession {
    open: Open,
    http: SharedClient,
    session: OnceCell<Session>,
}

impl LazySession {
    pub fn new(open: Open, http: SharedClient) -> Self {
        Self {
            open,
            http,
            session: OnceCell::new(),
        }
    }

    /// A session that is open already.
    pub fn opened(session: Session, http: SharedClient) -> Self {
        Self {
            // It is never called.
            open: |_, _| Box::pin(async { Err(SessionError::NoRegion) }),
            http,
            session: OnceCell::new_with(Some(session)),
        }
    }

    /// The session in the environment's region. If it names none, resources are not found, and the call's error says
    /// so.
    pub async fn own(&self) -> Result<&Session, SessionError> {
        self.get("us-east-1").await
    }

    pub async fn get(&self, region: &str) -> Result<&Session, SessionError> {
        let open = || (self.open)(self.http.clone(), region.to_owned());
        self.session.get_or_try_init(open).await
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("no region: give --region, or set AWS_REGION, or `region` in the profile")]
    NoRegion,
    #[error("`{0}` is not a region name: expected one such as `eu-west-1`")]
    InvalidRegion(String),
    #[error(
        "profile `{profile}`{from} does not exist or gives no credentials ({why}): see `aws configure list-profiles`"
    )]
    NoProfile {
        profile: String,
        /// The variable that named it, if it was not a flag.
        from: &'static str,
        why: String,
    },
    #[error(
        "no credentials: {0}; give --profile, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    NoCredentials(String),
    #[error(
        "no AWS credentials: {0}; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`"
    )]
    NoneInEnvironment(String),
    #[error("{0} is not an address: give one that begins with https:// or http://, or unset it")]
    Endpoint(String),
    #[error("{variable}: {problem}; allowed: {}", certificates::ALLOWED)]
    Certificates {
        variable: &'static str,
        problem: String,
    },
}

impl Session {
    /// Finds region and credentials as the AWS CLI does, and fails now rather than at the first call.
    pub async fn open(
        http: &SharedClient,
        profile: Option<&str>,
        region: Option<&str>,
    ) -> Result<Self, SessionError> {
        check_certificates()?;
        check_endpoints()?;
        let mut loader = loader(http);
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        let mut config = loader.load().await;
        let region = config.region().cloned().ok_or(SessionError::NoRegion)?;
        if !arn::is_region(region.as_ref()) {
            return Err(SessionError::InvalidRegion(region.to_string()));
        }
        if let Some(profile) = profile {
            config = with_profile(config, http, profile, &region);
        }
        let of_environment = || {
            let variable = std::env::var("AWS_PROFILE").ok();
            variable.filter(|profile| !profile.is_empty())
        };
        check_credentials(&config).await.map_err(|why| {
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

    /// The session of a Lambda function. Lambda puts region and credentials into the environment. The places where a
    /// person keeps them (profiles, logins, an instance's role) are not searched, and the code for it is not even
    /// linked: it would cost each cold start more than everything else.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
    pub fn of_function(http: &SharedClient) -> Result<Self, SessionError> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let is_on = |name| variable(name).map(|value| value.eq_ignore_ascii_case("true"));
        let region = Region::new(variable("AWS_REGION").ok_or(SessionError::NoRegion)?);
        let credentials = EnvironmentVariableCredentialsProvider::new();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region.clone())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http.clone())
            .service_config(EndpointVariables)
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

    /// Finds credentials and region in the environment. If it names no region, `region` is used. Without credentials
    /// this fails now with one sentence, and not later at each call.
    pub async fn of_environment(http: &SharedClient, region: String) -> Result<Self, SessionError> {
        check_certificates()?;
        check_endpoints()?;
        let config = loader(http).load().await;
        let fallback = || Region::new(region);
        let region = config.region().cloned().unwrap_or_else(fallback);
        let checked = check_credentials(&config).await;
        checked.map_err(SessionError::NoneInEnvironment)?;
        Ok(Self { config, region })
    }

    /// A session with the role of another account, which is assumed at the first call. All its clients share the
    /// credentials, until they expire. STS answers in the region of this session: its credentials are also valid in
    /// regions that the account switched on itself, unlike those of the global endpoint.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_enable-regions.html>
    #[must_use]
    pub fn in_account(&self, role: &LookupRole, account: &str) -> Self {
        let sts = self.service_with_short_timeout(service::STS, self.region());
        let credentials = RoleCredentials::new(sts, role.clone(), account);
        let config = self.config.to_builder();
        let config = config
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .identity_cache(IdentityCache::lazy().build());
        Self {
            config: config.build(),
            region: self.region.clone(),
        }
    }

    pub fn region(&self) -> &str {
        self.region.as_ref()
    }

    pub fn ecs(&self) -> aws_sdk_ecs::Client {
        aws_sdk_ecs::Client::new(&self.config)
    }

    /// ECS in another region, for calls whose answer is useless when it is late.
    pub fn ecs_with_short_timeout(&self, region: &str) -> aws_sdk_ecs::Client {
        let config = aws_sdk_ecs::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            .retry_config(one_quick_retry())
            .build();
        aws_sdk_ecs::Client::from_conf(config)
    }

    /// Another service in a region. The caller ends a call that takes too long.
    pub fn service_with_short_timeout(
        &self,
        service: service::Service,
        region: &str,
    ) -> service::Client {
        let config = self.config.to_builder();
        let config = config
            .region(Region::new(region.to_owned()))
            .retry_config(one_quick_retry());
        service::Client::new(config.build(), service)
    }

    /// IAM. The caller ends a call that takes too long.
    pub fn iam_with_short_timeout(&self) -> service::Client {
        let region = service::iam::signing_region(self.region());
        let config = self.config.to_builder();
        let config = config
            .region(Region::new(region.to_owned()))
            .retry_config(one_quick_retry());
        service::Client::new(config.build(), service::IAM)
    }

    /// Lambda, for waiting until a function has answered. The timeout is longer than a function may run. There are no
    /// retries, because a repeated invocation does its work twice.
    pub fn lambda_with_long_timeout(&self) -> service::Client {
        const LONGEST: Duration = Duration::from_secs(910);
        let config = self.config.to_builder();
        let config = config
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(LONGEST).build());
        service::Client::new(config.build(), service::LAMBDA)
    }

    /// A client for a service whose SDK crate is not linked.
    pub fn service(&self, service: Service) -> service::Client {
        service::Client::new(self.config.clone(), service)
    }

    pub fn dynamo_db_with_short_timeout(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::config::Builder::from(&self.config)
            .retry_config(one_quick_retry())
            .build();
        aws_sdk_dynamodb::Client::from_conf(config)
    }

    pub fn dynamo_db(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    /// CloudWatch Logs, in the region that a log configuration names.
    pub fn logs(&self, region: &str) -> service::Client {
        Self::logs_of(self.config.to_builder(), region)
    }

    fn logs_of(config: aws_types::sdk_config::Builder, region: &str) -> service::Client {
        let config = config.region(Region::new(region.to_owned()));
        service::Client::new(config.build(), service::CLOUD_WATCH_LOGS)
    }
}

/// Reads `AWS_ENDPOINT_URL_DYNAMODB` and similar variables, for a function, which reads no profile.
#[derive(Debug)]
struct EndpointVariables;

impl LoadServiceConfig for EndpointVariables {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        let value = std::env::var(format!("{}_{service}", key.env())).ok();
        value.filter(|value| !value.is_empty())
    }
}

/// The SDK accepts any text as an address, and panics if it is empty.
fn check_endpoints() -> Result<(), SessionError> {
    let is_address = |value: &str| value.starts_with("https://") || value.starts_with("http://");
    let mut endpoints = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let is_endpoint = name.starts_with("AWS_ENDPOINT_URL");
        is_endpoint.then(|| (name, value.to_string_lossy().into_owned()))
    });
    let wrong = endpoints.find(|(_, value)| !is_address(value));
    wrong.map_or(Ok(()), |(name, _)| Err(SessionError::Endpoint(name)))
}

/// Without a certificate every call would fail, each with a different error.
fn check_certificates() -> Result<(), SessionError> {
    let environment: Vec<_> = certificates::VARIABLES
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .collect();
    let problem = certificates::problems(&environment).into_iter().next();
    problem.map_or(Ok(()), |(variable, problem)| {
        Err(SessionError::Certificates { variable, problem })
    })
}

/// For calls that must not take long: one more attempt, soon after the first.
fn one_quick_retry() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(2)
        .with_initial_backoff(Duration::from_millis(100))
}

fn loader(http: &SharedClient) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .timeout_config(timeouts())
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build()
}

/// A named profile takes precedence over credentials in the environment, as in the AWS CLI. The SDK by itself would use
/// those of the environment, which may belong to another account.
fn with_profile(
    config: SdkConfig,
    http: &SharedClient,
    profile: &str,
    region: &Region,
) -> SdkConfig {
    let own = ProviderConfig::default()
        .with_region(Some(region.clone()))
        .with_http_client(http.clone());
    let provider = ProfileFileCredentialsProvider::builder()
        .profile_name(profile)
        .configure(&own)
        .build();
    config
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(provider))
        .build()
}

/// Checks that there are credentials, or says why there are none.
async fn check_credentials(config: &SdkConfig) -> Result<(), String> {
    let provider = config
        .credentials_provider()
        .ok_or_else(|| "none are configured".to_owned())?;
    match provider.provide_credentials().await {
        Ok(_) => Ok(()),
        // The SDK's own message lists all places, on several lines.
        Err(CredentialsError::CredentialsNotLoaded(_)) => {
            Err("there are none in the environment, a profile or a role of this machine".to_owned())
        }
        Err(error) => Err(innermost(&error)),
    }
}
