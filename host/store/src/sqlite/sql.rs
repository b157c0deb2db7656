//! Every statement.

use crate::record::{Direction, Order, SortBy};

/// The columns of a [`SecretRow`](crate::SecretRow), in the order in which they are read.
macro_rules! head {
    () => {
        "arn, region, name, revision, document, created_at, purge_at, next_rotation_at, rotation_due_at, \
         last_changed_at, last_accessed_at, replica_of, rotation_state, mac"
    };
}

macro_rules! lease {
    () => {
        "lease_epoch, lease_owner, lease_until"
    };
}

/// The secret $1 at revision $2 and, if it matters, under the claim $3.
macro_rules! expected {
    () => {
        "arn = $1 AND revision = $2 AND (CAST($3 AS BIGINT) IS NULL OR lease_epoch = $3)"
    };
}

macro_rules! update {
    () => {
        "revision = $4, document = $5, last_changed_at = $8, next_rotation_at = $9, rotation_due_at = $10, replica_of = $11, \
         rotation_state = $12, mac = $13"
    };
}

/// The lease is over.
macro_rules! release {
    () => {
        "lease_owner = NULL, lease_until = NULL, lease_epoch = lease_epoch + 1"
    };
}

/// Nothing changes that stands in an index of many.
macro_rules! in_place {
    () => {
        " WHERE purge_at IS NOT DISTINCT FROM $6 AND last_accessed_at = $7 AND "
    };
}

/// A page of the secrets `$after` a place, in an order: those that live, and those scheduled for deletion as well if $4. Each have
/// indexes of their own, and it is merged from both without sorting.
macro_rules! list {
    ($after:literal, $order:literal) => {
        concat!(
            "SELECT ",
            head!(),
            " FROM secrets WHERE region = $1 AND purge_at IS NULL AND ",
            $after,
            " UNION ALL \
             SELECT ",
            head!(),
            " FROM secrets WHERE $4 AND region = $1 AND purge_at IS NOT NULL AND ",
            $after,
            " ORDER BY ",
            $order,
            " LIMIT $5"
        )
    };
}

