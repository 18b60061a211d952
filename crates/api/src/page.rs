//! Lists: pages by keyset, so that a deep page costs what the first one does.

use crate::{Code, Problem, Validate, validate::Violations};
use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use http::{HeaderValue, Uri, header};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A longer cursor is none of ours.
const MAX_CURSOR: usize = 2_048;
const SCOPE: usize = 8;

/// A page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items.
    pub data: Vec<T>,
    /// What to send as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// Of up to `limit + 1` rows: the one too many only says that there is more. `cursor` makes the cursor after a row.
    pub fn new<R>(mut rows: Vec<R>, limit: Limit, cursor: impl FnOnce(&R) -> String, item: impl FnMut(R) -> T) -> Self {
        let has_more = rows.len() > limit.get();
        rows.truncate(limit.get());
        let next_cursor = rows.last().filter(|_| has_more).map(cursor);
        Self { data: rows.into_iter().map(item).collect(), next_cursor, has_more }
    }

    /// All there is.
    pub fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None, has_more: false }
    }
}

/// For the layer that knows the request's URL.
#[derive(Clone)]
struct NextCursor(String);

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let next = self.next_cursor.clone();
        let mut response = Json(self).into_response();
        if let Some(cursor) = next {
            response.extensions_mut().insert(NextCursor(cursor));
        }
        response
    }
}

/// `Link: <…>; rel="next"` (RFC 8288): the same request with the next cursor.
pub(crate) fn link_next(response: &mut Response, uri: &Uri) {
    let Some(NextCursor(cursor)) = response.extensions_mut().remove() else { return };
    let kept = uri.query().unwrap_or_default().split('&');
    let kept = kept.filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let query: Vec<&str> = kept.collect();
    let pairs = [query.join("&"), format!("cursor={cursor}")];
    let query = if query.is_empty() { pairs[1].clone() } else { pairs.join("&") };
    if let Ok(link) = HeaderValue::try_from(format!("<{}?{query}>; rel=\"next\"", uri.path())) {
        response.headers_mut().insert(header::LINK, link);
    }
}

/// How many items a page has: 1 to 200, 50 when not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = u16, minimum = 1, maximum = 200, default = 50, example = 50)]
pub struct Limit(u16);

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl Limit {
    /// As many.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }

    /// One more, for `LIMIT`: whether it comes says whether there is a next page.
    pub fn and_one(self) -> i64 {
        i64::from(self.0) + 1
    }
}

impl Validate for Limit {
    fn validate(&self, errors: &mut Violations) {
        errors.require((1..=200).contains(&self.0), "/limit", "range", "must be from 1 to 200");
    }
}

/// Makes and reads the cursors of one list: its route, filter and order.
#[derive(Clone, Copy, Debug)]
pub struct Cursor([u8; SCOPE]);

impl Cursor {
    /// Of a list; another route's, filter's or order's cursor is refused.
    pub fn of(route: &str, filter: &impl std::fmt::Debug) -> Self {
        let whole = digest(&SHA256, format!("{route}\0{filter:?}").as_bytes());
        let mut scope = [0; SCOPE];
        scope.copy_from_slice(&whole.as_ref()[..SCOPE]);
        Self(scope)
    }

    /// After which the next page begins.
    pub fn encode(self, key: &impl Serialize) -> String {
        let key = serde_json::to_vec(key).unwrap_or_default();
        BASE64.encode([&self.0[..], &key].concat())
    }

    /// What [`Cursor::encode`] was given; none: from the start.
    pub fn decode<K: DeserializeOwned>(self, text: Option<&str>) -> Result<Option<K>, Problem> {
        let Some(text) = text else { return Ok(None) };
        let bytes = Some(text).filter(|text| text.len() <= MAX_CURSOR).and_then(|text| BASE64.decode(text).ok());
        let key = bytes.as_deref().and_then(|bytes| bytes.strip_prefix(&self.0[..]));
        // Anybody can make one up, and PostgreSQL takes U+0000 nowhere.
        let key = key.filter(|key| !key.windows(6).any(|part| part == br"\u0000"));
        let key = key.and_then(|key| serde_json::from_slice(key).ok());
        key.map(Some).ok_or_else(|| Code::InvalidCursor.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_cursor_with_a_character_that_postgresql_refuses_is_none_of_ours() {
        let cursor = Cursor::of("list", &());
        let made_up = cursor.encode(&"a\u{0}b");
        assert!(cursor.decode::<String>(Some(&made_up)).is_err());
        assert_eq!(cursor.decode::<String>(Some(&cursor.encode(&"ab"))).unwrap().as_deref(), Some("ab"));
    }

    #[test]
    fn a_cursor_survives_its_text_form_and_serves_its_own_list_alone() {
        let mine = Cursor::of("list_users", &Some("active"));
        let text = mine.encode(&("a", 7));
        assert_eq!(mine.decode::<(String, i32)>(Some(&text)).unwrap(), Some(("a".into(), 7)));
        assert_eq!(mine.decode::<(String, i32)>(None).unwrap(), None);
        let other = Cursor::of("list_users", &Some("suspended"));
        assert_eq!(other.decode::<(String, i32)>(Some(&text)).unwrap_err().code(), Code::InvalidCursor);
        for garbage in ["", "!", "AAAA", &"A".repeat(5_000)] {
            assert_eq!(mine.decode::<(String, i32)>(Some(garbage)).unwrap_err().code(), Code::InvalidCursor);
        }
    }

    #[test]
    fn one_row_too_many_says_that_there_is_more() {
        let page = |rows| Page::new(rows, Limit(2), ToString::to_string, |row: i32| row);
        let first = page(vec![1, 2, 3]);
        assert_eq!((first.data, first.next_cursor.as_deref(), first.has_more), (vec![1, 2], Some("2"), true));
        let last = page(vec![1, 2]);
        assert_eq!((last.data, last.next_cursor, last.has_more), (vec![1, 2], None, false));
    }

    #[test]
    fn the_next_link_keeps_the_filter_and_replaces_the_cursor() {
        let mut response = Page { data: vec![1], next_cursor: Some("new".into()), has_more: true }.into_response();
        link_next(&mut response, &Uri::from_static("/v1/users?limit=5&cursor=old&q=a"));
        assert_eq!(response.headers()["link"], "</v1/users?limit=5&q=a&cursor=new>; rel=\"next\"");
    }
}
