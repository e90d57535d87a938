//! What a function in a VPC reaches, and what it does not while the network lacks something.

use std::path::Path;
use std::process::Command;

use lifeboat_local::{LocalAws, has_network_namespaces, skip};
use serde_json::{Value, json};

use super::client::Client;
use crate::{PRIMARY, REGION, await_cluster, create_cluster_in, start};

/// A function that reports where the name of S3 leads, what S3 answers to a signed request, and what the API server of its
/// event answers: the status of HTTP, or what curl reports (28 is a timeout).
const BOOTSTRAP: &str = r#"#!/bin/bash
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
cd "$TMPDIR" || exit 1
signed() {
    curl -s --connect-timeout 1 -m 10 -w '%{http_code}' --aws-sigv4 "aws:amz:$AWS_REGION:$1" \
        --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" -H "x-amz-security-token: $AWS_SESSION_TOKEN" \
        -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "${@:2}"
}
while true; do
    event=$(curl -s -D head "$api/next") || exit 3
    id=$(grep -i ^lambda-runtime-aws-request-id head | tr -d '\r' | cut -d' ' -f2)
    server=$(echo "$event" | sed 's/.*"server":"\([^"]*\)".*/\1/')
    : >body
    host=${AWS_ENDPOINT_URL_S3#http://}
    getent ahostsv4 "${host%:*}" | sed -n '1s/ .*//p' >name &
    { signed s3 -o body "$AWS_ENDPOINT_URL_S3/scratch/key" || echo " $?"; } >s3 &
    { curl -sk --connect-timeout 1 -m 10 -o /dev/null -w '%{http_code}' "$server/version" || echo " $?"; } >server &
    case $event in *other*) signed sts -m 1 -o /dev/null -d Action=GetCallerIdentity "$AWS_ENDPOINT_URL/" >/dev/null & ;; esac
    wait
    why=$(grep -o 'no VPC endpoint policy allows\|explicit deny in a VPC endpoint policy\|explicit deny in a resource-based policy' body)
    echo "{\"name\": \"$(cat name)\", \"s3\": \"$(cat s3)\", \"why\": \"$why\", \"server\": \"$(cat server)\"}" >answer
    curl -s -o /dev/null -d @answer "$api/$id/response"
done
"#;

/// The end of an attempt to connect that nothing answers.
const TIMEOUT: &str = "000 28";
/// The addresses of S3: its public one, and that of the interface endpoint in the first subnet.
const PUBLIC: &str = "198.51.100.3";
const INTERFACE: &str = "10.0.0.9";
const NAME: &str = "s3.eu-west-1.amazonaws.com";

/// A function in two subnets of a VPC, with the security group of a cluster.
struct Network<'a> {
    aws: &'a LocalAws,
    admin: &'a Client,
    vpc: String,
    subnet: String,
    table: String,
    acl: String,
    group: String,
    server: String,
}

impl Network<'_> {
    fn id(&self, command: &str, pointer: &str) -> String {
        id(&self.admin.ok(command), pointer)
    }

    fn change(&self, command: &str) {
        self.admin.done(command);
    }

    fn invoke(&self, more: &str) -> Value {
        let event = json!({"server": self.server, "more": more});
        self.aws.invoke(PRIMARY, REGION, "f", &event).unwrap()
    }

    /// Checks where the name of S3 leads, what S3 answers and what the API server answers.
    fn sees(&self, what: &str, name: &str, s3: &str, server: &str) {
        let seen = self.invoke("");
        let text = |key: &str| seen[key].as_str().unwrap().trim().to_owned();
        let s3_said = format!("{} {}", text("s3"), text("why"));
        assert_eq!(
            (text("name").as_str(), s3_said.trim(), text("server").as_str()),
            (name, s3, server),
            "{what}: {seen}"
        );
    }

    /// Checks what S3 answers at its public address.
    fn s3_is(&self, what: &str, s3: &str) {
        self.sees(what, PUBLIC, s3, "200");
    }

    /// Breaks something with a command, checks what S3 answers, and repairs it with another.
    fn while_broken(&self, what: &str, (broken, repaired): (&str, &str), s3: &str) {
        self.change(broken);
        self.s3_is(what, s3);
        self.change(repaired);
        self.s3_is(&format!("{what}, repaired"), "200");
    }
}

fn id(answer: &Value, pointer: &str) -> String {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found
        .unwrap_or_else(|| panic!("no {pointer}: {answer}"))
        .to_owned()
}

