//! An application whose two clusters stand on a VPC, roles, a repository and a file system, restored into an account that
//! has none of them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::client::Client;
use super::coordinator::{CoordinatorCommands, until};
use super::deploy::Package;
use super::{PRIMARY, RECOVERY, Scenario, list, text, zips};
use crate::environment::Reporter;

/// The clusters of the application, which have the same names in both accounts.
const CLUSTERS: [(&str, &str); 2] = [("web", "web-prod"), ("jobs", "jobs-prod")];

/// The domain names of the certificate that each account has.
const DOMAINS: [&str; 2] = ["web.example", "www.web.example"];

/// A restore into an account that had nothing.
#[derive(Debug, Clone, Copy)]
pub struct Rebuilt {
    /// The time from the request to the end of the restore, in seconds.
    pub seconds: f64,
    /// The part of it in which AWS worked: operations of stacks, and nodes that became ready, in seconds.
    pub within_aws: f64,
    /// The number of identifiers of the primary in restored objects that no identity map declares.
    pub leftovers: u64,
}

impl Scenario<'_> {
    /// Restores an application of which the recovery account has nothing: no network, no role, no cluster.
    ///
    /// # Errors
    /// If a step fails, or what was rebuilt differs from what is expected.
    pub fn rebuild(&self, reporter: &mut Reporter, package: &Package) -> Result<Rebuilt> {
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
        let there = stand.provided(&Stand(&self.recovery))?;
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
            serde_json::to_string_pretty(&document(&made, &there))?,
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
        let hash = self.plan(reporter, &coordinator, &there)?;
        let other = "0".repeat(64);
        let line = format!("restore web@latest --expect-plan {other} --profile recovery");
        let refused = coordinator.show(reporter, &line, 10)?;
        ensure!(
            refused.err.contains("LB-1261") && refused.err.contains(&hash),
            "{}",
            refused.err
        );
        self.nothing_is_built()?;

        reporter.step("rebuild", "Restore into the account that has nothing of it");
        let line = format!("restore web@latest --expect-plan {hash} --token rebuild --profile recovery");
        let began = Instant::now();
        let answer = coordinator.show(reporter, &line, 0)?;
        let rebuilt = Rebuilt {
            seconds: began.elapsed().as_secs_f64(),
            within_aws: self.within_aws()?,
            leftovers: self.leftovers()?,
        };
        reporter.say(&format!(
            "the restore took {:.1} s, of which AWS changed stacks and nodes became ready for {:.1} s",
            rebuilt.seconds, rebuilt.within_aws
        ));
        // The answer says what was built, and what to know of it.
        for told in [
            "lifeboat-web-network created",
            "LB-1218",
            made.file_system.as_str(),
        ] {
            ensure!(answer.out.contains(told), "{told} is not told: {}", answer.out);
        }
        self.compare(&made, &there, &provider)?;
        // What was built and restored is no part of the hash.
        let line = "plan web@latest --token again --profile recovery --output json";
        let again = coordinator.show(reporter, line, 0)?;
        let again: Value = serde_json::from_str(&again.out)?;
        let compared = text(&again["clusters"][0]["comparedWith"]);
        ensure!(
            again["hash"] == hash.as_str() && compared == "target",
            "the plan after the restore, compared with {compared}, has another hash than {hash}: {again}"
        );
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
        self.landing_zone(reporter, &coordinator)?;
        self.end_rebuild(reporter, &coordinator, package, document(&made, &there))?;
        self.private_clusters(reporter, &coordinator, package)?;
        Ok(rebuilt)
    }

    /// Returns the seconds in which a stack of the application was created or changed, or a node became ready. What
    /// happens at the same time counts once.
    fn within_aws(&self) -> Result<f64> {
        let mut spans = Vec::new();
        let clusters = CLUSTERS.map(|(_, cluster)| format!("cluster-{cluster}"));
        let stacks = ["network", "identity", "storage"].into_iter().map(str::to_owned);
        for stack in stacks.chain(clusters) {
            let name = format!("lifeboat-web-{stack}");
            let answer =
                self.recovery
                    .json(&["cloudformation", "describe-stack-events", "--stack-name", &name])?;
            spans.extend(operations(&answer, &name)?);
        }
        for (_, name) in CLUSTERS {
            let cluster = self.active(&self.recovery, RECOVERY.0, name)?;
            let nodes = cluster.kubectl_output(&["get", "nodes", "--output=json"])?;
            let nodes: Value = serde_json::from_str(&nodes)?;
            for node in list(&nodes["items"]) {
                let mut conditions = list(&node["status"]["conditions"]).iter();
                let ready = conditions.find(|one| one["type"] == "Ready" && one["status"] == "True");
                let ready = ready.with_context(|| format!("a node of {name} is not ready: {node}"))?;
                spans.push((
                    seconds(&node["metadata"]["creationTimestamp"])?,
                    seconds(&ready["lastTransitionTime"])?,
                ));
            }
        }
        Ok(union(spans))
    }

    /// Returns the number of leftovers in the reports of the restores.
    fn leftovers(&self) -> Result<u64> {
        let request = json!({"status": {"application": "web"}});
        let answer = (self.aws).invoke(RECOVERY.0, RECOVERY.1, "lifeboat-coordinator", &request)?;
        let restores = list(&answer["status"]["applications"][0]["restores"]);
        ensure!(restores.len() == CLUSTERS.len(), "{answer}");
        let mut leftovers = 0;
        for restore in restores {
            let report = self.recovery.text(&["s3", "cp", text(&restore["report"]), "-"])?;
            let report: Value = serde_json::from_str(&report)?;
            let found = report["summary"]["leftovers"].as_u64();
            leftovers += found.with_context(|| format!("the report counts no leftovers: {report}"))?;
        }
        Ok(leftovers)
    }

    /// Shows the whole plan before anything is built, and checks that it is complete. Returns its hash.
    fn plan(
        &self,
        reporter: &Reporter,
        coordinator: &CoordinatorCommands,
        there: &Provided,
    ) -> Result<String> {
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
        let hash = plan["hash"].as_str().context("the plan has no hash")?.to_owned();
        let command = plan["restore"].as_str().unwrap_or_default();
        ensure!(command.ends_with(&format!("--expect-plan {hash}")), "{command}");
        let text = plan["clusters"].to_string();
        for planned in [
            "${storage.FileSystem",
            "${network.Subnet",
            there.certificate.as_str(),
            "222222222222.dkr.ecr.eu-central-1.amazonaws.com",
        ] {
            ensure!(text.contains(planned), "{planned} is not planned: {text}");
        }
        self.nothing_is_built()?;
        Ok(hash)
    }

    fn nothing_is_built(&self) -> Result<()> {
        let found = self
            .recovery
            .json(&["cloudformation", "list-stacks"])?
            .to_string();
        ensure!(
            !found.contains("lifeboat-web-network"),
            "something was built: {found}"
        );
        Ok(())
    }

    /// Checks that the clusters stand on resources of the recovery account, and that their objects name these.
    fn compare(&self, made: &Made, there: &Provided, provider: &str) -> Result<()> {
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
        ensure!(
            certificate == there.certificate,
            "the Ingress names {certificate}"
        );
        let disk = read("persistentvolume/disk", ".spec.csi.volumeHandle")?;
        ensure!(disk == there.volume, "the volume is {disk}");
        Ok(())
    }
}

