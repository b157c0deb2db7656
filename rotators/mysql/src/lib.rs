//! Rotates the password of one MySQL or MariaDB account, which changes its own password.
//!
//! What AWS's single-user functions do, with their rules for the new password, and three things more: a server that cannot be
//! reached is told apart from one that refuses the password, and only a refusal leads to the next credentials; no login is tried
//! that is bound to fail; and a database that has neither the current nor the previous password is healed from any version that
//! still opens it.

use pawl_guest::{Failure, Rotation, Rotator, Rules, Session, Version, export};

/// Characters that AWS leaves out of a MySQL or MariaDB password: they mean something in connection strings.
const EXCLUDED: &str = r#"/@"'\"#;
/// Characters of a new password.
const LENGTH: u32 = 32;

struct SingleUser;

impl Rotator for SingleUser {
    fn create(rotation: &Rotation) -> Result<(), Failure> {
        let rules =
            Rules { length: Some(LENGTH), exclude_characters: Some(EXCLUDED.to_owned()), ..Rules::default() };
        rotation.create_pending(|current| Ok(current.with("password", rotation.random_password(&rules)?)))
    }

    fn set(rotation: &Rotation) -> Result<(), Failure> {
        let pending = rotation.pending()?;
        same_account(&pending, &rotation.current()?)?;
        let login = rotation.login_known()?;
        if !login.already_set {
            login.session.set_password(&pending.text("username")?, &pending.sensitive("password")?)?;
        }
        Ok(())
    }

    fn test(rotation: &Rotation) -> Result<(), Failure> {
        Ok(Session::login(&rotation.pending()?)?.ping()?)
    }
}

/// Refuses to give one account's new password to another, or to the account of that name on another server.
fn same_account(pending: &Version, other: &Version) -> Result<(), Failure> {
    for field in ["username", "host"] {
        let (new, old) = (pending.text(field)?, other.text(field)?);
        if new != old {
            return Err(Failure::Permanent(format!(
                "the pending version's {field} is `{new}`, the version that should change its password has `{old}`"
            )));
        }
    }
    Ok(())
}

export!(SingleUser);
