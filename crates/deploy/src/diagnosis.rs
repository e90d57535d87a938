//! Why a resource of a stack failed, as a code with a remedy.
//!
//! CloudFormation has no codes for failed resources, only a reason in words: the message of the service, with the name of
//! its error or a code of the resource's handler
//! (<https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html>) in it. So
//! names of errors are compared first, and sentences where a service has no name for it. A reason that no rule knows
//! has no diagnosis.

use lifeboat_model::Code;

/// What is known about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The stable code.
    pub code: Code,
    /// What to do before the same deployment is tried again.
    pub remedy: String,
}

impl Diagnosis {
    fn of(code: Code) -> Self {
        let remedy = code.explanation().remedy;
        // The one who words the failure says how it goes on.
        let remedy = remedy.split(", then run the same command again").next();
        Self::with(code, remedy.unwrap_or_default())
    }

    fn with(code: Code, remedy: impl Into<String>) -> Self {
        Self {
            code,
            remedy: remedy.into(),
        }
    }

    /// Whether the same deployment can succeed without a change by the user.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        is_retryable(self.code)
    }
}

/// Reports whether a deployment that ended with this code can succeed without a change by the user: a cause may pass
/// (capacity, eventual consistency of IAM, a limit of requests), and a stack that somebody has deleted is built anew.
#[must_use]
pub fn is_retryable(code: Code) -> bool {
    matches!(
        code,
        Code::StackFailed
            | Code::AwsFailed
            | Code::AwsThrottled
            | Code::StackDeleted
            | Code::CapacityInsufficient
            | Code::NotYetConsistent
            | Code::ServiceLinkedRoleMissing
    )
}

/// A rule: the first one of which a text occurs in the reason counts.
struct Rule {
    code: Code,
    texts: &'static [&'static str],
}

/// The rules. Texts that contain others come first: `RequestLimitExceeded` before `LimitExceeded`, and the service-linked
/// role and the KMS key before denials and missing roles in general.
const RULES: &[Rule] = &[
    Rule {
        code: Code::ClusterProtected,
        texts: &[
            "deletion protection",
            "Deletion protection",
            "deletionProtection",
            "DeletionProtection",
        ],
    },
    Rule {
        code: Code::StackNotUpdatable,
        texts: &["Replacement type updates not supported on stack with disable-rollback"],
    },
    Rule {
        code: Code::KeyDisabled,
        texts: &[
            "KMSInvalidState",
            "InvalidKMSKey.InvalidState",
            "KMSKeyDisabled",
            "is pending deletion",
            "KMS key is disabled",
        ],
    },
    Rule {
        code: Code::ServiceLinkedRoleMissing,
        texts: &[
            "CreateServiceLinkedRole",
            "ServiceLinkedRoleCreationNotPermitted",
            "permission to create the service-linked role",
            "role/aws-service-role/",
        ],
    },
    Rule {
        code: Code::NotYetConsistent,
        texts: &[
            "could not be assumed because it does not exist or the trusted entity is not correct",
            "Invalid principal in policy",
            "one or more invalid principals",
            "Invalid IAM Instance Profile",
            "due to explicit deny policy or revoked grant",
        ],
    },
    Rule {
        code: Code::ResourceDenied,
        texts: &[
            "not authorized to perform",
            "authorized to use launch template",
            "AccessDenied",
            "UnauthorizedOperation",
            "UnauthorizedTaggingOperation",
            "Access Denied",
        ],
    },
    Rule {
        code: Code::AwsThrottled,
        texts: &[
            "RequestLimitExceeded",
            "Throttling",
            "TooManyRequests",
            "Rate exceeded",
        ],
    },
    Rule {
        code: Code::CapacityInsufficient,
        texts: &[
            "InsufficientInstanceCapacity",
            "InsufficientHostCapacity",
            "UnsupportedAvailabilityZone",
            "not currently have sufficient capacity",
            "do not have sufficient",
        ],
    },
    Rule {
        code: Code::QuotaExceeded,
        texts: &[
            "LimitExceeded",
            "QuotaExceeded",
            "SpotInstanceCountExceeded",
            "limit exceeded",
            "The maximum number of",
            "exceed quota",
            "more vCPU capacity than your current vCPU limit",
        ],
    },
    Rule {
        code: Code::NodesNotJoined,
        texts: &[
            "NodeCreationFailure",
            "failed to join the kubernetes cluster",
            "Unhealthy nodes in the kubernetes cluster",
        ],
    },
    Rule {
        code: Code::NotOffered,
        texts: &[
            "release version",
            "unsupported Kubernetes version",
            "not supported in your requested Availability Zone",
            "Addon version specified is not supported",
        ],
    },
    Rule {
        code: Code::NameTaken,
        texts: &[
            "already exists",
            "AlreadyExists",
            "EarlyValidation::ResourceExistenceCheck",
        ],
    },
    Rule {
        code: Code::ResourceGone,
        texts: &[
            "HandlerErrorCode: NotFound",
            ".NotFound",
            "was not found",
            "does not exist",
        ],
    },
];

/// Returns the diagnosis of a reason. `kind` is the type of the resource, such as `AWS::EC2::VPC`.
#[must_use]
pub fn diagnose(kind: &str, reason: &str) -> Option<Diagnosis> {
    let matches = |rule: &&Rule| rule.texts.iter().any(|text| reason.contains(text));
    let code = RULES.iter().find(matches)?.code;
    Some(match code {
        Code::StackNotUpdatable => Diagnosis::with(
            code,
            "take the stack back to its last stable state with `aws cloudformation rollback-stack`, because CloudFormation replaces no resource of a stack that has failed",
        ),
        Code::ResourceDenied => denied(reason),
        Code::ServiceLinkedRoleMissing => service_linked(reason),
        Code::CapacityInsufficient => capacity(reason),
        Code::QuotaExceeded => quota(kind, reason),
        code => Diagnosis::of(code),
    })
}