/// Declares the statements and lists them, so that a test can prepare each.
macro_rules! declare {
    ($($(#[$doc:meta])* $name:ident = [$($text:expr),+];)+) => {
        $($(#[$doc])* pub(super) const $name: &str = concat!($($text),+);)+

        /// All of them, by name.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),+];
    };
}

declare! {
    LOAD = ["SELECT ", head!(), ", ", lease!(), " FROM secrets WHERE region = $1 AND name = $2"];
    /// The secret, once for each of its values: one statement is one snapshot, and looks for it once.
    LOAD_FULL = [
        "SELECT ", head!(), ", ", lease!(), ", v.version_id, v.sealed \
         FROM secrets s LEFT JOIN versions v ON v.secret_id = s.id WHERE s.region = $1 AND s.name = $2"
    ];
    SEALED = [
        "SELECT v.version_id, v.sealed FROM versions v JOIN secrets s ON s.id = v.secret_id \
         WHERE s.arn = $1 AND v.version_id = $2"
    ];
    LIST_CREATED_UP = [list!("(created_at, name) > ($2, $3)", "created_at, name")];
    LIST_CREATED_DOWN = [list!("(created_at, name) < ($2, $3)", "created_at DESC, name DESC")];
    LIST_NAME_UP = [list!("name > $3", "name")];
    LIST_NAME_DOWN = [list!("name < $3", "name DESC")];
    LIST_CHANGED_UP = [list!("(last_changed_at, name) > ($2, $3)", "last_changed_at, name")];
    LIST_CHANGED_DOWN = [list!("(last_changed_at, name) < ($2, $3)", "last_changed_at DESC, name DESC")];
    LIST_ACCESSED_UP = [list!("(last_accessed_at, name) > ($2, $3)", "last_accessed_at, name")];
    LIST_ACCESSED_DOWN = [list!("(last_accessed_at, name) < ($2, $3)", "last_accessed_at DESC, name DESC")];

    INSERT_SECRET = [
        "INSERT INTO secrets (", head!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
         ON CONFLICT DO NOTHING"
    ];
    /// The common case: what is set here stands in few indexes, and a column that is set costs a write of every index that it
    /// stands in, be its value the same or not. Finds no row when a column of many indexes changes as well.
    UPDATE_SECRET = ["UPDATE secrets SET ", update!(), in_place!(), expected!()];
    /// What a rotation notes on its way: no index has anything of it.
    UPDATE_DOCUMENT = [
        "UPDATE secrets SET revision = $4, document = $5, mac = $13", in_place!(),
        "last_changed_at = $8 AND next_rotation_at IS NOT DISTINCT FROM $9 AND rotation_due_at IS NOT DISTINCT FROM $10 \
         AND replica_of IS NOT DISTINCT FROM $11 AND rotation_state IS NOT DISTINCT FROM $12 AND ", expected!()
    ];
    UPDATE_SECRET_AND_RELEASE = ["UPDATE secrets SET ", update!(), ", ", release!(), in_place!(), expected!()];
    /// The rare case: the secret is deleted, restored, or read for the first time of a day.
    UPDATE_SECRET_AND_PLACE = [
        "UPDATE secrets SET purge_at = $6, last_accessed_at = $7, ", update!(), " WHERE ", expected!()
    ];
    UPDATE_SECRET_AND_PLACE_AND_RELEASE = [
        "UPDATE secrets SET purge_at = $6, last_accessed_at = $7, ", update!(), ", ", release!(), " WHERE ", expected!()
    ];
    DELETE_SECRET = [
        "DELETE FROM secrets WHERE ", expected!()
    ];
    EPOCH = ["SELECT lease_epoch FROM secrets WHERE arn = $1"];
    /// A value that is there already is replaced.
    PUT_VERSION = [
        "INSERT INTO versions (secret_id, version_id, sealed) VALUES ((SELECT id FROM secrets WHERE arn = $1), $2, $3) \
         ON CONFLICT (secret_id, version_id) DO UPDATE SET sealed = excluded.sealed"
    ];
    REMOVE_VERSION = [
        "DELETE FROM versions WHERE secret_id = (SELECT id FROM secrets WHERE arn = $1) AND version_id = $2"
    ];

    APPEND_AUDIT = ["INSERT INTO audit (record) VALUES ($1)"];
    APPEND_EVENT = ["INSERT INTO events (record) VALUES ($1)"];
    AUDIT_AFTER = ["SELECT seq, record FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2"];
    FORGET_AUDIT = ["DELETE FROM audit WHERE seq = $1 AND seq < (SELECT max(seq) FROM audit)"];
    EVENTS_AFTER = ["SELECT seq, record FROM events WHERE seq > $1 ORDER BY seq LIMIT $2"];

    /// AUTOINCREMENT remembers the highest number that there ever was.
    LAST_EVENT = ["SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'"];
    FORGET_EVENTS = [
        "DELETE FROM events WHERE seq IN ( \
             SELECT seq FROM events WHERE seq <= $1 AND seq < (SELECT max(seq) FROM events) ORDER BY seq LIMIT $2)"
    ];

    KEEP_ROTATION = [
        "INSERT INTO rotations (secret_id, number, token, status, requested_at, finished_at, document) \
         SELECT id, coalesce((SELECT max(number) FROM rotations WHERE secret_id = secrets.id), 0) + 1, $2, $3, $4, $5, $6 \
         FROM secrets WHERE arn = $1"
    ];
    /// All but the newest $2.
    FORGET_ROTATIONS = [
        "DELETE FROM rotations WHERE secret_id = (SELECT id FROM secrets WHERE arn = $1) \
         AND number <= (SELECT max(number) FROM rotations WHERE secret_id = (SELECT id FROM secrets WHERE arn = $1)) - $2"
    ];
    ROTATIONS_BEFORE = [
        "SELECT r.number, r.token, r.status, r.requested_at, r.finished_at, r.document \
         FROM rotations r WHERE r.secret_id = (SELECT id FROM secrets WHERE arn = $1) AND r.number < $2 \
         ORDER BY r.number DESC LIMIT $3"
    ];
    ROTATION_STATES = [
        "SELECT rotation_state, count(*) AS secrets FROM secrets WHERE rotation_state IS NOT NULL GROUP BY rotation_state"
    ];
    SECRETS_IN = ["SELECT arn, region, name FROM secrets WHERE rotation_state = $1 ORDER BY region, name LIMIT $2"];

    DUE_SCHEDULES = [
        "SELECT arn, region, name FROM secrets \
         WHERE next_rotation_at <= $1 AND rotation_due_at IS NULL AND purge_at IS NULL \
         ORDER BY next_rotation_at LIMIT $2"
    ];
    DUE_PURGES = ["SELECT arn, region, name FROM secrets WHERE purge_at <= $1 ORDER BY purge_at LIMIT $2"];
    WAIT_FOR_NO_DISK = ["PRAGMA synchronous = NORMAL"];
    WAIT_FOR_DISK = ["PRAGMA synchronous = FULL"];
    /// The one writer makes the choice and the claim one deed.
    CLAIM_ROTATIONS = [
        "UPDATE secrets SET lease_owner = $1, lease_until = $2, lease_epoch = lease_epoch + 1 \
         WHERE id IN (SELECT id FROM secrets WHERE rotation_due_at <= $3 AND (lease_until IS NULL OR lease_until <= $4) \
                      ORDER BY rotation_due_at LIMIT $5) \
         RETURNING arn, region, name, lease_epoch"
    ];
    RENEW_LEASE = [
        "UPDATE secrets SET lease_until = $3 WHERE arn = $1 AND lease_epoch = $2 AND lease_owner IS NOT NULL"
    ];
    CLAIMED_UNTIL = ["SELECT lease_until FROM secrets WHERE arn = $1 AND lease_epoch = $2 AND lease_owner IS NOT NULL"];
    BREAK_LEASES = [
        "UPDATE secrets SET lease_owner = NULL, lease_until = NULL, lease_epoch = lease_epoch + 1 \
         WHERE lease_owner IS NOT NULL AND (CAST($1 AS TEXT) IS NULL OR lease_owner = $1)"
    ];
    LEASES = [
        "SELECT arn, lease_owner, lease_epoch, lease_until FROM secrets WHERE lease_owner IS NOT NULL \
         ORDER BY lease_until LIMIT $1"
    ];
    UNCHANGED = ["SELECT 1 FROM secrets WHERE arn = $1 AND revision = $2"];

    KEYRING = ["SELECT wrapped FROM keyring WHERE id = 1"];
    STORE_KEYRING = ["INSERT INTO keyring (id, wrapped) VALUES (1, $1) ON CONFLICT (id) DO NOTHING"];
    SWAP_KEYRING = ["UPDATE keyring SET wrapped = $2 WHERE id = 1 AND wrapped = $1"];
    SEALED_HEADS = [
        "SELECT v.secret_id, s.region, s.name, v.version_id, substr(v.sealed, 1, $4) AS head \
         FROM versions v JOIN secrets s ON s.id = v.secret_id WHERE (v.secret_id, v.version_id) > ($1, $2) \
         ORDER BY v.secret_id, v.version_id LIMIT $3"
    ];
    SEALED_ENTITIES = [
        "SELECT kind, region, name, revision, document, sealed, mac FROM entities \
         WHERE (kind, region, name) > ($1, $2, $3) AND sealed IS NOT NULL ORDER BY kind, region, name LIMIT $4"
    ];
    META = ["SELECT value FROM meta WHERE key = $1"];
    PUT_META = [
        "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    ];
    ADD_META = ["INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING"];
    SWAP_META = ["UPDATE meta SET value = $2 WHERE key = $1 AND value = $3"];

    /// How much there is.
    COUNTS = [
        "SELECT (SELECT count(*) FROM secrets) AS secrets, (SELECT count(*) FROM versions) AS versions, \
                (SELECT coalesce(max(seq), 0) FROM audit) AS audit, (SELECT coalesce(max(seq), 0) FROM events) AS events"
    ];
    /// Is there any schema of ours yet?
    HAS_MIGRATIONS = ["SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'"];
    SCHEMA_VERSION = ["SELECT max(version) FROM _sqlx_migrations"];
    BEGIN_WRITE = ["BEGIN IMMEDIATE"];
    COMMIT = ["COMMIT"];
    ROLLBACK = ["ROLLBACK"];
    SAVEPOINT = ["SAVEPOINT call"];
    ROLLBACK_TO_SAVEPOINT = ["ROLLBACK TO SAVEPOINT call"];
    RELEASE_SAVEPOINT = ["RELEASE SAVEPOINT call"];
    QUICK_CHECK = ["PRAGMA quick_check(10)"];
    FOREIGN_KEY_CHECK = ["PRAGMA foreign_key_check"];
    JOURNAL_MODE = ["PRAGMA journal_mode"];
    PAGE_SIZE = ["PRAGMA page_size"];
    PAGE_COUNT = ["PRAGMA page_count"];
    FREE_PAGES = ["PRAGMA freelist_count"];

    /// Every secret with each of its values.
    EXPORT_SECRETS = [
        "SELECT s.id, ", head!(), ", lease_epoch, v.version_id, v.sealed \
         FROM secrets s LEFT JOIN versions v ON v.secret_id = s.id ORDER BY s.region, s.name, v.version_id"
    ];
    EXPORT_ROTATIONS = [
        "SELECT s.arn, r.number, r.token, r.status, r.requested_at, r.finished_at, r.document \
         FROM secrets s JOIN rotations r ON r.secret_id = s.id ORDER BY s.region, s.name, r.number"
    ];
    EXPORT_AUDIT = ["SELECT seq, record FROM audit ORDER BY seq"];
    EXPORT_EVENTS = ["SELECT seq, record FROM events ORDER BY seq"];
    EXPORT_META = ["SELECT key, value FROM meta WHERE key <> $1 ORDER BY key"];

    FUNCTION = ["SELECT uid, region, name, revision, document, mac FROM functions WHERE region = $1 AND name = $2"];
    FUNCTIONS = [
        "SELECT uid, region, name, revision, document, mac FROM functions WHERE region = $1 AND name > $2 ORDER BY name LIMIT $3"
    ];
    INSERT_FUNCTION = [
        "INSERT INTO functions (uid, region, name, revision, document, mac) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
    ];
    UPDATE_FUNCTION = ["UPDATE functions SET revision = $3, document = $4, mac = $5 WHERE uid = $1 AND revision = $2"];
    DELETE_FUNCTION = ["DELETE FROM functions WHERE uid = $1 AND revision = $2"];
    /// The same digest is the same code, and in use again.
    PUT_CODE = [
        "INSERT INTO code (digest, document, component, mac) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (digest) DO UPDATE SET unused_since = NULL, document = excluded.document, mac = excluded.mac"
    ];
    FORGET_NAMES = ["DELETE FROM function_code WHERE function_id = (SELECT id FROM functions WHERE uid = $1)"];
    NAME_CODE = [
        "INSERT INTO function_code (function_id, digest) VALUES ((SELECT id FROM functions WHERE uid = $1), $2)"
    ];
    USE_CODE = ["UPDATE code SET unused_since = NULL WHERE digest = $1 AND unused_since IS NOT NULL"];

    CODE = ["SELECT digest, document, component, mac FROM code WHERE digest = $1"];
    MARK_UNUSED = [
        "UPDATE code SET unused_since = $1 \
         WHERE unused_since IS NULL AND NOT EXISTS (SELECT 1 FROM function_code f WHERE f.digest = code.digest)"
    ];
    MARK_USED = [
        "UPDATE code SET unused_since = NULL \
         WHERE unused_since IS NOT NULL AND EXISTS (SELECT 1 FROM function_code f WHERE f.digest = code.digest)"
    ];
    /// Documents are written by serde, without a space, and a quote within a text of theirs is escaped: a digest is found in them
    /// where a rotation has it, and in no text. Those of rotations that have not ended are few, and have an index.
    SWEEP_CODE = [
        "DELETE FROM code WHERE unused_since <= $1 \
         AND NOT EXISTS (SELECT 1 FROM function_code f WHERE f.digest = code.digest) \
         AND NOT EXISTS (SELECT 1 FROM secrets s WHERE s.rotation_due_at IS NOT NULL \
                         AND instr(s.document, '\"digest\":\"' || code.digest || '\"') > 0)"
    ];
    APPROVAL = ["SELECT region, name, document, mac FROM approvals WHERE region = $1 AND name = $2"];
    APPROVALS = [
        "SELECT region, name, document, mac FROM approvals WHERE region = $1 AND name > $2 ORDER BY name LIMIT $3"
    ];
    PUT_APPROVAL = [
        "INSERT INTO approvals (region, name, document, mac) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (region, name) DO UPDATE SET document = excluded.document, mac = excluded.mac"
    ];
    DELETE_APPROVAL = ["DELETE FROM approvals WHERE region = $1 AND name = $2"];

    EXPORT_CODE = ["SELECT digest, document, component, mac FROM code ORDER BY digest"];
    EXPORT_FUNCTIONS = [
        "SELECT f.uid, f.region, f.name, f.revision, f.document, f.mac, \
         (SELECT group_concat(n.digest, ' ') FROM (SELECT digest FROM function_code WHERE function_id = f.id ORDER BY digest) n) AS names FROM functions f ORDER BY f.region, f.name"
    ];
    EXPORT_APPROVALS = ["SELECT region, name, document, mac FROM approvals ORDER BY region, name"];
    CLEAR_FUNCTIONS = ["DELETE FROM functions"];
    CLEAR_CODE = ["DELETE FROM code"];
    CLEAR_APPROVALS = ["DELETE FROM approvals"];

    ENTITY = [
        "SELECT kind, region, name, revision, document, sealed, mac FROM entities WHERE kind = $1 AND region = $2 AND name = $3"
    ];
    ENTITY_BY_KEY = [
        "SELECT e.kind, e.region, e.name, e.revision, e.document, e.sealed, e.mac FROM entity_keys k \
         JOIN entities e ON e.id = k.entity_id WHERE k.kind = $1 AND k.region = $2 AND k.key = $3"
    ];
    ENTITIES = [
        "SELECT kind, region, name, revision, document, sealed, mac FROM entities \
         WHERE kind = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4"
    ];
    ENTITIES_VERSION = ["SELECT numbered FROM counters WHERE name = 'entities'"];
    COUNT_ENTITIES = ["UPDATE counters SET numbered = numbered + 1 WHERE name = 'entities' RETURNING numbered"];
    INSERT_ENTITY = [
        "INSERT INTO entities (kind, region, name, revision, document, sealed, mac) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT DO NOTHING"
    ];
    UPDATE_ENTITY = [
        "UPDATE entities SET revision = $5, document = $6, sealed = $7, mac = $8 \
         WHERE kind = $1 AND region = $2 AND name = $3 AND revision = $4"
    ];
    DELETE_ENTITY = ["DELETE FROM entities WHERE kind = $1 AND region = $2 AND name = $3 AND revision = $4"];
    FORGET_KEYS = [
        "DELETE FROM entity_keys \
         WHERE entity_id = (SELECT id FROM entities WHERE kind = $1 AND region = $2 AND name = $3)"
    ];
    ADD_KEY = [
        "INSERT INTO entity_keys (kind, region, key, entity_id) \
         VALUES ($1, $2, $4, (SELECT id FROM entities WHERE kind = $1 AND region = $2 AND name = $3)) ON CONFLICT DO NOTHING"
    ];
    EXPORT_ENTITIES = [
        "SELECT e.kind, e.region, e.name, e.revision, e.document, e.sealed, e.mac, \
         (SELECT group_concat(k.key, char(10)) FROM (SELECT key FROM entity_keys WHERE entity_id = e.id ORDER BY key) k) AS keys \
         FROM entities e ORDER BY e.kind, e.region, e.name"
    ];
    CLEAR_ENTITIES = ["DELETE FROM entities"];
    /// An imported entity keeps its revision, and no later one may have it again.
    COUNT_ENTITIES_ON = [
        "UPDATE counters SET numbered = max(numbered, (SELECT coalesce(max(revision), 0) FROM entities)) + 1 WHERE name = 'entities'"
    ];

    HAS_MACS = [
        "SELECT EXISTS (SELECT 1 FROM secrets WHERE mac IS NOT NULL) OR EXISTS (SELECT 1 FROM entities WHERE mac IS NOT NULL) \
         OR EXISTS (SELECT 1 FROM functions WHERE mac IS NOT NULL) OR EXISTS (SELECT 1 FROM approvals WHERE mac IS NOT NULL) \
         OR EXISTS (SELECT 1 FROM code WHERE mac IS NOT NULL)"
    ];
    SIGNED_SECRETS = [
        "SELECT '' AS place_1, region AS place_2, name AS place_3, ", head!(),
        " FROM secrets WHERE (region, name) > ($2, $3) ORDER BY region, name LIMIT $4"
    ];
    SIGNED_ENTITIES = [
        "SELECT kind AS place_1, region AS place_2, name AS place_3, kind, region, name, revision, document, sealed, mac FROM entities \
         WHERE (kind, region, name) > ($1, $2, $3) ORDER BY kind, region, name LIMIT $4"
    ];
    SIGNED_FUNCTIONS = [
        "SELECT '' AS place_1, region AS place_2, name AS place_3, uid, region, name, revision, document, mac FROM functions \
         WHERE (region, name) > ($2, $3) ORDER BY region, name LIMIT $4"
    ];
    SIGNED_APPROVALS = [
        "SELECT '' AS place_1, region AS place_2, name AS place_3, region, name, document, mac FROM approvals \
         WHERE (region, name) > ($2, $3) ORDER BY region, name LIMIT $4"
    ];
    SIGNED_CODE = [
        "SELECT '' AS place_1, '' AS place_2, digest AS place_3, digest, document, x'' AS component, mac FROM code \
         WHERE digest > $3 ORDER BY digest LIMIT $4"
    ];
    SIGN_SECRET = ["UPDATE secrets SET mac = $4 WHERE region = $2 AND name = $3"];
    SIGN_ENTITY = ["UPDATE entities SET mac = $4 WHERE kind = $1 AND region = $2 AND name = $3"];
    SIGN_FUNCTION = ["UPDATE functions SET mac = $4 WHERE region = $2 AND name = $3"];
    SIGN_APPROVAL = ["UPDATE approvals SET mac = $4 WHERE region = $2 AND name = $3"];
    SIGN_CODE = ["UPDATE code SET mac = $4 WHERE digest = $3"];

    IS_EMPTY = [
        "SELECT NOT EXISTS (SELECT 1 FROM secrets) AND NOT EXISTS (SELECT 1 FROM functions) \
         AND NOT EXISTS (SELECT 1 FROM approvals) AND NOT EXISTS (SELECT 1 FROM entities) AND NOT EXISTS (SELECT 1 FROM audit) AND NOT EXISTS (SELECT 1 FROM events)"
    ];
    CLEAR_SECRETS = ["DELETE FROM secrets"];
    CLEAR_AUDIT = ["DELETE FROM audit"];
    CLEAR_EVENTS = ["DELETE FROM events"];
    CLEAR_KEYRING = ["DELETE FROM keyring"];
    CLEAR_META = ["DELETE FROM meta WHERE key <> $1"];
    IMPORT_SECRET = [
        "INSERT INTO secrets (", head!(), ", id, lease_epoch) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $16, $14, $15)"
    ];
    IMPORT_VERSION = ["INSERT INTO versions (secret_id, version_id, sealed) VALUES ($1, $2, $3)"];
    IMPORT_ROTATION = [
        "INSERT INTO rotations (secret_id, number, token, status, requested_at, finished_at, document) \
         SELECT id, $2, $3, $4, $5, $6, $7 FROM secrets WHERE arn = $1"
    ];
    IMPORT_AUDIT = ["INSERT INTO audit (seq, record) VALUES ($1, $2)"];
    IMPORT_EVENT = ["INSERT INTO events (seq, record) VALUES ($1, $2)"];
}

/// The statement that lists in this order.
pub(super) const fn list(order: Order) -> &'static str {
    match (order.by, order.direction) {
        (SortBy::Created, Direction::Ascending) => LIST_CREATED_UP,
        (SortBy::Created, Direction::Descending) => LIST_CREATED_DOWN,
        (SortBy::Name, Direction::Ascending) => LIST_NAME_UP,
        (SortBy::Name, Direction::Descending) => LIST_NAME_DOWN,
        (SortBy::LastChanged, Direction::Ascending) => LIST_CHANGED_UP,
        (SortBy::LastChanged, Direction::Descending) => LIST_CHANGED_DOWN,
        (SortBy::LastAccessed, Direction::Ascending) => LIST_ACCESSED_UP,
        (SortBy::LastAccessed, Direction::Descending) => LIST_ACCESSED_DOWN,
    }
}
