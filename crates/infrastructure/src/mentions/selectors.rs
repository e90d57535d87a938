//! Subnets and security groups that objects select by tags: annotations and parameters of the AWS Load Balancer Controller,
//! in which a name is a tag `Name`, and the selector terms of node classes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Mentions, is_id};
use crate::description::filters::{Filters, GROUP_NAME, NAME, TAG};

/// The annotations of the AWS Load Balancer Controller and of the cloud provider, without their prefixes, that list
/// subnets and security groups
/// (<https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/>,
/// <https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/annotations/>).
pub(super) const SUBNET_ANNOTATIONS: [&str; 3] = [
    "alb.ingress.kubernetes.io/subnets",
    "alb.ingress.kubernetes.io/frontend-nlb-subnets",
    "service.beta.kubernetes.io/aws-load-balancer-subnets",
];
pub(super) const GROUP_ANNOTATIONS: [&str; 4] = [
    "alb.ingress.kubernetes.io/security-groups",
    "alb.ingress.kubernetes.io/frontend-nlb-security-groups",
    "service.beta.kubernetes.io/aws-load-balancer-security-groups",
    "service.beta.kubernetes.io/aws-load-balancer-extra-security-groups",
];

/// The longest text of filters. A tag has 256 characters at most, and a selector a few of them; what is longer is none.
const LONGEST: usize = 8_192;

impl Mentions {
    /// Adds what an object of a type selects.
    pub(super) fn selectors_of(&mut self, kind: &str, object: &Value) {
        let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
        for (name, value) in annotations.into_iter().flatten() {
            let Some(list) = value.as_str() else { continue };
            if SUBNET_ANNOTATIONS.contains(&name.as_str()) {
                self.subnet_filters.extend(named(list, "subnet-"));
            } else if GROUP_ANNOTATIONS.contains(&name.as_str()) {
                self.security_group_filters.extend(named(list, "sg-"));
            }
        }
        let spec = &object["spec"];
        match kind {
            // <https://karpenter.sh/docs/concepts/nodeclasses/#specsubnetselectorterms>: a term has an id, or tags.
            "EC2NodeClass" | "NodeClass" => {
                for term in list(&spec["subnetSelectorTerms"]) {
                    self.subnet_filters.extend(tags(&term["tags"]));
                }
                for term in list(&spec["securityGroupSelectorTerms"]) {
                    self.security_group_filters.extend(tags(&term["tags"]));
                    let name = term["name"].as_str();
                    let by_name = name.map(|name| Filters::by(GROUP_NAME, name));
                    self.security_group_filters.extend(by_name);
                }
            }
            // <https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/ingress_class/>.
            "IngressClassParams" => self.subnet_filters.extend(tags(&spec["subnets"]["tags"])),
            // <https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/gateway/loadbalancerconfig/>.
            "LoadBalancerConfiguration" => {
                self.subnet_filters
                    .extend(tags(&spec["loadBalancerSubnetsSelector"]));
                for subnet in list(&spec["loadBalancerSubnets"]) {
                    let name = subnet["identifier"].as_str().unwrap_or_default();
                    self.subnet_filters.extend(named(name, "subnet-"));
                }
                for group in list(&spec["securityGroups"]).iter().filter_map(Value::as_str) {
                    self.security_group_filters.extend(named(group, "sg-"));
                }
            }
            _ => {}
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns the filters for the names in a list with commas that also has ids.
fn named<'a>(list: &'a str, prefix: &'a str) -> impl Iterator<Item = Filters> + 'a {
    let names = list.split(',').map(str::trim);
    let names = names.filter(move |name| !name.is_empty() && !is_id(name, prefix));
    names.map(|name| Filters::by(NAME, name)).filter(is_short)
}

/// Returns the filters of tags with one value each, or a list of them.
fn tags(tags: &Value) -> Option<Filters> {
    let mut filters = Filters::default();
    for (key, value) in tags.as_object()? {
        let values: BTreeSet<String> = match value {
            Value::String(one) => BTreeSet::from([one.clone()]),
            Value::Array(several) => several
                .iter()
                .filter_map(|one| one.as_str().map(str::to_owned))
                .collect(),
            _ => return None,
        };
        filters.0.insert(format!("{TAG}{key}"), values);
    }
    Some(filters).filter(|filters| !filters.0.is_empty() && is_short(filters))
}

fn is_short(filters: &Filters) -> bool {
    written(filters).len() <= LONGEST
}

/// Returns filters as the manifest of a recovery point lists them.
pub(super) fn written(filters: &Filters) -> String {
    serde_json::to_string(filters).expect("a map of texts is JSON")
}

/// Reads filters from the manifest of a recovery point; `None` if the text is none.
pub(super) fn read(text: &str) -> Option<Filters> {
    let filters: Filters = serde_json::from_str(text)
        .ok()
        .filter(|_| text.len() <= LONGEST)?;
    let is_known = |filter: &String| filter == GROUP_NAME || filter.starts_with(TAG);
    filters.0.keys().all(is_known).then_some(filters)
}
