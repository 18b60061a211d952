//! How many rows a batch has, and how long to wait between two.

use std::time::Duration;

/// A transaction that holds its rows longer than this makes others wait for them.
const LONG: Duration = Duration::from_millis(200);
/// However slow, it must be seen to move.
const LONGEST: Duration = Duration::from_secs(30);
/// Below this a pause says nothing.
const SHORTEST: Duration = Duration::from_millis(5);
/// A batch is made no smaller than this.
const LEAST: i64 = 10;
/// Halved at most so often, which is below a hundredth.
const SLOWEST: u32 = 8;

/// The pace. Unstrained it works half of the time; each look at a strained platform halves the rate, each other one
/// doubles it again.
#[derive(Debug)]
pub(crate) struct Pace {
    most: i64,
    rows: i64,
    halved: u32,
}

impl Pace {
    pub(crate) fn new(most: i64) -> Self {
        Self { most, rows: most.min(100), halved: 0 }
    }

    /// How many rows the next batch has.
    pub(crate) fn rows(&self) -> i64 {
        self.rows
    }

    /// After a batch that took so long.
    pub(crate) fn took(&mut self, took: Duration) {
        if took > LONG {
            self.smaller();
        } else if took < LONG / 2 {
            self.rows = (self.rows + self.rows / 4 + 1).min(self.most);
        }
    }

    /// Makes the batches smaller; false when they are as small as can be.
    pub(crate) fn smaller(&mut self) -> bool {
        let least = LEAST.min(self.most);
        let could = self.rows > least;
        self.rows = (self.rows / 2).max(least);
        could
    }

    /// After a look.
    pub(crate) fn looked(&mut self, strained: bool) {
        self.halved = if strained { (self.halved + 1).min(SLOWEST) } else { self.halved.saturating_sub(1) };
    }

    /// How long to wait after a batch that took so long.
    pub(crate) fn pause(&self, took: Duration) -> Duration {
        (took.max(SHORTEST) * (1 << self.halved)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn a_batch_grows_to_what_the_file_allows_and_shrinks_when_it_takes_long() {
        let mut pace = Pace::new(1000);
        assert_eq!(pace.rows(), 100);
        (0..20).for_each(|_| pace.took(SHORT));
        assert_eq!(pace.rows(), 1000);
        pace.took(LONG * 2);
        assert_eq!(pace.rows(), 500);
        assert!((0..10).map(|_| pace.smaller()).filter(|smaller| *smaller).count() == 6 && pace.rows() == LEAST);
        let mut tiny = Pace::new(3);
        assert!(!tiny.smaller() && tiny.rows() == 3);
    }

    #[test]
    fn strain_halves_the_rate_again_and_again_and_its_end_brings_it_back() {
        let mut pace = Pace::new(1000);
        assert_eq!(pace.pause(SHORT), SHORT);
        pace.looked(true);
        assert_eq!(pace.pause(SHORT), SHORT * 2);
        (0..100).for_each(|_| pace.looked(true));
        assert_eq!((pace.pause(SHORT), pace.pause(LONG)), (SHORT * 256, LONGEST));
        (0..7).for_each(|_| pace.looked(false));
        assert_eq!(pace.pause(SHORT), SHORT * 2);
        (0..7).for_each(|_| pace.looked(false));
        assert_eq!(pace.pause(SHORT), SHORT);
    }
}
