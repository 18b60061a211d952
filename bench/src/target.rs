//! A server under load: how each operation is written there, and whose CPU it costs.

use crate::{cpu, wire::Call};
use anyhow::Result;
use hyper::Method;
use std::{
    fmt,
    net::SocketAddr,
    process::{Child, Command},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Get,
    List,
}

impl Operation {
    pub(crate) const ALL: [Self; 3] = [Self::Create, Self::Get, Self::List];
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::List => "list 20",
        })
    }
}

pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) authorization: String,
    /// A fresh credential.
    pub(crate) sign_in: Option<Box<dyn Fn() -> Result<String> + Send + Sync>>,
    /// Where records are created, and where each is found under its id.
    pub(crate) records: &'static str,
    pub(crate) list: &'static str,
    /// The body that creates the record of this number.
    pub(crate) body: fn(usize) -> String,
    pub(crate) ids: Vec<String>,
    pub(crate) server: Server,
}

impl Target {
    pub(crate) fn call(&self, operation: Operation, number: usize) -> Call {
        match operation {
            Operation::Create => {
                Call { method: Method::POST, path: self.records.to_owned(), body: (self.body)(number) }
            }
            Operation::Get => {
                // A stride that is coprime to the number of rows visits them all in no order.
                let id = &self.ids[number.wrapping_mul(7_919) % self.ids.len()];
                Call { method: Method::GET, path: format!("{}/{id}", self.records), body: String::new() }
            }
            Operation::List => Call { method: Method::GET, path: self.list.to_owned(), body: String::new() },
        }
    }

    pub(crate) fn sign_in(&mut self) -> Result<()> {
        if let Some(sign_in) = &self.sign_in {
            self.authorization = sign_in()?;
        }
        Ok(())
    }

    pub(crate) fn cpu(&self) -> Result<cpu::Spent> {
        cpu::of(self.server.0.id())
    }
}

/// A process that is asked to stop when dropped, and waited for.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.spawn()?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not SIGKILL: the server stops what it started itself.
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}
