//! Words what delegates found about access: every sentence and every command is the coordinator's own.
//!
//! Names in commands come from the application document and from the layout of the stacks. A name that only a delegate
//! reported is used if it is one of these, and otherwise quoted or left out.

use lifeboat_aws::names::{delegate_role, private_role};
use lifeboat_jobs::AccessReport;
use lifeboat_jobs::finding::AccessFinding;
use lifeboat_model::network::NetworkCause;
use lifeboat_model::{
    Alternative, ApplicationName, Arn, ArnKind, ClusterName, Code, EnvironmentId, Problem, Side, TypeName,
};

use super::commands;

/// A cluster that a delegate reported on.
pub(crate) struct Subject<'a> {
    /// The application.
    pub(crate) application: &'a ApplicationName,
    /// The side of the application.
    pub(crate) side: Side,
    /// The cluster.
    pub(crate) cluster: &'a Arn,
    /// Its name in the application.
    pub(crate) called: &'a ClusterName,
    /// The delegate's role.
    pub(crate) role: Arn,
}

/// A finding in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Worded {
    pub(crate) problem: Problem,
    /// The command that fixes it.
    pub(crate) command: Option<String>,
    /// Alternative commands that fix it.
    pub(crate) alternatives: Vec<Alternative>,
}

impl Worded {
    pub(super) fn new(problem: Problem) -> Self {
        Self {
            problem,
            command: None,
            alternatives: Vec::new(),
        }
    }

    /// Words what the network of a private delegate lacks.
    pub(crate) fn network(cause: &NetworkCause, environment: &EnvironmentId) -> Self {
        let (problem, command) = cause.problem_and_command(environment);
        Self {
            command,
            ..Self::new(problem)
        }
    }

    pub(super) fn with_command(mut self, command: String) -> Self {
        self.command = Some(command);
        self
    }

    pub(super) fn or(mut self, what: &str, command: String) -> Self {
        let what = what.to_owned();
        self.alternatives.push(Alternative { what, command });
        self
    }
}

/// Returns the role of an application's delegate in an environment: the one that the delegate reported, if it has the
/// account and the name of the role of the stack `application`, or of the stack `private-delegate` of the cluster; and
/// otherwise the role of the stack `application` without a path.
pub(crate) fn role_of(
    reported: Option<&Arn>,
    application: &ApplicationName,
    environment: &EnvironmentId,
    side: Side,
    cluster: Option<&ClusterName>,
) -> Option<Arn> {
    let name = delegate_role(application, side, &environment.region);
    let private = cluster.map(|cluster| private_role(application, side, cluster, &environment.region));
    let partition = environment.region.partition();
    let is_ours = |role: &&Arn| {
        let path = role.resource().strip_prefix("role/").and_then(|path| {
            let of_private = private.as_deref().and_then(|private| path.strip_suffix(private));
            of_private.or_else(|| path.strip_suffix(name.as_str()))
        });
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'/';
        role.service() == "iam"
            && role.partition() == partition
            && role.account().as_ref() == Some(&environment.account)
            && path.is_some_and(|path| (path.is_empty() || path.ends_with('/')) && path.bytes().all(is_plain))
    };
    let derived = || {
        Arn::parse(format!(
            "arn:{partition}:iam::{}:role/{name}",
            environment.account
        ))
        .ok()
    };
    reported.filter(is_ours).cloned().or_else(derived)
}

/// Whether an ARN is that of an EKS cluster of an environment, with a name that EKS allows.
pub(crate) fn is_cluster_of(arn: &Arn, environment: &EnvironmentId) -> bool {
    arn.cluster_name().is_some() && arn.environment().as_ref() == Some(environment)
}

