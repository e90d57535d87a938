//! The one place that says, for every code, what it means and what to do. `lifeboat explain LB-0123`
//! prints it, and an error that knows nothing more exact takes its guidance from here.

use lifeboat_model::Code;

/// What is known about a code beyond one occurrence of it.
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

/// What `code` means and what to do about it. There is no catch-all arm, so that a new code does not
/// compile until it is explained.
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
            "the command line cannot be understood",
            "Nothing was read or written.",
            "run the command with --help; it ends with an example",
        ),
        Code::InvalidDocument => of(
            "a document cannot be read",
            "A file named on the command line is not what the option expects. Nothing was read or written.",
            "compare the file with `lifeboat schema patches`; unknown fields are errors, so a typing error cannot be overlooked",
        ),
        Code::Interrupted => of(
            "the command was interrupted",
            "A backup that is interrupted leaves no recovery point and does not touch the former ones; a restore leaves what it has created.",
            "run the same command again: it continues and ends in the same state",
        ),
        Code::KubeconfigUnreadable => of(
            "the kubeconfig cannot be read",
            "Lifeboat reads the kubeconfig as kubectl does: --kubeconfig, then KUBECONFIG, then ~/.kube/config.",
            "check the file with `kubectl config view`, or name another one with --kubeconfig",
        ),
        Code::UnknownContext => of(
            "the kubeconfig has no such context",
            "Nothing was read or written.",
            "list the contexts with `kubectl config get-contexts` and name one of them with --context",
        ),
        Code::ClusterUnreachable => of(
            "the API server does not answer",
            "The address of the kubeconfig was tried until the time for connecting had passed.",
            "check the address and the way to it with `kubectl cluster-info` on the same machine with the same context",
        ),
        Code::Unauthenticated => of(
            "the API server does not know who is asking",
            "It answered 401: the token or client certificate of the context is missing, expired, or meant for another cluster.",
            "sign in again; `kubectl auth whoami` with the same context must name you",
        ),
        Code::UntrustedCertificate => of(
            "the API server's certificate is not trusted",
            "The certificate is not signed by the certificate authority of the kubeconfig. No credentials were sent.",
            "renew the cluster's entry in the kubeconfig (on EKS: `aws eks update-kubeconfig --name NAME`)",
        ),
        Code::NotKubernetes => of(
            "the address does not answer as a Kubernetes API server",
            "Something answered, but not with what an API server sends: often a proxy, a login page or a load balancer.",
            "check the `server` of the context with `kubectl config view --minify`",
        ),
        Code::Forbidden => of(
            "the API server refuses the request",
            "It answered 403: the identity is known but lacks a permission.",
            "grant it, and check with `kubectl auth can-i --list`; a backup needs get and list on everything, a restore what it restores",
        ),
        _ => of(
            "a fault of Lifeboat itself",
            "An assumption of Lifeboat's own code does not hold. Recovery points that exist are not affected: they are write-once.",
            "run the command again with --log-level debug and report its output; it holds no secret values",
        ),
    }
}

fn backup(code: Code) -> Guidance {
    match code {
        Code::PartialPoint => of(
            "the recovery point is Partial",
            "Some types could not be read. The recovery point exists and holds everything else; its manifest names what is missing and why.",
            "mend what `lifeboat show latest` lists under missing, then run the backup again",
        ),
        Code::IncompleteDiscovery => of(
            "the cluster's types are not all known",
            "The API server could not say which types it serves, so that nobody can say what a backup would miss.",
            "find the API that does not answer with `kubectl get apiservices`, mend or remove it, and run the command again",
        ),
        Code::UnknownFilter => of(
            "a filter names what the cluster does not have",
            "A type or namespace that does not exist is taken for a typing error: an empty recovery point would help nobody.",
            "list the types with `kubectl api-resources` and the namespaces with `kubectl get namespaces`",
        ),
        Code::CaptureDeadline => of(
            "the time for the backup has passed",
            "The capture did not end before its deadline. No recovery point was written; the former ones are as they were.",
            "allow more time with --deadline, or take less with -n or --exclude-type",
        ),
        Code::BrokenList => of(
            "a list ended early or is not a list",
            "What the API server sent is not a complete list, again and again. No recovery point was written from it.",
            "check the path to the API server for a proxy that cuts or rewrites answers, then run the backup again",
        ),
        Code::StoreNotFound => of(
            "the store does not exist",
            "The folder named by --store is missing or is not a folder.",
            "check the path; `lifeboat backup` makes the last folder of it, but not its parents",
        ),
        Code::StoreDenied => of(
            "the store refuses access",
            "The user who runs the command may not read or write there.",
            "give this user access to the folder; a backup writes, all other commands only read",
        ),
        Code::StoreFull => of(
            "the store is full",
            "The recovery point that was being written is not visible; the former ones are as they were.",
            "make room and run the backup again; it first removes what the failed run left behind",
        ),
        Code::StoreConflict => of(
            "a file of the store exists already",
            "Stores are write-once: nothing is overwritten.",
            "run the command again; if it happens again, two programs write under the same name",
        ),
        Code::StoreBusy => of(
            "another run works on this application",
            "One backup of an application runs at a time, so that none removes what another one writes.",
            "wait for the other run to end; a lock of a process that has died frees itself",
        ),
        _ => of(
            "the store failed",
            "Reading or writing a file failed for a reason that is neither permission nor room.",
            "check the disk or the share behind the folder, then run the command again",
        ),
    }
}

