//! Ctrl-C: once stops before the next step, twice ends what runs.

use tokio::{signal, sync::watch, task::JoinHandle};

/// How often it was asked to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<u32>);

/// Counts while it lives.
#[derive(Debug)]
pub(crate) struct Listener(JoinHandle<()>);

impl Stop {
    /// Listens for Ctrl-C, and says what it does.
    pub(crate) fn on_ctrl_c() -> (Self, Listener) {
        let (sender, receiver) = watch::channel(0);
        let listener = tokio::spawn(async move {
            while signal::ctrl_c().await.is_ok() {
                sender.send_modify(|times| *times += 1);
                eprintln!("\n  {}", what(*sender.borrow()));
            }
        });
        (Self(receiver), Listener(listener))
    }

    /// Whether it is to stop before the next step.
    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Whether it is to end at once.
    pub(crate) fn is_asked_twice(&self) -> bool {
        *self.0.borrow() > 1
    }

    /// Ends when it is to end at once.
    pub(crate) async fn asked_twice(&self) {
        let mut times = self.0.clone();
        if times.wait_for(|times| *times > 1).await.is_err() {
            // Nobody listens any more, so nobody asks.
            std::future::pending::<()>().await;
        }
    }

    #[cfg(test)]
    pub(crate) fn never() -> Self {
        Self(watch::channel(0).1)
    }

    /// As often as the sender says.
    #[cfg(test)]
    pub(crate) fn asked_by(sender: &watch::Sender<u32>) -> Self {
        Self(sender.subscribe())
    }
}

fn what(times: u32) -> &'static str {
    match times {
        1 => "stops before the next step; Ctrl-C once more ends this one in the middle",
        _ => "ends what runs",
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}
