//! Service accounts that get their role by an association of EKS Pod Identity instead of IRSA.
//!
//! A role for IRSA names its service account in a condition of its trust policy, `ISSUER:sub`
//! (<https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html>). An association needs one
//! namespace and one name, and a role that trusts `pods.eks.amazonaws.com`
//! (<https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html>). The statements for IRSA stay: Pods that are
//! restored as they were hold a token for them.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::{Arn, Code};
use lifeboat_translate::glob;
use lifeboat_translate::identity::PodIdentity;
use serde_json::{Value, json};

use crate::bindings::Bindings;
use crate::description::Descriptions;
use crate::description::cluster::Cluster;
use crate::description::iam::Role;
use crate::facts::RecoveryFacts;
use crate::finding::Findings;
use crate::policy;

/// The principal of EKS Pod Identity.
const SERVICE: &str = "pods.eks.amazonaws.com";
/// The add-on whose agent gives credentials to Pods.
const AGENT: &str = "eks-pod-identity-agent";
/// What the subject of a token of a service account begins with.
const SUBJECT: &str = "system:serviceaccount:";

/// The associations that take the place of IRSA.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PodIdentities<'a> {
    /// By the name of the cluster in the primary.
    by_cluster: BTreeMap<&'a str, Vec<PodIdentity>>,
    /// What stays as it is, by the name of the cluster: the service account or role, and why.
    kept: BTreeMap<&'a str, BTreeSet<(String, String)>>,
    /// The ARNs of roles that must trust EKS Pod Identity.
    roles: BTreeSet<&'a str>,
}

impl<'a> PodIdentities<'a> {
    /// Finds the associations; none unless the facts ask for them.
    pub(crate) fn new(
        descriptions: &'a Descriptions,
        facts: &RecoveryFacts,
        bindings: &Bindings<'_>,
    ) -> Self {
        let mut found = Self::default();
        if facts.irsa_to_pod_identity {
            for cluster in &descriptions.clusters {
                found.of_cluster(descriptions, bindings, cluster);
            }
        }
        found
    }

    fn of_cluster(&mut self, descriptions: &'a Descriptions, bindings: &Bindings<'_>, cluster: &'a Cluster) {
        let identity = cluster.identity.as_ref();
        let issuer = identity.and_then(|identity| identity.oidc.as_ref()?.issuer.as_deref());
        let Some(issuer) = issuer.map(|url| url.trim_start_matches("https://")) else {
            return;
        };
        let mut roles: BTreeMap<(&str, &str), BTreeSet<&'a str>> = BTreeMap::new();
        let mut kept: BTreeSet<(String, String)> = BTreeSet::new();
        for role in &descriptions.roles {
            for subject in subjects(role, issuer) {
                match subject.and_then(account) {
                    Some(account) => {
                        roles.entry(account).or_default().insert(&role.arn);
                    }
                    None => {
                        let what = match subject {
                            Some(subject) => format!(
                                "its trust policy lets in {subject}, which is no single service account"
                            ),
                            None => "its trust policy lets in every service account".to_owned(),
                        };
                        kept.insert((role.arn.clone(), what));
                    }
                }
            }
        }
        let mut associations = Vec::new();
        for ((namespace, name), roles) in roles {
            let is_associated = cluster
                .pod_identity_associations
                .iter()
                .any(|one| one.namespace == namespace && one.service_account == name);
            if is_associated {
                continue;
            }
            let only = roles.first().copied().filter(|_| roles.len() == 1);
            let is_adopted = |arn: &&str| bindings.adopted.contains_key(*arn);
            let why = if runs_on_fargate(cluster, namespace) {
                Some(
                    "EKS Pod Identity does not support Fargate, on which Pods of its namespace run"
                        .to_owned(),
                )
            } else if let Some(role) = only.filter(is_adopted) {
                Some(format!(
                    "its role {role} is adopted, and its trust policy is not changed"
                ))
            } else if only.is_none() {
                let roles: Vec<&str> = roles.iter().copied().collect();
                Some(format!("several roles trust it: {}", roles.join(", ")))
            } else {
                None
            };
            match (why, only.map(Arn::parse)) {
                (None, Some(Ok(role))) => {
                    self.roles.extend(only);
                    associations.push(PodIdentity {
                        namespace: namespace.to_owned(),
                        service_account: name.to_owned(),
                        role,
                    });
                }
                (Some(why), _) => {
                    kept.insert((format!("{namespace}/{name}"), why));
                }
                (None, _) => {}
            }
        }
        self.by_cluster.insert(&cluster.name, associations);
        self.kept.insert(&cluster.name, kept);
    }

