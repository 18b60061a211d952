//! Tests of the built images: `cargo xtask test --stage images` builds them, starts what they need and runs these.
