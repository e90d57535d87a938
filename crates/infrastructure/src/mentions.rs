//! What Kubernetes objects say about AWS: the roles, images, file systems, volumes, certificates, target groups, web ACLs
//! and buckets whose descriptions a recovery point needs.
//!
//! [`Mentions::collect`] is given each object of a capture once. It looks at names of fields alone and keeps what has
//! the form of an identifier, so that an object costs one pass over its fields; ARNs tell by themselves what they name.
//! [`Mentions::collect_names`] finds the buckets, which only the table of `lifeboat_translate::place` tells from other
//! texts.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_translate::identity::{Kind, permission_set};
use lifeboat_translate::place::{self, Family, IdentifierKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::description::filters::Filters;

use arn::Named;
pub use image::EcrImage;
use selectors::{GROUP_ANNOTATIONS, SUBNET_ANNOTATIONS};

mod arn;
mod image;
mod selectors;

/// The annotation of a ServiceAccount that names its role
/// (<https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html>).
const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";

/// The sorts of dependencies in the manifest of a recovery point.
const ROLE_ARNS: &str = "roleArns";
const ROLE_NAMES: &str = "roleNames";
const IMAGES: &str = "images";
const FILE_SYSTEMS: &str = "fileSystems";
const ACCESS_POINTS: &str = "accessPoints";
const CERTIFICATES: &str = "certificates";
const TARGET_GROUPS: &str = "targetGroups";
const WEB_ACLS: &str = "webAcls";
const SECRETS: &str = "secrets";
const VOLUMES: &str = "volumes";
const SNAPSHOTS: &str = "snapshots";
const SUBNETS: &str = "subnets";
const SECURITY_GROUPS: &str = "securityGroups";
const BUCKETS: &str = "buckets";
const SUBNET_FILTERS: &str = "subnetFilters";
const SECURITY_GROUP_FILTERS: &str = "securityGroupFilters";

/// The beginnings of the labels of what the AWS Load Balancer Controller makes for an Ingress, a Service or a Gateway. It
/// makes these target groups again
/// (<https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/pkg/deploy/tracking/provider.go>).
const MADE_BY_CONTROLLER: [&str; 3] = ["ingress.k8s.aws", "service.k8s.aws", "gateway.k8s.aws"];

/// What `kubectl apply` keeps: the object once more, as text, and maybe an older one.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What Kubernetes objects say about AWS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mentions {
    /// The ARNs of roles: annotations of service accounts, `aws-auth`, roles of IAM Identity Center wherever they stand.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub role_arns: BTreeSet<String>,
    /// The names of roles: node classes of Karpenter and of Auto Mode have no ARN.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub role_names: BTreeSet<String>,
    /// Images in registries of ECR, as containers name them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub images: BTreeSet<String>,
    /// The ids of EFS file systems.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub file_systems: BTreeSet<String>,
    /// The ids of EFS access points.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub access_points: BTreeSet<String>,
    /// The ARNs of certificates of ACM.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub certificates: BTreeSet<String>,
    /// The ARNs of target groups, without those that the AWS Load Balancer Controller makes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub target_groups: BTreeSet<String>,
    /// The ARNs of regional web ACLs of AWS WAF.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub web_acls: BTreeSet<String>,
    /// The ARNs of secrets of Secrets Manager and parameters of Systems Manager.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// The ids of EBS volumes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub volumes: BTreeSet<String>,
    /// The ids of EBS snapshots.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub snapshots: BTreeSet<String>,
    /// The ids of subnets of load balancers.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub subnets: BTreeSet<String>,
    /// The ids of security groups of load balancers.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub security_groups: BTreeSet<String>,
    /// The names of S3 buckets: access logs, volumes, variables.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub buckets: BTreeSet<String>,
    /// What subnets are selected by, besides their ids.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub subnet_filters: BTreeSet<Filters>,
    /// What security groups are selected by, besides their ids.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub security_group_filters: BTreeSet<Filters>,
}

