-- Moments are milliseconds since the Unix epoch, UTC. Documents and records are JSON. Values are sealed before they come here.
-- Texts that are compared or sorted are COLLATE "C": by their bytes, as in every other backend, and whatever the database's
-- locale is or becomes.

-- One row is one secret: its aggregate in `document`, and beside it what queries need.
CREATE TABLE secrets (
    id               BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    arn              TEXT    COLLATE "C" NOT NULL UNIQUE,
    region           TEXT    COLLATE "C" NOT NULL,
    name             TEXT    COLLATE "C" NOT NULL,
    revision         BIGINT  NOT NULL CHECK (revision >= 1),
    created_at       BIGINT  NOT NULL,
    last_changed_at  BIGINT  NOT NULL,
    -- Never is the least of all numbers, before every moment: NULL could not be compared, so no page could begin after it.
    last_accessed_at BIGINT  NOT NULL,
    purge_at         BIGINT,
    next_rotation_at BIGINT,
    rotation_due_at  BIGINT,
    lease_until      BIGINT,
    lease_epoch      BIGINT  NOT NULL DEFAULT 0 CHECK (lease_epoch >= 0),
    lease_owner      TEXT    COLLATE "C",
    -- The region of the primary, where the secret is a replica.
    replica_of       TEXT    COLLATE "C",
    document         TEXT    NOT NULL CHECK (document <> ''),
    UNIQUE (region, name),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);

-- For each order an index of the secrets that live and one of those that are scheduled for deletion: a list of the former then
-- costs nothing for the latter, however many there are. A list of both merges the two.
CREATE INDEX live_by_created ON secrets (region, created_at, name) WHERE purge_at IS NULL;
CREATE INDEX live_by_name ON secrets (region, name) WHERE purge_at IS NULL;
CREATE INDEX live_by_changed ON secrets (region, last_changed_at, name) WHERE purge_at IS NULL;
CREATE INDEX live_by_accessed ON secrets (region, last_accessed_at, name) WHERE purge_at IS NULL;
CREATE INDEX deleted_by_created ON secrets (region, created_at, name) WHERE purge_at IS NOT NULL;
CREATE INDEX deleted_by_name ON secrets (region, name) WHERE purge_at IS NOT NULL;
CREATE INDEX deleted_by_changed ON secrets (region, last_changed_at, name) WHERE purge_at IS NOT NULL;
CREATE INDEX deleted_by_accessed ON secrets (region, last_accessed_at, name) WHERE purge_at IS NOT NULL;
-- Partial, so that what is not due costs nothing.
CREATE INDEX secrets_scheduled ON secrets (next_rotation_at)
    WHERE next_rotation_at IS NOT NULL AND rotation_due_at IS NULL AND purge_at IS NULL;
CREATE INDEX secrets_rotating ON secrets (rotation_due_at) WHERE rotation_due_at IS NOT NULL;
CREATE INDEX secrets_deleted ON secrets (purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX secrets_leased ON secrets (lease_until) WHERE lease_owner IS NOT NULL;

-- The sealed value of a version. A version without a value has no row.
CREATE TABLE versions (
    secret_id  BIGINT NOT NULL REFERENCES secrets (id) ON DELETE CASCADE,
    version_id TEXT   COLLATE "C" NOT NULL,
    sealed     BYTEA  NOT NULL CHECK (length(sealed) > 0),
    PRIMARY KEY (secret_id, version_id)
);

-- Who did what; only ever added to. `id` is given when a record is added, `seq` once it is committed: transactions commit in
-- another order than that in which they began, and who reads on after a number must miss none.
CREATE TABLE audit (
    id     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    seq    BIGINT UNIQUE,
    record TEXT   NOT NULL CHECK (record <> '')
);
CREATE INDEX audit_unnumbered ON audit (id) WHERE seq IS NULL;

-- What happened to secrets, for the change stream.
CREATE TABLE events (
    id     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    seq    BIGINT UNIQUE,
    record TEXT   NOT NULL CHECK (record <> '')
);
CREATE INDEX events_unnumbered ON events (id) WHERE seq IS NULL;

-- The last number given in each of the two. Who numbers locks its row.
CREATE TABLE counters (
    name     TEXT   COLLATE "C" PRIMARY KEY,
    numbered BIGINT NOT NULL
);
INSERT INTO counters (name, numbered) VALUES ('audit', 0), ('events', 0);

-- The data keys, wrapped by the root key. One row at most.
CREATE TABLE keyring (
    id      SMALLINT PRIMARY KEY CHECK (id = 1),
    wrapped BYTEA    NOT NULL CHECK (length(wrapped) > 0)
);

-- Small settings of the installation.
CREATE TABLE meta (
    key   TEXT  COLLATE "C" PRIMARY KEY,
    value BYTEA NOT NULL
);