/// Creates a function from a program.
fn create_function(admin: &Client, folder: &Path, network: &str) {
    let bootstrap = folder.join("bootstrap");
    std::fs::write(&bootstrap, BOOTSTRAP).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&bootstrap, executable).unwrap();
    let zipped = Command::new("python3")
        .args(["-m", "zipfile", "-c", "code.zip", "bootstrap"])
        .current_dir(folder)
        .status()
        .unwrap();
    assert!(zipped.success());
    admin.role_for("Function", "lambda.amazonaws.com");
    let policy =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
    admin.ok_with(
        "iam put-role-policy --role-name Function --policy-name read --policy-document",
        &[policy],
    );
    admin.done("s3 mb s3://scratch");
    admin.done(&format!(
        "s3 cp --only-show-errors {} s3://scratch/key",
        folder.join("code.zip").display()
    ));
    admin.ok(&format!(
        "lambda create-function --function-name f --runtime provided.al2023 --handler bootstrap --timeout 20 --memory-size 256 \
         --role arn:aws:iam::{PRIMARY}:role/Function --vpc-config {network} --zip-file fileb://{}",
        folder.join("code.zip").display()
    ));
}

#[test]
fn a_function_in_a_vpc_reaches_what_ec2_says() {
    if !has_network_namespaces() {
        skip("functions in a VPC", "this machine allows no network namespaces");
        return;
    }
    let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let (aws, admin) = start();
    let folder = tempfile::tempdir().unwrap();
    let vpc = id(&admin.ok("ec2 create-vpc --cidr-block 10.0.0.0/16"), "/Vpc/VpcId");
    let subnets = ["10.0.0.0/24", "10.0.1.0/24"].map(|block| {
        let created = admin.ok(&format!("ec2 create-subnet --vpc-id {vpc} --cidr-block {block}"));
        id(&created, "/Subnet/SubnetId")
    });
    let subnets = subnets.join(",");
    create_cluster_in(&admin, "c", &subnets, "authenticationMode=API");
    let of_vpc = format!("--filters Name=vpc-id,Values={vpc}");
    let tables = admin.ok(&format!("ec2 describe-route-tables {of_vpc}"));
    let acls = admin.ok(&format!("ec2 describe-network-acls {of_vpc}"));
    await_cluster(&admin, "c");
    let cluster = admin.ok("eks describe-cluster --name c");
    let network = Network {
        aws: &aws,
        admin: &admin,
        subnet: subnets.split(',').next().unwrap().to_owned(),
        vpc,
        table: id(&tables, "/RouteTables/0/RouteTableId"),
        acl: id(&acls, "/NetworkAcls/0/NetworkAclId"),
        group: id(&cluster, "/cluster/resourcesVpcConfig/clusterSecurityGroupId"),
        server: id(&cluster, "/cluster/endpoint"),
    };
    let attachment = format!("SubnetIds={subnets},SecurityGroupIds={}", network.group);
    create_function(&admin, folder.path(), &attachment);

    network.s3_is("nothing leads to S3", TIMEOUT);
    let endpoint = network.id(
        &format!(
            "ec2 create-vpc-endpoint --vpc-id {} --service-name com.amazonaws.{REGION}.s3 --route-table-ids {}",
            network.vpc, network.table
        ),
        "/VpcEndpoint/VpcEndpointId",
    );
    network.s3_is("a gateway endpoint", "200");
    policies_refuse_as_on_aws(&network, folder.path(), &endpoint);
    names_lead_where_the_vpc_says(&network, folder.path());
    rules_drop_packets(&network);
    let modify = format!("ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint}");
    network.change(&format!("{modify} --remove-route-table-ids {}", network.table));
    network.s3_is("the endpoint is for no route table", TIMEOUT);
    interface_endpoints_have_groups_and_names(&network);

    assert_eq!(aws.requests_without_route(), Vec::<String>::new());
    network.invoke("other");
    assert_eq!(aws.requests_without_route(), ["sts POST /"]);
    // What is mounted for functions is not mounted outside.
    assert_eq!(
        std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
        resolver
    );
}

fn policies_refuse_as_on_aws(network: &Network<'_>, folder: &Path, endpoint: &str) {
    let document = |name: &str, statement: Value| {
        let path = folder.join(name);
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        std::fs::write(&path, policy.to_string()).unwrap();
        format!("file://{}", path.display())
    };
    let modify = format!("ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint}");
    let other =
        json!({"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::other/*"});
    let other = document("other.json", other);
    network.while_broken(
        "the policy of the endpoint",
        (
            &format!("{modify} --policy-document {other}"),
            &format!("{modify} --reset-policy"),
        ),
        "403 no VPC endpoint policy allows",
    );
    let role = format!("arn:aws:iam::{PRIMARY}:role/Function");
    let deny = json!({"Effect": "Deny", "Principal": {"AWS": role}, "Action": "s3:Get*", "Resource": "arn:aws:s3:::scratch/*"});
    let deny = document("deny.json", deny);
    network.while_broken(
        "the policy of the bucket",
        (
            &format!("s3api put-bucket-policy --bucket scratch --policy {deny}"),
            "s3api delete-bucket-policy --bucket scratch",
        ),
        "403 explicit deny in a resource-based policy",
    );
}

