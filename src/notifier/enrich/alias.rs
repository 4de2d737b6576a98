//! ListAccountAliases: the alias of the function's own account, which stands beside the account's number.
//!
//! An alias changes hardly ever, so each process asks for it once. The events of other accounts have no alias here: IAM
//! answers about the caller's account only.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::calls::AwsCalls;
use super::own_account::OwnAccount;
use crate::aws::service::iam;
use crate::ecs::notice::Notice;

/// After a call that failed, so long nobody asks again.
const WAIT: Duration = Duration::from_secs(300);

/// The alias of the own account, and what is needed to ask for it.
#[derive(Debug)]
pub(super) struct AliasCache {
    own_account: Arc<OwnAccount>,
    answer: Mutex<Answer>,
}

/// What is known of the alias.
#[derive(Debug, Clone, Default)]
enum Answer {
    #[default]
    NotAsked,
    FailedAt(Instant),
    /// `None` if the account has no alias.
    Known(Option<String>),
}

impl AliasCache {
    pub(super) fn new(own_account: Arc<OwnAccount>) -> Self {
        Self {
            own_account,
            answer: Mutex::default(),
        }
    }

    /// Whether the call would tell something about this event.
    pub(super) fn is_missing(&self, notice: &Notice) -> bool {
        self.has_no_name(notice)
            && match self.answer() {
                Answer::NotAsked => true,
                Answer::FailedAt(at) => at.elapsed() >= WAIT,
                Answer::Known(_) => false,
            }
    }

    /// Whether an event is of the own account, for which there is no configured name.
    fn has_no_name(&self, notice: &Notice) -> bool {
        let own = self.own_account.get();
        own.is_some()
            && notice.origin.account.as_deref() == own
            && notice.origin.account_name.is_none()
    }

    fn answer(&self) -> Answer {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.clone()
    }

    pub(super) async fn fetch(&self, aws: &AwsCalls<'_>, notices: &[&mut Notice]) {
        if !notices.iter().any(|it| self.is_missing(it)) {
            return;
        }
        let client = aws.iam();
        let found = aws.call("ListAccountAliases", iam::account_alias(&client));
        let answer = match found.await {
            Some(alias) => Answer::Known(alias),
            None => Answer::FailedAt(Instant::now()),
        };
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Names the account of an event, or notes that its name is not known.
    pub(super) fn name(&self, notice: &mut Notice) {
        if !self.has_no_name(notice) {
            return;
        }
        let origin = &mut notice.origin;
        match self.answer() {
            Answer::Known(alias) => {
                origin.account_name = alias;
                origin.lacks_account_name = false;
            }
            Answer::NotAsked | Answer::FailedAt(_) => origin.lacks_account_name = true,
        }
    }
}
