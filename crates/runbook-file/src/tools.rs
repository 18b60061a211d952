//! Minimum versions of programs that stand in for the document's.

use semver::Version;
use serde::{Deserialize, Deserializer, de::Error as _};

/// By program; none: what the document says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each is the minimum version of the program that it is called after")]
pub struct Tools {
    #[serde(deserialize_with = "version")]
    pub git: Option<Version>,
    #[serde(deserialize_with = "version")]
    pub docker: Option<Version>,
    #[serde(deserialize_with = "version")]
    pub helm: Option<Version>,
    #[serde(deserialize_with = "version")]
    pub kubectl: Option<Version>,
    #[serde(deserialize_with = "version")]
    pub aws: Option<Version>,
    #[serde(deserialize_with = "version")]
    pub gh: Option<Version>,
    #[serde(deserialize_with = "version")]
    pub terraform: Option<Version>,
}

/// `3.12` is `3.12.0`, as the document writes them.
fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Version>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let missing = 2_usize.saturating_sub(text.matches('.').count());
    let whole = format!("{text}{}", ".0".repeat(missing));
    whole.parse().map(Some).map_err(|_| D::Error::custom(format!("{text:?} is no version such as \"3.12\"")))
}
