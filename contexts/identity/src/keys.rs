//! The keys that sign access tokens: EdDSA, sealed at rest, known by every process, exchanged without a gap.

use crate::store::signing_keys::{self, SigningKeyRow};
use api::{Bearer, Claims, Code, Problem, TokenCache};
use arc_swap::ArcSwap;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use db::{
    Db, DbError, SystemTx, Work,
    secrets::{MasterKey, Place, SecretError},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use types::{Clock, Rng, Timestamp};

/// A new key is published this long before it signs: every process reads the keys more often.
const PUBLISHED_BEFORE: Duration = Duration::from_mins(2);
/// How often a process looks for new and retired keys.
const FOLLOW: Duration = Duration::from_secs(10);
const AUDIENCE: &str = "eap";

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// Sealed under another master key.
    #[error("a signing key does not open: EAP_MASTER_KEY is not the one it was sealed with")]
    Sealed(#[from] SecretError),
    /// Not a key.
    #[error("a signing key cannot be read")]
    Malformed,
    /// It does not exist, or is retired already.
    #[error("there is no such key in use")]
    Unknown,
    /// The last one.
    #[error("it is the only key that signs: rotate first")]
    Last,
}

impl From<KeyError> for Problem {
    /// Without a key that signs the process is not ready: the caller tries again, elsewhere or later.
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Unknown => Self::new(Code::Unavailable).caused_by(error),
            other => Self::internal(other),
        }
    }
}

/// A key, as an operator sees it.
#[derive(Debug)]
pub struct KeyState {
    /// The `kid` of its tokens.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it begins to sign.
    pub signs_from: Timestamp,
    /// When it stopped to be known.
    pub retired_at: Option<Timestamp>,
}

/// All keys in use; a clone is the same.
#[derive(Clone)]
pub struct SigningKeys {
    known: Arc<ArcSwap<BTreeMap<String, Key>>>,
    issuer: Arc<str>,
    master_key: MasterKey,
    clock: Clock,
    rng: Rng,
}

struct Key {
    signs_from: Timestamp,
    public: Vec<u8>,
    sign: EncodingKey,
    verify: DecodingKey,
}

impl SigningKeys {
    /// None yet: [`SigningKeys::load`] reads them.
    pub fn new(issuer: &str, master_key: MasterKey, clock: Clock, rng: Rng) -> Self {
        Self { known: Arc::default(), issuer: issuer.into(), master_key, clock, rng }
    }

    /// Reads the keys; makes the first one, once, whichever process comes first. Says whether a key that was known is gone.
    pub async fn load(&self, db: &Db) -> Result<bool, KeyError> {
        let tx = db.system(Work::Keys).await?;
        let mut rows = signing_keys::in_use(&tx).await?;
        if rows.is_empty() {
            signing_keys::lock(&tx).await?;
            rows = signing_keys::in_use(&tx).await?;
        }
        if rows.is_empty() {
            self.make(&tx, self.clock.now()).await?;
            rows = signing_keys::in_use(&tx).await?;
        }
        tx.commit().await?;
        let keys: BTreeMap<_, _> = rows.into_iter().map(|row| self.open(row)).collect::<Result<_, _>>()?;
        let is_gone = self.known.load().keys().any(|id| !keys.contains_key(id));
        self.known.store(Arc::new(keys));
        Ok(is_gone)
    }

