//! What Kubernetes objects say about AWS: the roles, images and file systems whose descriptions a recovery point needs.
//!
//! [`Mentions::collect`] is given each object of a capture once. It looks at names of fields alone and keeps what has
//! the form of an identifier, so that an object costs one pass over its fields.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use image::EcrImage;

mod image;

/// The annotation of a ServiceAccount that names its role
/// (<https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html>).
const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";

/// The sorts of dependencies in the manifest of a recovery point.
const ROLE_ARNS: &str = "roleArns";
const ROLE_NAMES: &str = "roleNames";
const IMAGES: &str = "images";
const FILE_SYSTEMS: &str = "fileSystems";
const ACCESS_POINTS: &str = "accessPoints";

/// What Kubernetes objects say about AWS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mentions {
    /// The ARNs of roles: annotations of service accounts, `aws-auth`.
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
        match object.get("kind").and_then(Value::as_str).unwrap_or_default() {
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
                self.walk(object);
            }
            _ => self.walk(object),
        }
    }

    /// Adds what others have collected.
    pub fn merge(&mut self, mut other: Self) {
        self.role_arns.append(&mut other.role_arns);
        self.role_names.append(&mut other.role_names);
        self.images.append(&mut other.images);
        self.file_systems.append(&mut other.file_systems);
        self.access_points.append(&mut other.access_points);
    }

    /// Returns the images in registries of ECR.
    pub fn ecr_images(&self) -> impl Iterator<Item = EcrImage> {
        self.images.iter().filter_map(|image| EcrImage::parse(image))
    }

    /// Adds all to the dependencies of a cluster, as the manifest of a recovery point lists them.
    pub fn add_to(self, dependencies: &mut BTreeMap<String, BTreeSet<String>>) {
        let sorts = [
            (ROLE_ARNS, self.role_arns),
            (ROLE_NAMES, self.role_names),
            (IMAGES, self.images),
            (FILE_SYSTEMS, self.file_systems),
            (ACCESS_POINTS, self.access_points),
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
        Self {
            role_arns: listed(ROLE_ARNS, is_role),
            role_names: listed(ROLE_NAMES, is_role_name),
            images: listed(IMAGES, |image| EcrImage::parse(image).is_some()),
            file_systems: listed(FILE_SYSTEMS, |id| is_id(id, "fs-")),
            access_points: listed(ACCESS_POINTS, |id| is_id(id, "fsap-")),
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
        if handle.starts_with("fs-") {
            handle.split(':').for_each(|part| self.id(part));
        }
    }

    fn id(&mut self, id: &str) {
        if is_id(id, "fs-") {
            self.file_systems.insert(id.to_owned());
        } else if is_id(id, "fsap-") {
            self.access_points.insert(id.to_owned());
        }
    }
}

/// Ids have 8 or 17 hexadecimal digits after the prefix of their type.
fn is_id(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    matches!(digits.len(), 8 | 17) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
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
