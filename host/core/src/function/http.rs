//! What a function may say to servers by HTTP: where, how, and in which places of a request a sensitive value may stand.
//!
//! A URL is read strictly: what two readers could take for two places (another spelling of a host, a dot segment, an encoded
//! slash) is none. So what was checked is what is sent.

mod grant;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

pub use self::grant::HttpGrant;
use crate::limits;

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Reads, and leaves the body out.
    Head,
    /// Does what the server makes of it.
    Post,
    /// Puts something in the place of what was there.
    Put,
    /// Changes a part of what is there.
    Patch,
    /// Takes away.
    Delete,
}

impl Method {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The method of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete]
            .into_iter()
            .find(|method| method.name() == name)
    }

    /// Whether it promises to change nothing.
    #[must_use]
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A server: `https://HOST`, `https://HOST:PORT`, or the same with `http` for one without TLS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    is_tls: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// Whether it is spoken to over TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The host's name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The host, and the port where it is not the usual one: what the request's `host` field says.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == usual_port(self.is_tls) { host } else { format!("{host}:{}", self.port) }
    }
}

const fn usual_port(is_tls: bool) -> u16 {
    if is_tls { 443 } else { 80 }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| {
            format!(
                "`{}` is not an origin: https:// (or http://, for a server without TLS) and a host name in lower case or an \
                 address, with :PORT where it is not the usual one, and nothing else",
                text.escape_default()
            )
        })
    }
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        let (is_tls, authority) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            (address.parse::<Ipv6Addr>().ok()?.to_string(), port)
        } else {
            let end = authority.find(':').unwrap_or(authority.len());
            let (name, port) = authority.split_at_checked(end)?;
            (host_name(name)?.to_owned(), port)
        };
        let port = match port.strip_prefix(':') {
            Some(digits) if !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok()?
            }
            None if port.is_empty() => usual_port(is_tls),
            _ => return None,
        };
        Some(Self { is_tls, host, port })
    }
}

/// A name of letters, digits and hyphens, or four decimal numbers. Another spelling of an address is no name.
pub(super) fn host_name(text: &str) -> Option<&str> {
    let is_label = |label: &str| {
        let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte != b'-');
        label.len() <= 63
            && edge(label.bytes().next())
            && edge(label.bytes().last())
            && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    let last = text.rsplit('.').next()?;
    // So do browsers tell an address from a name.
    let is_number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    let is_host = if is_number { text.parse::<Ipv4Addr>().is_ok() } else { text.split('.').all(is_label) };
    (is_host && text.len() <= 253).then_some(text)
}

/// Where a request goes: a server, a path and a query, each in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    origin: Origin,
    path: String,
    query: Option<String>,
}

/// Why a text is no URL that a request can go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is too long.
    #[error("the URL is longer than {} bytes", limits::HTTP_URL_BYTES_MAX)]
    TooLong,
    /// Its server is not spelt as an [`Origin`].
    #[error(
        "the URL does not begin with https:// or http://, a host name in lower case (or an address), and a path; user names and \
         other spellings of a host are not taken"
    )]
    Origin,
    /// Its path could be read in two ways.
    #[error(
        "the URL's path is not plain: no empty, `.` or `..` segments, no `;`, no backslash, no encoded / \\ . % ? # ; or control \
         character"
    )]
    Path,
    /// Its query has characters that belong encoded, or it has a fragment.
    #[error("the URL's query holds a character that must be percent-encoded, or a fragment follows it")]
    Query,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// When it is none, or could be taken for another place than the one it seems to name.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > limits::HTTP_URL_BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Origin)?;
        let (authority, path) = rest.split_once('/').ok_or(UrlError::Origin)?;
        let origin = Origin::parse(&format!("{scheme}://{authority}")).ok_or(UrlError::Origin)?;
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let path = format!("/{path}");
        if !is_plain_path(&path) {
            return Err(UrlError::Path);
        }
        if query.is_some_and(|query| !is_plain_query(query)) {
            return Err(UrlError::Query);
        }
        Ok(Self { origin, path, query: query.map(str::to_owned) })
    }

    /// The server.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Path and query, as the request's first line has them.
    #[must_use]
    pub fn path_and_query(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// The URL without its query, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> + Clone {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn is_plain_path(path: &str) -> bool {
    let last = segments(path).count().saturating_sub(1);
    path.starts_with('/')
        && segments(path).enumerate().all(|(place, segment)| {
            !matches!(segment, "." | "..")
                && (!segment.is_empty() || place == last)
                && is_plain(segment, b"", b"/\\.%?#;")
        })
}

