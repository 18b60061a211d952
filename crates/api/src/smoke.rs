//! What the runbook's smoke test may do that nobody else may, by a key of its own: read the mail of its accounts, receive
//! its webhooks, and erase what it made. Without the key in the settings none of this exists.
//!
//! Its accounts are synthetic: their addresses are `smoke-<random>@<domain>`, mail to them is never sent, and they and
//! their organizations are erased after an hour, whether or not the run that made them came to its end.

mod catches;
mod erase;
mod routes;

pub use catches::keep_mail;
pub use erase::sweep;
pub use routes::{hook_routes, mail_routes};

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use std::fmt;

pub(crate) use catches::statements as catches_statements;
pub(crate) use erase::statements as erase_statements;

/// Under which webhooks of smoke tests are received.
pub const HOOKS: &str = "/v1/smoke/hooks/";
const KEY_LENGTH: usize = 32;
/// Bytes.
const TAG: usize = 8;

/// The key, and the domain of synthetic addresses.
#[derive(Clone)]
pub struct Smoke {
    key: hmac::Key,
    raw: Vec<u8>,
    domain: String,
}

/// A key that somebody could guess.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a smoke key has at least {KEY_LENGTH} characters: make one with `platform secrets init`")]
pub struct TooShort;

impl Smoke {
    /// With a key of at least 32 characters.
    pub fn new(key: &str, domain: &str) -> Result<Self, TooShort> {
        if key.len() < KEY_LENGTH {
            return Err(TooShort);
        }
        let raw = key.as_bytes().to_vec();
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &raw), raw, domain: domain.to_lowercase() })
    }

    /// The address of a synthetic account.
    pub fn address(&self, random: &str) -> String {
        format!("smoke-{random}@{}", self.domain)
    }

    /// Whether an address is of a synthetic account.
    pub fn is_synthetic(&self, address: &str) -> bool {
        let random = address.rsplit_once('@').filter(|(_, domain)| domain.eq_ignore_ascii_case(&self.domain));
        let random = random.and_then(|(local, _)| local.strip_prefix("smoke-"));
        random.is_some_and(|random| random.len() >= 16 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    }

    /// The last part of the path that receives webhooks, `/v1/smoke/hooks/<this>`: only who knows the key can make one,
    /// so that nobody else fills the table behind it.
    pub fn hook(&self, random: &str) -> String {
        let tag = hmac::sign(&self.key, format!("hook\0{random}").as_bytes());
        format!("{random}-{}", hex::encode(&tag.as_ref()[..TAG]))
    }

    fn is_hook(&self, name: &str) -> bool {
        let random = name.split_once('-').map(|(random, _)| random).filter(|random| random.len() <= 64);
        random.is_some_and(|random| verify_slices_are_equal(self.hook(random).as_bytes(), name.as_bytes()).is_ok())
    }

    fn opens(&self, key: &str) -> bool {
        verify_slices_are_equal(&self.raw, key.as_bytes()).is_ok()
    }
}

impl fmt::Debug for Smoke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smoke({})", self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synthetic_addresses_and_hooks_are_told_from_others() {
        let smoke = Smoke::new("0123456789abcdef0123456789abcdef", "smoke.example.com").unwrap();
        let address = smoke.address("0123456789abcdef");
        assert!(smoke.is_synthetic(&address) && smoke.is_synthetic("smoke-0123456789ABCDEF@Smoke.Example.com"));
        for real in ["ada@example.com", "smoke-1@smoke.example.com", "smoke-0123456789abcdef@example.com", ""] {
            assert!(!smoke.is_synthetic(real), "{real}");
        }
        let hook = smoke.hook("abc");
        assert!(smoke.is_hook(&hook));
        for made_up in ["abc", "abc-0000000000000000", "", &hook[1..]] {
            assert!(!smoke.is_hook(made_up), "{made_up}");
        }
        assert!(smoke.opens("0123456789abcdef0123456789abcdef") && !smoke.opens("0123"));
        assert!(Smoke::new("short", "x").is_err());
        assert!(!format!("{smoke:?}").contains("0123456789abcdef"));
    }
}
