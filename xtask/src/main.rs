//! How we work: `cargo xtask dev`, `cargo xtask test`, `cargo xtask tidy`.
#![allow(clippy::print_stdout, reason = "a command-line program talks")]

mod bench;
mod chart;
mod client_libraries;
mod cluster;
mod dev;
mod images;
mod kubernetes_tools;
mod manifests;
mod nextest;
mod postgres;
mod release;
mod sbom;
mod schemathesis;
mod stages;
mod tidy;
mod tools;
mod workflows;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Runs, tests and checks the platform",
    after_help = "Examples:\n  cargo xtask dev\n  cargo xtask dev --release -- --port 4000\n  cargo xtask test\n  cargo xtask test locked_account\n  cargo xtask manifests\n  cargo xtask tidy"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds and runs the platform with a private PostgreSQL, on <http://localhost:3000>
    Dev {
        /// Optimised: slower to build, as fast as in production
        #[arg(long)]
        release: bool,
        /// For `platform dev`, such as `--port 4000`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Formatting, lints, house rules, licences, generated files, tests, and generated requests for every operation
    ///
    /// The first failure ends the run. What cannot be done on this machine is counted as not checked; XTASK_REQUIRE
    /// names the stages that fail instead (`test,api`; `all` is all but `advisories`, whose database is elsewhere, and
    /// `images` and `cluster`, which run when they are asked for by `--stage`, by `--long` or in XTASK_REQUIRE; `docker`
    /// means `images`, and any other name is refused).
    #[command(
        after_help = "Examples:\n  cargo xtask test                      every stage\n  cargo xtask test locked_account       only the tests with this in their names\n  cargo xtask test login logout         with either of them\n  cargo xtask test --stage chart        one stage\n  cargo xtask test --stage cluster undo a test of a stage\n  cargo xtask test --long               also what takes long"
    )]
    Test {
        /// Also what takes long
        #[arg(long)]
        long: bool,
        /// Only this stage, as often as you like
        #[arg(long = "stage", value_name = "STAGE", value_parser = clap::builder::PossibleValuesParser::new(stages::names()))]
        stages: Vec<String>,
        /// Runs only the tests with one of these in their names
        #[arg(value_name = "FILTER")]
        filters: Vec<String>,
    },
    /// How fast we are, beside a peer where there is one; writes `bench/results/`
    #[command(
        after_help = "Examples:\n  cargo xtask bench resources --against pocketbase\n  cargo xtask bench analytics\n  cargo xtask bench webhooks"
    )]
    Bench {
        /// What is measured
        #[arg(value_parser = ["resources", "analytics", "webhooks"])]
        what: String,
        /// The peer, where there is one to measure
        #[arg(long, value_parser = ["pocketbase"], required_if_eq("what", "resources"))]
        against: Option<String>,
    },
    /// A real Kubernetes on this machine, without a registry: `tests/cluster/node/README.md`
    #[command(
        after_help = "Examples:\n  cargo xtask cluster up\n  cargo xtask cluster load $(cargo xtask images | tail -n 1)\n  eval \"$(cargo xtask cluster env)\" && kubectl get pods -A\n  cargo xtask cluster down"
    )]
    Cluster {
        #[command(subcommand)]
        ask: cluster::Ask,
    },
    /// Renders the chart: `k8s/production` for kubectl, `helm/golden` to be looked at when it changes
    #[command(after_help = "Examples:\n  cargo xtask manifests\n  cargo xtask manifests --check")]
    Manifests {
        /// Only says what is out of date
        #[arg(long)]
        check: bool,
    },
    /// Installs clients that others wrote, for the tests that run them; prints where they are
    #[command(hide = true)]
    ClientLibraries {
        /// A folder of `tests/clients`
        name: String,
    },
    /// Installs helm and kubectl, for the tests that run them; prints their folder
    #[command(hide = true)]
    KubernetesTools,
    /// Whether a workflow deploys, by GitHub's event and what the cluster runs; for `.github/workflows`
    #[command(
        after_help = "Example:\n  kubectl get deployments --namespace production --output json > deployments.json\n  cargo xtask release-decision production --deployments deployments.json"
    )]
    ReleaseDecision {
        environment: release::Environment,
        /// What `kubectl get deployments --output json` printed
        #[arg(long)]
        deployments: std::path::PathBuf,
    },
    /// Builds the images of the three services, and one file with them that a cluster can load
    ///
    /// By the Docker engine that answers, if it can get the base image. Else, for root, by a private one that ends with
    /// this command, with a stand-in of the base image made from this machine's toolchain. Prints the file's path.
    #[command(
        after_help = "Examples:\n  cargo xtask images\n  cargo xtask images --profile release\n  cargo xtask images --version 0.2.0 --source ../next"
    )]
    Images {
        /// The tag; the version in the sources, when it is not given
        #[arg(long)]
        version: Option<String>,
        /// A folder with the sources
        #[arg(long, default_value = ".")]
        source: std::path::PathBuf,
        /// As published, or faster to compile
        #[arg(long, value_parser = ["release", "release-ci"], default_value = "release-ci")]
        profile: String,
    },
    /// Writes what a release is made of, as CycloneDX; prints the file's path
    Sbom,
    /// The house rules alone: sizes, names, links, the direction of dependencies
    Tidy,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    // Asked when it runs: a compiled-in path would lead to another checkout when two share a target folder.
    let own = std::env::var_os("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
    std::env::set_current_dir(std::path::Path::new(&own).join(".."))?;
    match command {
        Command::Dev { release, arguments } => dev::run(release, &arguments),
        Command::Test { long, stages, filters } => stages::run(&stages::Wanted { long, stages, filters }),
        Command::Bench { what, against } => bench::run(&what, against.as_deref()),
        Command::Manifests { check } => manifests::run(check),
        Command::ClientLibraries { name } => client_libraries::run(&name),
        Command::KubernetesTools => kubernetes_tools::run(),
        Command::ReleaseDecision { environment, deployments } => release::run(environment, &deployments),
        Command::Images { version, source, profile } => {
            images::run(&images::Wanted { version, source, profile, base: None })
        }
        Command::Cluster { ask } => cluster::run(&ask),
        Command::Sbom => sbom::run(),
        Command::Tidy => tidy::run(),
    }
}
