//! Where a secret is. The file names it and never holds it.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::{fmt, path::PathBuf};

/// What is said of a secret that stands in the file; its line is not repeated.
pub(crate) const WRITTEN: &str =
    "a secret is named here, never written: { env = \"NAME\" }, { file = \"PATH\" } or { aws_secret = \"ID\" }";

/// The place of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// A variable of the environment.
    Env(String),
    /// A file; `~` is the home folder.
    File(PathBuf),
    /// An id of AWS Secrets Manager.
    AwsSecret(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Named {
    Env(String),
    File(PathBuf),
    AwsSecret(String),
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Serde would repeat what it found, and that may be a password.
        match Named::deserialize(deserializer).map_err(|_| D::Error::custom(WRITTEN))? {
            Named::Env(name) => Ok(Self::Env(name)),
            Named::File(path) => Ok(Self::File(path)),
            Named::AwsSecret(id) => Ok(Self::AwsSecret(id)),
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "${name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::AwsSecret(id) => write!(f, "{id} in Secrets Manager"),
        }
    }
}
