//! The one place that says, for every code, what it means and what to do. `lifeboat explain LB-0123`
//! prints it, and an error without more specific guidance uses it.

use lifeboat_model::Code;

/// The explanation of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guidance {
    /// The code's meaning in a few words.
    pub title: &'static str,
    /// What has happened, and what has not, in full sentences.
    pub meaning: &'static str,
    /// What to do, if possible as a command.
    pub remedy: &'static str,
}

const fn of(title: &'static str, meaning: &'static str, remedy: &'static str) -> Guidance {
    Guidance {
        title,
        meaning,
        remedy,
    }
}

/// What `code` means and what to do about it. The last arm of each part is its last code; a test compares
/// the explanations of all codes with a snapshot.
#[must_use]
pub fn guidance(code: Code) -> Guidance {
    match code.number() / 100 {
        0 | 1 => general(code),
        2 | 3 => backup(code),
        4 | 5 => point(code),
        6 | 7 => restore(code),
        8 => access(code),
        9 => jobs(code),
        _ => aws(code),
    }
}

fn general(code: Code) -> Guidance {
    match code {
        Code::Usage => of(
            "the command line is not valid",
            "No data was read or written.",
            "run the command with --help, which shows an example",
        ),
        Code::InvalidDocument => of(
            "a document cannot be read",
            "A file given on the command line is not what the option expects. No data was read or written.",
            "compare the file with `lifeboat schema patches`; unknown fields are errors",
        ),
        Code::Interrupted => of(
            "the command was interrupted",
            "An interrupted backup creates no recovery point and does not change existing ones; an interrupted restore keeps the objects it has created.",
            "run the same command again; it continues and ends in the same state",
        ),
        Code::KubeconfigUnreadable => of(
            "the kubeconfig cannot be read",
            "Lifeboat reads the kubeconfig as kubectl does: --kubeconfig, then KUBECONFIG, then ~/.kube/config.",
            "check the file with `kubectl config view`, or use another one with --kubeconfig",
        ),
        Code::UnknownContext => of(
            "the kubeconfig has no such context",
            "No data was read or written.",
            "list the contexts with `kubectl config get-contexts` and choose one with --context",
        ),
        Code::ClusterUnreachable => of(
            "the API server does not answer",
            "Connecting to the address of the kubeconfig timed out or was refused.",
            "check the address and the network with `kubectl cluster-info` on the same machine with the same context",
        ),
        Code::Unauthenticated => of(
            "the API server does not accept the credentials",
            "It answered 401: the token or client certificate of the context is missing, expired, or meant for another cluster.",
            "sign in again; `kubectl auth whoami` with the same context must print your user",
        ),
        Code::UntrustedCertificate => of(
            "the API server's certificate is not trusted",
            "The certificate authority of the kubeconfig did not sign the certificate. No credentials were sent.",
            "update the cluster's entry in the kubeconfig (on EKS: `aws eks update-kubeconfig --name NAME`)",
        ),
        Code::NotKubernetes => of(
            "the address does not answer as a Kubernetes API server",
            "The response is not that of an API server; it often comes from a proxy, a login page or a load balancer.",
            "check the `server` of the context with `kubectl config view --minify`",
        ),
        Code::Forbidden => of(
            "the API server refuses the request",
            "It answered 403: the identity is known but lacks a permission.",
            "grant the permission, and check with `kubectl auth can-i --list`; a backup needs get and list on all types, a restore write access to what it restores",
        ),
        _ => of(
            "a bug in Lifeboat",
            "An assumption of Lifeboat's own code does not hold. Existing recovery points are not affected: they are write-once.",
            "run the command again with --log-level debug and report its output, which contains no secret values",
        ),
    }
}

