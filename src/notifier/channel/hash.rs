//! A short hash, for ids that are derived from a message and stored nowhere.

use sha2::{Digest as _, Sha256};

/// 128 bits in hexadecimal digits.
pub(super) fn hash(text: &str) -> String {
    const BYTES: usize = 16;
    let hash = Sha256::digest(text.as_bytes());
    let bytes = hash.iter().take(BYTES);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}
