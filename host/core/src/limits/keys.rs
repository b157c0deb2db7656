//! The root key and the keys under it.

use std::time::Duration;

/// Bytes of a root key file that are read: a key with its comments is some 160, and a former one takes 45 more.
pub const ROOT_FILE_BYTES_MAX: usize = 4_096;
/// Root keys in one file: the one that counts, and former ones that older backups need.
pub const ROOT_FILE_KEYS_MAX: usize = 16;
/// Bytes of a store's key record.
pub const KEY_RECORD_BYTES_MAX: usize = 64 * 1024;
/// Root keys that open a store at once: two while the root key is rotated.
pub const ROOT_SLOTS_MAX: usize = 4;
/// Key-encryption keys of a store at once: one that seals, and those before it that sessions still need.
pub const KEKS_MAX: usize = 16;
/// Bytes of a passphrase.
pub const PASSPHRASE_BYTES_MAX: usize = 4_096;
/// Characters that a new passphrase has at least.
pub const PASSPHRASE_CHARS_MIN: usize = 12;
/// KiB of memory that stretching a passphrase takes (RFC 9106, 4: the second recommended option).
pub const ARGON2_KIB: u32 = 64 * 1024;
/// Passes over it.
pub const ARGON2_PASSES: u32 = 3;
/// Lanes.
pub const ARGON2_LANES: u32 = 4;
/// The most KiB that a record may ask for.
pub const ARGON2_KIB_MAX: u32 = 1024 * 1024;
/// The most passes that a record may ask for.
pub const ARGON2_PASSES_MAX: u32 = 16;
/// The most lanes that a record may ask for.
pub const ARGON2_LANES_MAX: u32 = 16;
/// Bytes of a passphrase's salt.
pub const ARGON2_SALT_BYTES: usize = 16;

/// How often a host looks whether the store's key record has changed.
pub const KEY_RECORD_EVERY: Duration = Duration::from_millis(500);
/// How often a host of a shared store says that it is there, and which root keys it has.
pub const KEY_HOST_EVERY: Duration = Duration::from_secs(5);
/// After how long without a word a host counts as gone.
pub const KEY_HOST_GONE: Duration = Duration::from_secs(30);
/// Hosts that are remembered.
pub const KEY_HOSTS_MAX: usize = 64;
/// How long a former key-encryption key still opens: longer than any session lasts.
pub const KEK_FORMER_SECONDS: u64 = 37 * 60 * 60;
/// Sealed values that are looked at in one go of a re-wrap.
pub const REWRAP_PAGE: u32 = 200;
/// How long a provider of the root key may take to answer.
pub const ROOT_PROVIDER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a provider that does not answer is asked at a start.
pub const ROOT_PROVIDER_TRIES: u32 = 5;
/// How long is waited before it is asked again; doubles each time.
pub const ROOT_PROVIDER_WAIT: Duration = Duration::from_millis(500);
/// Bytes of a provider's answer that are read.
pub const ROOT_PROVIDER_ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a sealed value that say what sealed it.
pub const SEALED_HEAD_BYTES: usize = 18;
/// How long a host seals anew before it looks around.
pub const REWRAP_TURN: Duration = Duration::from_secs(4);
/// How long a host has the work of sealing anew to itself without a word.
pub const REWRAP_HELD: Duration = Duration::from_secs(20);
/// The longest rest after a secret that was sealed anew. It is else as long as that took: half of one thread, at most.
pub const REWRAP_REST_MAX: Duration = Duration::from_millis(100);
/// How often `pawl key rotate --wait` asks how far it is.
pub const KEY_FOLLOW_EVERY: Duration = Duration::from_millis(250);
/// How often a host looks whether it has learned a key before it gives a value up: as long as a stalled one may be behind.
pub const KEK_LOOKS: u32 = 4;

// The codes of rows.

/// Rows that were found not to be as they were written, of which a host remembers the names.
pub const ALTERED_ROWS_MAX: usize = 100;
/// How often a host looks over all rows of its store, beside those that it reads anyway.
pub const ROWS_LOOKED_OVER_EVERY: Duration = Duration::from_secs(24 * 3_600);
