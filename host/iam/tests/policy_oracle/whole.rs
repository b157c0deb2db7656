//! The whole decision: policies of identities, a boundary, a session's policy and the resource's, all at random.

use std::collections::{BTreeMap, BTreeSet};

use pawl_iam::decision::{self, Decision, Policies, PolicyType, Reason};
use pawl_iam::policy::{PolicyDocument, PolicyKind, PrincipalKind};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use serde_json::Value;

use crate::plain::{self, Request};
use crate::words;

/// Denials win, so with many of them nothing else would be tried.
const FEW: f64 = 0.1;

#[derive(Clone, Debug)]
struct World {
    identity: Vec<Value>,
    boundary: Option<Value>,
    session: Option<Value>,
    kind: PolicyKind,
    resource: Option<Value>,
    requests: Vec<Request>,
}

fn world() -> impl Strategy<Value = World> {
    select(&[PolicyKind::Secret, PolicyKind::Secret, PolicyKind::Key, PolicyKind::Trust][..]).prop_flat_map(
        |kind| {
            let of_identity = || words::policy(PolicyKind::Identity, FEW);
            let maybe = || prop::option::weighted(0.4, of_identity());
            let resource = (prop::bool::weighted(0.7), words::policy(kind, FEW));
            // A key and a role always have one.
            let resource =
                resource.prop_map(move |(has, policy)| (has || kind != PolicyKind::Secret).then_some(policy));
            (
                prop::collection::vec(of_identity(), 0..3),
                maybe(),
                maybe(),
                resource,
                prop::collection::vec(words::request(kind), 6),
            )
                .prop_map(move |(identity, boundary, session, resource, requests)| World {
                    identity,
                    boundary,
                    session,
                    kind,
                    resource,
                    requests,
                })
        },
    )
}

/// What may be answered: `allowed`, or who may be named as the one that denies, or is silent.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Allowed,
    Denied(BTreeSet<PolicyType>),
    Silent(BTreeSet<PolicyType>),
}

/// The rules, in the order of AWS's page, as ways that lead to the resource.
fn plainly(world: &World, request: &Request) -> Answer {
    let trust = world.kind == PolicyKind::Trust;
    let of_resource = if trust { PolicyType::Trust } else { PolicyType::Resource };
    let all = [
        (PolicyType::Identity, world.identity.iter().collect::<Vec<_>>()),
        (PolicyType::Boundary, world.boundary.iter().collect()),
        (PolicyType::Session, world.session.iter().collect()),
        (of_resource, world.resource.iter().collect()),
    ];
    let (mut denying, mut allowing, mut ways) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for (name, policies) in &all {
        for policy in policies {
            let (answer, named) = plain::decide(policy, request);
            match answer {
                "denied" => drop(denying.insert(*name)),
                "allowed" => drop(allowing.insert(*name)),
                _ => {}
            }
            if *name == of_resource {
                ways = named;
            }
        }
    }
    if !denying.is_empty() {
        return Answer::Denied(denying);
    }
    // What is not there limits nobody, and the root of an account needs no policy.
    if world.boundary.is_none() {
        allowing.insert(PolicyType::Boundary);
    }
    if world.session.is_none() {
        allowing.insert(PolicyType::Session);
    }
    if request.principal.kind() == PrincipalKind::Root {
        allowing.insert(PolicyType::Identity);
    }
    let has = |name| allowing.contains(&name);
    let within_limits = has(PolicyType::Boundary) && has(PolicyType::Session);
    let by_identity = has(PolicyType::Identity) && within_limits;
    let named = |way| ways.contains(&way);
    let by_resource = named("everyone") || named("itself") || (named("role") && within_limits);
    let owner = request.resource.split(':').nth(4).unwrap();
    let is_allowed = match request.principal.account() {
        None => by_resource,
        Some(account) if account.as_str() != owner => by_identity && !ways.is_empty(),
        Some(_) if world.kind == PolicyKind::Secret => by_identity || by_resource,
        Some(_) => by_resource || (by_identity && !ways.is_empty()),
    };
    if is_allowed {
        return Answer::Allowed;
    }
    let needed = [PolicyType::Identity, PolicyType::Boundary, PolicyType::Session, of_resource];
    Answer::Silent(needed.into_iter().filter(|name| !has(*name)).collect())
}

struct Compiled {
    identity: Vec<PolicyDocument>,
    boundary: Option<PolicyDocument>,
    session: Option<PolicyDocument>,
    resource: Option<PolicyDocument>,
}

impl World {
    fn compile(&self) -> Compiled {
        let read = |kind, policy: &Value| PolicyDocument::parse_as(kind, &policy.to_string()).unwrap();
        let identity = |policy: &Value| read(PolicyKind::Identity, policy);
        Compiled {
            identity: self.identity.iter().map(identity).collect(),
            boundary: self.boundary.as_ref().map(identity),
            session: self.session.as_ref().map(identity),
            resource: self.resource.as_ref().map(|policy| read(self.kind, policy)),
        }
    }
}

/// Whether the answer of the product is one that may be given.
fn agrees(compiled: &Compiled, request: &Request, expected: &Answer) -> Result<(), String> {
    let context = crate::context(request);
    let asked = decision::Request {
        principal: &request.principal,
        action: &request.action,
        resource: &request.resource,
        context: &context,
    };
    let policies = Policies {
        identity: &compiled.identity,
        boundary: compiled.boundary.as_ref(),
        session: compiled.session.as_ref(),
        resource: compiled.resource.as_ref(),
    };
    let decided = decision::decide(&asked, &policies);
    let agree = match (decided, expected) {
        (Decision::Allowed(_), Answer::Allowed) => true,
        (Decision::Denied(denial), Answer::Denied(by)) => {
            matches!(denial.reason, Reason::ExplicitDeny(source) if by.contains(&source.policy))
        }
        (Decision::Denied(denial), Answer::Silent(silent)) => {
            matches!(denial.reason, Reason::NotAllowed(policy) if silent.contains(&policy))
        }
        _ => false,
    };
    if agree { Ok(()) } else { Err(format!("{decided:?}, instead of {expected:?}")) }
}

proptest! {
    #![proptest_config(crate::config(4_000))]

    #[test]
    fn both_decide_alike(world in world()) {
        let compiled = world.compile();
        for request in &world.requests {
            let expected = plainly(&world, request);
            if let Err(what) = agrees(&compiled, request, &expected) {
                return Err(TestCaseError::fail(format!("{what}: {request:#?} on {world:#?}")));
            }
        }
    }
}

/// The property is worth something only where each way of being let in and of being kept out comes often.
#[test]
fn every_answer_comes_often() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut answers, strategy) = (BTreeMap::new(), world());
    for _ in 0..1_500 {
        let world = strategy.new_tree(&mut runner).unwrap().current();
        for request in &world.requests {
            let said = match plainly(&world, request) {
                Answer::Allowed => "allowed".to_owned(),
                Answer::Denied(by) => format!("denied by {:?}", by.first().unwrap()),
                Answer::Silent(silent) => {
                    format!("{:?} silent", silent.first().unwrap())
                }
            };
            *answers.entry(said).or_insert(0) += 1;
        }
    }
    for answer in [
        "allowed",
        "denied by Identity",
        "denied by Boundary",
        "denied by Session",
        "denied by Resource",
        "denied by Trust",
        "Identity silent",
        "Boundary silent",
        "Session silent",
        "Resource silent",
        "Trust silent",
    ] {
        assert!(answers.get(answer).is_some_and(|times| *times >= 100), "{answer}: {answers:#?}");
    }
}
