//! Where a request comes from: its id, the address behind trusted proxies, the program that sent it.

use axum::extract::{ConnectInfo, FromRequestParts};
use http::{HeaderMap, header, request::Parts};
use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::{Arc, OnceLock},
};
use types::{OrgId, RequestId, UserId};

/// The sender of a request; the outermost layer makes it, any handler can take it.
#[derive(Clone, Debug)]
pub struct Client {
    /// As in `X-Request-Id`.
    pub request_id: RequestId,
    /// The sender's address.
    pub address: IpAddr,
    /// The sender's `User-Agent`, cut to 255 characters.
    pub user_agent: Option<String>,
    /// Who it turned out to be, for the log.
    pub(crate) principal: Arc<OnceLock<Principal>>,
}

/// Whom the log names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Principal {
    pub(crate) user: UserId,
    pub(crate) org: Option<OrgId>,
}

impl Client {
    pub(crate) fn of(parts: &Parts, trusted: &[Network], request_id: RequestId) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical();
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Self {
            request_id,
            address: address_behind(peer, &parts.headers, trusted),
            user_agent: agent.map(|agent| agent.chars().take(255).collect()),
            principal: Arc::default(),
        }
    }

    /// What limits count by: an IPv6 customer has at least a /64.
    pub fn network(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(_) => self.address,
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Without the layer (a router in a unit test) there is nothing to know.
        let known = parts.extensions.get::<Self>().cloned();
        Ok(known.unwrap_or_else(|| Self::of(parts, &[], RequestId(uuid::Uuid::nil()))))
    }
}

/// The rightmost hop of `X-Forwarded-For` that no trusted proxy added; everything left of it can be made up.
fn address_behind(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(*address));
    let mut nearest = peer;
    let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    for hop in hops {
        if !is_trusted(&nearest) {
            break;
        }
        let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
        nearest = address.to_canonical();
    }
    nearest
}

/// A range of addresses, as in `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    length: u8,
}

/// A text that is no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no network as in 10.0.0.0/8 or fd00::/8")]
pub struct NotANetwork;

impl Network {
    /// Whether the address lies within.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let differ = first.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.length)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let differ = first.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.length)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, length) = text.trim().split_once('/').map_or((text.trim(), None), |(a, l)| (a, Some(l)));
        let first: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Ok(most), |length| length.parse().map_err(|_| NotANetwork))?;
        if length > most { Err(NotANetwork) } else { Ok(Self { first, length }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(peer: &str, forwarded: &str, trusted: &[&str]) -> String {
        let trusted: Vec<Network> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let headers = HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), forwarded.parse().unwrap())]);
        address_behind(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn without_trusted_proxies_the_header_is_ignored() {
        assert_eq!(behind("9.9.9.9", "1.1.1.1", &[]), "9.9.9.9");
    }

    #[test]
    fn the_rightmost_hop_outside_the_trusted_ones_counts() {
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        assert_eq!(behind("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.2.3.4", &trusted), "1.1.1.1");
        assert_eq!(behind("10.0.0.1", "6.6.6.6, nonsense", &trusted), "10.0.0.1");
        assert_eq!(behind("fd00::1", "2001:db8::7", &trusted), "2001:db8::7");
        assert_eq!(behind("11.0.0.1", "1.1.1.1", &trusted), "11.0.0.1");
    }

    #[test]
    fn networks_are_parsed_or_refused() {
        assert!("10.0.0.0/8".parse::<Network>().unwrap().contains("10.255.0.1".parse().unwrap()));
        assert!(!"10.0.0.0/8".parse::<Network>().unwrap().contains("11.0.0.1".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("11.0.0.1".parse().unwrap()));
        assert_eq!("10.0.0.0/33".parse::<Network>(), Err(NotANetwork));
        assert_eq!("ten".parse::<Network>(), Err(NotANetwork));
    }
}
