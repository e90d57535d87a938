//! The grants of policies and their use, calculated without AWS.
//!
//! A grant is the smallest unit of a policy: one statement, one of its actions, one of its
//! resources. It is used if IAM allowed a call that it covers.

use std::collections::BTreeSet;

use serde_json::Value;

/// Names of operations that the local AWS adds to policies next to the AWS actions that they belong to.
const CORRECTED: &[&str] = &[
    "s3:ListObjects",
    "s3:ListObjectsV2",
    "s3:HeadBucket",
    "s3:HeadObject",
    "s3:GetPublicAccessBlock",
    "s3:CreateMultipartUpload",
    "s3:UploadPart",
    "s3:UploadPartCopy",
    "s3:CompleteMultipartUpload",
];

/// One grant of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Grant {
    /// The role or resource of the policy, such as `role LifeboatCoordinator-eu-central-1`.
    pub(crate) holder: String,
    /// The statement's `Sid`.
    pub(crate) statement: String,
    /// The action.
    pub(crate) action: String,
    /// The resource, as a pattern.
    pub(crate) resource: String,
    to: To,
}

/// The principal of a grant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum To {
    /// Every session of the role with this ARN.
    Role(String),
    /// Callers of these accounts or ARNs. If there are patterns, the caller's ARN must match one of them.
    Principals { named: Vec<String>, like: Vec<String> },
    /// An AWS service.
    Service,
}

/// A call that IAM allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    /// The ARN of the role or user, never of a session.
    pub(crate) caller: String,
    /// The action.
    pub(crate) action: String,
    /// The resource.
    pub(crate) resource: String,
}

impl Call {
    /// Creates a call of a caller as the audit names it: a session counts as its role.
    pub(crate) fn new(caller: &str, action: &str, resource: &str) -> Self {
        Self {
            caller: role_of_session(caller).unwrap_or_else(|| caller.to_owned()),
            action: action.to_owned(),
            resource: resource.to_owned(),
        }
    }
}

/// Returns the role's ARN: `arn:aws:iam::1:role/R` for `arn:aws:sts::1:assumed-role/R/session`.
fn role_of_session(arn: &str) -> Option<String> {
    let (before, role) = arn.split_once(":assumed-role/")?;
    let role = role.split('/').next()?;
    Some(format!("{}:role/{role}", before.replace(":sts:", ":iam:")))
}

impl Grant {
    /// Returns the grants of a role's policy.
    pub(crate) fn of_role(role: &str, document: &Value) -> Vec<Self> {
        let name = role.rsplit('/').next().unwrap_or(role);
        Self::of(&format!("role {name}"), document, |_| To::Role(role.to_owned()))
    }

    /// Returns the grants of the policy of a bucket, key or topic. `arn` replaces the resource `*`,
    /// which means the key itself in a key policy.
    pub(crate) fn of_resource(holder: &str, arn: &str, document: &Value) -> Vec<Self> {
        let mut grants = Self::of(holder, document, |statement| {
            if !statement["Principal"]["Service"].is_null() {
                return To::Service;
            }
            To::Principals {
                named: texts(&statement["Principal"]["AWS"]),
                like: conditions(statement),
            }
        });
        for grant in &mut grants {
            if grant.resource == "*" {
                arn.clone_into(&mut grant.resource);
            }
        }
        grants
    }

    fn of(holder: &str, document: &Value, to: impl Fn(&Value) -> To) -> Vec<Self> {
        let mut grants = Vec::new();
        for statement in items(&document["Statement"]) {
            if statement["Effect"] != "Allow" {
                continue;
            }
            for action in texts(&statement["Action"]) {
                if CORRECTED.contains(&action.as_str()) {
                    continue;
                }
                for resource in texts(&statement["Resource"]) {
                    grants.push(Self {
                        holder: holder.to_owned(),
                        statement: statement["Sid"].as_str().unwrap_or_default().to_owned(),
                        action: action.clone(),
                        resource,
                        to: to(statement),
                    });
                }
            }
        }
        grants
    }

