use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};

use proptest::prelude::{prop_assert_eq, proptest};

use super::*;

struct Counting(AtomicU8);

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = self.0.fetch_add(37, Ordering::Relaxed));
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_785_000_000_000);

fn rng() -> Counting {
    Counting(AtomicU8::new(1))
}

fn region() -> Region {
    "us-east-1".parse().unwrap()
}

fn account() -> AccountId {
    "000000000000".parse().unwrap()
}

fn key(spec: KeySpec) -> Key {
    let new = NewKey {
        principals: std::collections::BTreeMap::new(),
        region: region(),
        account: account(),
        spec,
        manager: KeyManager::Customer,
        description: String::new(),
        policy: None,
        tags: Vec::new(),
    };
    Key::new(new, &rng(), NOW).unwrap()
}

#[test]
fn an_id_is_a_uuid_in_one_spelling() {
    let text = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let id: KeyId = text.parse().unwrap();
    assert_eq!(id.to_string(), text);
    for bad in [
        "",
        "1234ABCD-12ab-34cd-56ef-1234567890ab",
        "1234abcd12ab34cd56ef1234567890ab",
        "1234abcd-12ab-34cd-56ef-1234567890a",
        "1234abcd-12ab-34cd-56ef-1234567890abc",
        "1234abcd1-2ab-34cd-56ef-1234567890ab",
        "1234abcd-12ab-34cd-56ef-1234567890ag",
    ] {
        assert_eq!(bad.parse::<KeyId>(), Err(KeyIdError), "{bad}");
    }
    let made = KeyId::random(&rng()).to_string();
    let groups: Vec<&str> = made.split('-').collect();
    assert!(groups[2].starts_with('4'), "version 4: {made}");
    assert!(groups[3].starts_with(['8', '9', 'a', 'b']), "the variant of RFC 9562: {made}");
}

