//! The answers of an account with one cluster, in the forms of the API of each service.

use serde_json::{Value, json};

use crate::aws::Call;

/// Returns the answer to a call.
pub(crate) fn answer(call: &Call) -> String {
    match call.action.split(':').next().unwrap() {
        "eks" => eks(call).to_string(),
        "ec2" => ec2(call),
        "iam" => iam(call),
        "ecr" => ecr(call).to_string(),
        "elasticfilesystem" => efs(call).to_string(),
        "kms" => kms(call).to_string(),
        "acm" => acm(call).to_string(),
        "elasticloadbalancing" => elb(call),
        "s3" => BUCKETS.to_owned(),
        "wafv2" => waf(call).to_string(),
        other => panic!("no answers of {other}"),
    }
}

fn eks(call: &Call) -> Value {
    match call.action.as_str() {
        "eks:DescribeCluster" => json!({"cluster": {
            "name": "orders", "arn": "arn:aws:eks:eu-west-1:111111111111:cluster/orders", "version": "1.33",
            "roleArn": "arn:aws:iam::111111111111:role/cluster", "status": "ACTIVE",
            "endpoint": "https://0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com",
            "certificateAuthority": {"data": "LS0tLS1CRUdJTg=="},
            "resourcesVpcConfig": {
                "subnetIds": ["subnet-0000000b", "subnet-0000000a"], "securityGroupIds": ["sg-00000001"],
                "clusterSecurityGroupId": "sg-00000002", "vpcId": "vpc-00000001",
                "endpointPublicAccess": true, "endpointPrivateAccess": true,
                "publicAccessCidrs": ["203.0.113.0/24", "198.51.100.0/24"]},
            "kubernetesNetworkConfig": {"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4"},
            "logging": {"clusterLogging": [
                {"types": ["audit", "api"], "enabled": true}, {"types": ["scheduler"], "enabled": false}]},
            "identity": {"oidc": {"issuer": "https://oidc.eks.eu-west-1.amazonaws.com/id/AAAA1111"}},
            "encryptionConfig": [{"resources": ["secrets"],
                "provider": {"keyArn": "arn:aws:kms:eu-west-1:111111111111:key/1111aaaa-12ab-34cd-56ef-1234567890ab"}}],
            "accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"},
            "upgradePolicy": {"supportType": "STANDARD"}, "deletionProtection": true,
            "tags": {"team": "shop", "stage": "production"}}}),
        "eks:DescribeClusterVersions" => json!({"clusterVersions": [
            {"clusterVersion": "1.34", "versionStatus": "STANDARD_SUPPORT"},
            {"clusterVersion": "1.33", "versionStatus": "STANDARD_SUPPORT"},
            {"clusterVersion": "1.28", "versionStatus": "UNSUPPORTED"}]}),
        "eks:ListNodegroups" if call.names("nextToken=2") => json!({"nodegroups": ["batch"]}),
        "eks:ListNodegroups" => json!({"nodegroups": ["general"], "nextToken": "2"}),
        "eks:DescribeNodegroup" if call.names("batch") => json!({"nodegroup": {
            "nodegroupName": "batch", "nodeRole": "arn:aws:iam::111111111111:role/nodes",
            "subnets": ["subnet-0000000a"], "amiType": "AL2023_ARM_64_STANDARD", "capacityType": "SPOT",
            "instanceTypes": ["m7g.large", "m6g.large"],
            "scalingConfig": {"minSize": 0, "maxSize": 4, "desiredSize": 0}}}),
        "eks:DescribeNodegroup" => json!({"nodegroup": {
            "nodegroupName": "general", "nodeRole": "arn:aws:iam::111111111111:role/nodes",
            "nodegroupArn": "arn:aws:eks:eu-west-1:111111111111:nodegroup/orders/general/1",
            "status": "ACTIVE", "version": "1.33", "releaseVersion": "1.33.5-20261101",
            "subnets": ["subnet-0000000b", "subnet-0000000a"], "amiType": "CUSTOM", "capacityType": "ON_DEMAND",
            "scalingConfig": {"minSize": 1, "maxSize": 4, "desiredSize": 2},
            "labels": {"pool": "general"},
            "taints": [{"key": "dedicated", "value": "shop", "effect": "NO_SCHEDULE"}],
            "updateConfig": {"maxUnavailable": 1},
            "launchTemplate": {"id": "lt-00000001", "name": "nodes", "version": "3"}}}),
        "eks:ListFargateProfiles" => json!({"fargateProfileNames": ["fargate"]}),
        "eks:DescribeFargateProfile" => json!({"fargateProfile": {
            "fargateProfileName": "fargate", "status": "ACTIVE", "subnets": ["subnet-0000000a"],
            "podExecutionRoleArn": "arn:aws:iam::111111111111:role/fargate",
            "selectors": [{"namespace": "shop"}, {"namespace": "batch", "labels": {"compute": "fargate"}}]}}),
        "eks:ListAddons" => json!({"addons": ["vpc-cni"]}),
        "eks:DescribeAddon" => json!({"addon": {
            "addonName": "vpc-cni", "addonVersion": "v1.20.4-eksbuild.2", "status": "ACTIVE",
            "serviceAccountRoleArn": "arn:aws:iam::111111111111:role/cni",
            "configurationValues": "{\"env\":{\"TOKEN\":\"hunter2\"}}"}}),
        "eks:ListAccessEntries" => json!({"accessEntries": [
            "arn:aws:iam::111111111111:role/operators", "arn:aws:iam::111111111111:user/eve"]}),
        "eks:DescribeAccessEntry" if call.names("arn:aws:iam::111111111111:user/eve") => {
            json!({"accessEntry": {
            "principalArn": "arn:aws:iam::111111111111:user/eve", "type": "STANDARD", "username": "eve"}})
        }
        "eks:DescribeAccessEntry" => json!({"accessEntry": {
            "principalArn": "arn:aws:iam::111111111111:role/operators", "type": "STANDARD",
            "kubernetesGroups": ["operators", "auditors"], "tags": {"team": "shop"}}}),
        "eks:ListAssociatedAccessPolicies" if call.names("arn:aws:iam::111111111111:user/eve") => {
            json!({"associatedAccessPolicies": []})
        }
        "eks:ListAssociatedAccessPolicies" => json!({"associatedAccessPolicies": [
            {"policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
             "accessScope": {"type": "namespace", "namespaces": ["shop", "batch"]}},
            {"policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminPolicy",
             "accessScope": {"type": "cluster", "namespaces": []}}]}),
        "eks:ListPodIdentityAssociations" => json!({"associations": [
            {"associationId": "a-1", "namespace": "shop", "serviceAccount": "mail"}]}),
        "eks:DescribePodIdentityAssociation" => json!({"association": {
            "associationId": "a-1", "namespace": "shop", "serviceAccount": "mail",
            "associationArn": "arn:aws:eks:eu-west-1:111111111111:podidentityassociation/orders/a-1",
            "roleArn": "arn:aws:iam::111111111111:role/mail",
            "targetRoleArn": "arn:aws:iam::222222222222:role/target", "disableSessionTags": true}}),
        "eks:ListIdentityProviderConfigs" => {
            json!({"identityProviderConfigs": [{"type": "oidc", "name": "login"}]})
        }
        "eks:DescribeIdentityProviderConfig" => json!({"identityProviderConfig": {"oidc": {
            "identityProviderConfigName": "login", "issuerUrl": "https://login.example", "clientId": "kubernetes",
            "requiredClaims": {"team": "shop"}}}}),
        other => panic!("no answer to {other}"),
    }
}

