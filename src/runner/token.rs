//! Client tokens. The same request always has the same token, so that two calls start one task.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html>

use sha2::{Digest as _, Sha256};

/// A token made of the caller and the request: 64 characters, the most that ECS accepts.
pub fn token(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // With the lengths, ("ab", "c") and ("a", "bc") have different tokens.
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A value for `startedBy`. Characters that ECS does not accept there become `-`.
pub fn started_by(program: &str, caller: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/');
    let caller = caller.chars().map(|c| if allowed(c) { c } else { '-' });
    format!("{program}/")
        .chars()
        .chain(caller)
        .take(128)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_of_parts_has_its_own_token() {
        assert_eq!(token(&["a", "b"]), token(&["a", "b"]));
        for other in [token(&["ab", ""]), token(&["a"]), token(&["b", "a"])] {
            assert_ne!(token(&["a", "b"]), other);
        }
        assert_eq!(token(&["a"]).len(), 64);
    }

    #[test]
    fn ecs_accepts_each_started_by() {
        assert_eq!(
            started_by("run-from-queue", "jobs.fifo"),
            "run-from-queue/jobs-fifo"
        );
        assert_eq!(started_by("run-from-queue", &"ü".repeat(200)).len(), 128);
    }
}
