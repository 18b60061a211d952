//! Signing secrets and signatures, Standard Webhooks 1.0.0, scheme `v1`.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use types::{Rng, Timestamp};
use zeroize::Zeroizing;

const PREFIX: &str = "whsec_";
const BYTES: usize = 32;

/// The key of an HMAC; `whsec_` and base64 when it is shown.
#[derive(Clone)]
pub(crate) struct SigningSecret(Zeroizing<Vec<u8>>);

impl SigningSecret {
    pub(crate) fn generate(rng: &Rng) -> Self {
        Self(Zeroizing::new(rng.bytes::<BYTES>().to_vec()))
    }

    /// As it was sealed.
    pub(crate) fn of_bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As its owner gets it, once.
    pub(crate) fn reveal(&self) -> String {
        format!("{PREFIX}{}", BASE64.encode(&*self.0))
    }

    /// One entry of `webhook-signature`, of id, seconds since 1970 and body.
    fn sign(&self, id: &str, at: Timestamp, body: &str) -> String {
        let mut hmac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0));
        for part in [id, ".", &at.as_secs().to_string(), ".", body] {
            hmac.update(part.as_bytes());
        }
        format!("v1,{}", BASE64.encode(hmac.sign()))
    }
}

/// The value of `webhook-signature`: each secret that is valid signs.
pub(crate) fn signatures(secrets: &[SigningSecret], id: &str, at: Timestamp, body: &str) -> String {
    let signed: Vec<_> = secrets.iter().map(|secret| secret.sign(id, at, body)).collect();
    signed.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specifications_test_vector_has_its_signature() {
        let key = Zeroizing::new(BASE64.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
        let at = Timestamp::from_millis(1_614_265_330_000);
        let signature = SigningSecret(key).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn either_secret_verifies_a_delivery_during_a_rotation() {
        let rng = Rng::seeded(7);
        let [new, old, other] = [(); 3].map(|()| SigningSecret::generate(&rng));
        let at = types::Clock::system().now();
        let body = r#"{"type":"invoice.paid"}"#;
        let mut headers = http::HeaderMap::new();
        headers.insert("webhook-id", "msg_1".parse().unwrap());
        headers.insert("webhook-timestamp", at.as_secs().to_string().parse().unwrap());
        let signed = signatures(&[new.clone(), old.clone()], "msg_1", at, body);
        headers.insert("webhook-signature", signed.parse().unwrap());
        let verifies = |secret: &SigningSecret, body: &str| {
            standardwebhooks::Webhook::new(&secret.reveal()).unwrap().verify(body.as_bytes(), &headers).is_ok()
        };
        assert!(verifies(&new, body) && verifies(&old, body));
        assert!(!verifies(&other, body) && !verifies(&new, "{}"));
    }
}
