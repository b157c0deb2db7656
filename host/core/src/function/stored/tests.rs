use std::cell::Cell;

use proptest::prelude::*;

use super::*;
use crate::function::{
    AliasError, AliasRequest, FunctionArn, Grants, Invocation, LATEST, Permission, PermissionError, Routing,
    Weight,
};
use crate::world::Rng;

/// Counts up, so that no two draws are the same.
struct Counting(std::sync::Mutex<Cell<u64>>);

impl Counting {
    fn new() -> Self {
        Self(std::sync::Mutex::new(Cell::new(0)))
    }
}

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let cell = self.0.lock().unwrap();
        // An odd factor scatters what follows over all 64 bits.
        let number = cell.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        cell.set(number);
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = number.to_le_bytes()[at % 8];
        }
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn code(n: u8) -> Code {
    Code { digest: Digest::from_bytes([n; 32]), bytes: 10, grants: Grants::default(), package: None }
}

fn function(rng: &dyn Rng) -> Function {
    let (region, name) = ("us-east-1".parse().unwrap(), "rotator".parse().unwrap());
    Function::create(region, name, code(0), Configuration::default(), at(0), rng)
}

fn number(n: u32) -> VersionNumber {
    n.to_string().parse().unwrap()
}

fn publish(function: &mut Function, rng: &dyn Rng) -> u32 {
    function.publish(PublishRequest::default(), at(9), rng).unwrap().to_string().parse().unwrap()
}

fn to(version: u32) -> AliasRequest {
    AliasRequest { version: Some(FunctionVersion::Published(number(version))), ..AliasRequest::default() }
}

#[test]
fn a_version_is_published_once_for_each_change() {
    let rng = Counting::new();
    let mut it = function(&rng);
    assert_eq!((publish(&mut it, &rng), publish(&mut it, &rng)), (1, 1));
    it.update_code(code(1), None, at(1), &rng).unwrap();
    assert_eq!(publish(&mut it, &rng), 2);
    let described = Configuration { description: "new".to_owned(), ..Configuration::default() };
    it.update_configuration(described, None, at(2), &rng).unwrap();
    let request = PublishRequest { description: Some("the third".to_owned()), ..PublishRequest::default() };
    assert_eq!(it.publish(request, at(3), &rng).unwrap(), number(3));
    assert_eq!(publish(&mut it, &rng), 3, "a description of the version's own is no change of the function");
    assert_eq!(it.description(FunctionVersion::Published(number(3))), Some("the third"));
    assert_eq!(it.description(FunctionVersion::Published(number(2))), Some(""));
    assert_eq!(it.release(FunctionVersion::Published(number(1))).unwrap().code, code(0));
    it.delete_version(&Qualifier::Version(number(3))).unwrap();
    it.update_code(code(4), None, at(4), &rng).unwrap();
    assert_eq!(publish(&mut it, &rng), 4, "a number is not given again");
    assert_eq!(it.digests().len(), 3);
    let stored: Function = serde_json::from_str(&serde_json::to_string(&it).unwrap()).unwrap();
    assert_eq!(stored, it);
}

#[test]
fn a_change_that_expects_another_state_is_refused() {
    let rng = Counting::new();
    let mut it = function(&rng);
    let seen = it.latest.revision_id.clone();
    it.update_code(code(1), Some(seen.as_str()), at(0), &rng).unwrap();
    assert_eq!(it.latest.last_modified, at(1), "two changes never share a moment");
    let before = it.clone();
    assert_eq!(it.update_code(code(2), Some(seen.as_str()), at(1), &rng), Err(UpdateError::StaleRevision));
    assert_eq!(
        it.update_configuration(Configuration::default(), Some("x"), at(1), &rng),
        Err(UpdateError::StaleRevision)
    );
    let asked = |digest, expected| PublishRequest { digest, expected, description: None };
    assert_eq!(it.publish(asked(None, Some("x")), at(1), &rng), Err(PublishError::StaleRevision));
    assert_eq!(it.publish(asked(Some(code(0).digest), None), at(1), &rng), Err(PublishError::OtherCode));
    assert_eq!(it, before);
    assert!(it.publish(asked(Some(code(1).digest), None), at(1), &rng).is_ok());
}

