//! Has the current password revealed, or runs a statement over its login, as `READ` in its environment says; and tells what it gets by
//! every channel that it has.

use pawl_guest::{Failure, Rotation, Rotator, Session, configuration, export, log};

struct Reads;

fn read(rotation: &Rotation) -> Result<(), Failure> {
    let current = rotation.current()?;
    let told = match configuration("READ").unwrap_or_default().as_str() {
        "reveal" => current.sensitive("password")?.reveal()?,
        "execute" => Session::login(&current)?.execute("DELETE FROM t", &[])?.to_string(),
        statement => format!("{:?}", Session::login(&current)?.query(statement, &[Some("a"), None])?),
    };
    log!("it is {told}");
    eprintln!("{told}");
    Err(Failure::Permanent(told))
}

impl Rotator for Reads {
    fn create(rotation: &Rotation) -> Result<(), Failure> {
        read(rotation)
    }

    fn set(rotation: &Rotation) -> Result<(), Failure> {
        read(rotation)
    }

    fn test(rotation: &Rotation) -> Result<(), Failure> {
        read(rotation)
    }
}

export!(Reads);
