use serde_json::json;

use super::*;
use crate::aws::gateway::wire::form;

const TEMPLATE: &str = "
Parameters:
  Name: {Type: String}
  Memory: {Type: Number, Default: 1024}
Resources:
  F:
    Type: AWS::Lambda::Function
    Properties: {FunctionName: !Sub 'f-${Name}-${AWS::Region}', MemorySize: !Ref Memory}
  R:
    Type: Custom::Thing
    Properties: {ServiceToken: !GetAtt F.Arn}
";

const REGION: &str = "eu-west-1";

fn recorded(action: &str, more: &[(&str, &str)]) -> String {
    let mut pairs = vec![("Action", action), ("StackName", "s")];
    pairs.extend_from_slice(more);
    form(&pairs)
}

fn stacks() -> Stacks {
    let stacks = Stacks::default();
    let create = [
        ("TemplateBody", TEMPLATE),
        ("Parameters.member.1.ParameterKey", "Name"),
        ("Parameters.member.1.ParameterValue", "x"),
    ];
    stacks.note("222222222222", REGION, &recorded("CreateStack", &create));
    stacks
}

fn asked(resources: &CustomResources, id: &str, answer: Option<&str>) {
    let event = json!({"RequestType": "Create", "RequestId": id, "ServiceToken": "arn", "StackId": "stack/s/1",
        "LogicalResourceId": "R", "ResourceProperties": {}});
    resources.pass(event.to_string().as_bytes(), "http://g");
    if let Some(answer) = answer {
        assert!(resources.take(id, answer.as_bytes()));
    }
}

const STACK: &str = "<Stacks><member><StackName>s</StackName><StackId>stack/s/1</StackId>\
    <StackStatus>CREATE_COMPLETE</StackStatus></member><member><StackName>other</StackName>\
    <StackId>stack/other/1</StackId><StackStatus>CREATE_COMPLETE</StackStatus></member></Stacks>";

fn correct(stacks: &Stacks, action: &str, xml: &str, resources: &CustomResources) -> Option<String> {
    let options = crate::aws::LocalAwsOptions::default();
    let observed = Observed {
        account: "222222222222",
        region: REGION,
        resources,
        clusters: &Clusters::new(std::path::Path::new("/nonexistent"), "127.0.0.1:1", &options),
    };
    stacks.correct(&observed, action, xml)
}

fn describe(stacks: &Stacks, resources: &CustomResources) -> Option<String> {
    correct(stacks, "cloudformation:DescribeStacks", STACK, resources)
}

#[test]
fn functions_have_the_memory_of_their_template() {
    let stacks = stacks();
    assert_eq!(stacks.memory(REGION, "f-x-eu-west-1"), Some(1024));
    assert_eq!(stacks.memory("eu-central-1", "f-x-eu-west-1"), None);
    // An update that keeps the template and the value of one parameter.
    let update = [
        ("UsePreviousTemplate", "true"),
        ("Parameters.member.1.ParameterKey", "Name"),
        ("Parameters.member.1.UsePreviousValue", "true"),
        ("Parameters.member.2.ParameterKey", "Memory"),
        ("Parameters.member.2.ParameterValue", "256"),
    ];
    stacks.note("222222222222", REGION, &recorded("UpdateStack", &update));
    assert_eq!(stacks.memory(REGION, "f-x-eu-west-1"), Some(256));
    assert_eq!(stacks.memory(REGION, "g"), None);
}

#[test]
fn a_function_in_a_vpc_has_its_groups_and_an_access_entry_the_role_of_its_template() {
    const TEMPLATE: &str = "
Parameters:
  Groups: {Type: 'List<AWS::EC2::SecurityGroup::Id>'}
  Grant: {Type: String, Default: 'true'}
Conditions:
  Grants: !Equals [!Ref Grant, 'true']
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub ['r-${Which}', {Which: !If [Grants, a, b]}]
      Path: /p/
  F:
    Type: AWS::Lambda::Function
    Properties: {FunctionName: f, VpcConfig: {SecurityGroupIds: !Ref Groups, SubnetIds: [subnet-1]}}
  G:
    Type: AWS::Lambda::Function
    Properties: {FunctionName: g}
  Entry:
    Type: AWS::EKS::AccessEntry
    Condition: Grants
    Properties:
      ClusterName: c
      PrincipalArn: !GetAtt Role.Arn
      AccessPolicies:
      - {PolicyArn: !Sub 'arn:${AWS::Partition}:eks::aws:cluster-access-policy/P', AccessScope: {Type: cluster}}
";
    let stacks = Stacks::default();
    let create = [
        ("TemplateBody", TEMPLATE),
        ("Parameters.member.1.ParameterKey", "Groups"),
        ("Parameters.member.1.ParameterValue", "sg-1,sg-2"),
    ];
    stacks.note("222222222222", REGION, &recorded("CreateStack", &create));
    let attachment = Attachment {
        subnets: vec!["subnet-1".to_owned()],
        groups: vec!["sg-1".to_owned(), "sg-2".to_owned()],
    };
    assert_eq!(stacks.attachment(REGION, "f"), Some(attachment));
    assert_eq!(stacks.attachment(REGION, "g"), None);

    let template = Template::parse(TEMPLATE);
    let mut given: BTreeMap<String, String> =
        [("AWS::AccountId".to_owned(), "222222222222".to_owned())].into();
    let calls = template.follow_ups(&given, REGION);
    assert_eq!(
        calls[0].path,
        "/clusters/c/access-entries/arn%3Aaws%3Aiam%3A%3A222222222222%3Arole%2Fp%2Fr-a/access-policies"
    );
    assert_eq!(
        calls[0].request["policyArn"],
        "arn:aws:eks::aws:cluster-access-policy/P"
    );
    given.insert("Grant".to_owned(), "false".to_owned());
    assert!(template.follow_ups(&given, REGION).is_empty());
}

