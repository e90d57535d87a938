//! What is looked up in the recovery environment by a name of its own: roles of IAM Identity Center, access points, SSH key
//! pairs, subnets and security groups by their tags.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_infrastructure::description::storage::PosixUser;
use lifeboat_infrastructure::{
    Access, Adoption, Candidate, CandidateKind, Descriptions, Finding, MatchRule, Mentions, Mode,
    OwnResource, RecoveryFacts, Severity, Stack, TAG, adoptions, generate, symbols,
};
use lifeboat_model::{Code, SharedStack};
use lifeboat_translate::Identities;
use serde_json::{Value, json};

use crate::sample;

const OTHER: &str = "222222222222";
const SAME: &str = "111111111111";

fn changed(change: impl FnOnce(&mut Value)) -> Descriptions {
    let mut document: Value = serde_json::from_slice(sample::DOCUMENT).unwrap();
    change(&mut document);
    serde_json::from_value(document).unwrap()
}

fn orders() -> Stack {
    Stack::Cluster("orders".to_owned())
}

fn facts(candidates: impl IntoIterator<Item = Candidate>) -> RecoveryFacts {
    RecoveryFacts {
        candidates: candidates.into_iter().collect(),
        ..sample::facts(OTHER)
    }
}

fn template(descriptions: &Descriptions, facts: &RecoveryFacts, stack: &Stack) -> Value {
    let generated = generate(descriptions, facts, stack, Mode::Active);
    generated.template.unwrap().json()
}

/// Returns the properties of the resources of a type.
fn of_type<'t>(template: &'t Value, r#type: &str) -> Vec<&'t Value> {
    let all = template["Resources"].as_object().unwrap().values();
    all.filter(|one| one["Type"] == r#type)
        .map(|one| &one["Properties"])
        .collect()
}

fn findings(descriptions: &Descriptions, facts: &RecoveryFacts, stack: &Stack, code: Code) -> Vec<Finding> {
    let all = generate(descriptions, facts, stack, Mode::Active)
        .findings
        .into_iter();
    all.filter(|one| one.code == code).collect()
}

/// Returns what takes the place of an identifier, with the rule that found it.
fn found(descriptions: &Descriptions, facts: &RecoveryFacts, from: &str) -> Option<(String, MatchRule)> {
    let mut all = adoptions(descriptions, facts).into_values().flatten();
    all.find(|one| one.from == from).map(|one| (one.to, one.rule))
}

/// Returns an object as the plan translates it.
fn translated(
    descriptions: &Descriptions,
    facts: &RecoveryFacts,
    of: (&str, &str),
    mut object: Value,
) -> Value {
    let identities = Identities::checked(&symbols(descriptions, facts)).unwrap();
    identities.apply(of, &|_| false, &mut object);
    object
}

mod identity_center {
    use super::*;

    const NAME: &str = "AWSReservedSSO_Operators_0123456789abcdef";
    const PATH: &str = "aws-reserved/sso.amazonaws.com/eu-west-1/";

    fn old() -> String {
        format!("arn:aws:iam::{SAME}:role/{PATH}{NAME}")
    }

    fn role(account: &str, path: &str, digits: &str) -> Candidate {
        Candidate {
            name: Some("Operators".to_owned()),
            ..Candidate::new(
                CandidateKind::PermissionSetRole,
                format!("arn:aws:iam::{account}:role/{path}AWSReservedSSO_Operators_{digits}"),
            )
        }
    }

