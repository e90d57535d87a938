//! An application whose two clusters stand on a VPC, roles, a repository and a file system, restored into an account that
//! has none of them.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::client::Client;
use super::coordinator::{CoordinatorCommands, until};
use super::deploy::Package;
use super::{PRIMARY, RECOVERY, Scenario, list, text, zips};
use crate::environment::Reporter;

/// The clusters of the application, which have the same names in both accounts.
const CLUSTERS: [(&str, &str); 2] = [("web", "web-prod"), ("jobs", "jobs-prod")];

/// A certificate of each account. Lifeboat does not describe certificates; the application maps them.
const CERTIFICATES: [&str; 2] = [
    "arn:aws:acm:eu-west-1:111111111111:certificate/0a1b2c3d-0000-4000-8000-000000000001",
    "arn:aws:acm:eu-central-1:222222222222:certificate/0a1b2c3d-0000-4000-8000-000000000002",
];

impl Scenario<'_> {
    /// Restores an application of which the recovery account has nothing: no network, no role, no cluster.
    ///
    /// # Errors
    /// If a step fails, or what was rebuilt differs from what is expected.
    pub fn rebuild(&self, reporter: &mut Reporter, package: &Package) -> Result<()> {
        reporter.step(
            "stand",
            "Create two clusters with what they stand on in the primary account",
        );
        let stand = Stand(&self.primary);
        let made = stand.create()?;
        let mut sources = Vec::new();
        for (_, cluster) in CLUSTERS {
            sources.push(self.active(&self.primary, PRIMARY.0, cluster)?);
        }
        let provider = stand.provider()?;
        sources[0].apply(&web(&made))?;
        sources[1].apply(JOBS)?;
        reporter.say(&format!(
            "an application runs in {} and {}; nothing of it is in {}",
            CLUSTERS[0].1, CLUSTERS[1].1, RECOVERY.0
        ));

        reporter.step("application", "Deploy the application, to be rebuilt");
        let coordinator = self.coordinator.of("web");
        std::fs::write(
            self.folder.join("web.yaml"),
            serde_json::to_string_pretty(&document())?,
        )?;
        let line = format!(
            "deploy application web.yaml --primary-profile primary --recovery-profile recovery {}",
            zips(package)
        );
        coordinator.show(reporter, &line, 0)?;
        let issues = coordinator.issues_with_commands(reporter, CLUSTERS.len())?;
        for issue in &issues {
            reporter.say(&format!("{} {}", text(&issue["code"]), text(&issue["message"])));
            reporter.command(text(&issue["command"]));
            self.primary.shell(text(&issue["command"]))?;
        }
        let line = "application backup web --wait --profile recovery";
        coordinator.show(reporter, line, 0)?;

        reporter.step("plan", "Show what would be built");
        let vault = format!("s3://lifeboat-vault-{}-{}", RECOVERY.0, RECOVERY.1);
        let line = format!(
            "infrastructure export latest --vault {vault} --application web --profile recovery \
             --verify-key signing-web.pub.pem --out web.aws.json"
        );
        coordinator.show(reporter, &line, 0)?;
        let line = "infrastructure plan web --descriptions web.aws.json --profile recovery";
        coordinator.show(reporter, line, 0)?;
        self.plan(reporter, &coordinator)?;

        reporter.step("rebuild", "Restore into the account that has nothing of it");
        let line = "restore web@latest --token rebuild --profile recovery";
        coordinator.show(reporter, line, 0)?;
        self.compare(&made, &provider)?;
        for line in [
            "cloudformation list-stacks --query StackSummaries[].StackName",
            "eks list-clusters",
        ] {
            reporter.command(&format!("aws {line}"));
            let out = self.recovery.text(&line.split(' ').collect::<Vec<_>>())?;
            for line in out.lines() {
                reporter.say(&format!("    {line}"));
            }
        }

        reporter.step(
            "teardown",
            "Delete the clusters once the primary has proven that it still runs",
        );
        let line = "teardown web --confirm web --profile recovery";
        let refused = coordinator.show(reporter, line, 2)?;
        ensure!(refused.err.contains("LB-0920"), "{}", refused.err);
        reporter.say(&format!("    {}", refused.err.trim()));
        coordinator.show(reporter, "application backup web --wait --profile recovery", 0)?;
        coordinator.show(reporter, line, 0)?;
        let line = "infrastructure teardown web --all --confirm web --profile recovery";
        coordinator.show(reporter, line, 0)?;
        let clusters = self.recovery.json(&["eks", "list-clusters"])?;
        for (_, name) in CLUSTERS {
            let is_there = list(&clusters["clusters"]).iter().any(|there| there == name);
            ensure!(!is_there, "{name} is still there: {clusters}");
        }
        Ok(())
    }

    /// Shows the whole plan before anything is built, and checks that it is complete.
    fn plan(&self, reporter: &Reporter, coordinator: &CoordinatorCommands) -> Result<()> {
        let line = "plan web@latest --token plan --profile recovery";
        coordinator.show(reporter, line, 0)?;
        // The same token shows the same plan.
        let plan = coordinator.show(reporter, &format!("{line} --output json"), 0)?;
        let plan: Value = serde_json::from_str(&plan.out)?;
        let stacks = list(&plan["infrastructure"]["stacks"]);
        let is_new = |stack: &Value| stack["exists"] == false && !list(&stack["changes"]).is_empty();
        ensure!(
            stacks.len() == 5 && stacks.iter().all(is_new),
            "the stacks are {stacks:?}"
        );
        for cluster in list(&plan["clusters"]) {
            ensure!(
                cluster["rejected"] == false && cluster["comparedWith"] == "emptyCluster",
                "{cluster}"
            );
        }
        let text = plan["clusters"].to_string();
        for planned in [
            "${storage.FileSystem",
            "${network.Subnet",
            CERTIFICATES[1],
            "222222222222.dkr.ecr.eu-central-1.amazonaws.com",
        ] {
            ensure!(text.contains(planned), "{planned} is not planned: {text}");
        }
        let found = self
            .recovery
            .json(&["cloudformation", "list-stacks"])?
            .to_string();
        ensure!(
            !found.contains("lifeboat-web-network"),
            "a plan builds nothing: {found}"
        );
        Ok(())
    }

    /// Checks that the clusters stand on resources of the recovery account, and that their objects name these.
    fn compare(&self, made: &Made, provider: &str) -> Result<()> {
        let aws = |line: &str| self.recovery.json(&line.split(' ').collect::<Vec<_>>());
        let own = |role: &str| role.replace(PRIMARY.0, RECOVERY.0);
        for (_, cluster) in CLUSTERS {
            let described = aws(&format!("eks describe-cluster --name {cluster}"))?;
            let role = text(&described["cluster"]["roleArn"]);
            ensure!(role == own(&made.cluster_role), "{cluster} has the role {role}");
        }
        let groups = aws("eks list-nodegroups --cluster-name web-prod")?;
        let profiles = aws("eks list-fargate-profiles --cluster-name web-prod")?;
        let associations = aws("eks list-pod-identity-associations --cluster-name jobs-prod")?;
        ensure!(
            list(&groups["nodegroups"]).len() == 1
                && list(&profiles["fargateProfileNames"]).len() == 1
                && list(&associations["associations"]).len() == 1,
            "{groups} {profiles} {associations}"
        );
        // The role trusts the issuer of the cluster that was built.
        let role = aws("iam get-role --role-name web-cart")?;
        let trust = role["Role"]["AssumeRolePolicyDocument"].to_string();
        let issuer = aws("eks describe-cluster --name web-prod")?;
        let issuer = text(&issuer["cluster"]["identity"]["oidc"]["issuer"]).trim_start_matches("https://");
        ensure!(
            trust.contains(issuer) && !trust.contains(provider) && !trust.contains(PRIMARY.0),
            "web-cart trusts {trust}"
        );

        let web = self.active(&self.recovery, RECOVERY.0, CLUSTERS[0].1)?;
        let read = |what: &str, path: &str| {
            let path = format!("--output=jsonpath={{{path}}}");
            web.kubectl_output(&["get", what, "--namespace=web", &path])
        };
        let found = read(
            "serviceaccount/cart",
            r".metadata.annotations.eks\.amazonaws\.com/role-arn",
        )?;
        ensure!(found == own(&made.role), "the service account names {found}");
        let image = read("deployment/cart", ".spec.template.spec.containers[0].image")?;
        ensure!(image == image_of(RECOVERY), "the image is {image}");
        let volume = read("persistentvolume/carts", ".spec.csi.volumeHandle")?;
        let systems = aws("efs describe-file-systems")?;
        let is_built = |id: &str| {
            list(&systems["FileSystems"])
                .iter()
                .any(|one| one["FileSystemId"] == id)
        };
        ensure!(
            volume.split("::").next().is_some_and(is_built),
            "the volume is {volume}; there are {systems}"
        );
        let subnets = read(
            "ingress/cart",
            r".metadata.annotations.alb\.ingress\.kubernetes\.io/subnets",
        )?;
        let built = aws("ec2 describe-subnets")?;
        for subnet in subnets.split(',').map(str::trim) {
            let is_built = list(&built["Subnets"])
                .iter()
                .any(|one| one["SubnetId"] == subnet);
            ensure!(is_built, "the Ingress names {subnet}");
        }
        let certificate = read(
            "ingress/cart",
            r".metadata.annotations.alb\.ingress\.kubernetes\.io/certificate-arn",
        )?;
        ensure!(certificate == CERTIFICATES[1], "the Ingress names {certificate}");
        Ok(())
    }
}

