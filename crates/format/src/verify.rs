//! Verification of the files of a recovery point against its signed statement. No private key is needed.

use lifeboat_model::{ApplicationName, Code, Diagnostic, ErrorKind, PackName, RecoveryPointId};

use crate::digest::Sha256;
use crate::manifest::Statement;

/// The error for a file or manifest that differs from what was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The manifest was signed for another recovery point or application.
    #[error("the manifest is stored in {place} but was signed for {signed}")]
    PointIdentityMismatch {
        /// The location that it was read from: application and recovery point.
        place: String,
        /// The application and recovery point that it was signed for.
        signed: String,
    },
    /// The statement does not contain the file.
    #[error("the file {name} is not part of the recovery point")]
    NotInManifest {
        /// The name of the file.
        name: PackName,
    },
    /// The content of the file is that of another file of the same recovery point.
    #[error("the file {name} contains the data that was signed as {actually}")]
    Swapped {
        /// The name of the file.
        name: PackName,
        /// The file whose content it has.
        actually: PackName,
    },
    /// The size of the file differs.
    #[error("the file {name} has {found} bytes, not {expected}")]
    Size {
        /// The name of the file.
        name: PackName,
        /// The signed size in bytes.
        expected: u64,
        /// The actual size in bytes.
        found: u64,
    },
    /// The content of the file differs.
    #[error("the file {name} has the digest {found}, not {expected}")]
    Digest {
        /// The name of the file.
        name: PackName,
        /// The signed digest.
        expected: Sha256,
        /// The actual digest.
        found: Sha256,
    },
}

impl Diagnostic for VerifyError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Corrupt
    }

    fn code(&self) -> Code {
        match self {
            Self::PointIdentityMismatch { .. } => Code::PointIdentityMismatch,
            _ => Code::DigestMismatch,
        }
    }
}

/// Checks that a statement was signed for the location that it was read from. A whole recovery point that was
/// copied to another id is refused, for example an old one copied over the latest.
///
/// # Errors
/// [`VerifyError::PointIdentityMismatch`].
pub fn check_place(
    statement: &Statement,
    application: &ApplicationName,
    point: &RecoveryPointId,
) -> Result<(), VerifyError> {
    let signed = &statement.predicate;
    if signed.application == *application && signed.point == *point {
        return Ok(());
    }
    Err(VerifyError::PointIdentityMismatch {
        place: format!("{application}/{point}"),
        signed: format!("{}/{}", signed.application, signed.point),
    })
}

/// Checks a file of the recovery point against the statement.
///
/// # Errors
/// [`VerifyError`], by the difference that was found.
pub fn check_file(
    statement: &Statement,
    name: &PackName,
    sha256: Sha256,
    bytes: u64,
) -> Result<(), VerifyError> {
    let packs = || statement.predicate.own_packs();
    let signed = packs()
        .find(|pack| pack.name == *name)
        .ok_or_else(|| VerifyError::NotInManifest { name: name.clone() })?;
    if signed.sha256 == sha256 {
        return Ok(());
    }
    if let Some(other) = packs().find(|pack| pack.sha256 == sha256) {
        return Err(VerifyError::Swapped {
            name: name.clone(),
            actually: other.name.clone(),
        });
    }
    if signed.bytes != bytes {
        return Err(VerifyError::Size {
            name: name.clone(),
            expected: signed.bytes,
            found: bytes,
        });
    }
    Err(VerifyError::Digest {
        name: name.clone(),
        expected: signed.sha256,
        found: sha256,
    })
}

#[cfg(test)]
mod tests;