impl Mentions {
    /// Creates mentions of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what one object mentions.
    pub fn collect(&mut self, object: &Value) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
        match kind {
            // The values of Secrets and ConfigMaps are texts without fields. Definitions have the names of fields
            // without values.
            "Secret" | "Event" | "Lease" | "CustomResourceDefinition" => {}
            "ConfigMap" => {
                let is_auth = text("/metadata/name") == Some("aws-auth")
                    && text("/metadata/namespace") == Some("kube-system");
                if is_auth && let Some(roles) = text("/data/mapRoles") {
                    self.role_arns.extend(roles_of(roles));
                }
            }
            kind @ ("EC2NodeClass" | "NodeClass") => {
                let group = text("/apiVersion").unwrap_or_default();
                let is_of_aws = match kind {
                    "EC2NodeClass" => group.starts_with("karpenter.k8s.aws/"),
                    _ => group.starts_with("eks.amazonaws.com/"),
                };
                if is_of_aws && let Some(role) = text("/spec/role").filter(|role| is_role_name(role)) {
                    self.role_names.insert(role.to_owned());
                }
                if is_of_aws {
                    self.selectors_of(kind, object);
                }
                self.walk(object);
            }
            "TargetGroupBinding" if is_made_by_controller(object) => {}
            _ => {
                self.walk(object);
                self.arns_of(object);
                self.selectors_of(kind, object);
            }
        }
    }

    /// Adds the buckets that one object names. The type is its API group and the plural name of its resource.
    pub fn collect_names(&mut self, of: (&str, &str), object: &mut Value) {
        place::visit(Family::Aws, of, object, &mut |_, holds, value| {
            if holds == IdentifierKind::Aws(Kind::Bucket)
                && let Some(name) = value.as_str().filter(|name| is_bucket(name))
            {
                self.buckets.insert(name.to_owned());
            }
        });
    }

    /// Adds the ARNs in an object that name what is in its specification and annotations. A status tells what a
    /// controller has done in the primary.
    fn arns_of(&mut self, object: &Value) {
        let fields = object.as_object().into_iter().flatten();
        for (name, value) in fields {
            match name.as_str() {
                "status" => {}
                "metadata" => {
                    let annotations = value.get("annotations").and_then(Value::as_object);
                    let annotations = annotations.into_iter().flatten();
                    for (_, text) in annotations.filter(|(name, _)| *name != LAST_APPLIED) {
                        self.arns(text);
                    }
                }
                _ => self.arns(value),
            }
        }
    }

    fn arns(&mut self, value: &Value) {
        match value {
            Value::String(text) if text.contains("arn:aws") => {
                for arn in arn::arns(text) {
                    if is_role(arn)
                        && arn
                            .rsplit('/')
                            .next()
                            .is_some_and(|name| permission_set(name).is_some())
                    {
                        self.role_arns.insert(arn.to_owned());
                    }
                    let set = match Named::of(arn) {
                        Some(Named::Certificate) => &mut self.certificates,
                        Some(Named::TargetGroup) => &mut self.target_groups,
                        Some(Named::WebAcl) => &mut self.web_acls,
                        Some(Named::Secret) => &mut self.secrets,
                        None => continue,
                    };
                    set.insert(arn.to_owned());
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.arns(item)),
            Value::Object(fields) => fields.values().for_each(|value| self.arns(value)),
            _ => {}
        }
    }

    /// Adds what others have collected.
    pub fn merge(&mut self, mut other: Self) {
        self.role_arns.append(&mut other.role_arns);
        self.role_names.append(&mut other.role_names);
        self.images.append(&mut other.images);
        self.file_systems.append(&mut other.file_systems);
        self.access_points.append(&mut other.access_points);
        self.certificates.append(&mut other.certificates);
        self.target_groups.append(&mut other.target_groups);
        self.web_acls.append(&mut other.web_acls);
        self.secrets.append(&mut other.secrets);
        self.volumes.append(&mut other.volumes);
        self.snapshots.append(&mut other.snapshots);
        self.subnets.append(&mut other.subnets);
        self.security_groups.append(&mut other.security_groups);
        self.buckets.append(&mut other.buckets);
        self.subnet_filters.append(&mut other.subnet_filters);
        self.security_group_filters
            .append(&mut other.security_group_filters);
    }

    /// Returns the images in registries of ECR.
    pub fn ecr_images(&self) -> impl Iterator<Item = EcrImage> {
        self.images.iter().filter_map(|image| EcrImage::parse(image))
    }

    /// Adds all to the dependencies of a cluster, as the manifest of a recovery point lists them.
    pub fn add_to(self, dependencies: &mut BTreeMap<String, BTreeSet<String>>) {
        let written = |filters: BTreeSet<Filters>| filters.iter().map(selectors::written).collect();
        let sorts = [
            (SUBNET_FILTERS, written(self.subnet_filters)),
            (SECURITY_GROUP_FILTERS, written(self.security_group_filters)),
            (ROLE_ARNS, self.role_arns),
            (ROLE_NAMES, self.role_names),
            (IMAGES, self.images),
            (FILE_SYSTEMS, self.file_systems),
            (ACCESS_POINTS, self.access_points),
            (CERTIFICATES, self.certificates),
            (TARGET_GROUPS, self.target_groups),
            (WEB_ACLS, self.web_acls),
            (SECRETS, self.secrets),
            (VOLUMES, self.volumes),
            (SNAPSHOTS, self.snapshots),
            (SUBNETS, self.subnets),
            (SECURITY_GROUPS, self.security_groups),
            (BUCKETS, self.buckets),
        ];
        for (sort, found) in sorts {
            if !found.is_empty() {
                dependencies.entry(sort.to_owned()).or_default().extend(found);
            }
        }
    }

    /// Returns what the dependencies of a cluster say about AWS, without what has not the form of an identifier.
    #[must_use]
    pub fn of(dependencies: &BTreeMap<String, Vec<String>>) -> Self {
        let listed = |sort: &str, is_wanted: fn(&str) -> bool| -> BTreeSet<String> {
            let listed = dependencies.get(sort).into_iter().flatten();
            listed.filter(|one| is_wanted(one)).cloned().collect()
        };
        let filters = |sort: &str| -> BTreeSet<Filters> {
            let listed = dependencies.get(sort).into_iter().flatten();
            listed.filter_map(|one| selectors::read(one)).collect()
        };
        Self {
            subnet_filters: filters(SUBNET_FILTERS),
            security_group_filters: filters(SECURITY_GROUP_FILTERS),
            role_arns: listed(ROLE_ARNS, is_role),
            role_names: listed(ROLE_NAMES, is_role_name),
            images: listed(IMAGES, |image| EcrImage::parse(image).is_some()),
            file_systems: listed(FILE_SYSTEMS, |id| is_id(id, "fs-")),
            access_points: listed(ACCESS_POINTS, |id| is_id(id, "fsap-")),
            certificates: listed(CERTIFICATES, |arn| Named::of(arn) == Some(Named::Certificate)),
            target_groups: listed(TARGET_GROUPS, |arn| Named::of(arn) == Some(Named::TargetGroup)),
            web_acls: listed(WEB_ACLS, |arn| Named::of(arn) == Some(Named::WebAcl)),
            secrets: listed(SECRETS, |arn| Named::of(arn) == Some(Named::Secret)),
            volumes: listed(VOLUMES, |id| is_id(id, "vol-")),
            snapshots: listed(SNAPSHOTS, |id| is_id(id, "snap-")),
            subnets: listed(SUBNETS, |id| is_id(id, "subnet-")),
            security_groups: listed(SECURITY_GROUPS, |id| is_id(id, "sg-")),
            buckets: listed(BUCKETS, is_bucket),
        }
    }

    fn walk(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.field(name, value, fields);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            _ => {}
        }
    }

    fn field(&mut self, name: &str, value: &Value, siblings: &Map<String, Value>) {
        match (name, value) {
            // The fields of an object again, without values.
            ("managedFields", _) => {}
            (ROLE_ANNOTATION, Value::String(arn)) if is_role(arn) => {
                self.role_arns.insert(arn.clone());
            }
            // In a status, `imageID` is the image with the digest that runs.
            ("image" | "imageID", Value::String(image)) if EcrImage::parse(image).is_some() => {
                self.images.insert(image.clone());
            }
            // The EFS CSI driver: `fs-…`, `fs-…:/path`, `fs-…::fsap-…`
            // (<https://github.com/kubernetes-sigs/aws-efs-csi-driver/tree/master/examples/kubernetes>).
            ("volumeHandle", Value::String(handle)) => self.volume(handle),
            ("fileSystemId", Value::String(id)) => self.volume(id),
            ("accessPointId", Value::String(id)) => self.id(id),
            // EBS volumes of the driver in the tree of Kubernetes: `vol-…`, `aws://eu-west-1a/vol-…`
            // (<https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/#awselasticblockstorevolumesource-v1-core>).
            ("volumeID", Value::String(id)) => self.id(id.rsplit('/').next().unwrap_or_default()),
            // A VolumeSnapshotContent of a snapshot that exists, and the handle of one that the driver has made.
            ("snapshotHandle", Value::String(id)) => self.id(id),
            (name, Value::String(ids))
                if SUBNET_ANNOTATIONS.contains(&name) || GROUP_ANNOTATIONS.contains(&name) =>
            {
                ids.split(',').for_each(|id| self.id(id.trim()));
            }
            // A file system as an NFS server: `fs-….efs.eu-west-1.amazonaws.com`.
            ("server", Value::String(host)) if siblings.contains_key("path") => {
                let host = host.split_once(".efs.").map_or("", |(before, _)| before);
                self.id(host.rsplit('.').next().unwrap_or_default());
            }
            (_, Value::Object(_) | Value::Array(_)) => self.walk(value),
            _ => {}
        }
    }

    fn volume(&mut self, handle: &str) {
        if handle.starts_with("fs-") || handle.starts_with("vol-") {
            handle.split(':').for_each(|part| self.id(part));
        }
    }

    fn id(&mut self, id: &str) {
        let sets = [
            ("fs-", &mut self.file_systems),
            ("fsap-", &mut self.access_points),
            ("vol-", &mut self.volumes),
            ("snap-", &mut self.snapshots),
            ("subnet-", &mut self.subnets),
            ("sg-", &mut self.security_groups),
        ];
        for (prefix, set) in sets {
            if is_id(id, prefix) {
                set.insert(id.to_owned());
            }
        }
    }
}

