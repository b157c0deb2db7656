//! What the store in front of each backend must do: every change of a row that it did not write is refused, and nothing else is.

mod samples;

use std::sync::Arc;

use pawl_core::function::{Digest, FunctionName};
use pawl_core::names::{Region, SecretName};
use pawl_core::world::{Rng, Timestamp};
use pawl_keyring::{Keyring, RootKey, RowKey};

use samples::{approval, code, entity, function, region, secret, signer};

use super::AuthenticStore;
use crate::conformance::Backend;
use crate::record::{ListQuery, Order, RotationState};
use crate::{
    AdoptError, ApprovalChange, Change, EntityChange, EntityPut, Expect, FunctionChange, FunctionRow, RowMac,
    RowSigner, SecretRow, SignedTable, Signer, Store, StoreError, StoredCode,
};

/// A database that can be written to behind the store's back.
pub(crate) trait Tampered: Backend + Sync {
    /// Runs a statement; how many rows it has changed.
    fn sql(&self, text: String) -> impl Future<Output = u64> + Send;
}

/// One test of each promise; `$new` is the expression of a new database.
macro_rules! authentic_suite {
    ($new:expr) => {
        $crate::authentic::tests::authentic_suite!(@ $new;
            every_byte_of_every_document_counts
            every_column_counts
            what_belongs_elsewhere_is_refused
            an_older_row_put_back_whole_is_authentic
            rows_of_before_get_their_codes_once
        );
    };
    (@ $new:expr; $($test:ident)+) => {
        mod authentic {
            use super::*;
            $(#[tokio::test]
            async fn $test() {
                $crate::authentic::tests::$test(&$new).await;
            })+
        }
    };
}
pub(crate) use authentic_suite;

struct Dice;

impl Rng for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.iter_mut().zip(7_u8..).for_each(|(byte, number)| *byte = number);
    }
}

#[derive(Debug)]
struct Codes(RowKey);

impl RowSigner for Codes {
    fn sign(&self, content: &[u8]) -> Vec<u8> {
        self.0.code(content).to_vec()
    }

    fn is_signed(&self, content: &[u8], code: &[u8]) -> bool {
        self.0.is_code(content, code)
    }
}

/// Two rows of each kind, and a secret with nothing that may be missing.
async fn fill(store: &dyn Store) {
    for (name, full) in [("a", true), ("b", true), ("plain", false)] {
        store.commit(Change::new(Expect::New, secret(name, full))).await.unwrap();
    }
    let entities =
        ["a", "b"].map(|name| entity("iam:user", name, Expect::New, &format!("{{\"is\":\"{name}\"}}")));
    store.commit_entities(entities.into(), Vec::new()).await.unwrap();
    for (name, number) in [("a", 1), ("b", 2)] {
        let mut change = FunctionChange::new(Expect::New, function(name, 1), [code(number).digest].into());
        change.code = Some(code(number));
        store.commit_function(change).await.unwrap();
        store.commit_approval(approval(name, &format!("{{\"may\":\"{name}\"}}"))).await.unwrap();
    }
}

/// The tables with the place of the row that is changed in each, and the columns that are put back.
const TABLES: [(SignedTable, &str, &[&str]); 5] = [
    (
        SignedTable::Secrets,
        "arn LIKE '%:secret:a-aaaaaa'",
        &[
            "arn",
            "region",
            "name",
            "revision",
            "document",
            "created_at",
            "purge_at",
            "next_rotation_at",
            "rotation_due_at",
            "last_changed_at",
            "last_accessed_at",
            "replica_of",
            "rotation_state",
            "mac",
        ],
    ),
    (
        SignedTable::Entities,
        "kind = 'iam:user' AND name = 'a'",
        &["kind", "region", "name", "revision", "document", "sealed", "mac"],
    ),
    (SignedTable::Functions, "name = 'a'", &["uid", "region", "name", "revision", "document", "mac"]),
    (SignedTable::Approvals, "name = 'a'", &["region", "name", "document", "mac"]),
    (SignedTable::Code, "digest LIKE '%01010101'", &["document", "mac"]),
];

