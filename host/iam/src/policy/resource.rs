//! What a statement is about: its `Resource` or `NotResource`.

use super::context::ConditionContext;
use super::error::{Fault, excerpt};
use super::pattern::{Case, Pattern, Syntax};

/// A resource, or many of them. Case counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResourcePattern {
    text: Box<str>,
    pattern: Pattern,
}

impl ResourcePattern {
    pub(super) fn parse(text: &str, variables: bool) -> Result<Self, Fault> {
        let whole = text == "*" || (text.starts_with("arn:") && (is_arn(text) || text.ends_with('*')));
        if !whole {
            return Err(Fault::Resource(excerpt(text)));
        }
        let pattern = Pattern::compile(text, Syntax { wildcards: true, variables })?;
        Ok(Self { text: text.into(), pattern })
    }

    /// Whether the ARN is one of these. In a policy that is attached to a secret, `*` is that secret.
    ///
    /// A star may stand for more than one part of an ARN: at the end of a part it does so in AWS too.
    pub(super) fn matches(&self, arn: &str, context: &ConditionContext<'_>) -> bool {
        self.pattern.is_everything() || self.pattern.matches(arn, Case::Exact, context)
    }

    pub(super) const fn has_variables(&self) -> bool {
        self.pattern.has_variables()
    }

    /// Why no secret can ever be one of these, if so.
    pub(super) fn never(&self) -> Option<&'static str> {
        let parts: Vec<&str> = self.text.splitn(7, ':').collect();
        let fixed = |index: usize| {
            // A star before it may have swallowed colons.
            let before = parts.get(..=index).unwrap_or_default();
            before
                .iter()
                .all(|part| !part.contains(['*', '?', '$']))
                .then(|| parts.get(index).copied())
                .flatten()
        };
        if fixed(1).is_some_and(|partition| partition != "aws") {
            return Some("its partition is not aws");
        }
        if fixed(2).is_some_and(|service| service != "secretsmanager") {
            return Some("it is not a resource of secretsmanager");
        }
        if fixed(5).is_some_and(|kind| kind != "secret") {
            return Some("it is not a secret");
        }
        let literal = self.pattern.literal()?;
        let (_, end) = literal.rsplit_once('-').unwrap_or_default();
        let ended = end.len() == pawl_core::limits::ARN_SUFFIX_CHARS
            && end.bytes().all(|c| c.is_ascii_alphanumeric());
        (!ended)
            .then_some("a secret's ARN ends in a hyphen and six random characters; write -?????? for them")
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// Six parts, colons within a variable not counted.
fn is_arn(text: &str) -> bool {
    super::arn::parts(text).is_some()
}