impl Subject<'_> {
    /// Returns the subject of a report.
    pub(crate) fn of<'a>(
        application: &'a ApplicationName,
        side: Side,
        environment: &EnvironmentId,
        report: &'a AccessReport,
    ) -> Option<Subject<'a>> {
        let cluster = report.arn.cluster_name();
        Some(Subject {
            application,
            side,
            cluster: &report.arn,
            called: &report.cluster,
            role: role_of(
                Some(&report.role),
                application,
                environment,
                side,
                cluster.as_ref(),
            )?,
        })
    }

    fn name(&self) -> &str {
        match self.cluster.kind() {
            ArnKind::Cluster { name } => name,
            _ => "the cluster",
        }
    }

    /// Words a finding.
    pub(crate) fn word(&self, finding: &AccessFinding) -> Worded {
        let (name, role) = (self.name(), &self.role);
        let problem = |message: String, guidance: &str| {
            let mut problem = Problem::new(finding.code(), message, guidance);
            problem.causes = finding.said().quotations();
            problem
        };
        match finding {
            AccessFinding::NotACluster {} => Worded::new(problem(
                format!("{} is not the ARN of an EKS cluster", self.cluster),
                "use the name of an EKS cluster in the application document",
            )),
            AccessFinding::OtherEnvironment {} => Worded::new(problem(
                format!("{} is not in the environment of the delegate", self.cluster),
                "use a cluster of the environment in the application document",
            )),
            AccessFinding::DescribeDenied { .. } => Worded::new(problem(
                format!("the role {role} may not describe the cluster {name}"),
                "run the command",
            ))
            .with_command(commands::describe(role, self.cluster)),
            AccessFinding::ListDenied { .. } => Worded::new(problem(
                format!("the role {role} may not list the clusters of its account and Region"),
                "run the command",
            ))
            .with_command(commands::list(role)),
            AccessFinding::Outpost {} => Worded::new(problem(
                format!(
                    "{name} is a local cluster on an Outpost, whose API server is reachable only from the Outpost"
                ),
                "remove the cluster from the application, or move it to the Region",
            )),
            AccessFinding::Connected {} => Worded::new(problem(
                format!("{name} is an external cluster registered with EKS Connector"),
                "remove the cluster from the application, and back it up by `lifeboat backup` with a kubeconfig",
            )),
            AccessFinding::OldVersion { minor, oldest } => Worded::new(problem(
                format!("{name} runs Kubernetes 1.{minor}; the oldest supported version is 1.{oldest}"),
                "upgrade the cluster with `aws eks update-cluster-version`, one minor version at a time",
            )),
            AccessFinding::NotActive { .. } => Worded::new(problem(
                format!("{name} is not ACTIVE"),
                "wait until the cluster is ACTIVE; if it does not change, check the cluster's health in the EKS console",
            )),
            AccessFinding::NoEndpoint {} => Worded::new(problem(
                format!("{name} has no endpoint yet"),
                "wait until EKS has created it",
            )),
            AccessFinding::PrivateEndpoint {} => Worded::new(problem(
                format!("{name} has no public endpoint, and no private delegate is registered for it"),
                "run the command, with credentials for the account, to deploy a delegate into the VPC of the cluster",
            ))
            .with_command(self.deploy_private())
            .or(
                "to open the public endpoint (the cluster still authenticates every request)",
                commands::open(self.cluster),
            ),
            AccessFinding::RestrictedEndpoint { .. } => Worded::new(problem(
                format!("the public endpoint of {name} does not allow all addresses"),
                "run the command to allow all addresses (a Lambda function has no fixed address, and the cluster still authenticates every request)",
            ))
            .with_command(commands::open(self.cluster)),
            AccessFinding::NoAccessEntry { access_entries } => {
                let guidance = match self.side {
                    Side::Primary => "run the command; it takes effect within a minute",
                    Side::Recovery => {
                        "run the command; a restore writes objects of every type, so it needs cluster-admin"
                    }
                };
                let message = format!("{name} has no access entry for the role {role}");
                let worded = Worded::new(problem(message, guidance));
                commands::grant_entry(worded, *access_entries, self.cluster, role, self.side)
            }
            AccessFinding::MissingPermissions {
                types, more, user, ..
            } => self.missing(types, *more, user.as_deref()),
            AccessFinding::Network(cause) => match self.cluster.environment() {
                Some(environment) if cause.is_valid() => Worded::network(cause, &environment),
                _ => Worded::new(Problem::of(cause.code(), cause.code().explanation().title)),
            },
            AccessFinding::Other(failure) => Worded::new(failure.problem()),
        }
    }

    fn deploy_private(&self) -> String {
        commands::deploy_private(self.application, self.side, self.cluster, self.called)
    }

    /// Words the lack of permissions. A recovery point is made without types that cannot be read and is marked
    /// Partial; a restore would omit objects, which is worse.
    fn missing(&self, types: &[TypeName], more: u32, user: Option<&str>) -> Worded {
        let (name, role, types) = (self.name(), &self.role, enumerated(types, more));
        let (verb, grant) = match self.side {
            Side::Primary => (
                "list",
                "allow read access to everything, or exclude the types from the application",
            ),
            Side::Recovery => (
                "write",
                "a restore writes objects of every type, so it needs cluster-admin",
            ),
        };
        let message = format!("{role} is not allowed to {verb} {types} in {name}");
        let known = user.filter(|user| self.is_user_of_role(user));
        let guidance = match (known, self.side) {
            (Some(_), Side::Primary) => format!("run the command to {grant}"),
            (Some(_), Side::Recovery) => format!("run the command; {grant}"),
            (None, _) => format!("grant it to the user that the cluster has for the role; {grant}"),
        };
        let mut problem = Problem::new(Code::InsufficientAccess, message, guidance);
        match known {
            Some(user) => {
                let command = commands::grant_access(self.cluster, user, self.application, self.side);
                Worded::new(problem).with_command(command)
            }
            None => {
                let reported = user.map(|user| lifeboat_jobs::finding::Said::from(user.to_owned()));
                problem.causes = reported.map(|said| said.quotations()).unwrap_or_default();
                Worded::new(problem)
            }
        }
    }

    /// Whether a user of the cluster is the one that an access entry or the mapping of Lifeboat gives the role
    /// (<https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html>, "username"). A command must
    /// not grant anything to another one, whom only the delegate has named.
    fn is_user_of_role(&self, user: &str) -> bool {
        if user == commands::USER {
            return true;
        }
        let (Some(account), Some(role)) = (self.role.account(), self.role.resource().strip_prefix("role/"))
        else {
            return false;
        };
        let partition = self.role.partition();
        let session = user.strip_prefix(&format!("arn:{partition}:sts::{account}:assumed-role/{role}/"));
        // The names of sessions (AWS STS API Reference, `AssumeRole`, `RoleSessionName`).
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"_=,.@-".contains(&b);
        session.is_some_and(|session| session.len() <= 64 && session.bytes().all(is_name))
    }
}

/// Formats types as part of a sentence. A type of another form than Kubernetes allows is only counted.
fn enumerated(types: &[TypeName], more: u32) -> String {
    let is_clean = |name: &&TypeName| {
        let name = name.as_str();
        (1..=317).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-' || b == b'/')
    };
    let known: Vec<&TypeName> = types
        .iter()
        .filter(is_clean)
        .take(lifeboat_jobs::finding::NAMED)
        .collect();
    let more = u64::from(more) + (types.len() - known.len()) as u64;
    let mut words: Vec<String> = known.iter().map(ToString::to_string).collect();
    match more {
        0 => {}
        1 => words.push("1 more type".to_owned()),
        more => words.push(format!("{more} more types")),
    }
    match words.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests;
