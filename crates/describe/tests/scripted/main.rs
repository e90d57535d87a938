//! The whole walk against a scripted AWS: every call has an answer, and every call can be refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod aws;

use std::collections::BTreeSet;

use lifeboat_describe::{
    ACTIONS, DescribeError, EXISTING_IMAGES, Wanted, candidates, describe, look_up, unbuilt,
};
use lifeboat_infrastructure::description::storage::Image;
use lifeboat_infrastructure::{Descriptions, Mentions, Mode, RecoveryFacts, Zone, generate, stacks};
use lifeboat_model::{AccountId, ApplicationName, Code, Diagnostic as _, ErrorKind, Region};
use serde_json::json;

use aws::{Behaviour, Scripted};

const ACCOUNT: &str = "111111111111";

/// The cluster, and what its objects mention: a role, images of three registries, a file system and an access point, and
/// what load balancers and volumes use.
fn wanted() -> Wanted {
    let mut mentions = Mentions::new();
    for object in [
        json!({"kind": "ServiceAccount", "metadata": {"annotations":
            {"eks.amazonaws.com/role-arn": "arn:aws:iam::111111111111:role/shop/cart"}}}),
        json!({"kind": "ServiceAccount", "metadata": {"annotations":
            {"eks.amazonaws.com/role-arn": "arn:aws:iam::222222222222:role/of-others"}}}),
        json!({"kind": "Pod", "spec": {"containers": [
            {"image": "111111111111.dkr.ecr.eu-west-1.amazonaws.com/shop/cart:1"},
            {"image": "111111111111.dkr.ecr.eu-west-2.amazonaws.com/shop/elsewhere:1"},
            {"image": "222222222222.dkr.ecr.eu-west-1.amazonaws.com/of-others:1"}]}}),
        json!({"kind": "PersistentVolume", "spec": {"csi": {"volumeHandle": "fs-01234567::fsap-01234567"}}}),
        json!({"kind": "PersistentVolume", "spec": {"csi": {"volumeAttributes": {"accessPointId": "fsap-89abcdef"}}}}),
        json!({"kind": "PersistentVolume", "spec": {"csi": {"volumeHandle": "vol-00000001"}}}),
        json!({"kind": "PersistentVolume", "spec": {"csi": {"volumeHandle": "vol-00000002"}}}),
        json!({"kind": "VolumeSnapshotContent", "spec": {"source": {"snapshotHandle": "snap-00000001"}}}),
        json!({"kind": "Ingress", "metadata": {"annotations": {
            "alb.ingress.kubernetes.io/subnets": "subnet-0000000a, public-b",
            "alb.ingress.kubernetes.io/security-groups": "edge",
            "alb.ingress.kubernetes.io/wafv2-acl-arn": "arn:aws:wafv2:eu-west-1:111111111111:regional/webacl/shop/1",
            "alb.ingress.kubernetes.io/certificate-arn": "arn:aws:acm:eu-west-1:111111111111:certificate/aaaa, \
             arn:aws:acm:eu-west-1:111111111111:certificate/bbbb, arn:aws:acm:eu-west-2:111111111111:certificate/aaaa"}}}),
        json!({"kind": "TargetGroupBinding", "spec": {"targetGroupARN":
            "arn:aws:elasticloadbalancing:eu-west-1:111111111111:targetgroup/cart/0123456789abcdef"}}),
        json!({"kind": "ExternalSecret", "spec": {"data": [{"remoteRef": {"key":
            "arn:aws:secretsmanager:eu-west-1:111111111111:secret:shop/db-AbCdEf"}}]}}),
    ] {
        mentions.collect(&object);
    }
    mentions.buckets.insert("shop-logs".to_owned());
    Wanted {
        mentions,
        ..Wanted::new(AccountId::parse(ACCOUNT).unwrap(), ["orders".to_owned()])
    }
}

fn run(aws: &Scripted) -> Result<Descriptions, DescribeError> {
    // Time passes at once while the SDK pauses between attempts.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(Box::pin(describe(&aws.context(), &wanted())))
}

fn document(descriptions: &Descriptions) -> String {
    serde_json::to_string_pretty(descriptions).unwrap()
}

#[test]
fn all_that_a_cluster_stands_on_is_described() {
    let found = run(&Scripted::new(Behaviour::default())).unwrap();
    assert_eq!(found.missing, []);
    insta::assert_snapshot!(document(&found));
    assert_eq!(Descriptions::parse(document(&found).as_bytes()).unwrap(), found);
}

