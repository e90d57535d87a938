//! Names that have limits, and roles that are exact.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::template::{Template, many};
use crate::templates;

/// The longest names that CloudFormation may put in.
const LONGEST: &[(&str, usize)] = &[
    ("Application", 40),
    ("Name", 25),
    ("Side", "recovery".len()),
    ("ShortName", 25),
    ("Prefix", "Recovery".len()),
    ("AWS::Region", "us-isof-south-1".len()),
    ("AWS::AccountId", 12),
    // The last part of the ID of a stack, a UUID.
    ("Stack", 12),
];

fn named(name: &str) -> Template {
    let mut templates = templates().into_iter();
    templates.find(|template| template.name == name).unwrap()
}

/// Returns the length of a name at most.
fn longest(value: &Value) -> usize {
    let text = value.as_str().unwrap_or_else(|| {
        let sub = &value["Fn::Sub"];
        sub.as_str().or_else(|| sub[0].as_str()).unwrap()
    });
    let mut parts = text.split("${");
    let mut length = parts.next().unwrap().len();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap();
        let found = LONGEST.iter().find(|(known, _)| *known == name);
        length += found.unwrap_or_else(|| panic!("how long is {name}?")).1 + rest.len();
    }
    length
}

/// The limits of IAM, EventBridge and Lambda (IAM User Guide, "IAM and AWS STS quotas"; EventBridge API Reference,
/// "PutRule"; Lambda API Reference, "CreateFunction").
#[test]
fn every_name_is_short_enough_for_every_application() {
    let mut counted = 0;
    for template in templates() {
        for (r#type, property, limit) in [
            ("AWS::IAM::Role", "RoleName", 64),
            ("AWS::Events::Rule", "Name", 64),
            ("AWS::Lambda::Function", "FunctionName", 64),
            ("AWS::Logs::LogGroup", "LogGroupName", 512),
        ] {
            for (name, resource) in template.of_type(r#type) {
                let length = longest(&resource["Properties"][property]);
                assert!(length <= limit, "{} {name}: {length}", template.name);
                counted += 1;
            }
        }
    }
    assert!(counted >= 10, "{counted}");
}

/// What recovery points describe of AWS is read with exactly the actions that the description needs.
#[test]
fn the_primary_delegate_may_read_what_recovery_points_describe_and_no_more() {
    let template = named("application");
    let policies = &template.root["Resources"]["PrimaryRole"]["Properties"]["Policies"];
    let [condition, policy, otherwise] = policies[1]["Fn::If"].as_array().unwrap().as_slice() else {
        panic!("the policy is not conditional: {}", policies[1]);
    };
    assert_eq!(condition, "DescribesInfrastructure");
    assert_eq!(*otherwise, json!({"Ref": "AWS::NoValue"}));
    let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap();
    let granted = statements.iter().flat_map(|statement| many(&statement["Action"]));
    let mut granted: Vec<&str> = granted.map(|action| action.as_str().unwrap()).collect();
    // Each delegate has it.
    granted.push("eks:DescribeCluster");
    granted.sort_unstable();
    let mut wanted = lifeboat_describe::ACTIONS.to_vec();
    wanted.sort_unstable();
    assert_eq!(granted, wanted);
    for action in granted {
        let (_, verb) = action.split_once(':').unwrap();
        let reads = ["Describe", "Get", "List"]
            .iter()
            .any(|prefix| verb.starts_with(prefix));
        assert!(reads, "{action} changes something");
    }
}

/// What exists in the recovery environment is looked up with the permissions to build.
#[test]
fn the_recovery_delegate_may_look_up_what_exists() {
    let template = named("rebuild");
    let policies = template.of_type("AWS::IAM::ManagedPolicy");
    let granted: BTreeSet<String> = policies
        .flat_map(|(_, policy)| many(&policy["Properties"]["PolicyDocument"]["Statement"]))
        .filter(|statement| statement["Effect"] == "Allow" && statement["Condition"].is_null())
        .flat_map(|statement| many(&statement["Action"]))
        .map(|action| action.as_str().unwrap().to_owned())
        .collect();
    let more = [
        "ec2:DescribeAvailabilityZones",
        "cloudformation:ListStackResources",
    ];
    let unbuilt = lifeboat_describe::unbuilt::ACTIONS;
    for action in lifeboat_describe::CANDIDATES.iter().chain(unbuilt).chain(&more) {
        assert!(granted.contains(*action), "{action}");
    }
}

