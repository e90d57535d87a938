#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use serde_json::json;

use super::*;

fn collected(objects: &[Value]) -> Mentions {
    let mut mentions = Mentions::new();
    objects.iter().for_each(|object| mentions.collect(object));
    mentions
}

fn shown(mentions: &Mentions) -> Vec<String> {
    let show = |image: EcrImage| {
        let (tag, digest) = (image.tag.as_deref(), image.digest.as_deref());
        format!(
            "{} {} {} {} {}",
            image.account,
            image.region,
            image.repository,
            tag.unwrap_or("-"),
            digest.unwrap_or("-")
        )
    };
    let images: BTreeSet<EcrImage> = mentions.ecr_images().collect();
    images.into_iter().map(show).collect()
}

#[test]
fn roles_are_found_in_annotations_aws_auth_and_node_classes() {
    let auth = "- groups: [system:nodes]\n  rolearn: arn:aws:iam::111111111111:role/nodes\n  username: x\n\
                - {\"rolearn\": \"arn:aws:iam::111111111111:role/ops\", username: 'arn:aws:iam::1:role/no'}\n\
                - {rolearn: arn:aws:iam::222222222222:role/other, username: y}\n";
    let mentions = collected(&[
        json!({"kind": "ServiceAccount", "metadata": {"annotations":
            {"eks.amazonaws.com/role-arn": "arn:aws:iam::111111111111:role/shop/cart"}}}),
        json!({"kind": "ServiceAccount", "metadata": {"annotations": {"eks.amazonaws.com/role-arn": "${ROLE}"}}}),
        json!({"apiVersion": "shop.example/v1", "kind": "Shop", "spec": {"serviceAccount": {"annotations":
            {"eks.amazonaws.com/role-arn": "arn:aws-cn:iam::111111111111:role/web"}}}}),
        json!({"kind": "ConfigMap", "metadata": {"name": "aws-auth", "namespace": "kube-system"},
               "data": {"mapRoles": auth, "mapUsers": "- userarn: arn:aws:iam::111111111111:user/eve"}}),
        json!({"kind": "ConfigMap", "metadata": {"name": "aws-auth", "namespace": "shop"},
               "data": {"mapRoles": "- rolearn: arn:aws:iam::111111111111:role/elsewhere"}}),
        json!({"apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass", "spec": {"role": "karpenter"}}),
        json!({"apiVersion": "eks.amazonaws.com/v1", "kind": "NodeClass", "spec": {"role": "auto"}}),
        json!({"apiVersion": "other.example/v1", "kind": "NodeClass", "spec": {"role": "stranger"}}),
    ]);
    let roles: Vec<&str> = mentions.role_arns.iter().map(String::as_str).collect();
    assert_eq!(
        roles,
        [
            "arn:aws-cn:iam::111111111111:role/web",
            "arn:aws:iam::111111111111:role/nodes",
            "arn:aws:iam::111111111111:role/ops",
            "arn:aws:iam::111111111111:role/shop/cart",
            "arn:aws:iam::222222222222:role/other",
        ]
    );
    let names: Vec<&str> = mentions.role_names.iter().map(String::as_str).collect();
    assert_eq!(names, ["auto", "karpenter"]);
}

#[test]
fn images_are_found_in_every_list_of_containers() {
    let registry = "111111111111.dkr.ecr.eu-west-1.amazonaws.com";
    let digest = format!("sha256:{}", "a".repeat(64));
    let mentions = collected(&[
        json!({"kind": "Deployment", "spec": {"template": {"spec": {
            "initContainers": [{"image": format!("{registry}/shop/init:1")}],
            "containers": [{"image": format!("{registry}/shop/cart@{digest}")}, {"image": "nginx:1"},
                           {"image": "public.ecr.aws/shop/cart:1"}]}}}}),
        json!({"kind": "Pod", "spec": {"ephemeralContainers": [{"image": format!("{registry}/shop/debug:2")}]},
               "status": {"containerStatuses": [{"imageID": format!("docker-pullable://{registry}/shop/web@{digest}")}]}}),
        json!({"apiVersion": "shop.example/v1", "kind": "Shop", "spec": {"job": {"podTemplate": {"spec": {
            "containers": [{"image": format!("{registry}/shop/job:1@{digest}")}]}}}}}),
        json!({"kind": "Pod", "metadata": {"managedFields": [{"image": format!("{registry}/shop/managed:1")}]},
               "spec": {"containers": [{"image": format!("{registry}/Not/A-Name:1")}]}}),
        json!({"kind": "Secret", "data": {"image": format!("{registry}/shop/secret:1")}}),
        json!({"kind": "Pod", "spec": {"containers": [{"image": "222222222222.dkr-ecr.eu-west-1.on.aws/base:1"}]}}),
    ]);
    assert_eq!(
        shown(&mentions),
        [
            format!("111111111111 eu-west-1 shop/cart - {digest}"),
            "111111111111 eu-west-1 shop/debug 2 -".to_owned(),
            "111111111111 eu-west-1 shop/init 1 -".to_owned(),
            format!("111111111111 eu-west-1 shop/job 1 {digest}"),
            format!("111111111111 eu-west-1 shop/web - {digest}"),
            "222222222222 eu-west-1 base 1 -".to_owned(),
        ]
    );
}

