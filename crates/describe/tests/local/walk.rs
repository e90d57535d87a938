//! The sample is described, in whole and with permissions missing.

use lifeboat_aws::AwsContext;
use lifeboat_describe::{ACTIONS, Wanted, describe};
use lifeboat_infrastructure::description::access::AccessEntryType;
use lifeboat_infrastructure::description::cluster::AuthenticationMode;
use lifeboat_infrastructure::description::data::VolumeType;
use lifeboat_infrastructure::description::load_balancing::{
    CertificateStatus, CertificateType, KeyAlgorithm, Protocol, TargetType,
};
use lifeboat_infrastructure::description::storage::{ImageTagMutability, KeyManager};
use lifeboat_infrastructure::{Descriptions, Mentions};
use lifeboat_local::conformance::Conformance;
use lifeboat_model::AccountId;
use serde_json::json;

use crate::fixture::{administrator, context};
use crate::sample::{self, Made, OF_IDENTITY_CENTER, make};

const ACCOUNT: &str = "111111111111";

/// Returns what the objects of an application mention.
pub(crate) fn mentions(made: &Made, account: &str) -> Mentions {
    let mut mentions = Mentions::new();
    for object in [
        json!({"kind": "ServiceAccount", "metadata": {"annotations":
            {"eks.amazonaws.com/role-arn": format!("arn:aws:iam::{account}:role/shop/cart")}}}),
        json!({"kind": "Pod", "spec": {"containers":
            [{"image": format!("{account}.dkr.ecr.eu-west-1.amazonaws.com/shop/cart:1")}]}}),
        json!({"kind": "StorageClass", "parameters": {"fileSystemId": made.file_system}}),
        json!({"kind": "PersistentVolume", "spec": {"csi": {"volumeHandle": made.network["Volume"]}}}),
        json!({"kind": "Ingress", "metadata": {"annotations":
            {"alb.ingress.kubernetes.io/certificate-arn": made.certificate}}}),
        json!({"kind": "Ingress", "metadata": {"annotations":
            {"alb.ingress.kubernetes.io/wafv2-acl-arn": made.web_acl}}}),
        json!({"kind": "ConfigMap", "metadata": {"name": "aws-auth", "namespace": "kube-system"}, "data": {"mapRoles":
            format!("- rolearn: arn:aws:iam::{account}:role/{OF_IDENTITY_CENTER}\n  groups: [operators]\n")}}),
        json!({"kind": "TargetGroupBinding", "spec": {"targetGroupARN": made.target_group}}),
    ] {
        mentions.collect(&object);
    }
    mentions
}

/// Creates a user who may do all but these actions.
async fn user_without(aws: &Conformance, administrator: &AwsContext, denied: &[&str]) -> AwsContext {
    let client = aws_sdk_iam::Client::new(administrator.sdk_config());
    client.create_user().user_name("reader").send().await.unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ACTIONS, "Resource": "*"},
        {"Effect": "Deny", "Action": denied, "Resource": "*"}]});
    (client.put_user_policy())
        .user_name("reader")
        .policy_name("reader")
        .policy_document(policy.to_string())
        .send()
        .await
        .unwrap();
    let answer = client
        .create_access_key()
        .user_name("reader")
        .send()
        .await
        .unwrap();
    let keys = answer.access_key().unwrap();
    context(
        &aws.account(ACCOUNT).endpoint,
        keys.access_key_id(),
        keys.secret_access_key(),
    )
}

