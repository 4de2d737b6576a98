//! Addresses that messages are sent to.

use reqwest::Url;

use crate::aws::secret::{Secret, SecretSource};
use crate::config::Problem;
use crate::notifier::channel::{problem_of, problem_of_token};

const ALLOWED: &str = "an https:// address, http:// for a loopback host only";

const REFERENCES: &str = "`ssm:/path`, `secretsmanager:ID` or `secretsmanager:ID:KEY`";

/// A webhook's address is a secret: what is wrong with it is said without it.
pub(super) fn webhook(name: &str, secret: &Secret, problems: &mut Vec<Problem>) -> SecretSource {
    let allowed = format!("{ALLOWED}, {REFERENCES}, or DISABLED");
    source(name, secret, problem_of, &allowed, problems)
}

/// What stands in a variable, checked as far as it is here.
fn source(
    name: &str,
    secret: &Secret,
    check: fn(&str) -> Result<(), &'static str>,
    allowed: &str,
    problems: &mut Vec<Problem>,
) -> SecretSource {
    let source = SecretSource::read(secret);
    let checked = match &source {
        Ok(SecretSource::Inline(secret)) => check(secret.expose()),
        Ok(SecretSource::Reference(_)) => Ok(()),
        Err(problem) => Err(*problem),
    };
    if let Err(problem) = checked {
        problems.push(Problem::new(name, problem, allowed));
    }
    source.unwrap_or_else(|_| secret.clone().into())
}

/// An address that a path is put behind.
pub(super) fn check_base(name: &str, text: &str, problems: &mut Vec<Problem>) {
    let has_more = Url::parse(text).is_ok_and(|url| url.query().or(url.fragment()).is_some());
    match problem_of(text) {
        Err(problem) => problems.push(Problem::new(name, problem, ALLOWED)),
        Ok(()) if has_more => {
            let problem = "it holds a query or a fragment, where a path must follow";
            problems.push(Problem::new(name, problem, ALLOWED));
        }
        Ok(()) => {}
    }
}

/// A token becomes the last part of an address, so it must be one part.
pub(super) fn token(name: &str, secret: &Secret, problems: &mut Vec<Problem>) -> SecretSource {
    let allowed = format!("letters, digits, `-`, `_` and `.`, {REFERENCES}, or DISABLED");
    source(name, secret, problem_of_token, &allowed, problems)
}
