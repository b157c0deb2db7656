//! Two accounts that take turns: one made like the other, and compared with it.

use pawl_core::alternate::alternate;
use pawl_core::limits;
use pawl_core::rotation::Account;

use super::database::{database_error, from_secret, in_time};
use super::handles::Handles;
use super::{Capabilities, Violation, journal};
use crate::database::Login;
use crate::port::Which;
use crate::wire::{DatabaseError, Handle};

type Answered<T> = Result<Result<T, DatabaseError>, Violation>;

fn refused<T>(text: &str) -> Result<T, DatabaseError> {
    Err(DatabaseError::Refused(text.to_owned()))
}

impl Capabilities {
    pub(super) async fn mirror_account(
        &mut self,
        session: Handle,
        (like, account): (&str, &str),
        password: Handle,
    ) -> Answered<()> {
        let held = self.handles.session(session)?;
        let password = self.handles.sensitive(password)?;
        let pending = match self.may_set(&held, account, &password.value).await {
            Ok(pending) => pending,
            Err(error) => return Ok(Err(error)),
        };
        if !password.value.same_as(&pending.password) {
            return Ok(refused("the account takes the pending version's password and no other"));
        }
        if let Err(error) = self.may_mirror(&pending, like, account).await {
            return Ok(Err(error));
        }
        if self.config.rehearsal {
            let at = format!("at {}:{}", held.host, held.port);
            self.would(&format!("make the account {account} like {like}, with a new password, {at}"));
            return Ok(Ok(()));
        }
        if let Err(error) = self.fence().await {
            return Ok(Err(database_error(error)));
        }
        let (port, mut lost) = (self.config.port.clone(), None);
        let last_word = Box::pin(async {
            lost = port.fence().await.err();
            lost.is_none()
        });
        let done = in_time(held.session.mirror_account(like, account, &password.value, last_word)).await;
        Ok(match lost {
            Some(error) => Err(database_error(self.noted(error))),
            None => done,
        })
    }

    /// Checks that these two are the pair that takes turns, and that whoever wrote the secret had a login of one of them: else any
    /// account's rights could be had by writing its name into a secret.
    async fn may_mirror(&mut self, pending: &Login, like: &str, account: &str) -> Result<(), DatabaseError> {
        self.are_the_pair(like, account).await?;
        let logged_in = [like, account]
            .iter()
            .any(|name| self.own_logins.contains(&Account::new(name, &pending.host, pending.port)));
        if logged_in {
            return Ok(());
        }
        let standing = self.config.port.standing().await.map_err(|e| database_error(self.noted(e)))?;
        if standing.current_was_rotated {
            return Ok(());
        }
        refused(
            "no version of this secret logs in, and no rotation has made its current one: store credentials that work, then \
             rotate again",
        )
    }

    /// Checks that `like` is AWSCURRENT's user and `account` its alternate and the pending version's.
    async fn are_the_pair(&mut self, like: &str, account: &str) -> Result<(), DatabaseError> {
        let current = self.document(Which::Current).await.map_err(from_secret)?;
        let pending = self.document(Which::Pending).await.map_err(from_secret)?;
        let user = |document: Option<pawl_core::document::Document>| document?.text("username");
        let (current, pending) = (user(current), user(pending));
        if current.as_deref() != Some(like) || pending.as_deref() != Some(account) {
            return refused("the accounts are not those of AWSCURRENT and of the pending version");
        }
        if alternate(like).as_deref() != Some(account) {
            return refused(
                "the pending version's user is not the current one's with `_clone` put on or taken off",
            );
        }
        Ok(())
    }

    pub(super) async fn differences(
        &mut self,
        session: Handle,
        like: &str,
        account: &str,
    ) -> Answered<Vec<String>> {
        let held = self.handles.session(session)?;
        if let Err(error) = Handles::unspoilt(&held) {
            return Ok(Err(error));
        }
        if let Err(error) = self.are_the_pair(like, account).await {
            return Ok(Err(error));
        }
        if let Err(error) = self.fence().await {
            return Ok(Err(database_error(error)));
        }
        let found = match in_time(held.session.differences(like, account)).await {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        self.proof.privileges = found.is_empty();
        let mut room = limits::DIFFERENCES_BYTES_MAX;
        let mut told = Vec::new();
        for difference in &found {
            let line = journal::line(difference);
            let Some(left) = room.checked_sub(line.len()) else {
                told.push("and more".to_owned());
                break;
            };
            room = left;
            told.push(line);
        }
        Ok(Ok(told))
    }
}
