//! Passwords: argon2id in threads of its own, so that hashing never takes the threads that answer requests.

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use std::{sync::Arc, thread::available_parallelism, time::Duration};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use types::Rng;

/// How long a request waits for its turn; longer queues only help nobody.
const WAIT: Duration = Duration::from_millis(300);

/// How much work a hash is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashCost {
    /// 19 MiB and 2 passes, as OWASP advises.
    Production,
    /// As little as there is, for tests; never reachable by a setting.
    Cheap,
}

/// Too many hashes wait already.
#[derive(Debug, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Overloaded;

/// Makes and checks hashes; a clone shares the turns.
#[derive(Clone)]
pub struct Hasher {
    argon2: Argon2<'static>,
    turns: Arc<Semaphore>,
    rng: Rng,
    /// What an unknown address is checked against, so that it takes as long as a known one.
    decoy: Arc<str>,
}

impl Hasher {
    /// One core is left for everything else.
    pub fn new(cost: HashCost, rng: &Rng) -> Self {
        let params = match cost {
            HashCost::Production => Params::new(19 * 1024, 2, 1, None),
            HashCost::Cheap => Params::new(Params::MIN_M_COST, 1, 1, None),
        };
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.unwrap_or_default());
        let turns = available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1));
        let decoy = hash(&argon2, b"a password that nobody has", &rng.bytes());
        Self { argon2, turns: Arc::new(Semaphore::new(turns)), rng: rng.clone(), decoy: decoy.into() }
    }

    /// A new hash, in PHC form.
    pub async fn hash(&self, password: String) -> Result<String, Overloaded> {
        let (argon2, salt) = (self.argon2.clone(), self.rng.bytes());
        self.in_turn(move || hash(&argon2, password.as_bytes(), &salt)).await
    }

    /// Whether the password belongs to the hash; without a hash the same work is done, and the answer is no.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Overloaded> {
        let (argon2, decoy, known) = (self.argon2.clone(), Arc::clone(&self.decoy), hash.is_some());
        let check = move || argon2.verify_password(password.as_bytes(), hash.as_deref().unwrap_or(&decoy)).is_ok();
        Ok(self.in_turn(check).await? && known)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Overloaded> {
        let turn = timeout(WAIT, Arc::clone(&self.turns).acquire_owned()).await.map_err(|_| Overloaded)?;
        let turn = turn.map_err(|_| Overloaded)?;
        let done = spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(|_| Overloaded)
    }
}

fn hash(argon2: &Argon2<'_>, password: &[u8], salt: &[u8; 16]) -> String {
    let hash = argon2.hash_password_with_salt(password, salt);
    // The salt's length is constant and the password's is bounded: argon2 has nothing to refuse.
    hash.map(|hash| hash.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_belongs_to_its_hash_alone_and_no_hash_is_never_right() {
        let hasher = Hasher::new(HashCost::Cheap, &Rng::seeded(1));
        let hash = hasher.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$"));
        assert!(hasher.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify("wrong horse".into(), Some(hash)).await.unwrap());
        assert!(!hasher.verify("a password that nobody has".into(), None).await.unwrap());
    }
}
