//! The words of the command line.

use crate::{
    commands,
    commands::change::DeployWords,
    exit::Exit,
    failure::Failure,
    place::Place,
    plan::Section,
    run::Words,
    screen::{Form, Screen},
};
use clap::{Parser, Subcommand, error::ErrorKind};
use std::{env, process::ExitCode};

#[derive(Parser)]
#[command(
    name = "runbook",
    version,
    about = "The deployment runbook as one program",
    after_help = "Examples:\n  runbook init\n  runbook envs\n  runbook doctor production\n  runbook build production --version 1.2.4\n  runbook deploy staging --version 1.2.4\n\nExit codes:\n  0 done · 1 failed, nothing changed · 2 refused · 3 failed and rolled back\n  4 needs a person · 5 nothing to do · 6 failed, something changed\n  7 the way back failed · 64 the command line is wrong"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How things are said [default: human at a terminal, else plain]
    #[arg(long, global = true, value_enum, hide_possible_values = true, value_name = "human|json|plain")]
    output: Option<Form>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
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
        after_help = "Examples:\n  runbook doctor               # the tools of this machine\n  runbook doctor production    # also cluster, rights, secrets, database\n  runbook doctor production --output json | jq -r 'select(.cure) | .cure'\n\nExit code 1 when something failed. Each failure is named with what it keeps you from, and its cure."
    )]
    Doctor {
        /// A name in runbook.toml
        #[arg(value_name = "ENV")]
        environment: Option<String>,
    },
    /// The whole change of a deployment before anything happens, and a hash by which it is applied as shown
    #[command(
        after_help = "Examples:\n  runbook plan staging --version 1.2.4\n  runbook plan staging --version 1.2.4 --output json | tail -1 | jq -r .hash\n\nChanges nothing. Commands, what undoes them, migrations, and what is done should the rollout fail."
    )]
    Plan(DeployWords),
    /// Steps 3 to 6: backup, migrations, rollout, verification, smoke tests
    #[command(
        after_help = "Examples:\n  runbook deploy staging --version 1.2.4\n  runbook deploy staging --version 1.2.4 --plan HASH\n  runbook deploy production --version 1.2.4 --environment-name production\n  runbook deploy production --version 1.2.5 --hotfix --reason \"sign-in is down\"\n\nA rollout that is sure to fail is ended and rolled back. Ctrl-C stops before the next step."
    )]
    Deploy {
        #[command(flatten)]
        words: DeployWords,
        /// Only this plan, as `runbook plan` printed it
        #[arg(long, value_name = "HASH")]
        plan: Option<String>,
        /// Outside the window; needs --reason
        #[arg(long, requires = "reason")]
        hotfix: bool,
    },
    /// Step 5, of what runs now: every pod's version, the world's view of it, endpoints, logs
    #[command(
        after_help = "Examples:\n  runbook verify production\n  runbook verify production --output json | jq 'select(.state == \"failed\")'"
    )]
    Verify {
        /// A name in runbook.toml
        #[arg(value_name = "ENV")]
        environment: String,
    },
    /// Step 6: the smoke test, 8 of 8
    #[command(after_help = "Examples:\n  runbook smoke staging    # with EAP_SMOKE_KEY in the environment")]
    Smoke {
        /// A name in runbook.toml
        #[arg(value_name = "ENV")]
        environment: String,
    },
    /// Rollback options 1 and 2: to the last version that was seen to work
    #[command(
        after_help = "Examples:\n  runbook rollback staging\n  runbook rollback production --to 41 --reason \"errors at sign-in\"\n  runbook rollback staging --via kubectl\n\nRefused, with the ways out, when the older version could not start on the schema as it is."
    )]
    Rollback {
        #[command(flatten)]
        words: Words,
        /// A revision of helm, as `helm history` numbers them
        #[arg(long, value_name = "REVISION")]
        to: Option<u32>,
    },
    /// Goes on with a run that was interrupted, here or on a colleague's machine
    #[command(after_help = "Examples:\n  runbook resume 20250117-140000-3f2a")]
    Resume {
        /// As `runbook runs` lists them
        run: String,
        /// Says yes in advance by naming the environment; nothing is asked then
        #[arg(long, value_name = "ENV")]
        environment_name: Option<String>,
    },
    /// Step 2.2: the current and the next version; with --write, the release commit
    #[command(
        after_help = "Examples:\n  runbook version\n  runbook version --write    # one commit, of all that has a version in it\n  runbook version --output json | jq -r .new\n\nThe next version comes after every tag of git, the workspace's version and every tag of an image in a registry of runbook.toml.\nExit code 5: HEAD is the release commit already. 2: files are changed, HEAD is behind origin, or the version is of another commit."
    )]
    Version {
        /// Makes the release commit, which is pushed by you
        #[arg(long)]
        write: bool,
    },
    /// Step 2: the images of a release commit, built and pushed once each
    #[command(
        after_help = "Examples:\n  runbook build --version 1.2.4               # images as they are written\n  runbook build production --version 1.2.4    # for the registry of production\n\nThe release commit has to be checked out: runbook version --write. An image that is there with the same commit in its label is kept; with another one it is refused. `latest` stays where it is.\nKilled or failed at any moment, the same command goes on. Exit code 5: all images are in the registry. 6: some are built or pushed, some are not."
    )]
    Build {
        /// A name in runbook.toml, whose registry the images are for
        #[arg(value_name = "ENV")]
        environment: Option<String>,
        /// As `runbook version` says it, without a v
        #[arg(long, value_name = "X.Y.Z")]
        version: semver::Version,
    },
    /// The runs that are written down here and, with an environment, in its cluster; the newest first
    #[command(
        after_help = "Examples:\n  runbook runs\n  runbook runs production    # also those of colleagues\n  runbook runs --output json | jq -r 'select(.state == \"failed\") | .run'"
    )]
    Runs {
        /// A name in runbook.toml
        #[arg(value_name = "ENV")]
        environment: Option<String>,
    },
    /// One run: its steps under the document's headings, what shows that they were done, and what failed
    #[command(
        after_help = "Examples:\n  runbook show 20250117-140000-3f2a\n  runbook show 20250117-140000-3f2a --output json | jq -r .evidence"
    )]
    Show {
        /// As `runbook runs` lists them
        run: String,
    },
    /// Follows a run until it ends; Ctrl-C leaves it alone and ends only this
    #[command(after_help = "Examples:\n  runbook attach 20250117-140000-3f2a\n\nThe exit code is the run's own.")]
    Attach {
        /// As `runbook runs` lists them
        run: String,
    },
    /// Agrees to a run that somebody else began
    #[command(
        after_help = "Examples:\n  runbook approve 20250117-140000-3f2a\n\nYou are who the cluster says that you are (kubectl auth whoami), and have to be another one than whoever began it."
    )]
    Approve {
        /// As `runbook runs ENV` lists them
        run: String,
    },
    /// Who may change an environment now
    #[command(subcommand, after_help = "Examples:\n  runbook lock status production")]
    Lock(Lock),
    /// Completions for a shell, on standard output
    #[command(
        after_help = "Examples:\n  runbook completions bash > ~/.local/share/bash-completion/completions/runbook\n  runbook completions zsh > ~/.zfunc/_runbook\n  runbook completions fish > ~/.config/fish/completions/runbook.fish"
    )]
    Completions {
        /// The one that you type into
        shell: clap_complete::Shell,
    },
}

