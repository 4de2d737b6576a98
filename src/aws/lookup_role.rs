//! The role that is assumed to ask AWS about resources in other accounts.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use tokio::time::Instant;

use super::CallError;
use super::service::{self, sts};
use crate::ecs::arn;

/// What stands for the number of the account.
const ACCOUNT: &str = "{account}";

/// Who asks, in the account's CloudTrail.
const SESSION_NAME: &str = "ecs-parrot";

/// After a refusal, so long the role is not assumed again. Every event would wait for the same answer.
const WAIT: Duration = Duration::from_secs(300);

/// The role of each account, and the external id that its trust policy wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupRole {
    arn: String,
    external_id: Option<String>,
}

/// Why a text is not the ARN of a role in every account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookupRoleError {
    #[error("has no {ACCOUNT} in the place of the account")]
    NoAccount,
    #[error("is not the ARN of a role")]
    NotARole,
}

impl LookupRole {
    /// Reads `arn:aws:iam::{account}:role/NAME`.
    ///
    /// # Errors
    ///
    /// [`LookupRoleError`] if it is something else.
    pub fn new(arn: &str, external_id: Option<&str>) -> Result<Self, LookupRoleError> {
        let (before, role) = arn.split_once(ACCOUNT).ok_or(LookupRoleError::NoAccount)?;
        let partition = before
            .strip_prefix("arn:")
            .and_then(|it| it.strip_suffix(":iam::"));
        let is_partition = |it: &str| it.starts_with("aws") && arn::is_name(it);
        // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
        let is_path = |it: &str| {
            let is_allowed = |it: char| it.is_ascii_alphanumeric() || "+=,.@-_/".contains(it);
            (1..=576).contains(&it.len()) && it.chars().all(is_allowed)
        };
        let is_role = role.strip_prefix(":role/").is_some_and(is_path);
        match partition.is_some_and(is_partition) && is_role {
            true => Ok(Self {
                arn: arn.to_owned(),
                external_id: external_id.map(str::to_owned),
            }),
            false => Err(LookupRoleError::NotARole),
        }
    }

    /// The role of an account.
    pub fn in_account(&self, account: &str) -> String {
        self.arn.replace(ACCOUNT, account)
    }
}

/// Provides the credentials of the role in one account. The SDK keeps them until they expire.
pub(super) struct RoleCredentials {
    sts: service::Client,
    role: LookupRole,
    account: String,
    refusal: Mutex<Option<(Instant, String)>>,
}

/// The reason alone, because the chain of the SDK's errors is shown to people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

impl RoleCredentials {
    pub(super) fn new(sts: service::Client, role: LookupRole, account: &str) -> Self {
        Self {
            sts,
            role,
            account: account.to_owned(),
            refusal: Mutex::default(),
        }
    }

    async fn assume(&self) -> provider::Result {
        if let Some(why) = self.refused() {
            return Err(CredentialsError::provider_error(Refusal(why)));
        }
        let arn = self.role.in_account(&self.account);
        let external_id = self.role.external_id.as_deref();
        let assumed = sts::assume_role(&self.sts, &arn, SESSION_NAME, external_id).await;
        assumed.map_err(|error| self.refuse(&error))
    }

    fn refused(&self) -> Option<String> {
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, why) = refusal.as_ref()?;
        (at.elapsed() < WAIT).then(|| why.clone())
    }

    fn refuse(&self, error: &CallError) -> CredentialsError {
        let why = error.to_string();
        if !error.is_retryable() {
            let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
            *refusal = Some((Instant::now(), why.clone()));
        }
        CredentialsError::provider_error(Refusal(why))
    }
}

impl ProvideCredentials for RoleCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}

impl fmt::Debug for RoleCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RoleCredentials");
        shown
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_a_place_for_the_account() {
        for (arn, expected) in [
            (
                "arn:aws:iam::{account}:role/ecs-parrot-lookup",
                Ok("arn:aws:iam::123456789012:role/ecs-parrot-lookup"),
            ),
            (
                "arn:aws-cn:iam::{account}:role/ops/lookup",
                Ok("arn:aws-cn:iam::123456789012:role/ops/lookup"),
            ),
            (
                "arn:aws:iam::210987654321:role/ecs-parrot-lookup",
                Err(LookupRoleError::NoAccount),
            ),
            ("ecs-parrot-lookup", Err(LookupRoleError::NoAccount)),
            ("{account}", Err(LookupRoleError::NotARole)),
            (
                "arn:aws:iam::{account}:user/me",
                Err(LookupRoleError::NotARole),
            ),
            (
                "arn:aws:iam::{account}:role/",
                Err(LookupRoleError::NotARole),
            ),
            (
                "arn:aws:iam::{account}:role/a b",
                Err(LookupRoleError::NotARole),
            ),
            (
                "arn:aws:iam:eu-west-1:{account}:role/a",
                Err(LookupRoleError::NotARole),
            ),
        ] {
            let role = LookupRole::new(arn, None).map(|it| it.in_account("123456789012"));
            assert_eq!(role.as_deref().map_err(|it| *it), expected, "{arn}");
        }
    }
}