#[test]
fn code_and_versions_are_bounded() {
    let rng = Counting::new();
    let mut it = function(&rng);
    let half = |n| Code { bytes: limits::FUNCTION_CODE_BYTES_MAX / 2, ..code(n) };
    it.update_code(half(1), None, at(1), &rng).unwrap();
    publish(&mut it, &rng);
    it.update_code(half(2), None, at(1), &rng).unwrap();
    publish(&mut it, &rng);
    it.update_code(half(2), None, at(1), &rng).unwrap();
    assert_eq!(it.update_code(half(3), None, at(1), &rng), Err(UpdateError::TooMuchCode));
    let mut many = function(&rng);
    for n in 0..limits::FUNCTION_VERSIONS_MAX {
        let other = Configuration { description: n.to_string(), ..Configuration::default() };
        many.update_configuration(other, None, at(1), &rng).unwrap();
        publish(&mut many, &rng);
    }
    many.update_configuration(Configuration::default(), None, at(1), &rng).unwrap();
    assert_eq!(many.publish(PublishRequest::default(), at(1), &rng), Err(PublishError::TooMany));
}

#[test]
fn an_alias_names_what_exists_and_holds_it() {
    let rng = Counting::new();
    let mut it = function(&rng);
    publish(&mut it, &rng);
    it.update_code(code(1), None, at(1), &rng).unwrap();
    publish(&mut it, &rng);
    let live: AliasName = "live".parse().unwrap();
    let third = FunctionVersion::Published(number(3));
    assert_eq!(it.create_alias(live.clone(), to(3), &rng).unwrap_err(), AliasError::NoSuchVersion(third));
    assert_eq!(
        it.create_alias(live.clone(), AliasRequest::default(), &rng).unwrap_err(),
        AliasError::NoVersion
    );
    let revision = it.create_alias(live.clone(), to(1), &rng).unwrap().revision_id.clone();
    assert_eq!(it.create_alias(live.clone(), to(1), &rng).unwrap_err(), AliasError::Exists(live.clone()));

    let half = Weight::from_fraction(0.5).unwrap();
    let routed = |version| AliasRequest {
        routing: Some(Some(Routing { version: number(version), weight: half })),
        ..AliasRequest::default()
    };
    assert_eq!(it.update_alias(&live, routed(1), None, &rng).unwrap_err(), AliasError::Routing);
    assert!(it.update_alias(&live, routed(2), Some("x"), &rng).is_err());
    it.update_alias(&live, routed(2), Some(revision.as_str()), &rng).unwrap();
    let latest = AliasRequest { version: Some(FunctionVersion::Latest), ..AliasRequest::default() };
    assert_eq!(it.update_alias(&live, latest.clone(), None, &rng).unwrap_err(), AliasError::Routing);

    for held in [1, 2] {
        let refused = it.delete_version(&Qualifier::Version(number(held))).unwrap_err();
        assert_eq!(refused, DeleteVersionError::Aliased { version: number(held), alias: live.clone() });
    }
    let undivided = AliasRequest { routing: Some(None), ..latest };
    it.update_alias(&live, undivided, None, &rng).unwrap();
    it.delete_version(&Qualifier::Version(number(1))).unwrap();
    assert_eq!(
        it.delete_version(&Qualifier::Version(number(1))),
        Err(DeleteVersionError::NotFound(number(1)))
    );
    assert_eq!(it.delete_version(&Qualifier::Latest), Err(DeleteVersionError::Latest));
    assert!(it.delete_alias(&live) && !it.delete_alias(&live));
    assert_eq!(it.update_alias(&live, to(2), None, &rng).unwrap_err(), AliasError::NotFound(live.clone()));
    assert_eq!(it.resolve(Some(&Qualifier::Alias(live.clone())), &rng), Err(ResolveError::NoSuchAlias(live)));
}

