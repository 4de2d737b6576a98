//! Calls services without their SDK crates, where only few calls are needed.
//!
//! An SDK crate is always built and linked as a whole: five of them were two fifths of the build, for eight calls in
//! all (docs/performance.md). These calls use the SDK's runtime instead. The SDK still provides credentials,
//! signatures, retries, timeouts, errors and endpoints. Only the format of the requests is written here.

pub mod cloud_watch;
mod endpoint;
pub mod iam;
pub mod lambda;
pub mod logs;
mod operation;
mod query;
mod query_error;
pub mod sns;
pub mod sts;

use std::fmt;

use aws_config::SdkConfig;
use aws_runtime::service_clock_skew::ServiceClockSkewInterceptor;
use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use serde_json::{Map, Value};

use super::{CallError, ErrorKind};

/// An AWS service and its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Its name in `AWS_ENDPOINT_URL_…` and in profiles.
    pub id: &'static str,
    /// Its name in host names and in signatures.
    pub name: &'static str,
    /// Its name in `x-amz-target`, before the operation. Empty if the service does not use the AWS JSON protocol.
    pub target: &'static str,
}

pub const CLOUD_WATCH: Service = Service {
    id: "CloudWatch",
    name: "monitoring",
    target: "",
};

pub const CLOUD_WATCH_LOGS: Service = Service {
    id: "CloudWatch Logs",
    name: "logs",
    target: "Logs_20140328",
};

pub const CLOUD_TRAIL: Service = Service {
    id: "CloudTrail",
    name: "cloudtrail",
    target: "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101",
};

pub const CODE_DEPLOY: Service = Service {
    id: "CodeDeploy",
    name: "codedeploy",
    target: "CodeDeploy_20141006",
};

pub const EVENT_BRIDGE: Service = Service {
    id: "EventBridge",
    name: "events",
    target: "AWSEvents",
};

/// It has one address in each partition: <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>.
pub const IAM: Service = Service {
    id: "IAM",
    name: "iam",
    target: "",
};

pub const LAMBDA: Service = Service {
    id: "Lambda",
    name: "lambda",
    target: "",
};

pub const SECRETS_MANAGER: Service = Service {
    id: "Secrets Manager",
    name: "secretsmanager",
    target: "secretsmanager",
};

pub const SNS: Service = Service {
    id: "SNS",
    name: "sns",
    target: "",
};

pub const STS: Service = Service {
    id: "STS",
    name: "sts",
    target: "",
};

pub const SYSTEMS_MANAGER: Service = Service {
    id: "SSM",
    name: "ssm",
    target: "AmazonSSM",
};

/// A client of one service, with a session's credentials and region.
#[derive(Debug, Clone)]
pub struct Client {
    config: SdkConfig,
    service: Service,
    /// Measures how far this machine's clock differs from AWS's.
    clock: SharedInterceptor,
}

/// A request, without what the SDK adds to it.
#[derive(Clone)]
pub struct Request {
    pub method: Method,
    /// AWS's name of the call, `GetParameter`.
    pub operation: &'static str,
    /// Percent-encoded, with its leading slash.
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

/// The answer of a call that succeeded.
#[derive(Clone)]
pub struct Response {
    /// Names are in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// The error that a service answered.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct ErrorResponse(ErrorMetadata);

impl Client {
    pub fn new(config: SdkConfig, service: Service) -> Self {
        let clock = SharedInterceptor::new(ServiceClockSkewInterceptor::new());
        Self {
            config,
            service,
            clock,
        }
    }

    /// Makes a call of the AWS JSON 1.1 protocol:
    /// <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>.
    ///
    /// # Errors
    ///
    /// [`CallError`], after the session's retries, or if the answer is not a JSON object.
    pub async fn call(&self, operation: &'static str, input: &Value) -> Result<Value, CallError> {
        let target = format!("{}.{operation}", self.service.target);
        let request = Request {
            method: Method::Post,
            operation,
            path: "/".to_owned(),
            headers: vec![
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                ("x-amz-target", target),
            ],
            body: input.to_string(),
        };
        let response = self.send(request).await?;
        // CloudWatch Logs answers some calls with an empty body.
        if response.body.is_empty() {
            return Ok(Value::Object(Map::new()));
        }
        let answer: Result<Map<_, _>, _> = serde_json::from_slice(&response.body);
        answer.map(Value::Object).map_err(|error| CallError {
            call: operation,
            code: None,
            message: format!("the answer is not a JSON object: {error}"),
            kind: ErrorKind::Unavailable,
        })
    }

    /// # Errors
    ///
    /// [`CallError`], after the session's retries.
    pub async fn send(&self, request: Request) -> Result<Response, CallError> {
        let call = request.operation;
        let endpoint = endpoint::of(&self.config, self.service).await;
        let endpoint = &endpoint.map_err(|error| CallError {
            call,
            code: None,
            message: format!("there is no endpoint: {error}"),
            kind: ErrorKind::Refused,
        })?;
        let sent = operation::invoke(self, endpoint, request).await;
        sent.map_err(|error| CallError::of(call, error))
    }
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl ProvideErrorMetadata for ErrorResponse {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

// `Debug` does not show bodies, because they hold secrets and events.

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Request");
        shown
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Response");
        shown
            .field("length", &self.body.len())
            .finish_non_exhaustive()
    }
}
