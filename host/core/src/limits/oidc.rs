//! Identity providers, and the tokens of theirs.

use std::time::Duration;

/// Identity providers of an account (AWS's quota).
pub const PROVIDERS_MAX: usize = 100;
/// Client ids (audiences) of one provider (AWS's quota).
pub const PROVIDER_CLIENT_IDS_MAX: usize = 100;
/// Thumbprints of one provider (AWS's quota).
pub const PROVIDER_THUMBPRINTS_MAX: usize = 5;
/// Characters of a provider's URL (AWS's model).
pub const PROVIDER_URL_CHARS_MAX: usize = 255;
/// Characters of a token (AWS's model).
pub const WEB_IDENTITY_TOKEN_CHARS_MAX: usize = 20_000;
/// Seconds by which an issuer's clock may be ahead. It may not be behind: what has expired has expired.
pub const TOKEN_CLOCK_AHEAD_SECONDS: i64 = 60;
/// Characters of a token's subject (AWS: 255).
pub const TOKEN_SUBJECT_CHARS_MAX: usize = 255;
/// Audiences that one token names, most.
pub const TOKEN_AUDIENCES_MAX: usize = 16;
/// Bytes of a provider's discovery document.
pub const DISCOVERY_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a provider's keys.
pub const KEY_SET_BYTES_MAX: u64 = 256 * 1024;
/// Keys of one provider, most.
pub const KEY_SET_KEYS_MAX: usize = 100;
/// Bits of an RSA key, least and most: verifying is quick, and a key of a megabyte is not.
pub const RSA_BITS_MIN: usize = 2_048;
/// See [`RSA_BITS_MIN`].
pub const RSA_BITS_MAX: usize = 8_192;
/// Time for one document of a provider.
pub const PROVIDER_FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a provider's keys are used without a look at them.
pub const KEY_SET_FRESH: Duration = Duration::from_secs(300);
/// How long they are used when the provider does not answer any more.
pub const KEY_SET_STALE: Duration = Duration::from_secs(3_600);
/// Between two looks at one provider's keys, whatever the tokens name that come.
pub const KEY_SET_LOOKED_AT_EVERY: Duration = Duration::from_secs(10);
/// Providers that are asked at once.
pub const PROVIDERS_ASKED_AT_ONCE: usize = 4;