#[test]
fn the_order_of_answers_does_not_matter() {
    let usual = run(&Scripted::new(Behaviour::default())).unwrap();
    let reversed = run(&Scripted::new(Behaviour {
        is_reversed: true,
        ..Behaviour::default()
    }));
    assert_eq!(document(&reversed.unwrap()), document(&usual));
}

/// The actions that the calls on the wire need are those of the list: none is missing, and none is not needed.
#[test]
fn the_list_of_actions_is_that_of_the_calls() {
    let aws = Scripted::new(Behaviour::default());
    run(&aws).unwrap();
    let listed: BTreeSet<String> = ACTIONS.iter().map(|action| (*action).to_owned()).collect();
    assert_eq!(listed.len(), ACTIONS.len());
    assert_eq!(aws.called(), listed);
}

#[test]
fn a_refused_permission_leaves_a_gap_and_nothing_else() {
    let usual = run(&Scripted::new(Behaviour::default())).unwrap();
    for action in ACTIONS {
        let aws = Scripted::new(Behaviour {
            refused: vec![(*action).to_owned()],
            ..Behaviour::default()
        });
        let found = run(&aws).unwrap();
        assert!(!found.missing.is_empty(), "{action}");
        for missing in &found.missing {
            assert_eq!(missing.call, *action, "{missing:?}");
            assert!(missing.code.starts_with("AccessDenied") || missing.code == "UnauthorizedOperation");
            assert!(!missing.resource.is_empty(), "{action}");
        }
        assert_ne!(document(&found), document(&usual), "{action}");
        // A role, repository or file system of the objects does not depend on the cluster.
        if !action.starts_with("iam:") {
            assert!(
                found.roles.iter().any(|role| role.role_name == "cart"),
                "{action}"
            );
        }
    }
}

#[test]
fn with_no_permission_at_all_the_document_says_what_is_missing() {
    let found = run(&Scripted::new(Behaviour {
        refused: ACTIONS.iter().map(|action| (*action).to_owned()).collect(),
        ..Behaviour::default()
    }))
    .unwrap();
    let missing: Vec<String> = found
        .missing
        .iter()
        .map(|missing| format!("{} {} {}", missing.resource, missing.call, missing.code))
        .collect();
    insta::assert_snapshot!(missing.join("\n"));
    let mut rest = found.clone();
    rest.missing.clear();
    // What objects mention and nobody reads.
    rest.web_acls.clear();
    rest.subnet_filters.clear();
    rest.security_group_filters.clear();
    rest.snapshots.clear();
    rest.buckets.clear();
    rest.secrets.clear();
    // What objects name needs no permission.
    rest.images.clear();
    assert_eq!(rest, Descriptions::new(found.account, found.region));
}

#[test]
fn what_does_not_exist_is_missing() {
    for (action, code) in [
        ("eks:DescribeCluster", "ResourceNotFoundException"),
        ("iam:GetRole", "NoSuchEntity"),
        ("ecr:DescribeRepositories", "RepositoryNotFoundException"),
        ("elasticfilesystem:DescribeFileSystems", "FileSystemNotFound"),
        ("kms:DescribeKey", "NotFoundException"),
        ("acm:DescribeCertificate", "ResourceNotFoundException"),
        ("elasticloadbalancing:DescribeTargetGroups", "TargetGroupNotFound"),
        (
            "ec2:DescribeLaunchTemplateVersions",
            "InvalidLaunchTemplateId.NotFound",
        ),
    ] {
        let found = run(&Scripted::new(Behaviour {
            failing: Some((action.to_owned(), 400, code.to_owned())),
            ..Behaviour::default()
        }));
        let found = found.unwrap();
        let missing = found.missing.iter().find(|missing| missing.call == action);
        assert_eq!(missing.map(|missing| missing.code.as_str()), Some(code));
    }
}

#[test]
fn what_need_not_exist_is_not_missing() {
    for (action, code) in [
        ("ecr:GetRepositoryPolicy", "RepositoryPolicyNotFoundException"),
        ("ecr:GetLifecyclePolicy", "LifecyclePolicyNotFoundException"),
        ("elasticfilesystem:DescribeFileSystemPolicy", "PolicyNotFound"),
        ("elasticfilesystem:DescribeBackupPolicy", "PolicyNotFound"),
        (
            "elasticfilesystem:DescribeReplicationConfigurations",
            "ReplicationNotFound",
        ),
        ("iam:GetOpenIDConnectProvider", "NoSuchEntity"),
        ("kms:GetKeyRotationStatus", "UnsupportedOperationException"),
    ] {
        let found = run(&Scripted::new(Behaviour {
            failing: Some((action.to_owned(), 400, code.to_owned())),
            ..Behaviour::default()
        }));
        assert_eq!(found.unwrap().missing, [], "{action}");
    }
}