/// An answer of EC2, with an item on a line of its own.
fn items(operation: &str, set: &str, items: &[&str]) -> String {
    let items: Vec<String> = items.iter().map(|item| format!("<item>{item}</item>")).collect();
    format!(
        "<{operation}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n<requestId>1</requestId><{set}>\n{}\n</{set}>\n</{operation}Response>",
        items.join("\n")
    )
}

fn tags(name: &str) -> String {
    format!("<tagSet><item><key>Name</key><value>{name}</value></item></tagSet>")
}

fn ec2(call: &Call) -> String {
    let operation = call.action.split(':').nth(1).unwrap();
    let all = |set: &str, list: &[String]| {
        items(
            operation,
            set,
            &list.iter().map(String::as_str).collect::<Vec<_>>(),
        )
    };
    match operation {
        "DescribeAvailabilityZones" => all("availabilityZoneInfo", &["<zoneName>eu-west-1a</zoneName>\
             <zoneId>euw1-az2</zoneId><zoneState>available</zoneState><zoneType>availability-zone</zoneType>".to_owned()]),
        "DescribeVpcs" => all("vpcSet", &[format!(
            "<vpcId>vpc-00000001</vpcId><cidrBlock>10.0.0.0/16</cidrBlock><instanceTenancy>default</instanceTenancy>\
             <cidrBlockAssociationSet><item><cidrBlock>10.0.0.0/16</cidrBlock></item>\
             <item><cidrBlock>10.1.0.0/16</cidrBlock><cidrBlockState><state>associated</state></cidrBlockState></item>\
             </cidrBlockAssociationSet>{}", tags("shop"))]),
        "DescribeVpcAttribute" => {
            let (name, value) = if call.names("enableDnsSupport") {
                ("enableDnsSupport", true)
            } else {
                ("enableDnsHostnames", false)
            };
            format!(
                "<DescribeVpcAttributeResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>1</requestId>\
                 <vpcId>vpc-00000001</vpcId><{name}><value>{value}</value></{name}></DescribeVpcAttributeResponse>"
            )
        }
        "DescribeSubnets" => {
            let subnet = |letter: &str, range: &str, zone: &str| format!(
                "<subnetId>subnet-0000000{letter}</subnetId><vpcId>vpc-00000001</vpcId><cidrBlock>{range}</cidrBlock>\
                 <availabilityZone>eu-west-1{letter}</availabilityZone><availabilityZoneId>{zone}</availabilityZoneId>\
                 <mapPublicIpOnLaunch>false</mapPublicIpOnLaunch>{}", tags(letter));
            all("subnetSet", &[subnet("a", "10.0.0.0/20", "euw1-az1"), subnet("b", "10.0.16.0/20", "euw1-az2")])
        }
        "DescribeRouteTables" => all("routeTableSet", &[
            "<routeTableId>rtb-00000001</routeTableId><vpcId>vpc-00000001</vpcId><routeSet>\
             <item><destinationCidrBlock>10.0.0.0/16</destinationCidrBlock><gatewayId>local</gatewayId></item>\
             <item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><natGatewayId>nat-00000001</natGatewayId>\
             <origin>CreateRoute</origin></item>\
             <item><destinationPrefixListId>pl-00000001</destinationPrefixListId><gatewayId>vpce-00000001</gatewayId></item>\
             </routeSet><associationSet><item><main>false</main><subnetId>subnet-0000000a</subnetId></item></associationSet>"
                .to_owned(),
            "<routeTableId>rtb-00000002</routeTableId><vpcId>vpc-00000001</vpcId>\
             <associationSet><item><main>true</main></item></associationSet>".to_owned()]),
        "DescribeInternetGateways" => all("internetGatewaySet", &[
            "<internetGatewayId>igw-00000001</internetGatewayId><attachmentSet><item><vpcId>vpc-00000001</vpcId>\
             <state>available</state></item></attachmentSet>".to_owned()]),
        "DescribeEgressOnlyInternetGateways" => all("egressOnlyInternetGatewaySet", &[
            "<egressOnlyInternetGatewayId>eigw-00000001</egressOnlyInternetGatewayId><attachmentSet><item>\
             <vpcId>vpc-00000001</vpcId></item></attachmentSet>".to_owned(),
            "<egressOnlyInternetGatewayId>eigw-00000002</egressOnlyInternetGatewayId><attachmentSet><item>\
             <vpcId>vpc-00000002</vpcId></item></attachmentSet>".to_owned()]),
        "DescribeNatGateways" => all("natGatewaySet", &[
            "<natGatewayId>nat-00000001</natGatewayId><vpcId>vpc-00000001</vpcId><subnetId>subnet-0000000b</subnetId>\
             <state>available</state><connectivityType>public</connectivityType>".to_owned(),
            "<natGatewayId>nat-00000002</natGatewayId><vpcId>vpc-00000001</vpcId><state>deleted</state>".to_owned()]),
        "DescribeNetworkAcls" => all("networkAclSet", &[
            "<networkAclId>acl-00000001</networkAclId><vpcId>vpc-00000001</vpcId><default>true</default><entrySet>\
             <item><ruleNumber>100</ruleNumber><protocol>-1</protocol><ruleAction>allow</ruleAction>\
             <egress>false</egress><cidrBlock>0.0.0.0/0</cidrBlock></item></entrySet>\
             <associationSet><item><subnetId>subnet-0000000a</subnetId></item></associationSet>".to_owned()]),
        "DescribeSecurityGroups" => {
            let group = |id: &str, name: &str| format!(
                "<ownerId>111111111111</ownerId><groupId>{id}</groupId><groupName>{name}</groupName>\
                 <groupDescription>of {name}</groupDescription><vpcId>vpc-00000001</vpcId>");
            let of_eks = "<tagSet><item><key>aws:eks:cluster-name</key><value>orders</value></item></tagSet>";
            let cluster = format!("{}{of_eks}", group("sg-00000002", "eks-cluster-sg-orders"));
            all("securityGroupInfo", &[group("sg-00000001", "nodes"), cluster])
        }
        "DescribeSecurityGroupRules" => all("securityGroupRuleSet", &[
            "<securityGroupRuleId>sgr-1</securityGroupRuleId><groupId>sg-00000001</groupId>\
             <groupOwnerId>111111111111</groupOwnerId><isEgress>false</isEgress><ipProtocol>tcp</ipProtocol>\
             <fromPort>443</fromPort><toPort>443</toPort>\
             <referencedGroupInfo><groupId>sg-00000002</groupId><userId>111111111111</userId></referencedGroupInfo>".to_owned(),
            "<securityGroupRuleId>sgr-2</securityGroupRuleId><groupId>sg-00000001</groupId>\
             <groupOwnerId>111111111111</groupOwnerId><isEgress>true</isEgress><ipProtocol>-1</ipProtocol>\
             <fromPort>-1</fromPort><toPort>-1</toPort><prefixListId>pl-00000001</prefixListId>".to_owned()]),
        "DescribeVpcEndpoints" => all("vpcEndpointSet", &[
            "<vpcEndpointId>vpce-00000001</vpcEndpointId><vpcId>vpc-00000001</vpcId><vpcEndpointType>Gateway</vpcEndpointType>\
             <serviceName>com.amazonaws.eu-west-1.s3</serviceName><state>available</state>\
             <policyDocument>{\"Statement\":[{\"Sid\":\"hunter2\"}]}</policyDocument>\
             <routeTableIdSet><item>rtb-00000001</item></routeTableIdSet>".to_owned(),
            "<vpcEndpointId>vpce-00000002</vpcEndpointId><vpcId>vpc-00000001</vpcId><vpcEndpointType>Interface</vpcEndpointType>\
             <serviceName>com.amazonaws.eu-west-1.sts</serviceName><state>available</state>\
             <subnetIdSet><item>subnet-0000000b</item><item>subnet-0000000a</item></subnetIdSet>\
             <groupSet><item><groupId>sg-00000001</groupId></item></groupSet>\
             <privateDnsEnabled>true</privateDnsEnabled>".to_owned()]),
        "DescribeVolumes" => all("volumeSet", &[
            format!("<volumeId>vol-00000001</volumeId><size>20</size><volumeType>gp3</volumeType><iops>3000</iops>\
             <throughput>125</throughput><availabilityZone>eu-west-1a</availabilityZone><encrypted>true</encrypted>\
             <kmsKeyId>arn:aws:kms:eu-west-1:111111111111:key/2222bbbb-12ab-34cd-56ef-1234567890ab</kmsKeyId>\
             <snapshotId/><multiAttachEnabled>false</multiAttachEnabled>{}", tags("carts")),
            "<volumeId>vol-00000002</volumeId><size>8</size><volumeType>gp2</volumeType>\
             <availabilityZone>eu-west-1b</availabilityZone><encrypted>false</encrypted>".to_owned()]),
        "DescribeManagedPrefixLists" => all("prefixListSet", &[
            "<prefixListId>pl-00000001</prefixListId><prefixListName>com.amazonaws.eu-west-1.s3</prefixListName>\
             <ownerId>AWS</ownerId>".to_owned()]),
        "DescribeLaunchTemplates" => all("launchTemplates", &[format!(
            "<launchTemplateId>lt-00000001</launchTemplateId><launchTemplateName>nodes</launchTemplateName>{}",
            tags("nodes"))]),
        "DescribeLaunchTemplateVersions" => all("launchTemplateVersionSet", &[
            "<launchTemplateId>lt-00000001</launchTemplateId><launchTemplateName>nodes</launchTemplateName>\
             <versionNumber>3</versionNumber><launchTemplateData><imageId>ami-00000001</imageId>\
             <userData>aHVudGVyMg==hunter2</userData><securityGroupIdSet><item>sg-00000001</item></securityGroupIdSet>\
             <blockDeviceMappingSet><item><deviceName>/dev/xvda</deviceName><ebs><encrypted>true</encrypted>\
             <volumeSize>50</volumeSize><volumeType>gp3</volumeType><kmsKeyId>alias/nodes</kmsKeyId></ebs></item>\
             </blockDeviceMappingSet><metadataOptions><httpTokens>required</httpTokens></metadataOptions>\
             </launchTemplateData>".to_owned()]),
        // A filter has wildcards: this name matches `op*`.
        "DescribeKeyPairs" => all("keySet", &[
            "<keyPairId>key-00000001</keyPairId><keyName>operators</keyName>".to_owned()]),
        other => panic!("no answer to {other}"),
    }
}

