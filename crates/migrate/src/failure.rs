//! Why an attempt at a file, or at one of its statements, ended.

use crate::UpError;
use tokio_postgres::Error;

/// Whether another attempt may help depends on it.
pub(crate) enum Failure {
    /// The server's words.
    Server {
        error: Error,
        /// How many statements of the file ran before; none when it was not one of the file's.
        ran: Option<usize>,
    },
    /// Nothing may be tried again.
    Final(UpError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Server { error, ran: None }
    }
}

impl From<UpError> for Failure {
    fn from(error: UpError) -> Self {
        match error {
            UpError::Database(error) => error.into(),
            error => Self::Final(error),
        }
    }
}