#[test]
fn a_key_is_named_by_id_alias_and_the_arn_of_either() {
    let parse = |text: &str| KeyRef::parse(text, &region(), &account());
    let uuid = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let id = KeyRef::Id(uuid.parse().unwrap());
    let alias = KeyRef::Alias("alias/a/b".parse().unwrap());
    assert_eq!(parse(uuid), Ok(id.clone()));
    assert_eq!(parse(&format!("arn:aws:kms:us-east-1:000000000000:key/{uuid}")), Ok(id));
    assert_eq!(parse("alias/a/b"), Ok(alias.clone()));
    assert_eq!(parse("arn:aws:kms:us-east-1:000000000000:alias/a/b"), Ok(alias));
    for (text, error) in [
        ("x", KeyRefError::Id("x".to_owned())),
        ("", KeyRefError::Id(String::new())),
        ("alias/", KeyRefError::Alias(AliasNameError::Name)),
        ("alias/a b", KeyRefError::Alias(AliasNameError::Name)),
        ("arn:aws:kms", KeyRefError::Arn("arn:aws:kms".to_owned())),
        (
            "arn:aws:s3:us-east-1:000000000000:alias/a",
            KeyRefError::Arn("arn:aws:s3:us-east-1:000000000000:alias/a".to_owned()),
        ),
        ("arn:aws:kms:us-west-2:000000000000:alias/a", KeyRefError::Elsewhere("us-west-2".to_owned())),
        ("arn:aws:kms:us-east-1:111111111111:alias/a", KeyRefError::Elsewhere("111111111111".to_owned())),
        ("arn:aws:kms:us-east-1:000000000000:key/x", KeyRefError::Id("x".to_owned())),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
}

#[test]
fn aliases_begin_as_such_and_services_have_their_own() {
    assert!("alias/aws/secretsmanager".parse::<AliasName>().unwrap().is_reserved());
    assert!(!"alias/awsome".parse::<AliasName>().unwrap().is_reserved());
    assert_eq!("own".parse::<AliasName>(), Err(AliasNameError::Prefix));
    let longest = format!("alias/{}", "a".repeat(limits::KEY_ALIAS_CHARS_MAX - 6));
    assert!(longest.parse::<AliasName>().is_ok());
    assert_eq!(format!("{longest}a").parse::<AliasName>(), Err(AliasNameError::Name));
}

#[test]
fn a_key_goes_through_its_states_as_on_aws() {
    let mut key = key(KeySpec::SymmetricDefault);
    key.must_be_enabled().unwrap();
    assert_eq!(key.cancel_deletion(), Err(KeyError::NotPendingDeletion(key.arn.clone())));
    key.disable().unwrap();
    assert_eq!(key.must_be_enabled(), Err(KeyError::Disabled(key.arn.clone())));
    for wrong in [6, 31, 0, -1] {
        assert_eq!(key.schedule_deletion(wrong, NOW), Err(KeyError::Window));
    }
    assert_eq!(key.schedule_deletion(7, NOW), Ok(NOW.plus_days(7)));
    for refused in [key.clone().enable(), key.clone().disable(), key.must_stay(), key.must_be_enabled()] {
        assert_eq!(refused, Err(KeyError::PendingDeletion(key.arn.clone())));
    }
    assert!(!key.is_gone(NOW.plus_days(7) - std::time::Duration::from_millis(1)));
    assert!(key.is_gone(NOW.plus_days(7)));
    key.cancel_deletion().unwrap();
    assert_eq!(key.state, KeyState::Disabled, "AWS leaves it disabled");
    key.enable().unwrap();
    assert!(key.is_enabled());
}

#[test]
fn a_rotation_adds_a_material_and_keeps_the_plan() {
    let mut key = key(KeySpec::SymmetricDefault);
    key.rotate_every(None, NOW).unwrap();
    assert_eq!(key.rotation, Some(AutomaticRotation { period_days: 365, next_at: NOW.plus_days(365) }));
    key.must_rotate_on_demand().unwrap();
    assert_eq!(key.add_material(RotationKind::OnDemand, &rng(), NOW.plus_days(3)), 2);
    assert_eq!(key.rotation.unwrap().next_at, NOW.plus_days(365), "a rotation on demand moves no plan");
    assert!(!key.rotation_is_due(NOW.plus_days(364)));
    assert!(key.rotation_is_due(NOW.plus_days(365)));
    let late = NOW.plus_days(400);
    assert_eq!(key.add_material(RotationKind::Automatic, &rng(), late), 3);
    assert_eq!(key.rotation.unwrap().next_at, late.plus_days(365));
    assert_eq!(key.current().map(|held| held.number), Some(3));
    key.disable().unwrap();
    assert!(!key.rotation_is_due(NOW.plus_days(4_000)), "what is disabled waits");
}

#[test]
fn there_is_an_end_to_rotations_on_demand_and_an_hmac_key_has_none() {
    let mut key = self::key(KeySpec::SymmetricDefault);
    for _ in 0..limits::KEY_ROTATIONS_ON_DEMAND_MAX {
        key.must_rotate_on_demand().unwrap();
        let _number = key.add_material(RotationKind::OnDemand, &rng(), NOW);
    }
    let arn = key.arn.clone();
    assert_eq!(key.must_rotate_on_demand(), Err(KeyError::TooManyRotations { arn }));
    let mut hmac = self::key(KeySpec::Hmac256);
    let unsupported = KeyError::Unsupported(KeySpec::Hmac256);
    assert_eq!(hmac.rotate_every(None, NOW), Err(unsupported.clone()));
    assert_eq!(hmac.must_rotate_on_demand(), Err(unsupported));
    assert!(matches!(hmac.must_be_for(KeyUsage::EncryptDecrypt, "Encrypt"), Err(KeyError::Usage { .. })));
}

#[test]
fn tags_are_replaced_in_their_place_and_counted() {
    let tag = |key: String, value: &str| Tag { key, value: value.to_owned() };
    let mut key = key(KeySpec::SymmetricDefault);
    key.tag(vec![tag("a".into(), "1"), tag("b".into(), "2")]).unwrap();
    key.tag(vec![tag("a".into(), "3")]).unwrap();
    assert_eq!(key.tags, [tag("a".into(), "3"), tag("b".into(), "2")]);
    let many = (0..limits::KEY_TAGS_MAX).map(|n| tag(n.to_string(), "")).collect();
    assert_eq!(key.tag(many), Err(KeyError::TooManyTags));
    assert_eq!(key.tags.len(), 2, "nothing of it happened");
    key.untag(&["a".to_owned(), "none".to_owned()]);
    assert_eq!(key.tags.len(), 1);
}

#[test]
fn a_key_is_the_same_after_it_was_stored() {
    for spec in [KeySpec::SymmetricDefault, KeySpec::Hmac256] {
        let mut key = key(spec);
        let _at = key.schedule_deletion(30, NOW).unwrap();
        let stored = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<Key>(&stored).unwrap(), key);
    }
}

proptest! {
    /// No two contexts have the same bytes, however their texts are cut.
    #[test]
    fn contexts_differ_when_their_bytes_do(
        one in proptest::collection::btree_map(".{0,3}", ".{0,3}", 0..4),
        other in proptest::collection::btree_map(".{0,3}", ".{0,3}", 0..4),
    ) {
        let same = one == other;
        let (one, other) = (EncryptionContext::new(one), EncryptionContext::new(other));
        prop_assert_eq!(one.canonical() == other.canonical(), same);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(arn:)?(aws:)?(kms:)?(us-east-1:)?(000000000000:)?(key/|alias/)?.{0,40}") {
        let _any = KeyRef::parse(&text, &region(), &account());
    }
}

#[test]
fn pairs_that_are_cut_elsewhere_are_another_context() {
    let of = |pairs: &[(&str, &str)]| {
        let pairs: BTreeMap<String, String> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        EncryptionContext::new(pairs).canonical()
    };
    assert_ne!(of(&[("ab", "c")]), of(&[("a", "bc")]));
    assert_ne!(of(&[("a", "b"), ("c", "d")]), of(&[("a", "bcd")]));
    assert_eq!(of(&[("a", "1"), ("b", "2")]), of(&[("b", "2"), ("a", "1")]));
}