fn point(code: Code) -> Guidance {
    match code {
        Code::KeyUnreadable => of(
            "a key file cannot be read",
            "The file is missing, not readable, or not PEM.",
            "check the path; `lifeboat keys generate --out DIR` makes a set of keys",
        ),
        Code::WrongKeyHalf => of(
            "the other half of the key is needed",
            "A backup takes the public half of the recovery key and the private signing key; reading takes the private recovery key and the public signing key.",
            "name the other file of the pair: recovery.pub.pem or signing.key.pem for a backup, recovery.key.pem or signing.pub.pem for reading",
        ),
        Code::WrongKeyKind => of(
            "the key is of the wrong sort",
            "The recovery key is RSA with 4096 bits, the signing key is ECDSA on P-256.",
            "name the right file, or make a set with `lifeboat keys generate --out DIR`",
        ),
        Code::WrongKey => of(
            "the recovery point was made for another key",
            "`lifeboat show POINT` names the recipients that can open it, by fingerprint.",
            "name the private recovery key whose fingerprint is listed there",
        ),
        Code::KeyExists => of(
            "a key file exists already",
            "Keys are never overwritten: recovery points made for a lost key cannot be opened again.",
            "choose an empty folder with --out",
        ),
        Code::PointNotFound => of(
            "there is no such recovery point",
            "A point is named by `latest`, its id, or the beginning of its id if only one point begins so.",
            "list the points with `lifeboat points`; check --store and --application",
        ),
        Code::SignatureInvalid => of(
            "the signature is not that of the pinned key",
            "The manifest was changed, or signed by another key. Nothing of the point was used.",
            "check that --verify-key is the public signing key of the cluster's side; if it is, do not use this point: take an earlier one",
        ),
        Code::DigestMismatch => of(
            "a file of the recovery point is not the one that was signed",
            "Its SHA-256 differs from the signed manifest. Nothing of the file was used.",
            "do not use this point; take another one from `lifeboat points` and check it with `lifeboat verify`",
        ),
        Code::PackCorrupt => of(
            "a file of the recovery point cannot be decrypted",
            "It is cut, reordered or changed. Nothing of the broken part was used.",
            "do not use this point; take another one from `lifeboat points` and check it with `lifeboat verify`",
        ),
        Code::NewerFormat => of(
            "the recovery point was made by a newer Lifeboat",
            "This program does not know the point's format and does not guess.",
            "use the version that `lifeboat show` of the newer program names, or a later one",
        ),
        Code::ManifestMalformed => of(
            "the manifest is signed but cannot be understood",
            "The signature holds, so that it was not changed after signing: the program that wrote it was at fault.",
            "take another point, and report this with the version of the program that made the point",
        ),
        Code::PointSwapped => of(
            "the recovery point stands under another name",
            "The manifest was signed for another point, application or cluster than the one it is found under.",
            "somebody has copied or renamed a point: put it back, or take another one from `lifeboat points`",
        ),
        Code::ObjectNotFound => of(
            "the recovery point has no such object",
            "The type, namespace or name is not in the point's index.",
            "`lifeboat show POINT` lists the types; namespaced objects need -n",
        ),
        _ => of(
            "a file of the recovery point is missing",
            "The manifest names a file that the store does not hold.",
            "look for it in a copy of the store; without it take another point from `lifeboat points`",
        ),
    }
}

fn restore(code: Code) -> Guidance {
    match code {
        Code::UnknownSelector => of(
            "the selection names what the recovery point does not hold",
            "A type, namespace or name that is not there is taken for a typing error. Nothing was written.",
            "`lifeboat show POINT` lists the types and namespaces that the point holds",
        ),
        Code::PatchFailed => of(
            "a patch cannot be applied",
            "A patch selects an object that it does not fit. Nothing was written.",
            "narrow its conditions or correct its path; `lifeboat plan` tries patches without writing",
        ),
        Code::TypeNotServed => of(
            "the target cannot hold a type",
            "The target serves neither the captured version nor another one that both know. Nothing of the type was written.",
            "install what serves the type in the target, or leave it out with --exclude-type",
        ),
        Code::PlanRefused => of(
            "the plan was refused",
            "The plan would do damage, or is not the one that was expected. Nothing was written.",
            "read the findings of `lifeboat plan` with the same options; each says what mends it",
        ),
        Code::MissingDependency => of(
            "the selection leaves out what it needs",
            "A selected object needs another one that is neither selected nor in the target. Nothing was written.",
            "select it too, or create it in the target first",
        ),
        Code::NameCollision => of(
            "two objects would become one",
            "After renaming, two objects of the point have the same type, namespace and name. Nothing was written.",
            "change --map-namespace so that no two namespaces become one, or leave one of the objects out",
        ),
        Code::TargetBusy => of(
            "another restore works on the target",
            "It holds the Lease lifeboat-restore in kube-system. One restore at a time writes to a cluster.",
            "wait for it to end; the Lease of a restore that has died expires within seconds",
        ),
        Code::RestoreIncomplete => of(
            "some objects were not restored although the plan says so",
            "The report lists each of them with the API server's answer.",
            "mend what the report names and run the same command again: it continues",
        ),
        _ => of(
            "the recovered cluster differs from the plan",
            "Everything was written, but what was read back is not what was planned; the report lists the differences.",
            "read the report's differences; controllers or admission webhooks of the target may have changed the objects",
        ),
    }
}

mod aws;
mod jobs;

use aws::aws;
use jobs::{access, jobs};

#[cfg(test)]
mod tests;