/// A store with rows, and a copy of them from which they are put back.
struct Scene<'b, B> {
    backend: &'b B,
    store: AuthenticStore,
}

impl<'b, B: Tampered> Scene<'b, B> {
    async fn new(backend: &'b B) -> Self {
        let store = AuthenticStore::new(backend.open().await, signer());
        fill(&store).await;
        for (table, place, columns) in TABLES {
            let (columns, table) = (columns.join(", "), table.name());
            backend
                .sql(format!("CREATE TABLE kept_{table} AS SELECT {columns} FROM {table} WHERE {place}"))
                .await;
        }
        let scene = Self { backend, store };
        scene.all_is_well().await;
        scene
    }

    /// Changes the row, by an assignment.
    async fn set(&self, table: SignedTable, assignment: &str) {
        let place = TABLES.iter().find(|(of, ..)| *of == table).unwrap().1;
        let changed =
            self.backend.sql(format!("UPDATE {} SET {assignment} WHERE {place}", table.name())).await;
        assert_eq!(changed, 1, "{assignment}");
    }

    /// Puts the row back, wherever it is now.
    async fn put_back(&self, table: SignedTable, moved_to: &str) {
        let (_, place, columns) = TABLES.iter().find(|(of, ..)| *of == table).unwrap();
        let name = table.name();
        let columns: Vec<_> =
            columns.iter().map(|column| format!("{column} = (SELECT {column} FROM kept_{name})")).collect();
        let place = if moved_to.is_empty() { place } else { moved_to };
        let changed =
            self.backend.sql(format!("UPDATE {name} SET {} WHERE {place}", columns.join(", "))).await;
        assert_eq!(changed, 1);
    }

    /// How each way to read the row `a` answers; false when it gives anything of it.
    async fn is_refused(&self, table: SignedTable) -> bool {
        let store = &self.store;
        let altered = |error: StoreError| error == StoreError::Altered { table: table.name() };
        let name: SecretName = "a".parse().unwrap();
        let function_name: FunctionName = "a".parse().unwrap();
        match table {
            SignedTable::Secrets => {
                let one = store.load(&region(), &name).await.is_err_and(altered);
                one && store.load_full(&region(), &name).await.is_err_and(altered)
            }
            SignedTable::Entities => {
                let one = store.entity("iam:user", "", "a").await.is_err_and(altered);
                let by_key = store.entity_by_key("iam:user", "", "key of a").await.is_err_and(altered);
                let listed = store.entities("iam:user", "", None, 10).await.unwrap();
                let sealed = store.sealed_entities(["", "", ""], 10).await.unwrap();
                one && by_key && marked(&listed, |row| &row.mac) && marked(&sealed, |row| &row.mac)
            }
            SignedTable::Functions => {
                let one = store.function(&region(), &function_name).await.is_err_and(altered);
                let listed = store.functions(&region(), None, 10).await.unwrap();
                one && marked(&listed, |row| &row.mac)
            }
            SignedTable::Approvals => {
                let one = store.approval(&region(), &function_name).await.is_err_and(altered);
                let listed = store.approvals(&region(), None, 10).await.unwrap();
                one && marked(&listed, |row| &row.mac)
            }
            SignedTable::Code => store.code(&code(1).digest).await.is_err_and(altered),
        }
    }

    /// The list of secrets: how many are refused, of all three.
    async fn listed(&self) -> usize {
        let region = region();
        let query = ListQuery {
            region: &region,
            after: None,
            order: Order::default(),
            limit: 10,
            include_deleted: true,
        };
        let rows = self.store.list(query).await.unwrap();
        rows.iter().filter(|row| row.mac.is_refused()).count()
    }

    /// The other rows are read as ever.
    async fn others_go_on(&self) {
        let store = &self.store;
        for name in ["b", "plain"] {
            store.load(&region(), &name.parse().unwrap()).await.unwrap().unwrap();
        }
        store.entity("iam:user", "", "b").await.unwrap().unwrap();
        let name = "b".parse().unwrap();
        store.function(&region(), &name).await.unwrap().unwrap();
        store.approval(&region(), &name).await.unwrap().unwrap();
        store.code(&code(2).digest).await.unwrap().unwrap();
    }

