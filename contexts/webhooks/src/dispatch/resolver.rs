//! Names become addresses once a connection: what was checked is what is connected to, so a name that leads elsewhere a
//! moment later (DNS rebinding) gains nothing.

use crate::model::address::is_public;
use hickory_resolver::{
    ResolverBuilder, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::Name as DnsName,
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// Who is asked for the addresses of a name.
#[derive(Clone)]
pub struct Lookup(Option<TokioResolver>);

impl Lookup {
    /// The DNS servers of this machine, as `/etc/resolv.conf` names them when the process starts.
    pub fn system() -> Self {
        match TokioResolver::builder_tokio().and_then(ResolverBuilder::build) {
            Ok(resolver) => Self(Some(resolver)),
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "no DNS: webhooks reach no names, see /etc/resolv.conf");
                Self::nobody()
            }
        }
    }

    /// This DNS server alone.
    pub fn server(at: SocketAddr) -> Result<Self, NetError> {
        let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
        for connection in &mut connections {
            connection.port = at.port();
        }
        let config = ResolverConfig::from_name_servers(vec![NameServerConfig::new(at.ip(), true, connections)]);
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build()?;
        Ok(Self(Some(resolver)))
    }

    /// Nobody: no name has an address.
    pub const fn nobody() -> Self {
        Self(None)
    }

    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Box<dyn Error + Send + Sync>> {
        let resolver = self.0.as_ref().ok_or("there is no DNS server to ask")?;
        let mut name = DnsName::from_str(name)?;
        // What the organization wrote, and not a name within the domains that this machine searches.
        name.set_fqdn(true);
        Ok(resolver.lookup_ip(name).await?.iter().collect())
    }
}

/// Takes only names all of whose addresses are public.
pub(super) struct Guarded(pub(super) Lookup);

/// A name leads to an address that deliveries may not go to.
#[derive(Debug, thiserror::Error)]
#[error("leads to an address that is not public")]
pub(super) struct NotPublic;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.0.clone();
        Box::pin(async move {
            let addresses = lookup.addresses(name.as_str()).await?;
            if !addresses.iter().all(|address| is_public(*address)) {
                return Err(NotPublic.into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
