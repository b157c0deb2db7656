//! A rotator that panics.

use pawl_guest::{Failure, Rotation, Rotator, export};

struct Panics;

impl Rotator for Panics {
    #[expect(clippy::panic, reason = "what this guest is for")]
    fn create(_: &Rotation) -> Result<(), Failure> {
        panic!("this guest panics on purpose")
    }

    fn set(_: &Rotation) -> Result<(), Failure> {
        Ok(())
    }

    fn test(_: &Rotation) -> Result<(), Failure> {
        Ok(())
    }
}

export!(Panics);