#[derive(Subcommand)]
pub(crate) enum Lock {
    /// Who holds an environment's lock, since when and at which step
    #[command(
        after_help = "Examples:\n  runbook lock status production\n  runbook lock status production --output json | jq -r .run"
    )]
    Status {
        /// A name in runbook.toml
        #[arg(value_name = "ENV")]
        environment: String,
    },
    /// Takes it from a run that hangs; not while helm is at work for a run that lives
    #[command(after_help = "Examples:\n  runbook lock steal production --reason \"ada's laptop is gone\"")]
    Steal {
        /// A name in runbook.toml
        #[arg(value_name = "ENV")]
        environment: String,
        /// For the one it is taken from, and whoever looks later
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
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
        Command::Plan(words) => commands::change::plan(place, words).await,
        Command::Deploy { words, plan, hotfix } => {
            commands::change::deploy(place, words, plan.as_deref(), *hotfix).await
        }
        Command::Verify { environment } => commands::verify::run(place, environment, &[Section::Verify]).await,
        Command::Smoke { environment } => commands::verify::run(place, environment, &[Section::Smoke]).await,
        Command::Rollback { words, to } => commands::change::rollback(place, words, *to).await,
        Command::Resume { run, environment_name } => {
            commands::change::resume(place, run, environment_name.as_deref()).await
        }
        Command::Version { write } => commands::version::run(place, *write).await,
        Command::Build { environment, version } => commands::build::run(place, environment.as_deref(), version).await,
        Command::Runs { environment } => commands::runs::run(place, environment.as_deref()).await,
        Command::Show { run } => commands::show::run(place, run).await,
        Command::Attach { run } => commands::attach::run(place, run).await,
        Command::Approve { run } => commands::approve::run(place, run).await,
        Command::Lock(Lock::Status { environment }) => commands::lock::status(place, environment).await,
        Command::Lock(Lock::Steal { environment, reason }) => commands::lock::steal(place, environment, reason).await,
        Command::Completions { shell } => {
            Ok(commands::completions(*shell, &mut <Arguments as clap::CommandFactory>::command()))
        }
    }
}

