//! What is kept and what is translated, row by row, and what is refused.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lifeboat_infrastructure::description::storage::Image;
use lifeboat_infrastructure::{
    Adoption, Descriptions, Generated, Mode, RecoveryFacts, Severity, Stack, generate, identity_map,
    replicas, symbols,
};
use lifeboat_model::{AccountId, Code, Region};
use lifeboat_translate::Identities;
use serde_json::{Value, json};

use crate::sample;

const OTHER: &str = "222222222222";
const SAME: &str = "111111111111";

fn orders() -> Stack {
    Stack::Cluster("orders".to_owned())
}

/// Generates an active stack of the sample after a change of its document.
fn changed(stack: &Stack, facts: &RecoveryFacts, change: impl FnOnce(&mut Value)) -> Generated {
    let mut document: Value = serde_json::from_slice(sample::DOCUMENT).unwrap();
    change(&mut document);
    let descriptions: Descriptions = serde_json::from_value(document).unwrap();
    generate(&descriptions, facts, stack, Mode::Active)
}

fn active(stack: &Stack) -> Value {
    let generated = changed(stack, &sample::facts(OTHER), |_| {});
    generated.template.unwrap().json()
}

/// Returns the codes of findings of a severity.
fn codes(generated: &Generated, severity: Severity) -> Vec<Code> {
    let found = generated
        .findings
        .iter()
        .filter(|finding| finding.severity == severity);
    found.map(|finding| finding.code).collect()
}

fn property<'a>(template: &'a Value, logical: &str, path: &str) -> &'a Value {
    template
        .pointer(&format!("/Resources/{logical}/Properties{path}"))
        .unwrap_or(&Value::Null)
}

#[test]
fn a_cluster_keeps_its_properties() {
    let template = active(&orders());
    for (path, expected) in [
        ("/Name", json!("orders")),
        ("/Version", json!("1.33")),
        ("/BootstrapSelfManagedAddons", json!(false)),
        (
            "/AccessConfig",
            json!({"AuthenticationMode": "API_AND_CONFIG_MAP", "BootstrapClusterCreatorAdminPermissions": false}),
        ),
        (
            "/KubernetesNetworkConfig",
            json!({"IpFamily": "ipv4", "ServiceIpv4Cidr": "172.20.0.0/16"}),
        ),
        (
            "/Logging",
            json!({"ClusterLogging": {"EnabledTypes": [{"Type": "api"}, {"Type": "audit"}]}}),
        ),
        ("/UpgradePolicy", json!({"SupportType": "STANDARD"})),
        ("/ZonalShiftConfig", json!({"Enabled": true})),
        ("/DeletionProtection", json!(false)),
        ("/RoleArn", json!({"Ref": "RoleShopCluster"})),
        (
            "/ResourcesVpcConfig",
            json!({"EndpointPrivateAccess": true, "EndpointPublicAccess": true,
                "PublicAccessCidrs": ["203.0.113.0/24"], "SecurityGroupIds": [{"Ref": "SecurityGroupShop"}],
                "SubnetIds": [{"Ref": "SubnetPrivateA"}, {"Ref": "SubnetPrivateB"}]}),
        ),
    ] {
        assert_eq!(property(&template, "Cluster", path), &expected, "{path}");
    }
    let key = json!({"Fn::Join": ["", ["arn:aws:kms:eu-central-1:222222222222:key/", {"Ref": "KeyShop"}]]});
    assert_eq!(
        property(&template, "Cluster", "/EncryptionConfig"),
        &json!([{"Provider": {"KeyArn": key}, "Resources": ["secrets"]}])
    );
}

/// The delegate in the VPC of a private cluster is not its creator, and nobody outside can add it to `aws-auth`.
#[test]
fn a_private_cluster_with_aws_auth_only_gets_access_entries_too() {
    let generate = |public: bool| {
        let generated = changed(&orders(), &sample::facts(OTHER), |document| {
            let cluster = &mut document["clusters"][0];
            cluster["accessConfig"] = json!({"authenticationMode": "CONFIG_MAP"});
            cluster["resourcesVpcConfig"]["endpointPublicAccess"] = json!(public);
        });
        let changed = codes(&generated, Severity::Warning).contains(&Code::PropertyNotKept);
        let template = generated.template.unwrap().json();
        let mode = property(&template, "Cluster", "/AccessConfig/AuthenticationMode").clone();
        (mode, changed)
    };
    assert_eq!(generate(true), (json!("CONFIG_MAP"), false));
    assert_eq!(generate(false), (json!("API_AND_CONFIG_MAP"), true));
}

