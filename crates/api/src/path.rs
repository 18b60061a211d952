//! Path and query parameters, refused as problems instead of axum's plain text.

use crate::{Code, Problem, Validate, validate::Violations};
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use serde::de::DeserializeOwned;

/// The parameters of the path: an id, a name, or a tuple of them. A malformed one names nothing: 404.
#[derive(Debug)]
pub struct PathId<I>(pub I);

impl<I: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathId<I> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if holds_nul(parts.uri.path()) {
            return Err(Code::NotFound.into());
        }
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id)).map_err(|_| Code::NotFound.into())
    }
}

/// The parameters of the query, each of the right shape and value.
#[derive(Debug)]
pub struct ValidQuery<T>(pub T);

impl<T: DeserializeOwned + Validate, S: Send + Sync> FromRequestParts<S> for ValidQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if parts.uri.query().is_some_and(holds_nul) {
            return Err(Problem::new(Code::MalformedQuery).detail("no text takes U+0000"));
        }
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map_err(|rejection| Problem::new(Code::MalformedQuery).detail(cause(&rejection)))?;
        Violations::of(&query.0)?;
        Ok(Self(query.0))
    }
}

/// PostgreSQL's texts cannot hold it, so nothing is named by it.
fn holds_nul(encoded: &str) -> bool {
    encoded.contains("%00")
}

/// What serde said, without axum's words around it.
fn cause(rejection: &dyn std::error::Error) -> String {
    std::iter::successors(Some(rejection), |error| error.source()).last().unwrap_or(rejection).to_string()
}
