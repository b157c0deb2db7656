-- Functions that were uploaded: each one's aggregate in `document`. `uid` tells it from earlier ones of the same name.
CREATE TABLE functions (
    id       INTEGER PRIMARY KEY,
    uid      TEXT    NOT NULL UNIQUE,
    region   TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 1),
    document TEXT    NOT NULL CHECK (document <> ''),
    UNIQUE (region, name)
);

-- Their code, which never changes. `unused_since` is when a sweep first found that no function names it.
CREATE TABLE code (
    digest       TEXT PRIMARY KEY NOT NULL,
    unused_since INTEGER,
    document     TEXT NOT NULL CHECK (document <> ''),
    -- Last, for it is the longest: SQLite then reads the columns before it without following overflow pages.
    component    BLOB NOT NULL CHECK (length(component) > 0)
);
CREATE INDEX code_unused ON code (unused_since) WHERE unused_since IS NOT NULL;

-- Which code a function names. What is named cannot be deleted.
CREATE TABLE function_code (
    function_id INTEGER NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
    digest      TEXT    NOT NULL REFERENCES code (digest),
    PRIMARY KEY (function_id, digest)
) WITHOUT ROWID;
CREATE INDEX function_code_by_digest ON function_code (digest);

-- Up to which grants a function of a name may go, whether or not there is one.
CREATE TABLE approvals (
    region   TEXT NOT NULL,
    name     TEXT NOT NULL,
    document TEXT NOT NULL CHECK (document <> ''),
    PRIMARY KEY (region, name)
) WITHOUT ROWID;