#[test]
fn clusters_keep_auto_mode_hybrid_networks_and_scaling() {
    let generated = changed(&orders(), &sample::facts(OTHER), |document| {
        let cluster = &mut document["clusters"][0];
        cluster["computeConfig"] = json!({"enabled": true, "nodePools": ["system"],
            "nodeRoleArn": "arn:aws:iam::111111111111:role/shop-nodes"});
        cluster["storageConfig"] = json!({"blockStorage": {"enabled": true}});
        cluster["remoteNetworkConfig"] = json!({"remoteNodeNetworks": [{"cidrs": ["10.80.0.0/16"]}]});
        cluster["controlPlaneScalingConfig"] = json!({"tier": "tier-xl"});
        cluster["kubeApiServerConfig"] = json!({"eventTtl": "2h"});
    });
    assert_eq!(codes(&generated, Severity::Warning), [Code::PropertyNotKept]);
    let template = generated.template.unwrap().json();
    assert_eq!(
        property(&template, "Cluster", "/ComputeConfig/NodeRoleArn"),
        &json!({"Ref": "RoleShopNodes"})
    );
    assert_eq!(
        property(&template, "Cluster", "/StorageConfig"),
        &json!({"BlockStorage": {"Enabled": true}})
    );
    assert_eq!(
        property(
            &template,
            "Cluster",
            "/RemoteNetworkConfig/RemoteNodeNetworks/0/Cidrs/0"
        ),
        "10.80.0.0/16"
    );
    assert_eq!(
        property(&template, "Cluster", "/ControlPlaneScalingConfig/Tier"),
        "tier-xl"
    );
}

#[test]
fn node_groups_keep_theirs_and_get_the_launch_template() {
    let template = active(&orders());
    let group = |path: &str| property(&template, "NodegroupGeneral", path).clone();
    for (path, expected) in [
        ("/AmiType", json!("AL2023_x86_64_STANDARD")),
        ("/CapacityType", json!("ON_DEMAND")),
        ("/InstanceTypes", json!(["m6i.large", "m5.large"])),
        ("/Labels", json!({"pool": "general"})),
        (
            "/Taints",
            json!([{"Key": "dedicated", "Value": "shop", "Effect": "NO_SCHEDULE"}]),
        ),
        (
            "/ScalingConfig",
            json!({"MinSize": 1, "MaxSize": 4, "DesiredSize": 2}),
        ),
        ("/UpdateConfig", json!({"MaxUnavailable": 1})),
        ("/Version", json!("1.33")),
        ("/ReleaseVersion", json!("1.33.5-20261101")),
        ("/NodeRole", json!({"Ref": "RoleShopNodes"})),
        (
            "/Tags",
            json!({"lifeboat.dev/application": "shop", "team": "shop"}),
        ),
    ] {
        assert_eq!(group(path), expected, "{path}");
    }
    let launch = group("/LaunchTemplate/Id")["Ref"].as_str().unwrap().to_owned();
    let own = json!({"Fn::GetAtt": ["Cluster", "ClusterSecurityGroupId"]});
    assert_eq!(
        property(&template, &launch, "/LaunchTemplateData/SecurityGroupIds"),
        &json!([own, {"Ref": "SecurityGroupShop"}])
    );
    let data = property(&template, &launch, "/LaunchTemplateData/UserData");
    let data = STANDARD.decode(data.as_str().unwrap()).unwrap();
    assert!(
        String::from_utf8(data)
            .unwrap()
            .contains("echo region eu-central-1")
    );
}

#[test]
fn user_data_gets_the_endpoint_and_the_certificate_of_the_new_cluster() {
    let generated = changed(&orders(), &sample::facts(OTHER), |document| {
        let text = "--apiserver-endpoint https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com \
                    --b64-cluster-ca LS0tLS1CRUdJTg== ${HOME}";
        document["launchTemplates"][0]["launchTemplateData"]["userData"] = json!(STANDARD.encode(text));
    });
    let template = generated.template.unwrap().json();
    let launch = property(&template, "NodegroupGeneral", "/LaunchTemplate/Id/Ref");
    let path = "/LaunchTemplateData/UserData/Fn::Base64/Fn::Join/1";
    let endpoint =
        json!({"Fn::Select": [1, {"Fn::Split": ["https://", {"Fn::GetAtt": ["Cluster", "Endpoint"]}]}]});
    assert_eq!(
        property(&template, launch.as_str().unwrap(), path),
        &json!(["--apiserver-endpoint https://", endpoint, " --b64-cluster-ca ",
                {"Fn::GetAtt": ["Cluster", "CertificateAuthorityData"]}, " ${HOME}"])
    );
}

#[test]
fn profiles_access_and_pod_identities_are_made_for_the_recovery_account() {
    let template = active(&orders());
    let profile = |path: &str| property(&template, "FargateProfileBatch", path).clone();
    assert_eq!(profile("/PodExecutionRoleArn"), json!({"Ref": "RoleShopFargate"}));
    assert_eq!(
        profile("/Selectors"),
        json!([{"Namespace": "batch", "Labels": [{"Key": "compute", "Value": "fargate"}]}])
    );
    assert_eq!(
        property(&template, "DelegateAccess", "/PrincipalArn"),
        "arn:aws:iam::222222222222:role/lifeboat-shop-recovery"
    );
    let of_type = |name: &str| {
        let resources = template["Resources"].as_object().unwrap().values();
        resources.filter(|one| one["Type"] == name).count()
    };
    // The delegate and the operators; EKS makes the entry of the nodes itself.
    assert_eq!(of_type("AWS::EKS::AccessEntry"), 2);
    assert_eq!(of_type("AWS::EKS::PodIdentityAssociation"), 1);
    assert_eq!(of_type("AWS::EKS::Addon"), 0);
    let web = active(&Stack::Cluster("web".to_owned()));
    assert_eq!(
        property(
            &web,
            "Cluster",
            "/AccessConfig/BootstrapClusterCreatorAdminPermissions"
        ),
        true
    );
    assert!(web["Resources"].get("DelegateAccess").is_none());
}

