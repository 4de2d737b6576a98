//! ListAccountAliases: the alias of an account, which stands beside the account's number.
//!
//! An alias changes hardly ever, so each process asks for it once. IAM answers about the caller's account only, so another
//! account has an alias here only if its role is assumed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::calls::{AwsCalls, Location};
use super::own_account::OwnAccount;
use crate::aws::service::iam;
use crate::ecs::arn::is_account;
use crate::ecs::notice::Notice;

/// After a call that failed, so long nobody asks again.
const WAIT: Duration = Duration::from_secs(300);

/// The aliases of accounts, by their numbers.
#[derive(Debug)]
pub(super) struct AliasCache {
    own_account: Arc<OwnAccount>,
    scope: AliasScope,
    answers: Mutex<BTreeMap<String, Answer>>,
}

/// Which accounts are asked for their alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AliasScope {
    OwnAccount,
    /// Roles of other accounts are assumed.
    AllAccounts,
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
    pub(super) fn new(own_account: Arc<OwnAccount>, scope: AliasScope) -> Self {
        Self {
            own_account,
            scope,
            answers: Mutex::default(),
        }
    }

    /// The account whose alias the call would tell.
    pub(super) fn missing(&self, notice: &Notice) -> Option<Location> {
        let location = Location::of(notice).filter(|_| self.has_no_name(notice))?;
        let is_missing = match self.answer(&location.account) {
            Answer::NotAsked => true,
            Answer::FailedAt(at) => at.elapsed() >= WAIT,
            Answer::Known(_) => false,
        };
        is_missing.then_some(location)
    }

    /// Whether an account may have an alias, and there is no configured name for it.
    fn has_no_name(&self, notice: &Notice) -> bool {
        let account = notice.origin.account.as_deref();
        let own = self.own_account.get();
        let is_asked = match self.scope {
            AliasScope::OwnAccount => own.is_some() && account == own,
            AliasScope::AllAccounts => account.is_some_and(is_account),
        };
        is_asked && notice.origin.account_name.is_none()
    }

    fn answer(&self, account: &str) -> Answer {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(account).cloned().unwrap_or_default()
    }

    pub(super) async fn fetch(&self, aws: &AwsCalls<'_>, notices: &[&mut Notice]) {
        let wanted = notices.iter().filter_map(|it| self.missing(it));
        let wanted: BTreeMap<_, _> = wanted.map(|it| (it.account.clone(), it)).collect();
        let asked = wanted.into_values().map(|location| async move {
            let client = aws.iam(&location);
            let alias = iam::account_alias(&client);
            let answer = match aws.call("ListAccountAliases", &location, alias).await {
                Some(alias) => Answer::Known(alias),
                None => Answer::FailedAt(Instant::now()),
            };
            Some((location.account, answer))
        });
        let found = aws.all(asked).await;
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.extend(found);
    }

    /// Names the account of an event, or notes that its name is not known.
    pub(super) fn name(&self, notice: &mut Notice) {
        if !self.has_no_name(notice) {
            return;
        }
        let origin = &mut notice.origin;
        match self.answer(origin.account.as_deref().unwrap_or_default()) {
            Answer::Known(alias) => {
                origin.account_name = alias;
                origin.lacks_account_name = false;
            }
            Answer::NotAsked | Answer::FailedAt(_) => origin.lacks_account_name = true,
        }
    }
}