fn backup(code: Code) -> Guidance {
    match code {
        Code::PartialPoint => of(
            "the recovery point is Partial",
            "Some types could not be read. The recovery point exists and contains everything else; its manifest lists what is missing and why.",
            "fix what `lifeboat show latest` lists under missing, then run the backup again",
        ),
        Code::IncompleteDiscovery => of(
            "discovery of the cluster's types is incomplete",
            "The API server did not return all types it serves, so a backup could miss types without notice.",
            "find the unavailable API with `kubectl get apiservices`, repair or delete it, and run the command again",
        ),
        Code::UnknownFilter => of(
            "a filter selects a type or namespace that does not exist",
            "An unknown type or namespace is treated as a typing error, because the recovery point would be empty.",
            "list the types with `kubectl api-resources` and the namespaces with `kubectl get namespaces`",
        ),
        Code::CaptureDeadlineExceeded => of(
            "the deadline of the backup has passed",
            "The capture did not end before its deadline. No recovery point was written; existing ones are unchanged.",
            "increase --deadline, or capture less with -n or --exclude-type",
        ),
        Code::InvalidList => of(
            "a list ended early or is not a list",
            "The API server repeatedly sent an incomplete list. No recovery point was written from it.",
            "check for a proxy that truncates or rewrites responses of the API server, then run the backup again",
        ),
        Code::StoreNotFound => of(
            "the store does not exist",
            "The path of --store does not exist or is not a folder.",
            "check the path; `lifeboat backup` creates the last folder of the path, but not its parents",
        ),
        Code::StoreDenied => of(
            "the store refuses access",
            "The user that runs the command cannot read or write the folder.",
            "grant this user access to the folder; a backup writes, all other commands only read",
        ),
        Code::StoreFull => of(
            "the store is full",
            "The unfinished recovery point is not visible; existing ones are unchanged.",
            "free space and run the backup again; it first deletes the files of the failed run",
        ),
        Code::StoreConflict => of(
            "a file of the store already exists",
            "Stores are write-once: files are never overwritten.",
            "run the command again; if it fails again, check whether two programs write the same application",
        ),
        Code::StoreBusy => of(
            "another run holds this application",
            "Only one backup of an application runs at a time, because each deletes incomplete files of earlier runs.",
            "wait until the other run ends; the lock of a process that has died is released automatically",
        ),
        _ => of(
            "the store failed",
            "Reading or writing a file failed, not because of permissions or space.",
            "check the disk or network share of the folder, then run the command again",
        ),
    }
}

