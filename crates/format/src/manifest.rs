//! The manifest: the signed description of a recovery point.
//!
//! It is an in-toto statement (<https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>) in a
//! DSSE envelope (<https://github.com/secure-systems-lab/dsse>), so any DSSE verifier can check it. It
//! contains no secrets: names of types and counts, but no objects.
//!
//! Within [`FORMAT_VERSION`], a writer may add fields, which readers ignore, and never changes the meaning of
//! a field. Any other change requires a new version, which older readers refuse.

pub mod check;
pub mod envelope;
pub mod infrastructure;
pub mod keys;
pub mod signers;

use std::collections::BTreeMap;

use jiff::Timestamp;
use lifeboat_model::{ApplicationName, ClusterName, Filter, PackName, RecoveryPointId, TypeName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use check::check_structure;
pub use envelope::{Envelope, EnvelopeSignature, ManifestError, open_envelope, pae, pae_of, payload};
pub use infrastructure::{INFRASTRUCTURE, InfrastructureRecord, ResourceRecord, UnreadRecord};
pub use keys::{WrappedFor, WrappedKeyRecord};
pub use signers::{NamedSigner, named_signers};

use crate::digest::Sha256;
use crate::pack::{PackKind, PackSummary, PackVersion};

/// The version of the format that this program writes, and the newest that it reads. It also reads all
/// earlier versions; `FORMAT.md` lists the differences.
pub const FORMAT_VERSION: u32 = 4;
/// The first version whose data keys and packs are bound to the application and the cluster.
pub const BOUND_VERSION: u32 = 3;
/// The first version that may hold descriptions of AWS resources.
pub const INFRASTRUCTURE_VERSION: u32 = 4;
/// The type of the statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The type of the predicate.
pub const PREDICATE_TYPE: &str = "https://lifeboat.dev/recovery-point/v1";
/// The type of the envelope's payload.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// An in-toto statement about a recovery point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// Always `https://in-toto.io/Statement/v1`.
    #[serde(rename = "_type")]
    pub r#type: String,
    /// The files of this recovery point, sorted by name. Files of earlier recovery points that it refers to are in
    /// the predicate only.
    pub subject: Vec<Subject>,
    /// Always [`PREDICATE_TYPE`].
    pub predicate_type: String,
    /// The contents of the recovery point.
    pub predicate: Predicate,
}

/// A file of the recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// The file's name, relative to the point.
    pub name: PackName,
    /// Its digest.
    pub digest: SubjectDigest,
}

/// The digest of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubjectDigest {
    /// SHA-256 in hexadecimal.
    pub sha256: Sha256,
}

/// The contents of a recovery point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Predicate {
    /// The version of the format.
    pub format_version: u32,
    /// The application.
    pub application: ApplicationName,
    /// The id of the recovery point. A manifest stored under another id is refused.
    pub point: RecoveryPointId,
    /// The time of creation, by the clock of the program that created it.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// The program that created it.
    pub tool: Tool,
    /// Whether it contains everything that was requested.
    pub completeness: Completeness,
    /// The data keys, each wrapped for one or more recovery keys, sorted by id.
    pub keys: Vec<WrappedKeyRecord>,
    /// The clusters, sorted by name.
    pub clusters: Vec<ClusterRecord>,
    /// The AWS resources that the clusters stand on; absent if they were not described.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<InfrastructureRecord>,
}

impl Predicate {
    /// Returns all files: those of the clusters, then the descriptions.
    pub fn packs(&self) -> impl Iterator<Item = &PackRecord> {
        let descriptions = self.infrastructure.iter().flat_map(|record| &record.pack);
        let clusters = self.clusters.iter().flat_map(|cluster| &cluster.packs);
        clusters.chain(descriptions)
    }

    /// Returns the files that the recovery point itself contains.
    pub fn own_packs(&self) -> impl Iterator<Item = &PackRecord> {
        self.packs().filter(|pack| pack.point.is_none())
    }