/// Help and version are what was asked for; everything else is a wrong command line.
fn told_by_clap(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return Exit::Done.into();
    }
    if is_for_programs(env::args()) {
        let screen = Screen::find(Some(Form::Json));
        in_our_words(error).tell(&screen);
    } else {
        let _ = error.print();
    }
    Exit::Usage.into()
}

/// What could not be parsed may still say who reads the answer.
fn is_for_programs(words: impl Iterator<Item = String>) -> bool {
    let words: Vec<_> = words.collect();
    words.iter().any(|word| word == "--output=json") || words.windows(2).any(|pair| pair == ["--output", "json"])
}

/// Its first line says what is wrong, and the next but one what is missing, or what was probably meant.
fn in_our_words(error: &clap::Error) -> Failure {
    let said = error.to_string();
    let mut parts = said.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let what = parts.next().unwrap_or_default();
    let what = what.strip_prefix("error: ").unwrap_or("a command is missing").to_owned();
    let tip = parts.find_map(|part| part.strip_prefix("tip: ").map(str::to_owned));
    Failure::usage(what).cured_by(tip.unwrap_or_else(|| "runbook --help".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    /// This one and all below it.
    fn commands(command: &clap::Command) -> Vec<&clap::Command> {
        std::iter::once(command).chain(command.get_subcommands().flat_map(commands)).collect()
    }

    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        help.lines().filter_map(|line| line.strip_prefix("  runbook")).map(|line| format!("runbook{line}")).collect()
    }

    #[test]
    fn every_command_says_what_it_does_and_every_word_what_it_means() {
        Arguments::command().debug_assert();
        for command in commands(&Arguments::command()) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name}");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{name}: {}", argument.get_id());
            }
        }
    }

    #[test]
    fn every_command_has_examples_that_are_right() {
        for command in commands(&Arguments::command()) {
            let examples = examples(command);
            assert!(!examples.is_empty(), "{}", command.get_name());
            for example in examples {
                // What a shell does with the output is not ours.
                let words = example.split(['|', '>']).next().and_then(shlex::split).unwrap();
                let parsed = Arguments::try_parse_from(&words);
                assert!(parsed.is_ok(), "{example}: {}", parsed.err().unwrap());
            }
        }
    }

    #[test]
    fn help_fits_a_terminal_of_eighty_columns() {
        for command in commands(&Arguments::command()) {
            let mut command = command.clone().term_width(80);
            let help = command.render_long_help().to_string();
            for line in help.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
            }
            for example in examples(&command) {
                assert!(help.lines().any(|line| line.trim() == example), "{example} was wrapped: {help}");
            }
        }
    }

    #[test]
    fn a_wrong_command_line_is_told_to_programs_in_their_form() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(is_for_programs(words("runbook x --output json").into_iter()));
        assert!(is_for_programs(words("runbook --output=json").into_iter()));
        assert!(!is_for_programs(words("runbook json --output plain").into_iter()));
        let told = |line: &str| {
            let failure = in_our_words(&Arguments::try_parse_from(words(line)).err().unwrap());
            format!("{} | {}", failure.what, failure.cure.unwrap_or_default())
        };
        insta::assert_snapshot!(told("runbook doctr"), @"unrecognized subcommand 'doctr' | a similar subcommand exists: 'doctor'");
        insta::assert_snapshot!(told("runbook deploy staging"), @"the following required arguments were not provided: --version <X.Y.Z> | runbook --help");
        insta::assert_snapshot!(told("runbook deploy staging --version 1"), @r#"invalid value '1' for '--version <X.Y.Z>': "1" is no version such as 1.2.4 | runbook --help"#);
        insta::assert_snapshot!(told("runbook"), @"a command is missing | runbook --help");
    }
}
