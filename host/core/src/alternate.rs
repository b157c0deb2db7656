//! The two user names between which alternating users change: AWS's rule, so that secrets that AWS's functions rotated go on.

/// What one of the two names has at its end.
const SUFFIX: &str = "_clone";

/// The other user name of the pair: `_clone` taken off, or put on.
///
/// None for a name that is nothing but the suffix.
#[must_use]
pub fn alternate(username: &str) -> Option<String> {
    match username.strip_suffix(SUFFIX) {
        Some("") => None,
        Some(plain) => Some(plain.to_owned()),
        None => Some(format!("{username}{SUFFIX}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alternate_of_the_alternate_is_the_first_again() {
        for name in ["app", "app_clone", "a", "\u{e9}\"`'%", "app_CLONE"] {
            let other = alternate(name).unwrap();
            assert_ne!(other, name);
            assert_eq!(alternate(&other).as_deref(), Some(name));
        }
        assert_eq!(alternate("_clone"), None);
    }
}
