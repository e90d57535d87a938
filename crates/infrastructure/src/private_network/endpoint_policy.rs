//! Whether the policy of an endpoint allows the function its bucket.
//!
//! Statements are evaluated as IAM does (IAM User Guide, "Policy evaluation logic"), with what is known of the requests of the
//! function. A condition on anything else decides nothing, neither for nor against the function, and is named.

use std::collections::BTreeSet;

use lifeboat_translate::glob;
use serde_json::Value;

use crate::policy::{statements, texts};

/// A request of the function, as policies see it.
pub(super) struct RequestContext<'a> {
    /// The account of the role and of the bucket.
    pub(super) account: &'a str,
    /// The ARN of the role, if it is known.
    pub(super) role: Option<&'a str>,
    /// The VPC.
    pub(super) vpc: &'a str,
    /// The endpoint.
    pub(super) endpoint: &'a str,
    /// The Region.
    pub(super) region: &'a str,
}

/// What a policy says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    /// Whether a statement denies it, instead of none that allows it.
    Denied {
        explicit: bool,
    },
    /// It depends on these keys of conditions.
    Depends(BTreeSet<String>),
}

/// Whether something applies: for certain, for certain not, or depending on keys.
enum Applies {
    Yes,
    No,
    Depends(BTreeSet<String>),
}

