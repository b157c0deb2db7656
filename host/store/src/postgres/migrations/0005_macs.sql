-- The code by which a row is known to be as this program wrote it. Those of rows from before are given at the first start of a
-- host, which has the key; from then on a row without one is refused.
ALTER TABLE secrets ADD COLUMN mac BYTEA;
ALTER TABLE entities ADD COLUMN mac BYTEA;
ALTER TABLE functions ADD COLUMN mac BYTEA;
ALTER TABLE approvals ADD COLUMN mac BYTEA;
ALTER TABLE code ADD COLUMN mac BYTEA;
