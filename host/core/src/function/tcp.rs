//! With which servers a function may have the host speak, in a protocol that the host does not know.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use super::Target;
use super::approval::within_target;
use super::http::host_name;
use crate::limits;

/// A server's place, in its one spelling: what is compared with grants is what is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpPlace {
    host: String,
    port: u16,
}

impl TcpPlace {
    /// A place, if the host is a name in lower case, four decimal numbers, or an IPv6 address as it is usually written.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Option<Self> {
        let is_v6 = || host.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == host);
        let is_host = host_name(host).is_some() || is_v6();
        (is_host && port != 0).then(|| Self { host: host.to_owned(), port })
    }

    /// The host, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for TcpPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Whether the host makes sure of a server, and encrypts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TcpTls {
    /// TLS from the first byte, or nothing is said.
    #[default]
    Required,
    /// None: the network between is trusted.
    None,
}

/// The first bytes of an answer, by which the host knows what it means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signal(String);

impl Signal {
    /// Whether an answer begins so.
    #[must_use]
    pub fn begins(&self, answer: &[u8]) -> bool {
        answer.starts_with(self.0.as_bytes())
    }

    /// Whether an answer that has come in part can still begin so.
    #[must_use]
    pub fn may_begin(&self, part: &[u8]) -> bool {
        self.0.as_bytes().starts_with(part)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_debug())
    }
}

impl From<Signal> for String {
    fn from(signal: Signal) -> Self {
        signal.0
    }
}

impl TryFrom<String> for Signal {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let max = limits::TCP_BEGINNING_BYTES_MAX;
        if text.is_empty() || text.len() > max {
            return Err(format!("the beginning of an answer has 1 to {max} bytes"));
        }
        Ok(Self(text))
    }
}

/// Servers with which a function may have the host speak, and how far.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct TcpGrant {
    tls: TcpTls,
    targets: BTreeSet<Target>,
    sensitive: bool,
    answers: bool,
    accepts: BTreeSet<Signal>,
    refuses: BTreeSet<Signal>,
}

/// A grant as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    targets: BTreeSet<Target>,
    #[serde(default)]
    tls: TcpTls,
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    answers: bool,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    accepts: BTreeSet<Signal>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    refuses: BTreeSet<Signal>,
}

impl TryFrom<Written> for TcpGrant {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { targets, tls, sensitive, answers, accepts, refuses } = written;
        let max = limits::TCP_TEXTS_MAX;
        if targets.is_empty() || targets.len() > max || accepts.len() > max || refuses.len() > max {
            return Err(format!(
                "a grant of `tcp` names 1 to {max} targets, and at most {max} answers of a kind"
            ));
        }
        if let Some(target) = targets.iter().find(|target| !matches!(target.port(), Some(1..))) {
            let text = String::from(target.clone());
            return Err(format!("`{text}`: a target of `tcp` names its port, HOST:PORT or *.DOMAIN:PORT"));
        }
        let both = |no: &Signal| {
            accepts.iter().any(|yes| yes.begins(no.0.as_bytes()) || no.begins(yes.0.as_bytes()))
        };
        if let Some(no) = refuses.iter().find(|no| both(no)) {
            return Err(format!("an answer that begins with {no} would be a yes and a no"));
        }
        Ok(Self { tls, targets, sensitive, answers, accepts, refuses })
    }
}

impl From<TcpGrant> for Written {
    fn from(grant: TcpGrant) -> Self {
        let TcpGrant { tls, targets, sensitive, answers, accepts, refuses } = grant;
        Self { targets, tls, sensitive, answers, accepts, refuses }
    }
}

