//! Failed calls: what a failure means, and what to do about it.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call that did not succeed, after the SDK's own retries.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{call}: {message}")]
pub struct CallError {
    /// AWS's name of the call, `RunTask`.
    pub call: &'static str,
    /// AWS's name of the error, where AWS answered.
    pub code: Option<String>,
    pub message: String,
    pub kind: ErrorKind,
}

/// Why a call failed, as far as it decides what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// IAM does not allow the call. A retry does not help.
    Denied,
    /// The credentials are wrong or have expired.
    Credentials,
    /// There were too many calls. A retry may succeed later.
    Throttled,
    /// There was no answer, or the service itself failed. A retry may succeed later.
    Unavailable,
    /// The service does not accept the call as it is.
    Refused,
}

impl CallError {
    pub fn of<E>(call: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        // Some errors have a name but no message.
        let text = error
            .message()
            .filter(|it| !it.is_empty())
            .map(str::to_owned);
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let message = match (&text, &code) {
            (Some(text), _) => text.clone(),
            (None, Some(code)) => code.clone(),
            (None, None) if has_bad_credentials(&error) => {
                format!("no credentials: {}", innermost(&error))
            }
            (None, None) => without_message(&error, status),
        };
        let kind = match &error {
            _ if has_bad_credentials(&error) => ErrorKind::Credentials,
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => ErrorKind::Unavailable,
            _ => kind(code.as_deref().unwrap_or_default(), &message, status),
        };
        Self {
            call,
            code,
            message,
            kind,
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Throttled | ErrorKind::Unavailable)
    }

    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// What to do about it, if the message itself does not say so.
    pub fn advice(&self) -> Option<String> {
        match self.kind {
            ErrorKind::Denied => Some(match self.denied_action() {
                Some("iam:PassRole") => pass_role(self.denied_resource().unwrap_or("*")),
                Some(action) => format!("allow {action} to the user or role that runs this"),
                None => format!("allow {} to the user or role that runs this", self.call),
            }),
            ErrorKind::Credentials if self.is_clock_error() => Some(
                "correct this machine's clock: AWS accepts a signature only for five minutes"
                    .to_owned(),
            ),
            ErrorKind::Credentials => Some("renew the credentials".to_owned()),
            ErrorKind::Throttled => {
                Some("this account makes too many calls to AWS: try again later".to_owned())
            }
            // The message already says what to do.
            ErrorKind::Unavailable if self.message.contains(UNKNOWN_AUTHORITY) => None,
            ErrorKind::Unavailable => {
                Some("check the region's name and the network, or try again later".to_owned())
            }
            ErrorKind::Refused if self.has_code("ClusterNotFoundException") => {
                Some("check the cluster's name and the region".to_owned())
            }
            ErrorKind::Refused if self.call == "DescribeTaskDefinition" => Some(
                "check the task definition's name and the region: \
                 `aws ecs list-task-definition-families` lists the existing ones"
                    .to_owned(),
            ),
            // DynamoDB names neither in its message.
            ErrorKind::Refused
                if self.has_code("ResourceNotFoundException") && self.is_of_table() =>
            {
                Some("check the table's name and the region".to_owned())
            }
            ErrorKind::Refused => None,
        }
    }

    fn is_of_table(&self) -> bool {
        ["Scan", "GetItem", "PutItem"].contains(&self.call)
    }

    fn is_clock_error(&self) -> bool {
        let marks = ["Signature expired", "Signature not yet current"];
        self.has_code("RequestTimeTooSkewed")
            || marks.iter().any(|mark| self.message.contains(mark))
    }

    /// The action that IAM denied, as AWS names it: `iam:PassRole`.
    pub fn denied_action(&self) -> Option<&str> {
        self.word_after("is not authorized to perform: ")
    }

