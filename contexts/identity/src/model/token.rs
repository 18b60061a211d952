//! Tokens that people and programs carry: `eap_rt_<session>_<secret>_<crc>` for refreshing.
//!
//! The secret is 16 bytes and a tag over them that only the platform can make: a guess for a known session is refused
//! without touching it, so that knowing a session's id is not enough to end it. The CRC lets a scanner, and us, refuse
//! garbage without asking anybody. A child's secret follows from its parent's, so that a retry gets the same child.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use db::secrets::MasterKey;
use types::{Rng, SessionId};

const PREFIX: &str = "eap_rt_";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^22 > 2^128.
const HALF: usize = 22;
const CRC: usize = 6;

/// A refresh token, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) session: SessionId,
    /// Number and tag.
    secret: [u8; 32],
}

impl RefreshToken {
    /// The first of a session.
    pub(crate) fn first(key: &MasterKey, rng: &Rng, session: SessionId) -> Self {
        Self::tagged(key, session, rng.bytes())
    }

    /// The one that follows; the same at each call.
    pub(crate) fn child(&self, key: &MasterKey, generation: i32) -> Self {
        let from = [&self.session.0.as_bytes()[..], &generation.to_be_bytes(), &self.secret].concat();
        Self::tagged(key, self.session, head(&key.digest("refresh child", &from)[1..]))
    }

    fn tagged(key: &MasterKey, session: SessionId, number: [u8; 16]) -> Self {
        let mut secret = [0; 32];
        secret[..16].copy_from_slice(&number);
        secret[16..].copy_from_slice(&tag(key, session, number));
        Self { session, secret }
    }

    /// Reads one; none: it is not of our making.
    pub(crate) fn parse(key: &MasterKey, text: &str) -> Option<Self> {
        let (body, crc) = text.split_at_checked(text.len().checked_sub(CRC)?)?;
        if crc != checksum(body) {
            return None;
        }
        let (session, secret) = body.strip_prefix(PREFIX)?.strip_suffix('_')?.split_once('_')?;
        let session: SessionId = format!("{}_{session}", SessionId::PREFIX).parse().ok()?;
        let (number, given) = secret.split_at_checked(HALF)?;
        let token = Self::tagged(key, session, parse62(number)?.to_be_bytes());
        verify_slices_are_equal(&token.secret[16..], &parse62(given)?.to_be_bytes()).ok().map(|()| token)
    }

    /// What the database keeps.
    pub(crate) fn digest(&self, key: &MasterKey) -> Vec<u8> {
        key.digest("refresh", &self.secret)
    }

    /// Whether a kept digest is this token's.
    pub(crate) fn matches(&self, key: &MasterKey, digest: Option<&[u8]>) -> bool {
        digest.is_some_and(|digest| key.digest_matches("refresh", &self.secret, digest))
    }
}

impl std::fmt::Display for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let session = self.session.to_string();
        let session = session.rsplit('_').next().unwrap_or_default();
        let (number, tag) = (head(&self.secret[..16]), head(&self.secret[16..]));
        let [number, tag] = [number, tag].map(|half| base62(u128::from_be_bytes(half), HALF));
        let body = format!("{PREFIX}{session}_{number}{tag}_");
        write!(f, "{body}{}", checksum(&body))
    }
}

fn tag(key: &MasterKey, session: SessionId, number: [u8; 16]) -> [u8; 16] {
    // Not under the versioned pepper's newest key alone: a token outlives a new version, its digest tells.
    let tagged = [&session.0.as_bytes()[..], &number].concat();
    head(&MasterKey::of_secret(&key.derive("refresh tag")[..]).digest("tag", &tagged)[1..])
}

fn head(bytes: &[u8]) -> [u8; 16] {
    let mut head = [0; 16];
    head.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    head
}

fn checksum(body: &str) -> String {
    base62(crc32fast::hash(body.as_bytes()).into(), CRC)
}

fn base62(mut number: u128, width: usize) -> String {
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[usize::try_from(number % 62).unwrap_or_default()];
        number /= 62;
    }
    String::from_utf8(digits).unwrap_or_default()
}

fn parse62(text: &str) -> Option<u128> {
    let digits = text.bytes().map(|byte| DIGITS.iter().position(|known| *known == byte));
    let mut digits = digits.map(|digit| digit.and_then(|digit| u128::try_from(digit).ok()));
    digits.try_fold(0_u128, |number, digit| number.checked_mul(62)?.checked_add(digit?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Timestamp, Uuid};

    fn key() -> MasterKey {
        MasterKey::of_secret(b"tests")
    }

    #[test]
    fn a_token_is_read_back_and_its_child_is_always_the_same() {
        let first = RefreshToken::first(&key(), &Rng::seeded(1), SessionId(Uuid::from_u128(5)));
        let read = RefreshToken::parse(&key(), &first.to_string()).unwrap();
        assert!(read == first && read.child(&key(), 1) == first.child(&key(), 1));
        assert!(read.child(&key(), 1) != first.child(&key(), 2));
        assert!(first.matches(&key(), Some(&read.digest(&key()))) && !first.matches(&key(), None));
    }

    #[test]
    fn garbage_and_guesses_are_refused_without_a_database() {
        let rng = Rng::seeded(1);
        let session = SessionId::new(&rng, Timestamp::from_millis(1));
        let token = RefreshToken::first(&key(), &rng, session).to_string();
        let foreign = RefreshToken::first(&MasterKey::of_secret(b"other"), &rng, session).to_string();
        let (head, tail) = token.split_at(50);
        let changed = format!("{head}{}{}", if tail.starts_with('0') { '1' } else { '0' }, &tail[1..]);
        for text in ["", "eap_rt_", &token[1..], &changed, &foreign, "ä", "eap_rt_x_y_000000"] {
            assert!(RefreshToken::parse(&key(), text).is_none(), "{text}");
        }
    }
}