impl TcpGrant {
    /// The one of these grants by which a place is reached, if any covers it. Of several it is one with TLS; rights of several are
    /// not added up.
    #[must_use]
    pub fn of<'a>(grants: &'a BTreeSet<Self>, place: &TcpPlace) -> Option<&'a Self> {
        let mut covering = grants.iter().filter(|grant| grant.covers(place));
        // Those with TLS are the first in order.
        covering.next()
    }

    fn covers(&self, place: &TcpPlace) -> bool {
        self.targets.iter().any(|target| target.covers(&place.host, place.port))
    }

    /// Whether its servers are spoken to over TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self.tls, TcpTls::Required)
    }

    /// Whether sensitive values may be sent there.
    #[must_use]
    pub const fn sends_sensitive(&self) -> bool {
        self.sensitive
    }

    /// Whether the rotator may read what comes, once the host has found no sensitive value in it.
    #[must_use]
    pub const fn reads_answers(&self) -> bool {
        self.answers
    }

    /// How answers begin by which a server says that a value which was sent is good there.
    #[must_use]
    pub const fn accepts(&self) -> &BTreeSet<Signal> {
        &self.accepts
    }

    /// How answers begin by which it says that one is not.
    #[must_use]
    pub const fn refuses(&self) -> &BTreeSet<Signal> {
        &self.refuses
    }

    /// Whether the host can see by it that a new value is good: then nothing is promoted before it has.
    #[must_use]
    pub fn proves(&self) -> bool {
        self.sensitive && !self.accepts.is_empty()
    }

    /// Whether it covers all that `other` does, and insists on as much.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let reached = |asked: &Target| self.targets.iter().any(|granted| within_target(asked, granted));
        // A yes that is known by less, or a no that is not, would weaken what the approval rests on.
        let as_strict = !other.sensitive
            || (self.accepts.is_empty()
                || (!other.accepts.is_empty() && other.accepts.is_subset(&self.accepts)))
                && self.refuses.is_subset(&other.refuses);
        other.targets.iter().all(reached)
            && (!self.is_tls() || other.is_tls())
            && (self.sensitive || !other.sensitive)
            && (self.answers || !other.answers)
            && as_strict
    }

    /// What it grants, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let targets: Vec<_> = self.targets.iter().cloned().map(String::from).collect();
        let mut words = format!("say anything to {}", targets.join(", "));
        words.push_str(if self.is_tls() { "" } else { " (WITHOUT TLS)" });
        if self.sensitive {
            words.push_str(", SENSITIVE VALUES among it");
        }
        words.push_str(match (self.answers, self.sensitive) {
            (true, true) => {
                ", and READ THE ANSWERS: a server that gives back in other words what it is told (a cache, a queue, a database) gives \
                 the values to whoever wrote this code"
            }
            (true, false) => ", and read the answers",
            (false, _) => "",
        });
        if self.sensitive {
            let listed = |signals: &BTreeSet<Signal>| {
                signals.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
            };
            words.push_str(&match self.accepts.is_empty() {
                true => "; whether a new value works is the code's own word".to_owned(),
                false => format!("; a new value works when the answer begins with {}", listed(&self.accepts)),
            });
            if !self.refuses.is_empty() {
                words.push_str(&format!(", and is refused with {}", listed(&self.refuses)));
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(toml: &str) -> Result<TcpGrant, String> {
        toml::from_str(toml).map_err(|error| error.to_string())
    }

    fn place(host: &str, port: u16) -> TcpPlace {
        TcpPlace::new(host, port).unwrap()
    }

    #[test]
    fn a_place_has_one_spelling() {
        for fine in ["cache", "cache.internal", "10.0.0.1", "::1", "2001:db8::1", "xn--bcher-kva.example"] {
            assert!(TcpPlace::new(fine, 6379).is_some(), "{fine}");
        }
        for bad in [
            "",
            "Cache",
            "cache.",
            ".cache",
            "cache..internal",
            "cache internal",
            "cache\0",
            "cache:1",
            "[::1]",
            "::0001",
            "0:0:0:0:0:0:0:1",
            "::FFFF:1",
            "010.0.0.1",
            "10.1",
            "0x7f000001",
            "2130706433",
            "*.internal",
            "-cache",
            "user@cache",
            "b\u{fc}cher.example",
        ] {
            assert!(TcpPlace::new(bad, 6379).is_none(), "{bad}");
        }
        assert!(TcpPlace::new("cache", 0).is_none());
    }

    #[test]
    fn a_grant_names_ports_and_is_read_back() {
        let text = "targets = [\"cache.internal:6379\", \"*.cache.internal:6380\"]\nsensitive = true\naccepts = [\"+OK\\r\\n\"]\n";
        let some = grant(text).unwrap();
        assert!(some.is_tls() && some.sends_sensitive() && !some.reads_answers() && some.proves());
        assert_eq!(grant(&toml::to_string(&some).unwrap()), Ok(some.clone()));
        let all: BTreeSet<_> = [some].into();
        assert!(TcpGrant::of(&all, &place("cache.internal", 6379)).is_some());
        assert!(TcpGrant::of(&all, &place("a.cache.internal", 6380)).is_some());
        for (host, port) in [
            ("cache.internal", 6380),
            ("cache.internal", 22),
            ("a.cache.internal", 6379),
            ("evilcache.internal", 6380),
            ("127.0.0.1", 6379),
        ] {
            assert!(TcpGrant::of(&all, &place(host, port)).is_none(), "{host}:{port}");
        }
        for (bad, why) in [
            ("targets = []", "1 to 16 targets"),
            ("targets = [\"cache:*\"]", "names its port"),
            ("targets = [\"cache:0\"]", "names its port"),
            ("targets = [\"*:1\"]", "not a target"),
            ("tls = \"none\"", "targets"),
            ("targets = [\"cache:1\"]\ntls = \"perhaps\"", "perhaps"),
            ("targets = [\"cache:1\"]\nverify = false", "verify"),
            ("targets = [\"cache:1\"]\naccepts = [\"\"]", "1 to 128 bytes"),
            ("targets = [\"cache:1\"]\naccepts = [\"+\"]\nrefuses = [\"+NO\"]", "a yes and a no"),
        ] {
            let error = grant(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn of_several_that_cover_a_place_one_with_tls_counts() {
        let plain =
            grant("targets = [\"cache:1\"]\ntls = \"none\"\nsensitive = true\nanswers = true").unwrap();
        let safe = grant("targets = [\"cache:1\"]\nanswers = true").unwrap();
        let all = BTreeSet::from([plain, safe.clone()]);
        assert_eq!(TcpGrant::of(&all, &place("cache", 1)), Some(&safe), "and its rights alone");
    }

    #[test]
    fn what_asks_for_more_or_insists_on_less_is_beyond() {
        let approved = "targets = [\"*.internal:6379\"]\nsensitive = true\naccepts = [\"+OK\", \"+YES\"]\nrefuses = [\"-NO\"]";
        let approved = grant(approved).unwrap();
        for within in [
            "targets = [\"a.internal:6379\"]",
            "targets = [\"a.internal:6379\"]\nsensitive = true\naccepts = [\"+OK\"]\nrefuses = [\"-NO\", \"-ERR\"]",
        ] {
            assert!(approved.contains(&grant(within).unwrap()), "{within}");
        }
        let rest = "accepts = [\"+OK\"]\nrefuses = [\"-NO\"]";
        for beyond in [
            "targets = [\"a.internal:6380\"]".to_owned(),
            "targets = [\"a.internal:6379\", \"b.example:6379\"]".to_owned(),
            "targets = [\"a.internal:6379\"]\ntls = \"none\"".to_owned(),
            "targets = [\"a.internal:6379\"]\nanswers = true".to_owned(),
            "targets = [\"a.internal:6379\"]\nsensitive = true\nrefuses = [\"-NO\"]".to_owned(),
            "targets = [\"a.internal:6379\"]\nsensitive = true\naccepts = [\"+OK\"]".to_owned(),
            "targets = [\"a.internal:6379\"]\nsensitive = true\naccepts = [\"+\"]\nrefuses = [\"-NO\"]"
                .to_owned(),
            format!("targets = [\"a.internal:6379\"]\nsensitive = true\nanswers = true\n{rest}"),
        ] {
            assert!(!approved.contains(&grant(&beyond).unwrap()), "{beyond}");
        }
        let plain = grant("targets = [\"a:1\"]\ntls = \"none\"\nsensitive = true\nanswers = true").unwrap();
        for word in ["a:1 (WITHOUT TLS)", "SENSITIVE VALUES", "READ THE ANSWERS", "the code's own word"] {
            assert!(plain.words().contains(word), "{}", plain.words());
        }
        assert!(approved.words().contains("begins with \"+OK\" or \"+YES\", and is refused with \"-NO\""));
    }
}
