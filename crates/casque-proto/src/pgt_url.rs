//! The proxy callback: where a CAS server sends a proxy-granting ticket.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::encode::push_pair;
use crate::registry_url::{Parts, RegistryUrl};
use crate::service_url::{ServiceUrlError, join};
use crate::ticket::{ProxyGrantingTicket, ProxyGrantingTicketIou};

/// A `pgtUrl` that a server may call: the strict syntax of [`RegistryUrl`](crate::RegistryUrl), and `https` (R-188, R-193).
///
/// Whether the service may use it is the server's to decide, and the addresses of its host are the server's to look up:
/// [`may_call`](Self::may_call) judges them.
///
/// ```
/// # use casque_proto::{PgtUrl, ProxyGrantingTicket, ProxyGrantingTicketIou};
/// let callback = PgtUrl::parse("https://app.example.org/cb?x=1")?;
/// let (iou, pgt) = (ProxyGrantingTicketIou::parse("PGTIOU-1-i")?, ProxyGrantingTicket::parse("PGT-1-p")?);
/// assert_eq!(callback.with_tickets(&iou, &pgt), "https://app.example.org/cb?x=1&pgtIou=PGTIOU-1-i&pgtId=PGT-1-p");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PgtUrl {
    text: String,
    parts: Parts,
}

impl PgtUrl {
    /// Reads a `pgtUrl`.
    ///
    /// As in a service, parameters named exactly `ticket` are dropped; a disguise of it, and `SAMLart`, are refused.
    ///
    /// # Errors
    ///
    /// [`ServiceUrlError`] names the rule.
    pub fn parse(text: &str) -> Result<Self, ServiceUrlError> {
        Self::of(RegistryUrl::parse(text)?, false)
    }

    /// The same, and plain `http` where the host is the machine itself: for development and tests (R-193).
    ///
    /// # Errors
    ///
    /// [`ServiceUrlError`] names the rule.
    pub fn parse_allowing_http_on_loopback(text: &str) -> Result<Self, ServiceUrlError> {
        let url = RegistryUrl::parse(text)?;
        let is_loopback = url.is_loopback();
        Self::of(url, is_loopback)
    }

    fn of(url: RegistryUrl, http: bool) -> Result<Self, ServiceUrlError> {
        if !url.is_https() && !http {
            return Err(ServiceUrlError::Scheme);
        }
        Ok(Self {
            text: url.as_str().to_owned(),
            parts: url.into_parts(),
        })
    }

    /// The exact text, less its parameters named `ticket`, as it appears in `proxies` (R-126).
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host, and the port unless it is the default one.
    pub fn origin(&self) -> String {
        self.parts.origin()
    }

    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.parts.https
    }

    /// The host in lower case; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.parts.host
    }

    /// The port, the default of the scheme included.
    pub fn port(&self) -> u16 {
        self.parts.port
    }

    /// Whether the host is the machine itself: `localhost`, a name below it, `127.0.0.0/8` or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        self.parts.is_loopback()
    }

    /// Whether a server may connect to this host, which has these `addresses` (S-052).
    ///
    /// Every one of them has to be globally routable. With `allow_private`, those of private networks will do: RFC 1918,
    /// RFC 6598 (`100.64.0.0/10`) and `fc00::/7`. The machine itself, its link and the metadata services of clouds never
    /// do. No address is no permission. An IPv4 address inside an IPv6 one, mapped or by NAT64, is judged as IPv4.
    ///
    /// Connect to one of these addresses and no other: a second look-up may answer otherwise.
    ///
    /// ```
    /// # use casque_proto::PgtUrl;
    /// let callback = PgtUrl::parse("https://app.example.org/cb")?;
    /// assert!(callback.may_call(&["93.184.216.34".parse()?], false));
    /// assert!(!callback.may_call(&["93.184.216.34".parse()?, "10.0.0.5".parse()?], false));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn may_call(&self, addresses: &[IpAddr], allow_private: bool) -> bool {
        let may = |address: &IpAddr| match reach(*address) {
            Reach::Global => true,
            Reach::Private => allow_private,
            Reach::Never => false,
        };
        let host = &self.parts.host;
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse();
        !addresses.is_empty()
            && !self.parts.is_loopback()
            && literal.as_ref().map_or(true, may)
            && addresses.iter().all(may)
    }

    /// The address to call (R-194, R-195).
    pub fn with_tickets(&self, iou: &ProxyGrantingTicketIou, pgt: &ProxyGrantingTicket) -> String {
        let before = format!("{}{}", self.parts.origin(), self.parts.path);
        let mut url = join(&before, self.parts.query.as_deref(), None);
        push_pair(&mut url, "pgtIou", iou.secret());
        push_pair(&mut url, "pgtId", pgt.secret());
        url
    }
}

