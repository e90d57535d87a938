//! The requests of CloudFormation for a resource, as IAM sees them.

use crate::iam::Request;
use crate::policies::{ACCOUNT, APPLICATION, BOUNDARY, REGION};
use crate::table::{self, Action, FURTHER, OWN, Operation};

pub(crate) const TAG: &str = "lifeboat.dev/application";
pub(crate) const RESOURCE_TAG: &str = "aws:ResourceTag/lifeboat.dev/application";
pub(crate) const REQUEST_TAG: &str = "aws:RequestTag/lifeboat.dev/application";

/// A request with what it is for.
#[derive(Debug)]
pub(crate) struct Needed {
    pub(crate) of: String,
    pub(crate) request: Request,
}

/// Returns every request that the recovery stacks need.
pub(crate) fn needed() -> Vec<Needed> {
    let actions = table::actions();
    let known = |action: &str| {
        actions
            .get(action)
            .unwrap_or_else(|| panic!("no row for {action}"))
    };
    let mut all = Vec::new();
    for (r#type, handlers) in table::handlers() {
        for (operation, names) in handlers {
            let further = FURTHER.iter();
            let further = further.filter(|(of, when, _)| *of == r#type && *when == operation);
            let names = names.iter().map(String::as_str);
            for name in names.chain(further.map(|(_, _, name)| *name)) {
                if table::is_needed(&r#type, name) {
                    all.extend(requests(&r#type, operation, name, known(name)));
                }
            }
        }
    }
    for name in OWN {
        // Not of change sets, stack sets and access points.
        let resources = known(name).resources.iter();
        let resources = resources.filter(|(kind, _)| {
            !matches!(
                kind.as_str(),
                "accesspoint" | "accesspointobject" | "changeset" | "stackset"
            )
        });
        let requests: Vec<_> = resources
            .map(|(_, resource)| Request::new(name, &of_stack(&resource.arn)))
            .collect();
        let requests = match requests.is_empty() {
            true => vec![Request::new(name, "*")],
            false => requests,
        };
        all.extend(requests.into_iter().map(|request| Needed {
            of: "the delegate".to_owned(),
            request,
        }));
    }
    all
}

/// Returns the ARN of what the delegate itself calls: the stack of the network, and a template in the bucket of artifacts.
fn of_stack(arn: &str) -> String {
    for (placeholder, value) in [
        ("${StackName}", "lifeboat-shop-network"),
        ("${ChangeSetName}", "lifeboat-1"),
        ("${BucketName}", "lifeboat-artifacts-222222222222-eu-central-1"),
        ("${ObjectName}", "templates/1.json"),
    ] {
        if arn.contains(placeholder) {
            return of_stack(&arn.replace(placeholder, value));
        }
    }
    filled(arn, "", "")
}

/// Returns the requests for one action: one for each resource that it is authorized on.
fn requests(r#type: &str, operation: Operation, name: &str, action: &Action) -> Vec<Needed> {
    let of = format!("{type} {operation:?} {name}");
    let is_creating = operation == Operation::Create;
    let is_tagging = name.ends_with(":CreateTags") || name.contains(":Tag");
    if action.resources.is_empty() {
        let request = described(Request::new(name, "*"), r#type, action, is_creating);
        return vec![Needed { of, request }];
    }
    let resources = action.resources.iter();
    let resources = resources.filter(|(resource, _)| is_of_stack(r#type, name, resource));
    resources
        .map(|(resource, known)| {
            let is_made = is_creating && (is_tagging || is_new(r#type, name, resource));
            let mut request = Request::new(name, &filled(&known.arn, r#type, name));
            let is_tagged = known.keys.iter().any(|key| key == "aws:ResourceTag");
            if is_tagged && !is_made && !is_foreign(name, resource) {
                request = request.with(RESOURCE_TAG, APPLICATION);
            }
            Needed {
                of: format!("{of} on {resource}"),
                request: described(request, r#type, action, is_made),
            }
        })
        .collect()
}

/// Whether the resource is what the action makes, which has no tags yet.
fn is_new(r#type: &str, action: &str, resource: &str) -> bool {
    let made = match action {
        "ec2:AllocateAddress" => "elastic-ip",
        "ec2:CreateEgressOnlyInternetGateway" => "egress-only-internet-gateway",
        "ec2:CreateInternetGateway" => "internet-gateway",
        "ec2:CreateLaunchTemplate" => "launch-template",
        "ec2:CreateNatGateway" => "natgateway",
        "ec2:CreateNetworkAcl" => "network-acl",
        "ec2:CreateNetworkInterface" => "network-interface",
        "ec2:CreateRouteTable" => "route-table",
        "ec2:CreateSecurityGroup" => "security-group",
        "ec2:CreateSubnet" => "subnet",
        "ec2:CreateVpc" => "vpc",
        "ec2:CreateVpcEndpoint" => "vpc-endpoint",
        "ec2:RunInstances" => return matches!(resource, "instance" | "network-interface" | "volume"),
        "ecr:CreateRepository" => "repository",
        "iam:CreateInstanceProfile" => "instance-profile",
        "iam:CreateOpenIDConnectProvider" => "oidc-provider",
        "iam:CreatePolicy" => "policy",
        "iam:CreateRole" => "role",
        "kms:ReplicateKey" => return r#type == "AWS::KMS::ReplicaKey",
        _ => return false,
    };
    made == resource
}

/// Whether the resource is not one of the stacks: what AWS makes, and what the account has.
fn is_foreign(action: &str, resource: &str) -> bool {
    match action {
        "ec2:RunInstances" => resource == "image",
        // EFS makes it.
        "ec2:DeleteNetworkInterface" | "ec2:ModifyNetworkInterfaceAttribute" => {
            resource == "network-interface"
        }
        // The default ACL of a VPC takes the place of one that is removed.
        "ec2:ReplaceNetworkAclAssociation" => resource == "network-acl",
        "kms:ReplicateKey" | "iam:CreateServiceLinkedRole" => true,
        _ => false,
    }
}

/// Whether an action, if it names several resource types none of which is required, means this one here.
fn is_of_stack(r#type: &str, action: &str, resource: &str) -> bool {
    let one = match (action, r#type) {
        ("eks:TagResource" | "eks:UntagResource", _) => match r#type {
            "AWS::EKS::AccessEntry" => "access-entry",
            "AWS::EKS::Addon" => "addon",
            "AWS::EKS::Cluster" => "cluster",
            "AWS::EKS::FargateProfile" => "fargateprofile",
            "AWS::EKS::IdentityProviderConfig" => "identityproviderconfig",
            "AWS::EKS::Nodegroup" => "nodegroup",
            _ => "podidentityassociation",
        },
        (
            "elasticfilesystem:TagResource"
            | "elasticfilesystem:UntagResource"
            | "elasticfilesystem:ListTagsForResource",
            _,
        ) => match r#type {
            "AWS::EFS::AccessPoint" => "access-point",
            _ => "file-system",
        },
        ("elasticfilesystem:DescribeAccessPoints", _) => "access-point",
        ("ec2:DisassociateRouteTable", _) => return matches!(resource, "route-table" | "subnet"),
        _ => return true,
    };
    one == resource
}

/// Adds what the request of CloudFormation says besides.
fn described(mut request: Request, r#type: &str, action: &Action, is_made: bool) -> Request {
    let has = |key: &str| {
        let resources = action.resources.values().flat_map(|resource| &resource.keys);
        action.keys.iter().chain(resources).any(|known| known == key)
    };
    if is_made && has("aws:RequestTag") {
        request = request
            .with(REQUEST_TAG, APPLICATION)
            .with("aws:TagKeys", TAG)
            .with("aws:TagKeys", "Name");
    }
    if has("iam:PermissionsBoundary") {
        request = request.with("iam:PermissionsBoundary", BOUNDARY);
    }
    if has("iam:PassedToService") {
        request = request.with("iam:PassedToService", service(r#type));
    }
    if has("iam:AWSServiceName") {
        let name = match r#type {
            "AWS::EKS::Cluster" => "eks.amazonaws.com",
            "AWS::EKS::FargateProfile" => "eks-fargate.amazonaws.com",
            "AWS::EKS::Nodegroup" => "eks-nodegroup.amazonaws.com",
            _ => "elasticfilesystem.amazonaws.com",
        };
        request = request.with("iam:AWSServiceName", name);
    }
    request.with("aws:CalledVia", "cloudformation.amazonaws.com")
}

/// The service that a role is passed to (Service Authorization Reference, "Amazon EKS"; Amazon EKS User Guide, "Amazon EKS
/// node IAM role", "Amazon EKS Pod execution IAM role" and "Learn how EKS Pod Identity works").
fn service(r#type: &str) -> &'static str {
    match r#type {
        "AWS::EKS::Cluster" => "eks.amazonaws.com",
        "AWS::EKS::FargateProfile" => "eks-fargate-pods.amazonaws.com",
        "AWS::EKS::Addon" | "AWS::EKS::PodIdentityAssociation" => "pods.eks.amazonaws.com",
        _ => "ec2.amazonaws.com",
    }
}

/// Returns an ARN with the names of this application in the place of the placeholders.
fn filled(arn: &str, r#type: &str, action: &str) -> String {
    let mut out = String::new();
    let mut parts = arn.split("${");
    out.push_str(parts.next().unwrap());
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap();
        out.push_str(match name {
            "Partition" => "aws",
            "Region" => REGION,
            "Account" => ACCOUNT,
            // EKS makes those of Auto Mode itself.
            "InstanceProfileNameWithPath" if r#type == "AWS::EKS::Cluster" => "eks-eu-central-1-orders-1",
            "InstanceProfileNameWithPath" => "lifeboat/shop/orders-nodes",
            "PolicyNameWithPath" => "lifeboat/shop/orders",
            "RoleNameWithPath" if action == "iam:CreateServiceLinkedRole" => {
                "aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"
            }
            "RoleNameWithPath" => "teams/orders",
            "KeyId" if action == "kms:ReplicateKey" => "mrk-1",
            _ => "x-1",
        });
        out.push_str(rest);
    }
    out
}