#[test]
fn an_alias_divides_invocations_by_its_weight() {
    let rng = Counting::new();
    let mut it = function(&rng);
    publish(&mut it, &rng);
    it.update_code(code(1), None, at(1), &rng).unwrap();
    publish(&mut it, &rng);
    let canary: AliasName = "canary".parse().unwrap();
    let routing = Routing { version: number(2), weight: Weight::from_fraction(0.25).unwrap() };
    it.create_alias(canary.clone(), AliasRequest { routing: Some(Some(routing)), ..to(1) }, &rng).unwrap();
    let canary = Qualifier::Alias(canary);
    let second = FunctionVersion::Published(number(2));
    let went = (0..10_000).filter(|_| it.resolve(Some(&canary), &rng).unwrap().version == second).count();
    assert!((2_300..2_700).contains(&went), "{went}");
    assert_eq!(it.look_up(Some(&canary)).unwrap().version, FunctionVersion::Published(number(1)));
    for (fraction, weight) in
        [(0.0, Some(0)), (1.0, Some(1_000_000)), (1.1, None), (-0.1, None), (f64::NAN, None)]
    {
        assert_eq!(Weight::from_fraction(fraction).map(u32::from), weight);
    }
}

#[test]
fn what_a_rotation_began_with_is_found_as_long_as_it_is_there() {
    let rng = Counting::new();
    let mut it = function(&rng);
    let described = |text: &str| Configuration { description: text.to_owned(), ..Configuration::default() };
    publish(&mut it, &rng);
    it.update_configuration(described("second"), None, at(1), &rng).unwrap();
    publish(&mut it, &rng);
    it.update_code(code(1), None, at(1), &rng).unwrap();
    it.create_alias("live".parse().unwrap(), to(1), &rng).unwrap();
    let live = Qualifier::Alias("live".parse().unwrap());
    let found = |it: &Function, qualifier: Option<&Qualifier>, n| {
        it.pinned(qualifier, &code(n).digest).map(|resolved| resolved.version.to_string())
    };
    let is = |version: &str| Some(version.to_owned());
    assert_eq!(found(&it, None, 1), is(LATEST));
    assert_eq!(found(&it, None, 0), is("2"), "updated since");
    assert_eq!(found(&it, Some(&Qualifier::Version(number(1))), 0), is("1"));
    assert_eq!(found(&it, Some(&live), 0), is("1"));
    assert_eq!(found(&it, Some(&live), 1), is(LATEST), "the alias has moved since");
    assert_eq!(found(&it, None, 2), None);
    assert!(it.delete_alias(&"live".parse().unwrap()));
    assert_eq!(found(&it, Some(&live), 0), is("2"));
}

fn permission(sid: &str) -> Permission {
    Permission {
        sid: sid.to_owned().try_into().unwrap(),
        action: "lambda:InvokeFunction".to_owned(),
        principal: "secretsmanager.amazonaws.com".to_owned(),
        source_arn: None,
        source_account: None,
        event_source_token: None,
        principal_org_id: None,
    }
}

