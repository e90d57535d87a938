//! A delegate without access to a cluster causes an issue. Each command that an issue contains
//! resolves it when it is run unchanged, and the issue then closes by itself.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lifeboat_coordinator::State;
use lifeboat_local::Cluster;
use lifeboat_model::{ApplicationName, Code, Issue, RecoveryPointId, Side};
use lifeboat_recovery_point::layout::manifest_key;
use serde_json::{Value, json};

mod environment;
mod principals;
mod walls;

use environment::{Environment, PRIMARY, RECOVERY};

/// The primary clusters, one of each authentication mode, and the target of one of them.
const BY_ENTRY: &str = "by-entry";
const BY_BOTH: &str = "by-both";
const BY_MAP: &str = "by-map";
const TARGET: &str = "target";

#[test]
fn printed_commands_resolve_their_issues() {
    let _alone = crate::alone();
    if !crate::has_client() {
        return;
    }
    let stage = Environment::set();
    stage.create(Side::Primary, BY_ENTRY, "API", "");
    stage.create(Side::Primary, BY_BOTH, "API_AND_CONFIG_MAP", "--tags team=stock");
    stage.create(Side::Primary, BY_MAP, "CONFIG_MAP", "");
    stage.create(Side::Recovery, TARGET, "API", "");
    principals::named_roles_of_other_accounts_read_one_vault(&stage);
    for name in [BY_ENTRY, BY_BOTH] {
        stage.active(Side::Primary, name);
    }
    let by_map = stage.active(Side::Primary, BY_MAP);
    stage.active(Side::Recovery, TARGET);
    let shop = stage.put(&document(), &[Side::Primary, Side::Recovery]);

    nobody_may_see(&stage, &shop);
    nobody_is_known(&stage, &shop);
    the_other_ways_do_as_well(&stage, &shop);
    a_private_endpoint_is_opened(&stage, &shop);
    what_may_not_be_read_is_named(&stage, &shop, &by_map);
    what_may_not_be_written_is_named(&stage, &shop);
    clusters_are_found_by_their_tags(&stage);
}

fn document() -> Value {
    json!({
        "format": 1,
        "name": "shop",
        "primary": place(PRIMARY),
        "recovery": place(RECOVERY),
        "clusters": [
            {"name": BY_ENTRY, "restoreInto": TARGET},
            {"name": BY_BOTH},
            {"name": BY_MAP},
        ],
        // The schedule causes only the first backup; all others run on request.
        "schedule": {"every": "1d"},
    })
}

fn place(environment: &str) -> Value {
    let (account, region) = environment.split_once('-').unwrap();
    json!({"account": account, "region": region})
}

/// Returns the open issues with a code.
fn open(state: &State, code: Code) -> Vec<&Issue> {
    state.issues.values().filter(|issue| issue.code == code).collect()
}

fn clusters(issues: &[&Issue]) -> BTreeSet<String> {
    let name = |issue: &&Issue| issue.id.as_str().rsplit('/').next().unwrap().to_owned();
    issues.iter().map(name).collect()
}

fn of<'a>(issues: &[&'a Issue], cluster: &str) -> &'a Issue {
    let end = format!("/{cluster}");
    let mut issues = issues.iter().copied();
    issues.find(|issue| issue.id.as_str().ends_with(&end)).unwrap()
}

/// Runs the command of an issue.
fn run(stage: &Environment, issue: &Issue) {
    stage.shell(issue).run(issue.command.as_deref().unwrap());
}

/// Runs one of the alternative commands of an issue.
fn run_other(stage: &Environment, issue: &Issue, what: &str) {
    let mut others = issue.alternatives.iter();
    let other = others.find(|other| other.what.contains(what));
    stage
        .shell(issue)
        .run(&other.unwrap_or_else(|| panic!("{what}: {issue}")).command);
}

fn nobody_may_see(stage: &Environment, shop: &ApplicationName) {
    let state = stage.pass(0, shop);
    let unseen = open(&state, Code::DescribeClusterDenied);
    assert_eq!(
        clusters(&unseen),
        BTreeSet::from([BY_BOTH, BY_ENTRY, BY_MAP, TARGET].map(str::to_owned))
    );
    for issue in unseen {
        run(stage, issue);
    }
}