    /// Returns whether the grant allows the call.
    pub(crate) fn covers(&self, call: &Call) -> bool {
        self.action.eq_ignore_ascii_case(&call.action)
            && is_like(&call.resource, &self.resource)
            && match &self.to {
                To::Role(role) => *role == call.caller,
                To::Principals { named, like } => {
                    let account = call.caller.split(':').nth(4).unwrap_or_default();
                    named.iter().any(|named| {
                        *named == call.caller
                            || named == account
                            || named.ends_with(&format!("::{account}:root"))
                    }) && (like.is_empty() || like.iter().any(|pattern| is_like(&call.caller, pattern)))
                }
                To::Service => false,
            }
    }

    /// Describes for a reader what would have to be removed from a template.
    pub(crate) fn describe(&self) -> String {
        format!(
            "{} of {}: {} on {}",
            self.statement, self.holder, self.action, self.resource
        )
    }
}

/// Returns the patterns of `aws:PrincipalArn`, the only condition on principals in Lifeboat's policies.
fn conditions(statement: &Value) -> Vec<String> {
    let mut like = Vec::new();
    let operators = statement["Condition"].as_object().into_iter().flatten();
    for (operator, keys) in operators {
        for (key, value) in keys.as_object().into_iter().flatten() {
            match (operator.as_str(), key.as_str()) {
                ("ArnEquals" | "ArnLike", "aws:PrincipalArn") => like.extend(texts(value)),
                // Both restrict calls of AWS services, which are not in the audit.
                (_, "aws:SourceAccount" | "aws:SourceArn") => {}
                other => panic!("this test does not know the condition {other:?}"),
            }
        }
    }
    like
}

/// Returns the grants that no call used, and the calls of these roles that no grant covers.
pub(crate) fn compare(grants: &[Grant], calls: &BTreeSet<Call>) -> (Vec<Grant>, Vec<Call>) {
    let unused = grants
        .iter()
        .filter(|grant| !calls.iter().any(|call| grant.covers(call)))
        .cloned()
        .collect();
    let roles: BTreeSet<&str> = grants
        .iter()
        .filter_map(|grant| match &grant.to {
            To::Role(role) => Some(role.as_str()),
            _ => None,
        })
        .collect();
    let uncovered = calls
        .iter()
        .filter(|call| roles.contains(call.caller.as_str()))
        // Every caller is allowed this (IAM, "GetCallerIdentity": no permissions are required).
        .filter(|call| call.action != "sts:GetCallerIdentity")
        .filter(|call| !is_covered(grants, call))
        .cloned()
        .collect();
    (unused, uncovered)
}

/// Returns whether a call has a grant of the caller's role and, for a bucket of another account, of
/// the bucket's owner as well.
fn is_covered(grants: &[Grant], call: &Call) -> bool {
    let own = |grant: &&Grant| matches!(grant.to, To::Role(_));
    let by_role = grants.iter().filter(own).any(|grant| grant.covers(call));
    let account = call.caller.split(':').nth(4).unwrap_or_default();
    // The names of Lifeboat's buckets contain their account.
    let is_foreign = call.resource.starts_with("arn:aws:s3:::lifeboat-")
        && !call.resource.contains(&format!("-{account}-"));
    let by_owner = || {
        grants
            .iter()
            .filter(|grant| !own(grant))
            .any(|grant| grant.covers(call))
    };
    by_role && (!is_foreign || by_owner())
}

/// Returns whether a string matches an IAM pattern: `*` is any string, `?` any character.
pub(crate) fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut in_pattern) = (0, 0);
    // The position of the last star, and how much it matches so far.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(in_pattern) {
            Some('*') => {
                star = Some((in_pattern, at));
                in_pattern += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[at] => {
                at += 1;
                in_pattern += 1;
            }
            _ => match star {
                Some((position, taken)) => {
                    star = Some((position, taken + 1));
                    at = taken + 1;
                    in_pattern = position + 1;
                }
                None => return false,
            },
        }
    }
    pattern[in_pattern..].iter().all(|rest| *rest == '*')
}

fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

