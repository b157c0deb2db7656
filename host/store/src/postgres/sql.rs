//! Every statement, in PostgreSQL's dialect. Those for many rows take them as arrays: one text, however many there are.

/// The columns of a [`SecretRow`](crate::SecretRow), in no order that matters: rows are read by name.
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
        "arn = $1 AND revision = $2 AND ($3::bigint IS NULL OR lease_epoch = $3)"
    };
}

/// The moment of parameter `$wall`, or the database's own when it is none.
macro_rules! now {
    ($wall:literal) => {
        concat!("coalesce(", $wall, "::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)")
    };
}

/// A page of the secrets `$after` a place, in an order: those that live, and those scheduled for deletion as well if $4. Each have
/// indexes of their own, and it is merged from both without sorting: each part has the order for itself, and a limit that a
/// planner knows, that of every page. Of $5 it may not know anything, and then sorting all there is looks cheap to it.
macro_rules! list {
    ($after:literal, $order:literal) => {
        concat!(
            "(SELECT ",
            head!(),
            " FROM secrets WHERE region = $1 AND purge_at IS NULL AND ",
            $after,
            " ORDER BY ",
            $order,
            " LIMIT 1000) UNION ALL (SELECT ",
            head!(),
            " FROM secrets WHERE $4 AND region = $1 AND purge_at IS NOT NULL AND ",
            $after,
            " ORDER BY ",
            $order,
            " LIMIT 1000) ORDER BY ",
            $order,
            " LIMIT $5"
        )
    };
}

/// Gives the next numbers to records that are committed. Its caller holds the counter's row, so its snapshot is later than every
/// number given before.
macro_rules! number {
    ($table:literal) => {
        concat!(
            "WITH fresh AS MATERIALIZED ( \
                 SELECT id, row_number() OVER (ORDER BY id) AS place \
                 FROM (SELECT id FROM ",
            $table,
            " WHERE seq IS NULL ORDER BY id LIMIT $1) AS oldest), \
             done AS ( \
                 UPDATE ",
            $table,
            " SET seq = counters.numbered + fresh.place \
                 FROM fresh, counters WHERE counters.name = '",
            $table,
            "' AND ",
            $table,
            ".id = fresh.id RETURNING 1) \
             UPDATE counters SET numbered = numbered + (SELECT count(*) FROM done) WHERE name = '",
            $table,
            "'"
        )
    };
}

/// Adds records in the order of the array.
macro_rules! append {
    ($table:literal) => {
        concat!(
            "INSERT INTO ", $table,
            " (record) SELECT record FROM unnest($1::text[]) WITH ORDINALITY AS added (record, place) ORDER BY place"
        )
    };
}

/// What goes with the secret of the common table `secret`, and not at all when that is empty. Its values are the arrays $15 and
/// $16, the records those after them.
macro_rules! belongings {
    () => {
        ", put AS ( \
             INSERT INTO versions (secret_id, version_id, sealed) \
             SELECT secret.id, value.version_id, value.sealed \
             FROM secret, unnest($15::text[], $16::bytea[]) AS value (version_id, sealed) \
             ON CONFLICT (secret_id, version_id) DO UPDATE SET sealed = excluded.sealed), \
         audited AS ( \
             INSERT INTO audit (record) SELECT added.record \
             FROM secret, unnest($17::text[]) WITH ORDINALITY AS added (record, place) ORDER BY added.place), \
         told AS ( \
             INSERT INTO events (record) SELECT added.record \
             FROM secret, unnest($18::text[]) WITH ORDINALITY AS added (record, place) ORDER BY added.place) \
         SELECT id FROM secret"
    };
}

macro_rules! update {
    () => {
        "UPDATE secrets SET revision = $4, document = $5, purge_at = $6, last_accessed_at = $7, last_changed_at = $8, \
                next_rotation_at = $9, rotation_due_at = $10, replica_of = $11, \
                rotation_state = $13, mac = $14, \
                lease_owner = CASE WHEN $12 THEN NULL ELSE lease_owner END, \
                lease_until = CASE WHEN $12 THEN NULL ELSE lease_until END, \
                lease_epoch = CASE WHEN $12 THEN lease_epoch + 1 ELSE lease_epoch END \
         WHERE "
    };
}

