//! "Required Tools": each by the document's own line, with the steps that need it.

use super::{Finding, Group, LIMIT};
use crate::programs::{Call, CallError};
use regex::Regex;
use runbook_file::{Environment, Tools};
use semver::Version;
use std::sync::LazyLock;

/// A program that the runbook drives.
pub(crate) struct Tool {
    name: &'static str,
    /// As the document asks for it.
    arguments: &'static [&'static str],
    /// None: any.
    minimum: Option<Version>,
    /// What cannot be done without it.
    steps: &'static str,
    of: Of,
}

/// For what kind of environment.
#[derive(PartialEq, Eq)]
enum Of {
    Any,
    Cluster,
    Amazon,
}

/// The document's list, and git and gh, which its steps use too.
static TOOLS: [Tool; 7] = [
    Tool { name: "git", arguments: &["--version"], minimum: None, steps: "Steps 2 and 7", of: Of::Any },
    Tool {
        name: "docker",
        arguments: &["--version"],
        minimum: Some(Version::new(24, 0, 0)),
        steps: "Step 2",
        of: Of::Any,
    },
    Tool {
        name: "helm",
        arguments: &["version"],
        minimum: Some(Version::new(3, 12, 0)),
        steps: "Step 4 and Rollback Option 1",
        of: Of::Cluster,
    },
    Tool {
        name: "kubectl",
        arguments: &["version", "--client"],
        minimum: Some(Version::new(1, 28, 0)),
        steps: "Steps 4 and 5, and every rollback",
        of: Of::Cluster,
    },
    Tool {
        name: "aws",
        arguments: &["--version"],
        minimum: Some(Version::new(2, 13, 0)),
        steps: "Step 3.4 and Rollback Option 3",
        of: Of::Amazon,
    },
    Tool { name: "gh", arguments: &["--version"], minimum: None, steps: "Step 7.2", of: Of::Any },
    Tool {
        name: "terraform",
        arguments: &["version"],
        minimum: Some(Version::new(1, 5, 0)),
        steps: "infra/ alone",
        of: Of::Amazon,
    },
];

/// Those of an environment; of all of them where none is named.
pub(crate) fn needed(environment: Option<&Environment>) -> impl Iterator<Item = &'static Tool> {
    let has = move |of: &Of| {
        environment.is_none_or(|environment| match of {
            Of::Any => true,
            Of::Cluster => environment.cluster.is_some(),
            Of::Amazon => environment.aws.is_some(),
        })
    };
    TOOLS.iter().filter(move |tool| has(&tool.of))
}

/// Whether it is there, and new enough.
pub(crate) async fn check(tool: &'static Tool, accepted: &Tools) -> Vec<Finding> {
    let said = Call::new(tool.name).args(tool.arguments.iter().copied()).limit(LIMIT).run().await;
    vec![tool.judge(said, tool.accepted(accepted))]
}

impl Tool {
    fn judge(&self, said: Result<String, CallError>, accepted: Option<&Version>) -> Finding {
        let Self { name, minimum, steps, .. } = self;
        let id = format!("tool.{name}");
        let wanted = accepted.or(minimum.as_ref());
        let newer = wanted.map_or(String::new(), |wanted| format!(" {wanted} or newer"));
        let found = match said.map(|said| version(&said)) {
            Ok(Some(found)) => found,
            Ok(None) => return self.failing(id, format!("{name} does not say its version")),
            Err(CallError::NotThere(_)) => {
                return self.failing(id, format!("{name} is not installed")).cured_by(format!("install {name}{newer}"));
            }
            Err(error) => return self.failing(id, format!("{name}: {error}")),
        };
        if wanted.is_some_and(|wanted| found < *wanted) {
            let what = format!("{name} {found} is older than {}", wanted.map(ToString::to_string).unwrap_or_default());
            let cure = format!("install {name}{newer}, or accept it in runbook.toml: [tools] {name} = \"{found}\"");
            return self.failing(id, what).cured_by(cure);
        }
        match minimum {
            Some(minimum) if found < *minimum => Group::Tools.warning(
                id,
                format!("{name} {found} is older than the document's {minimum}"),
                format!("runbook.toml accepts it, and nobody tries {steps} with it"),
            ),
            _ => Group::Tools.good(id, format!("{name} {found}, for {steps}")),
        }
    }