/// The networks of private clusters are read with exactly the actions that the look needs, and no other function is asked.
#[test]
fn a_delegate_asks_private_delegates_and_no_other_functions() {
    let template = named("application");
    let policy = &template.root["Resources"]["PrivateNetworksPolicy"]["Properties"]["PolicyDocument"];
    let statements = policy["Statement"].as_array().unwrap();
    let of = |sid: &str| {
        let mut statements = statements.iter();
        statements.find(|statement| statement["Sid"] == sid).unwrap()
    };
    let ask = of("AskPrivateDelegates");
    assert_eq!(ask["Action"], "lambda:InvokeFunction");
    let function =
        "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:lifeboat-*-private";
    assert_eq!(ask["Resource"], json!({"Fn::Sub": function}));
    let granted: BTreeSet<&str> = many(&of("ReadPrivateNetworks")["Action"])
        .iter()
        .map(|action| action.as_str().unwrap())
        .collect();
    assert_eq!(granted, lifeboat_describe::NETWORKS.iter().copied().collect());
}

/// The wall between applications: what a delegate may read, write and sign with is its own.
#[test]
fn a_delegate_reaches_nothing_of_another_application() {
    let template = named("application");
    for role in ["PrimaryRole", "RecoveryRole"] {
        let policy = &template.root["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"];
        for statement in policy["Statement"].as_array().unwrap() {
            let sid = statement["Sid"].as_str().unwrap_or_default();
            let reads_or_writes = many(&statement["Action"]).iter().any(|action| {
                let action = action.as_str().unwrap();
                action.ends_with("Object") || action == "s3:AbortMultipartUpload"
            });
            for resource in many(&statement["Resource"]) {
                let text = resource.to_string();
                assert!(
                    !reads_or_writes
                        || text.contains("/${Application}/")
                        || text.contains("/${Application}."),
                    "{role} {sid}: {text}"
                );
            }
            match sid {
                "SignRecoveryPoints" => assert_eq!(
                    statement["Resource"]["Fn::If"],
                    json!(["HasSigningKey", {"Ref": "SigningKey"}, {"Fn::GetAtt": "Key.Arn"}])
                ),
                "WriteLogs" => assert_eq!(statement["Resource"], json!({"Fn::GetAtt": "LogGroup.Arn"})),
                _ => {}
            }
        }
    }
    let function = &template.root["Resources"]["Delegate"]["Properties"];
    let role = json!(["IsPrimary", {"Fn::GetAtt": "PrimaryRole.Arn"}, {"Fn::GetAtt": "RecoveryRole.Arn"}]);
    assert_eq!(function["Role"]["Fn::If"], role);
    assert_eq!(
        function["Environment"]["Variables"]["LIFEBOAT_ROLE"]["Fn::If"],
        role
    );
}

/// The vault of one account is read by roles of others only if they are named.
#[test]
fn the_vault_names_each_role_that_reads_it() {
    let template = named("control");
    let policy = &template.root["Resources"]["VaultPolicy"]["Properties"]["PolicyDocument"];
    let mut allowed = 0;
    for statement in policy["Statement"].as_array().unwrap() {
        if statement["Effect"] == "Deny" {
            continue;
        }
        let [condition, granted, otherwise] = statement["Fn::If"].as_array().unwrap().as_slice() else {
            panic!("{statement}");
        };
        assert_eq!(
            (condition, otherwise),
            (&json!("HasRecoveryRoles"), &json!({"Ref": "AWS::NoValue"}))
        );
        assert_eq!(
            granted["Condition"],
            json!({"ArnEquals": {"aws:PrincipalArn": {"Fn::Split": [",", {"Ref": "RecoveryRoles"}]}}})
        );
        allowed += 1;
    }
    assert_eq!(allowed, 2);
    for parameter in ["RecoveryRoles", "RecoveryAccounts"] {
        assert_eq!(template.root["Parameters"][parameter]["Default"], "");
    }
}