/// An answer of IAM, with a member on a line of its own.
fn result(operation: &str, content: &str) -> String {
    format!(
        "<{operation}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n<{operation}Result>\n{content}\n</{operation}Result>\n\
         <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{operation}Response>"
    )
}

fn members(operation: &str, list: &str, members: &[String]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|member| format!("<member>{member}</member>"))
        .collect();
    let content = format!(
        "<IsTruncated>false</IsTruncated><{list}>\n{}\n</{list}>",
        members.join("\n")
    );
    result(operation, &content)
}

/// The names of the roles of the account, and their paths.
const ROLES: [(&str, &str); 8] = [
    ("cluster", "/"),
    ("nodes", "/"),
    ("fargate", "/"),
    ("cni", "/"),
    ("operators", "/"),
    ("mail", "/"),
    ("cart", "/shop/"),
    (OF_IDENTITY_CENTER, "/aws-reserved/sso.amazonaws.com/eu-west-1/"),
];

/// A role of IAM Identity Center, which only the trust policy of another one names.
const OF_IDENTITY_CENTER: &str = "AWSReservedSSO_Operators_0123456789abcdef";

/// A document of IAM, encoded as in a URL.
fn encoded(document: &Value) -> String {
    let bytes = document.to_string().into_bytes();
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

fn trust(name: &str) -> Value {
    let principal = match name {
        "cart" => json!({"Federated":
            ["arn:aws:iam::111111111111:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AAAA1111",
             "arn:aws:iam::111111111111:oidc-provider/ci.example"]}),
        "nodes" => json!({"Service": "ec2.amazonaws.com"}),
        "operators" => json!({"AWS": format!(
            "arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/eu-west-1/{OF_IDENTITY_CENTER}")}),
        OF_IDENTITY_CENTER => {
            json!({"Federated": "arn:aws:iam::111111111111:saml-provider/AWSSSO_1_DO_NOT_DELETE"})
        }
        _ => json!({"Service": "pods.eks.amazonaws.com"}),
    };
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal,
        "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": "hunter2"}}}]})
}

