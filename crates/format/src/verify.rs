//! Comparing the files of a point with its signed statement. None of this needs a private key.

use lifeboat_model::{ApplicationName, Code, Diagnostic, ErrorKind, PackName, RecoveryPointId};

use crate::digest::Sha256;
use crate::manifest::Statement;

/// A file or manifest that is not the one that was signed for its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The manifest was signed for another point or application.
    #[error("the manifest is stored in {place} but was signed for {signed}")]
    PointIdentityMismatch {
        /// Where it stands: application and point.
        place: String,
        /// What it was signed for.
        signed: String,
    },
    /// The statement does not name the file.
    #[error("the file {name} is not part of the recovery point")]
    NotInManifest {
        /// The file.
        name: PackName,
    },
    /// The file is another file of the same point.
    #[error("the file {name} contains the data that was signed as {actually}")]
    Swapped {
        /// The file.
        name: PackName,
        /// What it holds.
        actually: PackName,
    },
    /// The file has another size.
    #[error("the file {name} has {found} bytes, not {expected}")]
    Size {
        /// The file.
        name: PackName,
        /// The signed size.
        expected: u64,
        /// The size that was found.
        found: u64,
    },
    /// The file has another content.
    #[error("the file {name} has the digest {found}, not {expected}")]
    Digest {
        /// The file.
        name: PackName,
        /// The signed digest.
        expected: Sha256,
        /// The digest that was found.
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

/// Checks that a statement stands where it was signed for: a whole point that was copied under another
/// id, for instance an old one in the place of the latest, is refused.
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

/// Checks a file of the point against the statement.
///
/// # Errors
/// [`VerifyError`] says how it differs.
pub fn check_file(
    statement: &Statement,
    name: &PackName,
    sha256: Sha256,
    bytes: u64,
) -> Result<(), VerifyError> {
    let packs = || {
        statement
            .predicate
            .clusters
            .iter()
            .flat_map(|cluster| &cluster.packs)
            .filter(|pack| pack.point.is_none())
    };
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
