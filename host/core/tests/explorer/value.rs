//! Passwords, by name: of which version, for which account, and which one of them when there should have been one only.

/// A password's name.
pub(crate) type Value = u8;

/// None at all.
pub(crate) const NO_VALUE: Value = 0;
/// The version number of a password that somebody chose at the database itself.
const BY_HAND: u8 = 31;

/// A version's password for an account, when so many (three at most) were made for it before.
pub(crate) const fn fresh(version: u8, account: u8, before: u8) -> Value {
    (version << 3) | ((before & 0b11) << 1) | account
}

/// What a secret's first two versions hold. Alternating users have taken turns already.
pub(crate) const fn initial(version: u8, alternating: bool) -> Value {
    fresh(version, if alternating { version % 2 } else { 0 }, 0)
}

/// A password that was set without the store.
pub(crate) const fn by_hand(account: u8) -> Value {
    fresh(BY_HAND, account, 0)
}

/// Whether it was set without the store.
pub(crate) const fn is_by_hand(value: Value) -> bool {
    token_of(value) == BY_HAND
}

/// The version that made it.
pub(crate) const fn token_of(value: Value) -> u8 {
    value >> 3
}

/// The account that it is for.
pub(crate) const fn account_of(value: Value) -> u8 {
    value & 1
}
