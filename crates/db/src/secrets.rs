//! Secrets at rest: sealed where they must be read again, digests where they only have to be recognised.
//!
//! All keys are derived (HKDF-SHA-256) from the master key, one for each purpose, so that signing keys, data and
//! digests never share one.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    constant_time,
    hkdf::{self, HKDF_SHA256, Salt},
    hmac,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use std::collections::BTreeMap;
use types::Rng;
use zeroize::Zeroizing;

/// The installation's root secret, in one or more versions; the one named first seals and digests, all of them open.
///
/// A new version is brought in without a gap in two steps: first named last, so that every process knows it, then first.
#[derive(Clone)]
pub struct MasterKey {
    current: u8,
    versions: BTreeMap<u8, Zeroizing<[u8; 32]>>,
}

/// Where a sealed value stands: it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's id.
    pub row: &'a str,
}

/// Why a secret could not be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SecretError {
    /// The master key's text is not what it should be.
    #[error(
        "the master key must be 32 bytes in base64, or versions of it as in 2:…,1:… (make one with `platform secrets init`)"
    )]
    NotAMasterKey,
    /// Two keys for one version.
    #[error("version {0} of the master key is given twice")]
    VersionTwice(u8),
    /// Sealed under a version that is not given.
    #[error("sealed under version {0} of the master key, which is not given")]
    UnknownVersion(u8),
    /// Changed, moved from its place, or sealed under another key.
    #[error("a sealed value does not open here")]
    Sealed,
}

impl MasterKey {
    /// A new one, as text.
    pub fn generate(rng: &Rng) -> String {
        BASE64.encode(rng.bytes::<32>())
    }

    /// A key of somebody's own secret: what it seals, only who knows the secret opens.
    pub fn of_secret(secret: &[u8]) -> Self {
        let root = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret);
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(root.as_ref());
        Self { current: 1, versions: BTreeMap::from([(1, key)]) }
    }

    /// From text: base64 of 32 bytes, or several versions as in `2:…,1:…`.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let (mut current, mut versions) = (None, BTreeMap::new());
        for part in text.trim().split(',') {
            let (version, key) = part.split_once(':').unwrap_or(("1", part));
            let version = version.trim().parse().map_err(|_| SecretError::NotAMasterKey)?;
            let key = Zeroizing::new(BASE64.decode(key.trim()).map_err(|_| SecretError::NotAMasterKey)?);
            let key: [u8; 32] = key.as_slice().try_into().map_err(|_| SecretError::NotAMasterKey)?;
            if versions.insert(version, Zeroizing::new(key)).is_some() {
                return Err(SecretError::VersionTwice(version));
            }
            current = current.or(Some(version));
        }
        let current = current.ok_or(SecretError::NotAMasterKey)?;
        Ok(Self { current, versions })
    }

    /// AES-256-GCM with the place as associated data: version, nonce, ciphertext and tag.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "AES-GCM seals any text below 64 GiB; a text that is not sealed must not pass"
    )]
    pub fn seal(&self, rng: &Rng, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
        let nonce = rng.bytes::<NONCE_LEN>();
        let mut text = plain.to_vec();
        let key = self.aead(self.current, place).expect("the current version is one of them");
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.bytes()), &mut text)
            .expect("a text below 64 GiB");
        [&[self.current], &nonce[..], &text].concat()
    }

    /// What was sealed at this place.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let (version, rest) = sealed.split_first().ok_or(SecretError::Sealed)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(SecretError::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SecretError::Sealed)?;
        let key = self.aead(*version, place).ok_or(SecretError::UnknownVersion(*version))?;
        let mut text = Zeroizing::new(text.to_vec());
        let plain =
            key.open_in_place(nonce, Aad::from(place.bytes()), &mut text).map_err(|_| SecretError::Sealed)?.len();
        text.truncate(plain);
        Ok(text)
    }

    /// HMAC-SHA-256 under the current pepper of a purpose; the first byte is the pepper's version.
    pub fn digest(&self, purpose: &str, secret: &[u8]) -> Vec<u8> {
        self.digest_under(self.current, purpose, secret).unwrap_or_default()
    }

    /// The same under a version; none: it is not given.
    pub fn digest_under(&self, version: u8, purpose: &str, secret: &[u8]) -> Option<Vec<u8>> {
        let key = derive(self.versions.get(&version)?, purpose);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key[..]), secret);
        Some([&[version], tag.as_ref()].concat())
    }

    /// For what is found by its digest: under the lowest version, so that another one that becomes current changes none.
    pub fn lookup_digest(&self, purpose: &str, secret: &[u8]) -> Vec<u8> {
        let lowest = self.versions.keys().next().copied().unwrap_or(self.current);
        self.digest_under(lowest, purpose, secret).unwrap_or_default()
    }

    /// Whether `digest` is of this secret, in constant time, under whichever pepper made it.
    pub fn digest_matches(&self, purpose: &str, secret: &[u8], digest: &[u8]) -> bool {
        let expected = digest.first().and_then(|version| self.digest_under(*version, purpose, secret));
        expected.is_some_and(|expected| constant_time::verify_slices_are_equal(&expected, digest).is_ok())
    }

    /// The version that seals and digests.
    pub fn current(&self) -> u8 {
        self.current
    }

    /// All versions that are given.
    pub fn versions(&self) -> impl Iterator<Item = u8> {
        self.versions.keys().copied()
    }

    fn aead(&self, version: u8, place: Place<'_>) -> Option<LessSafeKey> {
        let key = derive(self.versions.get(&version)?, place.table);
        UnboundKey::new(&AES_256_GCM, &key[..]).ok().map(LessSafeKey::new)
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey(versions {:?})", self.versions.keys())
    }
}