#[test]
fn a_permission_is_of_the_qualifier_that_it_was_given_to() {
    let rng = Counting::new();
    let mut it = function(&rng);
    publish(&mut it, &rng);
    let live = Qualifier::Alias("live".parse().unwrap());
    it.create_alias("live".parse().unwrap(), to(1), &rng).unwrap();
    let from = Invocation {
        principal: "secretsmanager.amazonaws.com",
        source_arn: Some("arn:aws:secretsmanager:us-east-1:000000000000:secret:app-AbCdEf"),
        source_account: Some(&"000000000000".parse().unwrap()),
    };
    let unnamed: Option<&Qualifier> = None;
    assert!(!it.allows_invocation(&from, unnamed) && it.policy(unnamed).is_none());
    it.add_permission(Some(&live), permission("sm"), None, &rng).unwrap();
    assert!(it.allows_invocation(&from, Some(&live)));
    assert!(!it.allows_invocation(&from, unnamed));
    assert!(!it.allows_invocation(&from, Some(&Qualifier::Version(number(1)))));

    let mut narrow = permission("narrow");
    narrow.source_arn = Some("arn:aws:secretsmanager:us-east-1:000000000000:secret:app-*".to_owned());
    narrow.source_account = Some("000000000000".parse().unwrap());
    it.add_permission(unnamed, narrow, None, &rng).unwrap();
    assert!(it.allows_invocation(&from, unnamed) && it.allows_invocation(&from, Some(&Qualifier::Latest)));
    assert!(!it.allows_invocation(&Invocation { source_arn: None, ..from }, unnamed));
    assert!(!it.allows_invocation(&Invocation { source_account: None, ..from }, unnamed));
    assert!(!it.allows_invocation(&Invocation { principal: "s3.amazonaws.com", ..from }, unnamed));

    let arn = FunctionArn::given("arn:aws:lambda:us-east-1:000000000000:function:rotator".to_owned());
    assert_eq!(
        it.policy(unnamed).unwrap().document(&arn),
        serde_json::json!({"Version": "2012-10-17", "Id": "default", "Statement": [{
            "Sid": "narrow", "Effect": "Allow", "Principal": {"Service": "secretsmanager.amazonaws.com"},
            "Action": "lambda:InvokeFunction", "Resource": arn.as_str(),
            "Condition": {
                "StringEquals": {"AWS:SourceAccount": "000000000000"},
                "ArnLike": {"AWS:SourceArn": "arn:aws:secretsmanager:us-east-1:000000000000:secret:app-*"},
            },
        }]})
    );
    assert!(it.delete_alias(&"live".parse().unwrap()));
    it.create_alias("live".parse().unwrap(), to(1), &rng).unwrap();
    assert!(!it.allows_invocation(&from, Some(&live)), "the policy went with the alias");
}

#[test]
fn permissions_are_added_once_and_taken_away() {
    let rng = Counting::new();
    let mut it = function(&rng);
    let unnamed: Option<&Qualifier> = None;
    assert_eq!(
        it.add_permission(unnamed, permission("a"), Some("x"), &rng),
        Err(PermissionError::StaleRevision)
    );
    it.add_permission(unnamed, permission("a"), None, &rng).unwrap();
    let seen = it.policy(unnamed).unwrap().revision_id.clone();
    let a = permission("a").sid;
    assert_eq!(
        it.add_permission(unnamed, permission("a"), None, &rng),
        Err(PermissionError::Exists(a.clone()))
    );
    it.add_permission(unnamed, permission("b"), Some(seen.as_str()), &rng).unwrap();
    assert_eq!(
        it.remove_permission(unnamed, &a, Some(seen.as_str()), &rng),
        Err(PermissionError::StaleRevision)
    );
    it.remove_permission(unnamed, &a, None, &rng).unwrap();
    assert_eq!(it.remove_permission(unnamed, &a, None, &rng), Err(PermissionError::NotFound(a)));
    it.remove_permission(unnamed, &permission("b").sid, None, &rng).unwrap();
    assert!(it.policy(unnamed).is_none());
    assert_eq!(
        it.add_permission(Some(&Qualifier::Latest), permission("c"), None, &rng),
        Err(PermissionError::Latest)
    );
    let absent = Qualifier::Version(number(1));
    assert_eq!(
        it.add_permission(Some(&absent), permission("c"), None, &rng),
        Err(PermissionError::NoSuchQualifier(absent))
    );
    let mut long = permission("long");
    long.principal = "x".repeat(limits::FUNCTION_POLICY_BYTES_MAX);
    assert_eq!(it.add_permission(unnamed, long, None, &rng), Err(PermissionError::TooLong));
    assert!(crate::function::StatementId::try_from("a b".to_owned()).is_err());
}

