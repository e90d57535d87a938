//! How each crate's errors become failures. Where an error knows what was wrong and what to do, it is
//! shown as it says; its code decides the exit code.

use lifeboat_filesystem::{LockError, PemError};
use lifeboat_jobs::ports::{KeyError, StoreError};
use lifeboat_kubernetes::{ApiError, ConnectError};

use super::Failure;

macro_rules! from_problem {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::from(error.problem())
            }
        })*
    };
}

from_problem!(ApiError, ConnectError, KeyError, LockError, PemError, StoreError);
