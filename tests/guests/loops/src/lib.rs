//! A rotator that never returns.

use pawl_guest::{Failure, Rotation, Rotator, export};

struct Loops;

impl Rotator for Loops {
    fn create(_: &Rotation) -> Result<(), Failure> {
        let mut turns = 0_u64;
        loop {
            turns = std::hint::black_box(turns.wrapping_add(1));
        }
    }

    fn set(_: &Rotation) -> Result<(), Failure> {
        Ok(())
    }

    fn test(_: &Rotation) -> Result<(), Failure> {
        Ok(())
    }
}

export!(Loops);
