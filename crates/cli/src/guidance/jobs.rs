//! What the codes of access to clusters (LB-08xx) and of jobs and schedules (LB-09xx) mean.

use lifeboat_model::Code;

use super::{Guidance, of};

pub(super) fn access(code: Code) -> Guidance {
    match code {
        Code::DescribeClusterDenied => of(
            "the delegate is not allowed to describe the cluster",
            "EKS denies eks:DescribeCluster to the role of the delegate, so the cluster cannot be checked.",
            "update the access stack of the environment; its role grants eks:DescribeCluster",
        ),
        Code::ClusterNotFound => of(
            "the cluster does not exist",
            "The application names an EKS cluster that its environment does not have.",
            "correct the name in the application document; `aws eks list-clusters` lists the clusters",
        ),
        Code::ClusterNotActive => of(
            "the cluster is not active",
            "EKS reports that it is being created, updated or deleted, or has failed. The next check runs automatically.",
            "wait, or repair the cluster; `aws eks describe-cluster` shows its health",
        ),
        Code::EndpointRestricted => of(
            "the public endpoint of the cluster does not allow the delegate",
            "Its public access CIDRs are restricted. A Lambda function has no fixed address to add to them.",
            "run the command in the issue; the cluster still authenticates every request",
        ),
        Code::EndpointPrivate => of(
            "the cluster has a private endpoint only",
            "Its API server is reachable only from its VPC, where the delegate does not run.",
            "run the command in the issue to open the public endpoint, or remove the cluster from the application",
        ),
        Code::NoAccessEntry => of(
            "the cluster has no access entry for the role of the delegate",
            "The cluster responds, but the role has neither an access entry nor an entry in aws-auth.",
            "run the command in the issue; it matches the authentication mode of the cluster",
        ),
        Code::InsufficientAccess => of(
            "the role of the delegate lacks permissions in the cluster",
            "In the primary it cannot read some types: recovery points are Partial and list them. In the recovery environment it cannot write some types: a restore would skip them.",
            "run the command in the issue",
        ),
        Code::UnsupportedCluster => of(
            "the kind of the cluster is not supported",
            "It is a local cluster on an Outpost, whose API server is reachable only from the Outpost.",
            "remove the cluster from the application",
        ),
        Code::ExternalCluster => of(
            "the cluster is an external cluster",
            "EKS Connector only displays external clusters; a delegate cannot connect to them.",
            "remove the cluster from the application; back it up by `lifeboat backup` with a kubeconfig",
        ),
        Code::NoTaggedCluster => of(
            "no cluster has the tags of the application",
            "The application selects its clusters by tag, and none was found, or the delegate is not allowed to list clusters.",
            "tag the clusters as clusterTags of the application document says, or run the command in the issue",
        ),
        Code::ClockSkewed => of(
            "a clock differs too much from that of AWS",
            "Tokens and deadlines would be wrong, so the delegate does not register.",
            "deploy the stack again; if the problem persists, report it to AWS Support with the name of the function",
        ),
        Code::BucketPolicyInvalid => of(
            "the configuration of a bucket is not safe",
            "Public access is not blocked, or its objects can be owned by other accounts.",
            "run the command in the message, or deploy the access stack again",
        ),
        Code::UnsupportedVersion => of(
            "the Kubernetes version of the cluster is not supported",
            "It is older than the versions that Lifeboat can read at one point in time.",
            "upgrade the cluster",
        ),
        Code::NotRegistered => of(
            "an environment or a delegate is not registered",
            "The stacks of the application are not deployed there, or their deployment is not complete.",
            "deploy the missing stacks: `lifeboat deploy recovery`, `lifeboat deploy primary`, then `lifeboat deploy application FILE`",
        ),
        Code::SigningKeyChanged => of(
            "the signing key is not the pinned one",
            "Recovery points signed by another key are rejected, and no backup runs until this is resolved.",
            "if the change was intended, set primary.signingKey of the application document to the new fingerprint",
        ),
        _ => of(
            "the recovery key is not the pinned one",
            "Recovery points are encrypted for the pinned recovery key, and no backup runs for another one.",
            "deploy recovery-access with the previous key, or create the application again under a new name",
        ),
    }
}

pub(super) fn jobs(code: Code) -> Guidance {
    match code {
        Code::ApplicationInvalid => of(
            "the application document is not valid",
            "The application is not backed up until the document is corrected.",
            "correct the fields in the message, then run `lifeboat application put`",
        ),
        Code::BackupFailed => of(
            "a backup failed",
            "It was retried several times. The next scheduled backup tries again.",
            "resolve the cause, then start a backup with `lifeboat application backup`; the issue closes with the next good recovery point",
        ),
        Code::BackupOverdue => of(
            "the last good recovery point is older than the schedule allows",
            "Two scheduled backups have passed without a good recovery point in the vault.",
            "resolve the other issues of the application; this issue closes with the next good recovery point",
        ),
        Code::VaultingFailed => of(
            "a recovery point could not be copied into the vault",
            "The point that the delegate sealed does not verify, or the vault refuses it. It does not count as a recovery point.",
            "resolve the cause; the next backup is copied to the vault automatically",
        ),
        Code::VaultDamaged => of(
            "a recovery point in the vault is damaged",
            "Its signature or a digest no longer matches. It does not count as good; other points are not affected.",
            "restore the previous object version in the bucket, or use another recovery point",
        ),
        Code::RestoreFailed => of(
            "a restore has failed",
            "It ended before the cluster matched the plan.",
            "resolve the cause, then start the restore again; it continues where it stopped",
        ),
        Code::JobDocumentRefused => of(
            "a document of a job was refused",
            "It is malformed, too large, of a newer format, or not from the delegate that owns the job. It had no effect.",
            "update all stacks to the same version; if that does not help, check who can write to the scratch bucket",
        ),
        Code::JobLost => of(
            "a job was lost",
            "It reached its maximum number of invocations, or its result came from a delegate that no longer owned it.",
            "check the log of the delegate; the job is retried automatically",
        ),
        Code::DelegateNotResponding => of(
            "the delegate does not respond",
            "A job is in the scratch bucket, and no delegate has claimed it for several minutes.",
            "check the function of the delegate: its schedule, its errors, its permissions on the scratch bucket",
        ),
        Code::JobCancelled => of(
            "the job was cancelled",
            "It was cancelled on request. Objects that a restore had created are kept.",
            "start it again if the cancellation was not intended",
        ),
        _ => of(
            "a request was refused",
            "It refers to something that does not exist, or has the token of another request. It had no effect.",
            "correct the request; `lifeboat status` and `lifeboat application points` list applications and recovery points",
        ),
    }
}
