//! Makes one call with the SDK's runtime, in the same way as the SDK's own crates.

use aws_config::{BehaviorVersion, Region};
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::recursion_detection::RecursionDetectionInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::service_clock_skew::ServiceClockSkewClassifier;
use aws_runtime::user_agent::{ApiMetadata, UserAgentInterceptor};
use aws_smithy_json::protocol::aws_json_rpc::AwsJsonRpcProtocol;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::orchestrator::{
    HttpRequest, HttpResponse, OrchestratorError, SensitiveOutput,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_schema::protocol::ClientProtocolInner as _;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{ConfigBag, Layer};
use aws_smithy_types::error::metadata::ErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SigningName;
use aws_types::region::SigningRegion;

use super::{Client, ErrorResponse, Method, Request, Response, query_error};

pub(super) async fn invoke(
    client: &Client,
    endpoint: &str,
    request: Request,
) -> Result<Response, SdkError<ErrorResponse, HttpResponse>> {
    let config = &client.config;
    let retries = config.retry_config().cloned();
    let timeouts = config.timeout_config().cloned();
    let operation = Operation::builder()
        .service_name(client.service.id)
        .operation_name(request.operation)
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .standard_retry(&retries.unwrap_or_else(RetryConfig::standard))
        .timeout_config(timeouts.unwrap_or_else(TimeoutConfig::disabled))
        .runtime_plugin(client_plugin(client))
        .retry_classifier(HttpStatusCodeClassifier::default())
        .retry_classifier(TransientErrorClassifier::<ErrorResponse>::new())
        .retry_classifier(AwsErrorCodeClassifier::<ErrorResponse>::new())
        .retry_classifier(ServiceClockSkewClassifier::<ErrorResponse>::new())
        .interceptor(client.clock.clone())
        .interceptor(RequestInfoInterceptor::new())
        .interceptor(UserAgentInterceptor::new())
        .interceptor(InvocationIdInterceptor::new())
        .interceptor(RecursionDetectionInterceptor::new())
        .serializer(|request: Request| write(&request))
        .deserializer(read)
        .build();
    operation.invoke(request).await
}

fn write(request: &Request) -> Result<HttpRequest, BoxError> {
    let mut written = HttpRequest::new(SdkBody::from(request.body.as_str()));
    written.set_method(match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
    })?;
    written.set_uri(request.path.as_str())?;
    let headers = written.headers_mut();
    for (name, value) in &request.headers {
        headers.try_insert(*name, value.clone())?;
    }
    if request.method == Method::Post {
        headers.try_insert("content-length", request.body.len().to_string())?;
    }
    Ok(written)
}

fn read(response: &HttpResponse) -> Result<Response, OrchestratorError<ErrorResponse>> {
    if !response.status().is_success() {
        return Err(OrchestratorError::operation(ErrorResponse(error(response))));
    }
    let headers = response.headers().iter();
    Ok(Response {
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: response.body().bytes().unwrap_or_default().to_vec(),
    })
}

fn error(response: &HttpResponse) -> ErrorMetadata {
    let body = response.body().bytes().unwrap_or_default();
    if let Some(metadata) = query_error::read(body) {
        return metadata;
    }
    // All services that answer with JSON format their errors in the same way, whichever protocol they have.
    let protocol = AwsJsonRpcProtocol::aws_json_1_1();
    let metadata = protocol.parse_error_metadata(response, &ConfigBag::base());
    metadata.map(|it| it.build()).unwrap_or_default()
}

/// Credentials, region and signature, set up as in the SDK's own clients.
fn client_plugin(client: &Client) -> StaticRuntimePlugin {
    let Client {
        config, service, ..
    } = client;
    let region = config.region().cloned();
    let mut layer = Layer::new("client");
    if let Some(name) = config.app_name() {
        layer.store_put(name.clone());
    }
    let partition = region.as_ref().map_or("none", Region::as_ref);
    layer.store_put(RetryPartition::new(format!("{}-{partition}", service.name)));
    layer.store_put(ApiMetadata::new(service.name, env!("CARGO_PKG_VERSION")));
    // With this the SDK does not log the answers.
    layer.store_put(SensitiveOutput);
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig {
        region: region.map(SigningRegion::from),
        name: Some(SigningName::from_static(service.name)),
        signing_options: SigningOptions::default(),
        ..SigV4OperationSigningConfig::default()
    });
    let mut components = RuntimeComponentsBuilder::new("client");
    components.set_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(
        StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]),
    )));
    components.push_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()));
    if let Some(credentials) = config.credentials_provider() {
        components.set_identity_resolver(SCHEME_ID, credentials);
    }
    components.set_identity_cache(config.identity_cache());
    components.set_http_client(config.http_client());
    components.set_time_source(config.time_source());
    components.set_sleep_impl(config.sleep_impl());
    StaticRuntimePlugin::new()
        .with_config(layer.freeze())
        .with_runtime_components(components)
}
