//! Problems as users see them: a stable code, a message and the fix.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// A stable code, printed as `LB-0123`. A number is never given a second meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in order of number.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The number behind `LB-`.
            #[must_use]
            pub fn number(self) -> u16 {
                match self { $(Code::$name => $number,)* }
            }

            fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Code::$name),)* _ => None }
            }
        }
    };
}

codes! {
    /// An assumption of Lifeboat's own code does not hold.
    Bug = 1,
    /// A command line or request that is not valid.
    Usage = 10,
    /// A configuration or options document that cannot be read.
    InvalidDocument = 11,
    /// The command was interrupted; the same command continues.
    Interrupted = 12,

    /// The kubeconfig cannot be read.
    KubeconfigUnreadable = 101,
    /// The kubeconfig has no such context.
    UnknownContext = 102,
    /// No API server answers at the address.
    ClusterUnreachable = 103,
    /// The API server does not accept the credentials (401).
    Unauthenticated = 104,
    /// The certificate of the API server is not trusted.
    UntrustedCertificate = 105,
    /// The response is not that of a Kubernetes API server.
    NotKubernetes = 106,
    /// The API server refuses the request (403).
    Forbidden = 107,

    /// Some types could not be read: the recovery point is Partial.
    PartialPoint = 201,
    /// Discovery of the cluster's types is incomplete.
    IncompleteDiscovery = 202,
    /// A filter names a type or namespace that does not exist.
    UnknownFilter = 203,
    /// The time allowed for the capture has passed.
    CaptureDeadlineExceeded = 204,
    /// A list is truncated or malformed.
    InvalidList = 205,

    /// The store does not exist or is not a folder.
    StoreNotFound = 301,
    /// The store refuses access.
    StoreDenied = 302,
    /// The store is full.
    StoreFull = 303,
    /// The key already exists; stores are write-once.
    StoreConflict = 304,
    /// Another run holds the application.
    StoreBusy = 305,
    /// The store failed in another way.
    StoreFailed = 306,

    /// A key file cannot be read.
    KeyUnreadable = 401,
    /// A public key was given instead of a private key, or the reverse.
    PublicPrivateKeyMismatch = 402,
    /// The key type or size is not supported.
    UnsupportedKeyType = 403,
    /// The recovery point is encrypted for another key.
    RecoveryKeyMismatch = 404,
    /// A key file already exists and is not overwritten.
    KeyExists = 405,

    /// There is no such recovery point.
    PointNotFound = 501,
    /// The signature does not match the manifest and the pinned key.
    SignatureInvalid = 502,
    /// The digest of a file of the point differs from the manifest.
    DigestMismatch = 503,
    /// A file of the point is truncated, reordered or cannot be decrypted.
    PackCorrupt = 504,
    /// The point was made by a newer format than this program reads.
    NewerFormat = 505,
    /// The manifest is signed but malformed.
    ManifestMalformed = 506,
    /// The point is stored under another name than the one it was signed for.
    PointIdentityMismatch = 507,
    /// There is no such object in the point.
    ObjectNotFound = 508,
    /// A file of the point is missing.
    PackMissing = 509,

    /// A selection refers to something that the point does not contain.
    UnknownSelector = 601,
    /// A patch cannot be applied to an object that it selects.
    PatchFailed = 602,
    /// The target does not serve a type or version.
    TypeNotServed = 603,
    /// The plan was rejected by its lint.
    PlanRefused = 604,
    /// The selection excludes a dependency.
    MissingDependency = 605,
    /// Two objects would have the same name.
    NameCollision = 606,

    /// Another restore holds the target.
    TargetBusy = 701,
    /// Some planned objects were not restored.
    RestoreIncomplete = 702,
    /// The recovered cluster differs from the plan.
    ProofFailed = 703,

    /// EKS denies `eks:DescribeCluster` to the delegate's role.
    DescribeClusterDenied = 801,
    /// There is no such cluster in the environment.
    ClusterNotFound = 802,
    /// The cluster is not active: it is being created, updated or deleted, or has failed.
    ClusterNotActive = 803,
    /// The public access CIDRs of the cluster do not allow the delegate.
    EndpointRestricted = 804,
    /// The cluster has no access entry for the delegate's role.
    NoAccessEntry = 805,
    /// The delegate's role lacks permissions in the cluster.
    InsufficientAccess = 806,
    /// A cluster of a kind that Lifeboat cannot reach: a local cluster on an Outpost.
    UnsupportedCluster = 807,
    /// A cluster of a Kubernetes version that Lifeboat does not support.
    UnsupportedVersion = 808,
    /// An environment or a delegate is not registered.
    NotRegistered = 809,
    /// The registered signing key is not the pinned one.
    SigningKeyChanged = 810,
    /// The registered recovery key is not the pinned one.
    RecoveryKeyChanged = 811,
    /// The cluster has a private endpoint only.
    EndpointPrivate = 812,
    /// An external cluster, registered with EKS Connector.
    ExternalCluster = 813,
    /// No cluster of the environment has the application's tags, or listing clusters is denied.
    NoTaggedCluster = 814,
    /// A clock differs too much from that of AWS.
    ClockSkewed = 815,
    /// A bucket of an access stack does not block public access, or its objects can belong to other accounts.
    BucketPolicyInvalid = 816,

    /// The application's document is not valid.
    ApplicationInvalid = 901,
    /// A backup failed, retries included.
    BackupFailed = 902,
    /// The last good recovery point is older than the schedule allows.
    BackupOverdue = 903,
    /// A recovery point could not be copied into the vault.
    VaultingFailed = 904,
    /// A recovery point in the vault is damaged.
    VaultDamaged = 905,
    /// A requested restore failed.
    RestoreFailed = 906,
    /// A document of a job was refused: malformed, too large, of a newer format, or not from the owner of the job.
    JobDocumentRefused = 907,
    /// A job reached its maximum number of epochs, or its result was written by a delegate that no longer owned it.
    JobLost = 908,
    /// The delegate does not claim its jobs.
    DelegateNotResponding = 909,
    /// A job was cancelled.
    JobCancelled = 910,
    /// A request refers to something that does not exist, or contradicts an earlier one.
    RequestRefused = 911,

    /// Credentials of AWS or a Region are missing, or are not valid.
    NoCredentials = 1001,
    /// The credentials belong to another account than the requested one.
    WrongAccount = 1002,
    /// these credentials are not allowed to perform an action.
    AwsDenied = 1003,
    /// A call to AWS failed in another way.
    AwsFailed = 1004,
    /// A stack operation failed.
    StackFailed = 1005,
    /// A stack is in a state in which it cannot be updated.
    StackNotUpdatable = 1006,
    /// The packages of the functions are missing.
    PackagesMissing = 1007,
    /// There is no coordinator in this account and Region.
    NoCoordinator = 1008,
    /// The coordinator failed on a request, or its response cannot be read.
    CoordinatorFailed = 1009,
    /// A required stack is not deployed.
    RequiredStackMissing = 1010,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LB-{:04}", self.number())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.strip_prefix("LB-")
            .and_then(|number| number.parse().ok())
            .and_then(Self::from_number)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a problem code")))
    }
}

