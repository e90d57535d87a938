//! Who is let into a cluster, and which roles its Pods get.

use std::collections::BTreeSet;

use lifeboat_model::Code;
use lifeboat_translate::identity::PodIdentity;
use serde_json::{Value, json};

use super::{CLUSTER, authentication_mode};
use crate::builder::Builder;
use crate::description::Tags;
use crate::description::access::{
    AccessEntry, AccessEntryType, IdentityProviderConfig, PodIdentityAssociation,
};
use crate::description::cluster::{AuthenticationMode, Cluster};
use crate::names;
use crate::stack::json;
use crate::template::{Resource, pascal_keys, reference};

pub(super) fn build(builder: &mut Builder<'_, '_>, cluster: &Cluster) {
    if authentication_mode(cluster) != AuthenticationMode::ConfigMap {
        delegate(builder);
        let of_eks = made_by_eks(cluster);
        for entry in &cluster.access_entries {
            let is_delegate =
                builder.context.facts.delegate_role.as_deref() == Some(entry.principal_arn.as_str());
            if !is_delegate && !of_eks.contains(entry.principal_arn.as_str()) {
                access_entry(builder, entry);
            }
        }
    }
    for association in &cluster.pod_identity_associations {
        // An add-on of EKS makes its own.
        if association.owner_arn.is_none() || !builder.context.facts.managed_addons {
            pod_identity(builder, association);
        }
    }
    let pod_identities = &builder.context.pod_identities;
    pod_identities.check(cluster, &mut builder.findings);
    for one in pod_identities.of(&cluster.name) {
        pod_identity(builder, &association(one));
    }
    for config in &cluster.identity_provider_configs {
        let resource = identity_provider(builder, config);
        builder.add(
            format!(
                "IdentityProvider{}",
                names::pascal(&config.identity_provider_config_name)
            ),
            resource,
        );
    }
}

/// Lets the role of the recovery delegate in.
fn delegate(builder: &mut Builder<'_, '_>) {
    let Some(role) = builder.context.facts.delegate_role.clone() else {
        let what =
            "the role of the recovery delegate is not known, so that nobody could restore into the cluster";
        return builder.findings.error(Code::PrincipalUnknown, CLUSTER, what);
    };
    let policy = format!(
        "arn:{}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
        builder.context.partition()
    );
    let resource = Resource::new("AWS::EKS::AccessEntry")
        .with("ClusterName", reference(CLUSTER))
        .with("PrincipalArn", role)
        .with("Type", "STANDARD")
        .with(
            "AccessPolicies",
            json!([{"PolicyArn": policy, "AccessScope": {"Type": "cluster"}}]),
        )
        .with("Tags", builder.tag_list(&Tags::new()));
    builder.add("DelegateAccess", resource);
}

/// Returns the principals for which EKS makes access entries: roles of managed node groups, Fargate profiles and Auto
/// Mode (<https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html>).
fn made_by_eks(cluster: &Cluster) -> BTreeSet<&str> {
    let nodes = cluster.nodegroups.iter().map(|group| group.node_role.as_str());
    let pods = cluster
        .fargate_profiles
        .iter()
        .map(|profile| profile.pod_execution_role_arn.as_str());
    let auto = cluster
        .compute_config
        .iter()
        .filter_map(|config| config.node_role_arn.as_deref());
    let of_service = cluster
        .access_entries
        .iter()
        .map(|entry| entry.principal_arn.as_str());
    let of_service = of_service.filter(|arn| arn.contains(":role/aws-service-role/"));
    nodes.chain(pods).chain(auto).chain(of_service).collect()
}

/// Returns the ARN of a principal in the recovery account.
fn principal(builder: &mut Builder<'_, '_>, arn: &str) -> Option<Value> {
    let context = builder.context;
    let is_of_primary = arn.contains(&format!(":iam::{}:", context.descriptions.account));
    let is_described = context.bindings.made.contains_key(arn) || context.bindings.adopted.contains_key(arn);
    if is_described {
        return builder.role(arn, arn);
    }
    if !is_of_primary || context.is_same_account() {
        return Some(json!(arn));
    }
    let what = "its access entry is left out: the principal has no counterpart in the recovery account";
    builder.findings.warning(Code::PrincipalUnknown, arn, what);
    None
}