#[test]
fn addons_are_made_only_when_they_are_asked_for() {
    let facts = RecoveryFacts {
        managed_addons: true,
        ..sample::facts(OTHER)
    };
    let template = changed(&orders(), &facts, |_| {}).template.unwrap().json();
    let addon = |path: &str| property(&template, "AddonVpcCni", path).clone();
    assert_eq!(addon("/AddonVersion"), "v1.20.4-eksbuild.2");
    assert_eq!(addon("/ResolveConflicts"), "OVERWRITE");
    assert_eq!(addon("/ConfigurationValues"), r#"{"env":{"WARM_IP_TARGET":"2"}}"#);
}

#[test]
fn roles_wait_for_the_issuer_and_name_nothing_of_the_primary() {
    let first = active(&Stack::Identity);
    assert!(first["Resources"].get("RoleCart").is_none());
    let source = "/AssumeRolePolicyDocument/Statement/0/Condition/ArnLike/aws:SourceArn";
    assert_eq!(
        property(&first, "RoleShopFargate", source),
        "arn:aws:eks:eu-central-1:222222222222:fargateprofile/orders/*"
    );
    let facts = sample::facts_of_second_pass(&sample::descriptions(), OTHER);
    let second = changed(&Stack::Identity, &facts, |_| {}).template.unwrap().json();
    let issuer = &facts.issuers["orders"];
    let statement = property(&second, "RoleCart", "/AssumeRolePolicyDocument/Statement/0");
    assert_eq!(
        statement["Principal"]["Federated"],
        format!("arn:aws:iam::222222222222:oidc-provider/{issuer}")
    );
    assert_eq!(
        statement["Condition"]["StringEquals"][format!("{issuer}:sub")],
        "system:serviceaccount:shop:cart"
    );
    assert!(!second.to_string().contains("111111111111"));
}

#[test]
fn in_the_same_account_roles_are_copies_with_the_region_in_their_names() {
    let facts = sample::facts_of_second_pass(&sample::descriptions(), SAME);
    let generated = changed(&Stack::Identity, &facts, |_| {});
    let template = generated.template.unwrap().json();
    for (logical, resource) in template["Resources"].as_object().unwrap() {
        let properties = &resource["Properties"];
        let name = properties.get("RoleName").or(properties.get("ManagedPolicyName"));
        let name = name.map_or("-eu-central-1", |name| name.as_str().unwrap());
        assert!(name.ends_with("-eu-central-1"), "{logical}: {name}");
    }
}

/// With another boundary a role would be allowed more, and with one of the stack whoever writes the template would choose.
#[test]
fn a_role_has_a_boundary_that_the_recovery_side_allows() {
    let (first, second) = (
        "arn:aws:iam::222222222222:policy/boundary",
        "arn:aws:iam::222222222222:policy/zone/databases",
    );
    let own = "arn:aws:iam::111111111111:policy/databases";
    let of_stack = "arn:aws:iam::111111111111:policy/shop/cart";
    let allowed = [first, second].map(str::to_owned).to_vec();
    // The boundaries that are allowed, that of the role in the primary, its counterpart; and that of the role then.
    for (allowed, primary, mapped, expected) in [
        (vec![], None, None, Ok(Value::Null)),
        (vec![], Some(of_stack), None, Ok(json!({"Ref": "PolicyCart"}))),
        (allowed.clone(), None, None, Ok(json!(first))),
        (allowed.clone(), Some(own), Some(second), Ok(json!(second))),
        (
            allowed.clone(),
            Some(own),
            Some("arn:aws:iam::222222222222:policy/other"),
            Err(Code::BoundaryNotAllowed),
        ),
        (
            allowed.clone(),
            Some(of_stack),
            None,
            Err(Code::BoundaryNotAllowed),
        ),
        (allowed, Some(own), None, Err(Code::CounterpartUnknown)),
    ] {
        let mut facts = sample::facts_of_second_pass(&sample::descriptions(), OTHER);
        facts.permissions_boundaries = allowed;
        facts.adopted = mapped.iter().map(|to| Adoption::mapped(own, *to)).collect();
        let generated = changed(&Stack::Identity, &facts, |document| {
            document["roles"][0]["permissionsBoundary"] = json!(primary);
        });
        let errors = codes(&generated, Severity::Error);
        let template = generated.template.unwrap().json();
        match expected {
            Ok(boundary) => {
                assert_eq!(errors, [], "{primary:?} {mapped:?}");
                let built = property(&template, "RoleShopCluster", "/PermissionsBoundary");
                assert_eq!(*built, boundary, "{primary:?} {mapped:?}");
            }
            Err(code) => {
                assert_eq!(errors, [code], "{primary:?} {mapped:?}");
                assert!(template["Resources"].get("RoleShopCluster").is_none());
            }
        }
    }
}

/// CloudFormation tags neither, so that the path says whose they are.
#[test]
fn policies_and_instance_profiles_are_in_the_path_of_the_application() {
    let facts = sample::facts_of_second_pass(&sample::descriptions(), OTHER);
    let template = changed(&Stack::Identity, &facts, |_| {}).template.unwrap().json();
    assert_eq!(property(&template, "PolicyCart", "/Path"), "/lifeboat/shop/shop/");
    let map = symbols(&sample::descriptions(), &facts);
    let to = Identities::compile(&map).image("arn:aws:iam::111111111111:policy/shop/cart");
    assert_eq!(
        to.as_deref(),
        Some("arn:aws:iam::222222222222:policy/lifeboat/shop/shop/cart")
    );
}

#[test]
fn what_cannot_be_recovered_is_refused_with_a_code() {
    let facts = || sample::facts(OTHER);
    let mapped = |from: &str, to: &str| Adoption::mapped(from, to);
    let subnet = "subnet-000000000000000a0";
    let with = |adopted: Vec<Adoption>| RecoveryFacts { adopted, ..facts() };
    type Change = fn(&mut Value);
    let nothing: Change = |_| {};
    let cases: Vec<(&str, Stack, RecoveryFacts, Change, Code)> = vec![
        (
            "an Outpost",
            orders(),
            facts(),
            |d| d["clusters"][0]["outpostConfig"] = json!({"outpostArns": ["arn:aws:outposts:x"]}),
            Code::ClusterOnOutposts,
        ),
        (
            "a version",
            orders(),
            facts(),
            |d| d["clusters"][0]["version"] = json!("1.27"),
            Code::VersionNotOffered,
        ),
        (
            "a trust",
            Stack::Identity,
            facts(),
            |d| d["roles"][0]["assumeRolePolicyDocument"] = json!({"Statement": "none"}),
            Code::TrustUnreadable,
        ),
        (
            "a key",
            orders(),
            facts(),
            |d| d["roles"][0]["inlinePolicies"] = json!({}),
            Code::KeyNotUsable,
        ),
        (
            "a long policy",
            Stack::Identity,
            facts(),
            |d| d["policies"][0]["document"]["Statement"][0]["Sid"] = json!("s".repeat(6_200)),
            Code::PolicyTooLarge,
        ),
        (
            "many resources",
            Stack::Storage,
            facts(),
            |d| {
                let one = d["repositories"][0].clone();
                let many = (0..501).map(|n| {
                    let mut other = one.clone();
                    other["repositoryName"] = json!(format!("r{n}"));
                    other
                });
                d["repositories"] = many.collect();
            },
            Code::TemplateTooLarge,
        ),
        (
            "two candidates",
            Stack::Network,
            with(vec![
                mapped(subnet, "subnet-0bbbbbbbbbbbbbbb1"),
                mapped(subnet, "subnet-0bbbbbbbbbbbbbbb2"),
            ]),
            nothing,
            Code::AdoptionAmbiguous,
        ),
        (
            "an unknown mapping",
            Stack::Network,
            with(vec![mapped(
                "subnet-0ccccccccccccccc1",
                "subnet-0bbbbbbbbbbbbbbb1",
            )]),
            nothing,
            Code::MappingInvalid,
        ),
        (
            "two mapped to one",
            Stack::Network,
            with(vec![
                mapped(subnet, "subnet-0bbbbbbbbbbbbbbb1"),
                mapped("subnet-000000000000000a1", "subnet-0bbbbbbbbbbbbbbb1"),
            ]),
            nothing,
            Code::MappingInvalid,
        ),
        (
            "a mapping to what does not exist",
            Stack::Network,
            RecoveryFacts {
                existing: Some(BTreeSet::from(["subnet-0bbbbbbbbbbbbbbb9".to_owned()])),
                ..with(vec![mapped(subnet, "subnet-0bbbbbbbbbbbbbbb1")])
            },
            nothing,
            Code::MappingInvalid,
        ),
        (
            "a mapping that is newer than the recovery point",
            Stack::Network,
            with(vec![mapped(subnet, "subnet-0bbbbbbbbbbbbbbb1")]),
            |d| {
                let subnets = d["subnets"].as_array_mut().unwrap();
                subnets.retain(|one| one["subnetId"] != "subnet-000000000000000a0");
                let text = d
                    .to_string()
                    .replace("subnet-000000000000000a0", "subnet-000000000000000a1");
                *d = serde_json::from_str(&text).unwrap();
            },
            Code::MappingInvalid,
        ),
        (
            "a trust without an effect",
            Stack::Identity,
            facts(),
            |d| {
                let statement = &mut d["roles"][0]["assumeRolePolicyDocument"]["Statement"][0];
                statement.as_object_mut().unwrap().remove("Effect");
            },
            Code::TrustUnreadable,
        ),
        (
            "a trust that is text",
            Stack::Identity,
            facts(),
            |d| d["roles"][0]["assumeRolePolicyDocument"] = json!("%7B%22Version%22"),
            Code::TrustUnreadable,
        ),
        (
            "a trust without anybody",
            Stack::Identity,
            facts(),
            |d| d["roles"][0]["assumeRolePolicyDocument"]["Statement"][0]["Principal"] = json!(["x"]),
            Code::TrustUnreadable,
        ),
        (
            "a long trust",
            Stack::Identity,
            facts(),
            |d| {
                let statement = &mut d["roles"][0]["assumeRolePolicyDocument"]["Statement"][0];
                statement["Sid"] = json!("s".repeat(4_100));
            },
            Code::PolicyTooLarge,
        ),
        (
            "long inline policies",
            Stack::Identity,
            facts(),
            |d| {
                let policy = |n: usize| {
                    json!({"Version": "2012-10-17", "Statement": [
                        {"Sid": format!("s{n}").repeat(2_000), "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
                    ]})
                };
                d["roles"][0]["inlinePolicies"] = json!({"a": policy(1), "b": policy(2), "c": policy(3)});
            },
            Code::PolicyTooLarge,
        ),
        (
            "many policies of a role",
            Stack::Identity,
            facts(),
            |d| {
                let policies = (0..21).map(|n| json!(format!("arn:aws:iam::aws:policy/Policy{n}")));
                d["roles"][0]["attachedPolicies"] = policies.collect();
            },
            Code::PolicyTooLarge,
        ),
        (
            "a large template",
            Stack::Storage,
            facts(),
            |d| {
                let one = d["repositories"][0].clone();
                let many = (0..200).map(|n| {
                    let mut other = one.clone();
                    other["repositoryName"] = json!(format!("r{n}"));
                    other["policy"]["Statement"][0]["Sid"] = json!("s".repeat(6_000));
                    other
                });
                d["repositories"] = many.collect();
            },
            Code::TemplateTooLarge,
        ),
        (
            "the primary environment itself",
            Stack::Network,
            RecoveryFacts::new(
                AccountId::parse(SAME).unwrap(),
                Region::parse("eu-west-1").unwrap(),
                facts().application,
            ),
            nothing,
            Code::RecoveryIsPrimary,
        ),
        (
            "a Region of another partition",
            Stack::Network,
            RecoveryFacts::new(
                AccountId::parse(OTHER).unwrap(),
                Region::parse("us-gov-west-1").unwrap(),
                facts().application,
            ),
            nothing,
            Code::PartitionsDiffer,
        ),
        (
            "an image",
            orders(),
            facts(),
            |d| d["launchTemplates"][0]["launchTemplateData"]["imageId"] = json!("ami-0aaaaaaaaaaaaaaa1"),
            Code::CounterpartUnknown,
        ),
    ];
    for (what, stack, facts, change, code) in cases {
        let generated = changed(&stack, &facts, change);
        let errors = codes(&generated, Severity::Error);
        assert!(
            errors.contains(&code) && generated.is_refused(),
            "{what}: {errors:?}"
        );
    }
    let nearest = RecoveryFacts {
        allow_nearest_version: true,
        ..facts()
    };
    let generated = changed(&orders(), &nearest, |d| {
        d["clusters"][0]["version"] = json!("1.27")
    });
    assert!(!generated.is_refused());
    assert_eq!(
        property(&generated.template.unwrap().json(), "Cluster", "/Version"),
        "1.31"
    );
}

#[test]
fn nodes_without_a_way_out_are_found_before_they_fail_to_join() {
    let generated = changed(&orders(), &sample::facts(OTHER), |document| {
        document["routeTables"][0]["routes"] = json!([]);
    });
    let found = generated
        .findings
        .iter()
        .find(|finding| finding.code == Code::NodesCutOff)
        .unwrap();
    assert!(
        found.what.ends_with("no endpoint for: ec2, ecr.dkr, sts"),
        "{}",
        found.what
    );
}

#[test]
fn what_a_cluster_would_lack_is_found_before_it_is_built() {
    type Change = fn(&mut Value);
    let cases: Vec<(&str, Change, Severity, Code, &str, &str)> = vec![
        (
            "a service-linked role",
            |d| {
                let arn = "arn:aws:iam::111111111111:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS";
                d["clusters"][0]["roleArn"] = json!(arn);
            },
            Severity::Error,
            Code::RoleIncomplete,
            "orders",
            "service-linked role",
        ),
        (
            "a cluster role without its policy",
            |d| {
                d["roles"][0]["attachedPolicies"] = json!([]);
                d["roles"][0]["inlinePolicies"] = json!({});
                d["clusters"][0]["encryptionConfig"] = json!([]);
            },
            Severity::Warning,
            Code::RoleIncomplete,
            "arn:aws:iam::111111111111:role/shop-cluster",
            "AmazonEKSClusterPolicy is not attached",
        ),
        (
            "a role of nodes without its policies",
            |d| d["roles"][1]["attachedPolicies"] = json!(["arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]),
            Severity::Warning,
            Code::RoleIncomplete,
            "arn:aws:iam::111111111111:role/shop-nodes",
            "AmazonEC2ContainerRegistryPullOnly",
        ),
        (
            "a role of Pods on Fargate without its policy",
            |d| d["roles"][2]["attachedPolicies"] = json!([]),
            Severity::Warning,
            Code::RoleIncomplete,
            "arn:aws:iam::111111111111:role/shop-fargate",
            "AmazonEKSFargatePodExecutionRolePolicy",
        ),
        (
            "a cluster role that may not describe the key",
            |d| {
                d["roles"][0]["attachedPolicies"] = json!(["arn:aws:iam::111111111111:policy/shop/cart"]);
                d["roles"][0]["inlinePolicies"]["key"]["Statement"][0]["Action"] = json!("kms:CreateGrant");
            },
            Severity::Error,
            Code::KeyNotUsable,
            "arn:aws:iam::111111111111:role/shop-cluster",
            "it lacks kms:DescribeKey on",
        ),
        (
            "private nodes without a private endpoint",
            |d| {
                d["routeTables"][0]["routes"] = json!([]);
                d["clusters"][0]["resourcesVpcConfig"]["endpointPrivateAccess"] = json!(false);
            },
            Severity::Warning,
            Code::NodesCutOff,
            "general",
            "the private endpoint of the API server",
        ),
        (
            "the security group that EKS makes",
            |d| {
                let groups = ["sg-000000000000000b1", "sg-000000000000000b4"];
                d["clusters"][0]["resourcesVpcConfig"]["securityGroupIds"] = json!(groups);
            },
            Severity::Warning,
            Code::PropertyNotKept,
            "orders",
            "sg-000000000000000b4 is left out of its security groups",
        ),
    ];
    for (case, change, severity, code, of, what) in cases {
        let generated = changed(&orders(), &sample::facts(OTHER), change);
        let found = generated
            .findings
            .iter()
            .find(|finding| (finding.code, finding.resource.as_str()) == (code, of));
        let found = found.unwrap_or_else(|| panic!("{case}: {:#?}", generated.findings));
        assert!(found.what.contains(what), "{case}: {}", found.what);
        assert_eq!(found.severity, severity, "{case}");
        assert_eq!(generated.is_refused(), severity == Severity::Error, "{case}");
        if code == Code::PropertyNotKept {
            let template = generated.template.unwrap().json();
            assert_eq!(
                property(&template, "Cluster", "/ResourcesVpcConfig/SecurityGroupIds"),
                &json!([{"Ref": "SecurityGroupShop"}])
            );
        }
    }
}

#[test]
fn an_adopted_vpc_is_its_owners() {
    let mut facts = sample::facts(OTHER);
    let vpc = sample::descriptions().vpcs[0].vpc_id.clone();
    let mut adopt = |from: &str, to: String| {
        facts.adopted.push(Adoption::mapped(from, to));
    };
    adopt(&vpc, "vpc-0bbbbbbbbbbbbbbb1".to_owned());
    for (position, subnet) in sample::descriptions().subnets.iter().enumerate() {
        adopt(&subnet.subnet_id, format!("subnet-0bbbbbbbbbbbbbb{position:02}"));
    }
    let generated = changed(&Stack::Network, &facts, |_| {});
    assert!(!generated.is_refused(), "{:#?}", generated.findings);
    let template = generated.template.unwrap();
    let types: Vec<&str> = template.resources.values().map(|one| one.r#type).collect();
    assert!(
        types
            .iter()
            .all(|name| name.starts_with("AWS::EC2::SecurityGroup")),
        "{types:?}"
    );
}

#[test]
fn symbols_become_identifiers_when_the_stacks_exist() {
    let descriptions = sample::descriptions();
    let facts = sample::facts(OTHER);
    let symbolic = symbols(&descriptions, &facts);
    assert_eq!(symbolic.faults(), []);
    let translated = |map, text: &str| Identities::compile(map).image(text);
    for (old, new) in [
        ("subnet-000000000000000a0", "${network.SubnetPrivateA}"),
        ("fs-000000000000000a1", "${storage.FileSystemMedia}"),
        ("fsap-000000000000000a1", "${storage.AccessPointMedia}"),
        ("sg-000000000000000b4", "${cluster-orders.ClusterSecurityGroup}"),
        ("eu-west-1a", "eu-central-1a"),
        ("euw1-az1", "euc1-az2"),
        (
            "https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com",
            "https://${cluster-orders.EndpointHost}",
        ),
        (
            "111111111111.dkr.ecr.eu-west-1.amazonaws.com/shop/cart",
            "222222222222.dkr.ecr.eu-central-1.amazonaws.com/shop/cart",
        ),
    ] {
        assert_eq!(translated(&symbolic, old).as_deref(), Some(new), "{old}");
    }
    let missing = identity_map(&descriptions, &facts, &BTreeMap::new()).unwrap_err();
    assert!(missing.iter().any(|one| one.output == "SubnetPrivateA"));
}

#[test]
fn a_file_system_is_replaced_by_its_replica() {
    let id = "fs-000000000000000a1";
    let replicated = |status: &str, owner: &str| {
        let change = |document: &mut Value| {
            document["fileSystems"][0]["replicationDestinations"] = json!([
                {"fileSystemId": "fs-0fedcba9876543210", "region": "eu-central-1", "ownerId": owner, "status": status},
                {"fileSystemId": "fs-0aaaaaaaaaaaaaaaa", "region": "us-east-1", "ownerId": OTHER, "status": "ENABLED"}]);
        };
        changed(&Stack::Storage, &sample::facts(OTHER), change)
    };
    let is_built = |generated: &Generated| {
        let template = generated.template.as_ref().unwrap();
        let mut resources = template.resources.values();
        resources.any(|resource| resource.r#type == "AWS::EFS::FileSystem")
    };
    let about = |generated: &Generated| {
        let mut findings = generated.findings.iter().filter(|finding| finding.resource == id);
        let found = findings.next().map(|finding| (finding.severity, finding.code));
        assert_eq!(findings.next(), None);
        found
    };
    let enabled = replicated("ENABLED", OTHER);
    assert!(!is_built(&enabled));
    assert_eq!(about(&enabled), Some((Severity::Note, Code::ReplicaReadOnly)));
    let template = enabled.template.unwrap().json();
    let resources = template["Resources"].as_object().unwrap().values();
    let in_replica = resources.filter(|one| one["Properties"]["FileSystemId"] == "fs-0fedcba9876543210");
    let mut types: Vec<&str> = in_replica.map(|one| one["Type"].as_str().unwrap()).collect();
    types.sort_unstable();
    assert_eq!(
        types,
        [
            "AWS::EFS::AccessPoint",
            "AWS::EFS::MountTarget",
            "AWS::EFS::MountTarget"
        ]
    );
    let failed = replicated("ERROR", OTHER);
    assert!(!is_built(&failed));
    assert_eq!(about(&failed), Some((Severity::Warning, Code::ReplicaNotCurrent)));
    let elsewhere = replicated("ENABLED", "333333333333");
    assert!(is_built(&elsewhere));
    assert_eq!(
        about(&elsewhere),
        Some((Severity::Warning, Code::FileSystemWithoutReplica))
    );
    // A mapping of the user takes precedence over the replica.
    let mut facts = sample::facts(OTHER);
    facts.adopted.push(Adoption::mapped(id, "fs-0bbbbbbbbbbbbbbbb"));
    let mapped = changed(&Stack::Storage, &facts, |document| {
        document["fileSystems"][0]["replicationDestinations"] =
            json!([{"fileSystemId": "fs-0fedcba9876543210", "region": "eu-central-1", "ownerId": OTHER}]);
    });
    assert_eq!(about(&mapped), None);
    assert!(mapped.template.unwrap().body().contains("fs-0bbbbbbbbbbbbbbbb"));
}

/// A failover ends the replication of these and of no other one.
#[test]
fn replicas_that_the_stacks_do_not_use_are_none() {
    let (id, replica) = ("fs-000000000000000a1", "fs-0fedcba9876543210");
    let mut document: Value = serde_json::from_slice(sample::DOCUMENT).unwrap();
    document["fileSystems"][0]["replicationDestinations"] =
        json!([{"fileSystemId": replica, "region": "eu-central-1", "ownerId": OTHER}]);
    let descriptions: Descriptions = serde_json::from_value(document).unwrap();
    for (mapped_to, is_used) in [
        (None, true),
        (Some(replica), true),
        (Some("fs-0bbbbbbbbbbbbbbbb"), false),
    ] {
        let mut facts = sample::facts(OTHER);
        facts.adopted.extend(mapped_to.map(|to| Adoption::mapped(id, to)));
        let found: Vec<_> = replicas(&descriptions, &facts).collect();
        assert_eq!(found.contains(&(id, replica)), is_used, "{mapped_to:?}");
    }
}

#[test]
fn images_that_do_not_arrive_are_found() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let generated = |filter: &str, found: Option<&[&str]>| {
        let mut facts = sample::facts(OTHER);
        facts.images = found.map(|tags| {
            let tags = tags.iter().map(|tag| Image {
                repository_name: "shop/cart".to_owned(),
                image_digest: None,
                image_tag: Some((*tag).to_owned()),
            });
            tags.collect()
        });
        let change = |document: &mut Value| {
            document["registry"] = json!({"replicationRules": [{
                "destinations": [{"region": "eu-central-1", "registryId": OTHER}],
                "repositoryFilters": [{"filter": filter, "filterType": "PREFIX_MATCH"}]}]});
            document["images"] = json!([{"repositoryName": "shop/cart", "imageTag": "1"},
                {"repositoryName": "shop/cart", "imageDigest": digest}]);
        };
        let generated = changed(&Stack::Storage, &facts, change);
        let is_of_images = |code: Code| matches!(code, Code::ImagesNotReplicated | Code::ImageMissing);
        let findings = generated
            .findings
            .into_iter()
            .filter(|finding| is_of_images(finding.code));
        let found: Vec<(Code, String)> = findings.map(|finding| (finding.code, finding.resource)).collect();
        found
    };
    let missing = (Code::ImageMissing, format!("shop/cart@{digest}"));
    let not_replicated = (Code::ImagesNotReplicated, "shop/cart".to_owned());
    assert_eq!(generated("shop/", None), []);
    assert_eq!(generated("other/", None), std::slice::from_ref(&not_replicated));
    assert_eq!(generated("shop/", Some(&["1"])), std::slice::from_ref(&missing));
    let mut both = generated("other/", Some(&["1"]));
    both.sort();
    assert_eq!(both, [not_replicated, missing]);
}

/// Facts under which roles are given by EKS Pod Identity.
fn pod_identity_facts() -> RecoveryFacts {
    RecoveryFacts {
        irsa_to_pod_identity: true,
        ..sample::facts(OTHER)
    }
}

fn with_agent(document: &mut Value) {
    let addons = document["clusters"][0]["addons"].as_array_mut().unwrap();
    addons.push(json!({"addonName": "eks-pod-identity-agent", "addonVersion": "v1.3.9-eksbuild.3"}));
}

#[test]
fn irsa_becomes_pod_identity_if_it_is_asked_for() {
    let facts = pod_identity_facts();
    let generated = changed(&orders(), &facts, with_agent);
    assert!(!generated.is_refused(), "{:?}", generated.findings);
    let template = generated.template.unwrap().json();
    let resources = template["Resources"].as_object().unwrap();
    let associations: Vec<&Value> = resources
        .values()
        .filter(|resource| resource["Type"] == "AWS::EKS::PodIdentityAssociation")
        .map(|resource| &resource["Properties"]["ServiceAccount"])
        .collect();
    assert_eq!(associations.len(), 2, "{associations:?}");
    assert!(associations.contains(&&json!("cart")) && associations.contains(&&json!("mail")));

    // The role is built before the issuer of the cluster is known, and trusts EKS Pod Identity.
    let identity = changed(&Stack::Identity, &facts, with_agent)
        .template
        .unwrap()
        .json();
    let trust = property(&identity, "RoleCart", "/AssumeRolePolicyDocument/Statement");
    assert_eq!(
        trust,
        &json!([{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"},
                 "Action": ["sts:AssumeRole", "sts:TagSession"]}])
    );
    let second = sample::facts_of_second_pass(&sample::descriptions(), OTHER);
    let second = RecoveryFacts {
        irsa_to_pod_identity: true,
        ..second
    };
    let identity = changed(&Stack::Identity, &second, with_agent)
        .template
        .unwrap()
        .json();
    let trust = property(&identity, "RoleCart", "/AssumeRolePolicyDocument/Statement");
    assert_eq!(trust.as_array().map(Vec::len), Some(2), "{trust}");

    let map = symbols(&sample::descriptions(), &facts);
    let accounts: Vec<(&str, &str)> = map
        .pod_identities
        .iter()
        .map(|one| (one.namespace.as_str(), one.service_account.as_str()))
        .collect();
    assert_eq!(accounts, [("shop", "cart")]);
    assert_eq!(
        symbols(&sample::descriptions(), &sample::facts(OTHER)).pod_identities,
        []
    );
}

#[test]
fn the_agent_of_pod_identity_must_be_there() {
    let generated = changed(&orders(), &pod_identity_facts(), |_| {});
    assert_eq!(
        codes(&generated, Severity::Error),
        [Code::PodIdentityAgentMissing]
    );
    let auto = changed(&orders(), &pod_identity_facts(), |document| {
        document["clusters"][0]["computeConfig"] = json!({"enabled": true, "nodePools": []});
    });
    assert!(!codes(&auto, Severity::Error).contains(&Code::PodIdentityAgentMissing));
}

#[test]
fn service_accounts_that_pod_identity_cannot_serve_keep_irsa() {
    let subject = |document: &Value| {
        let trust = document["roles"][3]["assumeRolePolicyDocument"].clone();
        let keys = trust["Statement"][0]["Condition"]["StringEquals"]
            .as_object()
            .unwrap();
        keys.keys().find(|key| key.ends_with(":sub")).unwrap().clone()
    };
    let kept = |change: &dyn Fn(&mut Value)| {
        let generated = changed(&orders(), &pod_identity_facts(), |document| {
            with_agent(document);
            change(document);
        });
        let kept = generated
            .findings
            .into_iter()
            .filter(|one| one.code == Code::IrsaKept);
        kept.map(|one| format!("{}: {}", one.resource, one.what))
            .collect::<Vec<_>>()
    };
    assert_eq!(kept(&|_| {}), Vec::<String>::new());
    let condition = "/roles/3/assumeRolePolicyDocument/Statement/0/Condition";
    let wildcard = kept(&|document| {
        let key = subject(document);
        *document.pointer_mut(condition).unwrap() =
            json!({"StringLike": {key: "system:serviceaccount:shop:*"}});
    });
    assert_eq!(
        wildcard,
        [
            "arn:aws:iam::111111111111:role/shop/cart: it keeps IRSA: its trust policy lets in \
          system:serviceaccount:shop:*, which is no single service account"
        ]
    );
    let nobody = kept(&|document| *document.pointer_mut(condition).unwrap() = json!({}));
    assert_eq!(
        nobody,
        [
            "arn:aws:iam::111111111111:role/shop/cart: it keeps IRSA: its trust policy lets in every service account"
        ]
    );
    let fargate = kept(&|document| {
        document["clusters"][0]["fargateProfiles"][0]["selectors"] = json!([{"namespace": "sho?"}]);
    });
    assert_eq!(
        fargate,
        [
            "shop/cart: it keeps IRSA: EKS Pod Identity does not support Fargate, on which Pods of its namespace run"
        ]
    );
    let two = kept(&|document| {
        let mut other = document["roles"][3].clone();
        other["arn"] = json!("arn:aws:iam::111111111111:role/other");
        other["roleName"] = json!("other");
        document["roles"].as_array_mut().unwrap().push(other);
    });
    assert_eq!(
        two,
        [
            "shop/cart: it keeps IRSA: several roles trust it: arn:aws:iam::111111111111:role/other, \
          arn:aws:iam::111111111111:role/shop/cart"
        ]
    );
}
