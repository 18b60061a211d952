//! Tokens that people and programs carry: `eap_rt_<session>_<secret>_<crc>` for refreshing.
//!
//! The secret is 16 bytes and a tag over them that only the platform can make: a guess for a known session is refused
//! without touching it, so that knowing a session's id is not enough to end it. The CRC lets a scanner, and us, refuse
//! garbage without asking anybody. A child's secret follows from its parent's and the version of the master key that
//! made it, which its kept digest tells, so that a retry gets the same child also when another version became current.

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
        Self::tagged(key, key.current(), session, rng.bytes())
    }

    /// The one that follows, made under a version of the master key; the same at each call.
    pub(crate) fn child(&self, key: &MasterKey, version: u8, generation: i32) -> Self {
        let from = [&self.session.0.as_bytes()[..], &generation.to_be_bytes(), &self.secret].concat();
        Self::tagged(key, version, self.session, half(key.digest_under(version, "refresh child", &from)))
    }

    fn tagged(key: &MasterKey, version: u8, session: SessionId, number: [u8; 16]) -> Self {
        let mut secret = [0; 32];
        secret[..16].copy_from_slice(&number);
        let tagged = [&session.0.as_bytes()[..], &number].concat();
        secret[16..].copy_from_slice(&half(key.digest_under(version, "refresh tag", &tagged)));
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
        let (number, given) = (parse62(number)?.to_be_bytes(), parse62(given)?.to_be_bytes());
        let mut tokens = key.versions().map(|version| Self::tagged(key, version, session, number));
        tokens.find(|token| verify_slices_are_equal(&token.secret[16..], &given).is_ok())
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

/// The half of a digest behind its version; of a version that is not given, zeros, which no tag is.
fn half(digest: Option<Vec<u8>>) -> [u8; 16] {
    head(digest.unwrap_or_default().get(1..).unwrap_or_default())
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
        assert!(read == first && read.child(&key(), 1, 1) == first.child(&key(), 1, 1));
        assert!(read.child(&key(), 1, 1) != first.child(&key(), 1, 2));
        assert!(first.matches(&key(), Some(&read.digest(&key()))) && !first.matches(&key(), None));
    }

    #[test]
    fn a_token_outlives_another_version_of_the_master_key() {
        let rng = Rng::seeded(1);
        let (one, two) = (MasterKey::generate(&rng), MasterKey::generate(&rng));
        let old = MasterKey::parse(&one).unwrap();
        let new = MasterKey::parse(&format!("2:{two},1:{one}")).unwrap();
        let token = RefreshToken::first(&old, &rng, SessionId(Uuid::from_u128(5)));
        let read = RefreshToken::parse(&new, &token.to_string()).unwrap();
        assert!(read.matches(&new, Some(&token.digest(&old))));
        assert!(read.child(&new, 1, 1) == token.child(&old, 1, 1), "a retry gets the same child");
        let child = read.child(&new, new.current(), 1);
        assert!(RefreshToken::parse(&new, &child.to_string()).unwrap() == child);
        assert!(RefreshToken::parse(&old, &child.to_string()).is_none());
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
