-- How the rotation of a secret stands, where somebody should know: running, waiting for its next try, failed, or stranded.
ALTER TABLE secrets ADD COLUMN rotation_state TEXT
    CHECK (rotation_state IN ('running', 'waiting', 'failed', 'stranded'));

-- Documents are written by serde, without a space, and a quote within a text of theirs is escaped: this is found in no text.
UPDATE secrets SET rotation_state = CASE
    WHEN rotation_due_at IS NOT NULL THEN 'running'
    WHEN document LIKE '%"status":{"is":"stranded",%' THEN 'stranded'
    ELSE 'failed'
END
WHERE rotation_due_at IS NOT NULL
   OR document LIKE '%"status":{"is":"stranded",%'
   OR document LIKE '%"status":{"is":"failed",%';

-- Partial, so that secrets with which all is well cost nothing.
CREATE INDEX secrets_by_rotation_state ON secrets (rotation_state, region, name) WHERE rotation_state IS NOT NULL;

-- The rotations that have ended, each as a document, numbered for each secret from 1.
CREATE TABLE rotations (
    secret_id    INTEGER NOT NULL REFERENCES secrets (id) ON DELETE CASCADE,
    number       INTEGER NOT NULL CHECK (number >= 1),
    token        TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    requested_at INTEGER NOT NULL,
    finished_at  INTEGER NOT NULL,
    document     TEXT    NOT NULL CHECK (document <> ''),
    PRIMARY KEY (secret_id, number)
);
