//! Chance that is the same in every run.

/// A small generator (splitmix64): a seed makes a world, and the same seed the same world.
#[derive(Clone, Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `from` up to and without `to`.
    pub(crate) fn between(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.draw() % u64::try_from(to - from).unwrap()).unwrap()
    }

    /// The same, small numbers as likely as large ones: each doubling gets its share.
    pub(crate) fn scaled(&mut self, from: i64, to: i64) -> i64 {
        let doublings = i64::from((to / from).max(1).ilog2());
        let least = from << self.between(0, doublings + 1);
        self.between(least, (least * 2).min(to + 1).max(least + 1))
    }

    pub(crate) fn once_in(&mut self, times: i64) -> bool {
        self.between(0, times) == 0
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.between(0, i64::try_from(choices.len()).unwrap())).unwrap()]
    }
}
