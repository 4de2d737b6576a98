//! The account of the function. Without a role for others, AWS answers about this account only.

use std::sync::OnceLock;

use crate::ecs::arn::{Arn, is_account};

/// Not known before the first invocation. At a terminal, only where it matters.
#[derive(Debug, Default)]
pub(super) struct OwnAccount(OnceLock<String>);

impl OwnAccount {
    /// Notes in which account the function is. The first ARN counts.
    pub(super) fn note_function(&self, arn: &str) {
        if let Some(arn) = Arn::parse(arn) {
            self.note(arn.account);
        }
    }

    pub(super) fn note(&self, account: &str) {
        if is_account(account) {
            self.0.get_or_init(|| account.to_owned());
        }
    }

    pub(super) fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}
