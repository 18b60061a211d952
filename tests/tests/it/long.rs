//! What takes long, and wants a machine for itself: `cargo xtask test --long`.

mod webhooks_fairness;
