//! The stack `identity`: roles, customer managed policies, instance profiles and OIDC providers.
//!
//! IAM refuses a trust policy that names a role or user that does not exist. So a principal without a counterpart is left
//! out, and a role is built after the roles that its trust policy names. Where both environments share an account, each
//! copy has the Region in its name, and nothing of the primary is changed.
//!
//! Where the recovery side names permissions boundaries, each role has one of them: its own, translated, if that is among
//! them, and the first if it has none. A role with another one is refused, because it would be allowed more.

use std::collections::BTreeSet;

use lifeboat_model::Code;
use serde_json::{Value, json};

use crate::builder::Builder;
use crate::description::iam::{InstanceProfile, ManagedPolicy, OidcProvider, Role};
use crate::names::{self, LONGEST_POLICY_NAME, LONGEST_ROLE_NAME};
use crate::policy;
use crate::stack::json;
use crate::template::{Resource, reference};

/// The number of characters of a description of a role.
const LONGEST_DESCRIPTION: usize = 1_000;

pub(super) fn build(builder: &mut Builder<'_, '_>) {
    let all = builder.context.descriptions;
    for one in &all.policies {
        managed(builder, one);
    }
    let chain = Chain::new(builder);
    for one in &all.roles {
        role(builder, one, &chain);
    }
    for one in &all.instance_profiles {
        profile(builder, one);
    }
    for one in &all.oidc_providers {
        provider(builder, one);
    }
}

/// Returns the name in the recovery account.
fn named(builder: &Builder<'_, '_>, name: &str, longest: usize) -> String {
    if builder.context.is_primary {
        return name.to_owned();
    }
    names::in_recovery(builder.context.descriptions, builder.context.facts, name, longest)
}

fn managed(builder: &mut Builder<'_, '_>, managed: &ManagedPolicy) {
    if builder.own(&managed.arn).is_none() {
        return;
    }
    let Some(document) = builder.policy(&managed.arn, &managed.document) else {
        return;
    };
    let resource = Resource::new("AWS::IAM::ManagedPolicy")
        .with(
            "ManagedPolicyName",
            named(builder, &managed.policy_name, LONGEST_POLICY_NAME),
        )
        .with(
            "Path",
            names::path_in_recovery(builder.context.facts, &managed.path),
        )
        .with("Description", described(builder, managed.description.as_deref()))
        .with("PolicyDocument", document);
    builder.make(&managed.arn, resource);
}

fn described(builder: &Builder<'_, '_>, text: Option<&str>) -> Value {
    text.map_or(Value::Null, |text| {
        json!(
            builder
                .context
                .text(text)
                .chars()
                .take(LONGEST_DESCRIPTION)
                .collect::<String>()
        )
    })
}

fn role(builder: &mut Builder<'_, '_>, role: &Role, chain: &Chain) {
    if builder.own(&role.arn).is_none() {
        return adopted(builder, role);
    }
    let trust = &role.assume_role_policy_document.0;
    if !policy::is_trust(trust) {
        let what = "its trust policy has no statements with an effect, an action and a principal";
        return builder.findings.error(Code::TrustUnreadable, &role.arn, what);
    }
    let (trust, after) = self::trust(builder, role, chain);
    let Some(trust) = trust else { return };
    let mut attached: Vec<Value> = Vec::new();
    for arn in &role.attached_policies {
        attached.extend(attachable(builder, &role.arn, arn));
    }
    let Some(boundary) = boundary(builder, role) else {
        return;
    };
    let mut inline: Vec<Value> = Vec::new();
    for (name, document) in &role.inline_policies {
        if let Some(document) = builder.policy(&role.arn, document) {
            inline.push(json!({"PolicyName": builder.context.text(name), "PolicyDocument": document}));
        }
    }
    let mut resource = Resource::new("AWS::IAM::Role")
        .with("RoleName", named(builder, &role.role_name, LONGEST_ROLE_NAME))
        .with("Path", json!(role.path))
        .with("Description", described(builder, role.description.as_deref()))
        .with("AssumeRolePolicyDocument", trust)
        .with("MaxSessionDuration", json(&role.max_session_duration))
        .with("PermissionsBoundary", boundary)
        .with("ManagedPolicyArns", attached)
        .with("Policies", inline)
        .with("Tags", builder.tag_list(&role.tags));
    for logical in after {
        resource = resource.after(logical);
    }
    builder.make(&role.arn, resource);
}

