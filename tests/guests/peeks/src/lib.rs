//! A rotator that tells all that it can see of the secret, and then does its work without having seen the password.

use pawl_guest::{Failure, LoginError, Rotation, Rotator, Rules, Session, Version, export, log};

/// The fields of the secrets that the tests and the demo give it, and some that a curious author would try.
const FIELDS: [&str; 9] =
    ["engine", "host", "port", "username", "dbname", "ssl", "password", "Password", "SecretString"];

struct Peeks;

fn look_at(label: &str, version: &Version) {
    for field in FIELDS {
        match (version.find_text(field), version.find_sensitive(field)) {
            (Some(text), _) => log!("{label} {field} = {text}"),
            (None, Some(_)) => log!("{label} {field} = a handle without text"),
            (None, None) => {}
        }
    }
}

impl Rotator for Peeks {
    fn create(rotation: &Rotation) -> Result<(), Failure> {
        look_at("AWSCURRENT", &rotation.current()?);
        let rules = Rules { exclude_characters: Some(r#":/@"'\"#.to_owned()), ..Rules::default() };
        rotation.create_pending(|current| Ok(current.with("password", rotation.random_password(&rules)?)))?;
        look_at("AWSPENDING", &rotation.pending()?);
        for (name, value) in std::env::vars() {
            log!("environment {name} = {value}");
        }
        Ok(())
    }

    fn set(rotation: &Rotation) -> Result<(), Failure> {
        let pending = rotation.pending()?;
        match Session::login(&pending) {
            Ok(_) => return Ok(()),
            // What the host says of a refused login is all that there is to learn from one.
            Err(LoginError::Refused(text)) => log!("login refused: {text}"),
            Err(other) => return Err(other.into()),
        }
        let session = Session::login(&rotation.current()?)?;
        session.set_password(&pending.text("username")?, &pending.sensitive("password")?)?;
        Ok(())
    }

    fn test(rotation: &Rotation) -> Result<(), Failure> {
        Ok(Session::login(&rotation.pending()?)?.ping()?)
    }
}

export!(Peeks);
