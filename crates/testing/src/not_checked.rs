//! What a test cannot do on this machine.

use std::{env, fs::OpenOptions, io::Write as _};

/// Names the file that `cargo xtask test` reads what was not checked from, a line each.
pub const NOT_CHECKED: &str = "XTASK_NOT_CHECKED";

/// Says what a test needs and this machine does not allow: a failure where `XTASK_REQUIRE` has `all`, `test`, or the
/// name of what it is about, as in `postgres`; elsewhere a line in the closing line of `cargo xtask test`.
pub fn not_checked(about: &str, why: &str) {
    let required = env::var("XTASK_REQUIRE").unwrap_or_default();
    let is_required = required.split(',').any(|name| ["all", "test", about].contains(&name));
    assert!(!is_required, "{why}, and XTASK_REQUIRE asks for it");
    if let Some(file) = env::var_os(NOT_CHECKED) {
        let mut file =
            OpenOptions::new().create(true).append(true).open(file).expect("the list of what was not checked");
        // At once: other tests write to it meanwhile.
        file.write_all(format!("{why}\n").as_bytes()).expect("a line of what was not checked");
    }
}