#[test]
fn a_stack_waits_for_its_custom_resource() {
    let (stacks, resources) = (stacks(), CustomResources::default());
    let waiting = describe(&stacks, &resources).unwrap_or_default();
    assert!(
        waiting
            .contains("<StackName>s</StackName><StackId>stack/s/1</StackId><StackStatus>CREATE_IN_PROGRESS<")
    );
    assert_eq!(
        waiting.matches("CREATE_COMPLETE").count(),
        1,
        "others are as they are"
    );
    asked(&resources, "1", None);
    assert!(describe(&stacks, &resources).is_some());
    assert!(resources.take("1", br#"{"Status":"SUCCESS"}"#));
    assert_eq!(describe(&stacks, &resources), None);
}

#[test]
fn a_stack_fails_with_its_custom_resource_and_says_why() {
    let (stacks, resources) = (stacks(), CustomResources::default());
    asked(
        &resources,
        "1",
        Some(r#"{"Status":"FAILED","Reason":"the key is <disabled>"}"#),
    );
    let failed = describe(&stacks, &resources).unwrap_or_default();
    assert!(
        failed.contains("<StackStatus>ROLLBACK_COMPLETE</StackStatus><StackStatusReason>"),
        "{failed}"
    );
    let event = |kind: &str, name: &str| {
        format!(
            "<member><EventId>1</EventId><StackId>stack/s/1</StackId><StackName>s</StackName>\
             <LogicalResourceId>{name}</LogicalResourceId><ResourceType>{kind}</ResourceType>\
             <ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>"
        )
    };
    let events = [
        event("AWS::CloudFormation::Stack", "s"),
        event("Custom::Thing", "R"),
        event("AWS::Lambda::Function", "F"),
    ]
    .concat();
    let recorded = correct(&stacks, "cloudformation:DescribeStackEvents", &events, &resources);
    let recorded = recorded.unwrap_or_default();
    assert!(
        recorded.contains("<ResourceStatus>ROLLBACK_COMPLETE<"),
        "{recorded}"
    );
    assert!(
        recorded.contains("<ResourceStatus>CREATE_FAILED</ResourceStatus><ResourceStatusReason>"),
        "{recorded}"
    );
    assert!(
        recorded.contains("Message returned: the key is &lt;disabled&gt;<"),
        "{recorded}"
    );
    assert_eq!(recorded.matches("CREATE_COMPLETE").count(), 1, "{recorded}");
    // A second request to the same resource succeeds.
    asked(&resources, "2", Some(r#"{"Status":"SUCCESS"}"#));
    assert_eq!(describe(&stacks, &resources), None);
}

const CONTROL: &str = include_str!("../../../../../../cloudformation/control.yaml");

#[test]
fn buckets_have_the_object_lock_of_their_template() {
    let locks = |parameters: &[(&str, &str)]| {
        let mut given: BTreeMap<String, String> =
            [("AWS::AccountId".to_owned(), "222222222222".to_owned())].into();
        given.extend(
            parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let locks = Template::parse(CONTROL).locks(&given, "eu-central-1");
        let shown = locks
            .into_iter()
            .map(|(bucket, Retention { mode, days })| format!("{bucket} {mode} {days}"));
        shown.collect::<Vec<_>>()
    };
    assert_eq!(
        locks(&[]),
        [
            "lifeboat-state-222222222222-eu-central-1 GOVERNANCE 14",
            "lifeboat-vault-222222222222-eu-central-1 GOVERNANCE 14"
        ]
    );
    let strict = locks(&[("LockDays", "30"), ("LockMode", "COMPLIANCE")]);
    assert_eq!(
        strict[1],
        "lifeboat-vault-222222222222-eu-central-1 COMPLIANCE 30"
    );
    assert!(locks(&[("LockDays", "0")]).is_empty());
    assert!(locks(&[("CreateBuckets", "false")]).is_empty());
}

#[test]
fn a_change_set_counts_once_it_is_executed_and_fails_if_it_changes_nothing() {
    let (stacks, resources) = (stacks(), CustomResources::default());
    let change = |name: &str, memory: &str| {
        recorded(
            "CreateChangeSet",
            &[
                ("ChangeSetName", name),
                ("TemplateBody", TEMPLATE),
                ("Parameters.member.1.ParameterKey", "Memory"),
                ("Parameters.member.1.ParameterValue", memory),
            ],
        )
    };
    let shown = |stacks: &Stacks, name: &str| {
        let xml = format!(
            "<R><StackName>s</StackName><ChangeSetName>{name}</ChangeSetName><Status>CREATE_COMPLETE</Status>\
             <Changes><member/></Changes></R>"
        );
        correct(stacks, "cloudformation:DescribeChangeSet", &xml, &resources)
    };
    stacks.note("222222222222", REGION, &change("one", "512"));
    assert_eq!(shown(&stacks, "one"), None, "it changes the memory");
    assert_eq!(stacks.memory(REGION, "f-x-eu-west-1"), Some(1024));
    stacks.execute(REGION, &recorded("ExecuteChangeSet", &[("ChangeSetName", "one")]));
    assert_eq!(stacks.memory(REGION, "f-x-eu-west-1"), Some(512));
    stacks.note("222222222222", REGION, &change("two", "512"));
    let shown = shown(&stacks, "two").unwrap_or_default();
    assert!(
        shown.contains("<Status>FAILED</Status>") && shown.contains("<Changes></Changes>"),
        "{shown}"
    );
}

#[test]
fn a_stack_whose_cluster_is_protected_was_not_deleted_and_says_why() {
    let (stacks, resources) = (stacks(), CustomResources::default());
    let key = (REGION.to_owned(), "s".to_owned());
    let undeleted = Undeleted {
        attempt: 1,
        resource: "Cluster".to_owned(),
        reason: "it has \"deletion protection\" & more".to_owned(),
    };
    if let Some(stack) = stacks.lock().get_mut(&key) {
        stack.undeleted = Some(undeleted);
    }
    let shown = describe(&stacks, &resources).unwrap_or_default();
    assert!(
        shown.contains("<StackId>stack/s/1</StackId><StackStatus>DELETE_FAILED</StackStatus>"),
        "{shown}"
    );
    assert_eq!(
        shown.matches("DELETE_FAILED").count(),
        1,
        "others are as they are"
    );
    let events = "<StackEvents><member><EventId>1</EventId><StackId>stack/s/1</StackId><StackName>s</StackName>\
        <LogicalResourceId>s</LogicalResourceId><ResourceType>AWS::CloudFormation::Stack</ResourceType>\
        <ResourceStatus>CREATE_IN_PROGRESS</ResourceStatus><Timestamp>t</Timestamp></member></StackEvents>";
    let shown = correct(&stacks, "cloudformation:DescribeStackEvents", events, &resources);
    let shown = shown.unwrap_or_default();
    let first = "<ResourceStatus>DELETE_FAILED</ResourceStatus><ResourceStatusReason>it has \"deletion protection\" \
        &amp; more</ResourceStatusReason>";
    assert!(
        shown.find(first) < shown.find("CREATE_IN_PROGRESS") && shown.contains(first),
        "{shown}"
    );
}

#[test]
fn a_template_is_returned_as_it_was_sent() {
    let stacks = stacks();
    let xml = "<R><TemplateBody>as fakecloud has it</TemplateBody></R>";
    let sent = stacks.as_sent(REGION, &recorded("GetTemplate", &[]), xml);
    assert_eq!(
        sent,
        Some(format!(
            "<R><TemplateBody>{}</TemplateBody></R>",
            escaped(TEMPLATE)
        ))
    );
}

#[test]
fn issuers_in_outputs_have_the_region_of_the_stack() {
    let xml = "<Stacks><member><StackName>s</StackName><StackStatus>CREATE_COMPLETE</StackStatus>\
        <Outputs><member><OutputValue>oidc.eks.amazonaws.com/id/AB12</OutputValue></member></Outputs></member></Stacks>";
    let shown = correct(
        &stacks(),
        "cloudformation:DescribeStacks",
        xml,
        &CustomResources::default(),
    );
    let expected = format!("<OutputValue>oidc.eks.{REGION}.amazonaws.com/id/AB12</OutputValue>");
    assert!(shown.unwrap_or_default().contains(&expected));
}
