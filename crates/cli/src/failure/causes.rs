//! Conversions from each crate's errors to failures. An error that has a message and a remedy of its own keeps them;
//! its code determines the exit code.

use lifeboat_apiserver::{ApiError, ConnectError, DiscoveryError};
#[cfg(feature = "aws")]
use lifeboat_aws::KmsError;
use lifeboat_capture::CaptureError;
use lifeboat_capture::backup::BackupError;
use lifeboat_filesystem::{LockError, PemError};
use lifeboat_model::Diagnostic as _;
use lifeboat_recovery_point::{PointError, SealError, WriteError};
use lifeboat_restore::execute::LeaseError;
use lifeboat_restore::execute::RestoreError;
use lifeboat_restore::prove::ProveError;
use lifeboat_restore::recover::RecoverError;
use lifeboat_restore::survey::SurveyError;
use lifeboat_store::ports::{KeyError, StoreError};

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
    BackupError,
    CaptureError,
    ConnectError,
    DiscoveryError,
    KeyError,
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

#[cfg(feature = "aws")]
from_problem!(KmsError);
