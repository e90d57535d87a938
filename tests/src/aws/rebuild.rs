//! An application whose cluster stands on a VPC, roles and a repository, restored into an account that has none of them.

use anyhow::{Context, Result, ensure};
use lifeboat_local::Cluster;
use serde_json::{Value, json};

use super::client::Client;
use super::deploy::Package;
use super::{PRIMARY, RECOVERY, Scenario, list, text, zips};
use crate::environment::Reporter;

/// The cluster of the application, which has the same name in both accounts.
const CLUSTER: &str = "web-prod";

impl Scenario<'_> {
    /// Restores an application of which the recovery account has nothing: no network, no role, no cluster.
    ///
    /// # Errors
    /// If a step fails, or what was rebuilt differs from what is expected.
    pub fn rebuild(&self, reporter: &mut Reporter, package: &Package) -> Result<()> {
        reporter.step(
            "stand",
            "Create a cluster with what it stands on in the primary account",
        );
        let role = Stand(&self.primary).create()?;
        let source = self.active(&self.primary, PRIMARY.0, CLUSTER)?;
        source.apply(&objects(&role))?;
        reporter.say(&format!(
            "{CLUSTER} runs an application; nothing of it is in {}",
            RECOVERY.0
        ));

        reporter.step("application", "Deploy the application, to be rebuilt");
        let coordinator = self.coordinator.of("web");
        let document = json!({
            "format": 1,
            "name": "web",
            "primary": {"account": PRIMARY.0, "region": PRIMARY.1},
            "recovery": {"account": RECOVERY.0, "region": RECOVERY.1},
            "clusters": [{"name": "web", "cluster": CLUSTER}],
            "schedule": {"every": "1d"},
            "infrastructure": {"rebuild": true},
        });
        std::fs::write(
            self.folder.join("web.yaml"),
            serde_json::to_string_pretty(&document)?,
        )?;
        let line = format!(
            "deploy application web.yaml --primary-profile primary --recovery-profile recovery {}",
            zips(package)
        );
        coordinator.show(reporter, &line, 0)?;
        let issues = coordinator.issues_with_commands(reporter, 1)?;
        for issue in &issues {
            reporter.say(&format!("{} {}", text(&issue["code"]), text(&issue["message"])));
            reporter.command(text(&issue["command"]));
            self.primary.shell(text(&issue["command"]))?;
        }
        let line = "application backup web --wait --profile recovery";
        coordinator.show(reporter, line, 0)?;

        reporter.step("rebuild", "Restore into the account that has nothing of it");
        let line = "application restore web latest --wait --token rebuild --profile recovery";
        coordinator.show(reporter, line, 0)?;
        let target = self.active(&self.recovery, RECOVERY.0, CLUSTER)?;
        self.compare(&target, &role)?;
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

        reporter.step("teardown", "Delete what was rebuilt");
        let line = "infrastructure teardown web --all --confirm web --profile recovery";
        coordinator.show(reporter, line, 0)?;
        let clusters = self.recovery.json(&["eks", "list-clusters"])?;
        let is_there = list(&clusters["clusters"]).iter().any(|name| name == CLUSTER);
        ensure!(!is_there, "{CLUSTER} is still there: {clusters}");
        Ok(())
    }

    /// Checks that the cluster stands on resources of the recovery account, and that its objects name them.
    fn compare(&self, target: &Cluster, role: &str) -> Result<()> {
        let described = self
            .recovery
            .json(&["eks", "describe-cluster", "--name", CLUSTER])?;
        let cluster = &described["cluster"];
        let own = format!("arn:aws:iam::{}:role/", RECOVERY.0);
        ensure!(
            text(&cluster["roleArn"]).starts_with(&own),
            "the role of the cluster is not of the recovery account: {cluster}"
        );
        let groups = self
            .recovery
            .json(&["eks", "list-nodegroups", "--cluster-name", CLUSTER])?;
        ensure!(
            list(&groups["nodegroups"]).len() == 1,
            "the nodes were not built: {groups}"
        );
        let read = |arguments: &[&str]| target.kubectl_output(arguments);
        let found = read(&[
            "get",
            "serviceaccount/cart",
            "--namespace=web",
            r"--output=jsonpath={.metadata.annotations.eks\.amazonaws\.com/role-arn}",
        ])?;
        let wanted = role.replace(PRIMARY.0, RECOVERY.0);
        ensure!(found == wanted, "the service account names {found}, not {wanted}");
        self.recovery
            .json(&["iam", "get-role", "--role-name", "web-cart"])
            .context("the role that the service account names")?;
        let image = read(&[
            "get",
            "deployment/cart",
            "--namespace=web",
            "--output=jsonpath={.spec.template.spec.containers[0].image}",
        ])?;
        ensure!(image == image_of(RECOVERY), "the image is {image}");
        let repositories = self.recovery.json(&["ecr", "describe-repositories"])?;
        ensure!(
            list(&repositories["repositories"])
                .iter()
                .any(|repository| repository["repositoryName"] == "web/cart"),
            "the repository was not built: {repositories}"
        );
        Ok(())
    }
}

