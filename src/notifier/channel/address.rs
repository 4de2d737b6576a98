//! Checks addresses and tokens of chat services.

use std::net::IpAddr;

use reqwest::Url;

/// The allowed addresses, for error messages.
pub(super) const ALLOWED: &str = "an https:// address, http:// for a loopback host only";

/// # Errors
///
/// What is wrong with the address. The text does not contain the address, because an address may be a secret.
pub(super) fn problem_of(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "not an address")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it contains a user name or a password");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        "http" => Err("messages would be sent unencrypted"),
        _ => Err("its scheme is not https"),
    }
}

/// The same for an address of a service with known hosts. A loopback host is allowed, for emulators.
///
/// # Errors
///
/// `not_theirs` if the address is correct but its host is none of `hosts`, and no subdomain of one of them.
pub(super) fn problem_of_host(
    text: &str,
    hosts: &[&str],
    not_theirs: &'static str,
) -> Result<(), &'static str> {
    problem_of(text)?;
    let Ok(url) = Url::parse(text) else {
        return Err("not an address");
    };
    let is_theirs = hosts.iter().any(|host| is_host(&url, host));
    match is_theirs || is_loopback(&url) {
        true => Ok(()),
        false => Err(not_theirs),
    }
}

/// Whether the address has this host or a subdomain of it.
pub(super) fn is_host(url: &Url, host: &str) -> bool {
    let found = url.host_str().unwrap_or_default().trim_end_matches('.');
    let before = found.strip_suffix(host);
    before.is_some_and(|it| it.is_empty() || it.ends_with('.'))
}

/// The same for an address to which a path is appended.
pub(super) fn problem_of_base(text: &str) -> Result<(), &'static str> {
    problem_of(text)?;
    let has_more = Url::parse(text).is_ok_and(|url| url.query().or(url.fragment()).is_some());
    match has_more {
        true => Err("it contains a query or a fragment, but a path is appended to it"),
        false => Ok(()),
    }
}

/// Sets a parameter of the query, or removes it. The others stay as they are written, because some are tokens.
pub(super) fn set_parameter(url: &mut Url, name: &str, value: Option<&str>) {
    let query = url.query().unwrap_or_default();
    let others = query.split('&').filter(|it| {
        let is_this = it
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
        !it.is_empty() && !is_this
    });
    let parameters: Vec<_> = others
        .map(str::to_owned)
        .chain(value.map(|value| format!("{name}={value}")))
        .collect();
    let query = parameters.join("&");
    url.set_query(Some(query.as_str()).filter(|it| !it.is_empty()));
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// # Errors
///
/// What is wrong with the token. The text does not contain the token.
pub(super) fn problem_of_token(text: &str) -> Result<(), &'static str> {
    let is_token = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !is_token || text.chars().all(|c| c == '.') {
        return Err("it contains characters that are not allowed in a token");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_set_and_the_others_stay_as_they_are() {
        for (query, value, expected) in [
            ("", Some("true"), "?wait=true"),
            ("", None, ""),
            ("?wait=1&wait", None, ""),
            (
                "?a=%3D+~&wait=1&waits=2",
                Some("true"),
                "?a=%3D+~&waits=2&wait=true",
            ),
            ("?&&b=c=", None, "?b=c="),
        ] {
            let mut url = Url::parse(&format!("https://example.com/x{query}")).unwrap();
            set_parameter(&mut url, "wait", value);
            assert_eq!(url.as_str(), format!("https://example.com/x{expected}"));
        }
    }
}