impl JsonSchema for Code {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^LB-[0-9]{4}$" })
    }
}

/// One thing that is wrong, as it is shown to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// What is wrong, in one sentence, without repeating the cause.
    pub message: String,
    /// The causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do, if possible as the exact command.
    pub guidance: String,
}

impl Problem {
    /// A problem without causes.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>, guidance: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            causes: Vec::new(),
            guidance: guidance.into(),
        }
    }

    /// The same problem with the chain of `error` and its sources as causes.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn std::error::Error) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            let text = cause.to_string();
            if self.causes.last() != Some(&text) {
                self.causes.push(text);
            }
            next = cause.source();
        }
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        for cause in &self.causes {
            write!(f, "\n  because: {cause}")?;
        }
        write!(f, "\n  fix: {}", self.guidance)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn codes_are_unique_and_survive_serde() {
        let mut numbers: Vec<u16> = Code::ALL.iter().map(|c| c.number()).collect();
        let sorted = numbers.clone();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers, sorted, "codes are unique and stand in order");
        for code in Code::ALL {
            let text = serde_json::to_string(code).unwrap();
            assert_eq!(serde_json::from_str::<Code>(&text).unwrap(), *code);
        }
        assert!(serde_json::from_str::<Code>("\"LB-9999\"").is_err());
    }

    #[test]
    fn a_problem_reads_as_what_why_and_what_to_do() {
        let cause = std::io::Error::other("connection refused");
        let problem = Problem::new(
            Code::ClusterUnreachable,
            "the API server at https://127.0.0.1:1 does not answer",
            "check the address with `kubectl cluster-info`",
        )
        .caused_by(&cause);
        assert_eq!(
            problem.to_string(),
            "LB-0103: the API server at https://127.0.0.1:1 does not answer\n  because: connection refused\n  fix: check the address with `kubectl cluster-info`"
        );
    }
}
