//! A door in front of a server: it passes everything on, remembers what was asked, and can hold a request in its middle.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

/// So much of a request that is held has passed: the server has a part of it, and waits for the rest.
const PART: usize = 256 * 1024;
const PATIENCE: Duration = Duration::from_mins(2);

/// Open until a request is to be held.
pub(crate) struct Door {
    /// Where the server is found by way of it.
    pub(crate) address: String,
    inside: Arc<Inside>,
}

#[derive(Default)]
struct Inside {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    /// The first lines of requests.
    asked: Vec<String>,
    /// How a request begins that is held.
    holds: Option<String>,
    is_holding: bool,
}

impl Door {
    pub(crate) fn before(server: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (inside, server) = (Arc::new(Inside::default()), server.to_owned());
        let of_door = Arc::clone(&inside);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (inside, server) = (Arc::clone(&of_door), server.clone());
                thread::spawn(move || inside.pass(client, &server));
            }
        });
        Self { address, inside }
    }

    /// Holds the next request that begins so.
    pub(crate) fn hold(&self, request: &str) {
        self.inside.seen.lock().unwrap().holds = Some(request.to_owned());
    }

    pub(crate) fn wait_until_it_holds(&self) {
        let seen = self.inside.seen.lock().unwrap();
        let waited = self.inside.changed.wait_timeout_while(seen, PATIENCE, |seen| !seen.is_holding);
        assert!(!waited.unwrap().1.timed_out(), "nothing came to be held");
    }

    /// Ends what is held, and holds nothing any more.
    pub(crate) fn open(&self) {
        self.inside.seen.lock().unwrap().is_holding = false;
        self.inside.changed.notify_all();
    }

    /// How many requests began so.
    pub(crate) fn count(&self, request: &str) -> usize {
        self.inside.seen.lock().unwrap().asked.iter().filter(|asked| asked.starts_with(request)).count()
    }
}

impl Inside {
    /// Requests of a connection come one after the other, so each begins with what is read next.
    fn pass(&self, mut client: TcpStream, server: &str) {
        let Ok(mut server) = TcpStream::connect(server) else { return };
        let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || {
            let _ = io::copy(&mut answers, &mut back);
            let _ = back.shutdown(Shutdown::Both);
        });
        let mut bytes = vec![0; 16 * 1024];
        let mut left = None;
        while let Ok(read @ 1..) = client.read(&mut bytes) {
            if let Some(line) = first_line(&bytes[..read]) {
                left = self.is_held(line).then_some(PART);
            }
            if server.write_all(&bytes[..read]).is_err() {
                break;
            }
            left = left.map(|left: usize| left.saturating_sub(read));
            if left == Some(0) {
                self.wait_until_opened();
                break;
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    }

    fn is_held(&self, line: &str) -> bool {
        let mut seen = self.seen.lock().unwrap();
        seen.asked.push(line.to_owned());
        seen.holds.take_if(|wanted| line.starts_with(&**wanted)).is_some()
    }

    fn wait_until_opened(&self) {
        let mut seen = self.seen.lock().unwrap();
        seen.is_holding = true;
        self.changed.notify_all();
        drop(self.changed.wait_while(seen, |seen| seen.is_holding).unwrap());
    }
}

/// Of a request; none: these bytes are of a body.
fn first_line(bytes: &[u8]) -> Option<&str> {
    let line = str::from_utf8(bytes.split(|byte| *byte == b'\r').next()?).ok()?;
    line.ends_with(" HTTP/1.1").then_some(line)
}
