//! A rotator that logs in to a host that it was not granted.

use pawl_guest::{Failure, Rotation, Rotator, Session, export};

struct Trespasses;

impl Rotator for Trespasses {
    fn create(rotation: &Rotation) -> Result<(), Failure> {
        Session::login(&rotation.current()?)?;
        Ok(())
    }

    fn set(_: &Rotation) -> Result<(), Failure> {
        Ok(())
    }

    fn test(_: &Rotation) -> Result<(), Failure> {
        Ok(())
    }
}

export!(Trespasses);
