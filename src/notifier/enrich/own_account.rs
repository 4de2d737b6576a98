//! The account of the function. AWS answers about this account, also if an event comes from another one.

use std::sync::OnceLock;

use crate::ecs::arn::{Arn, is_account};

/// Not known before the first invocation, nor at a terminal.
#[derive(Debug, Default)]
pub(super) struct OwnAccount(OnceLock<String>);

impl OwnAccount {
    /// Notes in which account the function is. The first ARN counts.
    pub(super) fn note_function(&self, arn: &str) {
        let account = Arn::parse(arn).map(|it| it.account);
        if let Some(account) = account.filter(|it| is_account(it)) {
            self.0.get_or_init(|| account.to_owned());
        }
    }

    pub(super) fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}
