//! Why a workflow runs, out of GitHub's event.

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Why a workflow runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// A branch has a new commit.
    Branch {
        /// Without `refs/heads/`.
        name: String,
        commit: String,
    },
    /// A tag was pushed.
    Tag {
        /// Without `refs/tags/`.
        name: String,
        commit: String,
    },
    /// Somebody asked for it.
    Dispatch {
        /// The branch or tag that was chosen.
        chosen: String,
        /// Why it cannot wait for the window.
        hotfix: Option<String>,
    },
    /// The hour has come.
    Schedule,
    /// A branch or tag was removed.
    Removal,
}

impl Trigger {
    /// Of a name as in `GITHUB_EVENT_NAME`, and a payload as in the file of `GITHUB_EVENT_PATH`.
    pub(crate) fn parse(name: &str, payload: &str) -> Result<Self> {
        let payload: Value = serde_json::from_str(payload).context("the event is no JSON")?;
        let reference = payload["ref"].as_str();
        match (name, reference) {
            ("push", _) if payload["deleted"] == true => Ok(Self::Removal),
            ("push", Some(reference)) => {
                // `after` of an annotated tag is the tag itself, `head_commit` is what it stands at.
                let commit = payload["head_commit"]["id"].as_str().context("the event names no commit")?.to_owned();
                Self::pushed(reference, commit)
            }
            ("workflow_dispatch", Some(reference)) => {
                let hotfix = payload["inputs"]["hotfix"].as_str().map(one_line).filter(|reason| !reason.is_empty());
                let chosen = reference.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/").to_owned();
                Ok(Self::Dispatch { chosen, hotfix })
            }
            ("schedule", _) => Ok(Self::Schedule),
            _ => bail!("no deployment is made of the event {name}"),
        }
    }

    fn pushed(reference: &str, commit: String) -> Result<Self> {
        if let Some(name) = reference.strip_prefix("refs/heads/") {
            return Ok(Self::Branch { name: name.to_owned(), commit });
        }
        let Some(name) = reference.strip_prefix("refs/tags/") else { bail!("{reference} is neither branch nor tag") };
        Ok(Self::Tag { name: name.to_owned(), commit })
    }
}

/// What people type must not begin a line of its own in GitHub's files of outputs.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "6f1d2c3b4a5968778695a4b3c2d1e0f112233445";

    #[test]
    fn the_three_events_of_a_release_are_read() {
        let push = Trigger::parse("push", include_str!("events/push.json")).unwrap();
        assert_eq!(push, Trigger::Branch { name: "main".to_owned(), commit: COMMIT.to_owned() });
        let tag = Trigger::parse("push", include_str!("events/tag.json")).unwrap();
        assert_eq!(tag, Trigger::Tag { name: "v0.1.0".to_owned(), commit: COMMIT.to_owned() });
        let dispatch = Trigger::parse("workflow_dispatch", include_str!("events/dispatch.json")).unwrap();
        let hotfix = Some("logins fail since noon, INC-42".to_owned());
        assert_eq!(dispatch, Trigger::Dispatch { chosen: "main".to_owned(), hotfix });
    }

    #[test]
    fn a_reason_of_several_lines_cannot_add_an_output_of_its_own() {
        let payload = r#"{"ref": "refs/heads/main", "inputs": {"hotfix": "x\ndeploy=true\r\ntag=evil"}}"#;
        let hotfix = Some("x deploy=true tag=evil".to_owned());
        let dispatch = Trigger::Dispatch { chosen: "main".to_owned(), hotfix };
        assert_eq!(Trigger::parse("workflow_dispatch", payload).unwrap(), dispatch);
    }

    #[test]
    fn blanks_are_no_reason_and_unknown_events_are_refused() {
        let payload = r#"{"ref": "refs/heads/main", "inputs": {"hotfix": "  "}}"#;
        let dispatch = Trigger::Dispatch { chosen: "main".to_owned(), hotfix: None };
        assert_eq!(Trigger::parse("workflow_dispatch", payload).unwrap(), dispatch);
        assert_eq!(Trigger::parse("schedule", r#"{"schedule": "0 5 * * *"}"#).unwrap(), Trigger::Schedule);
        assert_eq!(Trigger::parse("push", r#"{"ref": "refs/tags/v1", "deleted": true}"#).unwrap(), Trigger::Removal);
        assert!(Trigger::parse("pull_request", "{}").is_err());
        assert!(Trigger::parse("push", r#"{"ref": "refs/heads/main"}"#).is_err());
    }
}