    /// Returns whether something is missing that was requested.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        let is_unread = self
            .infrastructure
            .iter()
            .any(|record| !record.missing.is_empty());
        is_unread
            || self.clusters.iter().any(|cluster| {
                let mut types = cluster.types.iter();
                !cluster.missing.is_empty()
                    || types.any(|record| matches!(record.outcome, TypeOutcome::Failed { .. }))
            })
    }

    /// Returns the version that a pack must have. It is signed, so that no file of another version can take its place.
    #[must_use]
    pub fn pack_version(&self, pack: &PackRecord) -> PackVersion {
        match pack.version {
            _ if self.format_version < BOUND_VERSION => PackVersion::V1,
            Some(version) => version,
            None => PackVersion::V2,
        }
    }
}

/// The program that created a recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Its name: `lifeboat`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Whether a recovery point contains everything that was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Completeness {
    /// Every type that the filters select was read, and every AWS resource that was to be described.
    Complete,
    /// Something is missing; `missing` of each cluster and of the infrastructure lists it.
    Partial,
}

/// One cluster of the point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRecord {
    /// Its name in the application.
    pub name: ClusterName,
    /// The API server.
    pub server: ServerRecord,
    /// The resourceVersion at which all pinned types were listed; absent if the server pins none.
    pub resource_version: Option<String>,
    /// The start of its capture.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// The end of its capture.
    #[schemars(with = "String")]
    pub finished_at: Timestamp,
    /// The filter; an empty one selects everything.
    pub filters: Filter,
    /// The number of objects.
    pub objects: u64,
    /// The size of their lines in bytes, including line ends.
    pub bytes: u64,
    /// Every type that discovery returned, sorted by group and resource, with its outcome.
    pub types: Vec<TypeRecord>,
    /// What is missing; empty in a complete capture.
    pub missing: Vec<MissingRecord>,
    /// Its files, sorted by name.
    pub packs: Vec<PackRecord>,
    /// References of the objects to what is outside the cluster, by kind: `images`, `roleArns`, … Each list is
    /// sorted and has no duplicates.
    pub dependencies: BTreeMap<String, Vec<String>>,
}

/// The API server that was read, without its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerRecord {
    /// The UID of the namespace `kube-system`, which identifies the cluster; absent if reading it is forbidden.
    pub kube_system_uid: Option<String>,
    /// `gitVersion`, such as `v1.36.3`.
    pub version: String,
    /// `platform`, such as `linux/arm64`.
    pub platform: String,
}

/// A type that discovery returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeRecord {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version that was listed.
    pub version: String,
    /// The plural name.
    pub resource: String,
    /// The kind.
    pub kind: String,
    /// Whether its objects are namespaced.
    pub namespaced: bool,
    /// The short names.
    pub short_names: Vec<String>,
    /// The singular name.
    pub singular: String,
    /// The verbs that the server supports.
    pub verbs: Vec<String>,
    /// All served versions, preferred first.
    pub served_versions: Vec<String>,
    /// Whether a CustomResourceDefinition defines it.
    pub custom: bool,
    /// Whether it was read.
    pub outcome: TypeOutcome,
}

impl TypeRecord {
    /// Returns the name of the type, without its version.
    #[must_use]
    pub fn name(&self) -> TypeName {
        TypeName::new(&self.group, &self.resource)
    }
}

/// Whether a type was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all_fields = "camelCase")]
pub enum TypeOutcome {
    /// It was read.
    Listed {
        /// The version of the list.
        resource_version: Option<String>,
        /// Whether that is the cluster's pinned version.
        pinned: bool,
        /// Why not, if it is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// The number of objects stored.
        objects: u64,
        /// The size of their lines in bytes, including line ends.
        bytes: u64,
    },
    /// It could not be read.
    Failed {
        /// The verb that was refused.
        verb: String,
        /// The HTTP status; absent without a response.
        status: Option<u16>,
        /// The reason that the server gave.
        reason: String,
        /// The message that the server gave.
        message: String,
        /// How to fix it.
        // The name up to version 2.
        #[serde(alias = "mend")]
        remediation: String,
    },
    /// It was not requested, or is never stored.
    Excluded {
        /// Why.
        why: String,
    },
    /// Its objects are stored as those of another type.
    SameAs {
        /// The other type.
        r#type: TypeName,
    },
}