/// Ids have 8 or 17 hexadecimal digits after the prefix of their type.
fn is_id(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    matches!(digits.len(), 8 | 17) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Returns whether text can be the name of a bucket
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>).
fn is_bucket(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    // A variable CREATE_BUCKET holds no name.
    let is_switch = matches!(text, "true" | "false");
    (3..=63).contains(&text.len()) && text.bytes().all(is_allowed) && !is_switch
}

/// Returns whether the AWS Load Balancer Controller has made a TargetGroupBinding.
fn is_made_by_controller(object: &Value) -> bool {
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
    let is_own = |key: &String| {
        let tracks = key.contains("/stack");
        tracks && MADE_BY_CONTROLLER.iter().any(|prefix| key.starts_with(prefix))
    };
    labels.is_some_and(|labels| labels.keys().any(is_own))
}

/// Returns whether text is the ARN of a role: `arn:aws:iam::111111111111:role/path/name`.
fn is_role(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else {
        return false;
    };
    let is_account = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit());
    let name = resource
        .strip_prefix("role/")
        .and_then(|path| path.rsplit('/').next());
    partition.starts_with("aws") && is_account && name.is_some_and(is_role_name)
}

/// The characters of the name of a role (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>).
fn is_role_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// Returns the roles in `mapRoles` of `aws-auth`, a list in YAML. An ARN is one word of it, with or without quotes.
fn roles_of(text: &str) -> impl Iterator<Item = String> + '_ {
    let words = text.split(|c: char| c.is_whitespace() || "\"'{}[]".contains(c));
    let words = words.map(|word| word.trim_end_matches(','));
    words.filter(|word| is_role(word)).map(str::to_owned)
}

#[cfg(test)]
mod tests;
