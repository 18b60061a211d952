//! What a new password must be. Signing in takes any, so that an account with an older rule's password gets in.

use api::Violations;

/// NIST SP 800-63B asks for 8; ASVS 5.0 (6.2.9) to allow at least 64.
const LENGTH: std::ops::RangeInclusive<usize> = 12..=128;
/// Longer is an attack on the hash.
pub(crate) const MAX_ANY: usize = 1024;

/// Reports a new password that cannot be taken.
pub(crate) fn validate_new(pointer: &str, password: &str, email: Option<&str>, errors: &mut Violations) {
    if !LENGTH.contains(&password.chars().count()) {
        errors.add(pointer, "length", "must have 12 to 128 characters");
    }
    if email.is_some_and(|email| email.eq_ignore_ascii_case(password)) {
        errors.add(pointer, "guessable", "must not be the e-mail address");
    }
    let mut characters = password.chars();
    if let Some(first) = characters.next()
        && characters.all(|character| character == first)
    {
        errors.add(pointer, "guessable", "must not be one character repeated");
    }
}