impl Place<'_> {
    fn bytes(&self) -> Vec<u8> {
        format!("{}\0{}\0{}", self.table, self.column, self.row).into_bytes()
    }
}

/// HKDF (RFC 5869) with the purpose as `info`.
#[expect(clippy::expect_used, reason = "a key of zeros must never be used")]
fn derive(root: &[u8; 32], purpose: &str) -> Zeroizing<[u8; 32]> {
    struct Length;
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            32
        }
    }
    let mut key = Zeroizing::new([0; 32]);
    let pseudorandom = Salt::new(HKDF_SHA256, b"enterprise-api-platform").extract(root);
    let info = [purpose.as_bytes()];
    pseudorandom
        .expand(&info, Length)
        .and_then(|okm| okm.fill(&mut key[..]))
        .expect("32 bytes are within HKDF's limit");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place { table: "signing_keys", column: "seed", row: "1" };

    #[test]
    fn a_sealed_value_opens_at_its_place_alone() {
        let rng = Rng::seeded(1);
        let key = MasterKey::parse(&MasterKey::generate(&rng)).unwrap();
        let mut sealed = key.seal(&rng, PLACE, b"seed");
        assert_eq!(*key.open(PLACE, &sealed).unwrap(), b"seed");
        assert_eq!(key.open(Place { row: "2", ..PLACE }, &sealed), Err(SecretError::Sealed));
        *sealed.last_mut().unwrap() ^= 1;
        assert_eq!(key.open(PLACE, &sealed), Err(SecretError::Sealed));
        assert_eq!(key.open(PLACE, &[]), Err(SecretError::Sealed));
    }

    #[test]
    fn another_version_becomes_current_without_a_gap() {
        let rng = Rng::seeded(1);
        let (one, two) = (MasterKey::generate(&rng), MasterKey::generate(&rng));
        let first = MasterKey::parse(&one).unwrap();
        let both = MasterKey::parse(&format!("1:{one},2:{two}")).unwrap();
        let turned = MasterKey::parse(&format!("2:{two},1:{one}")).unwrap();
        let (digest, sealed) = (first.digest("refresh", b"secret"), first.seal(&rng, PLACE, b"seed"));
        assert_eq!(both.digest("refresh", b"secret"), digest, "known, not current");
        assert_ne!(turned.digest("refresh", b"secret"), digest);
        for key in [&both, &turned] {
            assert!(key.digest_matches("refresh", b"secret", &digest));
            assert!(!key.digest_matches("refresh", b"other", &digest));
            assert!(!key.digest_matches("mail", b"secret", &digest));
            assert_eq!(key.lookup_digest("key", b"x"), first.lookup_digest("key", b"x"));
            assert_eq!(*key.open(PLACE, &sealed).unwrap(), b"seed");
        }
        assert_eq!(*both.open(PLACE, &turned.seal(&rng, PLACE, b"seed")).unwrap(), b"seed");
        assert_eq!(first.open(PLACE, &turned.seal(&rng, PLACE, b"x")), Err(SecretError::UnknownVersion(2)));
    }

    #[test]
    fn a_version_is_given_once() {
        let key = MasterKey::generate(&Rng::seeded(1));
        assert_eq!(MasterKey::parse(&format!("1:{key},1:{key}")).unwrap_err(), SecretError::VersionTwice(1));
    }

    #[test]
    fn what_is_no_master_key_is_refused() {
        for text in ["", "abc", "1:abc", "x:AAAA", "AAAA"] {
            assert_eq!(MasterKey::parse(text).unwrap_err(), SecretError::NotAMasterKey, "{text:?}");
        }
    }
}