fn nobody_is_known(stage: &Environment, shop: &ApplicationName) {
    let state = stage.pass(6, shop);
    assert_eq!(open(&state, Code::DescribeClusterDenied), Vec::<&Issue>::new());
    let unknown = open(&state, Code::NoAccessEntry);
    assert_eq!(clusters(&unknown).len(), 4, "{unknown:?}");
    assert!(state.points.is_empty());
    run(stage, of(&unknown, BY_ENTRY));
    run(stage, of(&unknown, TARGET));
    run_other(stage, of(&unknown, BY_BOTH), "ClusterRole");
    // Does what eksctl would do; the flags of eksctl are checked where the command is created.
    let by_map = of(&unknown, BY_MAP);
    assert!(
        by_map
            .command
            .as_deref()
            .unwrap()
            .starts_with("eksctl create iamidentitymapping ")
    );
    run_other(stage, by_map, "without eksctl");
    // The command is idempotent.
    run_other(stage, by_map, "without eksctl");
    assert_eq!(mapped_roles(stage).matches("rolearn").count(), 1);

    let state = stage.pass(6, shop);
    assert!(state.issues.is_empty(), "{:?}", state.issues);
    // The backup that failed is retried automatically once all issues are resolved.
    let state = stage.pass(1, shop);
    let (_, entry) = state.points.last_key_value().unwrap();
    assert_eq!(format!("{:?}", entry.completeness), "Complete");
    assert_eq!(entry.clusters.len(), 3);
}

fn mapped_roles(stage: &Environment) -> String {
    stage.primary.shell.run(&format!(
        "aws eks update-kubeconfig --name {BY_MAP} >/dev/null && kubectl get configmap aws-auth --namespace kube-system \
         --output 'jsonpath={{.data.mapRoles}}'"
    ))
}

/// Revokes all access, and grants it with the alternative commands.
fn the_other_ways_do_as_well(stage: &Environment, shop: &ApplicationName) {
    let (shell, role) = (&stage.primary.shell, &stage.primary.role);
    for name in [BY_ENTRY, BY_BOTH] {
        shell.run(&format!(
            "aws eks delete-access-entry --cluster-name {name} --principal-arn {role}"
        ));
    }
    // The list also contains the role of other nodes, which must stay.
    shell.run(&format!(
        "aws eks update-kubeconfig --name {BY_MAP} && kubectl patch configmap aws-auth --namespace kube-system --patch \
         '{{\"data\":{{\"mapRoles\":\"- rolearn: arn:aws:iam::111111111111:role/nodes\\n  username: n\\n\",\"mapUsers\":\"[]\"}}}}'"
    ));
    stage.ask(shop, json!({"backup": {"application": "shop"}}));
    let state = stage.pass(6, shop);
    let unknown = open(&state, Code::NoAccessEntry);
    assert_eq!(
        clusters(&unknown),
        BTreeSet::from([BY_BOTH, BY_ENTRY, BY_MAP].map(str::to_owned))
    );
    run_other(stage, of(&unknown, BY_ENTRY), "ClusterRole");
    run(stage, of(&unknown, BY_BOTH));
    run_other(stage, of(&unknown, BY_MAP), "only read access");
    let mapped = mapped_roles(stage);
    assert!(
        mapped.contains("role/nodes") && mapped.contains(role.as_str()),
        "{mapped}"
    );
    let state = stage.pass(6, shop);
    assert!(state.issues.is_empty(), "{:?}", state.issues);
    let state = stage.pass(1, shop);
    assert_eq!(state.points.len(), 2, "rights to read are enough");
    let (_, entry) = state.points.last_key_value().unwrap();
    assert_eq!(format!("{:?}", entry.completeness), "Complete");
    // A list in another format is not changed by the command.
    shell.run(
        "kubectl patch configmap aws-auth --namespace kube-system --patch '{\"data\":{\"mapRoles\":\"  - rolearn: x\\n\"}}'",
    );
    let other = unknown
        .iter()
        .find(|issue| issue.id.as_str().ends_with(BY_MAP))
        .unwrap();
    let stderr = shell.fails(&other.alternatives[0].command);
    assert!(stderr.contains("add the role by hand"), "{stderr}");
    shell.run(
        "kubectl patch configmap aws-auth --namespace kube-system --patch '{\"data\":{\"mapRoles\":\"\"}}'",
    );
    shell.run(&other.alternatives[1].command);
}

fn a_private_endpoint_is_opened(stage: &Environment, shop: &ApplicationName) {
    stage.primary.shell.run(&format!(
        "aws eks update-cluster-config --name {BY_ENTRY} --resources-vpc-config endpointPublicAccess=false,endpointPrivateAccess=true"
    ));
    stage.ask(shop, json!({"backup": {"application": "shop"}}));
    let state = stage.pass(6, shop);
    let private = open(&state, Code::EndpointPrivate);
    run_other(stage, of(&private, BY_ENTRY), "open the public endpoint");
    let state = stage.pass(6, shop);
    assert!(state.issues.is_empty(), "{:?}", state.issues);
}