/// What is missing in a partial recovery point: a type, or a whole API group whose types are unknown because
/// discovery failed. Exactly one of the two is given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MissingRecord {
    /// The type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<TypeName>,
    /// The API group, or group and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The verb that failed: `list`, `discover`.
    pub verb: String,
    /// The response of the server.
    pub answer: String,
    /// How to fix it.
    // The name up to version 2.
    #[serde(alias = "mend")]
    pub remediation: String,
}

/// The contents of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PackRecordKind {
    /// Objects.
    Objects,
    /// The index.
    Index,
    /// Descriptions of AWS resources.
    Descriptions,
}

impl From<PackKind> for PackRecordKind {
    fn from(kind: PackKind) -> Self {
        match kind {
            PackKind::Objects => Self::Objects,
            PackKind::Index => Self::Index,
            PackKind::Descriptions => Self::Descriptions,
        }
    }
}

impl From<PackRecordKind> for PackKind {
    fn from(kind: PackRecordKind) -> Self {
        match kind {
            PackRecordKind::Objects => Self::Objects,
            PackRecordKind::Index => Self::Index,
            PackRecordKind::Descriptions => Self::Descriptions,
        }
    }
}

/// A file of a cluster, or the descriptions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackRecord {
    /// Its name, relative to the recovery point that contains it.
    pub name: PackName,
    /// Its contents.
    pub kind: PackRecordKind,
    /// The id of its data key.
    pub key: String,
    /// Its digest.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub bytes: u64,
    /// The number of frames, including the last one.
    pub frames: u32,
    /// The earlier recovery point that contains the file; null if it is this one.
    pub point: Option<RecoveryPointId>,
    /// The version of the file, if it is of an earlier recovery point and not of the version that this format writes.
    /// Absent before version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<PackVersion>,
}

impl PackRecord {
    /// Creates the record of a pack that was written for this recovery point.
    #[must_use]
    pub fn new(name: PackName, kind: PackKind, key: impl Into<String>, summary: &PackSummary) -> Self {
        Self {
            name,
            kind: kind.into(),
            key: key.into(),
            sha256: summary.sha256,
            bytes: summary.bytes,
            frames: summary.frames,
            point: None,
            version: None,
        }
    }
}

impl Statement {
    /// Creates the statement about a recovery point. Order without meaning is made canonical, so that the
    /// same content produces the same bytes. The subjects are derived from the packs.
    #[must_use]
    pub fn new(mut predicate: Predicate) -> Self {
        predicate.keys.sort_by(|a, b| a.id.cmp(&b.id));
        for key in &mut predicate.keys {
            key.recipients.sort_by(|a, b| a.recipient.cmp(&b.recipient));
        }
        predicate.clusters.sort_by(|a, b| a.name.cmp(&b.name));
        for cluster in &mut predicate.clusters {
            cluster.types.sort_by(|a, b| {
                (&a.group, &a.resource, &a.version).cmp(&(&b.group, &b.resource, &b.version))
            });
            cluster.missing.sort();
            cluster
                .packs
                .sort_by(|a, b| (&a.point, &a.name).cmp(&(&b.point, &b.name)));
            for list in cluster.dependencies.values_mut() {
                list.sort();
                list.dedup();
            }
        }
        if let Some(record) = &mut predicate.infrastructure {
            record.sort();
        }
        let mut subject: Vec<Subject> = predicate
            .own_packs()
            .map(|pack| Subject {
                name: pack.name.clone(),
                digest: SubjectDigest { sha256: pack.sha256 },
            })
            .collect();
        subject.sort_by(|a, b| a.name.cmp(&b.name));
        Self {
            r#type: STATEMENT_TYPE.to_owned(),
            subject,
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate,
        }
    }
}

/// Returns the JSON schema of the payload.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Statement).to_value()
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD
            .decode(text)
            .map_err(|_| serde::de::Error::custom("not base64"))
    }
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