/// One test, because the cluster takes the longest: a control plane is started for it.
pub(crate) async fn an_application_is_described_and_gaps_are_named(aws: &Conformance) {
    let context = administrator(aws, ACCOUNT);
    let made = make(&context, ACCOUNT).await;
    let issuer = sample::cluster(aws, &context, ACCOUNT, &made).await;
    let wanted = Wanted {
        mentions: mentions(&made, ACCOUNT),
        ..Wanted::new(AccountId::parse(ACCOUNT).unwrap(), ["orders".to_owned()])
    };
    let found = describe(&context, &wanted).await.unwrap();
    for call in ACTIONS {
        let refused = found.missing.iter().find(|missing| missing.call == *call);
        aws.answered(call, refused.map_or(Ok(()), Err));
    }
    cluster(aws, &found, &made);
    access(aws, &found);
    identities(aws, &found, &issuer);
    storage(aws, &found, &made);
    load_balancing(aws, &found, &made);
    assert_eq!(found.vpcs[0].vpc_id, made.network["Vpc"]);
    assert_eq!(found.subnets.len(), 2);
    let text = serde_json::to_vec(&found).unwrap();
    assert_eq!(Descriptions::parse(&text).unwrap(), found);
    let again = describe(&context, &wanted).await.unwrap();
    assert_eq!(serde_json::to_vec(&again).unwrap(), text);
    gaps_are_named(aws, &context, &wanted).await;
}

async fn gaps_are_named(aws: &Conformance, context: &AwsContext, wanted: &Wanted) {
    let mut denied = [
        "ecr:GetLifecyclePolicy",
        "eks:ListAddons",
        "ec2:DescribeNetworkAcls",
        "iam:GetRolePolicy",
        "kms:GetKeyPolicy",
        "acm:DescribeCertificate",
    ];
    let reader = user_without(aws, context, &denied).await;
    let found = describe(&reader, wanted).await.unwrap();
    let mut calls: Vec<&str> = found.missing.iter().map(|one| one.call.as_str()).collect();
    calls.sort_unstable();
    calls.dedup();
    denied.sort_unstable();
    if !aws.same(
        "iam:PutUserPolicy",
        "calls that a policy denies",
        calls.as_slice(),
        denied.as_slice(),
    ) {
        return;
    }
    for missing in &found.missing {
        assert!(
            missing.code.starts_with("AccessDenied") || missing.code == "UnauthorizedOperation",
            "{missing:?}"
        );
    }
    assert!(found.network_acls.is_empty() && found.clusters[0].addons.is_empty());
    assert_eq!(found.clusters[0].nodegroups.len(), 1);
}

fn cluster(aws: &Conformance, found: &Descriptions, made: &Made) {
    let [cluster] = found.clusters.as_slice() else {
        panic!("{:?}", found.clusters);
    };
    assert_eq!(
        cluster.arn,
        format!("arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/orders")
    );
    let vpc = &cluster.resources_vpc_config;
    let call = "eks:DescribeCluster";
    aws.same(call, "vpcId", vpc.vpc_id.as_ref(), Some(&made.network["Vpc"]));
    aws.same(
        call,
        "clusterSecurityGroupId",
        vpc.cluster_security_group_id.is_some(),
        true,
    );
    assert_eq!(vpc.security_group_ids, [made.network["Group"].clone()]);
    assert_eq!(
        (vpc.endpoint_public_access, vpc.endpoint_private_access),
        (true, false)
    );
    aws.same(
        call,
        "accessConfig",
        cluster
            .access_config
            .as_ref()
            .and_then(|config| config.authentication_mode),
        Some(AuthenticationMode::ApiAndConfigMap),
    );
    assert_eq!(cluster.tags["team"], "shop");
    let provider = cluster.encryption_config[0].provider.as_ref().unwrap();
    assert_eq!(provider.key_arn.as_ref(), Some(&made.key));
    let [group] = cluster.nodegroups.as_slice() else {
        panic!("{:?}", cluster.nodegroups);
    };
    assert_eq!(
        (group.nodegroup_name.as_str(), group.labels["pool"].as_str()),
        ("general", "general")
    );
    assert_eq!(group.scaling_config.as_ref().unwrap().max_size, Some(3));
    assert_eq!(
        group.launch_template.as_ref().unwrap().id.as_ref(),
        Some(&made.network["Template"])
    );
    // They are part of a launch template where there is one.
    let call = "eks:DescribeNodegroup";
    aws.same(call, "diskSize", group.disk_size, None);
    aws.same(call, "remoteAccess", group.remote_access.is_some(), false);
    let [template] = found.launch_templates.as_slice() else {
        panic!("{:?}", found.launch_templates);
    };
    assert_eq!(
        (template.version_number, &template.launch_template_id),
        (1, &made.network["Template"])
    );
    assert_eq!(
        template.launch_template_data.user_data.as_ref().unwrap().0,
        "c2hvcA=="
    );
    let [profile] = cluster.fargate_profiles.as_slice() else {
        panic!("{:?}", cluster.fargate_profiles);
    };
    assert_eq!(profile.selectors[0].namespace.as_deref(), Some("batch"));
}

