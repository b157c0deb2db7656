use std::sync::atomic::{AtomicU8, Ordering};

use super::*;
use crate::limits;
use crate::secret::Tag;
use crate::world::{Rng, Timestamp};

/// Counts up; nothing here must be hard to guess.
struct Counting(AtomicU8);

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn rng() -> Counting {
    Counting(AtomicU8::new(0))
}

#[test]
fn ids_have_the_forms_of_aws() {
    let rng = rng();
    for (kind, beginning) in
        [(IdKind::User, "AIDA"), (IdKind::Group, "AGPA"), (IdKind::Role, "AROA"), (IdKind::Policy, "ANPA")]
    {
        let id = mint_id(kind, &rng);
        assert!(id.starts_with(beginning) && id.len() == 21, "{id}");
    }
    assert!(mint_key_id(false, &rng).starts_with("AKIA") && mint_key_id(true, &rng).starts_with("ASIA"));
    assert_eq!(mint_key_id(true, &rng).len(), 20);
    assert_eq!(mint_secret(&rng).expose().len(), 40);
    let account = "000000000000".parse().unwrap();
    assert_eq!(arn(&account, "user", "/a/", "ann"), "arn:aws:iam::000000000000:user/a/ann");
}

#[test]
fn a_user_has_two_keys_at_most_and_is_deleted_bare() {
    let mut user = User::new("ann", "/", NOW, &rng());
    user.add_key("K1", NOW).unwrap();
    user.add_key("K2", NOW).unwrap();
    let full = user.add_key("K3", NOW).unwrap_err();
    assert_eq!(full.to_string(), "Cannot exceed quota for AccessKeysPerUser: 2");
    user.set_key("K1", KeyStatus::Inactive).unwrap();
    assert_eq!(user.keys[0].status, KeyStatus::Inactive);
    assert_eq!(user.set_key("K9", KeyStatus::Active).unwrap_err(), IdentityError::NoSuchKey("K9".to_owned()));
    let conflict = |user: &User| user.must_be_bare().unwrap_err().to_string();
    assert_eq!(conflict(&user), "Cannot delete entity, must delete access keys first.");
    user.delete_key("K1").unwrap();
    user.delete_key("K2").unwrap();
    assert!(user.delete_key("K2").is_err());
    user.policies.attach(Holder::User, "arn").unwrap();
    assert_eq!(conflict(&user), "Cannot delete entity, must detach all policies first.");
    user.policies.detach("arn").unwrap();
    user.policies.put(Holder::User, "ann", "p", "{}").unwrap();
    assert_eq!(conflict(&user), "Cannot delete entity, must delete policies first.");
    user.policies.delete(Holder::User, "p").unwrap();
    user.join("g").unwrap();
    assert_eq!(conflict(&user), "Cannot delete entity, must remove users from group first.");
    user.groups.clear();
    user.must_be_bare().unwrap();
    let text = serde_json::to_string(&user).unwrap();
    assert_eq!(serde_json::from_str::<User>(&text).unwrap(), user);
}

#[test]
fn quotas_count_what_aws_counts() {
    let mut policies = Policies::default();
    let spaced = "a b\n".repeat(limits::USER_POLICY_CHARS_MAX / 2);
    policies.put(Holder::User, "ann", "p", &spaced).unwrap();
    policies.put(Holder::User, "ann", "p", &spaced).unwrap();
    let long = policies.put(Holder::User, "ann", "q", "x").unwrap_err();
    assert_eq!(long.to_string(), "Maximum policy size of 2048 bytes exceeded for user ann");
    let missing = policies.text(Holder::Role, "q").unwrap_err();
    assert_eq!(missing.to_string(), "The role policy with name q cannot be found.");
    for number in 0..limits::ATTACHED_MAX {
        policies.attach(Holder::Group, &number.to_string()).unwrap();
    }
    policies.attach(Holder::Group, "0").unwrap();
    let full = policies.attach(Holder::Group, "x").unwrap_err();
    assert_eq!(full.to_string(), "Cannot exceed quota for PoliciesPerGroup: 10");
    let mut user = User::new("ann", "/", NOW, &rng());
    for number in 0..limits::USER_GROUPS_MAX {
        user.join(&number.to_string()).unwrap();
    }
    assert!(user.join("0").is_ok() && user.join("x").is_err());
    let long = "x".repeat(limits::TRUST_POLICY_CHARS_MAX + 1);
    assert!(Role::new("r", "/", &long, NOW, &rng()).is_err());
}

#[test]
fn a_managed_policy_has_five_versions_and_one_in_force() {
    let mut policy = ManagedPolicy::new("p", "/", "one", NOW, &rng()).unwrap();
    assert_eq!((policy.in_force(), policy.default), ("one", 1));
    assert_eq!(policy.add("two", false, NOW).unwrap(), 2);
    assert_eq!(policy.add("three", true, NOW).unwrap(), 3);
    assert_eq!(policy.in_force(), "three");
    assert_eq!(policy.delete("arn", "v3").unwrap_err(), IdentityError::DefaultVersion);
    policy.put_in_force("arn", "v2").unwrap();
    policy.delete("arn", "v3").unwrap();
    for wrong in ["v3", "v9", "3", "v"] {
        let refused = policy.version("arn", wrong).unwrap_err().to_string();
        assert_eq!(refused, format!("Policy arn version {wrong} does not exist or is not attachable."));
    }
    // A number never comes back.
    assert_eq!(policy.add("four", false, NOW).unwrap(), 4);
    policy.add("five", false, NOW).unwrap();
    policy.add("six", false, NOW).unwrap();
    assert_eq!(policy.add("seven", false, NOW).unwrap_err(), IdentityError::Versions(5));
    assert!(ManagedPolicy::new("p", "/", &"x".repeat(6_145), NOW, &rng()).is_err());
}

#[test]
fn tags_are_told_apart_whatever_their_case() {
    let tag = |key: &str, value: &str| Tag { key: key.to_owned(), value: value.to_owned() };
    let mut held = vec![tag("a", "1")];
    put_tags(&mut held, &[tag("A", "2"), tag("b", "3")], "TagsPerUser").unwrap();
    assert_eq!(held, [tag("A", "2"), tag("b", "3")]);
    let twice = put_tags(&mut held, &[tag("c", "1"), tag("C", "2")], "TagsPerUser");
    assert_eq!(twice, Err(IdentityError::TwiceTagged));
    take_tags(&mut held, &["B", "x"]);
    assert_eq!(held, [tag("A", "2")]);
    let many: Vec<_> = (0..50).map(|number| tag(&number.to_string(), "")).collect();
    assert!(put_tags(&mut held, &many, "TagsPerUser").is_err());
}

#[test]
fn built_in_policies_are_json_and_in_order() {
    assert!(BUILT_IN.is_sorted_by_key(|policy| policy.name.to_lowercase()));
    for policy in BUILT_IN {
        let document: serde_json::Value = serde_json::from_str(policy.text).unwrap();
        assert!(document["Statement"].is_array() && policy.id.len() == 21, "{}", policy.name);
        assert_eq!(policy.arn(), format!("arn:aws:iam::aws:policy/{}", policy.name));
    }
}
