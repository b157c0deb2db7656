//! What is wrong with a policy, in IAM's own words.

use super::error::Fault;
use super::kind::PolicyKind;

const SYNTAX: &str = "Syntax errors in policy.";
const NO_VENDOR: &str = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";

/// The sentence for a fault. IAM has few, and "Syntax errors in policy." for the rest.
pub(super) fn of(fault: &Fault, kind: PolicyKind) -> String {
    let trust = kind == PolicyKind::Trust;
    match fault {
        Fault::Missing(member) | Fault::Prohibited(member, _) if trust => {
            let what =
                if matches!(fault, Fault::Missing(_)) { "Missing required field" } else { "Has prohibited field" };
            format!("{what} {member}")
        }
        Fault::Prohibited(..) => "Policy document should not specify a principal.".to_owned(),
        Fault::Missing("Action") => "Policy statement must contain actions.".to_owned(),
        Fault::Missing("Resource") => "Policy statement must contain resources.".to_owned(),
        Fault::Version(_) => "The policy must contain a valid version string.".to_owned(),
        Fault::Sid(_) => "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression \
                          [0-9A-Za-z]*"
            .to_owned(),
        Fault::SidTwice(_) => "Statement IDs (SID) in a single policy must be unique.".to_owned(),
        Fault::ForeignAction(..) if trust => {
            "AssumeRole policy may only specify STS AssumeRole actions.".to_owned()
        }
        Fault::Action(text, _) => action(text),
        Fault::ConditionKey(text) if !text.contains(':') => NO_VENDOR.to_owned(),
        Fault::Resource(text) => format!("Resource {} must be in ARN format or \"*\".", bare(text)),
        Fault::AwsPrincipal(text) | Fault::PrincipalWildcard(text) => {
            format!("Invalid principal in policy: \"AWS\":\"{}\"", bare(text))
        }
        Fault::UnknownMember(name, _) if trust => format!("Unknown field {}", bare(name)),
        _ => SYNTAX.to_owned(),
    }
}

fn action(text: &str) -> String {
    match text.split_once(':') {
        None => NO_VENDOR.to_owned(),
        Some((_, name)) if name.contains(':') => "Actions/Condition can contain only one colon.".to_owned(),
        Some((vendor, _)) => {
            let vendor = bare(vendor);
            let is_one = !vendor.is_empty() && vendor.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
            if is_one { SYNTAX.to_owned() } else { format!("Vendor {vendor} is not valid") }
        }
    }
}

/// An excerpt without its quotation marks.
fn bare(excerpt: &str) -> &str {
    excerpt.trim_matches('"')
}
