//! An evaluator of IAM policies, as far as the policies of the stack `application` go
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>). An element that it does
//! not know is a panic, not an answer.

use std::collections::BTreeMap;

use lifeboat_translate::glob;
use serde_json::Value;

use crate::policies::{many, text};

/// A request for an action on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) action: String,
    /// The ARN; `*` if the action has no resources.
    pub(crate) resource: String,
    /// The condition keys with their values.
    pub(crate) context: BTreeMap<String, Vec<String>>,
}

impl Request {
    pub(crate) fn new(action: &str, resource: &str) -> Self {
        Self {
            action: action.to_owned(),
            resource: resource.to_owned(),
            context: BTreeMap::new(),
        }
    }

    /// Sets a condition key.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.context
            .entry(key.to_owned())
            .or_default()
            .push(value.to_owned());
        self
    }
}

/// What policies say about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// These statements allow it, and none denies it.
    Allowed(Vec<String>),
    /// No statement allows it.
    NotAllowed,
    /// This statement denies it.
    Denied(String),
}

impl Decision {
    pub(crate) fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

/// Returns the decision of policies that are attached to one principal.
pub(crate) fn decide<'a>(policies: impl IntoIterator<Item = &'a Value>, request: &Request) -> Decision {
    let mut allowing = Vec::new();
    for policy in policies {
        for statement in many(&policy["Statement"]) {
            if !applies(statement, request) {
                continue;
            }
            let sid = statement["Sid"].as_str().unwrap_or_default().to_owned();
            match statement["Effect"].as_str() {
                Some("Deny") => return Decision::Denied(sid),
                Some("Allow") => allowing.push(sid),
                other => panic!("an effect {other:?}"),
            }
        }
    }
    match allowing.is_empty() {
        true => Decision::NotAllowed,
        false => Decision::Allowed(allowing),
    }
}

/// Returns the decision for a principal with a permissions boundary: both must allow the request.
pub(crate) fn decide_within(policies: &[Value], boundary: &Value, request: &Request) -> Decision {
    match decide([boundary], request) {
        Decision::Allowed(_) => decide(policies, request),
        other => other,
    }
}

fn applies(statement: &Value, request: &Request) -> bool {
    // Actions are compared without regard to case (IAM User Guide, "IAM JSON policy elements: Action").
    let action = request.action.to_lowercase();
    let names = |element: &str| {
        many(&statement[element])
            .iter()
            .any(|one| glob::matches(&text(one).to_lowercase(), &action))
    };
    let is_named = match statement["NotAction"].is_null() {
        true => names("Action"),
        false => !names("NotAction"),
    };
    let is_resource = many(&statement["Resource"])
        .iter()
        .any(|pattern| glob::matches(text(pattern), &request.resource));
    is_named && is_resource && conditions(statement).all(|condition| holds(&condition, request))
}

/// A condition: an operator, a key and the values.
pub(crate) type Condition<'a> = (&'a str, &'a str, Vec<&'a str>);

/// Returns the conditions of a statement, all of which must hold.
pub(crate) fn conditions(statement: &Value) -> impl Iterator<Item = Condition<'_>> {
    let operators = statement["Condition"].as_object().into_iter().flatten();
    operators.flat_map(|(operator, keys)| {
        let keys = keys.as_object().unwrap().iter();
        keys.map(move |(key, values)| {
            let values = many(values).into_iter().map(text).collect();
            (operator.as_str(), key.as_str(), values)
        })
    })
}

fn holds((operator, key, values): &Condition<'_>, request: &Request) -> bool {
    let found = request
        .context
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(key))
        .map(|(_, found)| found.as_slice());
    let any = |given: &str| values.contains(&given);
    match *operator {
        "StringEquals" => found.is_some_and(|found| found.iter().all(|given| any(given))),
        // A key that is not there is not equal (IAM User Guide, "IAM JSON policy elements: Condition operators").
        "StringNotEquals" => found.is_none_or(|found| found.iter().all(|given| !any(given))),
        "Null" => values.as_slice() == [if found.is_none() { "true" } else { "false" }],
        "ForAnyValue:StringEquals" => found.is_some_and(|found| found.iter().any(|given| any(given))),
        "ForAllValues:StringNotEquals" => found.is_none_or(|found| found.iter().all(|given| !any(given))),
        other => panic!("the operator {other} is not evaluated"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_denial_takes_precedence_and_a_boundary_limits() {
        let policy = json!({"Statement": [
            {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Sid": "Not", "Effect": "Deny", "Action": "s3:Put*", "Resource": "arn:aws:s3:::a/*"}]});
        let boundary =
            json!({"Statement": {"Sid": "Bound", "Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}});
        let put = |bucket: &str| Request::new("S3:putObject", &format!("arn:aws:s3:::{bucket}/x"));
        assert_eq!(decide([&policy], &put("a")), Decision::Denied("Not".into()));
        assert_eq!(
            decide([&policy], &put("b")),
            Decision::Allowed(vec!["All".into()])
        );
        let policies = [policy];
        assert!(decide_within(&policies, &boundary, &put("b")).is_allowed());
        assert_eq!(
            decide_within(&policies, &boundary, &Request::new("iam:CreateUser", "*")),
            Decision::NotAllowed
        );
    }

    #[test]
    fn conditions_hold_as_iam_says() {
        let once = Request::new("a:B", "*").with("aws:TagKeys", "x");
        let both = once.clone().with("aws:TagKeys", "y");
        let none = Request::new("a:B", "*");
        for (operator, value, expected) in [
            ("StringEquals", "x", [true, false, false]),
            ("StringNotEquals", "z", [true, true, true]),
            ("StringNotEquals", "x", [false, false, true]),
            ("Null", "true", [false, false, true]),
            ("Null", "false", [true, true, false]),
            ("ForAnyValue:StringEquals", "y", [false, true, false]),
            ("ForAllValues:StringNotEquals", "y", [true, false, true]),
        ] {
            let policy = json!({"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*",
                "Condition": {operator: {"aws:tagkeys": value}}}});
            let decided = [&once, &both, &none].map(|request| decide([&policy], request).is_allowed());
            assert_eq!(decided, expected, "{operator} {value}");
        }
    }
}