fn names_lead_where_the_vpc_says(network: &Network<'_>, folder: &Path) {
    let vpc = &network.vpc;
    network.change(&format!(
        "ec2 modify-vpc-attribute --vpc-id {vpc} --no-enable-dns-support"
    ));
    network.sees("no resolver", "", TIMEOUT, "200");
    network.change(&format!(
        "ec2 modify-vpc-attribute --vpc-id {vpc} --enable-dns-support"
    ));
    let zone = network.id(
        &format!(
            "route53 create-hosted-zone --name {NAME} --caller-reference 1 --vpc VPCRegion={REGION},VPCId={vpc}"
        ),
        "/HostedZone/Id",
    );
    let record = |action: &str| {
        let path = folder.join(action);
        let set = json!({"Name": NAME, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "10.0.0.77"}]});
        let changes = json!({"Changes": [{"Action": action, "ResourceRecordSet": set}]});
        std::fs::write(&path, changes.to_string()).unwrap();
        network.change(&format!(
            "route53 change-resource-record-sets --hosted-zone-id {zone} --change-batch file://{}",
            path.display()
        ));
    };
    record("CREATE");
    network.sees("a private hosted zone", "10.0.0.77", "404", "200");
    record("DELETE");
    network.change(&format!("route53 delete-hosted-zone --id {zone}"));
    network.s3_is("the names of AWS again", "200");
}

fn rules_drop_packets(network: &Network<'_>) {
    let (acl, group) = (&network.acl, &network.group);
    for (direction, ports) in [("egress", "443"), ("ingress", "2000")] {
        let entry = format!("--network-acl-id {acl} --{direction} --rule-number 90");
        network.while_broken(
            &format!("a network ACL, {direction}"),
            (
                &format!(
                    "ec2 create-network-acl-entry {entry} --protocol 6 --port-range From={ports},To={ports} \
                     --cidr-block 0.0.0.0/0 --rule-action deny"
                ),
                &format!("ec2 delete-network-acl-entry {entry}"),
            ),
            TIMEOUT,
        );
    }
    let all = format!("--group-id {group} --ip-permissions IpProtocol=-1,IpRanges=[{{CidrIp=0.0.0.0/0}}]");
    network.change(&format!("ec2 revoke-security-group-egress {all}"));
    network.sees("a group without rules for egress", PUBLIC, TIMEOUT, TIMEOUT);
    let lists = network.admin.ok(&format!(
        "ec2 describe-prefix-lists --query PrefixLists[?PrefixListName=='com.amazonaws.{REGION}.s3']"
    ));
    let s3 = format!(
        "--group-id {group} --ip-permissions IpProtocol=tcp,FromPort=443,ToPort=443,PrefixListIds=[{{PrefixListId={}}}]",
        id(&lists, "/0/PrefixListId")
    );
    network.change(&format!("ec2 authorize-security-group-egress {s3}"));
    network.sees("egress to S3 only", PUBLIC, "200", TIMEOUT);
    network.change(&format!("ec2 authorize-security-group-egress {all}"));
    let own =
        format!("--group-id {group} --ip-permissions IpProtocol=-1,UserIdGroupPairs=[{{GroupId={group}}}]");
    network.change(&format!("ec2 revoke-security-group-ingress {own}"));
    network.sees("a cluster that lets nobody in", PUBLIC, "200", TIMEOUT);
    network.change(&format!("ec2 authorize-security-group-ingress {own}"));
    network.s3_is("all rules again", "200");
}

fn interface_endpoints_have_groups_and_names(network: &Network<'_>) {
    let group = network.id(
        &format!(
            "ec2 create-security-group --group-name endpoint --description endpoint --vpc-id {}",
            network.vpc
        ),
        "/GroupId",
    );
    let endpoint = network.id(
        &format!(
            "ec2 create-vpc-endpoint --vpc-endpoint-type Interface --private-dns-enabled --vpc-id {} \
             --service-name com.amazonaws.{REGION}.s3 --subnet-ids {} --security-group-ids {group}",
            network.vpc, network.subnet
        ),
        "/VpcEndpoint/VpcEndpointId",
    );
    network.sees("an endpoint that lets nobody in", INTERFACE, TIMEOUT, "200");
    network.change(&format!(
        "ec2 authorize-security-group-ingress --group-id {group} --protocol tcp --port 443 --cidr 10.0.0.0/16"
    ));
    network.sees("an interface endpoint", INTERFACE, "200", "200");
    network.change(&format!(
        "ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint} --no-private-dns-enabled"
    ));
    network.s3_is("an interface endpoint without names", TIMEOUT);
}
