//! Names become addresses once a connection: what was checked is what is connected to, so a name that leads elsewhere a
//! moment later (DNS rebinding) gains nothing.

use crate::model::address::is_public;
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tokio::net::lookup_host;

type Addresses = io::Result<Vec<IpAddr>>;

/// How a name becomes addresses.
#[derive(Clone)]
pub struct Lookup(Arc<dyn Fn(String) -> BoxFuture<'static, Addresses> + Send + Sync>);

impl Lookup {
    /// As this machine does it.
    pub fn system() -> Self {
        Self::by(|name| Box::pin(async move { Ok(lookup_host((name, 0)).await?.map(|found| found.ip()).collect()) }))
    }

    /// In another way.
    pub fn by(lookup: impl Fn(String) -> BoxFuture<'static, Addresses> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
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
        let found = (self.0.0)(name.as_str().to_owned());
        Box::pin(async move {
            let addresses = found.await?;
            if !addresses.iter().all(|address| is_public(*address)) {
                return Err(NotPublic.into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
