//! Who is calling: the network a request comes from (S-060, S-082).

use std::net::IpAddr;
use std::net::SocketAddr;

use http::HeaderMap;
use ipnet::IpNet;
use ipnet::Ipv4Net;
use ipnet::Ipv6Net;

/// The address at the other end of the connection, put into the request's extensions by
/// [`Server::serve`](crate::Server::serve).
///
/// Whoever calls the router without it, as tests do, inserts one to have requests throttled by
/// network; without it all requests share one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The address of the browser: the peer, or what the listed proxies say about it.
///
/// `X-Forwarded-For` is read from the right; the first address that is not a listed proxy is the
/// client. A value that is no address ends the walk at the last proxy, never at a guess.
pub(crate) fn client_address(
    peer: Option<Peer>,
    headers: &HeaderMap,
    trusted: &[IpNet],
) -> Option<IpAddr> {
    let mut client = peer?.0.ip().to_canonical();
    let lines: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .map(|line| line.to_str().unwrap_or("?"))
        .collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !trusted.iter().any(|net| net.contains(&client)) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(address) => client = address.to_canonical(),
            Err(_) => break,
        }
    }
    Some(client)
}

/// Whether the request comes through a proxy on this host that is not listed: everybody shares its
/// address, and a count for that one would shut everybody out. Nobody from outside is a loopback
/// peer.
pub(crate) fn is_unlisted_proxy(
    peer: Option<Peer>,
    headers: &HeaderMap,
    trusted: &[IpNet],
) -> bool {
    let Some(Peer(peer)) = peer else {
        return false;
    };
    let address = peer.ip().to_canonical();
    address.is_loopback()
        && headers.contains_key("x-forwarded-for")
        && !trusted.iter().any(|net| net.contains(&address))
}

/// The network that failed logins are counted for: /24 or /64.
pub(crate) fn network(address: Option<IpAddr>) -> String {
    match address {
        Some(IpAddr::V4(v4)) => Ipv4Net::new(v4, 24)
            .expect("24 is a prefix length")
            .trunc()
            .to_string(),
        Some(IpAddr::V6(v6)) => Ipv6Net::new(v6, 64)
            .expect("64 is a prefix length")
            .trunc()
            .to_string(),
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().expect("header"));
        }
        let trusted = [
            "10.0.0.0/8".parse().expect("net"),
            "fd00::/8".parse().expect("net"),
        ];
        let peer = Peer(SocketAddr::new(peer.parse().expect("address"), 1));
        client_address(Some(peer), &headers, &trusted)
            .expect("has a peer")
            .to_string()
    }

    #[test]
    fn only_listed_proxies_speak_for_others() {
        assert_eq!(client("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn the_rightmost_stranger_is_the_client() {
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.9"]),
            "198.51.100.1"
        );
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1", "198.51.100.1"]),
            "198.51.100.1"
        );
        assert_eq!(client("10.0.0.1", &["1.1.1.1, nonsense"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn unlisted_proxies_are_on_loopback() {
        // S-060
        let listed = ["127.0.0.1/32".parse().expect("net")];
        for (peer, forwarded, trusted, expected) in [
            ("127.0.0.1:1", true, &[][..], true),
            ("[::1]:1", true, &[], true),
            ("[::1]:1", true, &listed, true),
            ("[::ffff:127.0.0.1]:1", true, &[], true),
            ("127.0.0.1:1", true, &listed, false),
            ("127.0.0.1:1", false, &[], false),
            ("203.0.113.7:1", true, &[], false),
        ] {
            let mut headers = HeaderMap::new();
            if forwarded {
                headers.insert("x-forwarded-for", "198.51.100.1".parse().expect("header"));
            }
            let peer = Peer(peer.parse().expect("address"));
            assert_eq!(
                is_unlisted_proxy(Some(peer), &headers, trusted),
                expected,
                "{peer:?}"
            );
        }
    }

    #[test]
    fn networks_are_24_and_64() {
        assert_eq!(network("198.51.100.77".parse().ok()), "198.51.100.0/24");
        assert_eq!(
            network("2001:db8:1:2:3::4".parse().ok()),
            "2001:db8:1:2::/64"
        );
        assert_eq!(network(None), "unknown");
    }
}
