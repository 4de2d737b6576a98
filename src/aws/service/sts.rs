//! STS's AssumeRole and GetCallerIdentity:
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_smithy_xml::decode::{Document, ScopedDecoder, try_data};
use jiff::Timestamp;

use super::{Client, query};
use crate::aws::CallError;

const VERSION: &str = "2011-06-15";

/// The credentials of a role, valid for an hour: the default, and the most for who has a role already.
///
/// # Errors
///
/// [`CallError`], after the client's retries, or if the answer cannot be read.
pub async fn assume_role(
    sts: &Client,
    arn: &str,
    session_name: &str,
    external_id: Option<&str>,
) -> Result<Credentials, CallError> {
    let parameters = [("RoleArn", arn), ("RoleSessionName", session_name)];
    let external_id = external_id.map(|it| ("ExternalId", it));
    let request = query::request(
        "AssumeRole",
        VERSION,
        parameters.into_iter().chain(external_id),
    );
    query::call(sts, request, credentials).await
}

/// The number of the caller's account. No permission is needed.
///
/// # Errors
///
/// [`CallError`], after the client's retries, or if the answer cannot be read.
pub async fn caller_account(sts: &Client) -> Result<String, CallError> {
    let parameters = std::iter::empty::<(&str, &str)>();
    let request = query::request("GetCallerIdentity", VERSION, parameters);
    query::call(sts, request, |answer| text_of(answer, "Account")).await
}

/// `None` if this is no answer to the call.
fn credentials(answer: &str) -> Option<Credentials> {
    let expires: Timestamp = text_of(answer, "Expiration")?.parse().ok()?;
    Some(Credentials::new(
        text_of(answer, "AccessKeyId")?,
        text_of(answer, "SecretAccessKey")?,
        Some(text_of(answer, "SessionToken")?),
        Some(SystemTime::from(expires)),
        "AssumeRole",
    ))
}

/// The text of the first element with this name.
fn text_of(answer: &str, name: &str) -> Option<String> {
    let mut document = Document::new(answer);
    find(&mut document.root_element().ok()?, name)
}

fn find(element: &mut ScopedDecoder<'_, '_>, name: &str) -> Option<String> {
    while let Some(mut child) = element.next_tag() {
        let found = match child.start_el().local() == name {
            true => try_data(&mut child).ok().map(|it| it.into_owned()),
            false => find(&mut child, name),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credentials_are_read() {
        let answer = |credentials: &str| {
            format!(
                "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
                 <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/ecs-parrot-lookup/ecs-parrot</Arn></AssumedRoleUser>\
                 <Credentials>{credentials}</Credentials></AssumeRoleResult></AssumeRoleResponse>"
            )
        };
        let parts = [
            "<SessionToken>token+/=</SessionToken>",
            "<SecretAccessKey>secret</SecretAccessKey>",
            "<Expiration>2026-11-21T11:26:47Z</Expiration>",
            "<AccessKeyId>ASIAEXAMPLE</AccessKeyId>",
        ];
        let found = credentials(&answer(&parts.concat())).unwrap();
        assert_eq!(
            (
                found.access_key_id(),
                found.secret_access_key(),
                found.session_token()
            ),
            ("ASIAEXAMPLE", "secret", Some("token+/="))
        );
        let expires = Timestamp::try_from(found.expiry().unwrap()).unwrap();
        assert_eq!(expires.to_string(), "2026-11-21T11:26:47Z");
        for missing in 0..parts.len() {
            let mut others = parts.to_vec();
            others.remove(missing);
            assert!(credentials(&answer(&others.concat())).is_none());
        }
        assert!(credentials("<html>Gateway</html>").is_none());
        assert!(credentials("").is_none());
    }
}
