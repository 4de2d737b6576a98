//! The address of a service: the configured one, or else the one of the region.

use aws_config::SdkConfig;
use aws_sdk_ecs::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_types::service_config::ServiceConfigKey;

use super::{
    CLOUD_TRAIL, CLOUD_WATCH_LOGS, EVENT_BRIDGE, IAM, SECRETS_MANAGER, SNS, STS, SYSTEMS_MANAGER,
    Service,
};
use crate::ecs::arn;

pub(super) async fn of(config: &SdkConfig, service: Service) -> Result<String, BoxError> {
    match configured(config, service) {
        Some(endpoint) => Ok(endpoint),
        None => of_region(config, service).await,
    }
}

/// `AWS_ENDPOINT_URL_SSM` and similar names, also in a profile, take precedence over `AWS_ENDPOINT_URL`:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>.
fn configured(config: &SdkConfig, service: Service) -> Option<String> {
    let general = config.endpoint_url().map(str::to_owned);
    if config.get_origin("endpoint_url").is_client_config() {
        return general;
    }
    let key = ServiceConfigKey::builder()
        .service_id(service.id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let own = config.service_config().and_then(|it| it.load_config(key));
    own.or(general)
}

/// The SDK has the rules for partitions, FIPS and dual stack in the crate of each service. Apart from the exceptions
/// here, the host names of these services differ from those of ECS only in the first label.
async fn of_region(config: &SdkConfig, service: Service) -> Result<String, BoxError> {
    let region = config.region().ok_or("no region is set")?.to_string();
    if service == IAM
        && let Some(host) = host_of_iam(&region, config.use_fips() == Some(true))
    {
        return Ok(format!("https://{host}"));
    }
    // The usual hosts of Secrets Manager support IPv6, and there are no dual-stack ones:
    // <https://docs.aws.amazon.com/general/latest/gr/asm.html>.
    let dual_stack = config.use_dual_stack() == Some(true) && service != SECRETS_MANAGER;
    // In GovCloud the usual hosts of these services support FIPS, and there are no special ones:
    // <https://docs.aws.amazon.com/general/latest/gr/ssm.html>,
    // <https://docs.aws.amazon.com/general/latest/gr/cwl_region.html>,
    // <https://docs.aws.amazon.com/general/latest/gr/sns.html>,
    // <https://docs.aws.amazon.com/general/latest/gr/ev.html>,
    // <https://docs.aws.amazon.com/general/latest/gr/ct.html>,
    // <https://docs.aws.amazon.com/general/latest/gr/sts.html>.
    const FIPS_BY_DEFAULT: [Service; 6] = [
        SYSTEMS_MANAGER,
        CLOUD_WATCH_LOGS,
        SNS,
        EVENT_BRIDGE,
        CLOUD_TRAIL,
        STS,
    ];
    let is_fips_by_default =
        FIPS_BY_DEFAULT.contains(&service) && region.starts_with("us-gov-") && !dual_stack;
    let params = Params::builder()
        .region(region)
        .use_fips(config.use_fips() == Some(true) && !is_fips_by_default)
        .use_dual_stack(dual_stack)
        .build()?;
    let of_ecs = DefaultResolver::new().resolve_endpoint(&params).await?;
    let rest = of_ecs.url().strip_prefix("https://ecs");
    let rest = rest.ok_or("ECS has an unexpected host name")?;
    Ok(format!("https://{}{rest}", service.name))
}

/// In two partitions IAM's host has no region in its name. In the others the region is that of the signature.
/// <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>
fn host_of_iam(region: &str, fips: bool) -> Option<&'static str> {
    match (arn::partition(region), fips) {
        ("aws", false) => Some("iam.amazonaws.com"),
        ("aws", true) => Some("iam-fips.amazonaws.com"),
        ("aws-us-gov", _) => Some("iam.us-gov.amazonaws.com"),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use aws_config::Region;

    use super::super::{CODE_DEPLOY, LAMBDA};
    use super::*;

    async fn endpoint(service: Service, region: &str, fips: bool, dual_stack: bool) -> String {
        let config = SdkConfig::builder()
            .region(Region::new(region.to_owned()))
            .use_fips(fips)
            .use_dual_stack(dual_stack)
            .build();
        let found = of(&config, service).await;
        found.unwrap_or_else(|error| format!("error: {error}"))
    }

    /// The expected hosts are those of the services' own crates (1.133 of Systems Manager, 1.156 of Lambda and so on).
    #[tokio::test]
    async fn every_partition_has_its_hosts() {
        for (service, region, fips, dual_stack, expected) in [
            (
                LAMBDA,
                "eu-west-1",
                false,
                false,
                "https://lambda.eu-west-1.amazonaws.com",
            ),
            (
                LAMBDA,
                "us-east-1",
                true,
                false,
                "https://lambda-fips.us-east-1.amazonaws.com",
            ),
            (
                LAMBDA,
                "eu-west-1",
                false,
                true,
                "https://lambda.eu-west-1.api.aws",
            ),
            (
                LAMBDA,
                "us-east-1",
                true,
                true,
                "https://lambda-fips.us-east-1.api.aws",
            ),
            (
                CODE_DEPLOY,
                "cn-north-1",
                false,
                false,
                "https://codedeploy.cn-north-1.amazonaws.com.cn",
            ),
            (
                SECRETS_MANAGER,
                "us-gov-west-1",
                true,
                false,
                "https://secretsmanager-fips.us-gov-west-1.amazonaws.com",
            ),
            (
                SYSTEMS_MANAGER,
                "us-gov-west-1",
                true,
                false,
                "https://ssm.us-gov-west-1.amazonaws.com",
            ),
            (
                SECRETS_MANAGER,
                "us-east-1",
                false,
                true,
                "https://secretsmanager.us-east-1.amazonaws.com",
            ),
            (
                SECRETS_MANAGER,
                "us-east-1",
                true,
                true,
                "https://secretsmanager-fips.us-east-1.amazonaws.com",
            ),
            (
                SECRETS_MANAGER,
                "us-gov-east-1",
                false,
                true,
                "https://secretsmanager.us-gov-east-1.amazonaws.com",
            ),
            (
                SECRETS_MANAGER,
                "us-gov-east-1",
                true,
                true,
                "https://secretsmanager-fips.us-gov-east-1.amazonaws.com",
            ),
            (
                SECRETS_MANAGER,
                "cn-north-1",
                false,
                true,
                "https://secretsmanager.cn-north-1.amazonaws.com.cn",
            ),
            (
                CLOUD_WATCH_LOGS,
                "us-gov-east-1",
                true,
                false,
                "https://logs.us-gov-east-1.amazonaws.com",
            ),
            (
                CLOUD_WATCH_LOGS,
                "us-gov-east-1",
                true,
                true,
                "https://logs-fips.us-gov-east-1.api.aws",
            ),
            (
                SNS,
                "eu-west-1",
                false,
                false,
                "https://sns.eu-west-1.amazonaws.com",
            ),
            (
                SNS,
                "cn-north-1",
                false,
                false,
                "https://sns.cn-north-1.amazonaws.com.cn",
            ),
            (
                SNS,
                "us-gov-west-1",
                true,
                false,
                "https://sns.us-gov-west-1.amazonaws.com",
            ),
            (
                EVENT_BRIDGE,
                "us-gov-west-1",
                true,
                false,
                "https://events.us-gov-west-1.amazonaws.com",
            ),
            (
                STS,
                "us-east-2",
                true,
                false,
                "https://sts-fips.us-east-2.amazonaws.com",
            ),
            (
                STS,
                "us-gov-west-1",
                true,
                false,
                "https://sts.us-gov-west-1.amazonaws.com",
            ),
            (
                CLOUD_TRAIL,
                "eu-west-1",
                false,
                false,
                "https://cloudtrail.eu-west-1.amazonaws.com",
            ),
            (
                SYSTEMS_MANAGER,
                "ca-central-1",
                true,
                false,
                "https://ssm-fips.ca-central-1.amazonaws.com",
            ),
            (IAM, "us-east-1", false, false, "https://iam.amazonaws.com"),
            (
                IAM,
                "us-east-1",
                true,
                true,
                "https://iam-fips.amazonaws.com",
            ),
            (
                IAM,
                "us-gov-west-1",
                true,
                false,
                "https://iam.us-gov.amazonaws.com",
            ),
            (
                IAM,
                "cn-north-1",
                false,
                false,
                "https://iam.cn-north-1.amazonaws.com.cn",
            ),
            (
                SYSTEMS_MANAGER,
                "us-iso-east-1",
                false,
                false,
                "https://ssm.us-iso-east-1.c2s.ic.gov",
            ),
        ] {
            let found = endpoint(service, region, fips, dual_stack).await;
            assert_eq!(found, expected, "{region}");
        }
    }

    #[tokio::test]
    async fn a_configured_address_takes_precedence() {
        let config = SdkConfig::builder()
            .region(Region::new("eu-west-1"))
            .endpoint_url("http://127.0.0.1:1")
            .build();
        assert_eq!(of(&config, LAMBDA).await.unwrap(), "http://127.0.0.1:1");
    }

    #[tokio::test]
    async fn without_a_region_there_is_no_endpoint() {
        let error = of(&SdkConfig::builder().build(), LAMBDA).await.unwrap_err();
        assert_eq!(error.to_string(), "no region is set");
    }
}
