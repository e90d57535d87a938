//! Looks up, in the recovery environment, what takes the place of resources that no stack builds.

use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_infrastructure::{Candidate, Descriptions};

use crate::{acm, elb, iam, s3, waf};

lifeboat_aws::actions! {
    /// Every action of IAM that [`candidates`] needs, on the recovery side.
    pub ACTIONS {
        LIST_CERTIFICATES = "acm:ListCertificates",
        DESCRIBE_CERTIFICATE = "acm:DescribeCertificate",
        LIST_CERTIFICATE_TAGS = "acm:ListTagsForCertificate",
        DESCRIBE_TARGET_GROUPS = "elasticloadbalancing:DescribeTargetGroups",
        DESCRIBE_BALANCER_TAGS = "elasticloadbalancing:DescribeTags",
        LIST_BUCKETS = "s3:ListAllMyBuckets",
        LIST_ROLES = "iam:ListRoles",
        LIST_WEB_ACLS = "wafv2:ListWebACLs",
    }
}

/// Returns the certificates, target groups, buckets, web ACLs and roles of IAM Identity Center of the recovery environment,
/// if the primary has any of the type. Volumes and secrets have a counterpart by a mapping only, and are not looked up.
///
/// # Errors
/// [`AwsError`] if a service refuses a call or does not answer.
pub async fn candidates(
    context: &AwsContext,
    descriptions: &Descriptions,
) -> Result<Vec<Candidate>, AwsError> {
    let mut found = Vec::new();
    if !descriptions.certificates.is_empty() {
        found.extend(acm::candidates(context).await?);
    }
    if !descriptions.target_groups.is_empty() {
        found.extend(elb::candidates(context).await?);
    }
    if !descriptions.buckets.is_empty() {
        found.extend(s3::candidates(context).await?);
    }
    if !descriptions.web_acls.is_empty() {
        found.extend(waf::candidates(context).await?);
    }
    if descriptions
        .roles
        .iter()
        .any(|role| role.permission_set().is_some())
    {
        found.extend(iam::candidates(context).await?);
    }
    Ok(found)
}
