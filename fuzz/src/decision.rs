//! Decisions of several policies together.

use std::collections::BTreeMap;

use pawl_core::names::AccountId;
use pawl_iam::decision::{Decision, Policies, PolicyType, Reason, Request, Source, decide};
use pawl_iam::policy::{ConditionContext, Grant, PolicyDocument, PolicyKind, PrincipalKind, Verdict};
use serde_json::Value;

use crate::policy::{KNOWN_ID, check_refusal, has_fractions, principal, push, statements};

/// Policies of one input.
const POLICIES_MAX: usize = 12;
/// IAM's own sentences are short; a part of the author's text may be in one.
const SENTENCE_CHARS_MAX: usize = 1_500;
const EVERYTHING: &str = r#""Action": "*", "Resource": "*""#;

/// The policies of an input, with the JSON that each was read from.
#[derive(Clone, Default)]
struct World {
    identity: Vec<(PolicyDocument, Value)>,
    boundary: Option<(PolicyDocument, Value)>,
    session: Option<(PolicyDocument, Value)>,
    resource: Option<(PolicyDocument, Value)>,
}

/// Parts, with an empty line between them: the request (principal, action, resource, `key=value` of its context, one to a line),
/// and policies, each after a line that says what it is (`identity`, `boundary`, `session`, `secret`, `key`, `trust`,
/// `function`). Whatever they are, the order of statements and of policies does not matter, a denial wins, a limit only takes
/// away, and the statement that is named is the one that decided.
pub fn check_decision(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let mut parts = text.split("\n\n");
    let asked = parts.next().unwrap_or_default();
    let Some(world) = read(parts) else { return false };

    let mut lines = asked.split('\n');
    let mut line = || lines.next().filter(|line| !line.is_empty());
    let account: AccountId = "111122223333".parse().expect("an account");
    let principal = principal(&account, line().unwrap_or("root"));
    let action = line().unwrap_or("secretsmanager:GetSecretValue");
    let resource = line().unwrap_or("arn:aws:secretsmanager:us-east-1:111122223333:secret:a-AbCdEf");
    let mut context = principal.context();
    lines.filter_map(|line| line.split_once('=')).for_each(|(key, value)| push(&mut context, key, value));
    let request = Request { principal: &principal, action, resource, context: &context };
    world.check(&request);
    true
}

fn read<'t>(parts: impl Iterator<Item = &'t str>) -> Option<World> {
    let mut world = World::default();
    for part in parts.take(POLICIES_MAX) {
        let (name, text) = part.split_once('\n')?;
        let kind = match name {
            "identity" | "boundary" | "session" => PolicyKind::Identity,
            "secret" => PolicyKind::Secret,
            "key" => PolicyKind::Key,
            "trust" => PolicyKind::Trust,
            "function" => PolicyKind::Function,
            _ => return None,
        };
        let document = match PolicyDocument::parse_as(kind, text) {
            Ok(document) => document,
            Err(error) => {
                check_refusal(&error, text);
                let sentence = error.sentence(kind);
                assert!(sentence.chars().count() <= SENTENCE_CHARS_MAX, "{sentence}");
                assert!(!sentence.contains(char::is_control), "{sentence:?}");
                return None;
            }
        };
        assert_eq!(document.kind(), kind);
        let read = (document, serde_json::from_str(text).expect("a policy is JSON"));
        match name {
            "identity" => world.identity.push(read),
            "boundary" => world.boundary = Some(read),
            "session" => world.session = Some(read),
            _ => world.resource = Some(read),
        }
    }
    Some(world)
}

/// What must not depend on the order: whether it is allowed, and by which type of policy, or why not.
#[derive(Debug, PartialEq, Eq)]
enum Shape {
    Allowed(Option<PolicyType>),
    Denies(PolicyType),
    Silent(PolicyType),
}

impl From<Decision<'_>> for Shape {
    fn from(decision: Decision<'_>) -> Self {
        match decision {
            Decision::Allowed(source) => Self::Allowed(source.map(|source| source.policy)),
            Decision::Denied(denial) => match denial.reason {
                Reason::ExplicitDeny(source) => Self::Denies(source.policy),
                Reason::NotAllowed(policy) => Self::Silent(policy),
            },
        }
    }
}

impl World {
    fn decide(&self, request: &Request<'_>) -> Shape {
        let identity = self.identity();
        decide(request, &self.policies(&identity)).into()
    }

    fn identity(&self) -> Vec<&PolicyDocument> {
        self.identity.iter().map(|(document, _)| document).collect()
    }

