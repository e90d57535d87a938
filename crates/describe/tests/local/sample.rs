//! What an application stands on: a network, roles, a repository, a file system, a volume, a certificate, a target group,
//! a web ACL and a key; and its cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use lifeboat_aws::AwsContext;
use lifeboat_aws::json::JsonCall;
use serde_json::{Value, json};

mod cluster;

pub(crate) use cluster::cluster;

/// The network. CloudFormation makes it, so that this crate needs no client of EC2.
const NETWORK: &str = r#"{"Resources": {
    "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
    "A": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/20",
        "AvailabilityZone": "eu-west-1a"}},
    "B": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.16.0/20",
        "AvailabilityZone": "eu-west-1b"}},
    "Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"VpcId": {"Ref": "Vpc"}, "GroupDescription": "nodes"}},
    "Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateName": "nodes",
        "LaunchTemplateData": {"UserData": "c2hvcA=="}}},
    "Volume": {"Type": "AWS::EC2::Volume", "Properties": {"AvailabilityZone": "eu-west-1a", "Size": 20,
        "VolumeType": "gp3", "Tags": [{"Key": "Name", "Value": "carts"}]}}},
  "Outputs": {"Vpc": {"Value": {"Ref": "Vpc"}}, "A": {"Value": {"Ref": "A"}}, "B": {"Value": {"Ref": "B"}},
    "Group": {"Value": {"Fn::GetAtt": ["Group", "GroupId"]}}, "Template": {"Value": {"Ref": "Template"}},
    "Volume": {"Value": {"Ref": "Volume"}}}}"#;

/// An image without layers.
const MANIFEST: &str = r#"{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2,
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}, "layers": []}"#;

/// A role as IAM Identity Center makes it. AWS lets nobody else make one in this path.
pub(crate) const OF_IDENTITY_CENTER: &str = "AWSReservedSSO_Operators_0123456789abcdef";

/// What was made besides a cluster.
pub(crate) struct Made {
    pub(crate) network: BTreeMap<String, String>,
    pub(crate) key: String,
    pub(crate) file_system: String,
    pub(crate) access_point: String,
    pub(crate) certificate: String,
    pub(crate) target_group: String,
    pub(crate) web_acl: String,
}

/// Makes all that an application stands on, but no cluster.
pub(crate) async fn make(context: &AwsContext, account: &str) -> Made {
    let network = network(context).await;
    let key = key(context).await;
    identities(context, account).await;
    repository(context).await;
    let (file_system, access_point) = file_system(context, &network, &key).await;
    let certificate = certificate(context).await;
    let target_group = target_group(context, &network).await;
    let web_acl = web_acl(context).await;
    Made {
        network,
        key,
        file_system,
        access_point,
        certificate,
        target_group,
        web_acl,
    }
}

/// Requests a certificate, and waits until it is issued.
async fn certificate(context: &AwsContext) -> String {
    let client = aws_sdk_acm::Client::new(context.sdk_config());
    let tag = aws_sdk_acm::types::Tag::builder().key("team").value("shop");
    let answer = (client.request_certificate())
        .domain_name("shop.example")
        .subject_alternative_names("www.shop.example")
        .validation_method(aws_sdk_acm::types::ValidationMethod::Dns)
        .key_algorithm(aws_sdk_acm::types::KeyAlgorithm::EcPrime256v1)
        .tags(tag.build().unwrap())
        .send()
        .await
        .unwrap();
    let arn = answer.certificate_arn().unwrap().to_owned();
    for _ in 0..600 {
        let answer = client.describe_certificate().certificate_arn(&arn).send().await;
        let answer = answer.unwrap();
        let status = answer.certificate().and_then(|certificate| certificate.status());
        if status == Some(&aws_sdk_acm::types::CertificateStatus::Issued) {
            return arn;
        }
        pause().await;
    }
    panic!("the certificate was not issued");
}

async fn target_group(context: &AwsContext, network: &BTreeMap<String, String>) -> String {
    use aws_sdk_elasticloadbalancingv2::types::{ProtocolEnum, Tag, TargetTypeEnum};
    let client = aws_sdk_elasticloadbalancingv2::Client::new(context.sdk_config());
    let answer = (client.create_target_group())
        .name("cart")
        .protocol(ProtocolEnum::Http)
        .port(8080)
        .vpc_id(&network["Vpc"])
        .target_type(TargetTypeEnum::Ip)
        .health_check_path("/healthz")
        .tags(Tag::builder().key("app").value("cart").build())
        .send()
        .await
        .unwrap();
    let group = answer.target_groups().first().unwrap();
    group.target_group_arn().unwrap().to_owned()
}

