//! Finds what the objects need outside of the cluster: container images, and what they mention of AWS.
//!
//! Most objects are only searched, as bytes. One that mentions AWS is parsed.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_infrastructure::Mentions;
use lifeboat_model::TypeName;
use memchr::memmem::{self, Finder};
use serde_json::Value;

/// Types that contain a Pod or a Pod template.
const POD_TYPES: &[&str] = &[
    "pods",
    "replicationcontrollers",
    "daemonsets.apps",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "cronjobs.batch",
    "jobs.batch",
];

/// The maximum length of a reference in bytes. No real one is longer: a registry's limit is 255 for the name and 128
/// for the tag, plus 71 for a digest.
const LONGEST: usize = 1024;

/// Types whose values are texts without fields, and those that nothing runs by.
const SILENT_TYPES: &[&str] = &[
    "secrets",
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io",
];

/// Types of which an object is parsed although nothing in its bytes shows that it mentions AWS: node classes of Karpenter
/// and of Auto Mode name a role without its ARN.
const NODE_CLASSES: &[&str] = &[
    "ec2nodeclasses.karpenter.k8s.aws",
    "nodeclasses.eks.amazonaws.com",
];

/// What the bytes of an object contain that mentions AWS, other than the images of containers: ids of file systems, their
/// names in DNS, roles of service accounts in custom resources, and `aws-auth`.
const MENTIONS: [&str; 5] = [
    "\"fs-",
    "fsap-",
    ".efs.",
    "eks.amazonaws.com/role-arn",
    "\"mapRoles\"",
];

/// The registries of ECR. In types other than [`POD_TYPES`], the images of containers can be anywhere.
const REGISTRIES: [&str; 2] = [".dkr.ecr", ".dkr-ecr"];

/// The external references of the objects of one type.
#[derive(Debug)]
pub(super) struct ExternalReferences {
    /// Items of a list of built-in objects do not have it.
    kind: String,
    sort: Option<(&'static str, Finder<'static>)>,
    found: BTreeSet<String>,
    /// What makes an object worth parsing. An empty one makes every object so.
    needles: Vec<Finder<'static>>,
    mentions: Mentions,
}

impl ExternalReferences {
    /// Returns a search for the references that objects of this type and kind may contain.
    pub(super) fn of(type_name: &TypeName, kind: &str) -> Self {
        // Field names in managedFields begin with `f:`, and JSON inside an annotation has escaped quotes, so neither
        // matches.
        let sort = if POD_TYPES.contains(&type_name.as_str()) {
            Some(("images", memmem::Finder::new(b"\"image\":\"")))
        } else if type_name.as_str() == "serviceaccounts" {
            Some((
                "roleArns",
                memmem::Finder::new(b"\"eks.amazonaws.com/role-arn\":\""),
            ))
        } else {
            None
        };
        let name = type_name.as_str();
        let needles: Vec<&str> = match name {
            _ if SILENT_TYPES.contains(&name) => Vec::new(),
            _ if NODE_CLASSES.contains(&name) => vec![""],
            _ if POD_TYPES.contains(&name) => MENTIONS.to_vec(),
            // The annotation is found above.
            "serviceaccounts" => Vec::new(),
            _ => MENTIONS.into_iter().chain(REGISTRIES).collect(),
        };
        Self {
            kind: kind.to_owned(),
            sort,
            found: BTreeSet::new(),
            needles: needles.into_iter().map(Finder::new).collect(),
            mentions: Mentions::new(),
        }
    }

    /// Searches one object.
    pub(super) fn look(&mut self, raw: &[u8]) {
        let is_mention = self.needles.iter().any(|needle| needle.find(raw).is_some());
        if is_mention && let Ok(Value::Object(mut object)) = serde_json::from_slice(raw) {
            object.entry("kind").or_insert_with(|| self.kind.as_str().into());
            self.mentions.collect(&Value::Object(object));
        }
        let Some((_, finder)) = &self.sort else {
            return;
        };
        let length = finder.needle().len();
        for at in finder.find_iter(raw) {
            let rest = &raw[at + length..];
            let Some(end) = memchr::memchr(b'"', rest) else {
                continue;
            };
            if let Ok(text) = std::str::from_utf8(&rest[..end])
                && !text.is_empty()
                && text.len() <= LONGEST
                && !text.contains('\\')
                && !self.found.contains(text)
            {
                self.found.insert(text.to_owned());
            }
        }
    }