    /// The sample whose operators enter by IAM Identity Center, and may assume a role.
    fn descriptions() -> Descriptions {
        changed(|document| {
            let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithSAML",
                "Principal": {"Federated": "arn:aws:iam::111111111111:saml-provider/AWSSSO_0_DO_NOT_DELETE"}}]});
            document["roles"].as_array_mut().unwrap().push(json!({
                "roleName": NAME, "path": format!("/{PATH}"), "arn": old(), "assumeRolePolicyDocument": trust,
                "attachedPolicies": ["arn:aws:iam::111111111111:policy/operators"]}));
            let entry = json!({"principalArn": old(), "kubernetesGroups": ["operators"], "type": "STANDARD",
                "username": format!("arn:aws:sts::{SAME}:assumed-role/{NAME}/{{{{SessionName}}}}")});
            document["clusters"][0]["accessEntries"]
                .as_array_mut()
                .unwrap()
                .push(entry);
            let operators = &mut document["roles"][5]["assumeRolePolicyDocument"]["Statement"][0];
            operators["Principal"]["AWS"] = json!([old(), "arn:aws:iam::111111111111:root"]);
        })
    }

    fn principals(template: &Value) -> Vec<&Value> {
        let entries = of_type(template, "AWS::EKS::AccessEntry");
        entries.iter().map(|entry| &entry["PrincipalArn"]).collect()
    }

    #[test]
    fn the_role_of_the_same_permission_set_takes_the_place() {
        let descriptions = descriptions();
        let new = role(OTHER, "aws-reserved/sso.amazonaws.com/", "fedcba9876543210");
        let other = Candidate {
            name: Some("Auditors".to_owned()),
            ..Candidate::new(
                CandidateKind::PermissionSetRole,
                format!(
                    "arn:aws:iam::{OTHER}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Auditors_fedcba9876543210"
                ),
            )
        };
        let facts = facts([other, new.clone()]);
        assert_eq!(
            found(&descriptions, &facts, &old()),
            Some((new.id.clone(), MatchRule::Name))
        );
        assert_eq!(
            findings(&descriptions, &facts, &orders(), Code::PermissionSetNotAssigned),
            []
        );

        let clusters = template(&descriptions, &facts, &orders());
        assert!(principals(&clusters).contains(&&json!(new.id)));
        assert!(!clusters.to_string().contains(NAME));
        // AWS makes it: no stack can.
        let identity = template(&descriptions, &facts, &Stack::Identity);
        let roles = of_type(&identity, "AWS::IAM::Role");
        assert!(roles.iter().all(|role| role["RoleName"] != NAME));
        let operators = roles.iter().find(|role| role["RoleName"] == "operators").unwrap();
        let trusted = &operators["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"];
        assert_eq!(*trusted, json!([new.id, format!("arn:aws:iam::{OTHER}:root")]));

        // aws-auth names it without its path.
        let data = format!("- rolearn: arn:aws:iam::{SAME}:role/{NAME}\n  groups: [operators]\n");
        let object = translated(
            &descriptions,
            &facts,
            ("", "configmaps"),
            json!({"data": {"mapRoles": data}}),
        );
        let expected = "arn:aws:iam::222222222222:role/AWSReservedSSO_Operators_fedcba9876543210";
        assert_eq!(
            object["data"]["mapRoles"],
            format!("- rolearn: {expected}\n  groups: [operators]\n")
        );
    }

    #[test]
    fn a_permission_set_that_is_not_assigned_is_named_and_lets_nobody_in() {
        let descriptions = descriptions();
        let facts = facts([]);
        let about = findings(&descriptions, &facts, &orders(), Code::PermissionSetNotAssigned);
        let [finding] = about.as_slice() else {
            panic!("{about:?}");
        };
        assert_eq!(
            (finding.severity, finding.resource.as_str()),
            (Severity::Warning, old().as_str())
        );
        assert_eq!(
            finding.what,
            "no role of the account 222222222222 is that of the permission set Operators"
        );
        assert!(
            finding.remedy.contains("aws sso-admin create-account-assignment")
                && finding.remedy.contains("--target-id 222222222222"),
            "{}",
            finding.remedy
        );
        let clusters = template(&descriptions, &facts, &orders());
        assert!(!clusters.to_string().contains("AWSReservedSSO"));
        let identity = template(&descriptions, &facts, &Stack::Identity);
        assert!(!identity.to_string().contains("AWSReservedSSO"));
        // What names it stays whole, and is listed.
        let arn = format!("arn:aws:iam::{SAME}:role/{NAME}");
        let object = translated(
            &descriptions,
            &facts,
            ("", "configmaps"),
            json!({"data": {"role": arn}}),
        );
        assert_eq!(object["data"]["role"], arn);
    }

    #[test]
    fn two_roles_of_a_permission_set_are_an_error_until_one_is_mapped() {
        let descriptions = descriptions();
        let path = "aws-reserved/sso.amazonaws.com/";
        let both = [
            role(OTHER, path, "00000000000000aa"),
            role(OTHER, path, "00000000000000bb"),
        ];
        let mut facts = facts(both.clone());
        assert_eq!(found(&descriptions, &facts, &old()), None);
        let about = findings(&descriptions, &facts, &orders(), Code::AdoptionAmbiguous);
        let [finding] = about.as_slice() else {
            panic!("{about:?}");
        };
        assert_eq!(finding.severity, Severity::Error);
        assert!(
            finding.what.contains(&both[0].id) && finding.what.contains(&both[1].id),
            "{}",
            finding.what
        );
        facts.adopted = vec![Adoption::mapped(old(), both[1].id.clone())];
        assert_eq!(
            found(&descriptions, &facts, &old()),
            Some((both[1].id.clone(), MatchRule::Mapping))
        );
        let generated = generate(&descriptions, &facts, &orders(), Mode::Active);
        assert!(!generated.is_refused(), "{:#?}", generated.findings);
    }

    #[test]
    fn in_one_account_it_is_the_same_role() {
        let descriptions = descriptions();
        let mut facts = sample::facts(SAME);
        facts.candidates = vec![role(SAME, PATH, "0123456789abcdef")];
        assert_eq!(found(&descriptions, &facts, &old()), None);
        assert_eq!(
            findings(&descriptions, &facts, &orders(), Code::PermissionSetNotAssigned),
            []
        );
        let clusters = template(&descriptions, &facts, &orders());
        assert!(principals(&clusters).contains(&&json!(old())));
        let identity = template(&descriptions, &facts, &Stack::Identity);
        let roles = of_type(&identity, "AWS::IAM::Role");
        assert!(
            roles
                .iter()
                .all(|role| role["RoleName"] != NAME && role["RoleName"] != format!("{NAME}-eu-central-1"))
        );
    }
}

