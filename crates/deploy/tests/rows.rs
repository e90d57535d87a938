//! What is kept and what is translated of a cluster, property by property: a rich application is built on the local AWS,
//! described there, and compared with its descriptions under the identity map.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lifeboat_apiserver::Api;
use lifeboat_apiserver::connect::{Address, AddressOptions};
use lifeboat_aws::{AwsContext, EksClusters, EksTokenSource, testing};
use lifeboat_deploy::CloudFormation;
use lifeboat_deploy::recovery::{Built, Recovery};
use lifeboat_describe::{Wanted, describe};
use lifeboat_infrastructure::{Adoption, Descriptions, Mentions, Mode, RecoveryFacts, Zone};
use lifeboat_local::{LocalAws, LocalAwsOptions};
use lifeboat_model::{AccountId, ApplicationName, EnvironmentId, Region};
use lifeboat_system::SystemClock;
use lifeboat_translate::Identities;
use serde_json::{Value, json};

const ACCOUNT: &str = "222222222222";
const REGION: &str = "eu-central-1";
const DOCUMENT: &[u8] = include_bytes!("../../infrastructure/tests/fixtures/aws-descriptions-v1.json");
const IMAGES: [&str; 2] = ["ami-0aaaaaaaaaaaaaaa1", "ami-0bbbbbbbbbbbbbbb1"];

/// The clusters, one in each authentication mode.
const CLUSTERS: [(&str, &str); 3] = [
    ("orders", "API_AND_CONFIG_MAP"),
    ("web", "CONFIG_MAP"),
    ("mail", "API"),
];

/// Returns the sample with every property of the rows that it lacks.
fn rich() -> Descriptions {
    let mut all: Value = serde_json::from_slice(DOCUMENT).unwrap();
    let role = |name: &str| format!("arn:aws:iam::111111111111:role/{name}");
    let mut mail = all["clusters"][1].clone();
    mail["name"] = "mail".into();
    mail["arn"] = "arn:aws:eks:eu-west-1:111111111111:cluster/mail".into();
    mail["accessConfig"]["authenticationMode"] = "API".into();
    mail["resourcesVpcConfig"]["clusterSecurityGroupId"] = "sg-000000000000000b6".into();
    mail["identity"]["oidc"]["issuer"] =
        "https://oidc.eks.eu-west-1.amazonaws.com/id/FFFF0000FFFF0000FFFF0000FFFF0000".into();
    mail["endpoint"] = "https://AAAABBBBCCCCDDDDAAAABBBBCCCCDDDD.gr7.eu-west-1.eks.amazonaws.com".into();
    mail.as_object_mut().unwrap().remove("nodegroups");
    all["clusters"].as_array_mut().unwrap().push(mail);

    let orders = &mut all["clusters"][0];
    orders["deletionProtection"] = true.into();
    orders["computeConfig"] =
        json!({"enabled": true, "nodePools": ["system"], "nodeRoleArn": role("shop-nodes")});
    orders["storageConfig"] = json!({"blockStorage": {"enabled": true}});
    orders["kubernetesNetworkConfig"]["elasticLoadBalancing"] = json!({"enabled": true});
    orders["controlPlaneScalingConfig"] = json!({"tier": "tier-xl"});
    orders["remoteNetworkConfig"] = json!({
        "remoteNodeNetworks": [{"cidrs": ["10.80.0.0/16"]}],
        "remotePodNetworks": [{"cidrs": ["10.85.0.0/16"]}],
    });
    orders["identityProviderConfigs"] = json!([{
        "identityProviderConfigName": "login",
        "issuerUrl": "https://login.example",
        "clientId": "kubernetes",
        "groupsClaim": "groups",
        "groupsPrefix": "login:",
        "requiredClaims": {"team": "shop"},
        "tags": {"team": "shop"},
    }]);
    orders["podIdentityAssociations"][0]["tags"] = json!({"team": "shop"});
    orders["accessEntries"][0]["tags"] = json!({"team": "shop"});
    orders["fargateProfiles"][0]["tags"] = json!({"team": "shop"});
    orders["addons"][0]["serviceAccountRoleArn"] = role("mail").into();
    orders["addons"][0]["tags"] = json!({"team": "shop"});
    let group = &mut orders["nodegroups"][0];
    group["nodeRepairConfig"] = json!({"enabled": true});
    // An image of one's own: EKS takes neither type, version nor release then.
    let mut own = group.clone();
    own["nodegroupName"] = "own".into();
    own["amiType"] = "CUSTOM".into();
    own["launchTemplate"] = json!({"id": "lt-000000000000000c2", "name": "shop-own", "version": "1"});
    own["scalingConfig"] = json!({"minSize": 0, "maxSize": 2, "desiredSize": 0});
    own["taints"] = json!([]);
    for name in ["releaseVersion", "version"] {
        own.as_object_mut().unwrap().remove(name);
    }
    orders["nodegroups"].as_array_mut().unwrap().push(own);
    let web = &mut all["clusters"][1]["nodegroups"][0];
    web["remoteAccess"] = json!({"ec2SshKey": "operators", "sourceSecurityGroups": ["sg-000000000000000b1"]});

    let mut template = all["launchTemplates"][0].clone();
    template["launchTemplateId"] = "lt-000000000000000c2".into();
    template["launchTemplateName"] = "shop-own".into();
    template["versionNumber"] = 1.into();
    template["launchTemplateData"]["imageId"] = IMAGES[0].into();
    all["launchTemplates"].as_array_mut().unwrap().push(template);

    let mut roles = all["roles"].as_array_mut().unwrap().iter_mut();
    let cart = roles.find(|role| role["roleName"] == "cart").unwrap();
    cart["permissionsBoundary"] = "arn:aws:iam::111111111111:policy/shop/cart".into();
    serde_json::from_value(all).unwrap()
}

