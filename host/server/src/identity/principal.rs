//! Who calls, when it is neither the root identity nor Pawl itself: a user, or a session.

use std::sync::{Arc, LazyLock};

use pawl_core::secret::Tag;
use pawl_core::world::Timestamp;
use pawl_iam::policy::{ConditionContext, PolicyDocument, Principal};

/// A user or a session, with everything that decides what it may do.
#[derive(Debug)]
pub struct Identity {
    /// Its ARN, and how policies name it.
    pub principal: Principal,
    /// `aws:userid`: the user's id, or that of the role with the session's name.
    pub id: String,
    /// `aws:PrincipalTag`.
    pub tags: Vec<Tag>,
    /// Its policies: inline, attached, and those of its groups.
    pub policies: Vec<Arc<PolicyDocument>>,
    /// The policy beyond which those do not go.
    pub boundary: Option<Arc<PolicyDocument>>,
    /// What the session was begun with.
    pub session: Option<Arc<PolicyDocument>>,
    /// When its temporary credentials were given, if they are temporary.
    pub issued_at: Option<Timestamp>,
    /// Tags that go on into sessions of roles that this session assumes, by their keys.
    pub transitive: Vec<String>,
    /// The name of whoever began the session, where somebody said it.
    pub source_identity: Option<String>,
}

impl Identity {
    /// What conditions can ask about the caller.
    #[must_use]
    pub fn context(&self) -> ConditionContext<'_> {
        let mut context = self.principal.context();
        context.push("aws:userid", self.id.as_str());
        for tag in &self.tags {
            context.push_tag("aws:PrincipalTag/", &tag.key, &tag.value);
        }
        if let Some(at) = self.issued_at {
            context.push("aws:TokenIssueTime", at);
            context.push("aws:MultiFactorAuthPresent", false);
        }
        if let Some(name) = &self.source_identity {
            context.push("aws:SourceIdentity", name.as_str());
        }
        context
    }
}

/// What stands in the place of a policy that cannot be read: nobody knows what it would have denied.
pub(super) fn deny_all() -> Arc<PolicyDocument> {
    static DENY: LazyLock<Arc<PolicyDocument>> = LazyLock::new(|| Arc::new(PolicyDocument::denying_all()));
    Arc::clone(&DENY)
}