/// Only the coordinator writes what delegates obey, and only delegates write what the coordinator believes.
#[test]
fn nobody_else_writes_the_documents_of_jobs() {
    for (side, delegates) in [
        ("primary", "LifeboatPrimaryK8sDel"),
        ("recovery", "LifeboatRecoveryK8sDel"),
    ] {
        let template = named(&format!("{side}-access"));
        let policy = &template.root["Resources"]["ScratchBucketPolicy"]["Properties"]["PolicyDocument"];
        for (sid, documents, writer) in [
            (
                "DenyAssignmentsOfOthers",
                &["/jobs/*/assignment*.json", "/jobs/*/cancel.json"][..],
                ":role/LifeboatCoordinator-${ControlRegion},",
            ),
            (
                "DenyDelegateDocumentsOfOthers",
                &[
                    "/jobs/*/claim-*.json",
                    "/jobs/*/checkpoint-*.json",
                    "/jobs/*/progress-*.json",
                    "/jobs/*/result.json",
                    "/delegates/*",
                ],
                &format!(":role/{delegates}-*-${{AWS::Region}},"),
            ),
        ] {
            let mut statements = policy["Statement"].as_array().unwrap().iter();
            let denial = statements.find(|statement| statement["Sid"] == sid).unwrap();
            assert_eq!(
                (&denial["Effect"], &denial["Principal"]),
                (&json!("Deny"), &json!("*"))
            );
            for document in documents {
                let resources = denial["Resource"].as_array().unwrap();
                let is_there = resources.iter().any(|resource| {
                    resource["Fn::Sub"]
                        .as_str()
                        .is_some_and(|text| text.ends_with(document))
                });
                assert!(is_there, "{side} {sid} {document}");
            }
            let exempt = &denial["Condition"]["ArnNotLike"]["aws:PrincipalArn"]["Fn::Split"][1]["Fn::Sub"][0];
            let exempt = exempt.as_str().unwrap();
            assert!(exempt.contains(writer), "{side} {sid}: {exempt}");
            // The root user, the role with and without a path, and break-glass principals.
            assert_eq!(exempt.split(',').count(), 3, "{side} {sid}: {exempt}");
            assert!(exempt.ends_with("${BreakGlass}"), "{side} {sid}: {exempt}");
        }
    }
}

/// The loss of the recovery key is the loss of every recovery point.
#[test]
fn changes_of_the_recovery_key_are_denied_and_notified() {
    let template = named("recovery-access");
    let resources = &template.root["Resources"];
    let policy = resources["RecoveryKey"]["Properties"]["KeyPolicy"]["Statement"]
        .as_array()
        .unwrap();
    let denial = policy
        .iter()
        .find(|statement| statement["Effect"] == "Deny")
        .unwrap();
    assert_eq!(
        denial["Action"],
        json!(["kms:DisableKey", "kms:ScheduleKeyDeletion"])
    );
    let pattern = &resources["KeyRule"]["Properties"]["EventPattern"];
    assert_eq!(pattern["detail-type"], json!(["AWS API Call via CloudTrail"]));
    let calls = &pattern["detail"]["eventName"];
    for call in [
        "DisableKey",
        "ScheduleKeyDeletion",
        "PutKeyPolicy",
        "DeleteImportedKeyMaterial",
    ] {
        assert!(many(calls).contains(&&json!(call)), "{call}");
    }
    assert!(
        template.root["Description"]
            .as_str()
            .unwrap()
            .contains("CloudTrail")
    );
}

/// Reports of restores are evidence. Documents of jobs are not.
#[test]
fn reports_outlive_the_documents_of_jobs() {
    let template = named("recovery-access");
    let rules = &template.root["Resources"]["ScratchBucket"]["Properties"]["LifecycleConfiguration"]["Rules"];
    let days = |prefix: &str| {
        let mut rules = rules.as_array().unwrap().iter();
        let rule = rules.find(|rule| rule["Prefix"] == prefix).unwrap();
        rule["ExpirationInDays"].as_f64().unwrap()
    };
    assert!(days("jobs/") <= 7.0 && days("reports/") >= 365.0);
}
