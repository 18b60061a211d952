//! A door between the pods and a server on this machine: shut, it looks as if the server were away.

use crate::NODE;
use std::sync::Arc;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    task::{AbortHandle, JoinSet},
};

/// Passes connections on to a local port while it is open.
pub struct Gate {
    runtime: Arc<Runtime>,
    to: u16,
    port: u16,
    open: Option<AbortHandle>,
}

impl Gate {
    /// An open one, to a port of loopback.
    pub fn to(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut gate = Self { runtime: Arc::new(runtime), to: port, port: 0, open: None };
        gate.open();
        gate
    }

    /// Where pods find it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets connections in.
    pub fn open(&mut self) {
        let listener = self.runtime.block_on(TcpListener::bind((NODE, self.port))).unwrap();
        self.port = listener.local_addr().unwrap().port();
        self.open = Some(self.runtime.spawn(pass(listener, self.to)).abort_handle());
    }

    /// Ends every connection; new ones are refused.
    pub fn shut(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
        }
    }
}

/// Dropping this future ends the listener and, with the set, every connection.
async fn pass(listener: TcpListener, to: u16) {
    let mut connections = JoinSet::new();
    while let Ok((mut inside, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            if let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await {
                let _ = copy_bidirectional(&mut inside, &mut server).await;
            }
        });
    }
}
