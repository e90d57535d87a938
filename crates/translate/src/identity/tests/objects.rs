use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::translation::Rewritten;

fn apply(map: &IdentityMap, of: (&str, &str), object: &mut Value) -> Outcome {
    let identities = Identities::compile(map);
    let selector = |selector: &TypeSelector| selector.matches(of.0, of.1, "", "", &[]);
    identities.apply(of, &selector, object)
}

/// One object for each known place or text: its type, the path of the identifier, the identifier before and after.
fn places() -> Vec<(&'static str, &'static str, &'static str, Value, &'static str)> {
    let container = |field: Value| json!({"spec": {"template": {"spec": {"containers": [field]}}}});
    let image = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/a:1";
    let new_image = "222222222222.dkr.ecr.eu-central-1.amazonaws.com/a:1";
    vec![
        (
            "apps",
            "deployments",
            "/spec/template/spec/containers/0/image",
            container(json!({"image": image})),
            new_image,
        ),
        (
            "apps",
            "deployments",
            "/spec/template/spec/containers/0/env/0/value",
            container(json!({"env": [{"name": "CLUSTER_NAME", "value": "orders-prod"}]})),
            "orders-dr",
        ),
        (
            "apps",
            "deployments",
            "/spec/template/spec/containers/0/args/0",
            container(json!({"args": ["--cluster-name=orders-prod"]})),
            "--cluster-name=orders-dr",
        ),
        (
            "batch",
            "cronjobs",
            "/spec/jobTemplate/spec/template/spec/initContainers/0/image",
            json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"initContainers": [{"image": image}]}}}}}}),
            new_image,
        ),
        (
            "argoproj.io",
            "rollouts",
            "/spec/template/spec/ephemeralContainers/0/image",
            json!({"spec": {"template": {"spec": {"ephemeralContainers": [{"image": image}]}}}}),
            new_image,
        ),
        (
            "",
            "serviceaccounts",
            "/metadata/annotations/eks.amazonaws.com~1role-arn",
            json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111111111111:role/cart"}}}),
            "arn:aws:iam::222222222222:role/cart",
        ),
        (
            "",
            "persistentvolumes",
            "/spec/csi/volumeHandle",
            json!({"spec": {"csi": {"volumeHandle": "fs-0aaaaaaaaaaaaaaa1::fsap-0aaaaaaaaaaaaaaa1"}}}),
            "fs-0bbbbbbbbbbbbbbb1::fsap-0bbbbbbbbbbbbbbb1",
        ),
        (
            "",
            "persistentvolumes",
            "/spec/nodeAffinity/required/nodeSelectorTerms/0/matchExpressions/0/values/0",
            json!({"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions":
                [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-west-1a"]}]}]}}}}),
            "eu-central-1a",
        ),
        (
            "",
            "persistentvolumes",
            "/metadata/labels/topology.kubernetes.io~1region",
            json!({"metadata": {"labels": {"topology.kubernetes.io/region": "eu-west-1"}}}),
            "eu-central-1",
        ),
        (
            "storage.k8s.io",
            "storageclasses",
            "/allowedTopologies/0/matchLabelExpressions/0/values/0",
            json!({"allowedTopologies": [{"matchLabelExpressions": [{"key": "topology.ebs.csi.aws.com/zone", "values": ["eu-west-1b"]}]}]}),
            "eu-central-1b",
        ),
        (
            "networking.k8s.io",
            "ingresses",
            "/metadata/annotations/alb.ingress.kubernetes.io~1certificate-arn",
            json!({"metadata": {"annotations": {"alb.ingress.kubernetes.io/certificate-arn": OLD_CERTIFICATE}}}),
            NEW_CERTIFICATE,
        ),
        (
            "networking.k8s.io",
            "ingresses",
            "/metadata/annotations/alb.ingress.kubernetes.io~1load-balancer-attributes",
            json!({"metadata": {"annotations": {"alb.ingress.kubernetes.io/load-balancer-attributes":
                "access_logs.s3.enabled=true,access_logs.s3.bucket=shop-media-1,access_logs.s3.prefix=a"}}}),
            "access_logs.s3.enabled=true,access_logs.s3.bucket=shop-media-2,access_logs.s3.prefix=a",
        ),
        (
            "",
            "services",
            "/metadata/annotations/service.beta.kubernetes.io~1aws-load-balancer-subnets",
            json!({"metadata": {"annotations": {"service.beta.kubernetes.io/aws-load-balancer-subnets":
                "subnet-0aaaaaaaaaaaaaaa1, public"}}}),
            "subnet-0bbbbbbbbbbbbbbb1, public",
        ),
        (
            "elbv2.k8s.aws",
            "targetgroupbindings",
            "/spec/vpcID",
            json!({"spec": {"vpcID": "vpc-0aaaaaaaaaaaaaaa1"}}),
            "vpc-0bbbbbbbbbbbbbbb1",
        ),
        (
            "elbv2.k8s.aws",
            "ingressclassparams",
            "/spec/loadBalancerAttributes/0/value",
            json!({"spec": {"loadBalancerAttributes": [{"key": "access_logs.s3.bucket", "value": "shop-media-1"}]}}),
            "shop-media-2",
        ),
        (
            "karpenter.k8s.aws",
            "ec2nodeclasses",
            "/spec/role",
            json!({"spec": {"role": "nodes"}}),
            "nodes-dr",
        ),
        (
            "karpenter.k8s.aws",
            "ec2nodeclasses",
            "/spec/subnetSelectorTerms/0/tags/karpenter.sh~1discovery",
            json!({"spec": {"subnetSelectorTerms": [{"tags": {"karpenter.sh/discovery": "orders-prod"}}]}}),
            "orders-dr",
        ),
        (
            "karpenter.sh",
            "nodepools",
            "/spec/template/spec/requirements/0/values/0",
            json!({"spec": {"template": {"spec": {"requirements": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-west-1a"]}]}}}}),
            "eu-central-1a",
        ),
        (
            "external-secrets.io",
            "clustersecretstores",
            "/spec/provider/aws/region",
            json!({"spec": {"provider": {"aws": {"service": "SecretsManager", "region": "eu-west-1"}}}}),
            "eu-central-1",
        ),
        (
            "secrets-store.csi.x-k8s.io",
            "secretproviderclasses",
            "/spec/parameters/objects",
            json!({"spec": {"parameters": {"objects": "- objectName: \"arn:aws:ssm:eu-west-1:111111111111:parameter/cart\"\n  objectType: ssmparameter\n"}}}),
            "- objectName: \"arn:aws:ssm:eu-central-1:222222222222:parameter/cart\"\n  objectType: ssmparameter\n",
        ),
        (
            "vpcresources.k8s.aws",
            "securitygrouppolicies",
            "/spec/securityGroups/groupIds/0",
            json!({"spec": {"securityGroups": {"groupIds": ["sg-0aaaaaaaaaaaaaaa1"]}}}),
            "sg-0bbbbbbbbbbbbbbb1",
        ),
        (
            "crd.k8s.amazonaws.com",
            "eniconfigs",
            "/metadata/name",
            json!({"metadata": {"name": "eu-west-1a"}}),
            "eu-central-1a",
        ),
        (
            "s3.services.k8s.aws",
            "buckets",
            "/spec/name",
            json!({"spec": {"name": "shop-media-1"}}),
            "shop-media-2",
        ),
        (
            "gateway.k8s.aws",
            "loadbalancerconfigurations",
            "/spec/listenerConfigurations/0/defaultCertificate",
            json!({"spec": {"listenerConfigurations": [{"defaultCertificate": OLD_CERTIFICATE}]}}),
            NEW_CERTIFICATE,
        ),
    ]
}

#[test]
fn every_known_place_is_translated_and_nothing_else() {
    for (group, resource, path, mut object, expected) in places() {
        let before = object.clone();
        let outcome = apply(&sample(), (group, resource), &mut object);
        assert_eq!(at(&object, path), expected, "{resource} {path}");
        assert!(
            outcome.rewritten.iter().all(|one| one.path == path),
            "{path}: {:?}",
            outcome.rewritten
        );
        assert!(!outcome.rewritten.is_empty(), "{path}");
        assert_eq!(outcome.leftovers, [], "{path}");
        let again = apply(&sample(), (group, resource), &mut object.clone());
        assert_eq!(again, Outcome::default(), "{path}: it is not final");
        pointer_set(&mut object, path, &before);
        assert_eq!(object, before, "{path}: something else changed");
    }
}

fn pointer_set(object: &mut Value, path: &str, before: &Value) {
    crate::pointer::set(object, path, before.pointer(path).cloned().unwrap_or_default());
}

#[test]
fn names_of_objects_and_references_to_them_stay_and_are_listed() {
    let mut object = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "eu-west-1", "namespace": "eu-west-1"},
        "spec": {"serviceAccountName": "eu-west-1", "containers": [{"name": "eu-west-1", "envFrom":
            [{"configMapRef": {"name": "eu-west-1"}}], "env": [{"name": "R", "value": "eu-west-1"}]}]},
    });
    let outcome = apply(&sample(), ("", "pods"), &mut object);
    let changed: Vec<&str> = outcome.rewritten.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(changed, ["/spec/containers/0/env/0/value"]);
    let left: Vec<&str> = outcome.leftovers.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(
        left,
        [
            "/metadata/name",
            "/metadata/namespace",
            "/spec/containers/0/envFrom/0/configMapRef/name",
            "/spec/containers/0/name",
            "/spec/serviceAccountName",
        ]
    );
}

#[test]
fn a_repository_is_no_name_of_an_object() {
    let mut object =
        json!({"spec": {"images": [{"name": "111111111111.dkr.ecr.eu-west-1.amazonaws.com/cart"}]}});
    let outcome = apply(
        &sample(),
        ("kustomize.toolkit.fluxcd.io", "kustomizations"),
        &mut object,
    );
    assert_eq!(
        at(&object, "/spec/images/0/name"),
        "222222222222.dkr.ecr.eu-central-1.amazonaws.com/cart"
    );
    assert_eq!(outcome.leftovers, []);
}

#[test]
fn values_of_secrets_are_decoded_and_encoded_again() {
    let encode = |text: &str| STANDARD.encode(text);
    let binary = STANDARD.encode([0xff_u8, 0xfe, 0x00]);
    let url = "postgres://u:p@orders.cluster-abc.eu-west-1.rds.amazonaws.com/a";
    let json = r#"{"auths":{"111111111111.dkr.ecr.eu-west-1.amazonaws.com":{"auth":"eDp5"}}}"#;
    let mut object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {
        "url": encode(url), ".dockerconfigjson": encode(json), "plain": encode("unrelated"), "binary": binary,
        "left": encode("logs-111111111111"), "odd": "not base64 eu-west-1"}});
    let outcome = apply(&sample(), ("", "secrets"), &mut object);
    assert_eq!(
        at(&object, "/data/url"),
        encode("postgres://u:p@orders.cluster-def.eu-central-1.rds.amazonaws.com/a")
    );
    assert_eq!(
        at(&object, "/data/.dockerconfigjson"),
        encode(r#"{"auths":{"222222222222.dkr.ecr.eu-central-1.amazonaws.com":{"auth":"eDp5"}}}"#)
    );
    assert_eq!(at(&object, "/data/plain"), encode("unrelated"));
    assert_eq!(at(&object, "/data/binary"), binary);
    assert_eq!(outcome.rewritten.len(), 2);
    let left: Vec<&str> = outcome.leftovers.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(left, ["/data/left", "/data/odd"]);
}

#[test]
fn the_applied_object_in_an_annotation_is_translated_as_the_object() {
    let applied = json!({"apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass",
        "metadata": {"name": "a"}, "spec": {"role": "nodes", "tags": {"r": "eu-west-1"}}});
    let mut object = applied.clone();
    object["metadata"]["annotations"] = json!({LAST_APPLIED: format!("{applied}\n")});
    let outcome = apply(&sample(), ("karpenter.k8s.aws", "ec2nodeclasses"), &mut object);
    let text = object["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap();
    assert!(text.ends_with("}\n"));
    let nested: Value = serde_json::from_str(text).unwrap();
    assert_eq!(
        nested["spec"],
        json!({"role": "nodes-dr", "tags": {"r": "eu-central-1"}})
    );
    assert_eq!(nested["spec"], object["spec"]);
    assert_eq!(outcome.rewritten.len(), 4);
    assert_eq!(outcome.leftovers, []);
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

#[test]
fn fields_of_the_document_hold_names_too() {
    let map = IdentityMap {
        fields: vec![KnownField {
            types: vec![TypeSelector("widgets.example.com".to_owned())],
            path: "/spec/items/*/roleName".to_owned(),
            kind: Kind::Role,
        }],
        ..sample()
    };
    let mut object = json!({"spec": {"items": [{"roleName": "nodes"}, {"roleName": "x"}]}});
    let outcome = apply(&map, ("example.com", "widgets"), &mut object);
    assert_eq!(
        object,
        json!({"spec": {"items": [{"roleName": "nodes-dr"}, {"roleName": "x"}]}})
    );
    assert_eq!(
        outcome.rewritten,
        [Rewritten {
            path: "/spec/items/0/roleName".to_owned(),
            from: "nodes".to_owned(),
            to: "nodes-dr".to_owned(),
            rule: Rule::Name,
        }]
    );
    let mut other = json!({"spec": {"items": [{"roleName": "nodes"}]}});
    assert_eq!(
        apply(&map, ("example.com", "gadgets"), &mut other),
        Outcome::default()
    );
}

#[test]
fn numbers_keys_and_field_owners_are_looked_at() {
    let mut object =
        json!({"spec": {"owner": 111_111_111_111_u64, "tags": {"eu-west-1.example.com/x": "y"}}});
    let outcome = apply(&sample(), ("example.com", "widgets"), &mut object);
    let left: Vec<&str> = outcome.leftovers.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(left, ["/spec/owner", "/spec/tags/eu-west-1.example.com~1x"]);
    let mut fields = json!({"f:spec": {"f:ids": {"v:\"sg-0aaaaaaaaaaaaaaa1\"": {}, "k:{\"zone\":\"eu-west-1a\"}": {"f:zone": {}}}}});
    Identities::compile(&sample()).apply_to_fields(&mut fields);
    assert_eq!(
        fields,
        json!({"f:spec": {"f:ids": {"v:\"sg-0bbbbbbbbbbbbbbb1\"": {}, "k:{\"zone\":\"eu-central-1a\"}": {"f:zone": {}}}}})
    );
}
