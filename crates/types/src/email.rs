//! E-mail addresses: what was typed, and the key under which it is unique.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};
use unicode_normalization::UnicodeNormalization;

/// RFC 5321, 4.5.3.1: 64 octets before the `@`, 254 in all.
const MAX_LOCAL: usize = 64;
const MAX_TOTAL: usize = 254;

/// An address as typed; compared through [`Email::key`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    text: String,
    key: String,
}

/// A text that is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an e-mail address")]
pub struct NotAnEmail;

impl Email {
    /// Takes `local@domain`; control characters, blanks and quoted locals are refused.
    pub fn parse(text: &str) -> Result<Self, NotAnEmail> {
        let text: String = text.trim().nfc().collect();
        let (local, domain) = text.rsplit_once('@').ok_or(NotAnEmail)?;
        let domain_key = idna::domain_to_ascii_strict(domain).map_err(|_| NotAnEmail)?;
        let key = format!("{}@{domain_key}", local.to_lowercase());
        let fits = (1..=MAX_LOCAL).contains(&local.len()) && text.len() <= MAX_TOTAL && key.len() <= MAX_TOTAL;
        if !fits || !domain_key.contains('.') || !is_dot_atom(local) {
            return Err(NotAnEmail);
        }
        Ok(Self { text, key })
    }

    /// Local part in lower case, domain as lower-case A-labels: equal addresses have equal keys.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// As it was typed (NFC, trimmed).
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// RFC 5322 `dot-atom`, with letters of all scripts (RFC 6532).
fn is_dot_atom(local: &str) -> bool {
    let is_atom_character = |c: char| {
        c.is_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~".contains(c)
            || (!c.is_ascii() && !c.is_whitespace() && !c.is_control())
    };
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character))
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Email {
    type Err = NotAnEmail;
    fn from_str(text: &str) -> Result<Self, NotAnEmail> {
        Self::parse(text)
    }
}

impl Serialize for Email {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_addresses_have_equal_keys() {
        let key = |text| Email::parse(text).map(|email| email.key().to_owned());
        assert_eq!(key(" Ada@Example.COM "), key("ada@example.com"));
        assert_eq!(key("ada@bücher.example"), key("ADA@xn--bcher-kva.example"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a b@example.com",
            "a..b@example.com",
            "ada@localhost",
            "ada@exa mple.com",
            "a\n@example.com",
            "ada@-a.com",
        ] {
            assert_eq!(Email::parse(text), Err(NotAnEmail), "{text:?}");
        }
        assert_eq!(Email::parse(&format!("{}@example.com", "a".repeat(65))), Err(NotAnEmail));
    }
}