    /// Reads the keys again and again until told to stop; what a retired key signed is forgotten.
    pub async fn follow(self, db: Db, tokens: TokenCache, stop: CancellationToken) {
        while stop.run_until_cancelled(sleep(FOLLOW)).await.is_some() {
            match self.load(&db).await {
                Ok(true) => tokens.forget(),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "signing keys cannot be read");
                }
            }
        }
    }

    /// Makes a key that signs once every process knows it; older keys verify on.
    pub async fn rotate(&self, db: &Db) -> Result<String, KeyError> {
        let tx = db.system(Work::Keys).await?;
        let id = self.make(&tx, self.clock.now().plus(PUBLISHED_BEFORE)).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Forgets a key: every process refuses its tokens as soon as it has looked, within ten seconds.
    pub async fn retire(&self, db: &Db, id: &str) -> Result<(), KeyError> {
        let tx = db.system(Work::Keys).await?;
        signing_keys::lock(&tx).await?;
        let now = self.clock.now();
        let signing =
            signing_keys::in_use(&tx).await?.into_iter().filter(|row| row.signs_from <= now && row.id != id).count();
        if signing == 0 {
            return Err(KeyError::Last);
        }
        signing_keys::retire(&tx, id, now).await?.ok_or(KeyError::Unknown)?;
        Ok(tx.commit().await?)
    }

    /// Every key there ever was.
    pub async fn list(&self, db: &Db) -> Result<Vec<KeyState>, KeyError> {
        let tx = db.system(Work::Keys).await?;
        let rows = signing_keys::all(&tx).await?;
        tx.commit().await?;
        let state = |row: signing_keys::KeyStateRow| KeyState {
            id: row.id,
            created_at: row.created_at,
            signs_from: row.signs_from,
            retired_at: row.retired_at,
        };
        Ok(rows.into_iter().map(state).collect())
    }

    async fn make(&self, tx: &SystemTx, signs_from: Timestamp) -> Result<String, KeyError> {
        let (now, seed) = (self.clock.now(), self.rng.bytes::<32>());
        // Hexadecimal: an operator types it after `keys retire`, and one of base64 may begin with a dash.
        let id = hex::encode(self.rng.bytes::<12>());
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::Malformed)?;
        let sealed = self.master_key.seal(&self.rng, place(&id), &seed);
        signing_keys::insert(tx, &id, pair.public_key().as_ref(), &sealed, now, signs_from).await?;
        Ok(id)
    }

    fn open(&self, row: SigningKeyRow) -> Result<(String, Key), KeyError> {
        let seed = self.master_key.open(place(&row.id), &row.sealed_seed)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::Malformed)?;
        let der = pair.to_pkcs8v1().map_err(|_| KeyError::Malformed)?;
        let key = Key {
            signs_from: row.signs_from,
            sign: EncodingKey::from_ed_der(der.as_ref()),
            verify: DecodingKey::from_ed_der(&row.public_key),
            public: row.public_key,
        };
        Ok((row.id, key))
    }

    /// Signs with the newest key whose time has come.
    pub(crate) fn sign(&self, claims: &Claims) -> Result<String, KeyError> {
        let (known, now) = (self.known.load(), self.clock.now());
        let newest = known.iter().filter(|(_, key)| key.signs_from <= now).max_by_key(|(_, key)| key.signs_from);
        let (id, key) = newest.ok_or(KeyError::Unknown)?;
        let header = Header { typ: Some("at+jwt".to_owned()), kid: Some(id.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &key.sign).map_err(|_| KeyError::Malformed)
    }

    /// The issuer of tokens.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Who they are for.
    pub(crate) fn audience() -> &'static str {
        AUDIENCE
    }

    /// Verifies access tokens (RFC 9068): algorithm, type, signature, issuer, audience and times. Headers that name a
    /// key elsewhere (`jku`, `x5u`, `jwk`) are not looked at.
    pub fn verifier(&self) -> Bearer {
        let keys = self.clone();
        Arc::new(move |token| keys.verify(token))
    }

    fn verify(&self, token: &str) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        if header.typ.as_deref() != Some("at+jwt") || header.alg != Algorithm::EdDSA {
            return None;
        }
        let known = self.known.load();
        let key = known.get(header.kid.as_deref()?)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[&*self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are checked against our clock, not the system's.
        validation.validate_exp = false;
        let claims: Claims = jsonwebtoken::decode(token, &key.verify, &validation).ok()?.claims;
        (claims.exp > self.clock.now().as_secs()).then_some(claims)
    }

    /// The public keys (RFC 7517, RFC 8037), those that do not sign yet included.
    pub(crate) fn jwks(&self) -> Value {
        let known = self.known.load();
        let key = |(id, key): (&String, &Key)| {
            let x = URL_SAFE_NO_PAD.encode(&key.public);
            json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": id, "x": x })
        };
        json!({ "keys": known.iter().map(key).collect::<Vec<_>>() })
    }
}

fn place(id: &str) -> Place<'_> {
    Place { table: "signing_keys", column: "sealed_seed", row: id }
}