#[test]
fn images_that_the_registry_lacks_or_hides_are_missing() {
    let image = Image {
        repository_name: "shop/cart".to_owned(),
        image_digest: None,
        image_tag: Some("1".to_owned()),
    };
    let look_up = |behaviour: Behaviour| {
        let aws = Scripted::new(behaviour);
        let account = AccountId::parse(ACCOUNT).unwrap();
        let region = Region::parse("eu-west-1").unwrap();
        let mut descriptions = Descriptions::new(account.clone(), region.clone());
        descriptions.images = vec![image.clone()];
        let mut facts = RecoveryFacts::new(account, region, ApplicationName::parse("shop").unwrap());
        let called = look_up_candidates(&aws, &descriptions, &mut facts);
        assert_eq!(called, EXISTING_IMAGES);
        facts.images.unwrap()
    };
    assert_eq!(look_up(Behaviour::default()), BTreeSet::from([image.clone()]));
    for code in [
        "ImageNotFoundException",
        "RepositoryNotFoundException",
        "AccessDeniedException",
    ] {
        let found = look_up(Behaviour {
            failing: Some((EXISTING_IMAGES[0].to_owned(), 400, code.to_owned())),
            ..Behaviour::default()
        });
        assert_eq!(found, BTreeSet::new(), "{code}");
    }
}

/// Looks up the candidates, and returns the calls that this takes.
fn look_up_candidates(aws: &Scripted, descriptions: &Descriptions, facts: &mut RecoveryFacts) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let looked_up = runtime.block_on(Box::pin(candidates(&aws.context(), descriptions, facts)));
    looked_up.unwrap();
    aws.called().into_iter().collect()
}

/// Neither needs a stack that adopts: CloudFormation would fail with the key, and with a second mount target in a zone.
#[test]
fn key_pairs_and_replicas_are_looked_up_without_any_adoption() {
    let account = AccountId::parse(ACCOUNT).unwrap();
    let region = Region::parse("eu-west-1").unwrap();
    let mut descriptions = Descriptions::new(
        AccountId::parse("222222222222").unwrap(),
        Region::parse("eu-central-1").unwrap(),
    );
    let system = json!({"fileSystemId": "fs-ffffffff", "replicationDestinations": [
        {"fileSystemId": "fs-01234567", "region": "eu-west-1", "ownerId": ACCOUNT}]});
    descriptions.file_systems = vec![serde_json::from_value(system).unwrap()];
    let template = |key: &str| {
        json!({"launchTemplateId": format!("lt-{key}"), "launchTemplateName": key, "versionNumber": 1,
               "launchTemplateData": {"keyName": key}})
    };
    let templates = json!(["operators", "op*", "gone"].map(template));
    descriptions.launch_templates = serde_json::from_value(templates).unwrap();
    let mut facts = RecoveryFacts::new(account, region, ApplicationName::parse("shop").unwrap());
    let aws = Scripted::new(Behaviour::default());
    let called = look_up_candidates(&aws, &descriptions, &mut facts);
    assert_eq!(facts.key_pairs, Some(BTreeSet::from(["operators".to_owned()])));
    let expected = [
        "ec2:DescribeKeyPairs",
        "elasticfilesystem:DescribeAccessPoints",
        "elasticfilesystem:DescribeFileSystems",
        "elasticfilesystem:DescribeMountTargets",
    ];
    assert_eq!(called, expected);
    insta::assert_snapshot!(serde_json::to_string_pretty(&facts.candidates).unwrap());
}

#[test]
fn throttling_and_outages_are_errors_after_the_retries() {
    for (action, status, code) in [
        ("ec2:DescribeVpcs", 503, "RequestLimitExceeded"),
        ("eks:ListNodegroups", 429, "ThrottlingException"),
        ("iam:GetRole", 400, "Throttling"),
        ("kms:DescribeKey", 500, "KMSInternalException"),
    ] {
        let aws = Scripted::new(Behaviour {
            failing: Some((action.to_owned(), status, code.to_owned())),
            ..Behaviour::default()
        });
        let error = run(&aws).unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::Retry, Code::AwsFailed),
            "{error:?}"
        );
        assert_eq!(error.answer().action(), action);
        assert!(aws.count(action) > 1, "{action} was not tried again");
    }
}

#[test]
fn invalid_credentials_are_an_error() {
    let error = run(&Scripted::new(Behaviour {
        failing: Some((
            "eks:DescribeCluster".to_owned(),
            403,
            "ExpiredTokenException".to_owned(),
        )),
        ..Behaviour::default()
    }))
    .unwrap_err();
    assert_eq!(error.code(), Code::NoCredentials);
}