fn texts(value: &Value) -> Vec<String> {
    items(value)
        .into_iter()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROLE: &str = "arn:aws:iam::222222222222:role/LifeboatCoordinator-eu-central-1";
    const SESSION: &str = "arn:aws:sts::222222222222:assumed-role/LifeboatCoordinator-eu-central-1/f";
    const SCRATCH: &str = "arn:aws:s3:::lifeboat-scratch-111111111111-eu-west-1";

    fn grants() -> Vec<Grant> {
        let mut grants = Grant::of_role(
            ROLE,
            &json!({"Statement": [
                {"Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject", "s3:HeadObject"],
                 "Resource": ["arn:aws:s3:::lifeboat-scratch-*/jobs/*", "arn:aws:s3:::lifeboat-state-*/*"]},
            ]}),
        );
        grants.extend(Grant::of_resource(
            "bucket scratch",
            SCRATCH,
            &json!({"Statement": [
                {"Sid": "Plain", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"},
                {"Sid": "Reads", "Effect": "Allow", "Action": "s3:GetObject",
                 "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
                 "Resource": format!("{SCRATCH}/jobs/*"),
                 "Condition": {"ArnEquals": {"aws:PrincipalArn": [ROLE]}}},
            ]}),
        ));
        grants
    }

    #[test]
    fn what_nothing_used_is_found() {
        let calls = [Call::new(
            SESSION,
            "s3:GetObject",
            &format!("{SCRATCH}/jobs/shop/x"),
        )]
        .into();
        let (unused, uncovered) = compare(&grants(), &calls);
        let unused: Vec<String> = unused.iter().map(Grant::describe).collect();
        assert_eq!(
            unused,
            [
                "Read of role LifeboatCoordinator-eu-central-1: s3:GetObject on arn:aws:s3:::lifeboat-state-*/*"
            ]
        );
        assert_eq!(uncovered, []);
    }

    #[test]
    fn what_nothing_grants_is_found() {
        let state = "arn:aws:s3:::lifeboat-state-222222222222-eu-central-1/a";
        for (call, covered) in [
            (Call::new(SESSION, "s3:GetObject", state), true),
            (Call::new(SESSION, "s3:PutObject", state), false),
            // The owner of a bucket in another account must allow it as well.
            (
                Call::new(
                    SESSION,
                    "s3:GetObject",
                    "arn:aws:s3:::lifeboat-scratch-333333333333-eu-west-1/jobs/x",
                ),
                false,
            ),
            (Call::new(SESSION, "sts:GetCallerIdentity", "*"), true),
            // Callers that are not roles of Lifeboat are ignored.
            (
                Call::new("arn:aws:iam::222222222222:user/admin", "s3:PutObject", state),
                true,
            ),
        ] {
            let (_, uncovered) = compare(&grants(), &[call.clone()].into());
            assert_eq!(uncovered.is_empty(), covered, "{call:?}");
        }
    }

    #[test]
    fn conditions_narrow_a_grant() {
        let other = "arn:aws:sts::222222222222:assumed-role/Other/f";
        let key = format!("{SCRATCH}/jobs/x");
        let of_bucket = |call: &Call| {
            grants()
                .iter()
                .filter(|g| g.statement == "Reads")
                .any(|g| g.covers(call))
        };
        assert!(of_bucket(&Call::new(SESSION, "s3:GetObject", &key)));
        assert!(!of_bucket(&Call::new(other, "s3:GetObject", &key)));
    }

    #[test]
    fn patterns_are_those_of_iam() {
        for (text, pattern, like) in [
            ("jobs/a/result.json", "jobs/*/result.json", true),
            ("jobs/a/b/result.json", "jobs/*/result.json", true),
            ("jobs/a/results.json", "jobs/*/result.json", false),
            ("abc", "a?c", true),
            ("abc", "*", true),
            ("", "*", true),
            ("abcbc", "a*bc", true),
            ("abc", "ab", false),
        ] {
            assert_eq!(is_like(text, pattern), like, "{text} {pattern}");
        }
    }
}
