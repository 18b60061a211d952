//! `runbook`: the deployment runbook as one program.

use std::process::ExitCode;

fn main() -> ExitCode {
    runbook::main()
}
