//! Something on this machine that nobody may reach.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::net::TcpListener;

/// Its port, and how many connections it has seen.
pub async fn trap() -> (u16, Arc<AtomicUsize>) {
    let (reached, mut port) = (Arc::<AtomicUsize>::default(), 0);
    // The same port of both families; not every machine has the second one.
    for address in ["127.0.0.1", "::1"] {
        let Ok(listener) = TcpListener::bind((address, port)).await else { continue };
        port = listener.local_addr().unwrap().port();
        let counter = Arc::clone(&reached);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, Relaxed);
            }
        });
    }
    (port, reached)
}
