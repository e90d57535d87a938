//! What generation knows of each resource: whether it is adopted, or which stack builds it under which logical id.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::{Code, Partition};
use lifeboat_translate::identity::{LeftoverKind, is_symbol, symbol, symbols_in};
use lifeboat_translate::{Identities, IdentityMap};
use serde_json::{Value, json};

use crate::bindings::{Binding, Bindings, Target};
use crate::builder::TAG;
use crate::description::{Descriptions, Tags};
use crate::facts::{RecoveryFacts, StackOutputs, Zone};
use crate::finding::Findings;
use crate::pod_identities::PodIdentities;
use crate::policy;
use crate::stack::Stack;
use crate::template::Template;

/// What the key of a tag that ends with the name of a cluster begins with.
pub(crate) const CLUSTER_TAG: &str = "kubernetes.io/cluster/";

/// Everything that generation of one stack reads.
pub(crate) struct Context<'a> {
    pub(crate) descriptions: &'a Descriptions,
    pub(crate) facts: &'a RecoveryFacts,
    pub(crate) stack: &'a Stack,
    pub(crate) bindings: Bindings<'a>,
    /// Translates texts of this stack: what earlier stacks and this one build is a symbol, what later ones build is
    /// known from outputs, or a symbol too.
    pub(crate) identities: Identities,
    /// The associations that take the place of IRSA.
    pub(crate) pod_identities: PodIdentities<'a>,
    /// The ARNs of roles that are not built before the issuer of a cluster is known.
    pub(crate) pending_roles: BTreeSet<&'a str>,
    /// Whether the template is that of the primary itself: nothing is translated, left out or renamed. It is compared
    /// with, and never built.
    pub(crate) is_primary: bool,
}

impl<'a> Context<'a> {
    /// Prepares generation; no context if nothing can be translated.
    pub(crate) fn new(
        descriptions: &'a Descriptions,
        facts: &'a RecoveryFacts,
        stack: &'a Stack,
    ) -> (Option<Self>, Findings) {
        let mut findings = Findings::default();
        let (old, new) = (&descriptions.region, &facts.region);
        if old.partition() != new.partition() {
            findings.error(
                Code::PartitionsDiffer,
                new.as_str(),
                format!("{old} and {new} are Regions of different partitions"),
            );
            return (None, findings);
        }
        if (&descriptions.account, old) == (&facts.account, new) {
            findings.error(
                Code::RecoveryIsPrimary,
                new.as_str(),
                format!("the recovery point is of {old} in {} itself", facts.account),
            );
            return (None, findings);
        }
        let bindings = Bindings::new(descriptions, facts, &mut findings);
        findings.extend(bindings.matches.findings(stack.shared()));
        let map = map_of(&bindings, facts, stack);
        let identities = match Identities::checked(&map) {
            Ok(identities) => identities,
            Err(faults) => {
                for fault in faults {
                    findings.error(Code::MappingInvalid, "the identity map", fault.to_string());
                }
                return (None, findings);
            }
        };
        let of_identity = Identities::compile(&map_of(&bindings, facts, &Stack::Identity));
        let pod_identities = PodIdentities::new(descriptions, facts, &bindings);
        let roles = descriptions.roles.iter().filter(|role| {
            let mut trust = pod_identities.trust(role);
            policy::rewrite(&of_identity, &mut trust);
            let is_earlier = |of: &str| of == Stack::Network.symbol();
            policy::prune(&mut trust, &is_earlier) > 0 && policy::is_empty(&trust)
        });
        let pending_roles: BTreeSet<&str> = roles.map(|role| role.arn.as_str()).collect();
        let context = Self {
            descriptions,
            facts,
            stack,
            bindings,
            identities,
            pod_identities,
            pending_roles,
            is_primary: false,
        };
        (Some(context), findings)
    }

    /// Prepares the generation of what the primary has, with facts of the primary itself.
    pub(crate) fn of_primary(
        descriptions: &'a Descriptions,
        facts: &'a RecoveryFacts,
        stack: &'a Stack,
    ) -> Self {
        Self {
            descriptions,
            facts,
            stack,
            bindings: Bindings::new(descriptions, facts, &mut Findings::default()),
            identities: Identities::default(),
            pod_identities: PodIdentities::default(),
            pending_roles: BTreeSet::new(),
            is_primary: true,
        }
    }

    /// Whether both environments are in one account, where roles and policies need other names.
    pub(crate) fn is_same_account(&self) -> bool {
        self.descriptions.account == self.facts.account
    }

