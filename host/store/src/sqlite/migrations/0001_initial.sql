-- Moments are milliseconds since the Unix epoch, UTC. Documents and records are JSON. Values are sealed before they come here.

-- One row is one secret: its aggregate in `document`, and beside it what queries need.
CREATE TABLE secrets (
    id               INTEGER PRIMARY KEY,
    arn              TEXT    NOT NULL UNIQUE,
    region           TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    revision         INTEGER NOT NULL CHECK (revision >= 1),
    created_at       INTEGER NOT NULL,
    purge_at         INTEGER,
    next_rotation_at INTEGER,
    rotation_due_at  INTEGER,
    lease_owner      TEXT,
    lease_until      INTEGER,
    lease_epoch      INTEGER NOT NULL DEFAULT 0 CHECK (lease_epoch >= 0),
    -- Last, for it is the longest: SQLite then reads the columns before it without following overflow pages.
    document         TEXT    NOT NULL CHECK (document <> ''),
    UNIQUE (region, name),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);

CREATE INDEX secrets_listed ON secrets (region, created_at, name);
-- Partial, so that what is not due costs nothing.
CREATE INDEX secrets_scheduled ON secrets (next_rotation_at)
    WHERE next_rotation_at IS NOT NULL AND rotation_due_at IS NULL AND purge_at IS NULL;
CREATE INDEX secrets_rotating ON secrets (rotation_due_at) WHERE rotation_due_at IS NOT NULL;
CREATE INDEX secrets_deleted ON secrets (purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX secrets_leased ON secrets (lease_until) WHERE lease_owner IS NOT NULL;

-- The sealed value of a version. A version without a value has no row.
CREATE TABLE versions (
    secret_id  INTEGER NOT NULL REFERENCES secrets (id) ON DELETE CASCADE,
    version_id TEXT    NOT NULL,
    sealed     BLOB    NOT NULL CHECK (length(sealed) > 0),
    PRIMARY KEY (secret_id, version_id)
);

-- Who did what; only ever added to.
CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    record TEXT NOT NULL CHECK (record <> '')
);

-- What happened to secrets, for the change stream.
CREATE TABLE events (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    record TEXT NOT NULL CHECK (record <> '')
);

-- The data keys, wrapped by the root key. One row at most.
CREATE TABLE keyring (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    wrapped BLOB NOT NULL CHECK (length(wrapped) > 0)
);

-- Small settings of the installation.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
);