fn facts(principal: &str) -> RecoveryFacts {
    let zone = |letter: &str, id: &str| Zone {
        name: format!("{REGION}{letter}"),
        id: id.to_owned(),
    };
    let mut facts = RecoveryFacts::new(
        AccountId::parse(ACCOUNT).unwrap(),
        Region::parse(REGION).unwrap(),
        ApplicationName::parse("shop").unwrap(),
    );
    facts.zones = vec![zone("a", "euc1-az1"), zone("b", "euc1-az2")];
    facts.delegate_role = Some(principal.to_owned());
    facts.managed_addons = true;
    facts.adopted = vec![Adoption::mapped(IMAGES[0], IMAGES[1])];
    facts
}

/// Reads from a cluster with a token of EKS, as the principal that built it.
async fn read(context: &AwsContext, clusters: &EksClusters, name: &str, path: &str) -> Value {
    let endpoint = clusters.describe(name).await.unwrap().endpoint.unwrap();
    let address = Address {
        server: endpoint.url,
        ca_pem: endpoint.ca_pem,
        token: Arc::new(EksTokenSource::new(context, name, Arc::new(SystemClock))),
    };
    let (api, _) = Api::connect_to(&address, &AddressOptions::default())
        .await
        .unwrap();
    api.get_json(path).await.unwrap()
}

/// The rows: what a row is of, what it must be, and what it is.
struct Rows<'a> {
    identities: &'a Identities,
    rows: Vec<(String, Value, Value)>,
}

