//! Addresses that messages are sent to.

use std::net::IpAddr;

use reqwest::Url;

use super::Problem;
use crate::secret::Secret;

const ALLOWED: &str = "an https:// address, http:// for a loopback host only";

/// References to a secret's place, which a later version follows.
const REFERENCES: [&str; 2] = ["ssm:", "secretsmanager:"];

/// A webhook's address is a secret: what is wrong with it is said without it.
pub(super) fn check_secret(name: &str, secret: &Secret, problems: &mut Vec<Problem>) {
    let text = secret.expose().trim();
    if is_reference(text) {
        problems.push(not_yet(name));
    } else if let Err(problem) = problem_of(text) {
        problems.push(Problem::new(
            name,
            problem,
            &format!("{ALLOWED}, or DISABLED"),
        ));
    }
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
pub(super) fn check_token(name: &str, token: &Secret, problems: &mut Vec<Problem>) {
    let text = token.expose().trim();
    if is_reference(text) {
        problems.push(not_yet(name));
    } else if text.chars().all(|c| c == '.')
        || !text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    {
        let problem = "it holds characters that no token has";
        problems.push(Problem::new(
            name,
            problem,
            "letters, digits, `-`, `_` and `.`, or DISABLED",
        ));
    }
}

fn problem_of(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "it is no address")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user name or a password");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        "http" => Err("messages would travel unencrypted"),
        _ => Err("its scheme is not https"),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn is_reference(text: &str) -> bool {
    REFERENCES.iter().any(|prefix| text.starts_with(prefix))
}

fn not_yet(name: &str) -> Problem {
    Problem::new(
        name,
        "references to Parameter Store and Secrets Manager are not yet supported in this version",
        "the value itself, or DISABLED",
    )
}