    /// The resource for which IAM denied it.
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

/// The IAM statement that allows passing a role to a task.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security_iam_troubleshoot.html>
fn pass_role(role: &str) -> String {
    let statement = serde_json::json!({
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": role,
        "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    });
    format!("allow it with {statement}, or remove the task role")
}

/// ECS calls EC2, and reports EC2's throttling in an error of another name.
const THROTTLING: [&str; 4] = [
    "Rate exceeded",
    "Request limit exceeded",
    "RequestLimitExceeded",
    "Too many concurrent attempts",
];

/// Errors of one kind have many names, which differ by service and age. Some are reported under the name of another
/// kind.
fn kind(code: &str, message: &str, status: Option<u16>) -> ErrorKind {
    let says = |mark: &str| message.contains(mark);
    match code {
        "AccessDeniedException"
        | "AccessDenied"
        | "UnauthorizedOperation"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "KMSAccessDenied" => ErrorKind::Denied,
        _ if says("is not authorized to perform") => ErrorKind::Denied,
        "ExpiredTokenException"
        | "ExpiredToken"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "RequestTimeTooSkewed"
        | "MissingAuthenticationTokenException" => ErrorKind::Credentials,
        "ThrottlingException"
        | "Throttling"
        | "Throttled"
        | "KMSThrottling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded" => ErrorKind::Throttled,
        _ if THROTTLING.iter().any(|mark| says(mark)) => ErrorKind::Throttled,
        _ if status.is_some_and(|status| status >= 500) => ErrorKind::Unavailable,
        _ => ErrorKind::Refused,
    }
}

fn without_message(error: &(dyn Error + 'static), status: Option<u16>) -> String {
    match status {
        Some(status) => format!("AWS answered {status} without a reason"),
        None => {
            let cause = innermost(error);
            let advice = match cause.contains(UNKNOWN_CERTIFICATE) {
                true => format!("; {UNKNOWN_AUTHORITY}"),
                false => String::new(),
            };
            format!("AWS did not answer: {cause}{advice}")
        }
    }
}

/// The beginning of rustls's message about a certificate that is not trusted.
const UNKNOWN_CERTIFICATE: &str = "invalid peer certificate";

/// What to do about such a certificate.
const UNKNOWN_AUTHORITY: &str = "set AWS_CA_BUNDLE to a PEM file with the certificate of its authority; this system's own certificates are not read";

fn has_bad_credentials(error: &(dyn Error + 'static)) -> bool {
    sources(error).any(|error| error.is::<CredentialsError>())
}

/// The innermost cause of an error. The outer ones add nothing that the reader needs.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
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
    fn each_error_name_has_its_kind() {
        for (code, message, status, expected) in [
            ("AccessDeniedException", "no", 400, ErrorKind::Denied),
            (
                "ClientException",
                "User: arn:aws:iam::210987654321:user/ci is not authorized to perform: iam:PassRole",
                400,
                ErrorKind::Denied,
            ),
            (
                "ThrottlingException",
                "Rate exceeded",
                400,
                ErrorKind::Throttled,
            ),
            (
                "InvalidParameterException",
                "Error retrieving subnet information: Rate exceeded",
                400,
                ErrorKind::Throttled,
            ),
            (
                "ClientException",
                "Too many concurrent attempts to create a new revision of the specified family.",
                400,
                ErrorKind::Throttled,
            ),
            (
                "InvalidParameterException",
                "Error retrieving security group information for [sg-1]: Request limit exceeded. (ErrorCode: \
                 RequestLimitExceeded)",
                400,
                ErrorKind::Throttled,
            ),
            (
                "ExpiredTokenException",
                "expired",
                400,
                ErrorKind::Credentials,
            ),
            // The names of the Query protocol.
            ("AuthorizationError", "no", 403, ErrorKind::Denied),
            ("KMSAccessDenied", "no", 400, ErrorKind::Denied),
            ("SignatureDoesNotMatch", "no", 403, ErrorKind::Credentials),
            ("Throttled", "Rate exceeded", 429, ErrorKind::Throttled),
            ("KMSThrottling", "slow", 400, ErrorKind::Throttled),
            ("InternalError", "", 500, ErrorKind::Unavailable),
            ("NotFound", "Topic does not exist", 404, ErrorKind::Refused),
            ("ServerException", "", 500, ErrorKind::Unavailable),
            ("", "", 503, ErrorKind::Unavailable),
            (
                "ClusterNotFoundException",
                "Cluster not found.",
                400,
                ErrorKind::Refused,
            ),
        ] {
            assert_eq!(
                kind(code, message, Some(status)),
                expected,
                "{code} {message}"
            );
        }
    }

    #[test]
    fn the_denied_action_and_resource_are_read() {
        let error = CallError {
            call: "RegisterTaskDefinition",
            code: Some("AccessDeniedException".to_owned()),
            message: "User: arn:aws:iam::210987654321:user/ci is not authorized to perform: \
                      iam:PassRole on resource: arn:aws:iam::210987654321:role/app because no \
                      identity-based policy allows the iam:PassRole action"
                .to_owned(),
            kind: ErrorKind::Denied,
        };
        assert_eq!(error.denied_action(), Some("iam:PassRole"));
        assert_eq!(
            error.denied_resource(),
            Some("arn:aws:iam::210987654321:role/app")
        );
    }
}