    fn policies<'a>(&'a self, identity: &'a [&'a PolicyDocument]) -> Policies<'a> {
        let of = |held: &'a Option<(PolicyDocument, Value)>| held.as_ref().map(|(document, _)| document);
        Policies {
            identity,
            boundary: of(&self.boundary),
            session: of(&self.session),
            resource: of(&self.resource),
        }
    }

    fn all(&self) -> impl Iterator<Item = &(PolicyDocument, Value)> {
        self.identity.iter().chain(&self.boundary).chain(&self.session).chain(&self.resource)
    }

    fn check(&self, request: &Request<'_>) {
        let decided = self.decide(request);
        assert_eq!(decided, self.decide(request), "one question, one answer");
        self.check_source(request);
        self.check_bound(request);
        if !self.all().any(|(_, value)| has_fractions(value)) {
            assert_eq!(decided, self.reversed().decide(request), "in another order");
        }
        if !self.all().any(|(document, _)| document.asks_context()) {
            let bare = Request { context: &ConditionContext::default(), ..*request };
            assert_eq!(decided, self.decide(&bare), "nobody asked for the context");
        }
        let allowed = matches!(decided, Shape::Allowed(_));
        let unlimited = Self { boundary: None, session: None, ..self.clone() }.decide(request);
        assert!(!allowed || matches!(unlimited, Shape::Allowed(_)), "a limit gave something: {unlimited:?}");
        let more = self.with("Allow").decide(request);
        assert!(!allowed || matches!(more, Shape::Allowed(_)), "an Allow took something: {more:?}");
        let closed = self.with("Deny").decide(request);
        assert!(
            matches!(closed, Shape::Denies(_)) || !request.action.contains(':'),
            "a Deny lost: {closed:?}"
        );
    }

    /// The statement that is named says by itself what was decided, and the sentence tells who wanted what.
    fn check_source(&self, request: &Request<'_>) {
        let identity = self.identity();
        let policies = self.policies(&identity);
        let decided = decide(request, &policies);
        let verdict = |source: Source<'_>| {
            let document = match source.policy {
                PolicyType::Identity => policies.identity.get(source.index).copied(),
                PolicyType::Boundary => policies.boundary,
                PolicyType::Session => policies.session,
                PolicyType::Resource | PolicyType::Trust => policies.resource,
            };
            document.expect("a policy that is there decided").decide(request)
        };
        match decided {
            Decision::Allowed(None) => {}
            Decision::Allowed(Some(source)) => {
                assert!(matches!(verdict(source), Verdict::Allowed { by, .. } if by == source.statement));
            }
            Decision::Denied(denial) => {
                if let Reason::ExplicitDeny(source) = denial.reason {
                    assert_eq!(verdict(source), Verdict::Denied { by: source.statement });
                }
                let said = denial.to_string();
                let start = format!(
                    "User: {} is not authorized to perform: {}",
                    request.principal.name(),
                    request.action
                );
                assert!(said.starts_with(&start), "{said}");
            }
        }
    }

    /// Bound to whom it means, a policy of a resource says what it said; bound to somebody else of the name, it knows the caller by
    /// his name no more.
    fn check_bound(&self, request: &Request<'_>) {
        let Some((document, _)) = &self.resource else { return };
        let caller = request.principal;
        let names: BTreeMap<String, String> = document
            .principals()
            .filter(|arn| !arn.contains(":assumed-role/"))
            .map(|arn| (arn.to_owned(), "AIDASOMEBODYELSE".to_owned()))
            .collect();
        let bound = document.clone().bound(&names);
        let other = bound.decide(request);
        let is_user = caller.kind() == PrincipalKind::User;
        assert!(!is_user || !matches!(other, Verdict::Allowed { grant: Grant::Itself, .. }), "{other:?}");
        if caller.id().is_some() {
            let own = [Some(caller.name()), caller.role()];
            let meant = names.into_iter().map(|(arn, other)| {
                let id = if own.contains(&Some(arn.as_str())) { KNOWN_ID.to_owned() } else { other };
                (arn, id)
            });
            let bound = document.clone().bound(&meant.collect());
            assert_eq!(bound.decide(request), document.decide(request), "bound to whom it means");
        }
    }

    /// The same policies with everything in them the other way round.
    fn reversed(&self) -> Self {
        let turn = |(document, value): &(PolicyDocument, Value)| {
            let mut value = value.clone();
            let turned: Vec<Value> = statements(&value).into_iter().rev().cloned().collect();
            if let Some(held) = value.get_mut("Statement") {
                *held = Value::Array(turned);
            }
            // Spelt out, it may be longer than a policy may be.
            let read = PolicyDocument::parse_as(document.kind(), &value.to_string());
            (read.unwrap_or_else(|_| document.clone()), value)
        };
        Self {
            identity: self.identity.iter().rev().map(turn).collect(),
            boundary: self.boundary.as_ref().map(turn),
            session: self.session.as_ref().map(turn),
            resource: self.resource.as_ref().map(turn),
        }
    }

    /// The same, with one more policy of the identity's.
    fn with(&self, effect: &str) -> Self {
        let text = format!(r#"{{"Statement": {{"Effect": "{effect}", {EVERYTHING}}}}}"#);
        let document = PolicyDocument::parse_identity(&text).expect("a policy");
        let mut more = self.clone();
        more.identity.push((document, Value::Null));
        more
    }
}