    pub(crate) fn partition(&self) -> Partition {
        self.facts.region.partition()
    }

    /// Returns the zone that a subnet of the primary is built in.
    pub(crate) fn zone_of(&self, subnet: &str) -> Option<&'a Zone> {
        let mut subnets = self.descriptions.subnets.iter();
        let subnet = subnets.find(|known| known.subnet_id == subnet)?;
        self.bindings.zones.get(&subnet.availability_zone)
    }

    /// Translates the identifiers in a text.
    pub(crate) fn text(&self, text: &str) -> String {
        self.identities.image(text).unwrap_or_else(|| text.to_owned())
    }

    /// Returns a tag of a resource that is built: its identifiers translated, and names of clusters where a tag is known to
    /// have one (<https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html>,
    /// <https://karpenter.sh/docs/getting-started/>).
    pub(crate) fn tag(&self, key: &str, value: &str) -> (String, String) {
        let cluster = |name: &str| self.facts.cluster_names.get(name).cloned();
        let key_of_cluster = key.strip_prefix(CLUSTER_TAG).and_then(cluster);
        let new_key = key_of_cluster.map(|name| format!("{CLUSTER_TAG}{name}"));
        let names_cluster = key == "karpenter.sh/discovery" || key.ends_with("cluster-name");
        let new_value = cluster(value).filter(|_| names_cluster);
        (
            new_key.unwrap_or_else(|| self.text(key)),
            new_value.unwrap_or_else(|| self.text(value)),
        )
    }

    /// Returns the tags of a resource that is built, without that of the application. Tags of AWS (`aws:…`) cannot be set,
    /// and nothing is tagged with what does not exist yet.
    pub(crate) fn tags(&self, tags: &Tags) -> Tags {
        let own = tags
            .iter()
            .filter(|(key, _)| !key.starts_with("aws:") && *key != TAG);
        let translated = own.map(|(key, value)| self.tag(key, value));
        translated
            .filter(|(_, value)| symbols_in(value).next().is_none())
            .collect()
    }

    /// Finds what still names the primary in a template.
    pub(crate) fn leftovers(&self, template: &Template, findings: &mut Findings) {
        for (logical, resource) in &template.resources {
            let properties = json!({ "properties": without_user_data(&resource.properties) });
            for leftover in self.identities.leftovers(("", ""), &properties) {
                let what = match leftover.kind {
                    LeftoverKind::Account => "its account",
                    LeftoverKind::Region => "its Region",
                    LeftoverKind::Listed => "a resource that is built or mapped",
                    LeftoverKind::UnknownId => "a resource that is not described",
                };
                let path = leftover
                    .path
                    .strip_prefix("/properties")
                    .unwrap_or(&leftover.path);
                findings.warning(
                    Code::PrimaryNamed,
                    logical,
                    format!("{path} names the primary: {} ({what})", leftover.token),
                );
            }
        }
    }
}

/// Returns properties without user data, which is searched before it is encoded and may hold secrets.
fn without_user_data(properties: &serde_json::Map<String, Value>) -> Value {
    let mut properties = Value::Object(properties.clone());
    if let Some(data) = properties
        .get_mut("LaunchTemplateData")
        .and_then(Value::as_object_mut)
    {
        data.remove("UserData");
    }
    properties
}

/// Returns the map by which texts of a stack are translated.
fn map_of(bindings: &Bindings<'_>, facts: &RecoveryFacts, stack: &Stack) -> IdentityMap {
    bindings.map(|binding| match &binding.target {
        Target::Known(to) => to.clone(),
        Target::Output { stack: of, output } => {
            let known = (of > stack).then(|| known(binding, of, output, facts)).flatten();
            known.unwrap_or_else(|| symbol(&of.symbol(), output))
        }
    })
}

/// Returns the value of an output, if the stack exists.
pub(crate) fn known(binding: &Binding, stack: &Stack, output: &str, facts: &RecoveryFacts) -> Option<String> {
    let of_outputs = |outputs: &StackOutputs| outputs.get(&stack.symbol())?.get(output).cloned();
    let value = of_outputs(&facts.outputs).or_else(|| binding.issuer_in(facts))?;
    (!is_symbol(&value)).then_some(value)
}

/// The logical ids of the resources of a type, by their ids in the primary.
pub(crate) type LogicalIds<'a> = BTreeMap<&'a str, String>;