fn is_plain_query(query: &str) -> bool {
    is_plain(query, b"/?;", b"#")
}

/// Whether a text is made of what RFC 3986 lets stand in a path's segment, or of `more`, and encodes nothing of `never`.
fn is_plain(text: &str, more: &[u8], never: &[u8]) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let fine = match byte {
            b'%' => {
                let digits = [bytes.next(), bytes.next()].map(|digit| {
                    digit
                        .and_then(|digit| char::from(digit).to_digit(16))
                        .and_then(|digit| u8::try_from(digit).ok())
                });
                let [Some(high), Some(low)] = digits else { return false };
                let encoded = high << 4 | low;
                encoded >= 0x20 && encoded != 0x7f && !never.contains(&encoded)
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => true,
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b','
            | b'=' | b':' | b'@' => true,
            byte => more.contains(&byte),
        };
        if !fine {
            return false;
        }
    }
    true
}

/// Paths that may be asked for: a path in which `*` is any one segment, and `**` at its end any number of them but none. A query
/// may follow only where the pattern has one: `?*` for any, or the very text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern {
    path: String,
    query: Option<String>,
}

impl PathPattern {
    /// Whether a request may go to this path and query.
    #[must_use]
    pub fn covers(&self, url: &Url) -> bool {
        self.covers_path(&url.path) && self.covers_query(url.query.as_deref())
    }

    /// Whether it covers all that `other` does. A star that is asked for is taken for a segment that only a star covers.
    fn contains(&self, other: &Self) -> bool {
        self.covers_path(&other.path) && self.covers_query(other.query.as_deref())
    }

    fn covers_path(&self, path: &str) -> bool {
        let mut asked = segments(path);
        let mut granted = segments(&self.path);
        loop {
            match (granted.next(), asked.next()) {
                (None, None) => return true,
                (Some("**"), Some(segment)) => return !segment.is_empty(),
                (Some("*"), Some(segment)) if !segment.is_empty() && segment != "**" => {}
                (Some(granted), Some(segment)) if granted == segment => {}
                _ => return false,
            }
        }
    }