    async fn all_is_well(&self) {
        assert_eq!(self.store.look_over().await.unwrap(), 11);
        assert_eq!(self.store.altered(), Vec::<String>::new());
        assert_eq!(self.listed().await, 0);
        self.others_go_on().await;
        self.store.load_full(&region(), &"a".parse().unwrap()).await.unwrap().unwrap();
    }
}

/// The first of two is marked, and the second is not.
fn marked<T>(rows: &[T], mac: impl Fn(&T) -> &RowMac) -> bool {
    rows.iter().map(|row| mac(row).is_refused()).eq([true, false])
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub(crate) async fn every_byte_of_every_document_counts(backend: &impl Tampered) {
    let scene = Scene::new(backend).await;
    for (table, ..) in TABLES {
        let document = match table {
            SignedTable::Secrets => secret("a", true).document,
            SignedTable::Entities => "{\"is\":\"a\"}".to_owned(),
            SignedTable::Functions => function("a", 1).document,
            SignedTable::Approvals => "{\"may\":\"a\"}".to_owned(),
            SignedTable::Code => code(1).document,
        };
        for place in 0..document.len() {
            let mut flipped = document.clone().into_bytes();
            flipped[place] ^= 1;
            let flipped = String::from_utf8(flipped).unwrap();
            scene.set(table, &format!("document = {}", quoted(&flipped))).await;
            assert!(scene.is_refused(table).await, "{table:?}, byte {place}: {flipped}");
        }
        for other in ["{}".to_owned(), format!("{document} "), document.strip_suffix('}').unwrap().to_owned()]
        {
            scene.set(table, &format!("document = {}", quoted(&other))).await;
            assert!(scene.is_refused(table).await, "{table:?}: {other}");
        }
        assert_eq!(scene.store.altered().len(), 1, "{:?}", scene.store.altered());
        scene.others_go_on().await;
        assert_eq!(scene.listed().await, usize::from(table == SignedTable::Secrets));
        scene.put_back(table, "").await;
        assert!(!scene.is_refused(table).await, "{table:?}");
        scene.all_is_well().await;
    }
}

/// What is assigned, and where the row is then, if it cannot be found any more.
const COLUMNS: [(SignedTable, &str, &str); 37] = [
    (SignedTable::Secrets, "revision = 2", ""),
    (SignedTable::Secrets, "created_at = created_at - 1", ""),
    (SignedTable::Secrets, "last_changed_at = last_changed_at + 1", ""),
    (SignedTable::Secrets, "last_accessed_at = last_accessed_at + 1", ""),
    (SignedTable::Secrets, "last_accessed_at = -9223372036854775807 - 1", ""),
    (SignedTable::Secrets, "purge_at = NULL", ""),
    (SignedTable::Secrets, "purge_at = 1", ""),
    (SignedTable::Secrets, "next_rotation_at = NULL", ""),
    (SignedTable::Secrets, "next_rotation_at = 6001", ""),
    (SignedTable::Secrets, "next_rotation_at = NULL, rotation_due_at = 6000", ""),
    (SignedTable::Secrets, "rotation_due_at = NULL", ""),
    (SignedTable::Secrets, "rotation_due_at = 1", ""),
    (SignedTable::Secrets, "replica_of = NULL", ""),
    (SignedTable::Secrets, "replica_of = 'us-west-2'", ""),
    (SignedTable::Secrets, "rotation_state = NULL", ""),
    (SignedTable::Secrets, "rotation_state = 'failed'", ""),
    (SignedTable::Secrets, "arn = replace(arn, 'aaaaaa', 'bbbbbb')", "name = 'a'"),
    (SignedTable::Secrets, "mac = NULL", ""),
    (SignedTable::Secrets, "mac = (SELECT mac FROM secrets b WHERE b.name = 'b')", ""),
    (SignedTable::Entities, "revision = revision + 1", ""),
    (SignedTable::Entities, "sealed = NULL", ""),
    (SignedTable::Entities, "sealed = (SELECT sealed FROM entities b WHERE b.name = 'b')", ""),
    (SignedTable::Entities, "mac = NULL", ""),
    (SignedTable::Entities, "mac = (SELECT mac FROM entities b WHERE b.name = 'b')", ""),
    (SignedTable::Functions, "uid = 'another'", ""),
    (SignedTable::Functions, "revision = 2", ""),
    (SignedTable::Functions, "mac = NULL", ""),
    (SignedTable::Functions, "mac = (SELECT mac FROM functions b WHERE b.name = 'b')", ""),
    (SignedTable::Functions, "document = (SELECT document FROM functions b WHERE b.name = 'b')", ""),
    (SignedTable::Approvals, "mac = NULL", ""),
    (SignedTable::Approvals, "mac = (SELECT mac FROM approvals b WHERE b.name = 'b')", ""),
    (SignedTable::Approvals, "document = (SELECT document FROM approvals b WHERE b.name = 'b')", ""),
    (SignedTable::Code, "mac = NULL", ""),
    (SignedTable::Code, "mac = (SELECT mac FROM code b WHERE b.digest LIKE '%02020202')", ""),
    (SignedTable::Code, "document = (SELECT document FROM code b WHERE b.digest LIKE '%02020202')", ""),
    (SignedTable::Secrets, "document = (SELECT document FROM secrets b WHERE b.name = 'b')", ""),
    (SignedTable::Entities, "document = (SELECT document FROM entities b WHERE b.name = 'b')", ""),
];

pub(crate) async fn every_column_counts(backend: &impl Tampered) {
    let scene = Scene::new(backend).await;
    for (table, assignment, moved_to) in COLUMNS {
        scene.set(table, assignment).await;
        // Without something sealed it is not among what is.
        if assignment == "sealed = NULL" {
            let refused = scene.store.entity("iam:user", "", "a").await;
            assert_eq!(refused, Err(StoreError::Altered { table: "entities" }));
        } else {
            assert!(scene.is_refused(table).await, "{assignment}");
        }
        let named = scene.store.altered();
        assert_eq!(named.len(), 1, "{assignment}: {named:?}");
        assert_eq!(scene.store.look_over().await.unwrap(), 11);
        assert_eq!(scene.store.altered(), named, "the whole look finds the same");
        scene.others_go_on().await;
        scene.put_back(table, moved_to).await;
        scene.all_is_well().await;
    }
}

/// Rows under another's name, documents and codes exchanged together, and bits of the code itself.
pub(crate) async fn what_belongs_elsewhere_is_refused(backend: &impl Tampered) {
    let scene = Scene::new(backend).await;
    let store = &scene.store;
    let altered = |table| StoreError::Altered { table };
    for (assignment, region, name) in
        [("name = 'moved'", "us-east-1", "moved"), ("region = 'eu-west-1'", "eu-west-1", "a")]
    {
        scene.set(SignedTable::Secrets, assignment).await;
        let refused = store.load(&region.parse().unwrap(), &name.parse().unwrap()).await;
        assert_eq!(refused, Err(altered("secrets")), "{assignment}");
        scene.put_back(SignedTable::Secrets, "").await;
        for table in [SignedTable::Functions, SignedTable::Approvals] {
            scene.set(table, assignment).await;
            let (region, name) = (region.parse().unwrap(), name.parse().unwrap());
            let refused = match table {
                SignedTable::Functions => store.function(&region, &name).await.map(drop),
                _ => store.approval(&region, &name).await.map(drop),
            };
            assert_eq!(refused, Err(altered(table.name())), "{assignment}");
            scene.put_back(table, assignment).await;
        }
    }
    for (assignment, place) in [
        ("name = 'moved'", ["iam:user", "", "moved"]),
        ("kind = 'iam:role'", ["iam:role", "", "a"]),
        ("region = 'us-east-1'", ["iam:user", "us-east-1", "a"]),
    ] {
        scene.set(SignedTable::Entities, assignment).await;
        let [kind, region, name] = place;
        assert_eq!(store.entity(kind, region, name).await, Err(altered("entities")), "{assignment}");
        scene.put_back(SignedTable::Entities, assignment).await;
    }
    // Document and code of another row together.
    for (table, both, of) in [
        (SignedTable::Secrets, "document, mac", "b.name = 'b'"),
        (SignedTable::Entities, "document, sealed, mac", "b.name = 'b'"),
        (SignedTable::Functions, "document, mac", "b.name = 'b'"),
        (SignedTable::Approvals, "document, mac", "b.name = 'b'"),
        (SignedTable::Code, "document, mac", "b.digest LIKE '%02020202'"),
    ] {
        let name = table.name();
        scene.set(table, &format!("({both}) = (SELECT {both} FROM {name} b WHERE {of})")).await;
        assert!(scene.is_refused(table).await, "{name}: {both}");
        scene.put_back(table, "").await;
    }
    scene.all_is_well().await;
    // A code that is cut, or too long, or has any byte of it changed.
    let row = store.store.load(&region(), &"a".parse().unwrap()).await.unwrap().unwrap().head;
    let whole = row.mac.bytes().unwrap().to_vec();
    assert_eq!(whole.len(), 32);
    let mut wrong = vec![Vec::new(), whole[..31].to_vec(), [&whole[..], &[0]].concat()];
    for place in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[place] ^= 0x80;
        wrong.push(flipped);
    }
    for mac in wrong {
        let changed = SecretRow { mac: RowMac::Kept(mac), ..row.clone() };
        assert_eq!(store.trusted(changed), Err(altered("secrets")));
    }
}