mod access_points {
    use super::*;

    const SYSTEM: &str = "fs-000000000000000a1";
    const POINT: &str = "fsap-000000000000000a1";
    const REPLICA: &str = "fs-0bbbbbbbbbbbbbbb1";

    fn point(id: &str, path: &str, uid: u32) -> Candidate {
        Candidate {
            parent: Some(REPLICA.to_owned()),
            access: Some(Access {
                path: path.to_owned(),
                posix_user: Some(PosixUser {
                    uid,
                    gid: 1000,
                    secondary_gids: Vec::new(),
                }),
            }),
            ..Candidate::new(CandidateKind::AccessPoint, id)
        }
    }

    /// The sample, whose file system EFS replicates.
    fn replicated() -> Descriptions {
        changed(|document| {
            document["fileSystems"][0]["replicationDestinations"] = json!([{"fileSystemId": REPLICA, "region": "eu-central-1", "ownerId": OTHER, "status": "ENABLED"}]);
        })
    }

    fn built(descriptions: &Descriptions, facts: &RecoveryFacts) -> usize {
        of_type(
            &template(descriptions, facts, &Stack::Storage),
            "AWS::EFS::AccessPoint",
        )
        .len()
    }

    #[test]
    fn one_of_a_replica_is_taken_by_its_directory_and_user() {
        let descriptions = replicated();
        let right = point("fsap-0bbbbbbbbbbbbbbb1", "/media", 1000);
        let facts = facts([
            point("fsap-0bbbbbbbbbbbbbbb2", "/media", 0),
            point("fsap-0bbbbbbbbbbbbbbb3", "/", 1000),
            right.clone(),
        ]);
        assert_eq!(
            found(&descriptions, &facts, SYSTEM),
            Some((REPLICA.to_owned(), MatchRule::Replication))
        );
        assert_eq!(
            found(&descriptions, &facts, POINT),
            Some((right.id.clone(), MatchRule::Path))
        );
        assert_eq!(built(&descriptions, &facts), 0);
        let volume = json!({"spec": {"csi": {"volumeHandle": format!("{SYSTEM}::{POINT}")}}});
        let volume = translated(&descriptions, &facts, ("", "persistentvolumes"), volume);
        assert_eq!(
            volume["spec"]["csi"]["volumeHandle"],
            format!("{REPLICA}::{}", right.id)
        );
    }

