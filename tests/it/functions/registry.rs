//! Functions put into the store by hand, as another host of it does.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pawl_core::function::{
    Approval, Code, Configuration, Digest, Engine, Function, Grants, Permission, ReservedConcurrency, Timeout,
};
use pawl_core::world::{Rng, Timestamp};
use pawl_rotators::Builtin;
use pawl_store::{
    ApprovalChange, AuthenticStore, Expect, FunctionChange, FunctionRow, PostgresOptions, PostgresStore,
    RowMac, Store, StoredCode,
};
use pawl_tests::http::Request;
use pawl_tests::pawl::Pawl;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

use crate::rows;

/// The function's ARN.
pub(super) const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:mine";

/// A different id each time.
struct Count(AtomicU64);

impl Rng for Count {
    fn fill(&self, bytes: &mut [u8]) {
        let next = Sha256::digest(self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        for (byte, drawn) in bytes.iter_mut().zip(next.iter().cycle()) {
            *byte = *drawn;
        }
    }
}

/// The built-in rotator of PostgreSQL, told apart by a section that nothing reads.
fn component(number: u8) -> Vec<u8> {
    let mut bytes = Builtin::named("pawl-postgres-single-user").unwrap().bytes.to_vec();
    bytes.extend([0, 3, 1, b'v', number]);
    bytes
}

/// The digest of code number so and so, as Pawl writes it.
pub(super) fn digest(number: u8) -> String {
    Digest::from_bytes(Sha256::digest(component(number)).into()).to_string()
}

/// What the rotator needs.
pub(super) fn own_postgres() -> Grants {
    Grants { engines: [Engine::Postgres].into(), own_target: true, ..Grants::default() }
}

/// The figures of a server.
pub(super) fn figures(pawl: &Pawl) -> String {
    let request = Request {
        method: "GET".to_owned(),
        path: "/metrics".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    request.header("host", "localhost").send(pawl.address()).body
}

/// The store's functions in the region of the tests.
#[derive(Clone)]
pub(super) struct Registry {
    runtime: Arc<Runtime>,
    store: Arc<AuthenticStore>,
    chance: Arc<Count>,
}

impl Registry {
    pub(super) fn open(pawl: &Pawl) -> Self {
        let runtime = Runtime::new().unwrap();
        let url = pawl.database().unwrap().url().parse().unwrap();
        let store = PostgresStore::open(&url, PostgresOptions::default());
        let store = Arc::new(runtime.block_on(store).unwrap());
        let record = runtime.block_on(store.keyring()).unwrap().unwrap();
        let store = Arc::new(AuthenticStore::new(store, rows::signer(pawl, &record)));
        Self { runtime: Arc::new(runtime), store, chance: Arc::new(Count(AtomicU64::new(0))) }
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Approves these grants; none for no approval at all.
    pub(super) fn approve(&self, grants: Option<Grants>) {
        let (region, name) = ("us-east-1".parse().unwrap(), "mine".parse().unwrap());
        let document = grants.map(|grants| {
            let approval = Approval {
                region: "us-east-1".parse().unwrap(),
                name: "mine".parse().unwrap(),
                grants,
                approved_at: Timestamp::from_millis(1),
                approved_by: "arn:aws:iam::000000000000:root".to_owned(),
            };
            serde_json::to_string(&approval).unwrap()
        });
        let (audit, events) = (Vec::new(), Vec::new());
        let change = ApprovalChange { region, name, document, mac: RowMac::None, audit, events };
        self.wait(self.store.commit_approval(change)).unwrap();
    }

    /// CreateFunction.
    pub(super) fn create(&self, number: u8) {
        let (code, stored) = code(number);
        let configuration =
            Configuration { timeout: Timeout::try_from(30).unwrap(), ..Configuration::default() };
        let (region, name) = ("us-east-1".parse().unwrap(), "mine".parse().unwrap());
        let now = Timestamp::from_millis(1_800_000_000_000);
        let function = Function::create(region, name, code, configuration, now, &*self.chance);
        self.commit(&function, 0, Some(stored), false);
    }

    /// UpdateFunctionCode.
    pub(super) fn update(&self, number: u8) {
        let (code, stored) = code(number);
        self.change_with(Some(stored), |function, rng| {
            let now = function.created_at;
            function.update_code(code, None, now, rng).unwrap();
        });
    }

    /// DeleteFunction.
    pub(super) fn delete(&self) {
        let (function, revision) = self.load();
        self.commit(&function, revision, None, true);
    }

    /// DeleteAlias.
    pub(super) fn delete_alias(&self, alias: &str) {
        self.change(|function, _| assert!(function.delete_alias(&alias.parse().unwrap())));
    }

    /// AddPermission for Secrets Manager, on the function or an alias.
    pub(super) fn permit(&self, alias: Option<&str>) {
        self.change(|function, rng| {
            let permission = Permission {
                sid: "secrets".to_owned().try_into().unwrap(),
                action: "lambda:InvokeFunction".to_owned(),
                principal: "secretsmanager.amazonaws.com".to_owned(),
                source_arn: Some("arn:aws:secretsmanager:us-east-1:000000000000:secret:db*".to_owned()),
                source_account: Some("000000000000".parse().unwrap()),
                event_source_token: None,
                principal_org_id: None,
            };
            let qualifier = alias.map(|alias| alias.parse().unwrap());
            function.add_permission(qualifier.as_ref(), permission, None, rng).unwrap();
        });
    }

    /// RemovePermission.
    pub(super) fn forbid(&self) {
        self.change(|function, rng| {
            function.remove_permission(None, &"secrets".to_owned().try_into().unwrap(), None, rng).unwrap();
        });
    }

    /// PutFunctionConcurrency.
    pub(super) fn reserve(&self, most: Option<u32>) {
        self.change(|function, _| {
            function.reserved_concurrency = most.map(|most| ReservedConcurrency::try_from(most).unwrap());
        });
    }

    /// Any other change.
    pub(super) fn change(&self, with: impl FnOnce(&mut Function, &dyn Rng)) {
        self.change_with(None, with);
    }

    fn change_with(&self, code: Option<StoredCode>, with: impl FnOnce(&mut Function, &dyn Rng)) {
        let (mut function, revision) = self.load();
        with(&mut function, &*self.chance);
        self.commit(&function, revision, code, false);
    }

    fn load(&self) -> (Function, u64) {
        let (region, name) = ("us-east-1".parse().unwrap(), "mine".parse().unwrap());
        let row = self.wait(self.store.function(&region, &name)).unwrap().unwrap();
        (serde_json::from_str(&row.document).unwrap(), row.revision)
    }

    fn commit(&self, function: &Function, revision: u64, code: Option<StoredCode>, delete: bool) {
        let row = FunctionRow {
            id: function.id.to_string(),
            region: function.region.clone(),
            name: function.name.clone(),
            revision: revision + 1,
            document: serde_json::to_string(function).unwrap(),
            mac: RowMac::None,
        };
        let expect = if revision == 0 { Expect::New } else { Expect::Revision(revision) };
        let mut change = FunctionChange::new(expect, row, function.digests());
        (change.code, change.delete) = (code, delete);
        self.wait(self.store.commit_function(change)).unwrap();
    }
}

fn code(number: u8) -> (Code, StoredCode) {
    let component = component(number);
    let digest = Digest::from_bytes(Sha256::digest(&component).into());
    let code = Code { digest, bytes: component.len() as u64, grants: own_postgres(), package: None };
    let document = serde_json::to_string(&code).unwrap();
    (code, StoredCode { digest, document, component, mac: RowMac::None })
}