    /// Adds the references that were found to the list of their sort.
    pub(super) fn add_to(self, dependencies: &mut BTreeMap<String, BTreeSet<String>>) {
        if let Some((sort, _)) = self.sort
            && !self.found.is_empty()
        {
            dependencies
                .entry(sort.to_owned())
                .or_default()
                .extend(self.found);
        }
        self.mentions.add_to(dependencies);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_found_in_specs_and_nowhere_else() {
        let raw = br#"{"metadata":{"annotations":{"last":"{\"image\":\"from/annotation\"}"},"managedFields":[{"f:image":{}}]},"spec":{"containers":[{"image":"a/b:1"},{"image":"a/b:1"},{"image":""}],"volumes":[{"image":{"reference":"x"}}]}}"#;
        let mut references = ExternalReferences::of(&TypeName::new("apps", "deployments"), "Deployment");
        references.look(raw);
        let mut all = BTreeMap::new();
        references.add_to(&mut all);
        assert_eq!(all["images"], BTreeSet::from(["a/b:1".to_owned()]));
    }

    fn found(type_name: TypeName, kind: &str, raw: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut references = ExternalReferences::of(&type_name, kind);
        references.look(raw.as_bytes());
        let mut all = BTreeMap::new();
        references.add_to(&mut all);
        all
    }

    fn one(sort: &str, value: &str) -> BTreeMap<String, BTreeSet<String>> {
        BTreeMap::from([(sort.to_owned(), BTreeSet::from([value.to_owned()]))])
    }

    #[test]
    fn what_is_mentioned_of_aws_is_found_in_every_type() {
        let raw = r#"{"spec":{"csi":{"driver":"efs.csi.aws.com","volumeHandle":"fs-0123456789abcdef0"}}}"#;
        let volumes = found(TypeName::from("persistentvolumes"), "PersistentVolume", raw);
        assert_eq!(volumes, one("fileSystems", "fs-0123456789abcdef0"));

        let raw = r#"{"apiVersion":"shop.example/v1","kind":"Shop","spec":{"image":"111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/cart:1"}}"#;
        let custom = found(TypeName::new("shop.example", "shops"), "Shop", raw);
        assert_eq!(
            custom,
            one(
                "images",
                "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/cart:1"
            )
        );

        let raw = r#"{"metadata":{"name":"aws-auth","namespace":"kube-system"},"data":{"mapRoles":"- rolearn: arn:aws:iam::111122223333:role/nodes\n"}}"#;
        let auth = found(TypeName::from("configmaps"), "ConfigMap", raw);
        assert_eq!(auth, one("roleArns", "arn:aws:iam::111122223333:role/nodes"));

        let raw = r#"{"apiVersion":"karpenter.k8s.aws/v1","kind":"EC2NodeClass","spec":{"role":"nodes"}}"#;
        let classes = found(
            TypeName::new("karpenter.k8s.aws", "ec2nodeclasses"),
            "EC2NodeClass",
            raw,
        );
        assert_eq!(classes, one("roleNames", "nodes"));
    }

    #[test]
    fn secrets_are_not_searched() {
        let raw = r#"{"apiVersion":"v1","kind":"Secret","stringData":{"image":"111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/cart:1","fileSystemId":"fs-0123456789abcdef0"}}"#;
        assert_eq!(found(TypeName::from("secrets"), "Secret", raw), BTreeMap::new());
    }

    #[test]
    fn roles_are_found_in_accounts() {
        let mut references = ExternalReferences::of(&TypeName::new("", "serviceaccounts"), "ServiceAccount");
        references.look(br#"{"metadata":{"annotations":{"eks.amazonaws.com/role-arn":"arn:aws:iam::111122223333:role/r"}}}"#);
        let mut all = BTreeMap::new();
        references.add_to(&mut all);
        assert_eq!(
            all["roleArns"],
            BTreeSet::from(["arn:aws:iam::111122223333:role/r".to_owned()])
        );
    }
}