#[test]
fn file_systems_are_found_in_volumes_classes_and_nfs() {
    let mentions = collected(&[
        json!({"kind": "PersistentVolume", "spec": {"csi": {"driver": "efs.csi.aws.com",
            "volumeHandle": "fs-0123456789abcdef0::fsap-0123456789abcdef1"}}}),
        json!({"kind": "PersistentVolume", "spec": {"csi": {"driver": "efs.csi.aws.com",
            "volumeHandle": "fs-01234567:/data"}}}),
        json!({"kind": "PersistentVolume", "spec": {"csi": {"driver": "ebs.csi.aws.com",
            "volumeHandle": "vol-0123456789abcdef0"}}}),
        json!({"kind": "StorageClass", "provisioner": "efs.csi.aws.com",
            "parameters": {"fileSystemId": "fs-0123456789abcdef2", "provisioningMode": "efs-ap"}}),
        json!({"kind": "PersistentVolume", "spec": {"nfs":
            {"server": "eu-west-1a.fs-0123456789abcdef3.efs.eu-west-1.amazonaws.com", "path": "/"}}}),
        json!({"kind": "PersistentVolume", "spec": {"nfs": {"server": "nfs.example", "path": "/"}}}),
        json!({"kind": "StorageClass", "parameters": {"fileSystemId": "fs-nonsense"}}),
    ]);
    let systems: Vec<&str> = mentions.file_systems.iter().map(String::as_str).collect();
    assert_eq!(
        systems,
        [
            "fs-01234567",
            "fs-0123456789abcdef0",
            "fs-0123456789abcdef2",
            "fs-0123456789abcdef3",
        ]
    );
    assert_eq!(
        mentions.access_points,
        BTreeSet::from(["fsap-0123456789abcdef1".to_owned()])
    );
}

#[test]
fn what_load_balancers_use_is_found_by_its_arn() {
    let acm = |id: &str| format!("arn:aws:acm:eu-west-1:111111111111:certificate/{id}");
    let group = |name: &str| {
        format!("arn:aws:elasticloadbalancing:eu-west-1:111111111111:targetgroup/{name}/0123456789abcdef")
    };
    let acl = "arn:aws:wafv2:eu-west-1:111111111111:regional/webacl/shop/1";
    let secret = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:shop/db-AbCdEf";
    let forward =
        json!({"type": "forward", "forwardConfig": {"targetGroups": [{"targetGroupARN": group("action")}]}});
    let mentions = collected(&[
        json!({"kind": "Ingress", "metadata": {"annotations": {
            "alb.ingress.kubernetes.io/certificate-arn": format!("{}, {}", acm("a"), acm("b")),
            "alb.ingress.kubernetes.io/wafv2-acl-arn": acl,
            "alb.ingress.kubernetes.io/actions.forward": forward.to_string(),
            "kubectl.kubernetes.io/last-applied-configuration": acm("old"),
        }}}),
        json!({"kind": "Service", "metadata": {"annotations":
            {"service.beta.kubernetes.io/aws-load-balancer-ssl-cert": acm("c")}}}),
        json!({"kind": "IngressClassParams", "spec": {"certificateArn": [acm("d")]},
               "status": {"certificateArn": [acm("status")]}}),
        json!({"kind": "LoadBalancerConfiguration", "spec": {"listenerConfigurations": [{"defaultCertificate": acm("e")}]}}),
        json!({"kind": "TargetGroupBinding", "spec": {"targetGroupARN": group("cart")}}),
        json!({"kind": "TargetGroupBinding", "metadata": {"labels": {"ingress.k8s.aws/stack-name": "cart"}},
               "spec": {"targetGroupARN": group("k8s-made")}}),
        json!({"kind": "ExternalSecret", "spec": {"data": [{"remoteRef": {"key": secret}}]}}),
        json!({"kind": "ConfigMap", "data": {"certificate": acm("text")}}),
        json!({"kind": "Secret", "stringData": {"certificate": acm("secret")}}),
    ]);
    let certificates: BTreeSet<String> = ["a", "b", "c", "d", "e"].map(acm).into();
    assert_eq!(mentions.certificates, certificates);
    assert_eq!(
        mentions.target_groups,
        BTreeSet::from([group("action"), group("cart")])
    );
    assert_eq!(mentions.web_acls, BTreeSet::from([acl.to_owned()]));
    assert_eq!(mentions.secrets, BTreeSet::from([secret.to_owned()]));
}

