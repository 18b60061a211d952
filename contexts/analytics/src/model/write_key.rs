//! Write keys, `eap_pk_<32 characters>_<crc>`: public, they can only append. The CRC lets a scanner, and us, refuse
//! garbage without asking anybody.

use types::Rng;

const PREFIX: &str = "eap_pk_";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM: usize = 32;
const CRC: usize = 6;
const LENGTH: usize = PREFIX.len() + RANDOM + 1 + CRC;

/// A new one.
pub(crate) fn new(rng: &Rng) -> String {
    let random: String = rng.bytes::<RANDOM>().iter().map(|byte| char::from(DIGITS[usize::from(*byte) % 62])).collect();
    let body = format!("{PREFIX}{random}_");
    let crc = checksum(&body);
    body + &crc
}

/// Whether it can be one of ours.
pub(crate) fn is_well_formed(text: &str) -> bool {
    let parts = text.split_at_checked(LENGTH - CRC).filter(|_| text.len() == LENGTH && text.starts_with(PREFIX));
    parts.is_some_and(|(body, crc)| crc == checksum(body))
}

fn checksum(body: &str) -> String {
    let mut number = usize::try_from(crc32fast::hash(body.as_bytes())).unwrap_or_default();
    let mut digits = [' '; CRC];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(DIGITS[number % 62]);
        number /= 62;
    }
    digits.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_checksum_and_a_mistyped_one_refused() {
        let key = new(&Rng::seeded(1));
        assert!(key.starts_with("eap_pk_") && is_well_formed(&key), "{key}");
        let mistyped = key.replacen(&key[10..11], "!", 1);
        for other in [&*mistyped, &key[1..], &format!("{key}0"), "", "eap_pk_", &"ä".repeat(23)] {
            assert!(!is_well_formed(other), "{other}");
        }
    }
}
