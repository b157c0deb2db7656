use pawl_core::function::{
    AliasName, AliasRequest, Code, Memory, Permission, PublishRequest, Timeout, VersionNumber,
};
use pawl_core::names::AccountId;
use pawl_core::world::Timestamp;
use pawl_store::{ApprovalChange, Options, RowMac, SqliteStore, StoredCode};

use super::*;
use crate::world::SystemRng;

struct Ground {
    _dir: tempfile::TempDir,
    store: SqliteStore,
    functions: Functions,
}

fn region() -> Region {
    "us-east-1".parse().unwrap()
}

fn account() -> AccountId {
    "000000000000".parse().unwrap()
}

fn named(qualifier: &str) -> FunctionArn {
    FunctionArn::given(format!("{}{qualifier}", FunctionArn::new(&region(), &account(), "mine")))
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn uploaded(bytes: &[u8], grants: &Grants) -> (Code, StoredCode) {
    let component = Component::new(bytes.to_vec());
    let code =
        Code { digest: component.digest(), bytes: bytes.len() as u64, grants: grants.clone(), package: None };
    let document = serde_json::to_string(&code).unwrap();
    let stored = StoredCode { digest: code.digest, document, component: bytes.to_vec(), mac: RowMac::None };
    (code, stored)
}

fn own_target() -> Grants {
    Grants { own_target: true, ..Grants::default() }
}

impl Ground {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("pawl.db"), Options::default()).await.unwrap();
        Self { _dir: dir, store, functions: Functions::load(account(), None).unwrap() }
    }

    /// A function with this code, which asks for its own target, and the approval of that.
    async fn with_function(code: &[u8]) -> Self {
        let ground = Self::new().await;
        ground.approve(Some(own_target())).await;
        let (code, stored) = uploaded(code, &own_target());
        let configuration = Configuration {
            timeout: Timeout::try_from(7).unwrap(),
            memory: Memory::try_from(10_240).unwrap(),
            environment: [("STAGE".to_owned(), "first".to_owned())].into(),
            ..Configuration::default()
        };
        let name = "mine".parse().unwrap();
        let function = Function::create(region(), name, code, configuration, now(), &SystemRng);
        let mut change = Stored::new(function).change().unwrap();
        change.code = Some(stored);
        ground.store.commit_function(change).await.unwrap();
        ground
    }

    async fn approve(&self, grants: Option<Grants>) {
        let (region, name) = (region(), "mine".parse::<FunctionName>().unwrap());
        let document = grants.map(|grants| {
            let approval = Approval {
                region: region.clone(),
                name: name.clone(),
                grants,
                approved_at: now(),
                approved_by: "arn:aws:iam::000000000000:root".to_owned(),
            };
            serde_json::to_string(&approval).unwrap()
        });
        let change = ApprovalChange {
            region,
            name,
            document,
            mac: RowMac::None,
            audit: Vec::new(),
            events: Vec::new(),
        };
        self.store.commit_approval(change).await.unwrap();
    }

    async fn change(&self, code: Option<StoredCode>, with: impl FnOnce(&mut Function)) {
        let mut stored = load(&self.store, &region(), &"mine".parse().unwrap()).await.unwrap().unwrap();
        with(&mut stored.function);
        let mut change = stored.change().unwrap();
        change.code = code;
        self.store.commit_function(change).await.unwrap();
    }

    async fn resolve(&self, arn: &FunctionArn) -> Result<Resolved, FindError> {
        self.functions.resolve(&self.store, arn, None, &SystemRng).await
    }

    async fn pinned(&self, arn: &FunctionArn, digest: &Digest) -> Result<Resolved, FindError> {
        self.functions.pinned(&self.store, arn, digest, Approved::Now).await
    }
}

#[tokio::test]
async fn a_function_is_run_as_it_is_set_up_and_within_the_hosts_ceilings() {
    let ground = Ground::with_function(b"one").await;
    let resolved = ground.resolve(&named("")).await.unwrap();
    assert_eq!(resolved.arn, named(":$LATEST"));
    assert_eq!((resolved.component.bytes(), resolved.name.as_str()), (&b"one"[..], "mine"));
    assert_eq!(resolved.environment.get("STAGE").map(String::as_str), Some("first"));
    assert_eq!(resolved.timeout, Duration::from_secs(7));
    assert_eq!(resolved.memory_bytes, limits::GUEST_MEMORY_BYTES_MAX);
    assert!(resolved.grants.own_target && resolved.reserved_concurrency.is_none());

    let built_in = FunctionArn::new(&region(), &account(), "pawl-postgres-single-user");
    let resolved = ground.resolve(&built_in).await.unwrap();
    assert_eq!((resolved.arn, resolved.timeout), (built_in, limits::STEP_WALL));
    assert!(ground.functions.is_reserved("pawl-anything") && !ground.functions.is_reserved("mine"));

    for absent in [
        "arn:aws:lambda:us-east-1:000000000000:function:other",
        "arn:aws:lambda:eu-west-1:000000000000:function:mine",
        "arn:aws:lambda:us-east-1:000000000001:function:mine",
        "mine",
        "no ARN at all",
    ] {
        let absent = FunctionArn::given(absent.to_owned());
        assert_eq!(ground.resolve(&absent).await.unwrap_err(), FindError::NoFunction(absent));
    }
    for absent in [":1", ":live"] {
        assert!(matches!(ground.resolve(&named(absent)).await, Err(FindError::NoVersion(_))), "{absent}");
    }
}