#[test]
fn volumes_snapshots_subnets_and_groups_are_found_by_their_fields() {
    let mentions = collected(&[
        json!({"kind": "PersistentVolume", "spec": {"csi": {"driver": "ebs.csi.aws.com",
            "volumeHandle": "vol-0123456789abcdef0"}}}),
        json!({"kind": "PersistentVolume", "spec": {"awsElasticBlockStore":
            {"volumeID": "aws://eu-west-1a/vol-0123456789abcdef1"}}}),
        json!({"kind": "VolumeSnapshotContent", "spec": {"source": {"snapshotHandle": "snap-0123456789abcdef0"}}}),
        json!({"kind": "Ingress", "metadata": {"annotations": {
            "alb.ingress.kubernetes.io/subnets": "subnet-0123456789abcdef0, public-b",
            "alb.ingress.kubernetes.io/security-groups": "sg-0123456789abcdef0,edge"}}}),
        json!({"kind": "PersistentVolume", "spec": {"cephfs": {"volumeID": "vol-x"}}}),
    ]);
    let one = |id: &str| BTreeSet::from([id.to_owned()]);
    assert_eq!(
        mentions.volumes,
        BTreeSet::from([
            "vol-0123456789abcdef0".to_owned(),
            "vol-0123456789abcdef1".to_owned()
        ])
    );
    assert_eq!(mentions.snapshots, one("snap-0123456789abcdef0"));
    assert_eq!(mentions.subnets, one("subnet-0123456789abcdef0"));
    assert_eq!(mentions.security_groups, one("sg-0123456789abcdef0"));
}

#[test]
fn buckets_are_found_at_the_places_of_their_names() {
    let mut mentions = Mentions::new();
    let annotations = json!({"metadata": {"annotations": {
        "alb.ingress.kubernetes.io/load-balancer-attributes": "idle_timeout.timeout_seconds=60,access_logs.s3.bucket=shop-logs"}}});
    for (group, resource, object) in [
        ("networking.k8s.io", "ingresses", annotations),
        (
            "",
            "persistentvolumes",
            json!({"spec": {"csi": {"volumeAttributes": {"bucketName": "shop-media"}}}}),
        ),
        ("", "configmaps", json!({"data": {"bucket": "shop-text"}})),
        (
            "",
            "persistentvolumes",
            json!({"spec": {"csi": {"volumeAttributes": {"bucketName": "${BUCKET}"}}}}),
        ),
    ] {
        mentions.collect_names((group, resource), &mut object.clone());
    }
    let expected = ["shop-logs", "shop-media"].map(str::to_owned);
    assert_eq!(mentions.buckets, expected.into());
}

/// A manifest of a later version has sorts that this version does not know, and one of an earlier version lacks some.
#[test]
fn dependencies_of_other_versions_are_read() {
    let arn = "arn:aws:acm:eu-west-1:111111111111:certificate/a";
    let mut all = BTreeMap::new();
    let mut mentions = Mentions::new();
    mentions.certificates.insert(arn.to_owned());
    mentions.volumes.insert("vol-0123456789abcdef0".to_owned());
    mentions.clone().add_to(&mut all);
    let mut listed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (sort, found) in all {
        listed.insert(sort, found.into_iter().collect());
    }
    listed.insert("queues".to_owned(), vec!["shop".to_owned()]);
    listed
        .entry("volumes".to_owned())
        .or_default()
        .push("../vol-1".to_owned());
    assert_eq!(Mentions::of(&listed), mentions);
    assert_eq!(Mentions::of(&BTreeMap::new()), Mentions::new());
}