impl RequestContext<'_> {
    /// Evaluates the policy for an action on a resource.
    pub(super) fn verdict(&self, policy: &Value, action: &str, resource: &str) -> Verdict {
        let (mut allowed, mut denies, mut allows) = (false, BTreeSet::new(), BTreeSet::new());
        for statement in statements(policy) {
            let is_deny = statement.get("Effect").and_then(Value::as_str) == Some("Deny");
            match self.applies(statement, action, resource) {
                Applies::Yes if is_deny => return Verdict::Denied { explicit: true },
                Applies::Yes => allowed = true,
                Applies::Depends(keys) if is_deny => denies.extend(keys),
                Applies::Depends(keys) => allows.extend(keys),
                Applies::No => {}
            }
        }
        match (allowed, denies.is_empty(), allows.is_empty()) {
            (true, true, _) => Verdict::Allowed,
            (false, _, true) => Verdict::Denied { explicit: false },
            (true, false, _) => Verdict::Depends(denies),
            (false, _, false) => {
                allows.extend(denies);
                Verdict::Depends(allows)
            }
        }
    }

    fn applies(&self, statement: &Value, action: &str, resource: &str) -> Applies {
        let named = |element: &str, text: &str, fold: bool| {
            let matches = |pattern: &&str| match fold {
                true => glob::matches(&pattern.to_lowercase(), &text.to_lowercase()),
                false => glob::matches(pattern, text),
            };
            texts(statement.get(element)).iter().any(matches)
        };
        let of = |element: &str, not: &str, text: &str, fold: bool| match statement.get(not) {
            Some(_) => !named(not, text, fold),
            None => named(element, text, fold),
        };
        if !of("Action", "NotAction", action, true) || !of("Resource", "NotResource", resource, false) {
            return Applies::No;
        }
        let mut unknown = BTreeSet::new();
        match self.is_principal(statement) {
            Some(true) => {}
            Some(false) => return Applies::No,
            None => drop(unknown.insert("Principal".to_owned())),
        }
        let operators = statement.get("Condition").and_then(Value::as_object);
        for (operator, conditions) in operators.into_iter().flatten() {
            for (key, wanted) in conditions.as_object().into_iter().flatten() {
                match self.holds(operator, key, &texts(Some(wanted))) {
                    Some(true) => {}
                    Some(false) => return Applies::No,
                    None => drop(unknown.insert(key.clone())),
                }
            }
        }
        match unknown.is_empty() {
            true => Applies::Yes,
            false => Applies::Depends(unknown),
        }
    }

    /// Whether a statement is about the role; `None` if that is not known.
    fn is_principal(&self, statement: &Value) -> Option<bool> {
        let principals = match statement.get("Principal") {
            Some(Value::String(all)) if all == "*" => return Some(true),
            Some(Value::Object(by_type)) => texts(by_type.get("AWS")),
            _ => return None,
        };
        let account = |named: &str| {
            let is_root = named.ends_with(&format!("::{}:root", self.account));
            named == "*" || named == self.account || is_root
        };
        if principals.iter().any(|named| account(named)) {
            return Some(true);
        }
        let role = self.role?;
        Some(principals.contains(&role))
    }

    /// Whether a condition holds; `None` if that is not known.
    fn holds(&self, operator: &str, key: &str, wanted: &[&str]) -> Option<bool> {
        let value = match key.to_ascii_lowercase().as_str() {
            "aws:principalaccount" | "aws:resourceaccount" | "s3:resourceaccount" | "aws:sourceaccount" => {
                self.account
            }
            "aws:principalarn" => self.role?,
            "aws:sourcevpc" => self.vpc,
            "aws:sourcevpce" => self.endpoint,
            "aws:requestedregion" => self.region,
            "aws:securetransport" => "true",
            "aws:principalisawsservice" | "aws:viaawsservice" => "false",
            "aws:principaltype" => "AssumedRole",
            _ => return None,
        };
        let operator = operator.strip_suffix("IfExists").unwrap_or(operator);
        let equals = |pattern: &&str| *pattern == value;
        let folded = |pattern: &&str| pattern.eq_ignore_ascii_case(value);
        let like = |pattern: &&str| glob::matches(pattern, value);
        Some(match operator {
            "StringEquals" => wanted.iter().any(equals),
            "StringNotEquals" => !wanted.iter().any(equals),
            "StringEqualsIgnoreCase" | "Bool" => wanted.iter().any(folded),
            "StringNotEqualsIgnoreCase" => !wanted.iter().any(folded),
            "StringLike" | "ArnEquals" | "ArnLike" => wanted.iter().any(like),
            "StringNotLike" | "ArnNotEquals" | "ArnNotLike" => !wanted.iter().any(like),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROLE: &str = "arn:aws:iam::111111111111:role/LifeboatPrimaryK8sDel-shop-eu-west-1";

    fn verdict(statements: &Value) -> Verdict {
        let request = RequestContext {
            account: "111111111111",
            role: Some(ROLE),
            vpc: "vpc-1",
            endpoint: "vpce-1",
            region: "eu-west-1",
        };
        let policy = json!({"Statement": statements});
        request.verdict(&policy, "s3:GetObject", "arn:aws:s3:::bucket/jobs/x")
    }

    fn with(effect: &str, operator: &str, key: &str, value: &str) -> Value {
        json!({"Effect": effect, "Principal": "*", "Action": "s3:*", "Resource": "*",
            "Condition": {operator: {key: value}}})
    }

    fn depends(keys: &[&str]) -> Verdict {
        Verdict::Depends(keys.iter().map(|key| (*key).to_owned()).collect())
    }

    #[test]
    fn conditions_on_what_is_known_are_evaluated() {
        for (operator, key, value, holds) in [
            ("StringEquals", "aws:PrincipalAccount", "111111111111", true),
            ("StringEquals", "aws:PrincipalAccount", "222222222222", false),
            ("StringEquals", "s3:ResourceAccount", "111111111111", true),
            ("StringNotEquals", "aws:ResourceAccount", "111111111111", false),
            (
                "ArnLike",
                "aws:PrincipalArn",
                "arn:aws:iam::*:role/Lifeboat*",
                true,
            ),
            (
                "ArnNotLike",
                "aws:PrincipalArn",
                "arn:aws:iam::*:role/Lifeboat*",
                false,
            ),
            ("StringEqualsIfExists", "AWS:sourceVpc", "vpc-1", true),
            ("StringEquals", "aws:SourceVpce", "vpce-2", false),
            ("Bool", "aws:SecureTransport", "false", false),
        ] {
            let expected = match holds {
                true => Verdict::Allowed,
                false => Verdict::Denied { explicit: false },
            };
            let allow = with("Allow", operator, key, value);
            assert_eq!(verdict(&json!([allow])), expected, "{operator} {key} {value}");
            let all = json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"});
            let expected = match holds {
                true => Verdict::Denied { explicit: true },
                false => Verdict::Allowed,
            };
            let deny = with("Deny", operator, key, value);
            assert_eq!(verdict(&json!([all, deny])), expected, "{operator} {key} {value}");
        }
    }

    #[test]
    fn a_condition_that_is_not_known_decides_nothing_and_is_named() {
        let all = json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:Get*",
            "Resource": "arn:aws:s3:::bucket/*"});
        let organization = |effect| with(effect, "StringEquals", "aws:PrincipalOrgID", "o-1");
        assert_eq!(
            verdict(&json!([organization("Allow")])),
            depends(&["aws:PrincipalOrgID"])
        );
        assert_eq!(
            verdict(&json!([all, organization("Deny")])),
            depends(&["aws:PrincipalOrgID"])
        );
        assert_eq!(verdict(&json!([all, organization("Allow")])), Verdict::Allowed);
        let numeric = with("Allow", "NumericLessThan", "aws:PrincipalAccount", "5");
        assert_eq!(verdict(&json!([numeric])), depends(&["aws:PrincipalAccount"]));
        // Whatever the denial depends on, nothing allows it.
        assert_eq!(
            verdict(&json!([organization("Deny")])),
            Verdict::Denied { explicit: false }
        );
    }

    #[test]
    fn principals_and_exceptions_are_read() {
        let of = |principal: Value| {
            verdict(
                &json!([{"Effect": "Allow", "Principal": principal, "NotAction": "s3:Delete*",
                "NotResource": "arn:aws:s3:::other/*"}]),
            )
        };
        for principal in [
            json!("*"),
            json!({"AWS": ["111111111111"]}),
            json!({"AWS": "arn:aws:iam::111111111111:root"}),
            json!({"AWS": ROLE}),
        ] {
            assert_eq!(of(principal.clone()), Verdict::Allowed, "{principal}");
        }
        assert_eq!(
            of(json!({"AWS": "222222222222"})),
            Verdict::Denied { explicit: false }
        );
        assert_eq!(of(Value::Null), depends(&["Principal"]));
    }
}
