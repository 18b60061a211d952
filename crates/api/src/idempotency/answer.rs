//! An answer as it is kept: sealed under a key that only the client's own idempotency key leads to.

use super::REPLAYED;
use crate::Problem;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    error::Unspecified,
};
use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use db::secrets::MasterKey;
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use types::Rng;

/// The headers that belong to the answer; all others belong to the occasion.
const KEPT: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Why a kept answer cannot be read: a defect, since its key matched.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("a kept answer does not open")]
    Sealed,
    #[error("a kept answer is not what was kept")]
    Content(#[from] serde_json::Error),
}

impl From<Unspecified> for AnswerError {
    fn from(_: Unspecified) -> Self {
        Self::Sealed
    }
}

/// The key of an answer, from the platform's secret and the client's key.
pub(super) fn key(secret: &MasterKey, of: &str) -> [u8; 32] {
    let digest = secret.lookup_digest("idempotency answer", of.as_bytes());
    let mut key = [0; 32];
    // Behind the version.
    key.iter_mut().zip(digest.iter().skip(1)).for_each(|(to, from)| *to = *from);
    key
}

impl Answer {
    /// What is worth keeping of a response, and the response again.
    pub(super) async fn of(response: Response) -> Result<(Self, Response), Problem> {
        let (parts, body) = response.into_parts();
        let body: Bytes = body.collect().await.map_err(Problem::internal)?.to_bytes();
        let value = |name: &HeaderName| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned()));
        let answer = Self {
            status: parts.status.as_u16(),
            headers: KEPT.iter().filter_map(value).collect(),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        Ok((answer, Response::from_parts(parts, Body::from(body))))
    }

    pub(super) fn seal(&self, key: &[u8; 32], rng: &Rng) -> Result<Vec<u8>, AnswerError> {
        let nonce = rng.bytes::<NONCE_LEN>();
        let mut text = serde_json::to_vec(self)?;
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key)?);
        cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text)?;
        Ok([&nonce[..], &text].concat())
    }

    pub(super) fn open(key: &[u8; 32], sealed: &[u8]) -> Result<Self, AnswerError> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(AnswerError::Sealed)?;
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key)?);
        let mut text = text.to_vec();
        let plain = cipher.open_in_place(Nonce::try_assume_unique_for_key(nonce)?, Aad::empty(), &mut text)?;
        Ok(serde_json::from_slice(plain)?)
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or_default();
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_opens_with_its_own_key_alone() {
        let rng = Rng::seeded(1);
        let first = (StatusCode::CREATED, [(header::ETAG, "\"1\""), (header::SERVER, "x")], "{}").into_response();
        let (answer, first) = Answer::of(first).await.unwrap();
        assert_eq!(first.headers()["server"], "x");
        let key = |of| key(&MasterKey::of_secret(b"tests"), of);
        let sealed = answer.seal(&key("mine"), &rng).unwrap();
        assert!(Answer::open(&key("another's"), &sealed).is_err());
        assert!(Answer::open(&key("mine"), &[]).is_err());
        let again = Answer::open(&key("mine"), &sealed).unwrap().into_response();
        assert_eq!(again.status(), StatusCode::CREATED);
        assert_eq!(again.headers()["etag"], "\"1\"");
        assert_eq!(again.headers()[REPLAYED], "true");
        assert!(again.headers().get("server").is_none());
    }
}
