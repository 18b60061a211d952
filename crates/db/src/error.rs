//! What can go wrong between a statement and its rows, sorted by what a caller can do about it.

use tokio_postgres::error::SqlState;

/// The result of everything that asks the database.
pub type DbResult<T> = Result<T, DbError>;

/// An error of the database or of the way to it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// It cannot be reached or is shutting down: try again in a moment.
    #[error("the database cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A named constraint refused the change.
    #[error("constraint {name} refused the change")]
    Constraint {
        /// Its name in the schema.
        name: String,
        /// Which kind it is.
        kind: ConstraintKind,
    },
    /// A statement ran into its time limit.
    #[error("a statement took too long")]
    Timeout(#[source] tokio_postgres::Error),
    /// Another transaction was in the way (a deadlock, a serialization failure): the same again will do.
    #[error("another transaction was in the way")]
    InTheWay(#[source] tokio_postgres::Error),
    /// An earlier statement failed; PostgreSQL would answer COMMIT with a quiet ROLLBACK.
    #[error("a statement of this transaction failed, so it cannot be committed")]
    Failed,
    /// The transaction was open for too long.
    #[error("the transaction was open for more than its limit")]
    Expired,
    /// A statement that must return a row returned none.
    #[error("{0} returned no row")]
    NoRow(&'static str),
    /// Anything else: a defect of ours.
    #[error("a statement failed")]
    Query(#[source] tokio_postgres::Error),
    /// The connection settings cannot be used.
    #[error("the database settings cannot be used: {0}")]
    Settings(String),
}

/// The constraints that refuse ordinary input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstraintKind {
    /// A value is taken.
    Unique,
    /// A row that is named does not exist, or is still named by others.
    ForeignKey,
    /// A CHECK.
    Check,
}

impl DbError {
    /// Whether a table that a statement names does not exist: the schema is older than the statement.
    pub fn is_missing_table(&self) -> bool {
        matches!(self, Self::Query(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE))
    }
}

impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            // No answer of the server: the connection broke.
            return if error.is_closed()
                || std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
            {
                Self::Unavailable(Box::new(error))
            } else {
                Self::Query(error)
            };
        };
        let kind = match *db.code() {
            SqlState::UNIQUE_VIOLATION => ConstraintKind::Unique,
            SqlState::FOREIGN_KEY_VIOLATION => ConstraintKind::ForeignKey,
            SqlState::CHECK_VIOLATION => ConstraintKind::Check,
            SqlState::QUERY_CANCELED | SqlState::LOCK_NOT_AVAILABLE => return Self::Timeout(error),
            SqlState::T_R_DEADLOCK_DETECTED | SqlState::T_R_SERIALIZATION_FAILURE => return Self::InTheWay(error),
            ref code if is_away(code) => return Self::Unavailable(Box::new(error)),
            _ => return Self::Query(error),
        };
        match db.constraint() {
            Some(name) => Self::Constraint { name: name.to_owned(), kind },
            None => Self::Query(error),
        }
    }
}

/// Class 08 (connection), 57P (shutdown, crash, cannot connect now) and too many connections.
fn is_away(code: &SqlState) -> bool {
    let code = code.code();
    code.starts_with("08") || (code.starts_with("57P") && code != "57P04") || code == "53300" || code == "25P03"
}

impl From<deadpool_postgres::PoolError> for DbError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => match Self::from(error) {
                // Whatever keeps us from connecting, the caller can only try again; the log has the cause.
                Self::Query(error) => Self::Unavailable(Box::new(error)),
                other => other,
            },
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

/// Turns a named constraint into a refusal that means something to the caller.
pub trait Constraints<T> {
    /// `refusal` when exactly this constraint refused, else the error itself.
    fn on_constraint<E: From<DbError>>(self, name: &str, refusal: E) -> Result<T, E>;
}

impl<T> Constraints<T> for DbResult<T> {
    fn on_constraint<E: From<DbError>>(self, name: &str, refusal: E) -> Result<T, E> {
        self.map_err(|error| match error {
            DbError::Constraint { name: refused, .. } if refused == name => refusal,
            other => other.into(),
        })
    }
}