fn access_entry(builder: &mut Builder<'_, '_>, entry: &AccessEntry) {
    let Some(principal) = self::principal(builder, &entry.principal_arn) else {
        return;
    };
    let mut resource = Resource::new("AWS::EKS::AccessEntry")
        .with("ClusterName", reference(CLUSTER))
        .with("PrincipalArn", principal)
        .with("Type", json(&entry.r#type))
        .with("Tags", builder.tag_list(&entry.tags));
    // Entries for nodes have groups, a user and policies that EKS chooses.
    if entry.r#type == AccessEntryType::Standard {
        let username = entry
            .username
            .as_deref()
            .filter(|name| !is_default(name, &entry.principal_arn));
        resource = resource
            .with("KubernetesGroups", json!(entry.kubernetes_groups))
            .with(
                "Username",
                username.map_or(Value::Null, |name| json!(builder.context.text(name))),
            );
    }
    if matches!(entry.r#type, AccessEntryType::Standard | AccessEntryType::Ec2) {
        resource = resource.with("AccessPolicies", pascal_keys(json(&entry.access_policies)));
    }
    builder.add(
        format!("AccessEntry{}", names::digest(&entry.principal_arn)),
        resource,
    );
}

/// Whether a user name is the one that EKS gives to a principal.
fn is_default(username: &str, principal: &str) -> bool {
    let name = principal.rsplit('/').next().unwrap_or(principal);
    username == principal || username.ends_with(&format!(":assumed-role/{name}/{{{{SessionName}}}}"))
}

fn pod_identity(builder: &mut Builder<'_, '_>, association: &PodIdentityAssociation) {
    let of = format!("{}/{}", association.namespace, association.service_account);
    let Some(role) = builder.role(&of, &association.role_arn) else {
        return;
    };
    let target = association.target_role_arn.as_deref();
    let target = target.and_then(|target| principal(builder, target));
    let policy = association
        .policy
        .as_ref()
        .map(|policy| builder.context.text(&policy.0));
    let policy = policy.map(|policy| builder.expressed(Value::String(policy), true));
    let resource = Resource::new("AWS::EKS::PodIdentityAssociation")
        .with("ClusterName", reference(CLUSTER))
        .with("Namespace", json!(association.namespace))
        .with("ServiceAccount", json!(association.service_account))
        .with("RoleArn", role)
        .with("TargetRoleArn", target)
        .with("DisableSessionTags", json(&association.disable_session_tags))
        .with("Policy", policy)
        .with("Tags", builder.tag_list(&association.tags));
    builder.add(format!("PodIdentity{}", names::digest(&of)), resource);
}

/// Returns the association that takes the place of IRSA.
fn association(identity: &PodIdentity) -> PodIdentityAssociation {
    PodIdentityAssociation {
        association_arn: None,
        association_id: None,
        namespace: identity.namespace.clone(),
        service_account: identity.service_account.clone(),
        role_arn: identity.role.to_string(),
        owner_arn: None,
        disable_session_tags: None,
        target_role_arn: None,
        policy: None,
        tags: Tags::new(),
    }
}

fn identity_provider(builder: &mut Builder<'_, '_>, config: &IdentityProviderConfig) -> Resource {
    let claims = config.required_claims.iter();
    let claims = claims.map(|(key, value)| json!({"Key": key, "Value": value}));
    let mut oidc = json!({"IssuerUrl": config.issuer_url, "ClientId": config.client_id});
    for (name, value) in [
        ("UsernameClaim", &config.username_claim),
        ("UsernamePrefix", &config.username_prefix),
        ("GroupsClaim", &config.groups_claim),
        ("GroupsPrefix", &config.groups_prefix),
    ] {
        if let Some(value) = value {
            oidc[name] = json!(value);
        }
    }
    let claims: Vec<Value> = claims.collect();
    if !claims.is_empty() {
        oidc["RequiredClaims"] = claims.into();
    }
    Resource::new("AWS::EKS::IdentityProviderConfig")
        .with("ClusterName", reference(CLUSTER))
        .with("Type", "oidc")
        .with(
            "IdentityProviderConfigName",
            json!(config.identity_provider_config_name),
        )
        .with("Oidc", oidc)
        .with("Tags", builder.tag_list(&config.tags))
}