impl Rows<'_> {
    fn is(&mut self, row: impl Into<String>, expected: impl Into<Value>, found: &Value) {
        let (expected, found) = (in_order(expected.into()), in_order(found.clone()));
        self.rows.push((row.into(), expected, found));
    }

    /// Compares a property with that of the source under the identity map.
    fn kept(&mut self, of: &str, (source, built): (&Value, &Value), paths: &[&str]) {
        for path in paths {
            let expected = source.pointer(path).cloned().unwrap_or_default();
            let found = built.pointer(path).cloned().unwrap_or_default();
            assert!(!expected.is_null(), "the sample has no {of} {path}");
            let expected = self.translated(&expected);
            self.is(format!("{of} {path}"), expected, &found);
        }
    }

    /// Compares tags: what is built has more.
    fn tags(&mut self, of: &str, source: &Value, built: &Value) {
        for (key, value) in source["tags"].as_object().unwrap() {
            self.is(format!("{of} tag {key}"), value.clone(), &built["tags"][key]);
        }
        let application = &built["tags"]["lifeboat.dev/application"];
        self.is(format!("{of} tag of the application"), "shop", application);
    }

    fn translated(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.identities.image(text).unwrap_or_else(|| text.clone()).into(),
            Value::Array(items) => items.iter().map(|item| self.translated(item)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(key, value)| (key.clone(), self.translated(value)))
                .collect(),
            _ => value.clone(),
        }
    }

    fn check(self) {
        let wrong: Vec<String> = self
            .rows
            .iter()
            .filter(|(_, expected, found)| expected != found)
            .map(|(row, expected, found)| format!("{row}: {found} instead of {expected}"))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// Sorts ids of EC2, which descriptions list in the order of the ids that the account has.
fn in_order(mut value: Value) -> Value {
    if let Value::Array(items) = &mut value {
        let is_id = |item: &Value| {
            let text = item.as_str().unwrap_or_default();
            text.starts_with("subnet-") || text.starts_with("sg-")
        };
        if items.iter().all(is_id) {
            items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        }
    }
    value
}

/// Returns the element of a list with this value.
fn one<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    let mut items = list.as_array().into_iter().flatten();
    items
        .find(|item| item[key] == value)
        .unwrap_or_else(|| panic!("no {key} {value} in {list}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_kept_or_translated() {
    let aws = LocalAws::start(&LocalAwsOptions {
        controllers: false,
        ..LocalAwsOptions::default()
    })
    .unwrap();
    let keys = aws.create_account(ACCOUNT).unwrap();
    let context = testing::context(
        &aws.endpoint(),
        REGION,
        &keys.access_key_id,
        &keys.secret_access_key,
    );
    let environment = EnvironmentId::parse("222222222222-eu-central-1").unwrap();
    let stacks = CloudFormation::new(&context, &environment);
    let source = rich();
    let number = std::sync::atomic::AtomicU32::new(0);
    let change_set = || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        format!("lifeboat-{number}")
    };
    let tell = |line: &str| println!("{line}");
    let principal = format!("arn:aws:iam::{ACCOUNT}:user/admin");
    let mut recovery = Recovery {
        stacks: &stacks,
        descriptions: &source,
        facts: facts(&principal),
        change_set: &change_set,
        tell: &tell,
        expected_plan: None,
    };
    let built = Box::pin(recovery.deploy(Mode::Active)).await.unwrap();
    let found = Box::pin(described(&context, &built)).await;
    let identities = Identities::compile(&built.identities);
    let mut rows = Rows {
        identities: &identities,
        rows: Vec::new(),
    };
    let source = serde_json::to_value(&source).unwrap();
    cluster(&mut rows, &source, &found);
    node_groups(&mut rows, &source, &found);
    fargate(&mut rows, &source, &found);
    access(&mut rows, &source, &found, &principal);
    identity(&mut rows, &source, &found);
    addons(&mut rows, &source, &found);

    let clusters = EksClusters::new(&context);
    for (name, mode) in CLUSTERS {
        let objects = read(
            &context,
            &clusters,
            name,
            "/apis/apps/v1/namespaces/kube-system/daemonsets",
        );
        let objects = Box::pin(objects).await;
        rows.is(
            format!("{mode}: who built it enters, and there are no self-managed add-ons"),
            json!([]),
            &objects["items"],
        );
    }
    rows.check();
}

/// Describes what was built, as the primary's delegate would.
async fn described(context: &AwsContext, built: &Built) -> Value {
    let mut mentions = Mentions::new();
    let cart = format!("arn:aws:iam::{ACCOUNT}:role/shop/cart");
    mentions.collect(
        &json!({"kind": "ServiceAccount", "metadata": {"annotations": {"eks.amazonaws.com/role-arn": cart}}}),
    );
    let names = CLUSTERS.map(|(name, _)| name.to_owned());
    let wanted = Wanted {
        mentions,
        ..Wanted::new(AccountId::parse(ACCOUNT).unwrap(), names)
    };
    let found = describe(context, &wanted).await.unwrap();
    assert_eq!(found.missing, [], "{:?}", built.stacks);
    serde_json::to_value(&found).unwrap()
}

fn cluster(rows: &mut Rows<'_>, source: &Value, found: &Value) {
    let of = |all: &Value| one(&all["clusters"], "name", "orders").clone();
    let (source, found) = (of(source), of(found));
    rows.kept(
        "cluster",
        (&source, &found),
        &[
            "/name",
            "/version",
            "/roleArn",
            "/encryptionConfig",
            "/resourcesVpcConfig/subnetIds",
            "/resourcesVpcConfig/securityGroupIds",
            "/resourcesVpcConfig/clusterSecurityGroupId",
            "/resourcesVpcConfig/vpcId",
            "/resourcesVpcConfig/endpointPublicAccess",
            "/resourcesVpcConfig/endpointPrivateAccess",
            "/resourcesVpcConfig/publicAccessCidrs",
            "/kubernetesNetworkConfig/serviceIpv4Cidr",
            "/kubernetesNetworkConfig/ipFamily",
            "/kubernetesNetworkConfig/elasticLoadBalancing",
            "/accessConfig/authenticationMode",
            "/upgradePolicy",
            "/zonalShiftConfig",
            "/deletionProtection",
            "/computeConfig",
            "/storageConfig",
            "/controlPlaneScalingConfig",
            "/remoteNetworkConfig",
        ],
    );
    rows.tags("cluster", &source, &found);
    let mut setups = found["logging"]["clusterLogging"]
        .as_array()
        .into_iter()
        .flatten();
    let enabled = setups.find(|setup| setup["enabled"] == true);
    rows.is(
        "cluster /logging",
        json!(["api", "audit"]),
        enabled.map_or(&Value::Null, |setup| &setup["types"]),
    );
}

fn node_groups(rows: &mut Rows<'_>, source: &Value, found: &Value) {
    let of = |all: &Value, cluster: &str, name: &str| {
        let cluster = one(&all["clusters"], "name", cluster);
        one(&cluster["nodegroups"], "nodegroupName", name).clone()
    };
    let general = (of(source, "orders", "general"), of(found, "orders", "general"));
    rows.kept(
        "node group",
        (&general.0, &general.1),
        &[
            "/amiType",
            "/capacityType",
            "/instanceTypes",
            "/labels",
            "/nodeRole",
            "/releaseVersion",
            "/scalingConfig",
            "/subnets",
            "/taints",
            "/updateConfig",
            "/nodeRepairConfig",
            "/version",
        ],
    );
    rows.tags("node group", &general.0, &general.1);
    let web = (of(source, "web", "web"), of(found, "web", "web"));
    rows.kept(
        "node group without a launch template",
        (&web.0, &web.1),
        &["/amiType", "/capacityType", "/diskSize", "/remoteAccess"],
    );
    let own = of(found, "orders", "own");
    for (row, group, image) in [
        ("launch template", &general.1, Value::Null),
        ("launch template with an image", &own, IMAGES[1].into()),
    ] {
        let id = group["launchTemplate"]["id"].as_str().unwrap_or_default();
        let template = one(&found["launchTemplates"], "launchTemplateId", id);
        let data = &template["launchTemplateData"];
        rows.is(format!("{row} /imageId"), image, &data["imageId"]);
        let before = one(
            &source["launchTemplates"],
            "launchTemplateId",
            "lt-000000000000000c1",
        );
        rows.kept(
            row,
            (&before["launchTemplateData"], data),
            &["/securityGroupIds", "/metadataOptions", "/blockDeviceMappings"],
        );
        let text = STANDARD.decode(data["userData"].as_str().unwrap_or_default());
        let text = String::from_utf8(text.unwrap()).unwrap();
        let is_translated = text.contains("echo region eu-central-1") && !text.contains("eu-west-1");
        rows.is(format!("{row} /userData"), true, &is_translated.into());
    }
}

fn fargate(rows: &mut Rows<'_>, source: &Value, found: &Value) {
    let of = |all: &Value| one(&all["clusters"], "name", "orders")["fargateProfiles"][0].clone();
    let (before, after) = (of(source), of(found));
    rows.kept(
        "Fargate profile",
        (&before, &after),
        &[
            "/fargateProfileName",
            "/selectors",
            "/subnets",
            "/podExecutionRoleArn",
        ],
    );
    rows.tags("Fargate profile", &before, &after);
    let role = one(&found["roles"], "roleName", "shop-fargate");
    rows.is(
        "pod execution role aws:SourceArn",
        format!("arn:aws:eks:{REGION}:{ACCOUNT}:fargateprofile/orders/*"),
        &role["assumeRolePolicyDocument"]["Statement"][0]["Condition"]["ArnLike"]["aws:SourceArn"],
    );
}

fn access(rows: &mut Rows<'_>, source: &Value, found: &Value, principal: &str) {
    let of = |all: &Value, name: &str| one(&all["clusters"], "name", name)["accessEntries"].clone();
    let operators = (
        one(
            &of(source, "orders"),
            "principalArn",
            "arn:aws:iam::111111111111:role/operators",
        )
        .clone(),
        one(
            &of(found, "orders"),
            "principalArn",
            &format!("arn:aws:iam::{ACCOUNT}:role/operators"),
        )
        .clone(),
    );
    rows.kept(
        "access entry",
        (&operators.0, &operators.1),
        &["/principalArn", "/kubernetesGroups", "/type", "/accessPolicies"],
    );
    rows.tags("access entry", &operators.0, &operators.1);
    let nodes = format!("arn:aws:iam::{ACCOUNT}:role/shop-nodes");
    rows.is(
        "access entry of nodes, which EKS makes",
        "EC2_LINUX",
        &one(&of(found, "orders"), "principalArn", &nodes)["type"],
    );
    for (name, mode) in CLUSTERS {
        let cluster = one(&found["clusters"], "name", name);
        rows.is(
            format!("{mode}: authentication mode"),
            mode,
            &cluster["accessConfig"]["authenticationMode"],
        );
        // In CONFIG_MAP there are no entries: the delegate is the creator.
        if mode != "CONFIG_MAP" {
            let entry = one(&cluster["accessEntries"], "principalArn", principal);
            rows.is(
                format!("{mode}: entry of the delegate"),
                "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
                &entry["accessPolicies"][0]["policyArn"],
            );
        }
    }
}

fn identity(rows: &mut Rows<'_>, source: &Value, found: &Value) {
    let of = |all: &Value| one(&all["clusters"], "name", "orders").clone();
    let (before, after) = (of(source), of(found));
    let issuer = after["identity"]["oidc"]["issuer"].as_str().unwrap_or_default();
    let issuer = issuer.trim_start_matches("https://");
    let provider = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}");
    rows.is(
        "OIDC provider",
        issuer,
        &one(&found["oidcProviders"], "arn", &provider)["url"],
    );
    let cart = one(&found["roles"], "roleName", "cart");
    let statement = &cart["assumeRolePolicyDocument"]["Statement"][0];
    rows.is("IRSA trust", provider, &statement["Principal"]["Federated"]);
    rows.is(
        "IRSA trust condition",
        "system:serviceaccount:shop:cart",
        &statement["Condition"]["StringEquals"][format!("{issuer}:sub")],
    );
    rows.is(
        "permissions boundary",
        format!("arn:aws:iam::{ACCOUNT}:policy/lifeboat/shop/shop/cart"),
        &cart["permissionsBoundary"],
    );
    let mail = one(&found["roles"], "roleName", "mail");
    let condition = &mail["assumeRolePolicyDocument"]["Statement"][0]["Condition"];
    rows.is(
        "Pod Identity trust aws:SourceArn",
        format!("arn:aws:eks:{REGION}:{ACCOUNT}:cluster/orders"),
        &condition["ArnEquals"]["aws:SourceArn"],
    );
    let pods = |all: &Value| one(&all["podIdentityAssociations"], "serviceAccount", "mail").clone();
    let (one_before, one_after) = (pods(&before), pods(&after));
    rows.kept(
        "Pod Identity association",
        (&one_before, &one_after),
        &["/namespace", "/serviceAccount", "/roleArn"],
    );
    rows.tags("Pod Identity association", &one_before, &one_after);
    let login = (
        &before["identityProviderConfigs"][0],
        &after["identityProviderConfigs"][0],
    );
    rows.kept(
        "identity provider",
        login,
        &[
            "/identityProviderConfigName",
            "/issuerUrl",
            "/clientId",
            "/groupsClaim",
            "/groupsPrefix",
            "/requiredClaims",
        ],
    );
    rows.tags("identity provider", login.0, login.1);
}

fn addons(rows: &mut Rows<'_>, source: &Value, found: &Value) {
    let of = |all: &Value| one(&all["clusters"], "name", "orders")["addons"][0].clone();
    let (before, after) = (of(source), of(found));
    rows.kept(
        "add-on",
        (&before, &after),
        &[
            "/addonName",
            "/addonVersion",
            "/configurationValues",
            "/serviceAccountRoleArn",
        ],
    );
    rows.tags("add-on", &before, &after);
}