/// Returns the beginning and the end of each operation of a stack, in seconds.
fn operations(answer: &Value, stack: &str) -> Result<Vec<(f64, f64)>> {
    let mut events = Vec::new();
    for event in list(&answer["StackEvents"]) {
        if event["ResourceType"] == "AWS::CloudFormation::Stack" && event["LogicalResourceId"] == stack {
            events.push((seconds(&event["Timestamp"])?, text(&event["ResourceStatus"])));
        }
    }
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut spans, mut begun) = (Vec::new(), None);
    for (at, status) in events {
        match status {
            "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" => begun = Some(at),
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => spans.extend(begun.take().map(|begin| (begin, at))),
            _ => {}
        }
    }
    ensure!(!spans.is_empty(), "{stack} has no operation that ended: {answer}");
    Ok(spans)
}

fn seconds(time: &Value) -> Result<f64> {
    let parsed: jiff::Timestamp = text(time).parse().with_context(|| format!("no time: {time}"))?;
    Ok(parsed.as_millisecond() as f64 / 1_000.0)
}

/// Returns the length of the union of spans.
fn union(mut spans: Vec<(f64, f64)>) -> f64 {
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut length, mut reached) = (0.0, f64::NEG_INFINITY);
    for (begin, end) in spans {
        length += (end - begin.max(reached)).max(0.0);
        reached = reached.max(end);
    }
    length
}