#[tokio::test]
async fn another_hosts_changes_are_seen_at_once() {
    let ground = Ground::with_function(b"one").await;
    let other = Functions::load(account(), None).unwrap();
    let first = other.resolve(&ground.store, &named(""), None, &SystemRng).await.unwrap();
    let (code, stored) = uploaded(b"two", &own_target());
    ground
        .change(Some(stored), |function| function.update_code(code, None, now(), &SystemRng).unwrap())
        .await;
    let second = other.resolve(&ground.store, &named(""), None, &SystemRng).await.unwrap();
    assert_eq!((first.component.bytes(), second.component.bytes()), (&b"one"[..], &b"two"[..]));
}

#[tokio::test]
async fn a_rotation_keeps_what_it_began_with() {
    let ground = Ground::with_function(b"one").await;
    let live: AliasName = "live".parse().unwrap();
    ground
        .change(None, |function| {
            function.publish(PublishRequest::default(), now(), &SystemRng).unwrap();
            let version = Some(FunctionVersion::Published(VersionNumber::FIRST));
            let request = AliasRequest { version, ..AliasRequest::default() };
            function.create_alias(live.clone(), request, &SystemRng).unwrap();
        })
        .await;
    let begun = ground.resolve(&named(":live")).await.unwrap();
    assert_eq!(begun.arn, named(":1"));
    let digest = begun.component.digest();

    // Updated, and the alias and the version deleted.
    let (code, stored) = uploaded(b"two", &own_target());
    ground
        .change(Some(stored), |function| {
            function.update_code(code, None, now(), &SystemRng).unwrap();
            assert!(function.delete_alias(&live));
        })
        .await;
    assert_eq!(ground.pinned(&named(":live"), &digest).await.unwrap().arn, begun.arn);
    ground.change(None, |f| f.delete_version(&Qualifier::Version(VersionNumber::FIRST)).unwrap()).await;
    for functions in [&ground.functions, &Functions::load(account(), None).unwrap()] {
        let pinned = functions.pinned(&ground.store, &begun.arn, &digest, Approved::Now).await.unwrap();
        assert_eq!((pinned.component.bytes(), &pinned.grants), (&b"one"[..], &begun.grants));
        assert!(pinned.environment.is_empty(), "it is nobody's any more");
    }
    let stored = load(&ground.store, &region(), &"mine".parse().unwrap()).await.unwrap().unwrap();
    let mut delete = stored.change().unwrap();
    delete.delete = true;
    ground.store.commit_function(delete).await.unwrap();
    assert_eq!(ground.pinned(&begun.arn, &digest).await.unwrap().component.digest(), digest);
    let absent = Digest::from_bytes([9; 32]);
    assert_eq!(ground.pinned(&begun.arn, &absent).await.unwrap_err(), FindError::NoCode(absent));
}

#[tokio::test]
async fn grants_count_only_as_far_as_they_are_approved() {
    let ground = Ground::with_function(b"one").await;
    let digest = ground.resolve(&named("")).await.unwrap().component.digest();
    for narrower in [Some(Grants::default()), None] {
        ground.approve(narrower).await;
        let refused = ground.resolve(&named("")).await.unwrap_err();
        assert!(
            matches!(&refused, FindError::NotApproved { beyond, .. } if beyond.len() == 1),
            "{refused:?}"
        );
        assert!(refused.to_string().contains("pawl function approve mine FILE"), "{refused}");
        assert_eq!(ground.pinned(&named(""), &digest).await.unwrap_err(), refused, "nor for one that runs");
        let functions = &ground.functions;
        let begun = functions.pinned(&ground.store, &named(""), &digest, Approved::AtBeginning).await;
        assert!(begun.is_ok_and(|begun| begun.grants.own_target), "a database may have its password");
    }
    ground.approve(Some(own_target())).await;
    assert!(ground.pinned(&named(""), &digest).await.is_ok());
}

#[tokio::test]
async fn a_service_invokes_what_it_was_permitted_to() {
    let ground = Ground::with_function(b"one").await;
    let service = Invocation {
        principal: "secretsmanager.amazonaws.com",
        source_arn: Some("arn:aws:secretsmanager:us-east-1:000000000000:secret:app-AbCdEf"),
        source_account: Some(&account()),
    };
    let resolve = async |arn: &FunctionArn| {
        ground
            .functions
            .resolve(&ground.store, arn, Some(&service), &SystemRng)
            .await
            .map(|resolved| resolved.arn)
    };
    assert_eq!(resolve(&named("")).await, Err(FindError::NotPermitted(named(""))));
    let permission = Permission {
        sid: "sm".to_owned().try_into().unwrap(),
        action: "lambda:InvokeFunction".to_owned(),
        principal: service.principal.to_owned(),
        source_arn: None,
        source_account: None,
        event_source_token: None,
        principal_org_id: None,
    };
    ground
        .change(None, |function| function.add_permission(None, permission, None, &SystemRng).unwrap())
        .await;
    assert_eq!(resolve(&named("")).await, Ok(named(":$LATEST")));
    let built_in = FunctionArn::new(&region(), &account(), "pawl-postgres-single-user");
    assert_eq!(resolve(&built_in).await, Ok(built_in.clone()), "from the start");
}

#[tokio::test]
async fn code_that_is_too_large_for_memory_is_read_each_time() {
    let ground = Ground::with_function(&[7; 4_096]).await;
    let digest = ground.resolve(&named("")).await.unwrap().component.digest();
    let small = super::super::code::CodeCache::of_bytes(1_000);
    for _ in 0..2 {
        let kept = small.get(&ground.store, &digest).await.unwrap().unwrap();
        assert_eq!(kept.component.digest(), digest);
        assert!(format!("{small:?}").starts_with("CodeCache(0 components"), "{small:?}");
    }
    assert!(format!("{:?}", ground.functions.code).starts_with("CodeCache(1 components, 4096"));
}
