//! The commands that grant missing access, with real names filled in, ready to be pasted into a shell.
//!
//! Each is one line, so that indentation and wrapping do not break it. Commands that use kubectl begin with
//! `aws eks update-kubeconfig`, so that they never act on another cluster.

use lifeboat_model::{ApplicationName, Arn, ArnKind, ClusterName, Side};

use super::findings::Worded;

/// The access policy that allows listing and getting objects of every type in the whole cluster, including
/// Secrets and custom resources, and nothing more
/// (<https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html>).
const VIEW_POLICY: &str = "cluster-access-policy/AmazonEKSAdminViewPolicy";

/// The access policy that allows everything. A restore writes objects of every type, including roles with
/// permissions that it does not have itself, and this is the only EKS policy that covers custom resources and
/// RBAC.
const ADMIN_POLICY: &str = "cluster-access-policy/AmazonEKSClusterAdminPolicy";

/// The name of the ClusterRole that may read everything, and of the group bound to it.
const READERS: &str = "lifeboat-read";

/// The Kubernetes group that may do everything. EKS does not allow it in access entries, but in `aws-auth`.
const MASTERS: &str = "system:masters";

/// The Kubernetes user name that `aws-auth` maps the role to.
pub(super) const USER: &str = "lifeboat";

/// Region and name of a cluster, quoted for the AWS command line.
struct Named<'a> {
    region: String,
    name: &'a str,
}

fn named(cluster: &Arn) -> Named<'_> {
    let name = match cluster.kind() {
        ArnKind::Cluster { name } => name,
        _ => "",
    };
    Named {
        region: cluster
            .region()
            .map_or_else(String::new, |region| region.to_string()),
        name,
    }
}

/// Adds the commands that give the role access to the cluster, depending on whether it has access entries.
pub(super) fn grant_entry(
    finding: Worded,
    access_entries: bool,
    cluster: &Arn,
    role: &Arn,
    side: Side,
) -> Worded {
    if access_entries {
        let policy = match side {
            Side::Primary => VIEW_POLICY,
            Side::Recovery => ADMIN_POLICY,
        };
        let finding = finding.with_command(format!(
            "{} && {}",
            entry(cluster, role, None),
            associate(cluster, role, policy)
        ));
        return match side {
            Side::Primary => finding.or(
                "with a ClusterRole of the cluster instead of an access policy",
                format!(
                    "{} && {} && {}",
                    kubeconfig(cluster),
                    readers(&format!("--group={READERS}"), READERS),
                    entry(cluster, role, Some(READERS))
                ),
            ),
            Side::Recovery => finding,
        };
    }
    let role = &without_path(role);
    let finding = finding
        .with_command(mapping(cluster, role, MASTERS))
        .or("without eksctl", map_role(cluster, role, MASTERS));
    match side {
        Side::Primary => finding.or(
            "to allow only read access, Secrets included",
            format!(
                "{} && {}",
                map_role(cluster, role, READERS),
                readers(&format!("--group={READERS}"), READERS)
            ),
        ),
        Side::Recovery => finding,
    }
}

/// Returns the command that allows a user of the cluster to read everything, or, on the recovery side, to
/// write everything.
pub(super) fn grant_access(cluster: &Arn, user: &str, application: &ApplicationName, side: Side) -> String {
    let subject = format!("--user={}", quoted(user));
    // A binding names one user, so that each application has its own.
    let grant = match side {
        Side::Primary => readers(&subject, &format!("{READERS}-{application}")),
        Side::Recovery => bind(
            &format!("lifeboat-write-{application}"),
            "cluster-admin",
            &subject,
        ),
    };
    format!("{} && {grant}", kubeconfig(cluster))
}

/// Returns the command that deploys the private delegate of a cluster.
pub(crate) fn deploy_private(
    application: &ApplicationName,
    side: Side,
    cluster: &Arn,
    called: &ClusterName,
) -> String {
    let Named { region, name } = named(cluster);
    let command =
        format!("lifeboat deploy private-delegate {application} --cluster {name} --region {region}");
    match side {
        Side::Recovery => format!("{command} --side recovery"),
        Side::Primary if called.as_str() == name => command,
        // The captures of the cluster have this name.
        Side::Primary => format!("{command} --name-in-application {called}"),
    }
}

/// Returns the command that opens the public endpoint to all addresses; the cluster still authorizes each
/// request.
pub(super) fn open(cluster: &Arn) -> String {
    let Named { region, name } = named(cluster);
    format!(
        "aws eks update-cluster-config --region {region} --name {name} \
         --resources-vpc-config endpointPublicAccess=true,publicAccessCidrs=0.0.0.0/0"
    )
}

