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

/// Holds what was provoked against the model and against the list of what is not; gives what does not fit.
pub(crate) fn check(provoked: &BTreeSet<Pair>) -> Vec<String> {
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
    let say = |what: &str, (operation, error): &Pair| format!("coverage: {operation} {error} {what}");
    let new = uncovered.difference(&listed).map(|pair| say("is provoked by no case", pair));
    let stale = listed.difference(&uncovered);
    new.chain(stale.map(|pair| say("is provoked, or not of the model: take it out of uncovered.txt", pair)))
        .collect()
}
