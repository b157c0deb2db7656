//! A rotator that takes memory without end, and writes to all of it.

use pawl_guest::{Failure, Rotation, Rotator, export};

struct Hoards;

impl Rotator for Hoards {
    fn create(_: &Rotation) -> Result<(), Failure> {
        let mut hoard = Vec::new();
        loop {
            hoard.push(std::hint::black_box(vec![1_u8; 1024 * 1024]));
        }
    }

    fn set(_: &Rotation) -> Result<(), Failure> {
        Ok(())
    }

    fn test(_: &Rotation) -> Result<(), Failure> {
        Ok(())
    }
}

export!(Hoards);
