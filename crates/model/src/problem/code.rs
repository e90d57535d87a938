//! All problems that Lifeboat reports: the stable code, the exit code, the meaning and the remedy of each.
//! This table is the only definition; `lifeboat explain LB-0123` prints an entry.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Exit;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal exits $exit:ident {
        title: $title:literal,
        meaning: $meaning:literal,
        remedy: $remedy:literal,
    })*) => {
        /// A stable code, printed as `LB-0123`. A number is never reused for another meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All codes, ordered by number.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// Returns the number after `LB-`.
            #[must_use]
            pub fn number(self) -> u16 {
                match self { $(Code::$name => $number,)* }
            }

            /// Returns the exit code of a command that ends with this problem.
            #[must_use]
            pub fn exit(self) -> Exit {
                match self { $(Code::$name => Exit::$exit,)* }
            }

            /// Returns the title, the meaning and the remedy of the code.
            #[must_use]
            pub fn explanation(self) -> Explanation {
                match self { $(Code::$name => Explanation {
                    title: $title,
                    meaning: $meaning,
                    remedy: $remedy,
                },)* }
            }

            fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Code::$name),)* _ => None }
            }
        }
    };
}

/// The explanation of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The meaning of the code in a few words.
    pub title: &'static str,
    /// What has happened and what has not, in full sentences.
    pub meaning: &'static str,
    /// What to do, as a command if possible. Errors without more specific guidance use it.
    pub remedy: &'static str,
}