/// Returns the permissions boundary of a role, `null` for none. `None` if the role must not be built.
fn boundary(builder: &mut Builder<'_, '_>, role: &Role) -> Option<Value> {
    let allowed = &builder.context.facts.permissions_boundaries;
    let Some(own) = role.permissions_boundary.as_deref() else {
        return Some(json!(allowed.first()));
    };
    let Some(boundary) = attachable(builder, &role.arn, own) else {
        let what = format!(
            "its permissions boundary {own} has no counterpart; without it the role would be allowed more"
        );
        builder.findings.error(Code::CounterpartUnknown, &role.arn, what);
        return None;
    };
    // What this stack builds is not among them: who writes its template would choose what the role is allowed.
    let is_allowed = allowed.is_empty() || allowed.iter().any(|arn| boundary == arn.as_str());
    if !is_allowed {
        let what = format!(
            "its permissions boundary {own} is none of those that may be set: {}",
            allowed.join(", ")
        );
        builder.findings.error(Code::BoundaryNotAllowed, &role.arn, what);
        return None;
    }
    Some(boundary)
}

/// Finds an adopted role that Pods assume by the OIDC provider of a cluster. Its trust policy is its owner's, and no policy
/// can trust the issuer of a cluster before the cluster exists.
fn adopted(builder: &mut Builder<'_, '_>, role: &Role) {
    let context = builder.context;
    let Some(to) = context.bindings.adopted.get(role.arn.as_str()).copied() else {
        return;
    };
    let trust = role.assume_role_policy_document.0.to_string();
    let clusters = context.descriptions.clusters.iter().filter(|cluster| {
        let identity = cluster
            .identity
            .as_ref()
            .and_then(|identity| identity.oidc.as_ref());
        let issuer = identity.and_then(|oidc| oidc.issuer.as_deref());
        issuer.is_some_and(|issuer| trust.contains(issuer.trim_start_matches("https://")))
    });
    let clusters: Vec<&str> = clusters.map(|cluster| cluster.name.as_str()).collect();
    if !clusters.is_empty() {
        let what = format!(
            "{to} takes its place; its trust policy must let in the OIDC provider of the cluster {} of the recovery \
             environment",
            clusters.join(", ")
        );
        builder.findings.warning(Code::AdoptedRoleTrust, &role.arn, what);
    }
}

/// Returns the counterpart of a managed policy. Those of AWS are the same in every account.
fn attachable(builder: &mut Builder<'_, '_>, of: &str, arn: &str) -> Option<Value> {
    if arn.contains(":iam::aws:policy/") {
        return Some(json!(arn));
    }
    if builder.own(arn).is_some_and(|made| !builder.has(&made.logical)) {
        let what = format!("the policy {arn} is attached once what it names exists");
        builder.findings.note(Code::BuiltLater, of, what);
        return None;
    }
    builder.needed(of, arn)
}

/// Returns the trust policy in the recovery environment, and the roles that must exist before.
fn trust(builder: &mut Builder<'_, '_>, role: &Role, chain: &Chain) -> (Option<Value>, BTreeSet<String>) {
    let mut trust = builder.context.pod_identities.trust(role);
    let mut after = BTreeSet::new();
    let mut left_out: Vec<String> = Vec::new();
    let root = format!(
        "arn:{}:iam::{}:root",
        builder.context.partition(),
        builder.context.descriptions.account
    );
    let context = builder.context;
    let is_known = |arn: &str| {
        let is_of_primary = arn.contains(&format!(":iam::{}:", builder.context.descriptions.account))
            || arn.contains(&format!(":sts::{}:", builder.context.descriptions.account));
        let is_provider = arn.contains(":oidc-provider/");
        let is_adopted = builder.context.bindings.adopted.contains_key(arn);
        let is_built = builder.own(arn).is_some() && chain.is_before(&role.arn, arn);
        // Where the account is the same, what no stack copies stays as it is.
        let stays = builder.context.is_same_account() && builder.own(arn).is_none();
        !is_of_primary || arn == root || is_provider || is_adopted || is_built || stays || context.is_primary
    };
    if let Some(statements) = policy::statements_mut(&mut trust) {
        for statement in statements.iter_mut() {
            let Some(Value::Object(principals)) = statement.get_mut("Principal") else {
                continue;
            };
            for arn in principals
                .get("AWS")
                .map(|aws| policy::texts(Some(aws)))
                .unwrap_or_default()
            {
                if !is_known(arn) {
                    left_out.push(arn.to_owned());
                } else if let Some(made) = builder.own(arn).filter(|_| arn != role.arn) {
                    after.insert(made.logical.clone());
                }
            }
            policy::by_type(principals, &|arn| is_known(arn));
        }
        statements.retain(|statement| !policy::is_nothing(statement));
    }
    for arn in &left_out {
        let what =
            format!("its trust policy names {arn}, which has no counterpart that exists before the role");
        builder.findings.warning(Code::PrincipalUnknown, &role.arn, what);
    }
    if policy::is_empty(&trust) {
        let what = "nobody would be left in its trust policy; the role is not built";
        builder.findings.warning(Code::PrincipalUnknown, &role.arn, what);
        return (None, after);
    }
    policy::rewrite(&builder.context.identities, &mut trust);
    (builder.ready(&role.arn, trust), after)
}