#[test]
fn nothing_that_may_hold_a_secret_is_printed() {
    let found = run(&Scripted::new(Behaviour::default())).unwrap();
    assert!(document(&found).contains("hunter2"), "the answers hold secrets");
    assert!(!format!("{found:?}").contains("hunter2"));
}

#[test]
fn what_takes_the_place_of_unbuilt_resources_is_looked_up() {
    let candidates = |aws: &Scripted, descriptions: &Descriptions| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(Box::pin(unbuilt::candidates(&aws.context(), descriptions)))
    };
    let described = run(&Scripted::new(Behaviour::default())).unwrap();
    let aws = Scripted::new(Behaviour::default());
    let found = candidates(&aws, &described).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&found).unwrap());
    let listed: BTreeSet<String> = unbuilt::ACTIONS
        .iter()
        .map(|action| (*action).to_owned())
        .collect();
    assert_eq!(aws.called(), listed);

    // Nothing is looked up for an application that needs none of it.
    let aws = Scripted::new(Behaviour::default());
    let none = Descriptions::new(described.account.clone(), described.region.clone());
    assert_eq!(candidates(&aws, &none).unwrap(), []);
    assert_eq!(aws.called(), BTreeSet::new());

    for action in unbuilt::ACTIONS {
        let aws = Scripted::new(Behaviour {
            refused: vec![(*action).to_owned()],
            ..Behaviour::default()
        });
        let error = candidates(&aws, &described).unwrap_err();
        assert_eq!(
            (error.action(), error.kind()),
            (*action, ErrorKind::Denied),
            "{error:?}"
        );
    }
}

#[test]
fn stacks_are_generated_without_the_versions_that_eks_offers_and_not_without_zones() {
    let look_up = |behaviour: Behaviour| {
        let account = AccountId::parse(ACCOUNT).unwrap();
        let region = Region::parse("eu-west-1").unwrap();
        let descriptions = Descriptions::new(account.clone(), region.clone());
        let mut facts = RecoveryFacts::new(account, region, ApplicationName::parse("shop").unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let context = Scripted::new(behaviour).context();
        let looked_up = runtime.block_on(Box::pin(look_up(&context, &descriptions, &mut facts)));
        (looked_up, facts)
    };
    let (looked_up, facts) = look_up(Behaviour::default());
    assert_eq!(looked_up.unwrap(), None);
    assert_eq!(facts.kubernetes_versions, ["1.33", "1.34"]);
    assert_eq!(facts.zones[0].id, "euw1-az2");

    let without = |action: &str| {
        look_up(Behaviour {
            refused: vec![action.to_owned()],
            ..Behaviour::default()
        })
    };
    let (looked_up, facts) = without("eks:DescribeClusterVersions");
    let unchecked = looked_up.unwrap().unwrap();
    assert_eq!(unchecked.code, Code::AwsDenied);
    assert!(
        unchecked.guidance.contains("eks:DescribeClusterVersions"),
        "{unchecked}"
    );
    assert_eq!((facts.kubernetes_versions.len(), facts.zones.len()), (0, 1));
    assert!(facts.images.is_some(), "the rest is looked up");

    let (looked_up, _) = without("ec2:DescribeAvailabilityZones");
    assert_eq!(looked_up.unwrap_err().code, Code::AwsDenied);
}

/// What the generator refers to is described: the only errors are those that a mapping of the user resolves.
#[test]
fn the_recovery_stacks_can_be_generated_from_what_is_described() {
    let found = run(&Scripted::new(Behaviour::default())).unwrap();
    let mut facts = RecoveryFacts::new(
        AccountId::parse("222222222222").unwrap(),
        Region::parse("eu-central-1").unwrap(),
        ApplicationName::parse("shop").unwrap(),
    );
    facts.zones = [("eu-central-1a", "euc1-az2"), ("eu-central-1b", "euc1-az3")]
        .map(|(name, id)| Zone {
            name: name.to_owned(),
            id: id.to_owned(),
        })
        .to_vec();
    let mut findings: Vec<String> = Vec::new();
    for stack in stacks(&found) {
        let generated = generate(&found, &facts, &stack, Mode::Active);
        let shown = generated.findings.iter().map(|finding| {
            let severity = finding.severity;
            format!("{} {severity:?} {}", stack.symbol(), finding.problem())
        });
        findings.extend(shown.map(|text| text.lines().next().unwrap_or_default().to_owned()));
        let missing = |finding: &&lifeboat_infrastructure::Finding| finding.code == Code::DescriptionMissing;
        assert_eq!(generated.findings.iter().find(missing), None);
    }
    insta::assert_snapshot!(findings.join("\n"));
}
