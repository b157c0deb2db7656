//! KMS keys: what AWS documents (so marked), and what is Pawl's own.

use std::time::Duration;

/// Characters of an alias, `alias/` included (AWS).
pub const KEY_ALIAS_CHARS_MAX: usize = 256;
/// Characters of a key's description (AWS).
pub const KEY_DESCRIPTION_CHARS_MAX: usize = 8_192;
/// Characters of a key's policy in the model (AWS).
pub const KEY_POLICY_MODEL_CHARS_MAX: usize = 131_072;
/// Characters of a key policy's name (AWS).
pub const KEY_POLICY_NAME_CHARS_MAX: usize = 128;
/// Tags of one key (AWS).
pub const KEY_TAGS_MAX: usize = 50;
/// Aliases of one key (AWS).
pub const KEY_ALIASES_MAX: usize = 50;
/// Days of waiting before a key is deleted, least (AWS).
pub const KEY_DELETION_DAYS_MIN: i64 = 7;
/// Days of waiting before a key is deleted, most, and when nothing is said (AWS).
pub const KEY_DELETION_DAYS_MAX: i64 = 30;
/// Days of waiting that the model admits, most (AWS); the operation takes fewer.
pub const KEY_DELETION_DAYS_MODEL_MAX: i64 = 365;
/// Days between automatic rotations, least (AWS).
pub const KEY_ROTATION_DAYS_MIN: i64 = 90;
/// Days between automatic rotations, most (AWS).
pub const KEY_ROTATION_DAYS_MAX: i64 = 2_560;
/// Days between automatic rotations when nothing is said (AWS).
pub const KEY_ROTATION_DAYS_DEFAULT: i64 = 365;
/// Rotations on demand of one key (AWS).
pub const KEY_ROTATIONS_ON_DEMAND_MAX: usize = 25;
/// Bytes that Encrypt takes, and Decrypt gives (AWS).
pub const KEY_PLAINTEXT_BYTES_MAX: usize = 4_096;
/// Bytes of a ciphertext (AWS).
pub const KEY_CIPHERTEXT_BYTES_MAX: usize = 6_144;
/// Bytes that GenerateDataKey and GenerateRandom give (AWS).
pub const KEY_RANDOM_BYTES_MAX: i64 = 1_024;
/// Grant tokens of a request (AWS).
pub const KEY_GRANT_TOKENS_MAX: usize = 10;
/// Characters of a grant token (AWS).
pub const KEY_GRANT_TOKEN_CHARS_MAX: usize = 8_192;
/// Characters of a custom key store's id (AWS).
pub const KEY_STORE_ID_CHARS_MAX: usize = 64;
/// Characters of an external key's id (AWS).
pub const EXTERNAL_KEY_ID_CHARS_MAX: usize = 128;
/// Bytes of an attestation document (AWS).
pub const ATTESTATION_BYTES_MAX: usize = 262_144;
/// Entries of a page, most (AWS).
pub const KEY_PAGE_ENTRIES_MAX: usize = 1_000;
/// Entries of a page of keys or rotations when nothing is said (AWS).
pub const KEY_PAGE_ENTRIES_DEFAULT: usize = 100;
/// Entries of a page of aliases or tags when nothing is said (AWS).
pub const KEY_PAGE_ENTRIES_FEW: usize = 50;
/// Characters of a page's marker (AWS).
pub const KEY_MARKER_CHARS_MAX: usize = 1_024;
/// Keys that are held in memory with their material, most; beyond them, all are forgotten and read again.
pub const KEYS_HELD_MAX: usize = 10_000;
/// How long a host that shares its store may go without asking whether another has changed a key.
pub const KEYS_FRESH: Duration = Duration::from_millis(500);
/// Rows that a search through a region's aliases reads at once.
pub const KEY_ROWS_AT_ONCE: usize = 500;