/// Names the action that is denied, and the policy that lacks it or denies it
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>).
fn denied(reason: &str) -> Diagnosis {
    let Some(action) = action(reason) else {
        return Diagnosis::of(Code::ResourceDenied);
    };
    let whose = reason
        .split("User: ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let whose = whose
        .filter(|arn| arn.starts_with("arn:"))
        .unwrap_or("who deploys");
    let remedy = if reason.contains("service control policy") {
        format!("allow {action} to {whose} in the service control policies of the organization")
    } else if reason.contains("permissions boundary") {
        format!("allow {action} in the permissions boundary of {whose}")
    } else if reason.contains("resource-based policy allows")
        || reason.contains("resource-based policy denies")
    {
        format!("allow {action} to {whose} in the policy of the resource")
    } else if reason.contains("explicit deny") {
        format!("remove the statement of a policy that denies {action} to {whose}")
    } else {
        match policy_of(action) {
            Some(policy) => format!(
                "allow {action} to {whose}; for the role of a delegate it is missing in {policy} of the stack `rebuild`, which `lifeboat deploy application` updates"
            ),
            None => format!("allow {action} to {whose}"),
        }
    };
    Diagnosis::with(Code::ResourceDenied, remedy)
}

/// The policies of the stack `rebuild` with which a delegate builds, by the services of their actions.
const POLICIES: &[(&str, &str)] = &[
    ("ec2", "BuildNetworkPolicy"),
    ("eks", "BuildClustersPolicy"),
    ("cloudformation", "BuildClustersPolicy"),
    ("s3", "BuildClustersPolicy"),
    ("iam", "BuildRolesPolicy"),
    ("ecr", "BuildStoragePolicy"),
    ("elasticfilesystem", "BuildStoragePolicy"),
    ("kms", "BuildStoragePolicy"),
];

fn policy_of(action: &str) -> Option<&'static str> {
    let (service, _) = action.split_once(':')?;
    let known = POLICIES.iter().find(|(known, _)| *known == service);
    known.map(|(_, policy)| *policy)
}

/// Returns the action of a denial, such as `iam:CreateRole`. Services name it after `perform`, and CloudFormation after
/// `API`.
fn action(reason: &str) -> Option<&str> {
    ["authorized to perform: ", "authorized to perform ", "API: "]
        .iter()
        .filter_map(|before| reason.split_once(before))
        .filter_map(|(_, rest)| rest.split([' ', ',', '"']).next())
        .find(|word| is_action(word))
}

fn is_action(word: &str) -> bool {
    word.split_once(':').is_some_and(|(service, name)| {
        let is_name =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        is_name(service) && is_name(name)
    })
}

/// The services whose service-linked roles a cluster and its nodes use, by a text in the reason
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html>).
const SERVICE_LINKED: &[(&str, &str)] = &[
    ("eks-nodegroup", "eks-nodegroup.amazonaws.com"),
    ("eks-fargate", "eks-fargate.amazonaws.com"),
    ("eks.amazonaws.com", "eks.amazonaws.com"),
    ("autoscaling", "autoscaling.amazonaws.com"),
    ("elasticfilesystem", "elasticfilesystem.amazonaws.com"),
    ("Spot Fleet", "spotfleet.amazonaws.com"),
    ("Spot", "spot.amazonaws.com"),
];

fn service_linked(reason: &str) -> Diagnosis {
    let code = Code::ServiceLinkedRoleMissing;
    let known = SERVICE_LINKED.iter().find(|(text, _)| reason.contains(text));
    known.map_or_else(
        || Diagnosis::of(code),
        |(_, service)| {
            Diagnosis::with(
                code,
                format!(
                    "create the role with `aws iam create-service-linked-role --aws-service-name {service}` in the recovery account"
                ),
            )
        },
    )
}

fn capacity(reason: &str) -> Diagnosis {
    let code = Code::CapacityInsufficient;
    // Of a control plane, EKS names the zones that have capacity.
    let Some((_, zones)) = reason.split_once("choose from these availability zones: ") else {
        return Diagnosis::of(code);
    };
    let zones = zones.split([' ', '"', '(']).take_while(|word| !word.is_empty());
    let zones: Vec<&str> = zones.map(|word| word.trim_end_matches([',', '.'])).collect();
    Diagnosis::with(
        code,
        format!(
            "map the Availability Zone of a subnet of the cluster to one of those that have capacity: {}",
            zones.join(", ")
        ),
    )
}

/// Names the service in which the quota is raised, by its code in Service Quotas.
fn quota(kind: &str, reason: &str) -> Diagnosis {
    let service = match kind {
        _ if reason.contains("vCPU") || reason.contains("Vcpu") || reason.contains("Spot") => "ec2",
        "AWS::EC2::EIP" | "AWS::EC2::LaunchTemplate" => "ec2",
        _ if kind.starts_with("AWS::EC2::") => "vpc",
        _ if kind.starts_with("AWS::EKS::") => "eks",
        _ if kind.starts_with("AWS::IAM::") => "iam",
        _ if kind.starts_with("AWS::ECR::") => "ecr",
        _ if kind.starts_with("AWS::EFS::") => "elasticfilesystem",
        _ if kind.starts_with("AWS::KMS::") => "kms",
        _ => return Diagnosis::of(Code::QuotaExceeded),
    };
    Diagnosis::with(
        Code::QuotaExceeded,
        format!(
            "find the quota with `aws service-quotas list-service-quotas --service-code {service}` and raise it with `aws service-quotas request-service-quota-increase`, or delete what is not needed"
        ),
    )
}

#[cfg(test)]
mod tests;
