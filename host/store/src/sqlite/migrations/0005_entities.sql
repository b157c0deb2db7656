-- The small, named things that are neither secrets nor functions: users, roles, policies, keys. Each one's aggregate in
-- `document`, and what of it is secret in `sealed`. `revision` is the number of the change that wrote it: no two have the same
-- unless they were changed together.
CREATE TABLE entities (
    id       INTEGER PRIMARY KEY,
    kind     TEXT    NOT NULL CHECK (kind <> ''),
    region   TEXT    NOT NULL,
    name     TEXT    NOT NULL CHECK (name <> ''),
    revision INTEGER NOT NULL CHECK (revision >= 1),
    document TEXT    NOT NULL CHECK (document <> ''),
    sealed   BLOB,
    UNIQUE (kind, region, name)
);

-- Further names by which an entity is found.
CREATE TABLE entity_keys (
    kind      TEXT    NOT NULL,
    region    TEXT    NOT NULL,
    key       TEXT    NOT NULL CHECK (key <> '' AND instr(key, char(10)) = 0),
    entity_id INTEGER NOT NULL REFERENCES entities (id) ON DELETE CASCADE,
    PRIMARY KEY (kind, region, key)
) WITHOUT ROWID;
CREATE INDEX entity_keys_of ON entity_keys (entity_id);

-- The number of the latest change of entities.
CREATE TABLE counters (
    name     TEXT    PRIMARY KEY NOT NULL,
    numbered INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counters (name, numbered) VALUES ('entities', 0);
