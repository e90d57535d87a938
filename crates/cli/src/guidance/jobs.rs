//! What the codes of access to clusters (LB-08xx) and of jobs and schedules (LB-09xx) mean.

use lifeboat_model::Code;

use super::{Guidance, of};

pub(super) fn access(code: Code) -> Guidance {
    match code {
        Code::ClusterNotVisible => of(
            "the delegate may not describe the cluster",
            "EKS refuses DescribeCluster to the role of the delegate, so that nothing is known of the cluster.",
            "update the access stack of the environment; its role grants eks:DescribeCluster",
        ),
        Code::ClusterNotFound => of(
            "there is no such cluster",
            "The application names an EKS cluster that its environment does not have.",
            "correct the name in the application document; `aws eks list-clusters` shows those that there are",
        ),
        Code::ClusterNotActive => of(
            "the cluster does not work now",
            "EKS says that it is being created, updated or deleted, or has failed. The next check looks again.",
            "wait, or mend the cluster; `aws eks describe-cluster` shows its health",
        ),
        Code::EndpointClosed => of(
            "the endpoint of the cluster is closed to the delegate",
            "It is open to some addresses only. A function has no fixed address that could be added to them.",
            "run the command that the issue prints; who may enter is still the cluster's decision",
        ),
        Code::EndpointPrivate => of(
            "the cluster has a private endpoint only",
            "Its API server can be reached from its VPC alone, where the delegate does not run.",
            "run the command that the issue prints to open the public endpoint, or leave the cluster out of the application",
        ),
        Code::NoAccessEntry => of(
            "the cluster does not know the role of the delegate",
            "The cluster answers, but the role has neither an access entry nor an entry in aws-auth.",
            "run the command that the issue prints; it fits the authentication mode of the cluster",
        ),
        Code::AccessTooNarrow => of(
            "the role of the delegate may not do everything that is needed",
            "In the primary it may not read some types: recovery points are Partial and name them. In the recovery environment it may not write some: a restore would leave them out.",
            "run the command that the issue prints",
        ),
        Code::UnsupportedCluster => of(
            "the cluster is of a kind that cannot be reached",
            "It is a local cluster on an Outpost, whose API server can be reached only from there.",
            "leave the cluster out of the application",
        ),
        Code::ConnectedCluster => of(
            "the cluster runs elsewhere and is only shown in EKS",
            "EKS Connector shows clusters of other platforms; a delegate cannot enter them.",
            "leave the cluster out of the application; `lifeboat backup` with a kubeconfig works for it",
        ),
        Code::NoTaggedCluster => of(
            "no cluster has the tags of the application",
            "The application names its clusters by tag, and none was found, or the delegate may not look for them.",
            "tag the clusters as clusterTags of the application document says, or run the command that the issue prints",
        ),
        Code::ClockSkewed => of(
            "a clock differs too much from that of AWS",
            "Tokens and deadlines would be wrong, so the delegate does not register.",
            "deploy the stack again; if it stays so, report it to AWS support with the function's name",
        ),
        Code::BucketUnsafe => of(
            "a bucket is not as its stack made it",
            "It can be opened to others, or objects in it can belong to others.",
            "run the command that the reason prints, or deploy the access stack again",
        ),
        Code::UnsupportedVersion => of(
            "the Kubernetes version of the cluster is not known",
            "It is older than those that Lifeboat can read as one point in time.",
            "update the cluster",
        ),
        Code::NotRegistered => of(
            "an environment or a delegate has not registered",
            "The stacks of the application are not deployed there, or their deployment has not ended.",
            "deploy what is missing: `lifeboat deploy recovery`, `lifeboat deploy primary`, then `lifeboat deploy application FILE`",
        ),
        Code::SigningKeyChanged => of(
            "the signing key is not the one that is pinned",
            "Recovery points of another key are not believed, and none is made until somebody decides.",
            "if the key was changed on purpose, write its fingerprint into primary.signingKey of the application document",
        ),
        _ => of(
            "the recovery key is not the one that is pinned",
            "Recovery points are encrypted for the recovery key; none is made for another one by itself.",
            "deploy recovery-access with the former key, or put the application again under a new name",
        ),
    }
}

pub(super) fn jobs(code: Code) -> Guidance {
    match code {
        Code::ApplicationInvalid => of(
            "the document of the application cannot be used",
            "Nothing is backed up for it until the document is corrected.",
            "correct what the problems name, then run `lifeboat application put`",
        ),
        Code::BackupFailed => of(
            "a recovery point could not be made",
            "It was tried several times. The next time of the schedule tries again.",
            "mend what the cause names, then ask for a backup with `lifeboat application backup`; the issue closes itself with the next good point",
        ),
        Code::BackupOverdue => of(
            "the last good recovery point is older than the schedule allows",
            "Two times of the schedule have passed without a good recovery point in the vault.",
            "mend the other issues of the application; this one closes itself with the next good point",
        ),
        Code::VaultingFailed => of(
            "a recovery point could not be copied into the vault",
            "What the delegate sealed does not verify, or the vault refuses it. The point does not count.",
            "mend what the cause names; the next backup is vaulted by itself",
        ),
        Code::VaultDamaged => of(
            "a recovery point in the vault is damaged",
            "Its signature or a digest does not fit any more. It does not count as good, and other points are not touched.",
            "restore the object from a former version of the bucket, or use another recovery point",
        ),
        Code::RestoreFailed => of(
            "a restore has failed",
            "It ended without a report of a plan that came true.",
            "mend what the cause names, then ask for the restore again: it continues where it stopped",
        ),
        Code::JobDocumentRefused => of(
            "a document of a job was refused",
            "It is malformed, too large, of a newer format, or not from the delegate that has the job. It had no effect.",
            "update the stacks to one version; if that does not help, find out who writes into the scratch bucket",
        ),
        Code::JobLost => of(
            "a job was lost",
            "It used up its invocations, or its result came from a delegate that had lost it already.",
            "look at the log of the delegate; the job is tried again by itself",
        ),
        Code::DelegateSilent => of(
            "the delegate does not take its jobs",
            "A job lies in the scratch bucket, and no delegate has claimed it for several minutes.",
            "look at the function of the delegate: its schedule, its errors, its permission on the scratch bucket",
        ),
        Code::JobCancelled => of(
            "the job was cancelled",
            "Somebody asked for that. What a restore had created by then is still there.",
            "ask again if that was not meant",
        ),
        _ => of(
            "a request was refused",
            "It names something that there is not, or has the token of another request. Nothing has changed.",
            "correct the request; `lifeboat status` and `lifeboat application points` show what there is",
        ),
    }
}