    /// Returns the associations of a cluster that are made.
    pub(crate) fn of(&self, cluster: &str) -> &[PodIdentity] {
        self.by_cluster.get(cluster).map_or(&[], Vec::as_slice)
    }

    /// Returns those of all clusters, sorted.
    pub(crate) fn all(&self) -> Vec<PodIdentity> {
        let mut all: Vec<PodIdentity> = self.by_cluster.values().flatten().cloned().collect();
        all.sort();
        all.dedup();
        all
    }

    /// Returns the trust policy of a role, with a statement for EKS Pod Identity if it needs one.
    pub(crate) fn trust(&self, role: &Role) -> Value {
        let mut trust = role.assume_role_policy_document.0.clone();
        if self.roles.contains(role.arn.as_str())
            && !trusts_pods(&trust)
            && let Some(statements) = policy::statements_mut(&mut trust)
        {
            statements.push(json!({
                "Effect": "Allow",
                "Principal": {"Service": SERVICE},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
            }));
        }
        trust
    }

    /// Finds what is not converted in a cluster, and whether its nodes have the agent.
    pub(crate) fn check(&self, cluster: &Cluster, findings: &mut Findings) {
        for (resource, why) in self.kept.get(cluster.name.as_str()).into_iter().flatten() {
            findings.warning(Code::IrsaKept, resource, format!("it keeps IRSA: {why}"));
        }
        let is_auto = cluster.compute_config.as_ref().and_then(|config| config.enabled) == Some(true);
        let has_agent = is_auto || cluster.addons.iter().any(|addon| addon.addon_name == AGENT);
        if !self.of(&cluster.name).is_empty() && !has_agent {
            let what = format!("its service accounts need the add-on {AGENT}, which it does not have");
            findings.error(Code::PodIdentityAgentMissing, &cluster.name, what);
        }
    }
}

/// Returns the subjects that a role lets in by tokens of an issuer; `None` for a statement without a condition on them.
fn subjects<'a>(role: &'a Role, issuer: &str) -> Vec<Option<&'a str>> {
    let mut subjects = Vec::new();
    for statement in policy::statements(&role.assume_role_policy_document.0) {
        let is_allowed = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
        let federated = statement.get("Principal").and_then(|one| one.get("Federated"));
        let is_of_issuer = policy::texts(federated)
            .iter()
            .any(|arn| arn.ends_with(&format!(":oidc-provider/{issuer}")));
        if !is_allowed || !is_of_issuer {
            continue;
        }
        let conditions = statement.get("Condition").and_then(Value::as_object);
        let keys = conditions
            .into_iter()
            .flatten()
            .filter_map(|(_, keys)| keys.as_object());
        let of_key = |key: &str| key.eq_ignore_ascii_case(&format!("{issuer}:sub"));
        let named: Vec<&str> = keys
            .flatten()
            .filter(|(key, _)| of_key(key))
            .flat_map(|(_, subjects)| policy::texts(Some(subjects)))
            .collect();
        match named.is_empty() {
            true => subjects.push(None),
            false => subjects.extend(named.into_iter().map(Some)),
        }
    }
    subjects
}

/// Returns namespace and name of the service account that a subject is; `None` if it has wildcards.
fn account(subject: &str) -> Option<(&str, &str)> {
    let account = subject.strip_prefix(SUBJECT)?.split_once(':')?;
    (!subject.contains(['*', '?'])).then_some(account)
}

fn runs_on_fargate(cluster: &Cluster, namespace: &str) -> bool {
    let selectors = cluster
        .fargate_profiles
        .iter()
        .flat_map(|profile| &profile.selectors);
    let mut namespaces = selectors.filter_map(|selector| selector.namespace.as_deref());
    namespaces.any(|pattern| glob::matches(pattern, namespace))
}

fn trusts_pods(trust: &Value) -> bool {
    policy::statements(trust).into_iter().any(|statement| {
        let services = statement.get("Principal").and_then(|one| one.get("Service"));
        policy::texts(services).contains(&SERVICE)
    })
}
