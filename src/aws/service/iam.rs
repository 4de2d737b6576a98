//! IAM's ListAccountAliases and SimulatePrincipalPolicy:
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>.

use super::{Client, query};
use crate::aws::CallError;

/// The region whose name is in the signature of IAM's calls, by the region of the caller. Each partition has one.
/// <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>
pub fn signing_region(region: &str) -> &str {
    match region {
        _ if region.starts_with("cn-") => "cn-north-1",
        _ if region.starts_with("us-gov-") => "us-gov-west-1",
        _ if region.starts_with("us-iso-") => "us-iso-east-1",
        _ if region.starts_with("us-isob-") => "us-isob-east-1",
        _ if region.starts_with("us-isof-") => "us-isof-south-1",
        _ if region.starts_with("eu-isoe-") => "eu-isoe-west-1",
        _ if region.starts_with("eusc-") => "eusc-de-east-1",
        _ => "us-east-1",
    }
}

/// The alias of the caller's account. `None` if it has none: an account has at most one.
///
/// # Errors
///
/// [`CallError`], after the client's retries, or if the answer cannot be read.
pub async fn account_alias(iam: &Client) -> Result<Option<String>, CallError> {
    let parameters = std::iter::empty::<(&str, &str)>();
    let request = query::request("ListAccountAliases", "2010-05-08", parameters);
    query::call(iam, request, read).await
}

/// Whether the policies of a role allow an action on a resource. The policies of the organization and of the resource are
/// not looked at.
///
/// # Errors
///
/// [`CallError`], after the client's retries, or if the answer cannot be read.
pub async fn is_allowed(
    iam: &Client,
    role: &str,
    action: &str,
    resource: &str,
) -> Result<bool, CallError> {
    let parameters = [
        ("PolicySourceArn", role),
        ("ActionNames.member.1", action),
        ("ResourceArns.member.1", resource),
    ];
    let request = query::request("SimulatePrincipalPolicy", "2010-05-08", parameters);
    query::call(iam, request, |answer| {
        let (_, decision) = answer.split_once("<EvalDecision>")?;
        let (decision, _) = decision.split_once("</EvalDecision>")?;
        Some(decision.trim() == "allowed")
    })
    .await
}

/// The first alias of an answer. `None` if this is no answer to the call.
fn read(answer: &str) -> Option<Option<String>> {
    const EMPTY: &str = "<AccountAliases/>";
    let (_, result) = answer.split_once("<ListAccountAliasesResult>")?;
    if result.contains(EMPTY) {
        return Some(None);
    }
    let (_, aliases) = result.split_once("<AccountAliases>")?;
    let (aliases, _) = aliases.split_once("</AccountAliases>")?;
    match aliases.split_once("<member>") {
        None => Some(None),
        Some((_, alias)) => {
            let alias = alias.split_once("</member>")?.0.trim();
            is_alias(alias).then(|| Some(alias.to_owned()))
        }
    }
}

/// An alias has 3 to 63 small letters, digits and hyphens, so it needs no unescaping.
fn is_alias(text: &str) -> bool {
    let is_allowed = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
    (3..=63).contains(&text.len()) && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alias_is_read() {
        let answer = |aliases: &str| {
            format!(
                "<ListAccountAliasesResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n\
                 <ListAccountAliasesResult>\n <IsTruncated>false</IsTruncated>\n {aliases}\n\
                 </ListAccountAliasesResult>\n<ResponseMetadata><RequestId>7a62</RequestId></ResponseMetadata>\n\
                 </ListAccountAliasesResponse>"
            )
        };
        for (aliases, expected) in [
            (
                "<AccountAliases>\n <member>example-prod</member>\n </AccountAliases>",
                Some(Some("example-prod")),
            ),
            ("<AccountAliases/>", Some(None)),
            ("<AccountAliases></AccountAliases>", Some(None)),
            (
                "<AccountAliases><member><b>x</b></member></AccountAliases>",
                None,
            ),
            (
                "<AccountAliases><member>a&amp;b</member></AccountAliases>",
                None,
            ),
            ("<AccountAliases><member>prod", None),
            ("", None),
        ] {
            let found = read(&answer(aliases));
            assert_eq!(found.as_ref().map(Option::as_deref), expected, "{aliases}");
        }
        assert_eq!(read("<html>Gateway</html>"), None);
    }
}
