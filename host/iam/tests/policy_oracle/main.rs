//! A second evaluator, slow and plain, over the JSON itself. Both must say the same of random policies and requests.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod plain;
mod whole;
mod words;

use std::collections::BTreeMap;

use pawl_iam::policy::{AccessRequest, ConditionContext, PolicyDocument, PolicyKind, Verdict};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use plain::Request;

/// What half of a policy's statements do.
const HALF: f64 = 0.5;

/// The same in each run.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let rng_seed = RngSeed::Fixed(0x5061_776c);
    ProptestConfig { cases, failure_persistence: None, rng_seed, ..ProptestConfig::default() }
}

fn context(request: &Request) -> ConditionContext<'_> {
    let mut context = ConditionContext::default();
    for (key, values) in &request.context {
        for value in values {
            context.push(key, value.as_str());
        }
    }
    context
}

fn ours(document: &PolicyDocument, request: &Request) -> &'static str {
    let verdict = document.decide(&AccessRequest {
        principal: &request.principal,
        action: &request.action,
        resource: &request.resource,
        context: &context(request),
    });
    match verdict {
        Verdict::NoStatement => "nothing",
        Verdict::Allowed { .. } => "allowed",
        Verdict::Denied { .. } => "denied",
    }
}

proptest! {
    #![proptest_config(config(4_000))]

    #[test]
    fn both_evaluators_agree(
        policy in words::policy(PolicyKind::Secret, HALF),
        requests in prop::collection::vec(words::request(PolicyKind::Secret), 8),
    ) {
        let document = PolicyDocument::parse(&policy.to_string()).map_err(|error| TestCaseError::fail(error.to_string()))?;
        for request in requests {
            let expected = plain::decide(&policy, &request).0;
            prop_assert_eq!(ours(&document, &request), expected, "{:#?} on {:#}", request, policy);
        }
    }
}

/// The property is worth something only where each answer comes often.
#[test]
fn random_policies_and_requests_meet() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut answers = BTreeMap::new();
    let pairs = (words::policy(PolicyKind::Secret, HALF), words::request(PolicyKind::Secret));
    for _ in 0..2_000 {
        let (policy, request) = pairs.new_tree(&mut runner).unwrap().current();
        *answers.entry(plain::decide(&policy, &request).0).or_insert(0) += 1;
    }
    for answer in ["nothing", "allowed", "denied"] {
        assert!(answers.get(answer).is_some_and(|times| *times > 100), "{answers:?}");
    }
}
