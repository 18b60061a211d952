//! `Idempotency-Key`: a create that is sent twice happens once, and answers the same twice.
//!
//! In a handler: `if let Some(replay) = idempotency.replay(&tx, &digest).await? { return Ok(replay) }`, then the
//! effect, then `let response = idempotency.keep(&tx, &digest, created).await?`, then `tx.commit()`. Record and effect
//! commit together.

mod answer;
mod store;

pub(crate) use store::statements;

use crate::{App, BodyDigest, Code, Problem, caller::authenticated};
use answer::Answer;
use axum::{
    extract::{FromRef, FromRequestParts},
    response::{IntoResponse, Response},
};
use db::{Constraints, DbResult, In, OrgTx, PersonTx, SystemTx, Tx};
use futures_util::future::join;
use http::request::Parts;
use types::{OrgId, UserId};

/// The header's name.
pub(crate) const NAME: &str = "Idempotency-Key";
/// Says that an answer is a repetition.
pub(crate) const REPLAYED: &str = "idempotency-replayed";
/// The purpose of the digests.
const PURPOSE: &str = "idempotency_keys";

/// What a create needs to happen once.
pub struct Idempotency {
    app: App,
    user: UserId,
    operation: String,
    /// None: the client did not ask for it.
    key: Option<String>,
}

/// Whose record it is: an organization's, or a person's outside of any.
#[derive(Clone, Copy, Debug)]
pub enum Owner {
    /// Of what happens within an organization.
    Org(OrgId),
    /// Of what a person does for themselves, as founding an organization.
    Person(UserId),
}

/// A transaction in which a create can happen.
pub trait Remembers: In<Tx> {
    /// Whose record a create of this caller is.
    fn owner(&self, caller: UserId) -> Owner;
}

impl Remembers for OrgTx {
    fn owner(&self, _: UserId) -> Owner {
        Owner::Org(self.org())
    }
}

impl Remembers for PersonTx {
    fn owner(&self, _: UserId) -> Owner {
        Owner::Person(self.user())
    }
}

impl Remembers for SystemTx {
    fn owner(&self, caller: UserId) -> Owner {
        Owner::Person(caller)
    }
}

impl<S> FromRequestParts<S> for Idempotency
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let app = App::from_ref(state);
        let user = authenticated(parts, &app).await?.sub;
        let operation = format!("{} {}", parts.method, parts.uri.path());
        Ok(Self { key: key(parts)?, app, user, operation })
    }
}

fn key(parts: &Parts) -> Result<Option<String>, Problem> {
    let Some(value) = parts.headers.get(NAME) else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=255).contains(&text.len()));
    let refusal = || Problem::new(Code::MalformedHeader).detail("Idempotency-Key takes 1 to 255 ASCII characters");
    text.map(|text| Some(text.to_owned())).ok_or_else(refusal)
}

impl Idempotency {
    /// The first answer, if this request came before; holds the key until the transaction ends.
    pub async fn replay(&self, tx: &impl Remembers, body: &BodyDigest) -> Result<Option<Response>, Problem> {
        let Some(key) = &self.key else { return Ok(None) };
        let (principal, digest) = (self.user.to_string(), self.digest(key));
        // One flight, two statements: the second has a snapshot of its own, taken with the lock held. With one
        // snapshot for both, a racing first call would be missed and the effect would happen twice.
        let lock = store::try_lock(tx, lock_id(&digest));
        let (locked, kept) = join(lock, find(tx, self.user, &principal, &digest)).await;
        let locked = locked?.locked;
        let Some(kept) = kept? else {
            return if locked { Ok(None) } else { Err(Code::InProgress.into()) };
        };
        // A record that is there is of a call that ended: whoever holds the lock now only repeats its answer too.
        if kept.operation != self.operation || kept.body_digest != body.0 {
            return Err(Code::IdempotencyMismatch.into());
        }
        let answer = Answer::open(&self.answer_key(key), &kept.sealed_answer).map_err(Problem::internal)?;
        Ok(Some(answer.into_response()))
    }

    /// Remembers the answer, if it is a success, and gives it back.
    pub async fn keep(
        &self,
        tx: &impl Remembers,
        body: &BodyDigest,
        answer: impl IntoResponse,
    ) -> Result<Response, Problem> {
        let response = answer.into_response();
        let Some(key) = self.key.as_ref().filter(|_| response.status().is_success()) else { return Ok(response) };
        let (answer, response) = Answer::of(response).await?;
        let (org, person) = match tx.owner(self.user) {
            Owner::Org(org) => (Some(org), None),
            Owner::Person(person) => (None, Some(person)),
        };
        let sealed = answer.seal(&self.answer_key(key), &self.app.rng).map_err(Problem::internal)?;
        let principal = self.user.to_string();
        let (digest, now) = (self.digest(key), self.app.clock.now());
        let kept = store::insert(tx, org, person, &principal, &digest, &self.operation, &body.0, &sealed, now).await;
        kept.on_constraint("idempotency_keys_key", Problem::new(Code::InProgress))?;
        Ok(response)
    }

    /// Of person and key: the table holds nothing from which the key could be had.
    fn digest(&self, key: &str) -> Vec<u8> {
        self.app.secrets.lookup_digest(PURPOSE, format!("{}\0{key}", self.user).as_bytes())
    }

    /// Only who knows the idempotency key can read the answer.
    fn answer_key(&self, key: &str) -> [u8; 32] {
        answer::key(&self.app.secrets, &format!("{}\0{key}", self.user))
    }
}

async fn find(tx: &impl Remembers, caller: UserId, principal: &str, digest: &[u8]) -> DbResult<Option<store::Kept>> {
    match tx.owner(caller) {
        Owner::Org(org) => store::of_org(tx, org, principal, digest).await,
        Owner::Person(person) => store::of_person(tx, person, principal, digest).await,
    }
}

/// Advisory locks are 64 bits; two keys that share one only wait for each other.
fn lock_id(digest: &[u8]) -> i64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(digest.iter().rev()).for_each(|(to, from)| *to = *from);
    i64::from_be_bytes(bytes)
}
