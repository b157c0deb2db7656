//! Rotates between two users of MySQL or MariaDB that can do the same: the one that applications use now is never touched.
//!
//! AWS's alternating-users functions, with their names and their rules for the new password, and without their ways to strand an
//! application: the host makes the other user like the current one account by account, takes back what the current one has not,
//! sets the password last, and no user is promoted that can do less or more than the one before.

use pawl_guest::{Failure, LoginError, Rotation, Rotator, Rules, Session, Version, alternate, export, log};

/// Characters that AWS leaves out of a MySQL or MariaDB password: they mean something in connection strings.
const EXCLUDED: &str = r#"/@"'\"#;
/// Characters of a new password.
const LENGTH: u32 = 32;

struct AlternatingUsers;

impl Rotator for AlternatingUsers {
    fn create(rotation: &Rotation) -> Result<(), Failure> {
        let rules =
            Rules { length: Some(LENGTH), exclude_characters: Some(EXCLUDED.to_owned()), ..Rules::default() };
        rotation.create_pending(|current| {
            let other = other_user(&current.text("username")?, name_chars_max(&current.text("engine")?))?;
            // Said now, and not after a password has been made for it.
            let _ = current.text("masterarn")?;
            Ok(current.with("username", other).with("password", rotation.random_password(&rules)?))
        })
    }

    fn set(rotation: &Rotation) -> Result<(), Failure> {
        let (current, pending) = (rotation.current()?, rotation.pending()?);
        let (like, account) = (current.text("username")?, pending.text("username")?);
        let master = rotation.open(&current.text("masterarn")?)?;
        log_in_as_either(rotation, current, &[&like, &account])?;
        // The same password however often this step is called, and each time only what is missing.
        let master = Session::login(&master)?;
        Ok(master.mirror_account(&like, &account, &pending.sensitive("password")?)?)
    }

    fn test(rotation: &Rotation) -> Result<(), Failure> {
        let (current, pending) = (rotation.current()?, rotation.pending()?);
        let (like, account) = (current.text("username")?, pending.text("username")?);
        Session::login(&pending)?.ping()?;
        // No user may read what another can do: the master compares.
        let master = Session::login(&rotation.open(&current.text("masterarn")?)?)?;
        let different = master.differences(&like, &account)?;
        if different.is_empty() {
            return Ok(());
        }
        log!(warn, "since the password was set, something has changed: {}", different.join("; "));
        master.mirror_account(&like, &account, &pending.sensitive("password")?)?;
        let different = master.differences(&like, &account)?;
        if different.is_empty() { Ok(()) } else { Err(Failure::Permanent(different.join("; "))) }
    }
}

/// Characters of a user's name that the server takes.
fn name_chars_max(engine: &str) -> usize {
    if engine == "mariadb" { 80 } else { 32 }
}

fn other_user(username: &str, chars_max: usize) -> Result<String, Failure> {
    let other = alternate(username).filter(|other| other.chars().count() <= chars_max);
    other.ok_or_else(|| {
        Failure::Permanent(format!(
            "`{username}` has no alternate: with `_clone` put on or taken off, a name must have 1 to {chars_max} characters"
        ))
    })
}

/// Proves that whoever wrote the secret knew a password of one of the two: the host lets no master change an account otherwise,
/// but for a secret whose current version a rotation has made.
fn log_in_as_either(rotation: &Rotation, current: Version, users: &[&str]) -> Result<(), Failure> {
    let place = |version: &Version| ["host", "port"].map(|field| version.find_text(field));
    let here = place(&current);
    let either = |version: &Version| {
        place(version) == here
            && version.find_text("username").is_some_and(|user| users.contains(&user.as_str()))
    };
    let older: Vec<_> = rotation.previous()?.into_iter().chain(rotation.others()?).filter(either).collect();
    match Session::login_first(std::iter::once(current).chain(older)) {
        Ok(_) => Ok(()),
        Err(LoginError::Refused(text) | LoginError::LockoutBudgetSpent(text)) => {
            log!(warn, "no version's password logs in ({text}); the master makes the new one work");
            Ok(())
        }
        Err(other) => Err(other.into()),
    }
}

export!(AlternatingUsers);
