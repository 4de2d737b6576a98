//! Client tokens: the same question has the same token, so that asking twice starts one task.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html>

use sha2::{Digest as _, Sha256};

/// A token of who asks and of what; 64 characters, the most that ECS takes.
pub fn token(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A mark for `startedBy`, with `-` for what ECS does not take in it.
pub fn mark(program: &str, caller: &str) -> String {
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
    fn a_token_is_of_its_parts() {
        assert_eq!(token(&["a", "b"]), token(&["a", "b"]));
        for other in [token(&["ab", ""]), token(&["a"]), token(&["b", "a"])] {
            assert_ne!(token(&["a", "b"]), other);
        }
        assert_eq!(token(&["a"]).len(), 64);
    }

    #[test]
    fn a_mark_is_one_for_ecs() {
        assert_eq!(
            mark("run-from-queue", "jobs.fifo"),
            "run-from-queue/jobs-fifo"
        );
        assert_eq!(mark("run-from-queue", &"ü".repeat(200)).len(), 128);
    }
}
