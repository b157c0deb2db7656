//! What the cases provoke, against what the service model has: every operation, and every error of each.

use std::collections::BTreeSet;

/// Operations and errors as botocore 1.44.5's model has them: `Operation: Error, ...`.
const MODEL: &str = include_str!("operations.txt");

/// An operation and one of its errors; an operation's success is the error `-`.
pub(crate) type Pair = (String, String);

/// All pairs of the model.
pub(crate) fn model() -> BTreeSet<Pair> {
    let mut pairs = BTreeSet::new();
    for line in MODEL.lines() {
        let (operation, errors) = line.split_once(": ").expect("`Operation: Error, ...`");
        for error in errors.split(", ").chain(["-"]) {
            pairs.insert((operation.to_owned(), error.to_owned()));
        }
    }
    pairs
}

/// Whether an error is one of the model's.
pub(crate) fn is_modelled(code: &str) -> bool {
    MODEL.lines().any(|line| line.split([' ', ',']).any(|word| word == code))
}