codes! {
    /// An assumption of Lifeboat's own code does not hold.
    Bug = 1 exits Bug {
        title: "a bug in Lifeboat",
        meaning: "An assumption of Lifeboat's own code does not hold. Existing recovery points are not affected: they are write-once.",
        remedy: "run the command again with --log-level debug and report its output, which contains no secret values",
    }

    /// A command line or request that is not valid.
    Usage = 10 exits Usage {
        title: "the command line is not valid",
        meaning: "No data was read or written.",
        remedy: "run the command with --help, which shows an example",
    }

    /// A configuration or options document that cannot be read.
    InvalidDocument = 11 exits Usage {
        title: "a document cannot be read",
        meaning: "A file given on the command line is not what the option expects. No data was read or written.",
        remedy: "compare the file with `lifeboat schema patches`; unknown fields are errors",
    }

    /// The command was interrupted; the same command continues.
    Interrupted = 12 exits Interrupted {
        title: "the command was interrupted",
        meaning: "An interrupted backup creates no recovery point and does not change existing ones; an interrupted restore keeps the objects it has created.",
        remedy: "run the same command again; it continues and ends in the same state",
    }

    /// The kubeconfig cannot be read.
    KubeconfigUnreadable = 101 exits ClusterUnusable {
        title: "the kubeconfig cannot be read",
        meaning: "Lifeboat reads the kubeconfig as kubectl does: --kubeconfig, then KUBECONFIG, then ~/.kube/config.",
        remedy: "check the file with `kubectl config view`, or use another one with --kubeconfig",
    }

    /// The kubeconfig has no such context.
    UnknownContext = 102 exits ClusterUnusable {
        title: "the kubeconfig has no such context",
        meaning: "No data was read or written.",
        remedy: "list the contexts with `kubectl config get-contexts` and choose one with --context",
    }

    /// No API server answers at the address.
    ClusterUnreachable = 103 exits ClusterUnusable {
        title: "the API server does not answer",
        meaning: "Connecting to the address of the kubeconfig timed out or was refused.",
        remedy: "check the address and the network with `kubectl cluster-info` on the same machine with the same context",
    }

    /// The API server does not accept the credentials (401).
    Unauthenticated = 104 exits ClusterUnusable {
        title: "the API server does not accept the credentials",
        meaning: "It answered 401: the token or client certificate of the context is missing, expired, or meant for another cluster.",
        remedy: "sign in again; `kubectl auth whoami` with the same context must print your user",
    }

    /// The certificate of the API server is not trusted.
    UntrustedCertificate = 105 exits ClusterUnusable {
        title: "the API server's certificate is not trusted",
        meaning: "The certificate authority of the kubeconfig did not sign the certificate. No credentials were sent.",
        remedy: "update the cluster's entry in the kubeconfig (on EKS: `aws eks update-kubeconfig --name NAME`)",
    }

    /// The response is not that of a Kubernetes API server.
    NotKubernetes = 106 exits ClusterUnusable {
        title: "the address does not answer as a Kubernetes API server",
        meaning: "The response is not that of an API server; it often comes from a proxy, a login page or a load balancer.",
        remedy: "check the `server` of the context with `kubectl config view --minify`",
    }

    /// The API server refuses the request (403).
    Forbidden = 107 exits ClusterUnusable {
        title: "the API server refuses the request",
        meaning: "It answered 403: the identity is known but lacks a permission.",
        remedy: "grant the permission, and check with `kubectl auth can-i --list`; a backup needs get and list on all types, a restore write access to what it restores",
    }

    /// An admission webhook refuses the request, or cannot be called.
    WebhookRefuses = 108 exits ClusterUnusable {
        title: "an admission webhook refuses the request",
        meaning: "A webhook configuration of the cluster matches the request. The webhook denied it, or could not be called and has the failurePolicy Fail. The same request is refused until the backend of the webhook answers or the configuration is changed.",
        remedy: "start the backend of the webhook, or delete the configuration that contains it; `kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml` shows them",
    }

    /// The API server answers with an error of its own (5xx, 429).
    ServerFails = 109 exits ClusterUnusable {
        title: "the API server answers that it cannot serve the request",
        meaning: "It answered 429 or a status of 5xx, also when the request was repeated.",
        remedy: "the failing checks are in the output of `kubectl get --raw '/readyz?verbose'`; the log of the API server has the cause",
    }

    /// Some types could not be read: the recovery point is Partial.
    PartialPoint = 201 exits Partial {
        title: "the recovery point is Partial",
        meaning: "Some types could not be read. The recovery point exists and contains everything else; its manifest lists what is missing and why.",
        remedy: "fix what `lifeboat show latest` lists under missing, then run the backup again",
    }

    /// Discovery of the cluster's types is incomplete.
    IncompleteDiscovery = 202 exits ClusterUnusable {
        title: "discovery of the cluster's types is incomplete",
        meaning: "The API server did not return all types it serves, so a backup could miss types without notice.",
        remedy: "find the unavailable API with `kubectl get apiservices`, repair or delete it, and run the command again",
    }

    /// A filter names a type or namespace that does not exist.
    UnknownFilter = 203 exits Usage {
        title: "a filter selects a type or namespace that does not exist",
        meaning: "An unknown type or namespace is treated as a typing error, because the recovery point would be empty.",
        remedy: "list the types with `kubectl api-resources` and the namespaces with `kubectl get namespaces`",
    }

    /// The time allowed for the capture has passed.
    CaptureDeadlineExceeded = 204 exits ClusterUnusable {
        title: "the deadline of the backup has passed",
        meaning: "The capture did not end before its deadline. No recovery point was written; existing ones are unchanged.",
        remedy: "increase --deadline, or capture less with -n or --exclude-type",
    }

    /// A list is truncated or malformed.
    InvalidList = 205 exits ClusterUnusable {
        title: "a list ended early or is not a list",
        meaning: "The API server repeatedly sent an incomplete list. No recovery point was written from it.",
        remedy: "check for a proxy that truncates or rewrites responses of the API server, then run the backup again",
    }

    /// The store does not exist or is not a folder.
    StoreNotFound = 301 exits Storage {
        title: "the store does not exist",
        meaning: "The path of --store does not exist or is not a folder, or there is no such bucket.",
        remedy: "check --store; `lifeboat backup` creates the last folder of a path, but not its parents",
    }

    /// The store refuses access.
    StoreDenied = 302 exits Storage {
        title: "the store refuses access",
        meaning: "The user that runs the command cannot read or write the folder, or the credentials do not allow it to read the bucket.",
        remedy: "grant access to the folder or the bucket; a backup writes, all other commands only read",
    }

    /// The store is full.
    StoreFull = 303 exits Storage {
        title: "the store is full",
        meaning: "The unfinished recovery point is not visible; existing ones are unchanged.",
        remedy: "free space and run the backup again; it first deletes the files of the failed run",
    }

    /// The key already exists; stores are write-once.
    StoreConflict = 304 exits Storage {
        title: "a file of the store already exists",
        meaning: "Stores are write-once: files are never overwritten.",
        remedy: "run the command again; if it fails again, check whether two programs write the same application",
    }

    /// Another run holds the application.
    StoreBusy = 305 exits Busy {
        title: "another run holds this application",
        meaning: "Only one backup of an application runs at a time, because each deletes incomplete files of earlier runs.",
        remedy: "wait until the other run ends; the lock of a process that has died is released automatically",
    }

    /// The store failed in another way.
    StoreFailed = 306 exits Storage {
        title: "the store failed",
        meaning: "Reading or writing a file failed, not because of permissions or space.",
        remedy: "check the disk or network share of the folder, then run the command again",
    }

    /// A key file cannot be read.
    KeyUnreadable = 401 exits Keys {
        title: "a key file cannot be read",
        meaning: "The file is missing, not readable, or not PEM.",
        remedy: "check the path; `lifeboat keys generate --out DIR` creates a set of keys",
    }

    /// A public key was given instead of a private key, or the reverse.
    PublicPrivateKeyMismatch = 402 exits Keys {
        title: "a public key was given instead of a private key, or the reverse",
        meaning: "A backup needs the public recovery key and the private signing key; reading needs the private recovery key and the public signing key.",
        remedy: "use the other file of the pair: recovery.pub.pem and signing.key.pem for a backup, recovery.key.pem and signing.pub.pem for reading",
    }

    /// The key type or size is not supported.
    UnsupportedKeyType = 403 exits Keys {
        title: "the key type is not supported",
        meaning: "The recovery key is RSA with 4096 bits, the signing key is ECDSA on P-256.",
        remedy: "use the right file, or create a set with `lifeboat keys generate --out DIR`",
    }

    /// The recovery point is encrypted for another key.
    RecoveryKeyMismatch = 404 exits Keys {
        title: "the recovery point is encrypted for another key",
        meaning: "`lifeboat show POINT` lists the fingerprints of the keys that can decrypt it.",
        remedy: "use the private recovery key with one of these fingerprints",
    }

    /// A key file already exists and is not overwritten.
    KeyExists = 405 exits Keys {
        title: "a key file already exists",
        meaning: "Keys are never overwritten, because recovery points encrypted for a lost key cannot be decrypted.",
        remedy: "choose an empty folder with --out",
    }

    /// The key that must have signed the recovery points is not named, or only its fingerprint is known.
    SignerUnknown = 406 exits Keys {
        title: "the key that must have signed the recovery points is not known",
        meaning: "A recovery point is used only if a key that the user trusts has signed it. What a store says about its own signer proves nothing.",
        remedy: "name the public signing key with --verify-key: its file signing.pub.pem, or its fingerprint, which is signingKey of the application document",
    }

    /// There is no such recovery point.
    PointNotFound = 501 exits Usage {
        title: "the recovery point does not exist",
        meaning: "A point is selected by `latest`, `latest-complete`, its id, or a unique beginning of its id.",
        remedy: "list the points with `lifeboat points`; check --store and --application",
    }

    /// The signature does not match the manifest and the pinned key.
    SignatureInvalid = 502 exits PointRefused {
        title: "the signature does not match the pinned key",
        meaning: "The manifest was modified, or signed by another key. No data of the point was used.",
        remedy: "check that --verify-key is the public signing key of the primary; if it is, do not use this point: use an earlier one",
    }

    /// The digest of a file of the point differs from the manifest.
    DigestMismatch = 503 exits PointRefused {
        title: "the digest of a file of the recovery point does not match",
        meaning: "Its SHA-256 differs from the signed manifest. No data of the file was used.",
        remedy: "do not use this point; choose another one from `lifeboat points` and check it with `lifeboat verify`",
    }

    /// A file of the point is truncated, reordered or cannot be decrypted.
    PackCorrupt = 504 exits PointRefused {
        title: "a file of the recovery point cannot be decrypted",
        meaning: "It is truncated, reordered or modified. No data of the corrupt part was used.",
        remedy: "do not use this point; choose another one from `lifeboat points` and check it with `lifeboat verify`",
    }

    /// The point was made by a newer format than this program reads.
    NewerFormat = 505 exits PointRefused {
        title: "the recovery point was created by a newer version of Lifeboat",
        meaning: "This version of Lifeboat does not support the format of the point.",
        remedy: "use the version of Lifeboat that created the point, or a later one",
    }

    /// The manifest is signed but malformed.
    ManifestMalformed = 506 exits PointRefused {
        title: "the manifest is signed but malformed",
        meaning: "The signature is valid, so the manifest was not modified after signing: the program that wrote it has a bug.",
        remedy: "use another point, and report this as a bug with the version of Lifeboat that created the point",
    }

    /// The point is stored under another name than the one it was signed for.
    PointIdentityMismatch = 507 exits PointRefused {
        title: "the recovery point is stored under another name",
        meaning: "The manifest was signed for another point, application or cluster than the one it is stored under.",
        remedy: "the point was copied or renamed; move it back, or use another one from `lifeboat points`",
    }

    /// There is no such object in the point.
    ObjectNotFound = 508 exits Usage {
        title: "the recovery point does not contain the object",
        meaning: "The type, namespace or name is not in the point's index.",
        remedy: "`lifeboat show POINT` lists the types; namespaced objects need -n",
    }

    /// A file of the point is missing.
    PackMissing = 509 exits PointRefused {
        title: "a file of the recovery point is missing",
        meaning: "The manifest lists a file that the store does not contain.",
        remedy: "restore the file from a copy of the store, or use another point from `lifeboat points`",
    }

    /// The point exceeds a limit of the format.
    OverLimit = 510 exits PointRefused {
        title: "the recovery point exceeds a limit of the format",
        meaning: "It is larger, or names more, than the format allows. It was not read, because it could exhaust the memory.",
        remedy: "do not use this point: choose another one from `lifeboat points`, and check who can write to the store; if an own cluster is this large, split it with filters into several applications",
    }

    /// The recovery point does not describe AWS resources.
    NoDescriptions = 511 exits Usage {
        title: "the recovery point does not describe AWS resources",
        meaning: "It was made without their description, or nothing could be read; `lifeboat show POINT` says which. The recovery stacks cannot be made from it.",
        remedy: "choose another point, or make one that describes them: `lifeboat backup --eks-cluster NAME`, or `infrastructure: {describe: true}` in the application document",
    }

    /// A selection refers to something that the point does not contain.
    UnknownSelector = 601 exits Usage {
        title: "the selection matches nothing in the recovery point",
        meaning: "An unknown type, namespace or name is treated as a typing error. No object was written.",
        remedy: "`lifeboat show POINT` lists the types and namespaces of the point",
    }

    /// A patch cannot be applied to an object that it selects.
    PatchFailed = 602 exits PlanRefused {
        title: "a patch cannot be applied",
        meaning: "A patch selects an object that it cannot be applied to. No object was written.",
        remedy: "narrow its `when` or correct its path; `lifeboat plan` applies patches without writing objects",
    }

    /// The target does not serve a type or version.
    TypeNotServed = 603 exits PlanRefused {
        title: "the target does not serve a type",
        meaning: "The target serves neither the captured version of the type nor another common version. No object of the type was written.",
        remedy: "install the operator or CustomResourceDefinition of the type in the target, or exclude it with --exclude-type",
    }

    /// The plan was rejected by its lint.
    PlanRefused = 604 exits PlanRefused {
        title: "the plan was rejected",
        meaning: "The plan has findings of severity error, or its hash is not the expected one. No object was written.",
        remedy: "run `lifeboat plan` with the same options; each finding has a fix",
    }

    /// The selection excludes a dependency.
    MissingDependency = 605 exits PlanRefused {
        title: "the selection excludes a dependency",
        meaning: "A selected object requires another one that is not selected and not in the target. No object was written.",
        remedy: "select the dependency too, or create it in the target first",
    }

    /// Two objects would have the same name.
    NameCollision = 606 exits PlanRefused {
        title: "two objects would have the same name",
        meaning: "After renaming, two objects of the point have the same type, namespace and name. No object was written.",
        remedy: "change --map-namespace so that no two namespaces get the same name, or exclude one of the objects",
    }

    /// An identity map that cannot be used.
    IdentityMapInvalid = 607 exits Usage {
        title: "the identity map cannot be used",
        meaning: "An identifier of the map does not have the form of its kind, or two entries contradict each other. No object was written.",
        remedy: "correct the entry that the message names; `lifeboat schema identities` describes the document",
    }

    /// An object would be restored that names the primary.
    Leftover = 608 exits PlanRefused {
        title: "an object still names the primary",
        meaning: "After the translation an object contains an account number, Region, ARN, host name or id of the primary. In an object whose controller acts outside the cluster this rejects the plan, because the controller would change resources of the primary. No object was written.",
        remedy: "add the identifier to `identities` of the identity map, or declare it in `leftovers` with a reason",
    }

    /// Objects break the schema of their definition.
    DefinitionBroken = 609 exits PlanRefused {
        title: "objects break the schema of their definition",
        meaning: "A CustomResourceDefinition may become stricter while objects live on that break its rules; an API server refuses them when they are made anew. The restore creates them while the definition is without rules that reject values, and then applies the definition as captured. Objects that do not have the structure of the schema (a text instead of a number, a key that occurs twice) are refused even then, and reject the plan. No object was written.",
        remedy: "correct the objects with a patch (`--patches`), or exclude them",
    }

    /// A restored object names the primary, although the options allow no leftovers.
    LeftoverInTarget = 620 exits DiffersFromPlan {
        title: "a restored object names the primary",
        meaning: "The plan had no leftovers, but the objects that were read back have. An admission webhook or a controller of the target wrote an identifier of the primary into them. The report lists each with its path, and separately what names the primary in objects that were not restored.",
        remedy: "find out who writes the identifier (`kubectl get --show-managed-fields`), correct its configuration, or declare the identifier in `leftovers` of the identity map with a reason",
    }

    /// A service account keeps the annotation with its role.
    IrsaKept = 621 exits PlanRefused {
        title: "a service account keeps IRSA",
        meaning: "`irsaToPodIdentity` gives the roles of service accounts by associations of EKS Pod Identity. For this one it cannot: the trust policy of its role names no single service account, or several roles trust it, or the role is adopted, or its Pods run on Fargate, which EKS Pod Identity does not support, or its namespace is renamed. Its annotation stays, and its Pods get their credentials by IRSA.",
        remedy: "nothing needs to be done; to use EKS Pod Identity, name the service account in the trust policy of the role, or add the association in the primary",
    }

    /// The agent of EKS Pod Identity is missing.
    PodIdentityAgentMissing = 622 exits PlanRefused {
        title: "the agent of EKS Pod Identity is missing",
        meaning: "Service accounts get their roles by EKS Pod Identity, for which its agent must run on every node. The cluster of the recovery point has no add-on eks-pod-identity-agent, and is not in Auto Mode, which includes the agent.",
        remedy: "install the add-on in the primary (`aws eks create-addon --addon-name eks-pod-identity-agent --cluster-name NAME`) and make a recovery point, or build without `irsaToPodIdentity`",
    }

    /// Another restore holds the target.
    TargetBusy = 701 exits Busy {
        title: "another restore holds the target",
        meaning: "It holds the Lease lifeboat-restore in kube-system. Only one restore at a time writes to a cluster.",
        remedy: "wait until it ends; the Lease of a restore that has died expires within seconds",
    }

    /// Some planned objects were not restored.
    RestoreIncomplete = 702 exits DiffersFromPlan {
        title: "some planned objects were not restored",
        meaning: "The report lists each of them with the API server's response.",
        remedy: "resolve what the report lists, then run the same command again to continue",
    }

    /// The recovered cluster differs from the plan.
    ProofFailed = 703 exits DiffersFromPlan {
        title: "the recovered cluster does not match the plan",
        meaning: "All objects were written, but the objects read back differ from the plan; the report lists the differences.",
        remedy: "check the differences in the report; controllers or admission webhooks of the target may have changed the objects",
    }

    /// The restore could not renew its Lease of the target.
    LeaseNotRenewed = 704 exits Busy {
        title: "the restore could not renew its Lease of the target",
        meaning: "The API server confirmed no renewal of the Lease lifeboat-restore in time, or the Lease was deleted. The restore stopped before another one could start to write.",
        remedy: "check that the API server of the target answers, then run the same command again; it continues where it stopped",
    }

    /// EKS denies `eks:DescribeCluster` to the delegate's role.
    DescribeClusterDenied = 801 exits ClusterUnusable {
        title: "the delegate is not allowed to describe the cluster",
        meaning: "EKS denies eks:DescribeCluster to the role of the delegate, so the cluster cannot be checked.",
        remedy: "update the access stack of the environment; its role grants eks:DescribeCluster",
    }

    /// There is no such cluster in the environment.
    ClusterNotFound = 802 exits ClusterUnusable {
        title: "the cluster does not exist",
        meaning: "The application names an EKS cluster that its environment does not have.",
        remedy: "correct the name in the application document; `aws eks list-clusters` lists the clusters",
    }

    /// The cluster is not active: it is being created, updated or deleted, or has failed.
    ClusterNotActive = 803 exits ClusterUnusable {
        title: "the cluster is not active",
        meaning: "EKS reports that it is being created, updated or deleted, or has failed. The next check runs automatically.",
        remedy: "wait, or repair the cluster; `aws eks describe-cluster` shows its health",
    }

    /// The public access CIDRs of the cluster do not allow the delegate.
    EndpointRestricted = 804 exits ClusterUnusable {
        title: "the public endpoint of the cluster does not allow the delegate",
        meaning: "Its public access CIDRs are restricted. A Lambda function has no fixed address to add to them.",
        remedy: "run the command in the issue; the cluster still authenticates every request",
    }

    /// The cluster has no access entry for the delegate's role.
    NoAccessEntry = 805 exits ClusterUnusable {
        title: "the cluster has no access entry for the role of the delegate",
        meaning: "The cluster responds, but the role has neither an access entry nor an entry in aws-auth.",
        remedy: "run the command in the issue; it matches the authentication mode of the cluster",
    }

    /// The delegate's role lacks permissions in the cluster.
    InsufficientAccess = 806 exits ClusterUnusable {
        title: "the role of the delegate lacks permissions in the cluster",
        meaning: "In the primary it cannot read some types: recovery points are Partial and list them. In the recovery environment it cannot write some types: a restore would skip them.",
        remedy: "run the command in the issue",
    }

    /// A cluster of a kind that Lifeboat cannot reach: a local cluster on an Outpost.
    UnsupportedCluster = 807 exits ClusterUnusable {
        title: "the kind of the cluster is not supported",
        meaning: "It is a local cluster on an Outpost, whose API server is reachable only from the Outpost.",
        remedy: "remove the cluster from the application",
    }

    /// A cluster of a Kubernetes version that Lifeboat does not support.
    UnsupportedVersion = 808 exits ClusterUnusable {
        title: "the Kubernetes version of the cluster is not supported",
        meaning: "It is older than the versions that Lifeboat can read at one point in time.",
        remedy: "upgrade the cluster",
    }

    /// An environment or a delegate is not registered.
    NotRegistered = 809 exits ClusterUnusable {
        title: "an environment or a delegate is not registered",
        meaning: "The stacks of the application are not deployed there, or their deployment is not complete.",
        remedy: "deploy the missing stacks: `lifeboat deploy recovery`, `lifeboat deploy primary`, then `lifeboat deploy application FILE`",
    }

    /// The registered signing key is not the pinned one.
    SigningKeyChanged = 810 exits Keys {
        title: "the signing key is not the pinned one",
        meaning: "Recovery points signed by another key are rejected, and no backup runs until this is resolved.",
        remedy: "if the change was intended, run the command in the issue (`lifeboat application trust`); recovery points that the earlier key signed stay valid",
    }

    /// The registered recovery key is not the pinned one.
    RecoveryKeyChanged = 811 exits Keys {
        title: "the recovery key is not the pinned one",
        meaning: "Recovery points are encrypted for the pinned recovery key, and no backup runs for another one.",
        remedy: "if the change was intended, run the command in the issue (`lifeboat application trust`); keep the earlier key for as long as its recovery points are kept",
    }

    /// The cluster has a private endpoint only.
    EndpointPrivate = 812 exits ClusterUnusable {
        title: "the cluster has a private endpoint only",
        meaning: "Its API server is reachable only from its VPC, where the public delegate does not run. Backups and restores need a private delegate, which is attached to the subnets and the security group of the cluster. A restore waits for it.",
        remedy: "run the command in the issue, which deploys the private delegate, or remove the cluster from the application",
    }

    /// An external cluster, registered with EKS Connector.
    ExternalCluster = 813 exits ClusterUnusable {
        title: "the cluster is an external cluster",
        meaning: "EKS Connector only displays external clusters; a delegate cannot connect to them.",
        remedy: "remove the cluster from the application; back it up by `lifeboat backup` with a kubeconfig",
    }

    /// No cluster of the environment has the application's tags, or listing clusters is denied.
    NoTaggedCluster = 814 exits ClusterUnusable {
        title: "no cluster has the tags of the application",
        meaning: "The application selects its clusters by tag, and none was found, or the delegate is not allowed to list clusters.",
        remedy: "tag the clusters as clusterTags of the application document says, or run the command in the issue",
    }

    /// A clock differs too much from that of AWS.
    ClockSkewed = 815 exits ClusterUnusable {
        title: "a clock differs too much from that of AWS",
        meaning: "Tokens and deadlines would be wrong, so the delegate does not register.",
        remedy: "deploy the stack again; if the problem persists, report it to AWS Support with the name of the function",
    }

    /// A bucket of an access stack does not block public access, or its objects can belong to other accounts.
    BucketPolicyInvalid = 816 exits Storage {
        title: "the configuration of a bucket is not safe",
        meaning: "Public access is not blocked, or its objects can be owned by other accounts.",
        remedy: "run the command in the message, or deploy the access stack again",
    }

    /// The scratch bucket of an environment does not answer.
    EnvironmentUnavailable = 817 exits Aws {
        title: "an environment does not answer",
        meaning: "Its scratch bucket cannot be read: the Region is impaired, the bucket was deleted, or its policy denies the coordinator. Recovery points in the vault can be restored as long as the recovery environment answers.",
        remedy: "check the bucket and its policy, and the AWS Health Dashboard of the Region",
    }

    /// The recovery key cannot unwrap a data key.
    RecoveryKeyUnusable = 818 exits Keys {
        title: "the recovery key cannot be used",
        meaning: "A data key that was wrapped for it could not be unwrapped: the key is disabled, scheduled for deletion or another one, or its policy denies the delegate. No recovery point can be restored until this is resolved.",
        remedy: "enable the key with `aws kms enable-key`, cancel its deletion with `aws kms cancel-key-deletion`, or correct its policy; it is tried again within five minutes",
    }

    /// No route leads from the subnets of a private delegate to S3.
    PrivateNetworkRoute = 830 exits ClusterUnusable {
        title: "no route leads from a private delegate to Amazon S3",
        meaning: "Its subnets have neither a gateway endpoint, an interface endpoint of S3 nor a route to a NAT gateway. A route to an internet gateway is no way out: the network interfaces of functions have no public address.",
        remedy: "run the command in the message",
    }

    /// Host names are not resolved as a private delegate needs it.
    PrivateNetworkNames = 831 exits ClusterUnusable {
        title: "a private delegate cannot resolve the name of Amazon S3",
        meaning: "The VPC has no DNS resolver, its resolver does not know the name, or the name leads elsewhere: to public addresses if the private DNS names of the endpoint are off.",
        remedy: "run the command in the message",
    }

    /// A security group or a network ACL holds back what a private delegate sends or receives.
    PrivateNetworkRules = 832 exits ClusterUnusable {
        title: "a security group or network ACL holds back a private delegate",
        meaning: "It must let HTTPS out, to the API server and to Amazon S3; a network ACL must let the answers in as well.",
        remedy: "run the command in the message",
    }

    /// The policy of an endpoint does not let a private delegate use its bucket.
    PrivateNetworkPolicy = 833 exits ClusterUnusable {
        title: "the policy of an endpoint denies a private delegate its bucket",
        meaning: "Requests through the endpoint need to be allowed by its policy, too. A condition with a key that is not known here is named, and decides nothing.",
        remedy: "add the statement in the message",
    }

    /// A private delegate runs in one zone only.
    PrivateNetworkZones = 834 exits ClusterUnusable {
        title: "a private delegate runs in one zone only",
        meaning: "Its subnets are in one Availability Zone, although the VPC has subnets in several.",
        remedy: "add a subnet of another zone to the cluster",
    }

    /// A policy other than that of an endpoint denies a private delegate its bucket.
    PrivateBucketDenied = 835 exits ClusterUnusable {
        title: "a policy denies a private delegate its bucket",
        meaning: "The private delegate reaches Amazon S3, which denies it the scratch bucket: by the policy of the bucket, of its role, its permissions boundary or a policy of the organization. The message names it if S3 does.",
        remedy: "change the policy in the message",
    }

    /// A proxy or a firewall is between a private delegate and what it needs.
    PrivateNetworkProxy = 836 exits ClusterUnusable {
        title: "a proxy or firewall is between a private delegate and what it needs",
        meaning: "It answers with a certificate of its own, ends the connection, or does not let requests to Amazon S3 through. A private delegate trusts the authorities of the API server and of Amazon only.",
        remedy: "exempt the host name in the message from the inspection, or lead the requests past it with an endpoint",
    }

    /// The subnets of a private delegate have too few free addresses.
    PrivateNetworkAddresses = 837 exits ClusterUnusable {
        title: "the subnets of a private delegate have too few free addresses",
        meaning: "A function needs a network interface, and with it an address, in each of its subnets. Without one it can be neither deployed nor updated.",
        remedy: "free addresses in the subnets, or give the cluster larger ones",
    }

    /// The subnets of a private delegate have IPv6 addresses only.
    PrivateNetworkFamily = 838 exits ClusterUnusable {
        title: "the subnets of a private delegate have IPv6 addresses only",
        meaning: "Lambda attaches functions to subnets with IPv4 addresses, or with both.",
        remedy: "give the cluster subnets with IPv4 addresses",
    }

    /// What a private delegate needs does not answer, and nothing that is known explains it.
    PrivateNetworkSilent = 839 exits ClusterUnusable {
        title: "what a private delegate needs does not answer",
        meaning: "Connections to it are lost or refused, and routes, endpoints, security groups and network ACLs of the VPC, as far as they may be read, do not explain it.",
        remedy: "look at what is behind the transit gateway, the peering connection or the NAT gateway, and at firewalls",
    }

    /// Another server answers in the place of what a private delegate needs.
    PrivateNetworkAnswer = 840 exits ClusterUnusable {
        title: "a private delegate gets answers that are not of the server that it asks",
        meaning: "The answer is not that of Amazon S3, or not that of an API server, or it is one of a service that is impaired.",
        remedy: "look for a proxy or a firewall between the function and the server",
    }

    /// The name of an API server does not lead to it in its VPC.
    PrivateApiServerName = 841 exits ClusterUnusable {
        title: "the name of an API server does not lead to it in its VPC",
        meaning: "EKS keeps the name of a private endpoint in a private hosted zone of the VPC, which needs host names and DNS support of the VPC, and AmazonProvidedDNS in its DHCP options.",
        remedy: "run the command in the message, or look at the DHCP options of the VPC",
    }

    /// The security group of an API server does not admit the private delegate.
    PrivateApiServerRules = 842 exits ClusterUnusable {
        title: "the security group of an API server does not admit the private delegate",
        meaning: "The function and the API server are members of the cluster security group, whose rule for its own members is missing.",
        remedy: "run the command in the message",
    }

    /// The public delegate could not deploy a private one, or not update it.
    PrivateDelegateFailed = 843 exits Aws {
        title: "a private delegate could not be deployed or updated",
        meaning: "The public delegate deploys the private delegates of its environment with CloudFormation. It tries again, at growing intervals. A private delegate that was deployed before goes on as it is.",
        remedy: "resolve the cause, or run the command in the issue, which deploys the private delegate",
    }

    /// The stack of a private delegate that is not needed any more is still there.
    PrivateDelegateRemains = 844 exits Aws {
        title: "a private delegate is not needed any more, and could not be removed",
        meaning: "Its cluster has left the application, or has a public endpoint again. Nothing uses the private delegate; its stack and its registration remain. The public delegate tries again, at growing intervals.",
        remedy: "resolve the cause, or run the command in the issue, which deletes the stack",
    }

    /// The application's document is not valid.
    ApplicationInvalid = 901 exits Usage {
        title: "the application document is not valid",
        meaning: "The application is not backed up until the document is corrected.",
        remedy: "correct the fields in the message, then run `lifeboat application put`",
    }

    /// A backup failed, retries included.
    BackupFailed = 902 exits ClusterUnusable {
        title: "a backup failed",
        meaning: "It was retried several times. The next scheduled backup tries again.",
        remedy: "resolve the cause, then start a backup with `lifeboat application backup`; the issue closes with the next good recovery point",
    }

    /// The last good recovery point is older than the schedule allows.
    BackupOverdue = 903 exits ClusterUnusable {
        title: "the last good recovery point is older than the schedule allows",
        meaning: "Two scheduled backups have passed without a good recovery point in the vault.",
        remedy: "resolve the other issues of the application; this issue closes with the next good recovery point",
    }

    /// A recovery point could not be copied into the vault.
    VaultingFailed = 904 exits Storage {
        title: "a recovery point could not be copied into the vault",
        meaning: "The point that the delegate sealed does not verify, or the vault refuses it. It does not count as a recovery point.",
        remedy: "resolve the cause; the next backup is copied to the vault automatically",
    }

    /// A recovery point in the vault is damaged.
    VaultDamaged = 905 exits PointRefused {
        title: "a recovery point in the vault is damaged",
        meaning: "Its signature or a digest no longer matches. It does not count as good; other points are not affected.",
        remedy: "restore the previous object version in the bucket, or use another recovery point",
    }

    /// A requested restore failed.
    RestoreFailed = 906 exits DiffersFromPlan {
        title: "a restore has failed",
        meaning: "It ended before the cluster matched the plan.",
        remedy: "resolve the cause, then start the restore again; it continues where it stopped",
    }

    /// A document of a job was refused: malformed, too large, of another format, not signed by the coordinator, or
    /// not from the owner of the job.
    JobDocumentRefused = 907 exits PointRefused {
        title: "a document of a job was refused",
        meaning: "It is malformed, too large, of another format, not signed by the coordinator, or not from the delegate that owns the job. It had no effect.",
        remedy: "update all stacks to the same version; if that does not help, check who can write to the scratch bucket",
    }

    /// A job reached its maximum number of epochs, or its result was written by a delegate that no longer owned it.
    JobLost = 908 exits ClusterUnusable {
        title: "a job was lost",
        meaning: "It reached its maximum number of invocations, or its result came from a delegate that no longer owned it.",
        remedy: "check the log of the delegate; the job is retried automatically",
    }

    /// The delegate does not claim its jobs.
    DelegateNotResponding = 909 exits ClusterUnusable {
        title: "the delegate does not respond",
        meaning: "A job is in the scratch bucket, and no delegate has claimed it for several minutes.",
        remedy: "check the function of the delegate: its schedule, its errors, its permissions on the scratch bucket",
    }

    /// A job was cancelled.
    JobCancelled = 910 exits Interrupted {
        title: "the job was cancelled",
        meaning: "It was cancelled on request. Objects that a restore had created are kept.",
        remedy: "start it again if the cancellation was not intended",
    }

    /// A request refers to something that does not exist, or contradicts an earlier one.
    RequestRefused = 911 exits Usage {
        title: "a request was refused",
        meaning: "It refers to something that does not exist, or has the token of another request. It had no effect.",
        remedy: "correct the request; `lifeboat status` and `lifeboat application points` list applications and recovery points",
    }

    /// A recovery point is missing from the vault.
    PointMissing = 912 exits PointRefused {
        title: "a recovery point is missing from the vault",
        meaning: "The catalogue contains it, but its files were deleted. It cannot be restored; other points are not affected.",
        remedy: "check who deleted it, and restore the previous object versions; it is checked again every hour. To give it up, run the command in the issue",
    }

    /// The vault contains a folder that is not a recovery point that the application trusts.
    PointUnknown = 913 exits PointRefused {
        title: "the vault contains a folder that is not a trusted recovery point",
        meaning: "No backup of this application is known to have written it: it has no manifest, its signer is not pinned, or its name is in the future. It is neither restored nor deleted.",
        remedy: "check who wrote it; to ignore it from now on, run the command in the issue",
    }

    /// Retention would delete an unusually large share of the recovery points.
    RetentionHeld = 914 exits PointRefused {
        title: "retention holds back deletions",
        meaning: "The retention rules would delete more recovery points within a day than is usual. The surplus is kept, and is deleted over the following days.",
        remedy: "check the retention rules of the application document, and the clock; to delete them now, run the command in the issue",
    }

    /// The vault does not answer.
    VaultUnavailable = 915 exits Storage {
        title: "the vault does not answer",
        meaning: "The vault bucket cannot be read: its Region is impaired or throttles, or its policy denies the coordinator. Captures continue; copies into the vault and deletions wait.",
        remedy: "check the bucket and its policy, and the AWS Health Dashboard of the Region",
    }

    /// The state of an application would exceed half of its maximum size.
    StateTooLarge = 916 exits Storage {
        title: "the state of an application is too large",
        meaning: "It would exceed half of the size that can be read. It was not written, so that the application can still be read.",
        remedy: "keep fewer recovery points: reduce the retention rules in the application document",
    }

    /// The creation time in a manifest is not within the run of its backup.
    PointTimeRefused = 917 exits PointRefused {
        title: "the time of a recovery point is not that of its backup",
        meaning: "The creation time in its signed manifest is before the backup began, or in the future, by the clock of the coordinator. The point is not copied into the vault.",
        remedy: "check the delegate of the primary environment, its log and who can deploy it; the next backup creates another recovery point",
    }

    /// The coordinator cannot sign or write the assignment of a job.
    AssignmentNotWritten = 918 exits Keys {
        title: "a job cannot be assigned",
        meaning: "The coordinator signs each assignment with its own key, and writes it into the scratch bucket of the environment. One of both fails; the job waits, and everything else continues.",
        remedy: "check the key with `aws kms describe-key --key-id alias/lifeboat-assignment` in the control account, and whether the policy of the scratch bucket lets the coordinator write; its log has the response of AWS",
    }

    /// The recovery stacks could not be brought to a recovery point.
    StandbyOutdated = 919 exits Aws {
        title: "the recovery stacks are not up to date",
        meaning: "They could not be brought to the latest recovery point, so that a restore would find the cause only then. Recovery points and restores continue.",
        remedy: "resolve the cause; the next recovery point tries again",
    }

    /// The recovery side may be where the application runs.
    RecoveryInUse = 920 exits Usage {
        title: "the recovery side may be where the application runs now",
        meaning: "The primary does not answer, or has not answered since the last restore. Clusters and networks of the recovery side are not deleted then.",
        remedy: "if the primary still runs the application, prove it with `lifeboat application backup NAME --wait` and repeat the command; if the recovery side is not needed any more, add --even-if-in-use",
    }

    /// No plan of a restore could be made.
    PlanFailed = 921 exits ClusterUnusable {
        title: "no plan of a restore could be made",
        meaning: "The delegate of the recovery side could not read the recovery point, or could not compare it with the recovery environment. Nothing was changed.",
        remedy: "resolve the cause, then request the plan again",
    }

    /// The part of a plan cannot be read.
    PlanUnreadable = 922 exits Aws {
        title: "a part of a plan cannot be read",
        meaning: "The plan was made. Its parts are in the scratch bucket of the recovery environment, for 400 days.",
        remedy: "use credentials of the recovery account that may read its scratch bucket, and repeat the command with the same --token; `lifeboat status` shows where the parts are",
    }

    /// Credentials of AWS or a Region are missing, or are not valid.
    NoCredentials = 1001 exits Aws {
        title: "AWS credentials or Region are missing or not valid",
        meaning: "Lifeboat resolves both as the AWS CLI does: --profile and --region, then AWS_PROFILE and AWS_REGION. No resource was changed.",
        remedy: "sign in (`aws sso login`, `aws configure`), or set --profile and --region",
    }

    /// The credentials belong to another account than the requested one.
    WrongAccount = 1002 exits Aws {
        title: "the credentials belong to another account",
        meaning: "The account is compared before any resource is changed.",
        remedy: "choose a profile of the right account with --profile",
    }

    /// These credentials are not allowed to perform an action.
    AwsDenied = 1003 exits Aws {
        title: "these credentials are not allowed to perform an action",
        meaning: "Changes made before are kept; the same command continues.",
        remedy: "allow the action, or use other credentials with --profile",
    }

    /// A call to AWS failed in another way.
    AwsFailed = 1004 exits Aws {
        title: "a call to AWS failed",
        meaning: "Transient failures were retried. Changes made before are kept; the same command continues.",
        remedy: "check the Region, the network and the message from AWS, then run the same command again",
    }

    /// A stack operation failed.
    StackFailed = 1005 exits Aws {
        title: "a stack failed",
        meaning: "CloudFormation rolled the change back. Buckets and keys that it created are retained; the next deployment reuses them.",
        remedy: "resolve the failure of the resources listed first, then run the same command again",
    }

    /// A stack is in a state in which it cannot be updated.
    StackNotUpdatable = 1006 exits Aws {
        title: "a stack cannot be updated in its current state",
        meaning: "CloudFormation accepts no update until the stack is deleted or its rollback is completed.",
        remedy: "run the command in the message, then run the same command again",
    }

    /// The packages of the functions are missing.
    PackagesMissing = 1007 exits Usage {
        title: "the zips of the functions are missing or of another version",
        meaning: "The functions are uploaded from this machine. Nothing was changed.",
        remedy: "use the program of an archive beside its folder functions; in a checkout run `make package`; or name the folder of the zips with --package",
    }

    /// There is no coordinator in this account and Region.
    NoCoordinator = 1008 exits Aws {
        title: "there is no coordinator in this account and Region",
        meaning: "The coordinator is the function lifeboat-coordinator of the stack control, by default in the recovery account.",
        remedy: "set --profile and --region to the control account and its Region, or deploy the coordinator with `lifeboat deploy recovery`",
    }

    /// The coordinator failed on a request, or its response cannot be read.
    CoordinatorFailed = 1009 exits Aws {
        title: "the coordinator failed on a request",
        meaning: "The request may have started; a request with the same --token starts only once.",
        remedy: "check the log group of the function lifeboat-coordinator; run `lifeboat deploy recovery` if its version differs from this program's",
    }

    /// A required stack is not deployed.
    RequiredStackMissing = 1010 exits Aws {
        title: "a required stack is not deployed",
        meaning: "No resource was changed.",
        remedy: "run the command in the message first",
    }

    /// A stack has the name of one of ours and belongs to somebody else.
    StackForeign = 1011 exits Aws {
        title: "a stack of this name is not part of the application",
        meaning: "Lifeboat changes and deletes only stacks that carry the application's tag. Nothing was changed.",
        remedy: "delete or rename the stack if nobody needs it, or give the application another name",
    }

    /// A stack was deleted while it was deployed.
    StackDeleted = 1012 exits Aws {
        title: "a stack was deleted while it was deployed",
        meaning: "Somebody else has deleted it, or deletes it now. Resources that hold data are retained.",
        remedy: "find out who deletes the stack, wait until the deletion ends, then run the same command again: it builds the stack anew",
    }

    /// A resource of somebody else has the name of one of ours.
    NameTaken = 1013 exits Aws {
        title: "a resource of this name exists and is not part of the stack",
        meaning: "CloudFormation takes over no resource that it has not created, and Lifeboat neither changes nor deletes it. What was built before is kept.",
        remedy: "delete or rename the resource if nobody needs it, or use it instead of building one (`adopt` in the application document, or --adopt), then run the same command again",
    }

    /// AWS limits the rate of requests.
    AwsThrottled = 1014 exits Aws {
        title: "AWS limits the rate of requests",
        meaning: "The call was repeated with growing pauses and still refused. Changes made before are kept; the same command continues.",
        remedy: "run the same command again in some minutes; if it remains, find out what else calls the same API in this account and Region",
    }

    /// A Region is not enabled in the account.
    RegionNotEnabled = 1015 exits Aws {
        title: "a Region is not enabled in the account",
        meaning: "Regions that AWS has opened since 2019 must be enabled in each account. Nothing was changed in it.",
        remedy: "enable the Region with `aws account enable-region --region-name REGION`, which takes minutes to hours, or set another one with --region",
    }

    /// The recovery environment is the primary one.
    RecoveryIsPrimary = 1016 exits PlanRefused {
        title: "the recovery environment is the primary one",
        meaning: "What the clusters stand on would be built a second time beside them, with the same names. Nothing was changed.",
        remedy: "set --profile and --region to the recovery account and its Region",
    }

    /// A stack is still being changed after the time within which it should have ended.
    StackUnfinished = 1017 exits Aws {
        title: "a stack is still being changed",
        meaning: "CloudFormation has not ended within the time that was given. A stack with a function in a VPC waits until Lambda has removed the network interfaces of the function, which takes 20 minutes or more.",
        remedy: "wait until the stack has ended; `aws cloudformation describe-stack-events` says what it waits for",
    }

    /// A resource of AWS is needed and not described.
    DescriptionMissing = 1201 exits PlanRefused {
        title: "a resource of AWS is not described in the recovery point",
        meaning: "What refers to the resource cannot be built. The recovery point names what could not be read and why.",
        remedy: "grant the delegate the call in the message and make another recovery point, or map the resource to one of the recovery environment",
    }

    /// A cluster has its control plane on an Outpost.
    ClusterOnOutposts = 1202 exits PlanRefused {
        title: "a control plane on an Outpost cannot be recovered",
        meaning: "Lifeboat builds clusters in Regions. Nothing was built for this cluster.",
        remedy: "create the cluster by hand and name it as the one to restore into",
    }

    /// EKS does not offer a Kubernetes version any more.
    VersionNotOffered = 1203 exits PlanRefused {
        title: "EKS does not offer the Kubernetes version of a cluster",
        meaning: "A cluster of another version may refuse objects or serve other types.",
        remedy: "upgrade the primary cluster, or allow the nearest version that is offered with --allow-nearest-version, or `allowNearestVersion: true` in `infrastructure` of the application document",
    }

    /// A zone has no counterpart.
    ZoneWithoutCounterpart = 1204 exits PlanRefused {
        title: "an Availability Zone has no counterpart in the recovery Region",
        meaning: "The recovery Region has fewer zones than are in use. Subnets of the zone are built in one that others use too, and objects that name the zone keep the name.",
        remedy: "map the zone, or change what names it",
    }

    /// A trust policy cannot be read.
    TrustUnreadable = 1205 exits PlanRefused {
        title: "the trust policy of a role cannot be read",
        meaning: "The role is not made, because nobody could tell who would be allowed to assume it.",
        remedy: "correct the trust policy of the role in the primary account and make another recovery point",
    }

    /// A generated resource still names the primary.
    PrimaryNamed = 1206 exits PlanRefused {
        title: "a resource of the recovery side still names the primary",
        meaning: "The identifier has no counterpart that is known: its resource is not described and not mapped. The resource is built with it as it is.",
        remedy: "map the identifier to that of a resource in the recovery environment, or declare that it may stay",
    }

    /// A resource has two candidates for its counterpart.
    AdoptionAmbiguous = 1207 exits PlanRefused {
        title: "a resource has more than one candidate in the recovery environment",
        meaning: "Nothing is adopted by guessing.",
        remedy: "map the resource to one of the candidates in the message",
    }

    /// A mapping of resources is not valid.
    MappingInvalid = 1208 exits PlanRefused {
        title: "a mapping of resources is not valid",
        meaning: "It names a resource that does not exist, or that a recovery point older than it does not describe, or it maps two resources to one. Nothing was built.",
        remedy: "correct the mapping in the application document, or leave it out for an older recovery point",
    }

    /// A template exceeds a limit of CloudFormation.
    TemplateTooLarge = 1209 exits PlanRefused {
        title: "a template exceeds a limit of CloudFormation",
        meaning: "CloudFormation refuses the template. Nothing was sent.",
        remedy: "adopt resources that exist in the recovery environment instead of building them, or split the application",
    }

    /// A role or policy exceeds a limit of IAM.
    PolicyTooLarge = 1210 exits PlanRefused {
        title: "a role or policy exceeds a limit of IAM",
        meaning: "IAM refuses the resource, or accepts it only with a raised quota.",
        remedy: "shorten the policy in the primary account, or raise the quota of IAM in the recovery account",
    }

    /// Nodes cannot reach what they need to join.
    NodesCutOff = 1211 exits PlanRefused {
        title: "nodes cannot reach the services that they need to join the cluster",
        meaning: "The subnet has no way to the internet, and an endpoint is missing.",
        remedy: "add the endpoints in the message or a NAT gateway to the primary VPC, and make another recovery point",
    }

    /// The cluster role cannot use the encryption key.
    KeyNotUsable = 1212 exits PlanRefused {
        title: "the role of a cluster lacks permissions on the key that encrypts its Secrets",
        meaning: "A key that the cluster cannot use degrades the cluster for good. Nothing was built.",
        remedy: "allow the role kms:DescribeKey and kms:CreateGrant on the key",
    }

    /// A role lacks a policy that EKS needs.
    RoleIncomplete = 1213 exits PlanRefused {
        title: "a role lacks a policy that EKS needs",
        meaning: "Nodes do not join, or the cluster cannot manage its network.",
        remedy: "attach the policy in the message to the role in the primary account",
    }

    /// A principal does not exist in the recovery account.
    PrincipalUnknown = 1214 exits PlanRefused {
        title: "a principal of IAM has no counterpart in the recovery account",
        meaning: "IAM and EKS refuse policies and access entries that name principals that do not exist. The principal is left out.",
        remedy: "map the principal to one of the recovery account",
    }

    /// A resource that is not built has no counterpart.
    CounterpartUnknown = 1215 exits PlanRefused {
        title: "a resource that Lifeboat does not build has no counterpart",
        meaning: "What needs the resource is left out.",
        remedy: "create the resource in the recovery environment and map it",
    }

    /// A property of a resource is not kept.
    PropertyNotKept = 1216 exits PlanRefused {
        title: "a property of a resource is not kept",
        meaning: "CloudFormation or EKS does not let anyone set it, or a restore needs another value.",
        remedy: "set it by hand after the restore, if it is needed",
    }

    /// A resource is built once another exists.
    BuiltLater = 1217 exits PlanRefused {
        title: "a part of a stack is built later",
        meaning: "It needs an identifier that AWS assigns when another resource is made. The next pass of the stack adds it.",
        remedy: "nothing needs to be done",
    }

    /// A file system has no replica.
    FileSystemWithoutReplica = 1218 exits PlanRefused {
        title: "a file system has no replica in the recovery environment",
        meaning: "An empty file system is built in its place.",
        remedy: "set up EFS replication to the recovery Region, or map the file system to one that has its data",
    }

    /// User data cannot be searched.
    UserDataUnreadable = 1219 exits PlanRefused {
        title: "user data of a launch template cannot be searched",
        meaning: "It is not text in base64, or compressed. It is kept as it is and may name the primary.",
        remedy: "check what the user data does, and map or change the launch template",
    }

    /// The environments are in different partitions.
    PartitionsDiffer = 1220 exits PlanRefused {
        title: "the environments are in different partitions",
        meaning: "No resource of one partition has a counterpart in another.",
        remedy: "use two Regions of one partition",
    }

    /// A resource of a stack that adopts has no counterpart.
    CounterpartNotFound = 1221 exits PlanRefused {
        title: "a resource has no counterpart in the recovery environment, and is built",
        meaning: "The stack uses what exists in the recovery environment. Nothing there has the tags or the name of the resource.",
        remedy: "nothing needs to be done; or map the resource to one of the recovery environment",
    }

    /// A subnet of an adopted VPC has no counterpart.
    SubnetNotMapped = 1222 exits PlanRefused {
        title: "a subnet of an adopted VPC has no counterpart",
        meaning: "Nothing is built in the VPC of another owner but security groups. No subnet of it has the tags, the name or the range of the subnet, and its zone has another number of public or private subnets than that of the primary.",
        remedy: "map the subnet to one of the subnets in the message",
    }

    /// A resource of the recovery environment is the candidate of several.
    CandidateTaken = 1223 exits PlanRefused {
        title: "a resource of the recovery environment is the counterpart of two",
        meaning: "Nothing is adopted by guessing.",
        remedy: "map each of the resources in the message, or name the tags that tell them apart with `adoptTags`",
    }

    /// An adopted role may not trust the cluster.
    AdoptedRoleTrust = 1224 exits PlanRefused {
        title: "an adopted role must trust the new cluster",
        meaning: "An adopted role is its owner's, and is not changed. Pods cannot assume it before its trust policy names the OIDC provider of the new cluster.",
        remedy: "let the owner of the role add the OIDC provider to its trust policy once the cluster exists, or use Pod Identity",
    }

    /// A certificate has no counterpart.
    CertificateWithoutCounterpart = 1225 exits PlanRefused {
        title: "a certificate has no counterpart in the recovery environment",
        meaning: "ACM never gives out the private key of a certificate, and one that is requested needs its domain names validated, so nobody but the user can provide it. What names the certificate still names that of the primary.",
        remedy: "request or import a certificate with the same domain names in the recovery Region, or map the certificate to one that exists there",
    }

    /// A certificate that was found by its tags is for other domain names.
    CertificateDiffers = 1226 exits PlanRefused {
        title: "a certificate takes the place of one with other domain names",
        meaning: "It has the tags of the certificate of the primary. Clients that use a name which it lacks refuse the connection.",
        remedy: "map the certificate to the one that is meant, or give the right one its tags",
    }

    /// A volume or snapshot has no counterpart.
    VolumeWithoutCounterpart = 1227 exits PlanRefused {
        title: "an EBS volume or snapshot has no counterpart in the recovery environment",
        meaning: "Lifeboat does not copy volumes and snapshots. A PersistentVolume that names the volume of the primary cannot be attached.",
        remedy: "copy a snapshot of the volume to the recovery Region, make a volume of it in the zone of the nodes, and map the volume to it",
    }

    /// A resource that objects name and no stack builds has no counterpart.
    NamedWithoutCounterpart = 1228 exits PlanRefused {
        title: "a resource that objects name has no counterpart in the recovery environment",
        meaning: "Lifeboat does not build it, and found nothing of its tags or name. What names it still names that of the primary.",
        remedy: "create the resource in the recovery environment and map it",
    }

    /// A table of prices cannot be read.
    PricesInvalid = 1229 exits Usage {
        title: "a table of prices cannot be read",
        meaning: "The file of --prices is not a table of prices. Nothing was looked up or changed.",
        remedy: "compare the file with `lifeboat schema prices`; amounts are decimal numbers in quotes, unknown fields are errors",
    }

    /// The permissions boundary of a role may not be set on the recovery side.
    BoundaryNotAllowed = 1231 exits PlanRefused {
        title: "the permissions boundary of a role may not be set in the recovery account",
        meaning: "A role has one boundary. With one of those that are allowed the role would be allowed other actions than in the primary account. Nothing was built.",
        remedy: "add the counterpart of the boundary to `infrastructure.permissionsBoundaries` of the application document and map it in `adopt`, or map the boundary to one that is allowed; then run `lifeboat deploy application` again",
    }

    /// EC2 or EKS has no capacity.
    CapacityInsufficient = 1237 exits Aws {
        title: "AWS has no capacity for a resource",
        meaning: "EC2 has no instances of the type in the Availability Zone, or EKS none for a control plane. What was built before is kept.",
        remedy: "run the same command again later; if it remains, map the Availability Zone to another one, add instance types to the node group, or reserve capacity",
    }

    /// A quota is exhausted.
    QuotaExceeded = 1238 exits Aws {
        title: "a quota of the recovery account is exhausted",
        meaning: "The account may have no more resources of this kind in the Region. What was built before is kept.",
        remedy: "raise the quota with `aws service-quotas request-service-quota-increase` in the recovery account and Region, or delete what is not needed, then run the same command again",
    }

    /// Nodes did not join the cluster.
    NodesNotJoined = 1239 exits Aws {
        title: "nodes did not join the cluster",
        meaning: "EKS has started instances, and waited for them in vain. The cluster and what was built before are kept.",
        remedy: "resolve findings with LB-1211 and LB-1213 of `lifeboat infrastructure plan`: the policies of the node role, a way to ecr.api, ecr.dkr, s3 and sts, security groups, the entry of the node role in aws-auth; `aws ec2 get-console-output` of an instance shows what it waits for; then run the same command again",
    }

    /// CloudFormation is not allowed to make a call for a resource.
    ResourceDenied = 1240 exits Aws {
        title: "a call for a resource of a stack is denied",
        meaning: "CloudFormation builds with the permissions of who deploys, on AWS the role of the delegate. What was built before is kept.",
        remedy: "allow the action in the message, or deploy the stack `rebuild` of the recovery side again (`lifeboat deploy application`), then run the same command again",
    }

    /// A KMS key cannot be used.
    KeyDisabled = 1241 exits Aws {
        title: "a KMS key is disabled or about to be deleted",
        meaning: "What the key encrypts cannot be created or read. What was built before is kept.",
        remedy: "enable the key with `aws kms enable-key`, after `aws kms cancel-key-deletion` if it is about to be deleted, or map the key to another one, then run the same command again",
    }

    /// A service-linked role is missing.
    ServiceLinkedRoleMissing = 1242 exits Aws {
        title: "a service-linked role is missing",
        meaning: "The service makes the role when it is used in an account for the first time, and was not allowed to, or the role is not effective yet. What was built before is kept.",
        remedy: "create it with `aws iam create-service-linked-role --aws-service-name SERVICE` in the recovery account, then run the same command again",
    }

    /// A change of IAM is not effective yet.
    NotYetConsistent = 1243 exits Aws {
        title: "a role or grant is not effective yet",
        meaning: "IAM is eventually consistent. The deployment was tried again and failed still. What was built before is kept.",
        remedy: "run the same command again; if it remains, check that the trust policy of the role names the service, and that the principals of the policy exist",
    }

    /// A version, a release or an instance type is not offered.
    NotOffered = 1244 exits Aws {
        title: "a version or instance type is not offered in the recovery Region",
        meaning: "EKS offers no new node groups of an old AMI release, and not every Region has every instance type and every version of an add-on. What was built before is kept.",
        remedy: "update the node group or add-on in the primary account and make another recovery point, or map the Availability Zone to one that has the instance type",
    }

    /// A resource of a stack was deleted by hand.
    ResourceGone = 1245 exits Aws {
        title: "a resource of a stack does not exist any more",
        meaning: "Somebody has deleted it by hand, and the stack still has it. CloudFormation does not create it again.",
        remedy: "detect what else has changed with `aws cloudformation detect-stack-drift`, delete the stack that has the resource, then run the same command again: it builds the stack anew",
    }

    /// Images are not replicated.
    ImagesNotReplicated = 1246 exits PlanRefused {
        title: "images of a repository are not replicated to the recovery environment",
        meaning: "Containers cannot start there: their images are in the registry of the primary environment.",
        remedy: "add a rule with `aws ecr put-replication-configuration` in the primary environment, allow it with `aws ecr put-registry-policy` in another recovery account, and push the images again: ECR replicates what is pushed after the rule was made",
    }

    /// An image is missing.
    ImageMissing = 1247 exits PlanRefused {
        title: "the registry of the recovery environment lacks an image",
        meaning: "Containers that use it cannot start there.",
        remedy: "push the image there, or push it again to the registry that is replicated",
    }

    /// A replica is read-only.
    ReplicaReadOnly = 1248 exits PlanRefused {
        title: "the replica of a file system is read-only",
        meaning: "EFS lets nobody write to a file system that it replicates to.",
        remedy: "restore with --failover, which ends the replication on the recovery side, or end it with `aws efs delete-replication-configuration`",
    }

    /// A replica is not current.
    ReplicaNotCurrent = 1249 exits PlanRefused {
        title: "the replica of a file system is not current",
        meaning: "The replication had failed, or was paused, when the recovery point was made.",
        remedy: "see `aws efs describe-replication-configurations`, and repair the replication",
    }

    /// A plan is not the one that is expected.
    PlanChanged = 1260 exits PlanRefused {
        title: "the restore would not carry out the plan that is expected",
        meaning: "A restore that was given the hash of a plan carries out that plan or nothing. The recovery point, the options, the application document, the version of Lifeboat or what is adopted in the recovery environment differ. What had been compared before stays; nothing was written for this part of the plan.",
        remedy: "run `lifeboat plan` with the same options, compare it with the plan that was reviewed, and restore with its hash",
    }

    /// No plan with the expected hash is known.
    PlanUnknown = 1261 exits PlanRefused {
        title: "no plan with the expected hash is known",
        meaning: "The coordinator knows the last 20 plans of an application. The same plan that is made again has the same hash. Nothing was started.",
        remedy: "run `lifeboat plan` with the same options, compare the hash, and restore with it",
    }

    /// A permission set of IAM Identity Center is not assigned to the recovery account.
    PermissionSetNotAssigned = 1270 exits PlanRefused {
        title: "a permission set of IAM Identity Center is not assigned to the recovery account",
        meaning: "IAM Identity Center makes a role in each account that a permission set is assigned to, and nobody else can make it. Who entered the clusters with this role cannot enter those of the recovery environment; policies are built without it.",
        remedy: "assign the permission set to the recovery account with `aws sso-admin create-account-assignment`, or map the role to one that exists there with `adopt`",
    }

    /// An SSH key pair does not exist in the recovery Region.
    KeyPairMissing = 1271 exits PlanRefused {
        title: "an SSH key pair does not exist in the recovery Region",
        meaning: "EC2 refuses instances with a key pair that does not exist. The nodes are built without one: nobody can log in to them by SSH, and nothing else is different.",
        remedy: "import the public key with `aws ec2 import-key-pair` in the recovery Region, or map the name to that of a key pair that exists there with `adopt`; a node group that exists already gets the key by replacement",
    }

    /// What objects select by tags is not there.
    SelectorWithoutCounterpart = 1272 exits PlanRefused {
        title: "objects select subnets or security groups by tags that their counterparts lack",
        meaning: "Controllers look for these subnets and security groups by their tags (a name is the tag `Name`). The counterparts in the recovery environment are adopted and keep the tags of their owner, so that the controller does not find them, or finds others.",
        remedy: "give the counterparts the tags in the message, or name the subnets and groups in the objects by their ids, which are translated",
    }

    /// EKS refuses to delete a cluster with deletion protection.
    ClusterProtected = 1290 exits Aws {
        title: "the deletion protection of a cluster is on",
        meaning: "EKS deletes no active cluster that has it. A teardown takes off what the template of the stack has turned on, but not what somebody has turned on by hand or what a stack has that can only be deleted.",
        remedy: "turn it off with `aws eks update-cluster-config --name CLUSTER --no-deletion-protection` in the recovery account and Region, then run the same command again",
    }
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

#[cfg(test)]
mod tests;