impl fmt::Debug for PgtUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PgtUrl")
            .field(&format_args!("{}{}", self.parts.origin(), self.parts.path))
            .finish()
    }
}

/// How far an address reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Global,
    Private,
    Never,
}

fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(embedded) => reach_v4(embedded),
            None => reach_v6(address),
        },
    }
}

/// The special-purpose registry of IANA, and addresses at which clouds answer questions about themselves.
fn reach_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        // Metadata of Alibaba, and the host agent of Azure, which is reachable at a public address.
        [100, 100, 100, 200]
        | [168, 63, 129, 16]
        // This network, loopback, link-local, multicast, reserved and broadcast.
        | [0 | 127 | 224.., ..]
        | [169, 254, ..]
        // Protocol assignments (Oracle's metadata among them), 6to4 relays, benchmarks, documentation.
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Reach::Never,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Reach::Private,
        _ => Reach::Global,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    match address.segments() {
        // Protocol assignments with Teredo, documentation, 6to4, documentation; metadata of AWS and of Google.
        [0x2001, 0..=0x01ff | 0x0db8, ..]
        | [0x2002, ..]
        | [0x3fff, 0..=0x0fff, ..]
        | [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254]
        | [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x254] => Reach::Never,
        [0x2000..=0x3fff, ..] => Reach::Global,
        [0xfc00..=0xfdff, ..] => Reach::Private,
        // Outside 2000::/3 nothing else is given out.
        _ => Reach::Never,
    }
}

/// The IPv4 address in `::ffff:0:0/96` or `64:ff9b::/96`.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(address: &str) -> (bool, bool) {
        let url = PgtUrl::parse("https://app.example.org/cb").unwrap();
        let address = [address.parse().unwrap()];
        (url.may_call(&address, false), url.may_call(&address, true))
    }

    #[test]
    fn only_global_addresses_are_called() {
        // S-052
        for address in [
            "93.184.216.34",
            "100.63.255.255",
            "172.32.0.1",
            "2606:4700::1111",
            "::ffff:93.184.216.34",
            "64:ff9b::5db8:d822",
        ] {
            assert_eq!(may(address), (true, true), "{address}");
        }
        for address in [
            "10.0.0.5",
            "172.31.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "fd12::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
        ] {
            assert_eq!(may(address), (false, true), "{address}");
        }
        for address in [
            "0.0.0.0",
            "127.0.0.1",
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert_eq!(may(address), (false, false), "{address}");
        }
    }

    #[test]
    fn every_address_counts_and_so_does_the_host() {
        // S-052
        let global = ["93.184.216.34".parse().unwrap()];
        let url = PgtUrl::parse("https://app.example.org/cb").unwrap();
        assert!(!url.may_call(&[], true));
        assert!(!url.may_call(&[global[0], "10.0.0.5".parse().unwrap()], false));
        for host in ["localhost", "127.0.0.1", "[::1]", "169.254.169.254"] {
            let url = PgtUrl::parse(&format!("https://{host}/")).unwrap();
            assert!(!url.may_call(&global, true), "{host}");
        }
    }

    #[test]
    fn plain_http_goes_no_further_than_this_machine() {
        // R-193
        let parse = PgtUrl::parse_allowing_http_on_loopback;
        let url = parse("http://127.0.0.1:8000/cb").unwrap();
        assert!(!url.is_https() && url.is_loopback());
        assert_eq!((url.host(), url.port()), ("127.0.0.1", 8000));
        assert!(parse("http://localhost/cb").is_ok() && parse("https://[::1]/cb").is_ok());
        for text in [
            "http://app.example.org/cb",
            "http://10.0.0.5/",
            "ftp://localhost/",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("https://app.example.org/cb").is_ok());
        assert!(PgtUrl::parse("http://localhost/cb").is_err());
    }

    #[test]
    fn parameters_named_like_a_ticket_are_treated_as_in_a_service() {
        // S-052, R-047
        for query in ["SAMLart=x", "Ticket=x", "a=b;ticket=x", "%74icket=x"] {
            let url = PgtUrl::parse(&format!("https://app.example.org/cb?{query}"));
            assert_eq!(url, Err(ServiceUrlError::TicketParameter), "{query}");
        }
        let url = PgtUrl::parse("https://app.example.org/cb?ticket=x&a=b").unwrap();
        assert_eq!(url.as_str(), "https://app.example.org/cb?a=b");
    }
}
