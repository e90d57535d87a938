//! Conversion of file system errors to store errors.

use std::fmt::Display;
use std::io;

use lifeboat_store::ports::{StoreError, StoreOperation};

/// Returns the store error for an error of the file system.
pub(crate) fn failure(operation: StoreOperation, key: &dyn Display, error: io::Error) -> StoreError {
    use io::ErrorKind as Io;
    let key = key.to_string();
    match error.kind() {
        Io::NotFound | Io::NotADirectory | Io::IsADirectory if reads(operation) => {
            StoreError::NotFound { operation, key }
        }
        Io::PermissionDenied | Io::ReadOnlyFilesystem => StoreError::Denied {
            operation,
            key,
            source: error.into(),
        },
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => StoreError::Full {
            operation,
            key,
            source: error.into(),
        },
        Io::Interrupted | Io::TimedOut | Io::ResourceBusy | Io::StaleNetworkFileHandle => {
            StoreError::Unavailable {
                operation,
                key,
                source: error.into(),
            }
        }
        _ => StoreError::Failed {
            operation,
            key,
            source: error.into(),
        },
    }
}

fn reads(operation: StoreOperation) -> bool {
    matches!(operation, StoreOperation::Read | StoreOperation::Inspect)
}

#[cfg(test)]
mod tests {
    use lifeboat_model::{Code, ErrorKind};

    use super::*;
    use lifeboat_model::Diagnostic as _;

    #[test]
    fn errors_of_the_file_system_get_the_code_that_helps() {
        let cases = [
            (io::ErrorKind::StorageFull, Code::StoreFull, ErrorKind::Denied),
            (io::ErrorKind::QuotaExceeded, Code::StoreFull, ErrorKind::Denied),
            (
                io::ErrorKind::PermissionDenied,
                Code::StoreDenied,
                ErrorKind::Denied,
            ),
            (
                io::ErrorKind::ReadOnlyFilesystem,
                Code::StoreDenied,
                ErrorKind::Denied,
            ),
            (io::ErrorKind::Interrupted, Code::StoreFailed, ErrorKind::Retry),
            (io::ErrorKind::NotFound, Code::StoreFailed, ErrorKind::Invalid),
        ];
        for (io, code, kind) in cases {
            let error = failure(StoreOperation::Create, &"shop/x", io.into());
            assert_eq!((error.code(), error.kind()), (code, kind), "{io:?}");
            assert!(error.to_string().starts_with("create shop/x"), "{error}");
        }
    }
}