async fn web_acl(context: &AwsContext) -> String {
    let call = JsonCall {
        service: "wafv2",
        target: "AWSWAF_20190729",
        operation: "CreateWebACL",
        action: "wafv2:CreateWebACL",
        on: "shop",
    };
    let visibility =
        json!({"SampledRequestsEnabled": false, "CloudWatchMetricsEnabled": false, "MetricName": "shop"});
    let input = json!({"Name": "shop", "Scope": "REGIONAL", "DefaultAction": {"Allow": {}},
        "VisibilityConfig": visibility});
    let answer: Value = call.send(context, &input).await.unwrap();
    answer["Summary"]["ARN"].as_str().unwrap().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "a test waits for the outside world")]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn network(context: &AwsContext) -> BTreeMap<String, String> {
    let client = aws_sdk_cloudformation::Client::new(context.sdk_config());
    (client.create_stack())
        .stack_name("network")
        .template_body(NETWORK)
        .send()
        .await
        .unwrap();
    for _ in 0..300 {
        let answer = client
            .describe_stacks()
            .stack_name("network")
            .send()
            .await
            .unwrap();
        let stack = &answer.stacks()[0];
        if stack
            .stack_status()
            .is_some_and(|status| status.as_str() == "CREATE_COMPLETE")
        {
            let outputs = stack.outputs().iter();
            return outputs
                .map(|one| {
                    (
                        one.output_key().unwrap().to_owned(),
                        one.output_value().unwrap().to_owned(),
                    )
                })
                .collect();
        }
        pause().await;
    }
    panic!("the network was not created");
}

async fn key(context: &AwsContext) -> String {
    let client = aws_sdk_kms::Client::new(context.sdk_config());
    let tag = aws_sdk_kms::types::Tag::builder()
        .tag_key("team")
        .tag_value("shop");
    let answer = (client.create_key())
        .description("of the cluster")
        .tags(tag.build().unwrap())
        .send()
        .await
        .unwrap();
    let arn = answer.key_metadata().unwrap().arn().unwrap().to_owned();
    (client.create_alias())
        .alias_name("alias/shop")
        .target_key_id(&arn)
        .send()
        .await
        .unwrap();
    client.enable_key_rotation().key_id(&arn).send().await.unwrap();
    arn
}

fn trust(principal: &str) -> String {
    format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": {principal},
            "Action": "sts:AssumeRole"}}]}}"#
    )
}

