//! The one door to the network for guests: grant, resolve, check the address, connect.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pawl_core::function::{Grants, HttpGrant, TcpGrant, TcpPlace};
use pawl_core::limits;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Why a guest's socket was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The function's grants or the operator's egress rule do not cover the place.
    #[error("{0}")]
    NotGranted(String),
    /// Nothing answered there in time.
    #[error("{0}")]
    Unreachable(String),
}

/// A block of addresses, such as `10.0.0.0/8` or `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

/// Why a text is no block of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a block of addresses, such as 10.0.0.0/8 or fd00::/8")]
pub struct CidrError(String);

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let wrong = || CidrError(text.to_owned());
        let (network, prefix) = match text.split_once('/') {
            Some((network, prefix)) => (network, Some(prefix)),
            None => (text, None),
        };
        let network: IpAddr = network.parse().map_err(|_| wrong())?;
        let longest = if network.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|c| c.is_ascii_digit()) => {
                digits.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
            None => longest,
        };
        if prefix > longest { Err(wrong()) } else { Ok(Self { network, prefix }) }
    }
}

impl Cidr {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Self {
        Self { network: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    const fn v6(high: [u16; 3], last: u16, prefix: u8) -> Self {
        let [a, b, c] = high;
        Self { network: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, last)), prefix }
    }

    /// Whether the block holds `address`. A block of one family holds nothing of the other.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (network, address, width) = match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
            _ => return false,
        };
        let host_bits = u32::from(self.prefix).abs_diff(width);
        // A shift by the whole width is the block of everything.
        (network ^ address).checked_shr(host_bits).unwrap_or(0) == 0
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

/// Where no guest is ever connected: no host, every host, or what a cloud tells only to its own machine.
const NEVER: &[Cidr] = &[
    Cidr::v4(0, 0, 0, 0, 8),
    Cidr::v4(169, 254, 0, 0, 16),
    Cidr::v4(224, 0, 0, 0, 4),
    Cidr::v4(255, 255, 255, 255, 32),
    // Metadata outside of link-local: Alibaba, Azure, Oracle; over IPv6 Amazon (whose block has the credentials of pods and the
    // resolver besides), Google and Scaleway.
    Cidr::v4(100, 100, 100, 200, 32),
    Cidr::v4(168, 63, 129, 16, 32),
    Cidr::v4(192, 0, 0, 192, 32),
    Cidr::v6([0xfd00, 0x0ec2, 0], 0, 32),
    Cidr::v6([0xfd20, 0x00ce, 0], 0x0254, 128),
    Cidr::v6([0xfd00, 0x0042, 0], 0x0042, 128),
    Cidr::v6([0, 0, 0], 0, 128),
    Cidr::v6([0xfe80, 0, 0], 0, 10),
    Cidr::v6([0xff00, 0, 0], 0, 8),
];

/// The operator's rule on addresses. Loopback and private networks are allowed: Pawl stands beside the databases.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    denied: Vec<Cidr>,
}

impl FromStr for Egress {
    type Err = CidrError;

    /// The blocks that are denied besides, with commas between them.
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let blocks = text.split(',').map(str::trim).filter(|block| !block.is_empty());
        blocks.map(str::parse).collect::<Result<_, _>>().map(Self::denying)
    }
}

impl Egress {
    /// The rule that denies these blocks besides those that are never allowed.
    #[must_use]
    pub const fn denying(denied: Vec<Cidr>) -> Self {
        Self { denied }
    }

    /// Whether a guest may be connected to `address`.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        let denied = |address| NEVER.iter().chain(&self.denied).any(|block| block.contains(address));
        !denied(address) && !embedded(address).any(|inner| denied(IpAddr::V4(inner)))
    }
}

