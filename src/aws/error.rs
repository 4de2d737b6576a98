//! What it means that a call failed, and what to do about it.

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

/// What is to be done about a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
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

    /// What to do about it, where the message itself does not say.
    pub fn advice(&self) -> Option<String> {
        match self.kind {
            ErrorKind::Denied => Some(match self.denied_action() {
                Some("iam:PassRole") => pass_role(self.denied_resource().unwrap_or("*")),
                Some(action) => format!("allow {action} to whoever runs this"),
                None => format!("allow {} to whoever runs this", self.call),
            }),
            ErrorKind::Credentials if self.is_of_another_time() => Some(
                "set this machine's clock: AWS takes signatures of the last five minutes"
                    .to_owned(),
            ),
            ErrorKind::Credentials => Some("renew the credentials".to_owned()),
            ErrorKind::Throttled => {
                Some("AWS has too many calls of this account: try again later".to_owned())
            }
            // The message says it.
            ErrorKind::Unavailable if self.message.contains(UNKNOWN_AUTHORITY) => None,
            ErrorKind::Unavailable => {
                Some("check the region's name and the network, or try again later".to_owned())
            }
            ErrorKind::Refused if self.has_code("ClusterNotFoundException") => {
                Some("check the cluster's name and the region".to_owned())
            }
            ErrorKind::Refused if self.call == "DescribeTaskDefinition" => Some(
                "check the task definition's name and the region: \
                 `aws ecs list-task-definition-families` names those there are"
                    .to_owned(),
            ),
            ErrorKind::Refused => None,
        }
    }

    fn is_of_another_time(&self) -> bool {
        let marks = ["Signature expired", "Signature not yet current"];
        self.has_code("RequestTimeTooSkewed")
            || marks.iter().any(|mark| self.message.contains(mark))
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
fn kind(code: &str, message: &str, status: Option<u16>) -> ErrorKind {
    let says = |mark: &str| message.contains(mark);
    match code {
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => ErrorKind::Denied,
        _ if says("is not authorized to perform") => ErrorKind::Denied,
        "ExpiredTokenException"
        | "ExpiredToken"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "RequestTimeTooSkewed"
        | "MissingAuthenticationTokenException" => ErrorKind::Credentials,
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded" => ErrorKind::Throttled,
        _ if THROTTLING.iter().any(|mark| says(mark)) => ErrorKind::Throttled,
        _ if status.is_some_and(|status| status >= 500) => ErrorKind::Unavailable,
        _ => ErrorKind::Refused,
    }
}

fn unanswered(error: &(dyn Error + 'static), status: Option<u16>) -> String {
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

/// How rustls begins to say whom it does not trust.
const UNKNOWN_CERTIFICATE: &str = "invalid peer certificate";

/// What to do about it.
const UNKNOWN_AUTHORITY: &str = "name its authority in AWS_CA_BUNDLE, a file of PEM certificates; this system's own are not read";

fn has_bad_credentials(error: &(dyn Error + 'static)) -> bool {
    sources(error).any(|error| error.is::<CredentialsError>())
}

/// The last cause of an error: what the layers above it say is known.
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
    fn errors_of_one_kind_under_many_names() {
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
    fn what_was_denied_on_what() {
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