fn point(code: Code) -> Guidance {
    match code {
        Code::KeyUnreadable => of(
            "a key file cannot be read",
            "The file is missing, not readable, or not PEM.",
            "check the path; `lifeboat keys generate --out DIR` creates a set of keys",
        ),
        Code::PublicPrivateKeyMismatch => of(
            "a public key was given instead of a private key, or the reverse",
            "A backup needs the public recovery key and the private signing key; reading needs the private recovery key and the public signing key.",
            "use the other file of the pair: recovery.pub.pem and signing.key.pem for a backup, recovery.key.pem and signing.pub.pem for reading",
        ),
        Code::UnsupportedKeyType => of(
            "the key type is not supported",
            "The recovery key is RSA with 4096 bits, the signing key is ECDSA on P-256.",
            "use the right file, or create a set with `lifeboat keys generate --out DIR`",
        ),
        Code::RecoveryKeyMismatch => of(
            "the recovery point is encrypted for another key",
            "`lifeboat show POINT` lists the fingerprints of the keys that can decrypt it.",
            "use the private recovery key with one of these fingerprints",
        ),
        Code::KeyExists => of(
            "a key file already exists",
            "Keys are never overwritten, because recovery points encrypted for a lost key cannot be decrypted.",
            "choose an empty folder with --out",
        ),
        Code::PointNotFound => of(
            "the recovery point does not exist",
            "A point is selected by `latest`, `latest-complete`, its id, or a unique beginning of its id.",
            "list the points with `lifeboat points`; check --store and --application",
        ),
        Code::SignatureInvalid => of(
            "the signature does not match the pinned key",
            "The manifest was modified, or signed by another key. No data of the point was used.",
            "check that --verify-key is the public signing key of the primary; if it is, do not use this point: use an earlier one",
        ),
        Code::DigestMismatch => of(
            "the digest of a file of the recovery point does not match",
            "Its SHA-256 differs from the signed manifest. No data of the file was used.",
            "do not use this point; choose another one from `lifeboat points` and check it with `lifeboat verify`",
        ),
        Code::PackCorrupt => of(
            "a file of the recovery point cannot be decrypted",
            "It is truncated, reordered or modified. No data of the corrupt part was used.",
            "do not use this point; choose another one from `lifeboat points` and check it with `lifeboat verify`",
        ),
        Code::NewerFormat => of(
            "the recovery point was created by a newer version of Lifeboat",
            "This version of Lifeboat does not support the format of the point.",
            "use the version of Lifeboat that created the point, or a later one",
        ),
        Code::ManifestMalformed => of(
            "the manifest is signed but malformed",
            "The signature is valid, so the manifest was not modified after signing: the program that wrote it has a bug.",
            "use another point, and report this as a bug with the version of Lifeboat that created the point",
        ),
        Code::PointIdentityMismatch => of(
            "the recovery point is stored under another name",
            "The manifest was signed for another point, application or cluster than the one it is stored under.",
            "the point was copied or renamed; move it back, or use another one from `lifeboat points`",
        ),
        Code::ObjectNotFound => of(
            "the recovery point does not contain the object",
            "The type, namespace or name is not in the point's index.",
            "`lifeboat show POINT` lists the types; namespaced objects need -n",
        ),
        _ => of(
            "a file of the recovery point is missing",
            "The manifest lists a file that the store does not contain.",
            "restore the file from a copy of the store, or use another point from `lifeboat points`",
        ),
    }
}

fn restore(code: Code) -> Guidance {
    match code {
        Code::UnknownSelector => of(
            "the selection matches nothing in the recovery point",
            "An unknown type, namespace or name is treated as a typing error. No object was written.",
            "`lifeboat show POINT` lists the types and namespaces of the point",
        ),
        Code::PatchFailed => of(
            "a patch cannot be applied",
            "A patch selects an object that it cannot be applied to. No object was written.",
            "narrow its `when` or correct its path; `lifeboat plan` applies patches without writing objects",
        ),
        Code::TypeNotServed => of(
            "the target does not serve a type",
            "The target serves neither the captured version of the type nor another common version. No object of the type was written.",
            "install the operator or CustomResourceDefinition of the type in the target, or exclude it with --exclude-type",
        ),
        Code::PlanRefused => of(
            "the plan was rejected",
            "The plan has findings of severity error, or its hash is not the expected one. No object was written.",
            "run `lifeboat plan` with the same options; each finding has a fix",
        ),
        Code::MissingDependency => of(
            "the selection excludes a dependency",
            "A selected object requires another one that is not selected and not in the target. No object was written.",
            "select the dependency too, or create it in the target first",
        ),
        Code::NameCollision => of(
            "two objects would have the same name",
            "After renaming, two objects of the point have the same type, namespace and name. No object was written.",
            "change --map-namespace so that no two namespaces get the same name, or exclude one of the objects",
        ),
        Code::TargetBusy => of(
            "another restore holds the target",
            "It holds the Lease lifeboat-restore in kube-system. Only one restore at a time writes to a cluster.",
            "wait until it ends; the Lease of a restore that has died expires within seconds",
        ),
        Code::RestoreIncomplete => of(
            "some planned objects were not restored",
            "The report lists each of them with the API server's response.",
            "resolve what the report lists, then run the same command again to continue",
        ),
        _ => of(
            "the recovered cluster does not match the plan",
            "All objects were written, but the objects read back differ from the plan; the report lists the differences.",
            "check the differences in the report; controllers or admission webhooks of the target may have changed the objects",
        ),
    }
}

mod aws;
mod jobs;

use aws::aws;
use jobs::{access, jobs};

#[cfg(test)]
mod tests;