/// The IPv4 addresses that an IPv6 address could stand for: mapped, compatible, translated, 6to4, Teredo, ISATAP, NAT64. Which
/// of them a network makes of it is the network's own affair, so each counts.
fn embedded(address: IpAddr) -> impl Iterator<Item = Ipv4Addr> {
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    let found = match address {
        IpAddr::V4(_) => [None, None],
        IpAddr::V6(address) => match address.segments() {
            // `::1` is no IPv4 address, and is the one loopback.
            [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None, None],
            [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => {
                [v4(high, low), None]
            }
            // Where it ends; and in the middle where the prefix is shorter than the well-known one (RFC 6052, 2.2).
            [0x64, 0xff9b, _, 0, 0, 0, high, low] => [v4(high, low), None],
            [0x64, 0xff9b, _, a, b, c, high, low] => [v4(high, low), v4(a, b << 8 | c >> 8)],
            [0x2002, high, low, ..] => [v4(high, low), None],
            // The server, and the client's address with all bits turned.
            [0x2001, 0, high, low, _, _, a, b] => [v4(high, low), v4(!a, !b)],
            [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => [v4(high, low), None],
            _ => [None, None],
        },
    };
    found.into_iter().flatten()
}

/// A place that a function was granted. It exists only after the check, and is dialled as it was checked.
#[derive(Clone, Debug)]
pub struct Destination {
    host: String,
    port: u16,
    egress: Arc<Egress>,
    /// A connection that was opened ahead, for the next who connects.
    opened: Arc<Mutex<Option<TcpStream>>>,
}

impl Destination {
    /// Checks `host` and `port` against a function's grants. `own` is the host and port that the secret itself names.
    ///
    /// # Errors
    /// When no grant covers it.
    pub fn granted(
        grants: &Grants,
        own: Option<(&str, u16)>,
        host: &str,
        port: u16,
        egress: Arc<Egress>,
    ) -> Result<Self, DialError> {
        let is_own =
            own.is_some_and(|(own_host, own_port)| own_host.eq_ignore_ascii_case(host) && own_port == port);
        if (grants.own_target && is_own) || grants.targets.iter().any(|target| target.covers(host, port)) {
            return Ok(Self { host: host.to_owned(), port, egress, opened: Arc::default() });
        }
        Err(DialError::NotGranted(format!("the function's grants do not cover {host}:{port}")))
    }

    /// The server that a grant of requests names. A name that is granted may still lead nowhere, by the rule on addresses.
    #[must_use]
    pub fn of_http(grant: &HttpGrant, egress: Arc<Egress>) -> Self {
        Self {
            host: grant.origin.host().to_owned(),
            port: grant.origin.port(),
            egress,
            opened: Arc::default(),
        }
    }

    /// Checks a place against a function's grants of plain connections; with the one that covers it.
    ///
    /// # Errors
    /// When none does.
    pub fn of_tcp<'a>(
        grants: &'a Grants,
        place: &TcpPlace,
        egress: Arc<Egress>,
    ) -> Result<(Self, &'a TcpGrant), DialError> {
        let Some(grant) = TcpGrant::of(&grants.tcp, place) else {
            let text = format!("the function's grants do not cover {place} (`tcp` in [grants])");
            return Err(DialError::NotGranted(text));
        };
        let host = place.host().to_owned();
        Ok((Self { host, port: place.port(), egress, opened: Arc::default() }, grant))
    }

    /// The host, as the secret or the grant names it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Resolves the host, checks the addresses, and connects to the first allowed one that answers.
    ///
    /// # Errors
    /// When the egress rule allows none of the addresses, or none answers.
    pub async fn connect(&self) -> Result<TcpStream, DialError> {
        if let Some(stream) = self.opened().take() {
            return Ok(stream);
        }
        self.dial().await
    }

    /// Connects now, so that the next [`Destination::connect`] has not to wait. Where nothing answers, that one tells.
    pub(crate) async fn open_ahead(&self) {
        if let Ok(stream) = self.dial().await {
            *self.opened() = Some(stream);
        }
    }

    fn opened(&self) -> MutexGuard<'_, Option<TcpStream>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn dial(&self) -> Result<TcpStream, DialError> {
        self.connect_by(async |host, port| Ok(lookup_host((host, port)).await?.collect())).await
    }

    /// The same with the question to the name service given: it is asked once, so that what is checked is what is dialled, however
    /// often the answer changes.
    async fn connect_by(
        &self,
        resolve: impl AsyncFnOnce(&str, u16) -> std::io::Result<Vec<SocketAddr>>,
    ) -> Result<TcpStream, DialError> {
        let resolved = timeout(limits::LOGIN_TIMEOUT, resolve(self.host.as_str(), self.port)).await;
        let addresses = match resolved {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(_)) => {
                return Err(DialError::Unreachable(format!(
                    "the host name `{}` does not resolve",
                    self.host
                )));
            }
            Err(_) => return Err(DialError::Unreachable(format!("resolving `{}` took too long", self.host))),
        };
        let found = !addresses.is_empty();
        let allowed: Vec<SocketAddr> = addresses
            .into_iter()
            .filter(|address| self.egress.allows(address.ip()))
            .take(limits::DIAL_ADDRESSES_MAX)
            .collect();
        if found && allowed.is_empty() {
            return Err(DialError::NotGranted(format!("the egress rule denies every address of {self}")));
        }
        // So that one dead address does not use up the time of the others.
        let each = limits::LOGIN_TIMEOUT / u32::try_from(allowed.len()).unwrap_or(1).max(1);
        let mut timed_out = false;
        for address in allowed {
            match timeout(each, open(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(_)) => {}
                Err(_) => timed_out = true,
            }
        }
        let why = if timed_out { "did not answer in time" } else { "takes no connection" };
        Err(DialError::Unreachable(format!("{self} {why}")))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that dials for guests, with an address that was checked"
)]
async fn open(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use pawl_core::function::Target;
    use tokio::net::TcpListener;

    use super::*;

    fn own() -> Grants {
        Grants { own_target: true, ..Grants::default() }
    }

    fn egress() -> Arc<Egress> {
        Arc::new(Egress::default())
    }

    #[test]
    fn a_block_holds_its_addresses() {
        let holds =
            |block: &str, address: &str| block.parse::<Cidr>().unwrap().contains(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("0.0.0.0/0", "1.2.3.4") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("fd00::/8", "fdff::1") && !holds("fd00::/8", "fe00::"));
        assert!(holds("::/0", "ff02::1") && holds("10.1.2.3", "10.1.2.3") && !holds("10.1.2.3", "10.1.2.4"));
        assert!(holds("10.0.0.77/31", "10.0.0.76"));
        for bad in
            ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "db/8", "10.0.0.0/8/8"]
        {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }

    #[test]
    fn metadata_and_group_addresses_are_never_allowed_in_any_spelling() {
        let rule = Egress::default();
        for never in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.170.2",
            "224.0.0.1",
            "239.1.1.1",
            "255.255.255.255",
            "100.100.100.200",
            "168.63.129.16",
            "::",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fd00:ec2::23",
            "fd00:ec2::253",
            "fd00:42::42",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "64:ff9b:1:a9fe:a9:fe00::",
            "2002:a9fe:a9fe::1",
            "2001:0:808:808::5601:5601",
            "fd12::5efe:169.254.169.254",
            "2001:db8::200:5efe:169.254.169.254",
        ] {
            assert!(!rule.allows(never.parse().unwrap()), "{never}");
        }
        for fine in [
            "127.0.0.1",
            "::1",
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.9",
            "fd12::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2001:db8::a9fe:a9fe",
            "fd00:ec3::254",
            "8.8.8.8",
        ] {
            assert!(rule.allows(fine.parse().unwrap()), "{fine}");
        }
        let stricter: Egress = "10.0.0.0/8, fd99::/16".parse().unwrap();
        assert!("10.0.0.0/8;fd99::/16".parse::<Egress>().is_err());
        assert!(
            !stricter.allows("10.9.9.9".parse().unwrap())
                && !stricter.allows("::ffff:10.9.9.9".parse().unwrap())
        );
        assert!(stricter.allows("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_destination_exists_only_within_the_grants() {
        let at = |grants: &Grants, own, host, port| Destination::granted(grants, own, host, port, egress());
        assert!(at(&own(), Some(("db", 5432)), "DB", 5432).is_ok());
        for (host, port) in [("db", 5433), ("evil", 5432)] {
            assert!(matches!(at(&own(), Some(("db", 5432)), host, port), Err(DialError::NotGranted(_))));
        }
        assert!(at(&own(), None, "db", 5432).is_err());
        assert!(at(&Grants::default(), Some(("db", 5432)), "db", 5432).is_err());
        let target = Target::try_from("*.internal:5432".to_owned()).unwrap();
        let named = Grants { targets: [target].into(), ..Grants::default() };
        assert!(at(&named, None, "a.internal", 5432).is_ok() && at(&named, None, "a.internal", 1).is_err());
    }

    #[tokio::test]
    async fn it_connects_and_tells_a_denied_place_from_a_dead_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let to = |host: &str, egress| {
            Destination::granted(&own(), Some((host, port)), host, port, egress).unwrap()
        };
        let stream = to("127.0.0.1", egress()).connect().await.unwrap();
        assert!(stream.nodelay().unwrap());
        drop(listener);
        assert!(matches!(to("127.0.0.1", egress()).connect().await, Err(DialError::Unreachable(_))));
        let denied = Arc::new(Egress::denying(vec!["127.0.0.0/8".parse().unwrap()]));
        assert!(matches!(to("127.0.0.1", denied).connect().await, Err(DialError::NotGranted(_))));
        assert!(matches!(to("169.254.169.254", egress()).connect().await, Err(DialError::NotGranted(_))));
        assert!(matches!(to("nowhere.invalid", egress()).connect().await, Err(DialError::Unreachable(_))));
    }

    #[tokio::test]
    async fn no_spelling_of_a_number_is_a_way_round() {
        for host in [
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "0xA9.0xFE.0xA9.0xFE",
            "0251.0376.0251.0376",
            "025177524776",
            "169.254.43518",
            "169.16689662",
            "169.254.169.254.",
            "::ffff:169.254.169.254",
            "::ffff:a9fe:a9fe",
            "0:0:0:0:0:ffff:a9fe:a9fe",
            "[::ffff:169.254.169.254]",
            "fe80::a9fe:a9fe%lo",
            "0",
            "0x0",
            "",
            "169.254.169.254\0.internal",
        ] {
            let place = Destination::granted(&own(), Some((host, 80)), host, 80, egress()).unwrap();
            let dialled = place.connect().await;
            // Whether a name service takes such a spelling is its own affair: nobody is dialled.
            assert!(dialled.is_err(), "{host} was dialled");
            if host.parse::<IpAddr>().is_ok() {
                assert!(matches!(dialled, Err(DialError::NotGranted(_))), "{host}: {dialled:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_name_is_asked_for_once_and_what_was_checked_is_dialled() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let metadata: SocketAddr = "169.254.169.254:80".parse().unwrap();
        let place = |egress| {
            Destination::granted(&own(), Some(("db", here.port())), "db", here.port(), egress).unwrap()
        };
        // A name service that is the attacker's: what it says changes with each question.
        let rebinding = |answers: Vec<Vec<SocketAddr>>| {
            let mut left = answers.into_iter();
            let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
            let count = Arc::clone(&asked);
            let resolve = async move |host: &str, _: u16| {
                assert_eq!(host, "db");
                asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                Ok(left.next().unwrap_or_default())
            };
            (resolve, count)
        };
        let (resolve, asked) = rebinding(vec![vec![here], vec![metadata]]);
        let stream = place(egress()).connect_by(resolve).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), here, "the address that was checked");
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
        // The other way round, where a second question would be answered well.
        let (resolve, asked) = rebinding(vec![vec![metadata], vec![here]]);
        let refused = place(egress()).connect_by(resolve).await;
        assert!(matches!(refused, Err(DialError::NotGranted(_))), "{refused:?}");
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
        // Among several, the allowed ones are dialled and no other.
        let mapped: SocketAddr = format!("[::ffff:169.254.169.254]:{}", here.port()).parse().unwrap();
        let (resolve, _) = rebinding(vec![vec![metadata, mapped, here]]);
        assert_eq!(place(egress()).connect_by(resolve).await.unwrap().peer_addr().unwrap(), here);
        let loopback = Arc::new(Egress::denying(vec!["127.0.0.0/8".parse().unwrap()]));
        let (resolve, _) = rebinding(vec![vec![here, metadata]]);
        let refused = place(loopback).connect_by(resolve).await;
        assert!(matches!(refused, Err(DialError::NotGranted(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn a_plain_connection_goes_through_the_same_door() {
        let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = here.local_addr().unwrap().port();
        let place = |host: &str| TcpPlace::new(host, port).unwrap();
        let grants: Grants = serde_json::from_value(serde_json::json!({
            "tcp": [{"targets": [format!("cache.internal:{port}"), format!("169.254.169.254:{port}")]}],
        }))
        .unwrap();
        let to = |host: &str| Destination::of_tcp(&grants, &place(host), egress()).map(|(to, _)| to);
        for other in ["127.0.0.1", "cache", "internal", "evil.cache.internal", "localhost"] {
            assert!(matches!(to(other), Err(DialError::NotGranted(_))), "{other}");
        }
        let metadata: SocketAddr = format!("169.254.169.254:{port}").parse().unwrap();
        // A name that is granted, of a name service that is the attacker's.
        for answers in [vec![metadata], vec![format!("[::ffff:169.254.169.254]:{port}").parse().unwrap()]] {
            let refused = to("cache.internal").unwrap().connect_by(async move |_: &str, _| Ok(answers)).await;
            assert!(matches!(refused, Err(DialError::NotGranted(_))), "{refused:?}");
        }
        let address = here.local_addr().unwrap();
        let resolve = async move |_: &str, _| Ok(vec![metadata, address]);
        let stream = to("cache.internal").unwrap().connect_by(resolve).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address, "what was checked is dialled");
        // Granted or not: nobody is connected there.
        assert!(matches!(to("169.254.169.254").unwrap().connect().await, Err(DialError::NotGranted(_))));
    }
}