/// Declares the statements and lists them, so that a test can prepare each.
macro_rules! declare {
    ($($(#[$doc:meta])* $name:ident = [$($text:expr),+];)+) => {
        $($(#[$doc])* pub(in crate::postgres) const $name: &str = concat!($($text),+);)+

        /// All of them, by name.
        #[cfg(test)]
        pub(in crate::postgres) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),+];
    };
}

declare! {
    LOAD = ["SELECT ", head!(), ", ", lease!(), " FROM secrets WHERE region = $1 AND name = $2"];
    /// The secret, and a row for each of its values: one statement is one snapshot, and one way to the database and back.
    LOAD_FULL = [
        "SELECT ", head!(), ", ", lease!(), ", NULL::text AS version_id, NULL::bytea AS sealed \
         FROM secrets WHERE region = $1 AND name = $2 \
         UNION ALL \
         SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, v.version_id, v.sealed \
         FROM secrets s JOIN versions v ON v.secret_id = s.id WHERE s.region = $1 AND s.name = $2 \
         ORDER BY version_id NULLS FIRST"
    ];
    SEALED = [
        "SELECT v.version_id, v.sealed FROM versions v JOIN secrets s ON s.id = v.secret_id \
         WHERE s.arn = $1 AND v.version_id = $2"
    ];
    LIST_CREATED_UP = [list!("(created_at, name) > ($2, $3)", "created_at, name")];
    LIST_CREATED_DOWN = [list!("(created_at, name) < ($2, $3)", "created_at DESC, name DESC")];
    /// $2 is the moment that the other orders have.
    LIST_NAME_UP = [list!("name > $3 AND $2::bigint IS NOT NULL", "name")];
    LIST_NAME_DOWN = [list!("name < $3 AND $2::bigint IS NOT NULL", "name DESC")];
    LIST_CHANGED_UP = [list!("(last_changed_at, name) > ($2, $3)", "last_changed_at, name")];
    LIST_CHANGED_DOWN = [list!("(last_changed_at, name) < ($2, $3)", "last_changed_at DESC, name DESC")];
    LIST_ACCESSED_UP = [list!("(last_accessed_at, name) > ($2, $3)", "last_accessed_at, name")];
    LIST_ACCESSED_DOWN = [list!("(last_accessed_at, name) < ($2, $3)", "last_accessed_at DESC, name DESC")];

    BEGIN = ["BEGIN ISOLATION LEVEL READ COMMITTED"];
    COMMIT = ["COMMIT"];
    ROLLBACK = ["ROLLBACK"];
    /// The secrets that a transaction will change, in one order for all hosts, so that no two wait for each other.
    LOCK_SECRETS = ["SELECT id FROM secrets WHERE arn = ANY($1::text[]) ORDER BY id FOR UPDATE"];
    INSERT_SECRETS = [
        "INSERT INTO secrets (", head!(), ") \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[], \
                              $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::bytea[]) \
         ON CONFLICT DO NOTHING"
    ];
    UPDATE_SECRET = [update!(), expected!()];
    /// A change of one secret with all that belongs to it: one way to the database and back, and no lock is held in between.
    CHANGE_ONE = ["WITH secret AS (", update!(), expected!(), " RETURNING id)", belongings!()];
    /// A new secret with all that belongs to it.
    CREATE_ONE = [
        "WITH secret AS ( \
             INSERT INTO secrets (", head!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
             ON CONFLICT DO NOTHING RETURNING id)",
        belongings!()
    ];
    DELETE_SECRET = ["DELETE FROM secrets WHERE ", expected!()];
    EPOCH = ["SELECT lease_epoch FROM secrets WHERE arn = $1"];
    /// One that is there already is replaced.
    PUT_VERSIONS = [
        "INSERT INTO versions (secret_id, version_id, sealed) \
         SELECT s.id, put.version_id, put.sealed \
         FROM unnest($1::text[], $2::text[], $3::bytea[]) AS put (arn, version_id, sealed) JOIN secrets s ON s.arn = put.arn \
         ON CONFLICT (secret_id, version_id) DO UPDATE SET sealed = excluded.sealed"
    ];
    REMOVE_VERSIONS = [
        "DELETE FROM versions WHERE secret_id = (SELECT id FROM secrets WHERE arn = $1) AND version_id = ANY($2::text[])"
    ];

    APPEND_AUDIT = [append!("audit")];
    APPEND_EVENTS = [append!("events")];
    AUDIT_UNNUMBERED = ["SELECT 1 FROM audit WHERE seq IS NULL LIMIT 1"];
    EVENTS_UNNUMBERED = ["SELECT 1 FROM events WHERE seq IS NULL LIMIT 1"];
    LOCK_COUNTER = ["SELECT numbered FROM counters WHERE name = $1 FOR UPDATE"];
    NUMBER_AUDIT = [number!("audit")];
    NUMBER_EVENTS = [number!("events")];
    AUDIT_AFTER = ["SELECT seq, record FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2"];
    FORGET_AUDIT = [
        "DELETE FROM audit WHERE seq = ANY($1::bigint[]) AND seq < (SELECT max(seq) FROM audit) RETURNING 1"
    ];
    EVENTS_AFTER = ["SELECT seq, record FROM events WHERE seq > $1 ORDER BY seq LIMIT $2"];

    LAST_EVENT = ["SELECT numbered FROM counters WHERE name = 'events'"];
    FORGET_EVENTS = [
        "DELETE FROM events WHERE seq IN ( \
             SELECT seq FROM events WHERE seq <= $1 AND seq < (SELECT max(seq) FROM events) ORDER BY seq LIMIT $2) RETURNING 1"
    ];

    /// The secret's row is locked, so nobody else gives the same number.
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
    /// Another's choice that is not committed yet is skipped, not waited for. The choice is made once, before the claim, or a plan
    /// could make it again and take more than $5.
    CLAIM_ROTATIONS = [
        "WITH due AS MATERIALIZED ( \
             SELECT id FROM secrets \
             WHERE rotation_due_at <= $4 AND (lease_until IS NULL OR lease_until <= ", now!("$2"), ") \
             ORDER BY rotation_due_at LIMIT $5 FOR UPDATE SKIP LOCKED) \
         UPDATE secrets SET lease_owner = $1, lease_until = ", now!("$2"), " + $3, lease_epoch = lease_epoch + 1 \
         WHERE id = ANY(ARRAY(SELECT id FROM due)) \
         RETURNING arn, region, name, lease_epoch"
    ];
    RENEW_LEASE = [
        "UPDATE secrets SET lease_until = ", now!("$3"), " + $4 \
         WHERE arn = $1 AND lease_epoch = $2 AND lease_owner IS NOT NULL RETURNING 1"
    ];
    CLAIM_LEFT = [
        "SELECT lease_until - ", now!("$3"), " AS time_left FROM secrets \
         WHERE arn = $1 AND lease_epoch = $2 AND lease_owner IS NOT NULL"
    ];
    BREAK_LEASES = [
        "UPDATE secrets SET lease_owner = NULL, lease_until = NULL, lease_epoch = lease_epoch + 1 \
         WHERE lease_owner IS NOT NULL AND ($1::text IS NULL OR lease_owner = $1) RETURNING 1"
    ];
    LEASES = [
        "SELECT arn, lease_owner, lease_epoch, lease_until FROM secrets WHERE lease_owner IS NOT NULL \
         ORDER BY lease_until LIMIT $1"
    ];
    /// The places of those that have changed: mostly none.
    CHANGED = [
        "SELECT seen.place FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS seen (arn, revision, place) \
         LEFT JOIN secrets s ON s.arn = seen.arn WHERE s.revision IS DISTINCT FROM seen.revision"
    ];
    TIME = ["SELECT ", now!("NULL"), " AS now"];
    MAY_CHANGE_SECRETS = ["UPDATE secrets SET revision = revision WHERE false"];
    MAY_CHANGE_VERSIONS = ["UPDATE versions SET sealed = sealed WHERE false"];
    MAY_KEEP_ROTATIONS = [
        "INSERT INTO rotations (secret_id, number, token, status, requested_at, finished_at, document) \
         SELECT 0, 0, '', '', 0, 0, '' WHERE false"
    ];
    MAY_ADD_AUDIT = ["INSERT INTO audit (record) SELECT '' WHERE false"];
    WRITABLE = ["SELECT current_setting('transaction_read_only') = 'off' AS writable"];

    KEYRING = ["SELECT wrapped FROM keyring WHERE id = 1"];
    STORE_KEYRING = ["INSERT INTO keyring (id, wrapped) VALUES (1, $1) ON CONFLICT (id) DO NOTHING RETURNING 1"];
    SWAP_KEYRING = [
        "WITH swapped AS (UPDATE keyring SET wrapped = $2 WHERE id = 1 AND wrapped = $1 RETURNING 1 AS done), \
         audited AS ( \
             INSERT INTO audit (record) SELECT added.record \
             FROM swapped, unnest($3::text[]) WITH ORDINALITY AS added (record, place) ORDER BY added.place) \
         SELECT done FROM swapped"
    ];
    SEALED_HEADS = [
        "SELECT v.secret_id, s.region, s.name, v.version_id, substring(v.sealed FROM 1 FOR $4) AS head \
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
    ADD_META = ["INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING RETURNING 1"];
    SWAP_META = ["UPDATE meta SET value = $2 WHERE key = $1 AND value = $3 RETURNING 1"];

    /// How much there is. A record that has no number yet gets one of the next.
    COUNTS = [
        "SELECT (SELECT count(*) FROM secrets) AS secrets, (SELECT count(*) FROM versions) AS versions, \
                (SELECT coalesce(max(seq), 0) FROM audit) + (SELECT count(*) FROM audit WHERE seq IS NULL) AS audit, \
                (SELECT coalesce(max(seq), 0) FROM events) + (SELECT count(*) FROM events WHERE seq IS NULL) AS events"
    ];
    ORPHANS = ["SELECT count(*) AS orphans FROM versions v WHERE NOT EXISTS (SELECT 1 FROM secrets s WHERE s.id = v.secret_id)"];
    /// Numbers that were given twice, or records after the counter: both would hide records from those who read on.
    MISNUMBERED = [
        "SELECT (SELECT count(*) FROM audit WHERE seq > (SELECT numbered FROM counters WHERE name = 'audit')) \
              + (SELECT count(*) FROM events WHERE seq > (SELECT numbered FROM counters WHERE name = 'events')) AS misnumbered"
    ];
    /// What decides whether an acknowledged change outlives a crash. A setting that a database lacks is none.
    DURABILITY = [
        "SELECT current_setting('synchronous_commit', true) AS session, \
                (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit') AS configured, \
                current_setting('fsync', true) AS fsync, current_setting('full_page_writes', true) AS full_page_writes, \
                current_setting('synchronous_standby_names', true) AS standbys"
    ];
    /// What an ordinary role may not see has no state.
    STANDBYS = ["SELECT count(*) AS standbys FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"];
    BYTES = [
        "SELECT sum(pg_total_relation_size(part::regclass))::bigint AS bytes \
         FROM unnest(ARRAY['secrets', 'versions', 'rotations', 'audit', 'events', 'keyring', 'meta', 'counters', \
                          'functions', 'code', 'function_code', 'approvals', 'entities', 'entity_keys']) AS part"
    ];

    /// What follows sees one moment.
    BEGIN_SNAPSHOT = ["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"];
    /// Whoever is at the other end of a transfer may take his time.
    PATIENT = ["SET LOCAL idle_in_transaction_session_timeout = 0"];
    EXPORT_META = ["SELECT key, value FROM meta WHERE key <> $1 ORDER BY key"];
    EXPORT_SECRETS = [
        "SELECT id, ", head!(), ", lease_epoch FROM secrets WHERE (region, name) > ($1, $2) ORDER BY region, name LIMIT $3"
    ];
    /// The values of secrets, in the order in which those are named.
    EXPORT_VERSIONS = [
        "SELECT v.secret_id, v.version_id, v.sealed \
         FROM unnest($1::bigint[]) WITH ORDINALITY AS page (id, place) JOIN versions v ON v.secret_id = page.id \
         ORDER BY page.place, v.version_id"
    ];
    EXPORT_ROTATIONS = [
        "SELECT s.arn, r.number, r.token, r.status, r.requested_at, r.finished_at, r.document \
         FROM secrets s JOIN rotations r ON r.secret_id = s.id ORDER BY s.region, s.name, r.number"
    ];
    EXPORT_AUDIT = ["SELECT seq, record FROM audit WHERE seq IS NOT NULL ORDER BY seq"];
    EXPORT_AUDIT_UNNUMBERED = ["SELECT record FROM audit WHERE seq IS NULL ORDER BY id"];
    EXPORT_EVENTS = ["SELECT seq, record FROM events WHERE seq IS NOT NULL ORDER BY seq"];
    EXPORT_EVENTS_UNNUMBERED = ["SELECT record FROM events WHERE seq IS NULL ORDER BY id"];

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
        "INSERT INTO function_code (function_id, digest) \
         SELECT f.id, named.digest FROM functions f, unnest($2::text[]) AS named (digest) WHERE f.uid = $1"
    ];
    USE_CODE = ["UPDATE code SET unused_since = NULL WHERE digest = ANY($1::text[]) AND unused_since IS NOT NULL"];

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
                         AND strpos(s.document, '\"digest\":\"' || code.digest || '\"') > 0)"
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
         (SELECT string_agg(n.digest, ' ' ORDER BY n.digest) FROM function_code n WHERE n.function_id = f.id) AS names FROM functions f ORDER BY f.region, f.name"
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
    ADD_KEYS = [
        "INSERT INTO entity_keys (kind, region, key, entity_id) SELECT e.kind, e.region, added.key, e.id \
         FROM entities e, unnest($4::text[]) AS added (key) WHERE e.kind = $1 AND e.region = $2 AND e.name = $3 \
         ON CONFLICT DO NOTHING"
    ];
    EXPORT_ENTITIES = [
        "SELECT e.kind, e.region, e.name, e.revision, e.document, e.sealed, e.mac, \
         (SELECT string_agg(k.key, chr(10) ORDER BY k.key) FROM entity_keys k WHERE k.entity_id = e.id) AS keys \
         FROM entities e ORDER BY e.kind, e.region, e.name"
    ];
    CLEAR_ENTITIES = ["DELETE FROM entities"];
    /// An imported entity keeps its revision, and no later one may have it again.
    COUNT_ENTITIES_ON = [
        "UPDATE counters SET numbered = greatest(numbered, (SELECT coalesce(max(revision), 0) FROM entities)) + 1 WHERE name = 'entities'"
    ];

    IS_EMPTY = [
        "SELECT NOT EXISTS (SELECT 1 FROM secrets) AND NOT EXISTS (SELECT 1 FROM functions) \
                AND NOT EXISTS (SELECT 1 FROM approvals) AND NOT EXISTS (SELECT 1 FROM entities) \
                AND NOT EXISTS (SELECT 1 FROM audit) \
                AND NOT EXISTS (SELECT 1 FROM events) AS empty"
    ];
    CLEAR_SECRETS = ["DELETE FROM secrets"];
    CLEAR_AUDIT = ["DELETE FROM audit"];
    CLEAR_EVENTS = ["DELETE FROM events"];
    CLEAR_KEYRING = ["DELETE FROM keyring"];
    CLEAR_META = ["DELETE FROM meta WHERE key <> $1"];
    IMPORT_SECRETS = [
        "INSERT INTO secrets (", head!(), ", lease_epoch) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[], \
                              $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[], $15::bytea[], $14::bigint[]) \
         RETURNING id, arn"
    ];
    IMPORT_VERSIONS = [
        "INSERT INTO versions (secret_id, version_id, sealed) SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[])"
    ];
    IMPORT_ROTATIONS = [
        "INSERT INTO rotations (secret_id, number, token, status, requested_at, finished_at, document) \
         SELECT s.id, r.number, r.token, r.status, r.requested_at, r.finished_at, r.document \
         FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[]) \
              AS r (arn, number, token, status, requested_at, finished_at, document) JOIN secrets s ON s.arn = r.arn"
    ];
    IMPORT_AUDIT = ["INSERT INTO audit (seq, record) SELECT * FROM unnest($1::bigint[], $2::text[])"];
    IMPORT_EVENTS = ["INSERT INTO events (seq, record) SELECT * FROM unnest($1::bigint[], $2::text[])"];
    COUNT_AUDIT_ON = ["UPDATE counters SET numbered = (SELECT coalesce(max(seq), 0) FROM audit) WHERE name = $1"];
    COUNT_EVENTS_ON = ["UPDATE counters SET numbered = (SELECT coalesce(max(seq), 0) FROM events) WHERE name = $1"];

    HAS_MIGRATIONS = ["SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS made"];
    SCHEMA_VERSION = ["SELECT max(version) FROM _sqlx_migrations"];
    MAKE_LOCK = ["CREATE TABLE IF NOT EXISTS pawl_migrating (id SMALLINT PRIMARY KEY)"];
    MAKE_LOCK_ROW = ["INSERT INTO pawl_migrating (id) VALUES (1) ON CONFLICT DO NOTHING"];
    LOCK_SCHEMA = ["SELECT id FROM pawl_migrating FOR UPDATE"];
    /// The history of a primary: the higher, the later it was promoted.
    TIMELINE = ["SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline"];
}

pub(super) mod signed;
pub(super) use self::signed::*;