/// What is read only if the implementation has it.
fn access(aws: &Conformance, found: &Descriptions) {
    let cluster = &found.clusters[0];
    if aws.has("eks:ListAddons") {
        assert_eq!(cluster.addons[0].addon_name, "vpc-cni");
    }
    if aws.has("eks:ListAccessEntries") {
        let role = format!("arn:aws:iam::{ACCOUNT}:role/operators");
        let entries = &cluster.access_entries;
        let entry = entries.iter().find(|entry| entry.principal_arn == role).unwrap();
        assert_eq!(
            (entry.r#type, entry.kubernetes_groups.as_slice()),
            (AccessEntryType::Standard, ["operators".to_owned()].as_slice())
        );
        assert_eq!(entry.access_policies[0].access_scope.namespaces, ["shop"]);
    }
    if aws.has("eks:ListPodIdentityAssociations") {
        assert_eq!(cluster.pod_identity_associations[0].service_account, "mail");
    }
    if aws.has("eks:ListIdentityProviderConfigs") {
        assert_eq!(cluster.identity_provider_configs[0].client_id, "kubernetes");
    }
}

fn identities(aws: &Conformance, found: &Descriptions, issuer: &str) {
    let names: Vec<&str> = found.roles.iter().map(|role| role.role_name.as_str()).collect();
    for name in ["cart", "cluster", "fargate", "nodes"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for (name, named_by) in [
        ("mail", "eks:ListPodIdentityAssociations"),
        ("operators", "eks:ListAccessEntries"),
    ] {
        assert_eq!(names.contains(&name), aws.has(named_by), "{names:?}");
    }
    let made_by_aws = found.roles.iter().find(|role| role.is_reserved()).unwrap();
    assert_eq!(made_by_aws.permission_set(), Some("Operators"));
    let cart = found.roles.iter().find(|role| role.role_name == "cart").unwrap();
    assert_eq!(cart.arn, format!("arn:aws:iam::{ACCOUNT}:role/shop/cart"));
    assert_eq!(cart.path, "/shop/");
    assert_eq!(
        cart.inline_policies["bucket"].0["Statement"][0]["Action"],
        "s3:GetObject"
    );
    assert_eq!(
        cart.permissions_boundary,
        Some(format!("arn:aws:iam::{ACCOUNT}:policy/boundary"))
    );
    let policies: Vec<&str> = found
        .policies
        .iter()
        .map(|policy| policy.policy_name.as_str())
        .collect();
    assert_eq!(policies, ["boundary", "nodes"]);
    let [profile] = found.instance_profiles.as_slice() else {
        panic!("{:?}", found.instance_profiles);
    };
    assert_eq!(profile.roles, ["nodes"]);
    let [provider] = found.oidc_providers.as_slice() else {
        panic!("{:?}", found.oidc_providers);
    };
    assert!(issuer.ends_with(&provider.url), "{provider:?}");
    assert_eq!(provider.client_id_list, ["sts.amazonaws.com"]);
}

fn storage(aws: &Conformance, found: &Descriptions, made: &Made) {
    let [repository] = found.repositories.as_slice() else {
        panic!("{:?}", found.repositories);
    };
    assert_eq!(
        repository.image_tag_mutability,
        Some(ImageTagMutability::Immutable)
    );
    let lifecycle = repository.lifecycle_policy.as_ref().unwrap();
    assert_eq!(lifecycle.0["rules"][0]["rulePriority"], 1);
    assert_eq!(repository.policy, None);
    assert_eq!(repository.tags["team"], "shop");
    let [rule] = found.registry.as_ref().unwrap().replication_rules.as_slice() else {
        panic!("{:?}", found.registry);
    };
    assert_eq!(
        (
            rule.destinations[0].region.as_str(),
            rule.destinations[0].registry_id.as_str()
        ),
        ("eu-central-1", "222222222222")
    );
    assert_eq!(rule.repository_filters[0].filter, "shop/");
    let [system] = found.file_systems.as_slice() else {
        panic!("{:?}", found.file_systems);
    };
    assert_eq!(
        (system.encrypted, system.kms_key_id.as_ref()),
        (Some(true), Some(&made.key))
    );
    assert_eq!(system.tags["Name"], "carts");
    assert_eq!(
        system.lifecycle_policies[0].transition_to_ia.as_deref(),
        Some("AFTER_30_DAYS")
    );
    let point = &system.access_points[0];
    assert_eq!(point.access_point_id, made.access_point);
    assert_eq!(point.posix_user.as_ref().unwrap().uid, 1000);
    let root = point.root_directory.as_ref().unwrap();
    assert_eq!(root.path.as_deref(), Some("/carts"));
    assert_eq!(root.creation_info.as_ref().unwrap().permissions, "0750");
    assert_eq!(
        system.mount_targets[0].security_groups,
        [made.network["Group"].clone()]
    );
    let key = found.keys.iter().find(|key| key.arn == made.key).unwrap();
    assert_eq!(key.key_manager, KeyManager::Customer);
    assert_eq!(
        (key.aliases.as_slice(), key.enable_key_rotation),
        (["alias/shop".to_owned()].as_slice(), Some(true))
    );
    assert!(key.policy.is_some());
    aws.same("kms:DescribeKey", "MultiRegion", key.multi_region, Some(false));
    assert_eq!(key.tags["team"], "shop");
}

fn load_balancing(aws: &Conformance, found: &Descriptions, made: &Made) {
    let [certificate] = found.certificates.as_slice() else {
        panic!("{:?}", found.certificates);
    };
    assert_eq!(certificate.certificate_arn, made.certificate);
    let domains: Vec<String> = certificate.domains().into_iter().collect();
    assert_eq!(domains, ["shop.example", "www.shop.example"]);
    assert_eq!(certificate.r#type, Some(CertificateType::AmazonIssued));
    assert_eq!(certificate.status, Some(CertificateStatus::Issued));
    aws.same(
        "acm:RequestCertificate",
        "KeyAlgorithm",
        certificate.key_algorithm,
        Some(KeyAlgorithm::EcPrime256v1),
    );
    assert_eq!(certificate.tags["team"], "shop");
    let [group] = found.target_groups.as_slice() else {
        panic!("{:?}", found.target_groups);
    };
    assert_eq!(
        (&group.target_group_arn, group.target_group_name.as_str()),
        (&made.target_group, "cart")
    );
    assert_eq!(
        (group.protocol, group.port, group.target_type),
        (Some(Protocol::Http), Some(8080), Some(TargetType::Ip))
    );
    assert_eq!(group.vpc_id.as_ref(), Some(&made.network["Vpc"]));
    let check = group.health_check.as_ref().unwrap();
    assert_eq!(check.path.as_deref(), Some("/healthz"));
    assert_eq!(group.tags["app"], "cart");
    let [volume] = found.volumes.as_slice() else {
        panic!("{:?}", found.volumes);
    };
    assert_eq!(volume.volume_id, made.network["Volume"]);
    assert_eq!(volume.size, Some(20));
    aws.same(
        "cloudformation:CreateStack",
        "VolumeType of AWS::EC2::Volume",
        volume.volume_type,
        Some(VolumeType::Gp3),
    );
    assert_eq!(volume.availability_zone.as_deref(), Some("eu-west-1a"));
}