async fn identities(context: &AwsContext, account: &str) {
    let client = aws_sdk_iam::Client::new(context.sdk_config());
    let document = r#"{"Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}"#;
    for name in ["nodes", "boundary"] {
        (client.create_policy())
            .policy_name(name)
            .policy_document(document)
            .send()
            .await
            .unwrap();
    }
    for (name, service) in [
        ("cluster", "eks.amazonaws.com"),
        ("nodes", "ec2.amazonaws.com"),
        ("fargate", "eks-fargate-pods.amazonaws.com"),
        ("mail", "pods.eks.amazonaws.com"),
        ("operators", "eks.amazonaws.com"),
    ] {
        (client.create_role())
            .role_name(name)
            .assume_role_policy_document(trust(&format!(r#"{{"Service": "{service}"}}"#)))
            .send()
            .await
            .unwrap();
    }
    (client.create_role())
        .role_name("cart")
        .path("/shop/")
        .assume_role_policy_document(trust(&format!(r#"{{"AWS": "arn:aws:iam::{account}:root"}}"#)))
        .permissions_boundary(format!("arn:aws:iam::{account}:policy/boundary"))
        .send()
        .await
        .unwrap();
    (client.create_role())
        .role_name(OF_IDENTITY_CENTER)
        .path("/aws-reserved/sso.amazonaws.com/eu-west-1/")
        .assume_role_policy_document(trust(&format!(
            r#"{{"Federated": "arn:aws:iam::{account}:saml-provider/AWSSSO_1_DO_NOT_DELETE"}}"#
        )))
        .send()
        .await
        .unwrap();
    (client.put_role_policy())
        .role_name("cart")
        .policy_name("bucket")
        .policy_document(document)
        .send()
        .await
        .unwrap();
    (client.attach_role_policy())
        .role_name("nodes")
        .policy_arn(format!("arn:aws:iam::{account}:policy/nodes"))
        .send()
        .await
        .unwrap();
    (client.create_instance_profile())
        .instance_profile_name("nodes")
        .send()
        .await
        .unwrap();
    (client.add_role_to_instance_profile())
        .instance_profile_name("nodes")
        .role_name("nodes")
        .send()
        .await
        .unwrap();
}

/// A repository with an image, and the replication of the registry.
async fn repository(context: &AwsContext) {
    use aws_sdk_ecr::types;
    let client = aws_sdk_ecr::Client::new(context.sdk_config());
    let scanning = types::ImageScanningConfiguration::builder().scan_on_push(true);
    let tag = types::Tag::builder().key("team").value("shop");
    (client.create_repository())
        .repository_name("shop/cart")
        .image_tag_mutability(types::ImageTagMutability::Immutable)
        .image_scanning_configuration(scanning.build())
        .tags(tag.build().unwrap())
        .send()
        .await
        .unwrap();
    let rules = r#"{"rules": [{"rulePriority": 1, "action": {"type": "expire"},
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10}}]}"#;
    (client.put_lifecycle_policy())
        .repository_name("shop/cart")
        .lifecycle_policy_text(rules)
        .send()
        .await
        .unwrap();
    (client.put_image())
        .repository_name("shop/cart")
        .image_tag("1")
        .image_manifest(MANIFEST)
        .send()
        .await
        .unwrap();
    let to = types::ReplicationDestination::builder()
        .region("eu-central-1")
        .registry_id("222222222222");
    let filter = types::RepositoryFilter::builder()
        .filter("shop/")
        .filter_type(types::RepositoryFilterType::PrefixMatch);
    let rule = types::ReplicationRule::builder()
        .destinations(to.build().unwrap())
        .repository_filters(filter.build().unwrap());
    let configuration = types::ReplicationConfiguration::builder().rules(rule.build().unwrap());
    (client.put_replication_configuration())
        .replication_configuration(configuration.build().unwrap())
        .send()
        .await
        .unwrap();
}

async fn file_system(
    context: &AwsContext,
    network: &BTreeMap<String, String>,
    key: &str,
) -> (String, String) {
    use aws_sdk_efs::types;
    let client = aws_sdk_efs::Client::new(context.sdk_config());
    let name = |name: &str| types::Tag::builder().key("Name").value(name).build().unwrap();
    let system = (client.create_file_system())
        .creation_token("shop")
        .encrypted(true)
        // Without a key, the local AWS names a key of the service that it does not have.
        .kms_key_id(key)
        .tags(name("carts"))
        .send()
        .await
        .unwrap();
    let id = system.file_system_id().to_owned();
    available(&client, &id).await;
    (client.create_mount_target())
        .file_system_id(&id)
        .subnet_id(&network["A"])
        .security_groups(&network["Group"])
        .send()
        .await
        .unwrap();
    let rule = types::LifecyclePolicy::builder().transition_to_ia(types::TransitionToIaRules::After30Days);
    (client.put_lifecycle_configuration())
        .file_system_id(&id)
        .lifecycle_policies(rule.build())
        .send()
        .await
        .unwrap();
    let owner = types::CreationInfo::builder()
        .owner_uid(1000)
        .owner_gid(1000)
        .permissions("0750");
    let root = types::RootDirectory::builder()
        .path("/carts")
        .creation_info(owner.build().unwrap());
    let user = types::PosixUser::builder().uid(1000).gid(1000);
    let point = (client.create_access_point())
        .client_token("cart")
        .file_system_id(&id)
        .posix_user(user.build().unwrap())
        .root_directory(root.build())
        .tags(name("cart"))
        .send()
        .await
        .unwrap();
    (id, point.access_point_id().unwrap().to_owned())
}

async fn available(client: &aws_sdk_efs::Client, id: &str) {
    for _ in 0..300 {
        let answer = client
            .describe_file_systems()
            .file_system_id(id)
            .send()
            .await
            .unwrap();
        let state = answer.file_systems()[0].life_cycle_state().clone();
        if state == aws_sdk_efs::types::LifeCycleState::Available {
            return;
        }
        pause().await;
    }
    panic!("the file system did not become available");
}
