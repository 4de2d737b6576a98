//! Connects the SDK to our HTTP client:
//! <https://docs.rs/aws-smithy-runtime-api/latest/aws_smithy_runtime_api/client/http/>.

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
            timeout: timeout(settings),
        })
    }
}

/// The SDK has one timeout for connecting and one for the first byte. Our client has the same connect timeout for all
/// calls. So a call with a short connect timeout, such as the search for an instance's role, gets the sum of both as
/// the timeout of the whole call.
fn timeout(settings: &HttpConnectorSettings) -> Option<Duration> {
    let connecting = settings.connect_timeout()?;
    Some(connecting + settings.read_timeout()?)
}

#[derive(Debug)]
struct Connector {
    client: SharedClient,
    /// For the whole call. Without it, only the SDK's own timeouts apply.
    timeout: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (client, timeout) = (self.client.clone(), self.timeout);
        HttpConnectorFuture::new(async move {
            let client = client
                .get()
                .map_err(|error| ConnectorError::user(error.into()))?;
            let mut request = convert(request)?;
            *request.timeout_mut() = timeout;
            let response = client.execute(request).await.map_err(connector_error)?;
            let response = ::http::Response::from(response).map(SdkBody::from_body_1_x);
            HttpResponse::try_from(response)
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn convert(request: HttpRequest) -> Result<Request, ConnectorError> {
    let request = request.try_into_http1x();
    let request = request.map_err(|error| ConnectorError::user(error.into()))?;
    if let Some(connection) = request.extensions().get::<CaptureSmithyConnection>() {
        connection.set_connection_retriever(|| Some(unknown_connection()));
    }
    let request = Request::try_from(request.map(Body::wrap));
    request.map_err(|error| ConnectorError::user(error.into()))
}

/// The SDK wants to close the connection of a call that failed with 5xx, and logs an error if it does not know the
/// connection. `reqwest` itself closes connections that timed out or broke, and cannot be asked to close others. So
/// closing this one does nothing.
fn unknown_connection() -> ConnectionMetadata {
    ConnectionMetadata::builder()
        .proxied(false)
        .poison_fn(|| ())
        .build()
}

/// The SDK retries timeouts and I/O errors.
fn connector_error(error: reqwest::Error) -> ConnectorError {
    // A URL may contain an account id.
    let error = error.without_url();
    match () {
        () if error.is_timeout() => ConnectorError::timeout(error.into()),
        () if error.is_builder() => ConnectorError::user(error.into()),
        () => ConnectorError::io(error.into()),
    }
}