#[test]
fn tags_are_set_all_or_none() {
    let rng = Counting::new();
    let mut it = function(&rng);
    let tags = |from: usize, to: usize| (from..to).map(|n| (n.to_string(), String::new())).collect();
    it.tag(tags(0, limits::FUNCTION_TAGS_MAX)).unwrap();
    it.tag(tags(0, 1)).unwrap();
    assert_eq!(
        it.tag(tags(limits::FUNCTION_TAGS_MAX - 1, limits::FUNCTION_TAGS_MAX + 1)),
        Err(TagError::TooMany)
    );
    assert_eq!(it.tag([(String::new(), String::new())].into()), Err(TagError::Malformed));
    it.untag(&["0".to_owned(), "absent".to_owned()]);
    assert_eq!(it.tags.len(), limits::FUNCTION_TAGS_MAX - 1);
}

#[derive(Clone, Debug)]
enum Deed {
    Code(u8),
    Publish,
    Alias(u8, u32, Option<u32>),
    DeleteAlias(u8),
    Delete(u32),
    Permit(u8),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        (0..4_u8).prop_map(Deed::Code),
        Just(Deed::Publish),
        (0..3_u8, 1..6_u32, proptest::option::of(1..6_u32)).prop_map(|(a, v, r)| Deed::Alias(a, v, r)),
        (0..3_u8).prop_map(Deed::DeleteAlias),
        (1..6_u32).prop_map(Deed::Delete),
        (0..3_u8).prop_map(Deed::Permit),
    ]
}

proptest! {
    /// Whatever callers do: an alias leads to a version that is there, a version never changes, a number is given once,
    /// a policy is on what is there, and what was refused has changed nothing.
    #[test]
    fn whatever_is_done_every_alias_leads_somewhere(deeds in proptest::collection::vec(deed(), 0..40)) {
        let rng = Counting::new();
        let mut it = function(&rng);
        let mut published: BTreeMap<VersionNumber, Version> = BTreeMap::new();
        let alias = |n: u8| -> AliasName { format!("a{n}").parse().unwrap() };
        for deed in deeds {
            let before = it.clone();
            let done = match deed {
                Deed::Code(n) => it.update_code(code(n), None, at(1), &rng).is_ok(),
                Deed::Publish => it.publish(PublishRequest::default(), at(1), &rng).is_ok(),
                Deed::Alias(n, version, other) => {
                    let routing = other.map(|other| Routing { version: number(other), weight: Weight::from_fraction(0.5).unwrap() });
                    let request = AliasRequest { routing: Some(routing), ..to(version) };
                    if it.aliases.contains_key(&alias(n)) {
                        it.update_alias(&alias(n), request, None, &rng).is_ok()
                    } else {
                        it.create_alias(alias(n), request, &rng).is_ok()
                    }
                }
                Deed::DeleteAlias(n) => it.delete_alias(&alias(n)),
                Deed::Delete(n) => it.delete_version(&Qualifier::Version(number(n))).is_ok(),
                Deed::Permit(n) => it.add_permission(Some(&Qualifier::Alias(alias(n))), permission("s"), None, &rng).is_ok(),
            };
            if !done {
                prop_assert_eq!(&it, &before);
            }
            for name in it.aliases.keys() {
                prop_assert!(it.resolve(Some(&Qualifier::Alias(name.clone())), &rng).is_ok());
            }
            for (number, version) in &it.versions {
                prop_assert_eq!(published.entry(*number).or_insert_with(|| version.clone()), version);
                prop_assert!(*number < it.next_version);
            }
            for qualifier in it.policies.keys() {
                prop_assert!(it.has(qualifier));
            }
        }
    }
}
