//! Policies of IAM and of resources, re-pointed to the recovery environment.

use lifeboat_translate::Identities;
use lifeboat_translate::glob;
use lifeboat_translate::identity::symbols_in;
use serde_json::{Map, Value};

/// Translates the identifiers in a policy, in keys too: the conditions of IRSA have the issuer in their keys
/// (<https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html>).
pub(crate) fn rewrite(identities: &Identities, policy: &mut Value) {
    identities.apply_to_part(("", ""), "", policy);
    keys(identities, policy);
}

fn keys(identities: &Identities, value: &mut Value) {
    match value {
        Value::Object(map) => {
            let old = std::mem::take(map);
            for (key, mut value) in old {
                keys(identities, &mut value);
                let key = identities.image(&key).unwrap_or(key);
                map.insert(key, value);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| keys(identities, value)),
        _ => {}
    }
}

/// Removes what names resources that do not exist yet: elements of lists of resources and principals, else the whole
/// statement. `is_earlier` tells whether the outputs of a stack can be used. Returns how much was removed.
pub(crate) fn prune(policy: &mut Value, is_earlier: &dyn Fn(&str) -> bool) -> usize {
    let Some(list) = statements_mut(policy) else {
        return 0;
    };
    let mut removed = 0;
    list.retain_mut(|statement| {
        removed += elements(statement.get_mut("Resource"), is_earlier);
        if let Some(Value::Object(principals)) = statement.get_mut("Principal") {
            removed += by_type(principals, &|text| !is_pending(text, is_earlier));
        }
        let stays = !is_nothing(statement) && !names_pending(statement, is_earlier);
        removed += usize::from(!stays);
        stays
    });
    removed
}

/// Removes principals for which `stays` is false; types without any are removed. Returns how many were removed.
pub(crate) fn by_type(principals: &mut Map<String, Value>, stays: &dyn Fn(&str) -> bool) -> usize {
    let mut removed = 0;
    principals.retain(|_, value| match value {
        Value::Array(list) => {
            let before = list.len();
            list.retain(|one| one.as_str().is_none_or(stays));
            removed += before - list.len();
            !list.is_empty()
        }
        Value::String(text) => {
            let stays = stays(text);
            removed += usize::from(!stays);
            stays
        }
        _ => true,
    });
    removed
}

fn elements(list: Option<&mut Value>, is_earlier: &dyn Fn(&str) -> bool) -> usize {
    let Some(list) = list.and_then(Value::as_array_mut) else {
        return 0;
    };
    let before = list.len();
    list.retain(|one| one.as_str().is_none_or(|text| !is_pending(text, is_earlier)));
    before - list.len()
}

/// Whether a statement says nothing: all its resources or principals were removed.
pub(crate) fn is_nothing(statement: &Value) -> bool {
    let is_empty = |name| match statement.get(name) {
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        _ => false,
    };
    is_empty("Resource") || is_empty("Principal")
}

fn is_pending(text: &str, is_earlier: &dyn Fn(&str) -> bool) -> bool {
    symbols_in(text).any(|(_, stack, _)| !is_earlier(stack))
}

fn names_pending(value: &Value, is_earlier: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is_pending(text, is_earlier),
        Value::Array(list) => list.iter().any(|one| names_pending(one, is_earlier)),
        Value::Object(map) => map
            .iter()
            .any(|(key, one)| is_pending(key, is_earlier) || names_pending(one, is_earlier)),
        _ => false,
    }
}

/// Whether a policy has no statement.
pub(crate) fn is_empty(policy: &Value) -> bool {
    match policy.get("Statement") {
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(_)) => false,
        _ => true,
    }
}

/// Returns the statements of a policy as a list; IAM takes one statement without a list too.
pub(crate) fn statements_mut(policy: &mut Value) -> Option<&mut Vec<Value>> {
    let statements = policy.get_mut("Statement")?;
    if statements.is_object() {
        *statements = Value::Array(vec![statements.take()]);
    }
    statements.as_array_mut()
}

/// Returns the statements of a policy.
pub(crate) fn statements(policy: &Value) -> Vec<&Value> {
    match policy.get("Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => Vec::new(),
    }
}

/// Returns the texts of an element that is one text or a list of them.
pub(crate) fn texts(element: Option<&Value>) -> Vec<&str> {
    match element {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether a statement of a policy allows an action on a resource. Conditions are not evaluated.
pub(crate) fn allows(policy: &Value, action: &str, resource: &str) -> bool {
    let any = |statement: &Value, element: &str, text: &str| {
        texts(statement.get(element))
            .iter()
            .any(|pattern| glob::matches(&pattern.to_lowercase(), &text.to_lowercase()))
    };
    statements(policy).into_iter().any(|statement| {
        statement.get("Effect").and_then(Value::as_str) == Some("Allow")
            && any(statement, "Action", action)
            && any(statement, "Resource", resource)
    })
}

/// Whether a text is a trust policy that can be read: each statement has an effect, an action and a principal.
pub(crate) fn is_trust(policy: &Value) -> bool {
    let statements = statements(policy);
    !statements.is_empty()
        && statements.iter().all(|statement| {
            let has = |name: &str| statement.get(name).is_some();
            has("Effect")
                && (has("Action") || has("NotAction"))
                && (statement
                    .get("Principal")
                    .is_some_and(|p| p.is_object() || p == "*")
                    || has("NotPrincipal"))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_exist_yet_is_left_out() {
        let mut policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": ["arn:aws:kms:::key/${storage.KeyA}", "*"]},
            {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:::key/${storage.KeyA}"},
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*",
             "Condition": {"StringEquals": {"aws:SourceVpc": "${network.Vpc}", "x": "${aws:username}"}}},
        ]});
        assert_eq!(prune(&mut policy, &|stack| stack == "network"), 2);
        assert_eq!(policy["Statement"].as_array().map(Vec::len), Some(2));
        assert_eq!(policy["Statement"][0]["Resource"], json!(["*"]));
        let mut one = json!({"Statement": {"Principal": {"Federated": "x/${cluster-a.Issuer}"}}});
        assert_eq!(prune(&mut one, &|_| false), 2);
        assert!(is_empty(&one));
    }

    #[test]
    fn actions_and_resources_match_with_wildcards() {
        let policy = json!({"Statement": {"Effect": "Allow", "Action": ["kms:Describe*"], "Resource": "*"}});
        assert!(allows(&policy, "kms:DescribeKey", "arn:aws:kms:::key/a"));
        assert!(!allows(&policy, "kms:CreateGrant", "arn:aws:kms:::key/a"));
    }

    #[test]
    fn a_trust_policy_needs_principals() {
        let good = json!({"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                          "Principal": {"Service": "ec2.amazonaws.com"}}]});
        assert!(is_trust(&good));
        for bad in [
            json!("text"),
            json!({}),
            json!({"Statement": []}),
            json!({"Statement": [{"Effect": "Allow"}]}),
        ] {
            assert!(!is_trust(&bad), "{bad}");
        }
    }
}
