//! The SDK's way to our HTTP client: <https://docs.rs/aws-smithy-runtime-api/latest/aws_smithy_runtime_api/client/http/>.

use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use reqwest::{Body, Request};

use crate::http::SharedClient;

impl HttpClient for SharedClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            client: self.clone(),
            limit: limit(settings),
        })
    }
}

/// The SDK limits a connection and the wait for the first byte; the client has one limit for connections. So whoever
/// gives up early, as those do who look for an instance's role, gets both limits as one.
fn limit(settings: &HttpConnectorSettings) -> Option<Duration> {
    let connecting = settings.connect_timeout()?;
    Some(connecting + settings.read_timeout()?)
}

#[derive(Debug)]
struct Connector {
    client: SharedClient,
    /// From the first byte that is sent to the last of the answer. Without one, the SDK's own limits hold.
    limit: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (client, limit) = (self.client.clone(), self.limit);
        HttpConnectorFuture::new(async move {
            let client = client
                .get()
                .map_err(|error| ConnectorError::user(error.into()))?;
            let mut request = written(request)?;
            *request.timeout_mut() = limit;
            let response = client.execute(request).await.map_err(on_the_way)?;
            let response = ::http::Response::from(response).map(SdkBody::from_body_1_x);
            HttpResponse::try_from(response)
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn written(request: HttpRequest) -> Result<Request, ConnectorError> {
    let request = request.try_into_http1x();
    let request = request.map_err(|error| ConnectorError::user(error.into()))?;
    if let Some(connection) = request.extensions().get::<CaptureSmithyConnection>() {
        connection.set_connection_retriever(|| Some(unknown_connection()));
    }
    let request = Request::try_from(request.map(Body::wrap));
    request.map_err(|error| ConnectorError::user(error.into()))
}

/// The SDK has a connection closed whose call failed with 5xx, and logs an error where it knows of none. `reqwest` closes
/// those that timed out or broke, and has no way to close another.
fn unknown_connection() -> ConnectionMetadata {
    ConnectionMetadata::builder()
        .proxied(false)
        .poison_fn(|| ())
        .build()
}

/// The SDK repeats what timed out and what failed on the way.
fn on_the_way(error: reqwest::Error) -> ConnectorError {
    // An address may hold an account's id.
    let error = error.without_url();
    match () {
        () if error.is_timeout() => ConnectorError::timeout(error.into()),
        () if error.is_builder() => ConnectorError::user(error.into()),
        () => ConnectorError::io(error.into()),
    }
}
