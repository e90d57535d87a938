#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

fn application() -> ApplicationName {
    ApplicationName::parse("shop").unwrap()
}

fn cluster() -> ClusterName {
    ClusterName::parse("Orders_1").unwrap()
}

fn environment() -> EnvironmentId {
    EnvironmentId::parse("111111111111-eu-west-1").unwrap()
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn of_application() -> Stack {
    Stack {
        parameters: texts(&[
            ("CodeBucket", "lifeboat-artifacts"),
            ("DelegateKey", "functions/d.zip"),
            ("Architecture", "x86_64"),
            ("LogDays", "30"),
            ("PermissionsBoundary", ""),
            ("SigningKey", ""),
        ]),
        outputs: texts(&[(BOUNDARY, "arn:aws:iam::111111111111:policy/b")]),
        ..Stack::default()
    }
}

fn spec(of_application: &Stack, existing: Option<&Stack>) -> Result<StackSpec, Problem> {
    let (application, cluster) = (application(), cluster());
    let delegate = PrivateDelegate {
        application: &application,
        side: Side::Primary,
        cluster: &cluster,
        name_in_application: None,
        subnets: &["subnet-1".to_owned(), "subnet-2".to_owned()],
        security_group: "sg-1",
        grants_access: true,
    };
    let package = package_of(&application, of_application).unwrap();
    delegate.spec(of_application, existing, package, &environment(), "c".to_owned())
}

#[test]
fn the_stack_has_the_settings_and_the_code_of_the_application() {
    let spec = spec(&of_application(), None).unwrap();
    let short = private_name(&application(), &cluster());
    assert_eq!(spec.stack, private_stack(&application(), &cluster()));
    assert!(
        spec.stack
            .starts_with(&format!("lifeboat-{}-", PRIVATE_DELEGATE.name))
    );
    let wanted = texts(&[
        ("Application", "shop"),
        ("ClusterName", "Orders_1"),
        ("Side", "primary"),
        ("ShortName", &short),
        ("SubnetIds", "subnet-1,subnet-2"),
        ("SecurityGroupIds", "sg-1"),
        ("GrantAccess", "true"),
        ("CodeBucket", "lifeboat-artifacts"),
        ("DelegateKey", "functions/d.zip"),
        ("Architecture", "x86_64"),
        ("LogDays", "30"),
        ("PermissionsBoundary", "arn:aws:iam::111111111111:policy/b"),
    ]);
    assert_eq!(spec.parameters, wanted);
    let known = PRIVATE_DELEGATE.parameters();
    for name in spec
        .parameters
        .keys()
        .map(String::as_str)
        .chain(TAKEN_OVER.iter().copied())
    {
        assert!(known.contains(name), "{name}");
    }
    let of_application = APPLICATION.parameters();
    for name in TAKEN_OVER.iter().chain(PACKAGE) {
        assert!(of_application.contains(*name), "{name}");
    }
}

#[test]
fn a_boundary_of_the_user_comes_before_that_of_the_application() {
    let mut stack = of_application();
    let theirs = "arn:aws:iam::111111111111:policy/theirs".to_owned();
    stack
        .parameters
        .insert("PermissionsBoundary".to_owned(), theirs.clone());
    assert_eq!(
        spec(&stack, None).unwrap().parameters["PermissionsBoundary"],
        theirs
    );
    // A stack without automatic deployment has no boundary of its own.
    let mut stack = of_application();
    stack.outputs.clear();
    assert_eq!(spec(&stack, None).unwrap().parameters["PermissionsBoundary"], "");
}

#[test]
fn a_stack_of_somebody_else_is_not_touched() {
    let parameters = texts(&[("Application", "shop"), ("ClusterName", "Orders_1")]);
    let tags = texts(&[
        ("lifeboat:application", "shop"),
        ("lifeboat:stack", "private-delegate"),
    ]);
    let stack = |parameters: &BTreeMap<String, String>, tags: &BTreeMap<String, String>| Stack {
        status: "CREATE_COMPLETE".to_owned(),
        parameters: parameters.clone(),
        tags: tags.clone(),
        ..Stack::default()
    };
    let ours = spec(&of_application(), Some(&stack(&parameters, &tags))).unwrap();
    assert_eq!(ours.tags, tags);
    // One of a former version.
    let former = spec(&of_application(), Some(&stack(&parameters, &BTreeMap::new()))).unwrap();
    assert!(former.tags.is_empty());
    let other = texts(&[("Application", "shop"), ("ClusterName", "other")]);
    let of_other_application = texts(&[("lifeboat:application", "web")]);
    for foreign in [
        stack(&other, &tags),
        stack(&BTreeMap::new(), &BTreeMap::new()),
        stack(&parameters, &of_other_application),
    ] {
        let refused = spec(&of_application(), Some(&foreign)).unwrap_err();
        assert_eq!(refused.code, Code::StackForeign);
    }
}

#[test]
fn a_stack_of_the_application_without_code_is_refused() {
    let mut stack = of_application();
    stack.parameters.remove("DelegateKey");
    let refused = package_of(&application(), &stack).unwrap_err();
    assert_eq!(refused.code, Code::RequiredStackMissing);
    assert!(refused.message.contains("DelegateKey"), "{}", refused.message);
}
