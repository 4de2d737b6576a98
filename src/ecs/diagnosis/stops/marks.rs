//! Texts that several entries of the table search for. They are in lower case, like the reasons that they are compared
//! with.

pub(super) const DENIED: &[&str] = &[
    "accessdenied",
    "access denied",
    "not authorized",
    "no basic auth credentials",
    "403 forbidden",
    "401 unauthorized",
    "authentication required",
    "denied:",
    "check that the role has the permissions",
];
pub(super) const UNREACHABLE: &[&str] = &[
    "i/o timeout",
    "context deadline exceeded",
    "client.timeout",
    "connection refused",
    "connection reset",
    "no such host",
    "dial tcp",
    "request canceled",
    "requestcanceled",
    "network is unreachable",
    "send request failed",
    "request send failed",
    "connection issue between the task",
    "check your network configuration",
    "check your task network configuration",
    "context canceled",
];
pub(super) const ABSENT: &[&str] = &[
    "not found",
    "notfound",
    "manifest unknown",
    "name unknown",
    "does not exist",
    "invalid parameters",
    "cannot find the specified",
    "check whether the image exists",
];
pub(super) const SECRET: &[&str] = &[
    "fetch secret",
    "retrieve secret",
    "secrets from ssm",
    "secret from asm",
    "retrieve ecr secrets",
    "cannot pull secrets",
    "cannot pull the secret",
    "fetching secret data",
];

pub(super) const LOGGING: &[&str] = &["log group", "log stream", "logging driver", "logger args"];
pub(super) const REGISTRY: &[&str] = &["registry auth", "ecr registry", "from ecr"];