fn manifest(stage: &Environment, shop: &ApplicationName, point: &RecoveryPointId) -> Value {
    let envelope: Value = serde_json::from_slice(&stage.in_vault(&manifest_key(shop, point))).unwrap();
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// A group that can read everything but Secrets: the recovery point is Partial and reports it, and
/// the command extends the permissions.
fn what_may_not_be_read_is_named(stage: &Environment, shop: &ApplicationName, cluster: &Cluster) {
    let names = cluster
        .kubectl_output(&["api-resources", "--verbs=list", "--output=name"])
        .unwrap();
    let others: Vec<&str> = names.lines().filter(|name| *name != "secrets").collect();
    let resources = format!("--resource={}", others.join(","));
    cluster
        .kubectl_output(&["delete", "clusterrole", "lifeboat-read"])
        .unwrap();
    let narrow = [
        "create",
        "clusterrole",
        "lifeboat-read",
        "--verb=get,list",
        &resources,
    ];
    cluster.kubectl_output(&narrow).unwrap();
    stage.ask(shop, json!({"backup": {"application": "shop"}}));
    let before = stage.pass(1, shop);
    let state = stage.pass(1, shop);
    let (point, entry) = state.points.last_key_value().unwrap();
    assert_eq!(
        format!("{:?}", entry.completeness),
        "Partial",
        "{:?}",
        before.issues
    );
    let manifest = manifest(stage, shop, point);
    let clusters = manifest["predicate"]["clusters"].as_array().unwrap();
    for cluster in clusters {
        let missing = cluster["missing"].as_array().into_iter().flatten();
        let missing: Vec<&str> = missing.map(|what| what["type"].as_str().unwrap()).collect();
        let expected: &[&str] = if cluster["name"] == BY_MAP {
            &["secrets"]
        } else {
            &[]
        };
        assert_eq!(missing, expected, "{}", cluster["name"]);
    }
    let narrow = open(&state, Code::InsufficientAccess);
    assert_eq!(narrow.len(), 1, "{narrow:?}");
    assert!(
        narrow[0]
            .message
            .contains("is not allowed to list secrets in by-map"),
        "{}",
        narrow[0]
    );
    assert_eq!(narrow[0].severity.to_string(), "warning");
    run(stage, narrow[0]);
    let state = stage.pass(6, shop);
    assert!(state.issues.is_empty(), "{:?}", state.issues);
}

/// The target of a restore must allow writes: with read-only permissions there is an issue.
fn what_may_not_be_written_is_named(stage: &Environment, shop: &ApplicationName) {
    let (shell, role) = (&stage.recovery.shell, &stage.recovery.role);
    let policy = |name: &str| format!("arn:aws:eks::aws:cluster-access-policy/{name}");
    shell.run(&format!(
        "aws eks disassociate-access-policy --cluster-name {TARGET} --principal-arn {role} --policy-arn {}",
        policy("AmazonEKSClusterAdminPolicy")
    ));
    shell.run(&format!(
        "aws eks associate-access-policy --cluster-name {TARGET} --principal-arn {role} --policy-arn {} --access-scope type=cluster",
        policy("AmazonEKSAdminViewPolicy")
    ));
    let mut changed = document();
    changed["retention"] = json!({"last": 7});
    stage.put_again(shop, &changed);
    let state = stage.pass(1, shop);
    let narrow = open(&state, Code::InsufficientAccess);
    let issue = of(&narrow, TARGET);
    assert!(issue.message.contains("is not allowed to write "), "{issue}");
    assert_eq!(issue.severity.to_string(), "error");
    run(stage, issue);
    let state = stage.pass(6, shop);
    assert!(state.issues.is_empty(), "{:?}", state.issues);
}

fn clusters_are_found_by_their_tags(stage: &Environment) {
    let stock = stage.put(
        &json!({
            "format": 1, "name": "stock", "primary": place(PRIMARY), "recovery": place(RECOVERY),
            "clusterTags": {"team": "stock"}, "restoreInto": "{cluster}-dr", "schedule": {"every": "1d"},
        }),
        &[Side::Primary],
    );
    let describe = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:DescribeCluster","Resource":"*"}]}"#;
    stage.primary.shell.run(&format!(
        "aws iam put-role-policy --role-name LifeboatPrimaryK8sDel-stock-eu-west-1 --policy-name describe --policy-document '{describe}'"
    ));
    let state = stage.pass(0, &stock);
    let unfound = open(&state, Code::NoTaggedCluster);
    assert_eq!(unfound.len(), 1, "{:?}", state.issues);
    assert!(state.points.is_empty());
    run(stage, unfound[0]);
    let state = stage.pass(6, &stock);
    assert_eq!(open(&state, Code::NoTaggedCluster), Vec::<&Issue>::new());
    // The role of this application has no access to the cluster yet.
    for issue in open(&state, Code::NoAccessEntry) {
        run(stage, issue);
    }
    let state = stage.pass(6, &stock);
    let state = if state.points.is_empty() {
        stage.pass(1, &stock)
    } else {
        state
    };
    let (_, entry) = state.points.last_key_value().unwrap();
    assert_eq!(entry.clusters[0].as_str(), BY_BOTH);
}