fn image_of((account, region): (&str, &str)) -> String {
    format!("{account}.dkr.ecr.{region}.amazonaws.com/web/cart:1")
}

fn objects(role: &str) -> String {
    let objects = [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}),
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": "cart",
                "namespace": "web",
                "annotations": {"eks.amazonaws.com/role-arn": role},
            },
        }),
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "cart", "namespace": "web"},
            "spec": {
                "selector": {"matchLabels": {"app": "cart"}},
                "template": {
                    "metadata": {"labels": {"app": "cart"}},
                    "spec": {
                        "serviceAccountName": "cart",
                        "containers": [{"name": "cart", "image": image_of(PRIMARY)}],
                    },
                },
            },
        }),
    ];
    objects.map(|object| object.to_string()).join("\n---\n")
}

/// What a cluster stands on, created with the AWS client.
struct Stand<'a>(&'a Client);

impl Stand<'_> {
    /// Creates everything, and returns the ARN of the role of the application.
    fn create(&self) -> Result<String> {
        let vpc = self.id("ec2 create-vpc --cidr-block 10.20.0.0/16", "Vpc.VpcId")?;
        let gateway = self.id("ec2 create-internet-gateway", "InternetGateway.InternetGatewayId")?;
        self.run(&format!(
            "ec2 attach-internet-gateway --vpc-id {vpc} --internet-gateway-id {gateway}"
        ))?;
        let table = self.id(
            &format!("ec2 create-route-table --vpc-id {vpc}"),
            "RouteTable.RouteTableId",
        )?;
        self.run(&format!(
            "ec2 create-route --route-table-id {table} --destination-cidr-block 0.0.0.0/0 --gateway-id {gateway}"
        ))?;
        let mut subnets = Vec::new();
        for (number, zone) in ["a", "b"].iter().enumerate() {
            let subnet = self.id(
                &format!(
                    "ec2 create-subnet --vpc-id {vpc} --cidr-block 10.20.{number}.0/24 --availability-zone {}{zone}",
                    PRIMARY.1
                ),
                "Subnet.SubnetId",
            )?;
            self.run(&format!(
                "ec2 modify-subnet-attribute --subnet-id {subnet} --map-public-ip-on-launch"
            ))?;
            self.run(&format!(
                "ec2 associate-route-table --route-table-id {table} --subnet-id {subnet}"
            ))?;
            subnets.push(subnet);
        }
        let cluster = self.role("web-cluster", "eks.amazonaws.com", &["AmazonEKSClusterPolicy"])?;
        let nodes = self.role(
            "web-nodes",
            "ec2.amazonaws.com",
            &[
                "AmazonEKSWorkerNodePolicy",
                "AmazonEC2ContainerRegistryReadOnly",
                "AmazonEKS_CNI_Policy",
            ],
        )?;
        let role = self.role("web-cart", "pods.eks.amazonaws.com", &[])?;
        self.run("ecr create-repository --repository-name web/cart")?;
        self.run(&format!(
            "eks create-cluster --name {CLUSTER} --role-arn {cluster} --resources-vpc-config subnetIds={} \
             --access-config authenticationMode=API_AND_CONFIG_MAP,bootstrapClusterCreatorAdminPermissions=true",
            subnets.join(",")
        ))?;
        self.run(&format!(
            "eks create-nodegroup --cluster-name {CLUSTER} --nodegroup-name web --node-role {nodes} \
             --subnets {} --scaling-config minSize=1,maxSize=2,desiredSize=1",
            subnets.join(" ")
        ))?;
        Ok(role)
    }

    fn role(&self, name: &str, service: &str, policies: &[&str]) -> Result<String> {
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sts:AssumeRole",
            }],
        });
        let trust = trust.to_string();
        let arguments = [
            "iam",
            "create-role",
            "--role-name",
            name,
            "--assume-role-policy-document",
            &trust,
        ];
        let created: Value = self.0.json(&arguments)?;
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
