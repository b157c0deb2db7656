//! The secret parts of a user's access keys, sealed together.

use std::collections::HashMap;

use pawl_core::value::{SecretBytes, SecretValue, ValueKind};
use pawl_core::world::Rng;
use pawl_keyring::{Keyring, SealContext, Sealed};

/// What they are bound to in the place of an ARN; in that of a version stands the user's id, which no rename changes.
pub(super) const BOUND: &str = "iam:user";

/// Opens them; none when they are not what was sealed.
pub(super) fn open(
    keyring: &Keyring,
    user_id: &str,
    sealed: Option<&[u8]>,
) -> Option<HashMap<String, SecretBytes>> {
    let sealed = Sealed::from_bytes(sealed?.to_vec()).ok()?;
    let value = keyring.open(&SealContext { arn: BOUND, version_id: user_id }, &sealed).ok()?;
    let text = std::str::from_utf8(value.bytes().expose()).ok()?;
    let key = |line: &str| {
        let (id, secret) = line.split_once(' ')?;
        Some((id.to_owned(), SecretBytes::from(secret.to_owned())))
    };
    text.lines().map(key).collect()
}

/// Seals them; nothing for no key.
pub(super) fn seal(
    keyring: &Keyring,
    user_id: &str,
    keys: &[(&str, &SecretBytes)],
    rng: &dyn Rng,
) -> Option<Vec<u8>> {
    if keys.is_empty() {
        return None;
    }
    let line = |(id, secret): &(&str, &SecretBytes)| [id.as_bytes(), b" ", secret.expose(), b"\n"].concat();
    let text = SecretBytes::new(keys.iter().flat_map(line).collect());
    let value = SecretValue::new(ValueKind::Text, text).ok()?;
    let context = SealContext { arn: BOUND, version_id: user_id };
    keyring.seal(&context, &value, rng).ok().map(Sealed::into_bytes)
}
