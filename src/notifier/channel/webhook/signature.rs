//! The signature of Standard Webhooks: HMAC-SHA256 over `ID.TIMESTAMP.BODY`.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme>

use std::fmt;
use std::ops::RangeInclusive;

use aws_smithy_types::base64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::aws::secret::Secret;

const PREFIX: &str = "whsec_";

/// How many bytes a secret may have.
const LENGTH: RangeInclusive<usize> = 24..=64;

/// The bytes of a secret, ready to sign.
pub(super) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// # Errors
    ///
    /// What is wrong with the secret. The text does not contain it.
    pub(super) fn read(secret: &Secret) -> Result<Self, &'static str> {
        let bytes = bytes(secret.expose())?;
        let key = Hmac::new_from_slice(&bytes).map_err(|_| "its length is not allowed")?;
        Ok(Self(key))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

/// # Errors
///
/// What is wrong with the secret. The text does not contain it.
pub(super) fn problem_of_key(text: &str) -> Result<(), &'static str> {
    bytes(text).map(|_| ())
}

fn bytes(text: &str) -> Result<Vec<u8>, &'static str> {
    let encoded = text
        .strip_prefix(PREFIX)
        .ok_or("it does not begin with `whsec_`")?;
    let bytes = base64::decode(encoded).map_err(|_| "it is not base64 after `whsec_`")?;
    match LENGTH.contains(&bytes.len()) {
        true => Ok(bytes),
        false => Err("it has fewer than 24 or more than 64 bytes"),
    }
}

/// One signature for each key, separated by spaces. `timestamp` is in seconds since 1970.
pub(super) fn sign(keys: &[SigningKey], id: &str, timestamp: u64, body: &[u8]) -> String {
    let signatures = keys.iter().map(|SigningKey(key)| {
        let mut mac = key.clone();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", base64::encode(mac.finalize().into_bytes()))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn key(text: &str) -> SigningKey {
        SigningKey::read(&Secret::new(text.to_owned())).unwrap()
    }

    /// The vector of the specification's own libraries.
    /// <https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/rust/src/lib.rs>
    #[test]
    fn the_vector_of_the_specification_is_signed() {
        let id = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let signature = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
        assert_eq!(sign(&[key(SECRET)], id, 1_649_367_553, body), signature);
        let other = key(&format!("{PREFIX}{}", base64::encode([7; 32])));
        let both = sign(&[other, key(SECRET)], id, 1_649_367_553, body);
        let (first, second) = both.split_once(' ').unwrap();
        assert!(first.starts_with("v1,") && first != signature, "{first}");
        assert_eq!(second, signature);
    }

    #[test]
    fn a_wrong_secret_is_named_without_it() {
        let of_length = |length| format!("{PREFIX}{}", base64::encode(vec![7; length]));
        for (text, problem) in [
            (SECRET.to_owned(), None),
            (of_length(24), None),
            (of_length(64), None),
            (of_length(23), Some("fewer than 24")),
            (of_length(65), Some("more than 64")),
            (
                SECRET[PREFIX.len()..].to_owned(),
                Some("begin with `whsec_`"),
            ),
            ("whsec_very secret".to_owned(), Some("not base64")),
            (PREFIX.to_owned(), Some("fewer than 24")),
        ] {
            match (problem_of_key(&text), problem) {
                (Ok(()), None) => {}
                (Err(found), Some(expected)) => assert!(found.contains(expected), "{found}"),
                (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
            }
        }
        assert!(!format!("{:?}", key(SECRET)).contains("C2FV"));
    }
}
