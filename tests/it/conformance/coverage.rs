//! What the cases provoke, against what the service model has: every operation, and every error of each.

use std::collections::BTreeSet;

/// Operations and errors as botocore 1.44.5's model has them: `Operation: Error, ...`.
const MODEL: &str = include_str!("operations.txt");

/// An operation and one of its errors; an operation's success is the error `-`.
pub(crate) type Pair = (String, String);

/// What no case provokes, and why: `Operation Error: why`. It may only shrink.
const UNCOVERED: &str = include_str!("uncovered.txt");

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

/// Holds what was provoked against the model and against the list of what is not.
pub(crate) fn check(provoked: &BTreeSet<Pair>) {
    let listed: BTreeSet<Pair> = UNCOVERED
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (pair, why) = line.split_once(": ").unwrap_or_else(|| panic!("`{line}` gives no reason"));
            assert!(!why.is_empty(), "`{line}` gives no reason");
            let (operation, error) = pair.split_once(' ').expect("`Operation Error: why`");
            (operation.to_owned(), error.to_owned())
        })
        .collect();
    let uncovered: BTreeSet<Pair> = model().difference(provoked).cloned().collect();
    let say = |pairs: Vec<&Pair>| {
        pairs.iter().map(|(operation, error)| format!("  {operation} {error}")).collect::<Vec<_>>().join("\n")
    };
    let new = say(uncovered.difference(&listed).collect());
    let stale = say(listed.difference(&uncovered).collect());
    assert!(new.is_empty(), "no case provokes these any more, and uncovered.txt may only shrink:\n{new}");
    assert!(stale.is_empty(), "these are provoked or are not of the model: take them out of uncovered.txt:\n{stale}");
}