    #[test]
    fn without_one_the_stack_builds_it_and_keeps_it() {
        let descriptions = replicated();
        // The same tags and name through another directory are other files.
        let mut other = point("fsap-0bbbbbbbbbbbbbbb2", "/other", 1000);
        other.name = Some("media".to_owned());
        other.tags = BTreeMap::from([("Name".to_owned(), "media".to_owned())]);
        assert_eq!(found(&descriptions, &facts([other.clone()]), POINT), None);
        assert_eq!(built(&descriptions, &facts([other.clone()])), 1);
        // What the stack has built stays in its template, whoever makes another one.
        let mut own = facts([other, point("fsap-0bbbbbbbbbbbbbbb3", "/media", 1000)]);
        own.own = BTreeSet::from([OwnResource {
            r#type: "AWS::EFS::AccessPoint".to_owned(),
            id: "fsap-0bbbbbbbbbbbbbbb3".to_owned(),
        }]);
        assert_eq!(built(&descriptions, &own), 1);
        own.candidates
            .push(point("fsap-0bbbbbbbbbbbbbbb4", "/media", 1000));
        assert_eq!(found(&descriptions, &own, POINT), None);
        assert_eq!(built(&descriptions, &own), 1);
        // Nor is that of another file system taken.
        let mut foreign = point("fsap-0bbbbbbbbbbbbbbb5", "/media", 1000);
        foreign.parent = Some("fs-0cccccccccccccccc".to_owned());
        assert_eq!(found(&descriptions, &facts([foreign]), POINT), None);
    }

    #[test]
    fn several_are_an_error_and_two_that_are_alike_are_built() {
        let both = || {
            facts([
                point("fsap-0bbbbbbbbbbbbbbb1", "/media", 1000),
                point("fsap-0bbbbbbbbbbbbbbb2", "/media", 1000),
            ])
        };
        let about = findings(&replicated(), &both(), &Stack::Storage, Code::AdoptionAmbiguous);
        let [finding] = about.as_slice() else {
            panic!("{about:?}");
        };
        assert_eq!(
            finding.what,
            "2 candidates have its directory and its user: fsap-0bbbbbbbbbbbbbbb1, fsap-0bbbbbbbbbbbbbbb2"
        );
        let twins = {
            let mut twins = replicated();
            let mut twin = twins.file_systems[0].access_points[0].clone();
            twin.access_point_id = "fsap-000000000000000a2".to_owned();
            twins.file_systems[0].access_points.push(twin);
            twins
        };
        assert_eq!(found(&twins, &both(), POINT), None);
        assert_eq!(built(&twins, &both()), 2);
        assert_eq!(
            findings(&twins, &both(), &Stack::Storage, Code::AdoptionAmbiguous),
            []
        );
    }

    #[test]
    fn a_replica_with_a_mount_target_gets_no_second_one_in_its_zone() {
        let target = Candidate {
            parent: Some(REPLICA.to_owned()),
            zone_id: Some("euc1-az2".to_owned()),
            ..Candidate::new(CandidateKind::MountTarget, "fsmt-0bbbbbbbbbbbbbbb1")
        };
        let template = template(&replicated(), &facts([target]), &Stack::Storage);
        assert_eq!(of_type(&template, "AWS::EFS::MountTarget").len(), 1);
    }
}

mod key_pairs {
    use super::*;

    /// The sample with a key pair in a launch template and one of a node group without a template.
    fn descriptions() -> Descriptions {
        changed(|document| {
            document["launchTemplates"][0]["launchTemplateData"]["keyName"] = json!("operators");
            let mut group = document["clusters"][0]["nodegroups"][0].clone();
            group["nodegroupName"] = json!("plain");
            group.as_object_mut().unwrap().remove("launchTemplate");
            group["remoteAccess"] =
                json!({"ec2SshKey": "$(id)", "sourceSecurityGroups": ["sg-000000000000000b1"]});
            document["clusters"][0]["nodegroups"]
                .as_array_mut()
                .unwrap()
                .push(group);
        })
    }

    fn with(names: &[&str]) -> RecoveryFacts {
        RecoveryFacts {
            key_pairs: Some(names.iter().map(|name| (*name).to_owned()).collect()),
            ..facts([])
        }
    }

    /// Returns the key of the launch template and the remote access of the group without one.
    fn keys(facts: &RecoveryFacts) -> (Value, Value) {
        let template = template(&descriptions(), facts, &orders());
        let launch =
            of_type(&template, "AWS::EC2::LaunchTemplate")[0]["LaunchTemplateData"]["KeyName"].clone();
        let groups = of_type(&template, "AWS::EKS::Nodegroup");
        let plain = groups
            .iter()
            .find(|group| group["NodegroupName"] == "plain")
            .unwrap();
        (launch, plain["RemoteAccess"].clone())
    }

