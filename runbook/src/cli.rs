//! The words of the command line.

use crate::{
    commands,
    exit::Exit,
    failure::Failure,
    place::Place,
    screen::{Form, Screen},
};
use clap::{Parser, Subcommand, error::ErrorKind};
use std::{env, process::ExitCode};

#[derive(Parser)]
#[command(
    name = "runbook",
    version,
    about = "The deployment runbook as one program",
    after_help = "Examples:\n  runbook init\n  runbook envs\n  runbook doctor production\n\nExit codes:\n  0 done · 1 failed, nothing changed · 2 refused · 64 the command line is wrong"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// How things are said [default: human at a terminal, else plain]
    #[arg(long, global = true, value_enum, hide_possible_values = true, value_name = "human|json|plain")]
    output: Option<Form>,
}

#[derive(Subcommand)]
enum Command {
    /// The environments of runbook.toml, each with its window
    #[command(
        after_help = "Examples:\n  runbook envs\n  runbook envs --output json | jq -r 'select(.window.is_open) | .name'"
    )]
    Envs,
    /// Writes a runbook.toml by looking around: git, kubeconfig, helm/, k8s/, services/
    #[command(
        after_help = "Examples:\n  runbook init\n  runbook init --force    # in the place of the one that is there\n\nReads only this folder, git's remote and the names in your kubeconfig. What cannot be found is a comment in the file."
    )]
    Init {
        /// Also when there is one already
        #[arg(long)]
        force: bool,
    },
    /// Whether this machine and an environment have what the runbook needs; changes nothing
    #[command(
        after_help = "Examples:\n  runbook doctor               # the tools of this machine\n  runbook doctor production    # also cluster, rights, secrets, account, database\n  runbook doctor production --output json | jq -r 'select(.state == \"failed\") | .cure'\n\nExit code 1 when something failed. Each failure is named with what it keeps you from, and its cure."
    )]
    Doctor {
        /// A name in runbook.toml
        #[arg(value_name = "ENV")]
        environment: Option<String>,
    },
    /// Completions for a shell, on standard output
    #[command(
        after_help = "Examples:\n  runbook completions bash > ~/.local/share/bash-completion/completions/runbook\n  runbook completions zsh > ~/.zfunc/_runbook\n  runbook completions fish > ~/.config/fish/completions/runbook.fish"
    )]
    Completions { shell: clap_complete::Shell },
}

/// Parses, runs, and says what went wrong.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return told_by_clap(&error),
    };
    let screen = Screen::find(arguments.output);
    let place = Place::find(screen.clone(), &env::current_dir().unwrap_or_default());
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run(&arguments.command, &place) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.tell(&screen);
            failure.exit.into()
        }
    }
}

/// One thread: a child is told to end with the thread that started it, and this one ends last.
#[tokio::main(flavor = "current_thread")]
async fn run(command: &Command, place: &Place) -> Result<Exit, Failure> {
    match command {
        Command::Envs => commands::envs::run(place),
        Command::Init { force } => commands::init::run(place, *force).await,
        Command::Doctor { environment } => commands::doctor::run(place, environment.as_deref()).await,
        Command::Completions { shell } => {
            Ok(commands::completions(*shell, &mut <Arguments as clap::CommandFactory>::command()))
        }
    }
}

/// Help and version are what was asked for; everything else is a wrong command line.
fn told_by_clap(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done.into(),
        _ => Exit::Usage.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_command_has_examples_and_says_what_it_does() {
        Arguments::command().debug_assert();
        for command in Arguments::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Example") && help.contains("\n  runbook "), "{}", command.get_name());
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }
}
