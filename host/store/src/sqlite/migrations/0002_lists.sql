-- What lists are sorted by, and where a replica comes from.
ALTER TABLE secrets ADD COLUMN last_changed_at INTEGER NOT NULL DEFAULT 0;
-- Never is the least of all numbers, before every moment: NULL could not be compared, so no page could begin after it.
ALTER TABLE secrets ADD COLUMN last_accessed_at INTEGER NOT NULL DEFAULT -9223372036854775808;
-- The region of the primary, where the secret is a replica.
ALTER TABLE secrets ADD COLUMN replica_of TEXT;

-- A document that cannot be read is somebody else's to report: it must not keep all the others from being opened.
UPDATE secrets SET
    last_changed_at = coalesce(CASE WHEN json_valid(document) THEN json_extract(document, '$.last_changed_at') END, created_at),
    last_accessed_at = coalesce(CASE WHEN json_valid(document) THEN json_extract(document, '$.last_accessed_day') END,
                                -9223372036854775808);

-- For each order an index of the secrets that live and one of those that are scheduled for deletion: a list of the former then
-- costs nothing for the latter, however many there are. A list of both merges the two.
DROP INDEX secrets_listed;
CREATE INDEX live_by_created ON secrets (region, created_at, name) WHERE purge_at IS NULL;
CREATE INDEX live_by_name ON secrets (region, name) WHERE purge_at IS NULL;
CREATE INDEX live_by_changed ON secrets (region, last_changed_at, name) WHERE purge_at IS NULL;
CREATE INDEX live_by_accessed ON secrets (region, last_accessed_at, name) WHERE purge_at IS NULL;
CREATE INDEX deleted_by_created ON secrets (region, created_at, name) WHERE purge_at IS NOT NULL;
CREATE INDEX deleted_by_name ON secrets (region, name) WHERE purge_at IS NOT NULL;
CREATE INDEX deleted_by_changed ON secrets (region, last_changed_at, name) WHERE purge_at IS NOT NULL;
CREATE INDEX deleted_by_accessed ON secrets (region, last_accessed_at, name) WHERE purge_at IS NOT NULL;
