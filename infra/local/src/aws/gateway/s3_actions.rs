//! Correction: S3 requests need the actions that AWS documents.
//!
//! In AWS, listing a bucket needs `s3:ListBucket`, HEAD needs `s3:GetObject`, and the parts of a
//! multipart upload need `s3:PutObject` (Service Authorization Reference, "Actions, resources, and
//! condition keys for Amazon S3"). fakecloud evaluates the name of the operation instead, which no
//! AWS policy contains. So these names are added to the policies that decide: to a role's own
//! policies and its permissions boundary when a session of the role sends such a request, and to a
//! bucket's policy together with its other corrections.

use http::Method;
use http::request::Parts;
use serde_json::Value;

use super::identity::Identity;
use super::upstream::{Answer, Upstream, UpstreamError};
use super::wire::{decode, element, form, parameter};
use crate::aws::arn::Arn;

/// IAM has no Regions, but a signature contains one.
const GLOBAL: &str = "us-east-1";
const VERSION: (&str, &str) = ("Version", "2010-05-08");

/// An AWS action, and the operations of fakecloud that it allows.
const NAMES: &[(&str, &[&str])] = &[
    (
        "s3:ListBucket",
        &["s3:ListObjects", "s3:ListObjectsV2", "s3:HeadBucket"],
    ),
    ("s3:GetObject", &["s3:HeadObject"]),
    ("s3:GetBucketPublicAccessBlock", &["s3:GetPublicAccessBlock"]),
    (
        "s3:PutObject",
        &[
            "s3:CreateMultipartUpload",
            "s3:UploadPart",
            "s3:UploadPartCopy",
            "s3:CompleteMultipartUpload",
        ],
    ),
];

/// Returns the account and name of the role whose policies need the other names for this request;
/// nothing if the caller is not a role session, or if the operation has the action's name.
pub(crate) fn role_to_correct(caller: Option<&Identity>, parts: &Parts) -> Option<(String, String)> {
    let path = parts.uri.path().trim_start_matches('/');
    let query = parts.uri.query().unwrap_or_default();
    let is_list = parts.method == Method::GET && path.split_once('/').is_none_or(|(_, key)| key.is_empty());
    let is_part = ["uploads", "uploadId"]
        .iter()
        .any(|name| parameter(query, name).is_some());
    if !is_list && !is_part && parts.method != Method::HEAD {
        return None;
    }
    let arn = Arn::parse(&caller?.arn)?;
    let role = arn.resource.strip_prefix("assumed-role/")?.split('/').next()?;
    Some((arn.account.to_owned(), role.to_owned()))
}

/// Adds the missing names to the role's own policies and to its permissions boundary.
pub(crate) async fn mend_role(
    upstream: &Upstream,
    (account, role): (String, String),
) -> Result<(), UpstreamError> {
    let ask = async |pairs: &[(&str, &str)]| -> Result<Answer, UpstreamError> {
        let mut all = vec![VERSION, ("RoleName", role.as_str())];
        all.extend_from_slice(pairs);
        upstream
            .query_as_administrator(&account, "iam", GLOBAL, form(&all))
            .await
    };
    let listed = ask(&[("Action", "ListRolePolicies")]).await?.text();
    for member in listed.split("<member>").skip(1) {
        let name = member.split("</member>").next().unwrap_or_default();
        let got = ask(&[("Action", "GetRolePolicy"), ("PolicyName", name)])
            .await?
            .text();
        let document = element(&got, "PolicyDocument").map(decode).unwrap_or_default();
        let Ok(mut policy) = serde_json::from_str(&document) else {
            continue;
        };
        if add_names(&mut policy) {
            let document = policy.to_string();
            let put = [
                ("Action", "PutRolePolicy"),
                ("PolicyName", name),
                ("PolicyDocument", &document),
            ];
            ask(&put).await?;
        }
    }
    let described = ask(&[("Action", "GetRole")]).await?.text();
    match element(&described, "PermissionsBoundaryArn") {
        Some(boundary) => mend_policy(upstream, &account, boundary).await,
        None => Ok(()),
    }
}