#[test]
fn mentions_of_parts_add_up() {
    let one = json!({"kind": "Ingress", "metadata": {"annotations": {
        "alb.ingress.kubernetes.io/certificate-arn": "arn:aws:acm:eu-west-1:111111111111:certificate/a",
        "alb.ingress.kubernetes.io/subnets": "subnet-01234567"}},
        "spec": {"image": "111111111111.dkr.ecr.eu-west-1.amazonaws.com/shop/a:1"}});
    let other = json!({"kind": "StorageClass", "parameters": {"fileSystemId": "fs-01234567"}});
    let mut merged = collected(std::slice::from_ref(&one));
    merged.merge(collected(std::slice::from_ref(&other)));
    assert_eq!(merged, collected(&[one, other]));
    let text = serde_json::to_string(&merged).unwrap();
    assert_eq!(serde_json::from_str::<Mentions>(&text).unwrap(), merged);
}

#[test]
fn names_and_tags_of_subnets_and_groups_are_kept_as_filters() {
    let mentions = collected(&[
        json!({"kind": "Ingress", "metadata": {"annotations": {
            "alb.ingress.kubernetes.io/subnets": "subnet-0123456789abcdef0, public-b,,public a",
            "alb.ingress.kubernetes.io/security-groups": "edge,sg-0123456789abcdef0"}}}),
        json!({"kind": "Service", "metadata": {"annotations":
            {"service.beta.kubernetes.io/aws-load-balancer-subnets": "internal"}}}),
        json!({"apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass", "spec": {
            "subnetSelectorTerms": [{"tags": {"karpenter.sh/discovery": "orders", "stage": "*"}},
                {"id": "subnet-0123456789abcdef0"}],
            "securityGroupSelectorTerms": [{"name": "nodes"}, {"tags": {}}]}}),
        json!({"apiVersion": "example.com/v1", "kind": "NodeClass",
            "spec": {"subnetSelectorTerms": [{"tags": {"of": "others"}}]}}),
        json!({"kind": "IngressClassParams", "spec": {"subnets": {"tags": {"role": ["elb", "public"]}}}}),
        json!({"kind": "LoadBalancerConfiguration", "spec": {"securityGroups": ["lb"],
            "loadBalancerSubnetsSelector": {"tier": ["edge"]}, "loadBalancerSubnets": [{"identifier": "dmz"}]}}),
    ]);
    let shown = |filters: &BTreeSet<Filters>| -> Vec<String> { filters.iter().map(Filters::shown).collect() };
    assert_eq!(
        shown(&mentions.subnet_filters),
        [
            "tag:Name=dmz",
            "tag:Name=internal",
            "tag:Name=public a",
            "tag:Name=public-b",
            "tag:karpenter.sh/discovery=orders and tag:stage=*",
            "tag:role=elb,public",
            "tag:tier=edge",
        ]
    );
    assert_eq!(
        shown(&mentions.security_group_filters),
        ["group-name=nodes", "tag:Name=edge", "tag:Name=lb"]
    );
    let mut listed = BTreeMap::new();
    mentions.clone().add_to(&mut listed);
    let mut listed: BTreeMap<String, Vec<String>> = listed
        .into_iter()
        .map(|(sort, found)| (sort, found.into_iter().collect()))
        .collect();
    for text in ["public-b", "{\"vpc-id\":[\"vpc-1\"]}", "[]"] {
        listed.get_mut("subnetFilters").unwrap().push(text.to_owned());
    }
    assert_eq!(Mentions::of(&listed), mentions);
}

#[test]
fn roles_of_identity_center_are_found_wherever_they_stand() {
    let sso =
        "arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Ops_0123456789abcdef";
    let mentions = collected(&[json!({"kind": "Bucket", "spec": {"policy": format!(
        "{{\"Principal\":{{\"AWS\":[\"{sso}\",\"arn:aws:iam::111111111111:role/other\"]}}}}")}})]);
    assert_eq!(mentions.role_arns, BTreeSet::from([sso.to_owned()]));
}