/// The certificate is found by its domain names; the copy of a volume is mapped.
fn document(made: &Made, there: &Provided) -> Value {
    let clusters = CLUSTERS.map(|(name, cluster)| json!({"name": name, "cluster": cluster}));
    json!({
        "format": 1,
        "name": "web",
        "primary": {"account": PRIMARY.0, "region": PRIMARY.1},
        "recovery": {"account": RECOVERY.0, "region": RECOVERY.1},
        "clusters": clusters,
        "schedule": {"every": "1d"},
        // Nothing is there to adopt but what is mapped; what the first build makes is not adopted by the second.
        "infrastructure": {
            "rebuild": true,
            "adopt": {(made.volume.clone()): there.volume},
            "adoptExisting": ["network", "identity", "storage"],
        },
        "rules": {"noLeftovers": true},
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
        "alb.ingress.kubernetes.io/certificate-arn": made.certificate,
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
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "disk"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Gi"},
                "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": made.volume},
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
    certificate: String,
    volume: String,
}

/// What no stack builds, and the user provides in the recovery account.
struct Provided {
    certificate: String,
    volume: String,
}

/// What clusters stand on, created with the AWS client.
pub(super) struct Stand<'a>(pub(super) &'a Client);

impl Stand<'_> {
    /// Creates everything but the OIDC provider, which needs the issuer of a cluster that exists.
    fn create(&self) -> Result<Made> {
        let vpc = self.vpc("10.20", "app=web")?;
        let public = self.public_table(&vpc)?;
        let subnets = self.subnets(&vpc, &public, "10.20", 0)?;
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
        let inner = self.subnets(&vpc, &private, "10.20", 10)?;

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
        // A cluster that is protected here is protected there, until it is torn down.
        for ((_, name), protection) in CLUSTERS.iter().zip(["--deletion-protection", ""]) {
            self.run(&format!(
                "eks create-cluster --name {name} --role-arn {cluster} --resources-vpc-config subnetIds={} {protection} \
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
            certificate: self.certificate()?,
            volume: self.volume(PRIMARY.1)?,
        })
    }

    /// Creates in the recovery account what no stack builds, and waits until both certificates can be used.
    fn provided(&self, recovery: &Stand<'_>) -> Result<Provided> {
        let there = Provided {
            certificate: recovery.certificate()?,
            volume: recovery.volume(RECOVERY.1)?,
        };
        self.issued()?;
        recovery.issued()?;
        Ok(there)
    }

    fn certificate(&self) -> Result<String> {
        self.id(
            &format!(
                "acm request-certificate --domain-name {} --subject-alternative-names {} --validation-method DNS",
                DOMAINS[0], DOMAINS[1]
            ),
            "CertificateArn",
        )
    }

    /// Waits until ACM has issued the certificates of the account.
    fn issued(&self) -> Result<()> {
        until(Duration::from_secs(60), || {
            let open = self.id(
                "acm list-certificates --certificate-statuses PENDING_VALIDATION",
                "length(CertificateSummaryList)",
            )?;
            Ok((open == "0").then_some(()))
        })
    }

    fn volume(&self, region: &str) -> Result<String> {
        self.id(
            &format!("ec2 create-volume --availability-zone {region}a --size 1 --volume-type gp3"),
            "VolumeId",
        )
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

    /// Creates a VPC with a range of 16 bits and a tag.
    pub(super) fn vpc(&self, range: &str, tag: &str) -> Result<String> {
        let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
        self.id(
            &format!(
                "ec2 create-vpc --cidr-block {range}.0.0/16 \
                 --tag-specifications ResourceType=vpc,Tags=[{{Key={key},Value={value}}}]"
            ),
            "Vpc.VpcId",
        )
    }

    /// Creates a route table that leads to an internet gateway.
    pub(super) fn public_table(&self, vpc: &str) -> Result<String> {
        let gateway = self.id("ec2 create-internet-gateway", "InternetGateway.InternetGatewayId")?;
        self.run(&format!(
            "ec2 attach-internet-gateway --vpc-id {vpc} --internet-gateway-id {gateway}"
        ))?;
        let table = self.table(vpc)?;
        self.run(&format!(
            "ec2 create-route --route-table-id {table} --destination-cidr-block 0.0.0.0/0 --gateway-id {gateway}"
        ))?;
        Ok(table)
    }

    pub(super) fn table(&self, vpc: &str) -> Result<String> {
        self.id(
            &format!("ec2 create-route-table --vpc-id {vpc}"),
            "RouteTable.RouteTableId",
        )
    }

    /// Creates a subnet in each of two zones, with a route table.
    pub(super) fn subnets(&self, vpc: &str, table: &str, range: &str, first: usize) -> Result<Vec<String>> {
        let mut subnets = Vec::new();
        for (number, zone) in ["a", "b"].iter().enumerate() {
            let subnet = self.id(
                &format!(
                    "ec2 create-subnet --vpc-id {vpc} --cidr-block {range}.{}.0/24 --availability-zone {}{zone}",
                    first + number,
                    self.0.region()
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