/// Adds the missing names to a managed policy, in a version that takes the place of its default one.
async fn mend_policy(upstream: &Upstream, account: &str, arn: &str) -> Result<(), UpstreamError> {
    let ask = async |pairs: &[(&str, &str)]| -> Result<String, UpstreamError> {
        let mut all = vec![VERSION, ("PolicyArn", arn)];
        all.extend_from_slice(pairs);
        let answer = upstream.query_as_administrator(account, "iam", GLOBAL, form(&all));
        Ok(answer.await?.text())
    };
    let policy = ask(&[("Action", "GetPolicy")]).await?;
    let Some(version) = element(&policy, "DefaultVersionId") else {
        return Ok(());
    };
    let version = [("Action", "GetPolicyVersion"), ("VersionId", version)];
    let got = ask(&version).await?;
    let document = element(&got, "Document").map(decode).unwrap_or_default();
    let Ok(mut policy) = serde_json::from_str(&document) else {
        return Ok(());
    };
    if add_names(&mut policy) {
        let document = policy.to_string();
        let create = [
            ("Action", "CreatePolicyVersion"),
            ("PolicyDocument", &document),
            ("SetAsDefault", "true"),
        ];
        ask(&create).await?;
    }
    Ok(())
}

/// Adds the missing names to a policy. Returns whether any was missing.
pub(crate) fn add_names(policy: &mut Value) -> bool {
    let mut changed = false;
    for statement in policy["Statement"].as_array_mut().into_iter().flatten() {
        let mut actions: Vec<Value> = match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            Value::Null => continue,
            action => vec![action.clone()],
        };
        let before = actions.len();
        for (action, others) in NAMES {
            if actions.iter().any(|named| named == action) {
                for other in *others {
                    if !actions.iter().any(|named| named == other) {
                        actions.push((*other).into());
                    }
                }
            }
        }
        if actions.len() > before {
            statement["Action"] = Value::Array(actions);
            changed = true;
        }
    }
    changed
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use http::Request;
    use serde_json::json;

    use super::*;

    #[test]
    fn sessions_need_other_names_for_some_operations() {
        let session = Identity {
            arn: "arn:aws:sts::222222222222:assumed-role/R/s".into(),
        };
        let user = Identity {
            arn: "arn:aws:iam::222222222222:user/u".into(),
        };
        for (method, uri, is_other) in [
            (Method::GET, "/b?list-type=2&prefix=x", true),
            (Method::GET, "/b/", true),
            (Method::HEAD, "/b/k", true),
            (Method::PUT, "/b/k?partNumber=1&uploadId=u", true),
            (Method::POST, "/b/k?uploads", true),
            (Method::GET, "/b/k", false),
            (Method::PUT, "/b/k", false),
            (Method::DELETE, "/b/k", false),
        ] {
            let request = Request::builder().method(method).uri(uri).body(()).unwrap();
            let (parts, ()) = request.into_parts();
            let expected = is_other.then(|| ("222222222222".to_owned(), "R".to_owned()));
            assert_eq!(role_to_correct(Some(&session), &parts), expected, "{uri}");
            assert_eq!(role_to_correct(Some(&user), &parts), None, "{uri}");
        }
    }

    #[test]
    fn each_name_is_added_once() {
        let mut policy = json!({ "Statement": [
            { "Action": "s3:ListBucket" },
            { "Action": ["s3:GetObject", "s3:HeadObject", "kms:Sign"] },
            { "Action": ["s3:DeleteObject"] },
        ]});
        assert!(add_names(&mut policy));
        assert_eq!(
            policy["Statement"],
            json!([
                { "Action": ["s3:ListBucket", "s3:ListObjects", "s3:ListObjectsV2", "s3:HeadBucket"] },
                { "Action": ["s3:GetObject", "s3:HeadObject", "kms:Sign"] },
                { "Action": ["s3:DeleteObject"] },
            ])
        );
        assert!(!add_names(&mut policy));
    }
}