/// The order of roles whose trust policies name each other.
struct Chain {
    /// For each role, those that its trust policy names.
    names: std::collections::BTreeMap<String, BTreeSet<String>>,
}

impl Chain {
    fn new(builder: &Builder<'_, '_>) -> Self {
        let all = builder.context.descriptions;
        let names = all.roles.iter().map(|role| {
            let statements = policy::statements(&role.assume_role_policy_document.0);
            let principals = statements
                .into_iter()
                .filter_map(|one| one.get("Principal")?.get("AWS"));
            let arns = principals
                .flat_map(|aws| policy::texts(Some(aws)))
                .map(str::to_owned);
            (role.arn.clone(), arns.collect())
        });
        Self {
            names: names.collect(),
        }
    }

    /// Whether `first` can be built before `role`: the trust policy of `first` does not lead back to `role`.
    fn is_before(&self, role: &str, first: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = vec![first];
        while let Some(arn) = next.pop() {
            if arn == role {
                return false;
            }
            if seen.insert(arn) {
                next.extend(self.names.get(arn).into_iter().flatten().map(String::as_str));
            }
        }
        true
    }
}

fn profile(builder: &mut Builder<'_, '_>, profile: &InstanceProfile) {
    if builder.own(&profile.arn).is_none() {
        return;
    }
    let all = builder.context.descriptions;
    let Some(name) = profile.roles.first() else { return };
    let role = all.roles.iter().find(|role| role.role_name == *name);
    let made = role.and_then(|role| builder.own(&role.arn));
    let value = match (role, made) {
        (_, Some(made)) if builder.has(&made.logical) => reference(&made.logical),
        (Some(role), None) => match builder.context.bindings.adopted.get(role.arn.as_str()) {
            Some(to) => json!(to.rsplit('/').next().unwrap_or(to)),
            None => return missing_role(builder, profile, name),
        },
        _ => return missing_role(builder, profile, name),
    };
    let resource = Resource::new("AWS::IAM::InstanceProfile")
        .with(
            "InstanceProfileName",
            named(builder, &profile.instance_profile_name, LONGEST_POLICY_NAME),
        )
        .with(
            "Path",
            names::path_in_recovery(builder.context.facts, &profile.path),
        )
        .with("Roles", vec![value]);
    builder.make(&profile.arn, resource);
}

fn missing_role(builder: &mut Builder<'_, '_>, profile: &InstanceProfile, role: &str) {
    let what = format!("its role {role} is not built");
    builder
        .findings
        .warning(Code::DescriptionMissing, &profile.arn, what);
}

/// Adds an OIDC provider: with the new issuer if it is that of a cluster, else as it is.
fn provider(builder: &mut Builder<'_, '_>, provider: &OidcProvider) {
    if builder
        .context
        .bindings
        .adopted
        .contains_key(provider.arn.as_str())
    {
        return;
    }
    let old = provider.url.trim_start_matches("https://");
    let new = builder.context.text(old);
    let is_of_eks = old.starts_with("oidc.eks.") || old.starts_with("oidc-eks.");
    if new == old && !builder.context.is_primary {
        if is_of_eks {
            let what = "it is the issuer of a cluster that is not described";
            return builder
                .findings
                .warning(Code::DescriptionMissing, &provider.arn, what);
        }
        if builder.context.is_same_account() {
            return;
        }
    }
    if new.starts_with("${") {
        let what = "it is built once the cluster exists and its issuer is known";
        return builder.findings.note(Code::BuiltLater, &provider.arn, what);
    }
    let resource = Resource::new("AWS::IAM::OIDCProvider")
        .with("Url", format!("https://{new}"))
        .with("ClientIdList", json!(provider.client_id_list))
        // Those of EKS are not needed: IAM trusts its certificate authorities.
        .with(
            "ThumbprintList",
            if is_of_eks {
                Value::Null
            } else {
                json!(provider.thumbprint_list)
            },
        )
        .with("Tags", builder.tag_list(&provider.tags));
    builder.add(format!("OidcProvider{}", names::digest(old)), resource);
}
