//! Answers with `Location` and `ETag`.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use serde::Serialize;

/// 201 with the place and version of what was made.
#[derive(Debug)]
pub struct Created<T> {
    /// Its path, as in `/v1/resources/res_…`.
    pub location: String,
    /// Its version.
    pub etag: i64,
    /// The thing itself.
    pub body: T,
}

/// 200 with a version for `If-Match`.
#[derive(Debug)]
pub struct WithEtag<T> {
    /// Its version.
    pub etag: i64,
    /// The thing itself.
    pub body: T,
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let headers = [(header::LOCATION, self.location), (header::ETAG, etag(self.etag))];
        (StatusCode::CREATED, headers, Json(self.body)).into_response()
    }
}

impl<T: Serialize> IntoResponse for WithEtag<T> {
    fn into_response(self) -> Response {
        ([(header::ETAG, etag(self.etag))], Json(self.body)).into_response()
    }
}

fn etag(version: i64) -> String {
    format!("\"{version}\"")
}
