//! The one door to the network for guests: grant, resolve, check the address, connect.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

use pawl_core::function::{Grants, HttpGrant};
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
    // Metadata outside of link-local: Alibaba, Azure, Oracle; Amazon and Google over IPv6.
    Cidr::v4(100, 100, 100, 200, 32),
    Cidr::v4(168, 63, 129, 16, 32),
    Cidr::v4(192, 0, 0, 192, 32),
    Cidr::v6([0xfd00, 0x0ec2, 0], 0x0254, 128),
    Cidr::v6([0xfd20, 0x00ce, 0], 0x0254, 128),
    Cidr::v6([0, 0, 0], 0, 128),
    Cidr::v6([0xfe80, 0, 0], 0, 10),
    Cidr::v6([0xff00, 0, 0], 0, 8),
];

/// The addresses of a host name.
pub type Addresses<'a> = Pin<Box<dyn Future<Output = std::io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Finds the addresses of host names.
pub trait Resolve: Send + Sync + fmt::Debug {
    /// The addresses of `host`, each with `port`.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Addresses<'a>;
}

/// The operating system's way.
#[derive(Clone, Copy, Debug, Default)]
struct SystemNames;

impl Resolve for SystemNames {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Addresses<'a> {
        Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
    }
}

/// The operator's rule on addresses. Loopback and private networks are allowed: Pawl stands beside the databases.
#[derive(Clone, Debug)]
pub struct Egress {
    denied: Vec<Cidr>,
    names: Arc<dyn Resolve>,
}

impl Default for Egress {
    fn default() -> Self {
        Self::denying(Vec::new())
    }
}

impl Egress {
    /// The rule that denies these blocks besides those that are never allowed.
    #[must_use]
    pub fn denying(denied: Vec<Cidr>) -> Self {
        Self { denied, names: Arc::new(SystemNames) }
    }

    /// The same rule, with host names found in another way.
    #[must_use]
    pub fn with_names(mut self, names: Arc<dyn Resolve>) -> Self {
        self.names = names;
        self
    }

    /// Whether a guest may be connected to `address`.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        let denied = |address| NEVER.iter().chain(&self.denied).any(|block| block.contains(address));
        !denied(address) && !embedded(address).is_some_and(|inner| denied(IpAddr::V4(inner)))
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, 6to4, NAT64.
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // `::1` is no IPv4 address, and is the one loopback.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        [0x64, 0xff9b, _, _, _, _, high, low] => Some(v4(high, low)),
        _ => None,
    }
}

/// A place that a function was granted. It exists only after the check, and is dialled as it was checked.
#[derive(Clone, Debug)]
pub struct Destination {
    host: String,
    port: u16,
    egress: Arc<Egress>,
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
            return Ok(Self { host: host.to_owned(), port, egress });
        }
        Err(DialError::NotGranted(format!("the function's grants do not cover {host}:{port}")))
    }

    /// The server that a grant of requests names. A name that is granted may still lead nowhere, by the rule on addresses.
    #[must_use]
    pub fn of_http(grant: &HttpGrant, egress: Arc<Egress>) -> Self {
        Self { host: grant.origin.host().to_owned(), port: grant.origin.port(), egress }
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

    /// Resolves the host, once, checks the addresses, and connects to the first allowed one of them that answers: whatever the
    /// name leads to a moment later.
    ///
    /// # Errors
    /// When the egress rule allows none of the addresses, or none answers.
    pub async fn connect(&self) -> Result<TcpStream, DialError> {
        let resolved = timeout(limits::LOGIN_TIMEOUT, self.egress.names.resolve(&self.host, self.port)).await;
        let addresses: Vec<SocketAddr> = match resolved {
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
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
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
            "8.8.8.8",
        ] {
            assert!(rule.allows(fine.parse().unwrap()), "{fine}");
        }
        let stricter = Egress::denying(vec!["10.0.0.0/8".parse().unwrap()]);
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

    /// Leads to another address at every question.
    #[derive(Debug)]
    struct Rebinding(std::sync::Mutex<Vec<Vec<SocketAddr>>>);

    impl Resolve for Rebinding {
        fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Addresses<'a> {
            let next = self.0.lock().unwrap().pop().unwrap_or_default();
            Box::pin(async move { Ok(next) })
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_elsewhere_after_the_check_is_dialled_where_it_was_checked() {
        let (first, second) = (
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.2:0").await.unwrap(),
        );
        let (fine, denied) = (first.local_addr().unwrap(), second.local_addr().unwrap());
        let rule = || Egress::denying(vec!["127.0.0.2/32".parse().unwrap()]);
        let metadata: SocketAddr = "169.254.169.254:80".parse().unwrap();
        // The answers, the last one first.
        for (answers, reached) in [
            (vec![vec![denied], vec![fine]], Some(fine)),
            (vec![vec![fine], vec![denied]], None),
            (vec![vec![fine], vec![metadata]], None),
            (vec![vec![metadata], vec![denied, metadata, fine]], Some(fine)),
        ] {
            let left = answers.len() - 1;
            let names = Arc::new(Rebinding(std::sync::Mutex::new(answers)));
            let egress = Arc::new(rule().with_names(Arc::clone(&names) as Arc<dyn Resolve>));
            let grant =
                serde_json::json!({"origin": "http://rebind.example", "methods": ["GET"], "paths": ["/"]});
            let grant: HttpGrant = serde_json::from_value(grant).unwrap();
            let stream = Destination::of_http(&grant, egress).connect().await;
            match reached {
                Some(address) => assert_eq!(stream.unwrap().peer_addr().unwrap(), address),
                None => assert!(matches!(stream, Err(DialError::NotGranted(_)))),
            }
            assert_eq!(names.0.lock().unwrap().len(), left, "one question");
        }
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
}
