//! ARNs: taken apart, and translated as a whole or not at all.

use super::AccountAndRegion;
use super::compiled::Compiled;
use super::kind::Kind;
use super::permission_set::permission_set;
use crate::rule::Rule;

/// Types of resources of EKS whose ARNs have the name of their cluster first
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelastickubernetesservice.html>).
const OF_CLUSTERS: [&str; 6] = [
    "access-entry",
    "addon",
    "fargateprofile",
    "identityproviderconfig",
    "nodegroup",
    "podidentityassociation",
];

/// The parts of an ARN (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).
#[derive(Debug, Clone, Copy)]
struct Parts<'a> {
    partition: &'a str,
    service: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

/// Whose part of an ARN is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Absent, or a wildcard for any.
    Any,
    Primary,
    Other,
}

/// Returns the beginning of ARNs of IAM in an account.
pub(super) fn iam_prefix(environment: &AccountAndRegion) -> String {
    let partition = environment.region.partition();
    format!("arn:{partition}:iam::{}:", environment.account)
}

fn whose(part: &str, primary: &str) -> Whose {
    match part {
        "" | "*" => Whose::Any,
        part if part == primary => Whose::Primary,
        _ => Whose::Other,
    }
}

impl Compiled {
    /// Translates an ARN. `None` if it stays: it names nothing of the primary, or the counterpart is not known.
    pub(super) fn arn(&self, text: &str) -> Option<(String, Rule)> {
        if let Some(to) = self.listed_arn(text) {
            return (to != text).then_some((to, Rule::Arn));
        }
        let parts = parse(text)?;
        let region = whose(parts.region, self.primary.region.as_str());
        let account = whose(parts.account, self.primary.account.as_str());
        if region == Whose::Other || account == Whose::Other {
            return None;
        }
        let place = |whose, old, new| if whose == Whose::Primary { new } else { old };
        let resource = self.resource(parts)?;
        let to = format!(
            "arn:{}:{}:{}:{}:{resource}",
            parts.partition,
            parts.service,
            place(region, parts.region, self.recovery.region.as_str()),
            place(account, parts.account, self.recovery.account.as_str()),
        );
        (to != text).then_some((to, Rule::ArnOfResource))
    }

    /// Whether the map says that an ARN is valid on both sides.
    pub(super) fn is_valid_arn(&self, text: &str) -> bool {
        self.listed_arn(text).is_some_and(|to| to == text)
    }

    /// Returns the part of an ARN, host name or zone that is the account or the Region of the primary.
    pub(super) fn names_primary(&self, text: &str) -> Option<String> {
        let (account, region) = (&self.primary.account, &self.primary.region);
        let has_account = account != &self.recovery.account
            && parse(text).is_some_and(|parts| parts.account == account.as_str());
        let has_region = region != &self.recovery.region
            && (parse(text).is_some_and(|parts| parts.region == region.as_str())
                || text.split(['.', '/']).any(|label| label == region.as_str())
                || text
                    .strip_prefix(region.as_str())
                    .is_some_and(|zone| zone.len() == 1));
        match (has_account, has_region) {
            (true, _) => Some(account.to_string()),
            (_, true) => Some(region.to_string()),
            _ => None,
        }
    }

    /// Returns the counterpart of an ARN that the map lists, or that begins with one.
    fn listed_arn(&self, text: &str) -> Option<String> {
        let ends = std::iter::once(text.len());
        let inner = text.rmatch_indices(['/', ':']).map(|(at, _)| at);
        let end = ends.chain(inner).find(|end| {
            let known = self.token(&text[..*end]);
            known.is_some_and(|(kind, _)| kind == Kind::Arn)
        })?;
        let (_, to) = self.token(&text[..end])?;
        Some(format!("{to}{}", &text[end..]))
    }

    /// Returns the resource in the recovery environment; `None` if it is not known.
    fn resource(&self, parts: Parts<'_>) -> Option<String> {
        let Parts {
            service, resource, ..
        } = parts;
        if matches!((service, resource), (_, "*") | ("iam", "root")) {
            return Some(resource.to_owned());
        }
        if service == "s3" {
            let end = resource.find('/').unwrap_or(resource.len());
            let bucket = self.named(Kind::Bucket, &resource[..end])?;
            return Some(format!("{bucket}{}", &resource[end..]));
        }
        let (kind, rest) = split_type(resource);
        if let Some(to) = self.listed_resource(service, kind, rest) {
            return Some(format!("{}{to}", &resource[..resource.len() - rest.len()]));
        }
        let is_declared = self.same_names.iter().any(|name| match name.split_once(':') {
            Some((of, r#type)) => of == service && r#type == kind,
            None => name == service,
        });
        // The stream of a table has the time of its creation in its name, a role of IAM Identity Center a generated part.
        let is_generated =
            resource.contains("/stream/") || rest.split('/').any(|part| permission_set(part).is_some());
        (is_declared && !is_generated).then(|| resource.to_owned())
    }

    /// Returns the part after the type with the id or name that the map lists in the place of the old one.
    fn listed_resource(&self, service: &str, r#type: &str, rest: &str) -> Option<String> {
        // A path comes before the names of roles; a session comes after that of an assumed role.
        let (name, kind) = match (service, r#type) {
            ("iam", "role") => (rest.rsplit('/').next()?, Some(Kind::Role)),
            ("iam", "instance-profile") => (rest.rsplit('/').next()?, Some(Kind::InstanceProfile)),
            ("sts", "assumed-role") => (rest.split('/').next()?, Some(Kind::Role)),
            ("eks", "cluster") => (rest, Some(Kind::Cluster)),
            // What belongs to a cluster has its name first, and a generated id last unless that is a wildcard.
            ("eks", r#type) if OF_CLUSTERS.contains(&r#type) => {
                let (cluster, own) = rest.split_once('/')?;
                if own.rsplit('/').next().is_some_and(is_generated) {
                    return None;
                }
                (cluster, Some(Kind::Cluster))
            }
            _ => (rest, None),
        };
        let to = match kind {
            Some(kind) => self.named(kind, name)?,
            None => self.token(name)?.1,
        };
        let before = if r#type == "assumed-role" || OF_CLUSTERS.contains(&r#type) {
            0
        } else {
            rest.len() - name.len()
        };
        Some(format!("{}{to}{}", &rest[..before], &rest[before + name.len()..]))
    }
}

fn parse(text: &str) -> Option<Parts<'_>> {
    let mut parts = text.splitn(6, ':');
    parts.next().filter(|arn| *arn == "arn")?;
    Some(Parts {
        partition: parts.next()?,
        service: parts.next()?,
        region: parts.next()?,
        account: parts.next()?,
        resource: parts.next().filter(|resource| !resource.is_empty())?,
    })
}

/// Whether the last part of a resource is an id that EKS generates: a UUID, or `a-` and letters.
fn is_generated(text: &str) -> bool {
    (text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12])) || text.starts_with("a-")
}

/// Splits a resource into its type and the rest, `role/cart` and `function:cart` alike; names without a type have an
/// empty one.
fn split_type(resource: &str) -> (&str, &str) {
    match resource.find(['/', ':']) {
        Some(at) => (&resource[..at], &resource[at + 1..]),
        None => ("", resource),
    }
}
