//! Why a process no longer holds the Lease of its target.

use std::time::Duration;

use lifeboat_model::{Code, Diagnostic, ErrorKind};

use super::{LEASE_NAME, LEASE_NAMESPACE};

/// Why a process no longer holds the Lease of its target, so that it must not write any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseEnd {
    /// Another process holds it.
    #[error("keep the Lease {LEASE_NAMESPACE}/{LEASE_NAME} of the target: {holder:?} holds it now")]
    Taken {
        /// The holder as the Lease names it.
        holder: String,
    },
    /// It was deleted.
    #[error("keep the Lease {LEASE_NAMESPACE}/{LEASE_NAME} of the target: it was deleted")]
    Deleted,
    /// It was not renewed in time.
    #[error(
        "renew the Lease {LEASE_NAMESPACE}/{LEASE_NAME} of the target within {} seconds",
        deadline.as_secs_f32()
    )]
    NotRenewed {
        /// The time since the last renewal after which a holder gives up.
        deadline: Duration,
        /// The admission webhook that refused the last renewal.
        webhook: Option<String>,
    },
}

impl Diagnostic for LeaseEnd {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Taken { .. } => ErrorKind::Conflict,
            Self::NotRenewed { webhook: Some(_), .. } => ErrorKind::Denied,
            Self::Deleted | Self::NotRenewed { .. } => ErrorKind::Retry,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Taken { .. } => Code::TargetBusy,
            Self::Deleted | Self::NotRenewed { .. } => Code::LeaseNotRenewed,
        }
    }

    fn guidance(&self) -> String {
        match self {
            Self::Taken { .. } => {
                "wait until the other restore ends, then run the same command again".to_owned()
            }
            _ => self.code().explanation().remedy.to_owned(),
        }
    }
}
