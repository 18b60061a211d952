//! Ctrl-C: once stops before the next step, twice ends what runs.

use tokio::{signal, sync::watch, task::JoinHandle};

/// How often it was asked to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<u32>);

/// Counts while it lives.
#[derive(Debug)]
pub(crate) struct Listener(JoinHandle<()>);

impl Stop {
    /// Listens for Ctrl-C; `tell` hears how often it was pressed.
    pub(crate) fn on_ctrl_c(tell: impl Fn(u32) + 'static + Send) -> (Self, Listener) {
        let (sender, receiver) = watch::channel(0);
        let listener = tokio::spawn(async move {
            while signal::ctrl_c().await.is_ok() {
                sender.send_modify(|times| *times += 1);
                tell(*sender.borrow());
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
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}