    /// Terraform is reported: no step of a deployment runs it.
    fn failing(&self, id: String, what: String) -> Finding {
        if self.name == "terraform" {
            return Group::Tools.warning(id, what, "no step runs it; infra/ needs 1.11.1 or newer");
        }
        Group::Tools.failed(id, what, format!("{} cannot be done", self.steps))
    }

    fn accepted<'a>(&self, tools: &'a Tools) -> Option<&'a Version> {
        let Tools { git, docker, helm, kubectl, aws, gh, terraform } = tools;
        let by_name = [
            ("git", git),
            ("docker", docker),
            ("helm", helm),
            ("kubectl", kubectl),
            ("aws", aws),
            ("gh", gh),
            ("terraform", terraform),
        ];
        by_name.into_iter().find(|(name, _)| *name == self.name).and_then(|(_, version)| version.as_ref())
    }
}

static VERSION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(\d+)\.(\d+)(?:\.(\d+))?").ok());

/// The first one in what a program prints.
fn version(said: &str) -> Option<Version> {
    let found = VERSION.as_ref()?.captures(said)?;
    let number = |group: usize| found.get(group).map_or(Ok(0), |digits| digits.as_str().parse());
    Some(Version::new(number(1).ok()?, number(2).ok()?, number(3).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(name: &str, said: &str, accepted: Option<&str>) -> String {
        let tool = TOOLS.iter().find(|tool| tool.name == name).unwrap();
        let accepted = accepted.map(|version| version.parse().unwrap());
        let Finding { mark, what, why, cure, .. } = tool.judge(Ok(said.to_owned()), accepted.as_ref());
        [Some(format!("{mark:?}: {what}")), why, cure].into_iter().flatten().collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn the_version_is_read_from_what_each_program_prints() {
        for (said, found) in [
            ("git version 2.39.5", "2.39.5"),
            ("Docker version 24.0.7, build afdd53b", "24.0.7"),
            ("version.BuildInfo{Version:\"v3.17.2\", GitCommit:\"cc0bbbd6\", GoVersion:\"go1.23.7\"}", "3.17.2"),
            ("Client Version: v1.32.3\nKustomize Version: v5.5.0", "1.32.3"),
            ("aws-cli/2.13.0 Python/3.11.4 Linux/6.1", "2.13.0"),
            ("gh version 2.23.0 (2023-02-27 Debian 2.23.0+dfsg1-1)", "2.23.0"),
            ("Terraform v1.5\non linux_amd64", "1.5.0"),
        ] {
            assert_eq!(version(said).unwrap().to_string(), found);
        }
        assert_eq!(version("no idea"), None);
    }

    #[test]
    fn a_tool_is_judged_by_the_document_or_by_what_is_accepted_instead() {
        insta::assert_snapshot!(judged("helm", "v3.17.2", None), @"Good: helm 3.17.2, for Step 4 and Rollback Option 1");
        insta::assert_snapshot!(judged("helm", "v3.9.4", None), @r#"Failed: helm 3.9.4 is older than 3.12.0 | Step 4 and Rollback Option 1 cannot be done | install helm 3.12.0 or newer, or accept it in runbook.toml: [tools] helm = "3.9.4""#);
        insta::assert_snapshot!(judged("helm", "v3.9.4", Some("3.9.0")), @"Warning: helm 3.9.4 is older than the document's 3.12.0 | runbook.toml accepts it, and nobody tries Step 4 and Rollback Option 1 with it");
        insta::assert_snapshot!(judged("helm", "v3.17.2", Some("4.0.0")), @r#"Failed: helm 3.17.2 is older than 4.0.0 | Step 4 and Rollback Option 1 cannot be done | install helm 4.0.0 or newer, or accept it in runbook.toml: [tools] helm = "3.17.2""#);
        insta::assert_snapshot!(judged("terraform", "v1.4.0", None), @r#"Warning: terraform 1.4.0 is older than 1.5.0 | no step runs it; infra/ needs 1.11.1 or newer | install terraform 1.5.0 or newer, or accept it in runbook.toml: [tools] terraform = "1.4.0""#);
        insta::assert_snapshot!(judged("git", "git version 1.0.0", None), @"Good: git 1.0.0, for Steps 2 and 7");
    }
}