/// What a code cannot tell: that is said in ADR 26, and what else notices it.
pub(crate) async fn an_older_row_put_back_whole_is_authentic(backend: &impl Tampered) {
    let scene = Scene::new(backend).await;
    let (store, name) = (&scene.store, "a".parse().unwrap());
    let mut next = SecretRow { revision: 2, ..secret("a", true) };
    next.document = "{\"next\":true}".to_owned();
    store.commit(Change::new(Expect::Revision(1), next)).await.unwrap();
    assert_eq!(store.load(&region(), &name).await.unwrap().unwrap().head.revision, 2);
    // Half of it is not.
    scene.set(SignedTable::Secrets, "document = (SELECT document FROM kept_secrets)").await;
    assert!(scene.is_refused(SignedTable::Secrets).await);
    scene.put_back(SignedTable::Secrets, "").await;
    assert_eq!(store.load(&region(), &name).await.unwrap().unwrap().head.revision, 1);
    scene.all_is_well().await;
}

/// A store of before there were codes: in one pass, once, and never again.
pub(crate) async fn rows_of_before_get_their_codes_once(backend: &impl Tampered) {
    let raw = backend.open().await;
    fill(&*raw).await;
    raw.store_keyring(b"of before").await.unwrap();
    let signer = signer();
    let store = AuthenticStore::new(backend.open().await, signer.clone());
    assert_eq!(
        store.load(&region(), &"a".parse().unwrap()).await,
        Err(StoreError::Altered { table: "secrets" }),
        "without a code"
    );
    let raced = raw.adopt(b"another", b"of after", &signer).await;
    assert_eq!(raced, Err(AdoptError::Raced));
    assert_eq!(raw.keyring().await.unwrap().unwrap(), b"of before");
    assert_eq!(raw.adopt(b"of before", b"of after", &signer).await, Ok(11));
    assert_eq!(raw.keyring().await.unwrap().unwrap(), b"of after");
    raw.fence().await.unwrap();
    raw.fence().await.unwrap();
    let scene = Scene { backend, store };
    scene.all_is_well().await;
    // The record of before, put back: what it would vouch for now may be anybody's.
    assert!(raw.swap_keyring(b"of after", b"of before", &[]).await.unwrap());
    assert_eq!(raw.adopt(b"of before", b"of after", &signer).await, Err(AdoptError::HasCodes));
    assert_eq!(raw.keyring().await.unwrap().unwrap(), b"of before", "nothing was changed");
    scene.store.commit(Change::new(Expect::New, secret("new", true))).await.unwrap();
    assert_eq!(scene.store.look_over().await.unwrap(), 12);
    assert_eq!(scene.store.altered(), Vec::<String>::new());
}