fn iam(call: &Call) -> String {
    let operation = call.action.split(':').nth(1).unwrap();
    let role = ROLES
        .iter()
        .find(|(name, _)| call.names(&format!("RoleName={name}")));
    match operation {
        "GetRole" => {
            let (name, path) = role.unwrap();
            let boundary = if *name == "cart" {
                "<PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType>\
                 <PermissionsBoundaryArn>arn:aws:iam::111111111111:policy/boundary</PermissionsBoundaryArn>\
                 </PermissionsBoundary>"
            } else {
                ""
            };
            result(
                operation,
                &format!(
                    "<Role><Path>{path}</Path><RoleName>{name}</RoleName><RoleId>AROA1</RoleId>\
                 <Arn>arn:aws:iam::111111111111:role{path}{name}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>\
                 <AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument>\
                 <MaxSessionDuration>3600</MaxSessionDuration>{boundary}\
                 <Tags><member><Key>team</Key><Value>shop</Value></member></Tags></Role>",
                    encoded(&trust(name))
                ),
            )
        }
        "ListRolePolicies" => {
            let names: &[&str] = if role.unwrap().0 == "cart" {
                &["queue", "bucket"]
            } else {
                &[]
            };
            members(
                operation,
                "PolicyNames",
                &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
            )
        }
        "GetRolePolicy" => {
            let name = if call.names("PolicyName=queue") {
                "queue"
            } else {
                "bucket"
            };
            let document = json!({"Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": name}]});
            result(
                operation,
                &format!(
                    "<RoleName>cart</RoleName><PolicyName>{name}</PolicyName><PolicyDocument>{}</PolicyDocument>",
                    encoded(&document)
                ),
            )
        }
        "ListAttachedRolePolicies" => {
            let attached = |name: &str, arn: &str| {
                format!("<PolicyName>{name}</PolicyName><PolicyArn>{arn}</PolicyArn>")
            };
            let list = match role.unwrap().0 {
                OF_IDENTITY_CENTER => vec![attached(
                    "own",
                    "arn:aws:iam::111111111111:policy/of-identity-center",
                )],
                "nodes" => vec![
                    attached("worker", "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"),
                    attached("nodes", "arn:aws:iam::111111111111:policy/nodes"),
                ],
                _ => vec![],
            };
            members(operation, "AttachedPolicies", &list)
        }
        "ListInstanceProfilesForRole" => {
            let list = match role.unwrap().0 {
                "nodes" => vec![profile()],
                _ => vec![],
            };
            members(operation, "InstanceProfiles", &list)
        }
        "ListRoles" => {
            assert!(call.names("PathPrefix=/aws-reserved/sso.amazonaws.com/"));
            let role = |name: &str| {
                format!(
                    "<Path>/aws-reserved/sso.amazonaws.com/</Path><RoleName>{name}</RoleName><RoleId>AROA1</RoleId>\
                     <Arn>arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/{name}</Arn>\
                     <CreateDate>2026-01-01T00:00:00Z</CreateDate>"
                )
            };
            members(
                operation,
                "Roles",
                &[
                    role("AWSReservedSSO_View_Only_fedcba9876543210"),
                    role(OF_IDENTITY_CENTER),
                ],
            )
        }
        "GetInstanceProfile" => result(
            operation,
            &format!(
                "<InstanceProfile>{}<Tags><member><Key>team</Key><Value>shop</Value></member></Tags></InstanceProfile>",
                profile()
            ),
        ),
        "GetPolicy" => {
            let name = if call.names("policy/nodes") {
                "nodes"
            } else {
                "boundary"
            };
            result(
                operation,
                &format!(
                    "<Policy><PolicyName>{name}</PolicyName><Path>/</Path><DefaultVersionId>v2</DefaultVersionId>\
                 <Arn>arn:aws:iam::111111111111:policy/{name}</Arn><Description>of {name}</Description></Policy>"
                ),
            )
        }
        "GetPolicyVersion" => result(
            operation,
            &format!(
                "<PolicyVersion><VersionId>v2</VersionId><IsDefaultVersion>true</IsDefaultVersion>\
             <Document>{}</Document></PolicyVersion>",
                encoded(&json!({"Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}))
            ),
        ),
        "GetOpenIDConnectProvider" => {
            let url = if call.names("ci.example") {
                "ci.example"
            } else {
                "oidc.eks.eu-west-1.amazonaws.com/id/AAAA1111"
            };
            result(
                operation,
                &format!(
                    "<Url>{url}</Url><ClientIDList><member>sts.amazonaws.com</member></ClientIDList>\
                 <ThumbprintList><member>9e99a48a9960b14926bb7f3b02e22da2b0ab7280</member></ThumbprintList>"
                ),
            )
        }
        other => panic!("no answer to {other}"),
    }
}

fn profile() -> String {
    format!(
        "<Path>/</Path><InstanceProfileName>nodes</InstanceProfileName><InstanceProfileId>AIPA1</InstanceProfileId>\
         <Arn>arn:aws:iam::111111111111:instance-profile/nodes</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>\
         <Roles><member><Path>/</Path><RoleName>nodes</RoleName><RoleId>AROA1</RoleId>\
         <Arn>arn:aws:iam::111111111111:role/nodes</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>\
         <AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument></member></Roles>",
        encoded(&trust("nodes"))
    )
}

fn ecr(call: &Call) -> Value {
    match call.action.as_str() {
        "ecr:DescribeRepositories" => json!({"repositories": [{
            "repositoryName": "shop/cart", "registryId": "111111111111",
            "repositoryArn": "arn:aws:ecr:eu-west-1:111111111111:repository/shop/cart",
            "imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": {"scanOnPush": true},
            "encryptionConfiguration": {"encryptionType": "KMS",
                "kmsKey": "arn:aws:kms:eu-west-1:111111111111:key/2222bbbb-12ab-34cd-56ef-1234567890ab"}}]}),
        "ecr:GetRepositoryPolicy" => json!({"policyText":
            "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"ecr:BatchGetImage\"}]}"}),
        "ecr:GetLifecyclePolicy" => json!({"lifecyclePolicyText": "{\"rules\":[{\"rulePriority\":1}]}"}),
        "ecr:DescribeRegistry" => {
            json!({"registryId": "111111111111", "replicationConfiguration": {"rules": [{
            "destinations": [{"region": "eu-central-1", "registryId": "222222222222"}],
            "repositoryFilters": [{"filter": "shop/", "filterType": "PREFIX_MATCH"}]}]}})
        }
        "ecr:DescribeImages" => json!({"imageDetails": [{"imageTags": ["1"]}]}),
        "ecr:ListTagsForResource" => json!({"tags": [
            {"Key": "team", "Value": "shop"}, {"Key": "stage", "Value": "production"}]}),
        other => panic!("no answer to {other}"),
    }
}

fn efs(call: &Call) -> Value {
    let id = if call.names("fs-89abcdef") {
        "fs-89abcdef"
    } else {
        "fs-01234567"
    };
    let point = |id: &str, system: &str| {
        json!({"AccessPointId": id, "FileSystemId": system, "LifeCycleState": "available",
            "PosixUser": {"Uid": 1000, "Gid": 1000, "SecondaryGids": [2000, 3000]},
            "RootDirectory": {"Path": "/cart",
                "CreationInfo": {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0750"}},
            "Tags": [{"Key": "Name", "Value": "cart"}]})
    };
    match call.action.as_str() {
        "elasticfilesystem:DescribeFileSystems" => json!({"FileSystems": [{
            "FileSystemId": id, "OwnerId": "111111111111", "CreationToken": "1", "CreationTime": 1_767_225_600,
            "LifeCycleState": "available", "NumberOfMountTargets": 2, "SizeInBytes": {"Value": 6144},
            "FileSystemArn": format!("arn:aws:elasticfilesystem:eu-west-1:111111111111:file-system/{id}"),
            "PerformanceMode": "generalPurpose", "ThroughputMode": "provisioned",
            "ProvisionedThroughputInMibps": 16.5, "Encrypted": true,
            "KmsKeyId": "arn:aws:kms:eu-west-1:111111111111:key/3333cccc-12ab-34cd-56ef-1234567890ab",
            "Tags": [{"Key": "Name", "Value": "shop"}]}]}),
        "elasticfilesystem:DescribeFileSystemPolicy" => json!({"FileSystemId": id,
            "Policy": "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"}}]}"}),
        "elasticfilesystem:DescribeLifecycleConfiguration" => {
            json!({"LifecyclePolicies": [{"TransitionToIA": "AFTER_30_DAYS"}]})
        }
        "elasticfilesystem:DescribeBackupPolicy" => json!({"BackupPolicy": {"Status": "ENABLED"}}),
        "elasticfilesystem:DescribeReplicationConfigurations" => json!({"Replications": [{
            "SourceFileSystemId": id, "SourceFileSystemRegion": "eu-west-1", "CreationTime": 1_767_225_600,
            "SourceFileSystemArn": format!("arn:aws:elasticfilesystem:eu-west-1:111111111111:file-system/{id}"),
            "OriginalSourceFileSystemArn": format!("arn:aws:elasticfilesystem:eu-west-1:111111111111:file-system/{id}"),
            "Destinations": [{"Status": "ENABLED", "FileSystemId": id.replace("fs-0", "fs-f").replace("fs-8", "fs-e"),
                "Region": "eu-central-1", "OwnerId": "222222222222"}]}]}),
        "elasticfilesystem:DescribeAccessPoints" if call.names("fsap-89abcdef") || id == "fs-89abcdef" => {
            json!({"AccessPoints": [point("fsap-89abcdef", "fs-89abcdef")]})
        }
        "elasticfilesystem:DescribeAccessPoints" => {
            json!({"AccessPoints": [point("fsap-01234567", "fs-01234567"), point("fsap-11111111", "fs-01234567")]})
        }
        "elasticfilesystem:DescribeMountTargets" => {
            let target = |letter: &str| {
                json!({"MountTargetId": format!("fsmt-0000000{letter}"), "FileSystemId": id,
                "SubnetId": format!("subnet-0000000{letter}"), "LifeCycleState": "available"})
            };
            json!({"MountTargets": [target("a"), target("b")]})
        }
        "elasticfilesystem:DescribeMountTargetSecurityGroups" => {
            json!({"SecurityGroups": ["sg-00000002", "sg-00000001"]})
        }
        other => panic!("no answer to {other}"),
    }
}

fn kms(call: &Call) -> Value {
    let id = [
        "1111aaaa-12ab-34cd-56ef-1234567890ab",
        "2222bbbb-12ab-34cd-56ef-1234567890ab",
        "3333cccc-12ab-34cd-56ef-1234567890ab",
    ]
    .into_iter()
    .find(|id| call.names(id));
    // The volumes of nodes have the key of the cluster, by its alias.
    let id = id.unwrap_or("1111aaaa-12ab-34cd-56ef-1234567890ab");
    match call.action.as_str() {
        "kms:DescribeKey" => json!({"KeyMetadata": {
            "KeyId": id, "Arn": format!("arn:aws:kms:eu-west-1:111111111111:key/{id}"), "Enabled": true,
            "Description": format!("of {id}"), "MultiRegion": false,
            "KeyManager": if id == "3333cccc-12ab-34cd-56ef-1234567890ab" { "AWS" } else { "CUSTOMER" }}}),
        "kms:GetKeyPolicy" => json!({"Policy": "{\"Statement\":[{\"Sid\":\"hunter2\"}]}"}),
        "kms:GetKeyRotationStatus" => json!({"KeyRotationEnabled": true}),
        "kms:ListAliases" => json!({"Aliases": [
            {"AliasName": format!("alias/a-{}", &id[..8])}, {"AliasName": format!("alias/b-{}", &id[..8])}]}),
        "kms:ListResourceTags" => json!({"Tags": [{"TagKey": "team", "TagValue": "shop"}]}),
        other => panic!("no answer to {other}"),
    }
}

/// The certificates of the account, by the end of their ARN: the domain names, and the status.
const CERTIFICATES: [(&str, &[&str], &str); 3] = [
    ("aaaa", &["shop.example", "www.shop.example"], "ISSUED"),
    ("bbbb", &["*.shop.example"], "ISSUED"),
    ("cccc", &["old.example"], "EXPIRED"),
];

fn acm(call: &Call) -> Value {
    let arn = |id: &str| format!("arn:aws:acm:eu-west-1:111111111111:certificate/{id}");
    let one = CERTIFICATES.iter().find(|(id, ..)| call.names(&arn(id)));
    match call.action.as_str() {
        "acm:DescribeCertificate" => {
            let (id, names, status) = one.unwrap();
            json!({"Certificate": {
                "CertificateArn": arn(id), "DomainName": names[0], "SubjectAlternativeNames": names,
                "Type": "AMAZON_ISSUED", "Status": status, "KeyAlgorithm": "RSA-2048",
                "InUseBy": ["arn:aws:elasticloadbalancing:eu-west-1:111111111111:loadbalancer/app/cart/1"]}})
        }
        "acm:ListTagsForCertificate" => json!({"Tags": [
            {"Key": "team", "Value": "shop"}, {"Key": "id", "Value": one.unwrap().0}]}),
        // The names of the second one are not all in the list.
        "acm:ListCertificates" => {
            json!({"CertificateSummaryList": CERTIFICATES.map(|(id, names, status)| json!({
            "CertificateArn": arn(id), "DomainName": names[0], "SubjectAlternativeNameSummaries": names,
            "HasAdditionalSubjectAlternativeNames": id == "bbbb", "Status": status}))})
        }
        other => panic!("no answer to {other}"),
    }
}

fn elb(call: &Call) -> String {
    let operation = call.action.split(':').nth(1).unwrap();
    let arn = |name: &str| {
        format!("arn:aws:elasticloadbalancing:eu-west-1:111111111111:targetgroup/{name}/0123456789abcdef")
    };
    let result = |list: &str, members: [String; 2]| {
        let named = ["cart", "mail"].map(arn);
        let wanted = named.iter().zip(members);
        // A call without ARNs is for all.
        let is_for_all = !call.names("member.1=");
        let wanted: String = wanted
            .filter(|(arn, _)| is_for_all || call.names(arn))
            .map(|(_, member)| format!("<member>{member}</member>\n"))
            .collect();
        format!(
            "<{operation}Response xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\n<{operation}Result>\n\
             <{list}>\n{wanted}</{list}>\n</{operation}Result>\n</{operation}Response>"
        )
    };
    match operation {
        "DescribeTargetGroups" => result("TargetGroups", ["cart", "mail"].map(|name| format!(
            "<TargetGroupArn>{}</TargetGroupArn><TargetGroupName>{name}</TargetGroupName><Protocol>HTTP</Protocol>\
             <ProtocolVersion>HTTP1</ProtocolVersion><Port>8080</Port><VpcId>vpc-00000001</VpcId>\
             <TargetType>ip</TargetType><IpAddressType>ipv4</IpAddressType><HealthCheckEnabled>true</HealthCheckEnabled>\
             <HealthCheckProtocol>HTTP</HealthCheckProtocol><HealthCheckPort>traffic-port</HealthCheckPort>\
             <HealthCheckPath>/healthz</HealthCheckPath><HealthCheckIntervalSeconds>15</HealthCheckIntervalSeconds>\
             <HealthCheckTimeoutSeconds>5</HealthCheckTimeoutSeconds><HealthyThresholdCount>2</HealthyThresholdCount>\
             <UnhealthyThresholdCount>3</UnhealthyThresholdCount><Matcher><HttpCode>200-299</HttpCode></Matcher>", arn(name)))),
        "DescribeTags" => result("TagDescriptions", ["cart", "mail"].map(|name| format!(
            "<ResourceArn>{}</ResourceArn><Tags><member><Key>app</Key><Value>{name}</Value></member></Tags>", arn(name)))),
        other => panic!("no answer to {other}"),
    }
}

/// Two parts, and a marker behind the last one.
fn waf(call: &Call) -> Value {
    let acl = |name: &str| {
        json!({"Name": name, "Id": "2", "LockToken": "3",
            "ARN": format!("arn:aws:wafv2:eu-west-1:111111111111:regional/webacl/{name}/2")})
    };
    assert!(call.names("\"Scope\":\"REGIONAL\""));
    match call.action.as_str() {
        "wafv2:ListWebACLs" if call.names("\"NextMarker\":\"two\"") => {
            json!({"WebACLs": [], "NextMarker": "two"})
        }
        "wafv2:ListWebACLs" if call.names("\"NextMarker\":\"one\"") => {
            json!({"WebACLs": [acl("shop")], "NextMarker": "two"})
        }
        "wafv2:ListWebACLs" => json!({"WebACLs": [acl("mail")], "NextMarker": "one"}),
        other => panic!("no answer to {other}"),
    }
}

/// The buckets of the account in the Region.
const BUCKETS: &str = "<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Buckets>\
    <Bucket><Name>shop-media</Name></Bucket><Bucket><Name>shop-logs</Name></Bucket></Buckets></ListAllMyBucketsResult>";
