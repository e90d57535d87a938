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
/// names in DNS, and ARNs.
const MENTIONS: [&str; 4] = ["\"fs-", "fsap-", ".efs.", "arn:aws"];

/// The same of Pods and Pod templates, besides [`MENTIONS`]: volumes of the driver in the tree of Kubernetes, and names of
/// buckets in variables and arguments.
const POD_MENTIONS: [&str; 3] = ["awsElasticBlockStore", "BUCKET", "-bucket="];

/// The same of single types, besides [`MENTIONS`].
const TYPE_MENTIONS: &[(&str, &[&str])] = &[
    ("configmaps", &["\"mapRoles\""]),
    ("services", &["aws-load-balancer-"]),
    ("ingresses.networking.k8s.io", &["alb.ingress.kubernetes.io/"]),
    ("persistentvolumes", &["vol-", "bucketName"]),
    ("volumesnapshotcontents.snapshot.storage.k8s.io", &["snap-"]),
    ("ingressclassparams.elbv2.k8s.aws", &[".s3.bucket"]),
    ("loadbalancerconfigurations.gateway.k8s.aws", &[".s3.bucket"]),
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
    type_name: TypeName,
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
        Self {
            kind: kind.to_owned(),
            sort,
            found: BTreeSet::new(),
            needles: needles(type_name.as_str()).into_iter().map(Finder::new).collect(),
            type_name: type_name.clone(),
            mentions: Mentions::new(),
        }
    }

    /// Searches one object.
    pub(super) fn look(&mut self, raw: &[u8]) {
        let is_mention = self.needles.iter().any(|needle| needle.find(raw).is_some());
        if is_mention && let Ok(Value::Object(mut object)) = serde_json::from_slice(raw) {
            object.entry("kind").or_insert_with(|| self.kind.as_str().into());
            let mut object = Value::Object(object);
            self.mentions.collect(&object);
            let of = (self.type_name.group(), self.type_name.resource());
            self.mentions.collect_names(of, &mut object);
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

/// Returns what makes an object of a type worth parsing.
fn needles(name: &str) -> Vec<&'static str> {
    if SILENT_TYPES.contains(&name) {
        return Vec::new();
    }
    if NODE_CLASSES.contains(&name) {
        return vec![""];
    }
    match name {
        // The annotation is found as a sort.
        "serviceaccounts" => Vec::new(),
        _ if POD_TYPES.contains(&name) => MENTIONS.into_iter().chain(POD_MENTIONS).collect(),
        _ => {
            let own = TYPE_MENTIONS.iter().filter(|(of, _)| *of == name);
            let own = own.flat_map(|(_, needles)| needles.iter().copied());
            MENTIONS.into_iter().chain(REGISTRIES).chain(own).collect()
        }
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
    fn what_load_balancers_and_volumes_name_is_found_in_their_types() {
        let certificate = "arn:aws:acm:eu-west-1:111122223333:certificate/a";
        for (type_name, kind, raw, sort, value) in [
            (
                TypeName::new("networking.k8s.io", "ingresses"),
                "Ingress",
                format!(r#"{{"metadata":{{"annotations":{{"alb.ingress.kubernetes.io/certificate-arn":"{certificate}"}}}}}}"#),
                "certificates",
                certificate,
            ),
            (
                TypeName::new("networking.k8s.io", "ingresses"),
                "Ingress",
                r#"{"metadata":{"annotations":{"alb.ingress.kubernetes.io/load-balancer-attributes":"access_logs.s3.bucket=shop-logs"}}}"#.to_owned(),
                "buckets",
                "shop-logs",
            ),
            (
                TypeName::from("services"),
                "Service",
                r#"{"metadata":{"annotations":{"service.beta.kubernetes.io/aws-load-balancer-subnets":"subnet-0123456789abcdef0"}}}"#.to_owned(),
                "subnets",
                "subnet-0123456789abcdef0",
            ),
            (
                TypeName::from("persistentvolumes"),
                "PersistentVolume",
                r#"{"spec":{"csi":{"driver":"ebs.csi.aws.com","volumeHandle":"vol-0123456789abcdef0"}}}"#.to_owned(),
                "volumes",
                "vol-0123456789abcdef0",
            ),
            (
                TypeName::new("snapshot.storage.k8s.io", "volumesnapshotcontents"),
                "VolumeSnapshotContent",
                r#"{"spec":{"source":{"snapshotHandle":"snap-0123456789abcdef0"}}}"#.to_owned(),
                "snapshots",
                "snap-0123456789abcdef0",
            ),
            (
                TypeName::new("elbv2.k8s.aws", "ingressclassparams"),
                "IngressClassParams",
                r#"{"spec":{"loadBalancerAttributes":[{"key":"access_logs.s3.bucket","value":"shop-logs"}]}}"#.to_owned(),
                "buckets",
                "shop-logs",
            ),
            (
                TypeName::new("apps", "deployments"),
                "Deployment",
                r#"{"spec":{"template":{"spec":{"containers":[{"env":[{"name":"MEDIA_BUCKET","value":"shop-media"}]}]}}}}"#.to_owned(),
                "buckets",
                "shop-media",
            ),
        ] {
            assert_eq!(found(type_name, kind, &raw), one(sort, value), "{raw}");
        }
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
