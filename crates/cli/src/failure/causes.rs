//! How each crate's errors become failures. Where an error knows what was wrong and what to do, it is
//! shown as it says; its code decides the exit code.

use lifeboat_aws::KmsError;
use lifeboat_filesystem::{LockError, PemError};
use lifeboat_jobs::ports::{KeyError, StoreError};
use lifeboat_jobs::{PointError, SealError, WriteError};
use lifeboat_kubernetes::capture::CaptureError;
use lifeboat_kubernetes::prove::ProveError;
use lifeboat_kubernetes::recover::RecoverError;
use lifeboat_kubernetes::restore::LeaseError;
use lifeboat_kubernetes::{ApiError, ConnectError, DiscoveryError, RestoreError, SurveyError};

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

from_problem!(
    ApiError,
    CaptureError,
    ConnectError,
    DiscoveryError,
    KeyError,
    KmsError,
    LeaseError,
    LockError,
    PemError,
    PointError,
    ProveError,
    RecoverError,
    RestoreError,
    SealError,
    StoreError,
    SurveyError,
    WriteError,
);
