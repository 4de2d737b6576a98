//! What both halves need of AWS: a session with an account and a region, calls with it, and what a failed call means.

mod connector;
pub mod deadline;
mod error;
pub mod function;
mod log_destination;
pub mod lookup_role;
pub mod secret;
pub mod secret_store;
pub mod service;
mod session;
mod task;
pub mod visibility;

pub use error::{CallError, ErrorKind};
pub use log_destination::LogDestination;
pub use session::{LazySession, Open, Session, SessionError};
pub use task::Task;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

/// Replaces the body of a request by `body`. The SDK builds bodies from its own types, which drop every field that they
/// do not know. For `customize().mutate_request(…)`, which runs before the request is signed.
pub fn with_body(body: &Value) -> impl Fn(&mut HttpRequest) + Send + Sync + 'static {
    let body = body.to_string();
    move |request| {
        request
            .headers_mut()
            .insert("content-length", body.len().to_string());
        *request.body_mut() = SdkBody::from(body.as_str());
    }
}