/// Returns the command that allows the role to describe a cluster in EKS.
pub(super) fn describe(role: &Arn, cluster: &Arn) -> String {
    // A policy of the same name would replace another cluster's policy.
    let policy = format!("lifeboat-describe-{}", named(cluster).name);
    allow(role, &policy, "eks:DescribeCluster", cluster.as_str())
}

/// Returns the command that allows the role to list clusters; eks:ListClusters does not support resources.
pub(super) fn list(role: &Arn) -> String {
    allow(role, "lifeboat-list-clusters", "eks:ListClusters", "*")
}

fn allow(role: &Arn, policy: &str, action: &str, resource: &str) -> String {
    let role = role.resource().rsplit('/').next().unwrap_or_default();
    let document = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}]}}"#
    );
    format!(
        "aws iam put-role-policy --role-name {role} --policy-name {policy} --policy-document '{document}'"
    )
}

fn kubeconfig(cluster: &Arn) -> String {
    let Named { region, name } = named(cluster);
    format!("aws eks update-kubeconfig --region {region} --name {name}")
}

fn entry(cluster: &Arn, role: &Arn, group: Option<&str>) -> String {
    let Named { region, name } = named(cluster);
    let group = group.map_or_else(String::new, |group| format!(" --kubernetes-groups {group}"));
    format!(
        "aws eks create-access-entry --region {region} --cluster-name {name} --principal-arn {role}{group}"
    )
}

fn associate(cluster: &Arn, role: &Arn, policy: &str) -> String {
    let (Named { region, name }, partition) = (named(cluster), cluster.partition());
    format!(
        "aws eks associate-access-policy --region {region} --cluster-name {name} --principal-arn {role} \
         --policy-arn arn:{partition}:eks::aws:{policy} --access-scope type=cluster"
    )
}

/// Returns the ARN of a role as `aws-auth` must contain it: without its path
/// (<https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting-iam.html>). Access entries contain the path.
fn without_path(role: &Arn) -> String {
    match role.as_str().split_once(":role/") {
        Some((before, rest)) => {
            let name = rest.rsplit('/').next().unwrap_or(rest);
            format!("{before}:role/{name}")
        }
        None => role.to_string(),
    }
}

/// Returns the command that adds the mapping with eksctl
/// (<https://docs.aws.amazon.com/eks/latest/eksctl/iam-identity-mappings.html>).
fn mapping(cluster: &Arn, role: &str, group: &str) -> String {
    let Named { region, name } = named(cluster);
    format!(
        "eksctl create iamidentitymapping --region {region} --cluster {name} --arn {role} \
         --username {USER} --group {group} --no-duplicate-arns"
    )
}

/// Returns the command that adds the mapping with kubectl: one more item in the list of roles; every other
/// key of `aws-auth` is unchanged. The list is YAML in a string. If it is not written as eksctl and EKS write
/// it, the command does not change it, because a broken list would lock all nodes out.
fn map_role(cluster: &Arn, role: &str, group: &str) -> String {
    let item = format!("%s\\n- rolearn: {role}\\n  username: {USER}\\n  groups: [\"{group}\"]\\n");
    format!(
        "{} && roles=\"$(kubectl get configmap aws-auth --namespace kube-system --ignore-not-found \
         --output 'jsonpath={{.data.mapRoles}}')\" && case \"$roles\" in \
         *'{role}'*) echo 'aws-auth already has the role' ;; \
         ''|'- '*) printf '{item}' \"$roles\" | sed '/^$/d' \
         | kubectl create configmap aws-auth --namespace kube-system --from-file=mapRoles=/dev/stdin --dry-run=client --output yaml \
         | kubectl apply --server-side --force-conflicts --field-manager lifeboat --filename - ;; \
         *) echo 'add the role by hand: kubectl edit configmap aws-auth --namespace kube-system' >&2; false ;; esac",
        kubeconfig(cluster)
    )
}

/// Returns the ClusterRole that reads everything, and its binding.
fn readers(subject: &str, binding: &str) -> String {
    format!(
        "kubectl create clusterrole {READERS} --verb=get,list --resource='*.*' --dry-run=client --output yaml \
         | kubectl apply --filename - && {}",
        bind(binding, READERS, subject)
    )
}

fn bind(binding: &str, role: &str, subject: &str) -> String {
    format!(
        "kubectl create clusterrolebinding {binding} --clusterrole={role} {subject} --dry-run=client --output yaml \
         | kubectl apply --filename -"
    )
}

/// Quotes a text as a shell word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
