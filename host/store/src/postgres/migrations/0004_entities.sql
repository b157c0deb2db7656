-- The small, named things that are neither secrets nor functions: users, roles, policies, keys. Each one's aggregate in
-- `document`, and what of it is secret in `sealed`. `revision` is the number of the change that wrote it: no two have the same
-- unless they were changed together.
CREATE TABLE entities (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind     TEXT   COLLATE "C" NOT NULL CHECK (kind <> ''),
    region   TEXT   COLLATE "C" NOT NULL,
    name     TEXT   COLLATE "C" NOT NULL CHECK (name <> ''),
    revision BIGINT NOT NULL CHECK (revision >= 1),
    document TEXT   NOT NULL CHECK (document <> ''),
    sealed   BYTEA,
    UNIQUE (kind, region, name)
);

-- Further names by which an entity is found.
CREATE TABLE entity_keys (
    kind      TEXT   COLLATE "C" NOT NULL,
    region    TEXT   COLLATE "C" NOT NULL,
    key       TEXT   COLLATE "C" NOT NULL CHECK (key <> '' AND strpos(key, chr(10)) = 0),
    entity_id BIGINT NOT NULL REFERENCES entities (id) ON DELETE CASCADE,
    PRIMARY KEY (kind, region, key)
);
CREATE INDEX entity_keys_of ON entity_keys (entity_id);

-- The number of the latest change of entities. Whoever changes some holds this row, so those who do take turns.
INSERT INTO counters (name, numbered) VALUES ('entities', 0);