fn document() -> Value {
    let clusters = CLUSTERS.map(|(name, cluster)| json!({"name": name, "cluster": cluster}));
    json!({
        "format": 1,
        "name": "web",
        "primary": {"account": PRIMARY.0, "region": PRIMARY.1},
        "recovery": {"account": RECOVERY.0, "region": RECOVERY.1},
        "clusters": clusters,
        "schedule": {"every": "1d"},
        "infrastructure": {"rebuild": true},
        "rules": {
            "noLeftovers": true,
            "identities": {
                "format": "lifeboat.dev/identities/v1",
                "primary": {"account": PRIMARY.0, "region": PRIMARY.1},
                "recovery": {"account": RECOVERY.0, "region": RECOVERY.1},
                "identities": [{"kind": "arn", "from": CERTIFICATES[0], "to": CERTIFICATES[1]}],
            },
        },
    })
}

fn image_of((account, region): (&str, &str)) -> String {
    format!("{account}.dkr.ecr.{region}.amazonaws.com/web/cart:1")
}

/// The objects of the cluster with identifiers of AWS in them.
fn web(made: &Made) -> String {
    let metadata = |name: &str| json!({"name": name, "namespace": "web"});
    let mut account = metadata("cart");
    account["annotations"] = json!({"eks.amazonaws.com/role-arn": made.role});
    let mut ingress = metadata("cart");
    ingress["annotations"] = json!({
        "alb.ingress.kubernetes.io/subnets": made.subnets.join(", "),
        "alb.ingress.kubernetes.io/certificate-arn": CERTIFICATES[0],
    });
    let objects = [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}),
        json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "carts"},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "capacity": {"storage": "1Gi"},
                "csi": {
                    "driver": "efs.csi.aws.com",
                    "volumeHandle": format!("{}::{}", made.file_system, made.access_point),
                },
            },
        }),
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata("cart"),
            "spec": {
                "selector": {"matchLabels": {"app": "cart"}},
                "template": {
                    "metadata": {"labels": {"app": "cart"}},
                    "spec": {
                        "serviceAccountName": "cart",
                        "containers": [{
                            "name": "cart",
                            "image": image_of(PRIMARY),
                            "env": [{"name": "AWS_REGION", "value": PRIMARY.1}],
                        }],
                    },
                },
            },
        }),
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata("cart"),
            "spec": {"selector": {"app": "cart"}, "ports": [{"port": 80}]},
        }),
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": ingress,
            "spec": {"defaultBackend": {"service": {"name": "cart", "port": {"number": 80}}}},
        }),
    ];
    objects.map(|object| object.to_string()).join("\n---\n")
}

