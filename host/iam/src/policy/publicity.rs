//! Whether a policy lets in everyone.

use pawl_core::limits;

use super::condition::{Condition, Wanted};
use super::operator::{Quantifier, Relation};
use super::pattern::Pattern;
use super::statement::{Effect, Statement};

/// Keys that say who the caller is, or on whose behalf and from where he calls (the list is S3's "The meaning of
/// public", of which Secrets Manager's `BlockPublicPolicy` is the same engine's, with the global keys of principals).
const CALLER_KEYS: [&str; 11] = [
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:SourceArn",
    "aws:SourceAccount",
    "aws:SourceOrgID",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:SourceIp",
    "aws:userid",
];

/// Keys whose values begin with what is somebody's, up to this character, and go on with what he chose.
const OWNED_STARTS: [(&str, char); 2] = [("aws:userid", ':'), ("aws:PrincipalOrgPaths", '/')];

/// Whether the statement allows something to everyone, with no condition that says who.
pub(super) fn is_public(statement: &Statement) -> bool {
    statement.effect == Effect::Allow
        && statement.who.is_everyone()
        && !statement.conditions.iter().any(fixes_caller)
}

fn fixes_caller(condition: &Condition) -> bool {
    let operator = condition.operator;
    let known = CALLER_KEYS.iter().any(|key| key.eq_ignore_ascii_case(&condition.key));
    if !known
        || operator.if_exists
        || operator.quantifier == Quantifier::All
        || operator.relation != Relation::Equal
    {
        return false;
    }
    match &condition.wanted {
        Wanted::Texts(patterns) => patterns.iter().all(|pattern| is_fixed(&condition.key, pattern)),
        Wanted::Arns(patterns) => patterns.iter().all(super::arn::ArnPattern::is_somebodys),
        Wanted::Networks(networks) => networks.iter().all(|network| {
            let least = match network {
                ipnet::IpNet::V4(_) => limits::PUBLIC_PREFIX_BITS_V4,
                ipnet::IpNet::V6(_) => limits::PUBLIC_PREFIX_BITS_V6,
            };
            network.prefix_len() >= least
        }),
        Wanted::Numbers(_) | Wanted::Moments(_) | Wanted::Bools(_) | Wanted::Bytes(_) => false,
    }
}

/// Whether a value is one, or all that begin with what is somebody's.
fn is_fixed(key: &str, pattern: &Pattern) -> bool {
    if let Some(text) = pattern.literal() {
        return !text.is_empty();
    }
    // An ARN compared as text: a star in it may stand for colons, so what is fixed is what stands before it.
    let arn = key.eq_ignore_ascii_case("aws:PrincipalArn") || key.eq_ignore_ascii_case("aws:SourceArn");
    let start = pattern.literal_start();
    if arn {
        let account = start.split(':').nth(4).unwrap_or_default();
        return account.len() == 12
            && start.split(':').count() > 5
            && account.bytes().all(|c| c.is_ascii_digit());
    }
    let mut owned = OWNED_STARTS.iter().filter(|(held, _)| held.eq_ignore_ascii_case(key));
    owned.any(|(_, end)| start.split_once(*end).is_some_and(|(owner, _)| !owner.is_empty()))
}
