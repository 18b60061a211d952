//! `platform`: one binary, many commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    platform::cli::main()
}
