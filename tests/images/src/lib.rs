//! Tests of the built images: `cargo xtask images --test` builds them, starts what they need and runs these.