    #[test]
    fn those_that_exist_are_kept() {
        let facts = with(&["$(id)", "operators"]);
        let (launch, access) = keys(&facts);
        assert_eq!(
            (launch, &access["Ec2SshKey"]),
            (json!("operators"), &json!("$(id)"))
        );
        assert_eq!(
            findings(&descriptions(), &facts, &orders(), Code::KeyPairMissing),
            []
        );
    }

    /// CloudFormation would fail at the node groups, after the cluster was built.
    #[test]
    fn nodes_are_built_without_those_that_do_not_exist_and_the_command_imports_one() {
        let facts = with(&[]);
        assert_eq!(keys(&facts), (Value::Null, Value::Null));
        let about = findings(&descriptions(), &facts, &orders(), Code::KeyPairMissing);
        let shown: Vec<String> = about
            .iter()
            .map(|one| {
                format!(
                    "{:?} {}: {}\n  {}",
                    one.severity, one.resource, one.what, one.remedy
                )
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
        // Nothing but the keys is different.
        let generated = generate(&descriptions(), &facts, &orders(), Mode::Active);
        assert!(!generated.is_refused(), "{:#?}", generated.findings);
    }

    #[test]
    fn one_may_be_mapped_to_another_name() {
        let mut facts = with(&["dr"]);
        facts.adopted = vec![Adoption::mapped("operators", "dr")];
        assert_eq!(keys(&facts).0, json!("dr"));
        facts.existing = Some(BTreeSet::new());
        let about = findings(&descriptions(), &facts, &Stack::Network, Code::MappingInvalid);
        assert!(
            about[0]
                .what
                .contains("dr, which does not exist in the recovery environment"),
            "{about:?}"
        );
    }
}

mod selectors {
    use super::*;

    const VPC: &str = "vpc-0bbbbbbbbbbbbbbb1";

    /// Adds what objects select to the descriptions.
    fn selecting(mut descriptions: Descriptions, objects: &[Value]) -> Descriptions {
        let mut mentions = Mentions::new();
        objects.iter().for_each(|object| mentions.collect(object));
        descriptions.subnet_filters = mentions.subnet_filters.into_iter().collect();
        descriptions.security_group_filters = mentions.security_group_filters.into_iter().collect();
        descriptions
    }

    fn ingress(subnets: &str, groups: &str) -> Value {
        json!({"kind": "Ingress", "metadata": {"annotations": {
            "alb.ingress.kubernetes.io/subnets": subnets, "alb.ingress.kubernetes.io/security-groups": groups}}})
    }

    fn node_class(subnets: Value, groups: Value) -> Value {
        json!({"apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass",
            "spec": {"subnetSelectorTerms": subnets, "securityGroupSelectorTerms": groups}})
    }

    /// The sample with a security group and a subnet that nothing but names mention.
    fn named() -> Descriptions {
        changed(|document| {
            let mut subnet = document["subnets"][2].clone();
            subnet["subnetId"] = json!("subnet-000000000000000a9");
            subnet["cidrBlock"] = json!("10.0.200.0/24");
            subnet["tags"] = json!({"Name": "edge/eu-west-1a", "karpenter.sh/discovery": "orders",
                "kubernetes.io/cluster/orders": "shared"});
            document["subnets"].as_array_mut().unwrap().push(subnet);
            let mut group = document["securityGroups"][0].clone();
            group["groupId"] = json!("sg-000000000000000b9");
            group["groupName"] = json!("edge");
            group["tags"] = json!({"Name": "edge-lb", "karpenter.sh/discovery": "orders"});
            group.as_object_mut().unwrap().remove("rules");
            document["securityGroups"].as_array_mut().unwrap().push(group);
        })
    }

    fn tags_of(properties: &Value) -> BTreeMap<String, String> {
        let tags = properties["Tags"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        tags.map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect()
    }

    /// Each name or tag by which an object selects finds, once it is translated, what is built in the place of the
    /// resource that it found in the primary: in the same stack, with a renamed cluster.
    #[test]
    fn what_is_built_is_found_by_the_names_and_tags_of_the_objects() {
        let class = node_class(
            json!([{"tags": {"karpenter.sh/discovery": "orders", "kubernetes.io/cluster/orders": "*"}},
                {"tags": {"Name": "edge/*"}}]),
            json!([{"tags": {"karpenter.sh/discovery": "orders"}}, {"name": "edge"}]),
        );
        let ingress = ingress("edge/eu-west-1a, public-b,subnet-000000000000000a2", "edge-lb");
        let descriptions = selecting(named(), &[class.clone(), ingress.clone()]);
        assert_eq!(descriptions.subnet_filters.len(), 4);
        let mut facts = facts([]);
        facts.cluster_names = BTreeMap::from([("orders".to_owned(), "orders-dr".to_owned())]);
        assert_eq!(
            findings(&descriptions, &facts, &orders(), Code::SelectorWithoutCounterpart),
            []
        );

        let network = template(&descriptions, &facts, &Stack::Network);
        let subnets = of_type(&network, "AWS::EC2::Subnet");
        let has = |properties: &Value, key: &str, value: &str| {
            tags_of(properties).get(key).is_some_and(|own| own == value)
        };
        let ingress = translated(&descriptions, &facts, ("networking.k8s.io", "ingresses"), ingress);
        let annotations = &ingress["metadata"]["annotations"];
        assert_eq!(
            annotations["alb.ingress.kubernetes.io/subnets"],
            "edge/eu-central-1a, public-b,${network.SubnetPublicA}"
        );
        let edge = subnets
            .iter()
            .find(|one| has(one, "Name", "edge/eu-central-1a"))
            .unwrap();
        assert!(subnets.iter().any(|one| has(one, "Name", "public-b")));
        let class = translated(
            &descriptions,
            &facts,
            ("karpenter.k8s.aws", "ec2nodeclasses"),
            class,
        );
        let term = &class["spec"]["subnetSelectorTerms"][0]["tags"];
        assert_eq!(
            *term,
            json!({"karpenter.sh/discovery": "orders-dr", "kubernetes.io/cluster/orders-dr": "*"})
        );
        assert!(has(edge, "karpenter.sh/discovery", "orders-dr"));
        assert!(has(edge, "kubernetes.io/cluster/orders-dr", "shared"));
        let groups = of_type(&network, "AWS::EC2::SecurityGroup");
        let group = groups.iter().find(|one| one["GroupName"] == "edge").unwrap();
        assert!(has(group, "Name", "edge-lb") && has(group, "karpenter.sh/discovery", "orders-dr"));
    }

    /// Nobody but a user gives tags to what EKS makes.
    #[test]
    fn tags_that_nobody_gives_again_are_named() {
        let descriptions = selecting(
            changed(|document| {
                document["securityGroups"][2]["tags"] = json!({"Name": "fallback"});
                document["securityGroups"][3]["tags"]["karpenter.sh/discovery"] = json!("orders");
            }),
            &[
                node_class(
                    json!([]),
                    json!([{"tags": {"karpenter.sh/discovery": "orders"}}, {"tags": {"aws:eks:cluster-name": "orders"}}]),
                ),
                ingress("", "fallback"),
            ],
        );
        let about = findings(
            &descriptions,
            &facts([]),
            &orders(),
            Code::SelectorWithoutCounterpart,
        );
        let shown: Vec<(&str, &str)> = about
            .iter()
            .map(|one| (one.resource.as_str(), one.what.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                (
                    "sg-000000000000000b3",
                    "objects select it by tag:Name=fallback; the one that is built in its place has not all of its tags"
                ),
                (
                    "sg-000000000000000b4",
                    "objects select it by tag:karpenter.sh/discovery=orders; the one that is built in its place has not all of its tags"
                ),
            ]
        );
    }

    /// An adopted network whose owner gave these names to its subnets, and this one to its group.
    fn adopted(names: [&str; 4], group: &str) -> RecoveryFacts {
        let tags = |name: &str| BTreeMap::from([("Name".to_owned(), name.to_owned())]);
        let places = [
            ("euc1-az2", false),
            ("euc1-az3", false),
            ("euc1-az2", true),
            ("euc1-az3", true),
        ];
        let subnets = names.iter().zip(places).enumerate();
        let subnets = subnets.map(|(position, (name, (zone, public)))| Candidate {
            name: Some((*name).to_owned()),
            tags: tags(name),
            cidr: Some(format!("10.1.{position}.0/24")),
            zone_id: Some(zone.to_owned()),
            public: Some(public),
            parent: Some(VPC.to_owned()),
            ..Candidate::new(
                CandidateKind::Subnet,
                format!("subnet-0bbbbbbbbbbbbbb0{position}"),
            )
        });
        let network = Candidate {
            name: Some("shop".to_owned()),
            ..Candidate::new(CandidateKind::Vpc, VPC)
        };
        let group = Candidate {
            name: Some("shop".to_owned()),
            tags: tags(group),
            parent: Some(VPC.to_owned()),
            ..Candidate::new(CandidateKind::SecurityGroup, "sg-0bbbbbbbbbbbbbbb1")
        };
        RecoveryFacts {
            adopt_existing: BTreeSet::from([SharedStack::Network]),
            ..facts(subnets.chain([network, group]))
        }
    }

    fn with_group_name() -> Descriptions {
        changed(|document| document["securityGroups"][0]["tags"] = json!({"Name": "shop-lb"}))
    }

    #[test]
    fn the_other_names_of_what_is_adopted_are_translated() {
        let objects = [
            (
                "networking.k8s.io",
                "ingresses",
                ingress("public-a, public-b", "shop-lb"),
            ),
            (
                "",
                "services",
                json!({"kind": "Service", "metadata": {"annotations": {
                "service.beta.kubernetes.io/aws-load-balancer-subnets": "public-a",
                "service.beta.kubernetes.io/aws-load-balancer-security-groups": "shop-lb,sg-000000000000000b1"}}}),
            ),
            (
                "elbv2.k8s.aws",
                "ingressclassparams",
                json!({"kind": "IngressClassParams",
                "spec": {"subnets": {"tags": {"Name": ["public-a", "public-b"]}}}}),
            ),
            (
                "gateway.k8s.aws",
                "loadbalancerconfigurations",
                json!({"kind": "LoadBalancerConfiguration", "spec": {
                "loadBalancerSubnets": [{"identifier": "public-a"}], "securityGroups": ["shop-lb"]}}),
            ),
            (
                "karpenter.k8s.aws",
                "ec2nodeclasses",
                node_class(
                    json!([{"tags": {"Name": "public-b"}}]),
                    json!([{"tags": {"Name": "shop-lb"}}]),
                ),
            ),
        ];
        let all: Vec<Value> = objects.iter().map(|(_, _, object)| object.clone()).collect();
        let descriptions = selecting(with_group_name(), &all);
        let facts = adopted(["private-a", "private-b", "dmz-1", "dmz-2"], "landing-zone");
        assert_eq!(
            findings(&descriptions, &facts, &orders(), Code::SelectorWithoutCounterpart),
            []
        );
        let new: Vec<String> = objects
            .into_iter()
            .map(|(group, resource, object)| {
                translated(&descriptions, &facts, (group, resource), object).to_string()
            })
            .collect();
        insta::assert_snapshot!(new.join("\n"));
    }

    #[test]
    fn names_and_tags_that_cannot_be_translated_are_named() {
        let objects = [
            ingress("public-a,public-b", "shop-lb"),
            node_class(
                json!([{"tags": {"kubernetes.io/role/internal-elb": "1"}}]),
                json!([]),
            ),
        ];
        let descriptions = selecting(with_group_name(), &objects);
        // Swapped: whoever translated twice would be back at the beginning.
        let mut facts = adopted(["private-a", "private-b", "public-b", "public-a"], "");
        let pairs = [("a2", "02"), ("a3", "03")];
        facts.adopted = pairs
            .map(|(from, to)| {
                Adoption::mapped(
                    format!("subnet-000000000000000{from}"),
                    format!("subnet-0bbbbbbbbbbbbbb{to}"),
                )
            })
            .to_vec();
        let map = symbols(&descriptions, &facts);
        assert_eq!(map.faults(), []);
        let about = findings(&descriptions, &facts, &orders(), Code::SelectorWithoutCounterpart);
        let shown: Vec<String> = about
            .iter()
            .map(|one| format!("{}: {}", one.resource, one.what))
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
        let own: Vec<&Candidate> = facts
            .candidates
            .iter()
            .filter(|one| one.tags.contains_key(TAG))
            .collect();
        assert_eq!(own, [] as [&Candidate; 0]);
    }
}