/// The objects of the other cluster, whose workload has its role by Pod Identity.
const JOBS: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: jobs}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: mail, namespace: jobs}
"#;

/// The identifiers of what was created.
struct Made {
    subnets: Vec<String>,
    cluster_role: String,
    role: String,
    file_system: String,
    access_point: String,
}

/// What clusters stand on, created with the AWS client.
struct Stand<'a>(&'a Client);

impl Stand<'_> {
    /// Creates everything but the OIDC provider, which needs the issuer of a cluster that exists.
    fn create(&self) -> Result<Made> {
        let vpc = self.id("ec2 create-vpc --cidr-block 10.20.0.0/16", "Vpc.VpcId")?;
        let gateway = self.id("ec2 create-internet-gateway", "InternetGateway.InternetGatewayId")?;
        self.run(&format!(
            "ec2 attach-internet-gateway --vpc-id {vpc} --internet-gateway-id {gateway}"
        ))?;
        let public = self.table(&vpc)?;
        self.run(&format!(
            "ec2 create-route --route-table-id {public} --destination-cidr-block 0.0.0.0/0 --gateway-id {gateway}"
        ))?;
        let subnets = self.subnets(&vpc, &public, 0)?;
        for subnet in &subnets {
            self.run(&format!(
                "ec2 modify-subnet-attribute --subnet-id {subnet} --map-public-ip-on-launch"
            ))?;
        }
        // The subnets of Fargate are private (Amazon EKS User Guide, "AWS Fargate considerations").
        let address = self.id("ec2 allocate-address --domain vpc", "AllocationId")?;
        let nat = self.id(
            &format!(
                "ec2 create-nat-gateway --subnet-id {} --allocation-id {address}",
                subnets[0]
            ),
            "NatGateway.NatGatewayId",
        )?;
        let private = self.table(&vpc)?;
        self.run(&format!(
            "ec2 create-route --route-table-id {private} --destination-cidr-block 0.0.0.0/0 --nat-gateway-id {nat}"
        ))?;
        let inner = self.subnets(&vpc, &private, 10)?;

        let cluster = self.role(
            "web-cluster",
            &service("eks.amazonaws.com"),
            &["AmazonEKSClusterPolicy"],
        )?;
        let nodes = self.role(
            "web-nodes",
            &service("ec2.amazonaws.com"),
            &[
                "AmazonEKSWorkerNodePolicy",
                "AmazonEC2ContainerRegistryReadOnly",
                "AmazonEKS_CNI_Policy",
            ],
        )?;
        let pods = self.role(
            "web-pods",
            &service("eks-fargate-pods.amazonaws.com"),
            &["AmazonEKSFargatePodExecutionRolePolicy"],
        )?;
        let mail = self.role("jobs-mail", &service("pods.eks.amazonaws.com"), &[])?;
        self.run("ecr create-repository --repository-name web/cart")?;
        let key = self.id("kms create-key", "KeyMetadata.Arn")?;
        let system = self.id(
            &format!("efs create-file-system --encrypted --kms-key-id {key}"),
            "FileSystemId",
        )?;
        until(Duration::from_secs(60), || {
            let state = self.id(
                &format!("efs describe-file-systems --file-system-id {system}"),
                "FileSystems[0].LifeCycleState",
            )?;
            Ok((state == "available").then_some(()))
        })?;
        for subnet in &inner {
            self.run(&format!(
                "efs create-mount-target --file-system-id {system} --subnet-id {subnet}"
            ))?;
        }
        let point = self.id(
            &format!("efs create-access-point --file-system-id {system} --posix-user Uid=1000,Gid=1000"),
            "AccessPointId",
        )?;
        let all = subnets.iter().chain(&inner).cloned().collect::<Vec<_>>();
        for (_, name) in CLUSTERS {
            self.run(&format!(
                "eks create-cluster --name {name} --role-arn {cluster} --resources-vpc-config subnetIds={} \
                 --access-config authenticationMode=API_AND_CONFIG_MAP,bootstrapClusterCreatorAdminPermissions=true",
                all.join(",")
            ))?;
        }
        self.run(&format!(
            "eks create-nodegroup --cluster-name web-prod --nodegroup-name web --node-role {nodes} \
             --subnets {} --scaling-config minSize=1,maxSize=2,desiredSize=1",
            subnets.join(" ")
        ))?;
        self.run(&format!(
            "eks create-fargate-profile --cluster-name web-prod --fargate-profile-name batch \
             --pod-execution-role-arn {pods} --subnets {} --selectors namespace=batch",
            inner.join(" ")
        ))?;
        self.run(&format!(
            "eks create-pod-identity-association --cluster-name jobs-prod --namespace jobs \
             --service-account mail --role-arn {mail}"
        ))?;
        Ok(Made {
            subnets,
            cluster_role: cluster,
            role: format!("arn:aws:iam::{}:role/web-cart", PRIMARY.0),
            file_system: system,
            access_point: point,
        })
    }

    /// Creates the OIDC provider of the first cluster and the role that trusts it. Returns the issuer.
    fn provider(&self) -> Result<String> {
        let url = self.id(
            &format!("eks describe-cluster --name {}", CLUSTERS[0].1),
            "cluster.identity.oidc.issuer",
        )?;
        let issuer = url.trim_start_matches("https://").to_owned();
        let provider = self.id(
            &format!(
                "iam create-open-id-connect-provider --url {url} --client-id-list sts.amazonaws.com \
                 --thumbprint-list {}",
                "0".repeat(40)
            ),
            "OpenIDConnectProviderArn",
        )?;
        let mut condition = serde_json::Map::new();
        condition.insert(format!("{issuer}:sub"), "system:serviceaccount:web:cart".into());
        condition.insert(format!("{issuer}:aud"), "sts.amazonaws.com".into());
        let statement = json!({
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": condition},
        });
        self.role("web-cart", &statement, &[])?;
        Ok(issuer)
    }

    fn table(&self, vpc: &str) -> Result<String> {
        self.id(
            &format!("ec2 create-route-table --vpc-id {vpc}"),
            "RouteTable.RouteTableId",
        )
    }

    /// Creates a subnet in each of two zones, with a route table.
    fn subnets(&self, vpc: &str, table: &str, first: usize) -> Result<Vec<String>> {
        let mut subnets = Vec::new();
        for (number, zone) in ["a", "b"].iter().enumerate() {
            let subnet = self.id(
                &format!(
                    "ec2 create-subnet --vpc-id {vpc} --cidr-block 10.20.{}.0/24 --availability-zone {}{zone}",
                    first + number,
                    PRIMARY.1
                ),
                "Subnet.SubnetId",
            )?;
            self.run(&format!(
                "ec2 associate-route-table --route-table-id {table} --subnet-id {subnet}"
            ))?;
            subnets.push(subnet);
        }
        Ok(subnets)
    }

    fn role(&self, name: &str, trust: &Value, policies: &[&str]) -> Result<String> {
        let trust = json!({"Version": "2012-10-17", "Statement": [trust]}).to_string();
        let arguments = [
            "iam",
            "create-role",
            "--role-name",
            name,
            "--assume-role-policy-document",
            &trust,
        ];
        let created = self.0.json(&arguments)?;
        for policy in policies {
            self.run(&format!(
                "iam attach-role-policy --role-name {name} --policy-arn arn:aws:iam::aws:policy/{policy}"
            ))?;
        }
        Ok(text(&created["Role"]["Arn"]).to_owned())
    }

    fn run(&self, line: &str) -> Result<String> {
        self.0.text(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs a line and returns the field of the answer that `query` names.
    fn id(&self, line: &str, query: &str) -> Result<String> {
        let mut arguments: Vec<&str> = line.split_whitespace().collect();
        arguments.extend(["--output", "text", "--query", query]);
        Ok(self.0.text(&arguments)?.trim().to_owned())
    }
}

/// Returns the statement of a trust policy for a service.
fn service(name: &str) -> Value {
    json!({
        "Effect": "Allow",
        "Principal": {"Service": name},
        "Action": "sts:AssumeRole",
    })
}