    fn covers_query(&self, query: Option<&str>) -> bool {
        match (self.query.as_deref(), query) {
            (_, None) | (Some("*"), Some(_)) => true,
            (None, Some(_)) => false,
            (Some(granted), Some(query)) => granted == query && query != "*",
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        match &self.query {
            Some(query) => write!(f, "?{query}"),
            None => Ok(()),
        }
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> Self {
        pattern.to_string()
    }
}

impl TryFrom<String> for PathPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text.as_str(), None),
        };
        let last = segments(path).count().saturating_sub(1);
        let stars = segments(path).enumerate().all(|(place, segment)| {
            !segment.contains('*') || segment == "*" || (segment == "**" && place == last)
        });
        if !stars || !is_plain_path(path) || query.is_some_and(|query| query != "*" && !is_plain_query(query))
        {
            return Err(format!(
                "`{}` is not a pattern of paths, such as /v1/keys or /v1/users/*/key (`*` is one whole segment, `/**` at the end \
                 any more of them, `?*` any query)",
                text.escape_default()
            ));
        }
        Ok(Self { path: path.to_owned(), query: query.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Slot;
    use super::*;
    use crate::function::is_header_name;

    fn pattern(text: &str) -> PathPattern {
        PathPattern::try_from(text.to_owned()).unwrap()
    }

    fn grant(json: &serde_json::Value) -> HttpGrant {
        serde_json::from_value(json.clone()).unwrap()
    }

    #[test]
    fn an_origin_has_one_spelling() {
        for (text, host, port, shown) in [
            ("https://api.example.com", "api.example.com", 443, "https://api.example.com"),
            ("https://api.example.com:443", "api.example.com", 443, "https://api.example.com"),
            (
                "https://xn--bcher-kva.example:8443",
                "xn--bcher-kva.example",
                8443,
                "https://xn--bcher-kva.example:8443",
            ),
            ("http://127.0.0.1:80", "127.0.0.1", 80, "http://127.0.0.1"),
            ("http://[0::1]:8080", "::1", 8080, "http://[::1]:8080"),
        ] {
            let origin = Origin::try_from(text.to_owned()).unwrap();
            assert_eq!((origin.host(), origin.port(), origin.to_string().as_str()), (host, port, shown));
            assert_eq!(Origin::try_from(origin.to_string()).unwrap(), origin);
        }
        for bad in [
            "",
            "api.example.com",
            "ftp://a",
            "HTTPS://a",
            "https://",
            "https://a/",
            "https://a?b",
            "https://a#b",
            "https://A",
            "https://u@a",
            "https://u:p@a",
            "https://a:",
            "https://a:0",
            "https://a:080",
            "https://a:65536",
            "https://a:+1",
            "https://a:8 ",
            "https://a.",
            "https://.a",
            "https://a..b",
            "https://-a",
            "https://a-",
            "https://a_b",
            "https://a%2e",
            "https://bücher.example",
            "https://127.1",
            "https://0x7f000001",
            "https://2130706433",
            "https://0177.0.0.1",
            "https://1.2.3.4.5",
            "https://a.0x1",
            "https://[::1",
            "https://::1",
            "https://[::1]x",
            "https://[fe80::1%25lo]",
            "https://a\\b",
            "https://a\tb",
            "https://*.example.com",
        ] {
            assert!(Origin::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_that_could_be_read_in_two_ways_is_none() {
        let url = Url::parse("https://api.example.com/v1/keys/a%20b?x=1&y=%2F").unwrap();
        assert_eq!(url.path_and_query(), "/v1/keys/a%20b?x=1&y=%2F");
        assert_eq!(url.shown(), "https://api.example.com/v1/keys/a%20b");
        assert!(Url::parse("https://a/").is_ok() && Url::parse("https://a/b/").is_ok());
        for (bad, why) in [
            ("https://a", UrlError::Origin),
            ("//a/b", UrlError::Origin),
            ("https://u@a/b", UrlError::Origin),
            ("https://a:443@b/c", UrlError::Origin),
            ("https://a?/b", UrlError::Origin),
            ("https://a\\.b/c", UrlError::Origin),
            ("https://a//b", UrlError::Path),
            ("https://a/./b", UrlError::Path),
            ("https://a/b/..", UrlError::Path),
            ("https://a/b/..;/c", UrlError::Path),
            ("https://a/%2e%2e/b", UrlError::Path),
            ("https://a/b%2Fc", UrlError::Path),
            ("https://a/b%5cc", UrlError::Path),
            ("https://a/b\\c", UrlError::Path),
            ("https://a/b%252fc", UrlError::Path),
            ("https://a/b%3fc", UrlError::Path),
            ("https://a/b%0d%0ac", UrlError::Path),
            ("https://a/b%0", UrlError::Path),
            ("https://a/b%zz", UrlError::Path),
            ("https://a/b c", UrlError::Path),
            ("https://a/b\r\nx: y", UrlError::Path),
            ("https://a/é", UrlError::Path),
            ("https://a/b#c", UrlError::Path),
            ("https://a/b?c#d", UrlError::Query),
            ("https://a/b?c%0ad", UrlError::Query),
            ("https://a/b?c d", UrlError::Query),
        ] {
            assert_eq!(Url::parse(bad), Err(why), "{bad}");
        }
        assert_eq!(Url::parse(&format!("https://a/{}", "x".repeat(5_000))), Err(UrlError::TooLong));
    }

    #[test]
    fn a_pattern_covers_whole_segments_and_no_query_that_it_does_not_name() {
        let covers = |granted: &str, asked: &str| {
            pattern(granted).covers(&Url::parse(&format!("https://a{asked}")).unwrap())
        };
        for (granted, asked) in [
            ("/", "/"),
            ("/v1/keys", "/v1/keys"),
            ("/v1/*/key", "/v1/app/key"),
            ("/v1/**", "/v1/a"),
            ("/v1/**", "/v1/a/b/"),
            ("/v1?*", "/v1?x=1"),
            ("/v1?*", "/v1"),
            ("/v1?x=1", "/v1?x=1"),
        ] {
            assert!(covers(granted, asked), "{granted} {asked}");
        }
        for (granted, asked) in [
            ("/v1/keys", "/v1/keys/"),
            ("/v1/keys", "/v1/keysx"),
            ("/v1/keys", "/v1/%6beys"),
            ("/v1/keys", "/v1/Keys"),
            ("/v1/*/key", "/v1/a/b/key"),
            ("/v1/*", "/v1/"),
            ("/v1/*", "/v1"),
            ("/v1/**", "/v1"),
            ("/v1/**", "/v1/"),
            ("/v1", "/v1?x=1"),
            ("/v1?x=1", "/v1?x=2"),
        ] {
            assert!(!covers(granted, asked), "{granted} {asked}");
        }
        for bad in ["", "v1", "/v1*", "/**/key", "/***", "/../x", "//", "/a;b", "/a?b#c", "/a%2fb"] {
            assert!(PathPattern::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_grant_covers_a_request_only_with_all_of_it() {
        let granted = grant(&serde_json::json!({
            "origin": "https://api.example.com", "methods": ["PUT", "GET"], "paths": ["/v1/keys/*"],
            "sensitive": ["header:authorization", "body"],
        }));
        let covers = |method, url: &str, slots: &[&str], answers| {
            let slots = slots.iter().map(|slot| Slot::try_from((*slot).to_owned()).unwrap()).collect();
            granted.covers(method, &Url::parse(url).unwrap(), &slots, answers)
        };
        assert!(covers(
            Method::Put,
            "https://api.example.com/v1/keys/a",
            &["header:authorization", "body"],
            false
        ));
        for (method, url, slots, answers) in [
            (Method::Post, "https://api.example.com/v1/keys/a", &["body"][..], false),
            (Method::Put, "http://api.example.com/v1/keys/a", &["body"], false),
            (Method::Put, "https://api.example.com:444/v1/keys/a", &["body"], false),
            (Method::Put, "https://api.example.com.evil.example/v1/keys/a", &["body"], false),
            (Method::Put, "https://api.example.com/v1/keys", &["body"], false),
            (Method::Put, "https://api.example.com/v1/keys/a", &["header:x-key"], false),
            (Method::Put, "https://api.example.com/v1/keys/a", &["body"], true),
        ] {
            assert!(!covers(method, url, slots, answers), "{method} {url} {slots:?} {answers}");
        }
        assert_eq!(
            granted.words(),
            "GET, PUT https://api.example.com at /v1/keys/*, with sensitive values in header:authorization, body"
        );
        for unknown in ["capture", "headers"] {
            let mut json = serde_json::to_value(&granted).unwrap();
            json[unknown] = true.into();
            assert!(serde_json::from_value::<HttpGrant>(json).is_err(), "{unknown}");
        }
    }

    #[test]
    fn a_request_has_no_header_of_the_hosts_or_of_another_request() {
        for fine in ["authorization", "x-api-key", "content-type", "cookie", "idempotency-key"] {
            assert!(is_header_name(fine), "{fine}");
        }
        for bad in [
            "",
            "Host",
            "host",
            "content-length",
            "transfer-encoding",
            "x-http-method-override",
            "x_http_method_override",
            "proxy-authorization",
            "x-forwarded-host",
            "range",
            "a b",
            "a:b",
            "a\r\nb",
            "é",
            ":path",
        ] {
            assert!(!is_header_name(bad), "{bad}");
        }
        for bad in ["url", "header:", "header:Host", "header:host", "body ", "header:a b", "query"] {
            assert!(Slot::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_that_contains_another_covers_all_of_it(
            asked in "(/(a|b|\\*)){1,3}(/\\*\\*)?(\\?(\\*|x))?", granted in "(/(a|b|\\*)){1,3}(/\\*\\*)?(\\?(\\*|x))?",
            path in "(/[ab]){1,5}(\\?[xy])?",
        ) {
            let (asked, granted) = (pattern(&asked), pattern(&granted));
            let url = Url::parse(&format!("https://h{path}")).unwrap();
            prop_assert!(asked.contains(&asked));
            if granted.contains(&asked) && asked.covers(&url) {
                prop_assert!(granted.covers(&url));
            }
        }

        #[test]
        fn reading_a_url_never_fails_otherwise_than_by_saying_so(text in "\\PC{0,40}", path in "[ -~]{0,30}") {
            let _ = (Url::parse(&text), Origin::try_from(text.clone()), PathPattern::try_from(text));
            if let Ok(url) = Url::parse(&format!("https://h/{path}")) {
                prop_assert_eq!(url.path_and_query(), format!("/{path}"));
            }
        }
    }
}
