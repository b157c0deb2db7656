//! Rotates between two PostgreSQL logins that are one role: the one that applications use now is never touched.
//!
//! AWS's alternating-users function, with its names and its rules for the new password, and without its ways to strand an
//! application: the host makes both logins one role in one transaction and checks it, a half-done try leaves nothing behind, and
//! a current password that no longer logs in does not end the rotation of a secret that Pawl has rotated before.

use pawl_guest::{Failure, LoginError, Rotation, Rotator, Rules, Session, Version, alternate, export, log};

/// Characters that AWS leaves out of a PostgreSQL password: they mean something in connection strings.
const EXCLUDED: &str = r#":/@"'\"#;
/// Characters of a new password.
const LENGTH: u32 = 32;
/// Bytes of a role's name: a server cuts longer ones in silence.
const NAME_BYTES_MAX: usize = 63;

struct AlternatingUsers;

impl Rotator for AlternatingUsers {
    fn create(rotation: &Rotation) -> Result<(), Failure> {
        let rules =
            Rules { length: Some(LENGTH), exclude_characters: Some(EXCLUDED.to_owned()), ..Rules::default() };
        rotation.create_pending(|current| {
            let other = other_user(&current.text("username")?)?;
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
        // The same password however often this step is called, and all or nothing each time.
        let master = Session::login(&master)?;
        Ok(master.mirror_account(&like, &account, &pending.sensitive("password")?)?)
    }

    fn test(rotation: &Rotation) -> Result<(), Failure> {
        let (current, pending) = (rotation.current()?, rotation.pending()?);
        let session = Session::login(&pending)?;
        session.ping()?;
        // The new login's own session: it sees the same catalog as the master, and what it runs as itself.
        let different = session.differences(&current.text("username")?, &pending.text("username")?)?;
        if different.is_empty() { Ok(()) } else { Err(Failure::Permanent(different.join("; "))) }
    }
}

fn other_user(username: &str) -> Result<String, Failure> {
    let other = alternate(username).filter(|other| other.len() <= NAME_BYTES_MAX);
    other.ok_or_else(|| {
        Failure::Permanent(format!(
            "`{username}` has no alternate: with `_clone` put on or taken off, a name must have 1 to {NAME_BYTES_MAX} bytes"
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
