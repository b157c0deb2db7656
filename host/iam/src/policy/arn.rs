//! ARNs in conditions: six parts, each compared by itself.

use super::context::ConditionContext;
use super::error::{Fault, excerpt};
use super::pattern::{Case, Pattern, Syntax};

/// What `ArnEquals` and `ArnLike`, which are the same, compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ArnPattern {
    /// Each of the six parts by itself: no star stands for a colon but in the last (user guide, "ARN condition
    /// operators").
    Parts(Box<[Pattern; 6]>),
    /// `*`, or a variable that stands for a whole ARN.
    Whole(Pattern),
}

impl ArnPattern {
    pub(super) fn parse(text: &str, variables: bool) -> Result<Self, Fault> {
        let syntax = Syntax { wildcards: true, variables };
        if let Some(parts) = parts(text) {
            let [a, b, c, d, e, f] = parts.map(|part| Pattern::compile(part, syntax));
            return Ok(Self::Parts(Box::new([a?, b?, c?, d?, e?, f?])));
        }
        let whole = Pattern::compile(text, syntax)?;
        if whole.is_everything() || whole.has_variables() {
            return Ok(Self::Whole(whole));
        }
        Err(Fault::ConditionValue(
            excerpt(text),
            "an ARN of six parts (arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE)",
        ))
    }

    pub(super) fn matches(&self, arn: &str, context: &ConditionContext<'_>) -> bool {
        match self {
            Self::Whole(pattern) => pattern.matches(arn, Case::Exact, context),
            Self::Parts(patterns) => split(arn).is_some_and(|parts| {
                patterns.iter().zip(parts).all(|(pattern, part)| pattern.matches(part, Case::Exact, context))
            }),
        }
    }

    /// Whether it names something that is somebody's: an account, or where there is none, a whole resource.
    pub(super) fn is_somebodys(&self) -> bool {
        let Self::Parts(parts) = self else { return false };
        let [_, _, _, _, account, resource] = &**parts;
        match account.literal() {
            Some("") => resource.literal().is_some_and(|resource| !resource.is_empty()),
            Some(account) => account.len() == 12 && account.bytes().all(|c| c.is_ascii_digit()),
            None => false,
        }
    }
}

/// Whether a request's value can be compared as an ARN.
pub(super) fn is_arn(text: &str) -> bool {
    split(text).is_some()
}

fn split(text: &str) -> Option<[&str; 6]> {
    let mut parts = text.splitn(6, ':');
    let mut part = || parts.next();
    let split = [part()?, part()?, part()?, part()?, part()?, part()?];
    (text.starts_with("arn:")).then_some(split)
}

/// The six parts of an ARN with wildcards and variables. A variable's key has a colon of its own.
pub(super) fn parts(text: &str) -> Option<[&str; 6]> {
    let mut cuts = [0_usize; 5];
    let mut found = cuts.iter_mut();
    let (mut within, mut before) = (false, ' ');
    for (at, c) in text.char_indices() {
        match c {
            '{' if before == '$' => within = true,
            '}' => within = false,
            ':' if !within => match found.next() {
                Some(cut) => *cut = at,
                None => break,
            },
            _ => {}
        }
        before = c;
    }
    if found.next().is_some() || !text.starts_with("arn:") {
        return None;
    }
    let [a, b, c, d, e] = cuts;
    let part = |from: usize, to: usize| text.get(from + 1..to);
    Some([text.get(..a)?, part(a, b)?, part(b, c)?, part(c, d)?, part(d, e)?, text.get(e + 1..)?])
}
