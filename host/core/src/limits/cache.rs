//! What is remembered of secrets, sealed, for reading.

/// Bytes that one secret takes in the cache beside its document, values and policy (measured: docs/measurements.md).
pub const CACHE_SECRET_BYTES: usize = 1_200;
/// Bytes that one text of a policy takes in the cache once it is compiled (measured: 1260 patterns of ARNs took 1.5 MB).
pub const CACHE_POLICY_TEXT_BYTES: usize = 1_300;
/// The part of the memory that there is (one in so many) which the cache may take when nothing is said.
pub const CACHE_MEMORY_SHARE: u64 = 4;
/// MiB that it may take at least, however little memory there is.
pub const CACHE_MIB_MIN: u32 = 256;
