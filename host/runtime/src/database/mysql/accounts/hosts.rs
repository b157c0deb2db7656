//! Which of an account's rows a server picks for a client, as far as that can be told from their hosts.
//!
//! A server sorts a user's rows by how exact their hosts are and takes the first that matches. So a row that stands there beyond
//! those of the account to be copied is harmless once it is locked, *unless* it is picked for a client that one of those others
//! is for: that client would be locked out.

use std::net::IpAddr;

/// Whether the row with host `own` may be picked for a client for whom, without it, the row with host `other` would have been.
/// Yes where that cannot be told.
pub(super) fn may_shadow(own: &str, other: &str) -> bool {
    let (own, other) = (Host::parse(own), Host::parse(other));
    match (own, other) {
        // The least exact: picked when nothing else is. An empty host comes after `%`.
        (Host::Nothing, _) | (Host::Anything, Host::Exact(_) | Host::Pattern(_) | Host::Network) => false,
        (Host::Anything, Host::Anything) => true,
        (_, Host::Nothing | Host::Anything) => true,
        // A pattern is less exact than any name or address.
        (Host::Pattern(_), Host::Exact(_)) => false,
        (Host::Pattern(own), Host::Pattern(other)) => {
            !(is_numeric(own) && is_numeric(other) && disjoint(own, other))
        }
        (Host::Exact(own), Host::Exact(other)) => match (own.parse::<IpAddr>(), other.parse::<IpAddr>()) {
            (Ok(own), Ok(other)) => own == other,
            // A client is known by its address and, where the server asks for it, by its name.
            _ => true,
        },
        (Host::Exact(own), Host::Pattern(other)) => {
            !(own.parse::<IpAddr>().is_ok() && is_numeric(other) && !matches(other, own))
        }
        (Host::Network, _) | (_, Host::Network) => true,
    }
}

#[derive(Clone, Copy)]
enum Host<'a> {
    Nothing,
    Anything,
    Exact(&'a str),
    Pattern(&'a str),
    /// An address and a mask.
    Network,
}

impl<'a> Host<'a> {
    fn parse(host: &'a str) -> Self {
        match host {
            "" => Self::Nothing,
            "%" => Self::Anything,
            _ if host.contains('/') => Self::Network,
            _ if host.contains(['%', '_']) => Self::Pattern(host),
            _ => Self::Exact(host),
        }
    }
}

/// Whether a pattern can only be about IPv4 addresses.
fn is_numeric(pattern: &str) -> bool {
    pattern.starts_with(|c: char| c.is_ascii_digit())
        && pattern.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '%' | '_'))
        // A name such as `10.example.org` matches `10.%` as well, but a server takes no name that looks like an address.
        && pattern.contains('.')
}

/// Whether no text matches both patterns, by what stands before their first wildcards.
fn disjoint(one: &str, other: &str) -> bool {
    let fixed =
        |pattern: &'_ str| pattern.chars().take_while(|c| !matches!(c, '%' | '_')).collect::<String>();
    let (one, other) = (fixed(one), fixed(other));
    !one.starts_with(&other) && !other.starts_with(&one)
}

/// Whether `text` matches an SQL pattern.
fn matches(pattern: &str, text: &str) -> bool {
    let mut patterns = pattern.chars();
    match patterns.next() {
        None => text.is_empty(),
        Some('%') => {
            let rest = patterns.as_str();
            let mut left = text.chars();
            loop {
                if matches(rest, left.as_str()) {
                    return true;
                }
                if left.next().is_none() {
                    return false;
                }
            }
        }
        Some(wanted) => {
            let mut left = text.chars();
            left.next().is_some_and(|c| wanted == '_' || wanted == c)
                && matches(patterns.as_str(), left.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_left_over_is_harmless_only_where_it_cannot_be_picked_in_anothers_place() {
        for (own, other) in [
            ("%", "10.0.0.5"),
            ("%", "10.%"),
            ("%", "10.0.0.0/255.0.0.0"),
            ("", "%"),
            ("", "localhost"),
            ("10.0.0.%", "10.0.0.5"),
            ("10.1.%", "10.2.%"),
            ("10.0.0.5", "10.0.0.6"),
            ("10.0.0.5", "192.168.%"),
            ("%.example.org", "db.example.org"),
            ("::1", "127.0.0.1"),
        ] {
            assert!(!may_shadow(own, other), "{own} and {other}");
        }
        for (own, other) in [
            ("localhost", "%"),
            ("10.0.0.5", "%"),
            ("10.%", "%"),
            ("%", ""),
            ("10.0.0.5", "10.0.%"),
            ("10.0.0.5", "%.example.org"),
            ("db", "10.0.0.5"),
            ("localhost", "127.0.0.1"),
            ("10.%", "10.2.%"),
            ("10.0.0.0/255.0.0.0", "10.%"),
            ("10.0.0.5", "10.0.0.0/255.0.0.0"),
            ("%.example.org", "db%"),
        ] {
            assert!(may_shadow(own, other), "{own} and {other}");
        }
    }

    #[test]
    fn patterns_match_as_in_sql() {
        for (pattern, text) in
            [("10.%", "10.0.0.5"), ("%", ""), ("1_.0.%.5", "10.0.0.0.5"), ("a", "a"), ("%%a", "bca")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("10.%", "11.0.0.5"), ("_", ""), ("a", "ab"), ("%a", "b")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
