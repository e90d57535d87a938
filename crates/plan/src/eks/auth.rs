//! The ConfigMap `aws-auth`: who may enter a cluster
//! (<https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html>).
//!
//! EKS adds an entry for the role of each managed node group and Fargate profile. Entries of nodes stay those of the
//! target; the others are those of users, and are added to them with the ARNs of the recovery environment.

use std::collections::BTreeMap;

use lifeboat_translate::Identities;
use serde_json::{Map, Value, json};

use super::{Principal, entries, field_of, mapped};

/// The lists of the ConfigMap, with the field that names the principal; `None` if an entry is an account.
const LISTS: [(&str, Option<&str>); 3] = [
    ("mapRoles", Some("rolearn")),
    ("mapUsers", Some("userarn")),
    ("mapAccounts", None),
];

/// The group of nodes.
const NODES: &str = "system:nodes";

/// The accounts of the primary and of the recovery environment.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    pub(crate) primary: String,
    pub(crate) recovery: String,
}

/// The entries of users in the recovery environment, by list.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct UserEntries(BTreeMap<&'static str, Vec<Value>>);

impl UserEntries {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the lists, as YAML.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.0.iter().map(|(list, entries)| (*list, text(entries)))
    }

    /// Returns the data of a ConfigMap with only these entries.
    pub(crate) fn data(&self) -> Value {
        let lists = self.texts().map(|(list, text)| (list.to_owned(), text.into()));
        Value::Object(lists.collect())
    }

    /// Returns the entries that `aws-auth` of the target does not have.
    pub(crate) fn missing(&self, live: &Value) -> Self {
        let lists = self.0.iter().filter_map(|(list, entries)| {
            let known = read(live, list);
            let missing: Vec<Value> = entries
                .iter()
                .filter(|entry| !known.iter().any(|one| is_same(one, entry)))
                .cloned()
                .collect();
            (!missing.is_empty()).then_some((*list, missing))
        });
        Self(lists.collect())
    }

    /// Returns the data of `aws-auth` of the target with the entries that it does not have.
    pub(crate) fn merged(&self, live: &Value) -> Value {
        let mut data = match live.pointer("/data") {
            Some(Value::Object(data)) => data.clone(),
            _ => Map::new(),
        };
        for (list, missing) in self.missing(live).0 {
            let mut entries = read(live, list);
            entries.extend(missing);
            data.insert(list.to_owned(), text(&entries).into());
        }
        Value::Object(data)
    }

    fn of(object: &Value) -> Self {
        let lists = LISTS.into_iter().map(|(list, _)| (list, read(object, list)));
        Self(lists.filter(|(_, entries)| !entries.is_empty()).collect())
    }
}

/// Splits `aws-auth` of the source into the entries of users, as they are in the recovery environment, and the
/// principals that are not let into the target: nodes, and principals of the primary account without a counterpart.
/// Principals of other accounts stay as they are.
pub(crate) fn split(
    object: &Value,
    identities: &Identities,
    accounts: &Accounts,
) -> (UserEntries, Vec<Principal>) {
    let mut found = UserEntries::default();
    let mut left = Vec::new();
    for (list, arn) in LISTS {
        for entry in entries(object, list, &mut left).unwrap_or_default() {
            let translated = match arn {
                Some(arn) => principal(&entry, arn, identities, accounts),
                None => account(&entry, accounts),
            };
            match translated {
                Ok(entry) => found.0.entry(list).or_default().push(entry),
                Err(principal) => left.push(principal.unwrap_or(Principal::Unreadable(list))),
            }
        }
    }
    (found, left)
}

/// Translates an entry of a role or user.
fn principal(
    entry: &Value,
    arn: &str,
    identities: &Identities,
    accounts: &Accounts,
) -> Result<Value, Option<Principal>> {
    let left = || mapped(entry, arn);
    let Some(old) = field_of(entry, arn).and_then(Value::as_str) else {
        return Err(None);
    };
    let groups = field_of(entry, "groups").and_then(Value::as_array);
    if groups.into_iter().flatten().any(|group| group == NODES) {
        return Err(left());
    }
    let is_of_primary = old.split(':').nth(4) == Some(&accounts.primary);
    let new = match identities.image(old) {
        Some(new) => new,
        // IAM is global: in the same account the principal is the same.
        None if !is_of_primary || accounts.primary == accounts.recovery => old.to_owned(),
        None => return Err(left()),
    };
    let mut entry = entry.clone();
    for (name, value) in entry.as_object_mut().into_iter().flatten() {
        if name.eq_ignore_ascii_case(arn) {
            *value = new.as_str().into();
        } else if name.eq_ignore_ascii_case("username")
            && let Some(user) = value.as_str().and_then(|user| identities.image(user))
        {
            *value = user.into();
        }
    }
    Ok(entry)
}

/// Translates an account whose principals may all enter.
fn account(entry: &Value, accounts: &Accounts) -> Result<Value, Option<Principal>> {
    let text = match entry {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(None),
    };
    Ok(match text == accounts.primary {
        true => json!(accounts.recovery),
        false => json!(text),
    })
}

/// Returns the entries of a list. One that cannot be read has none.
fn read(object: &Value, list: &'static str) -> Vec<Value> {
    entries(object, list, &mut Vec::new()).unwrap_or_default()
}

/// Returns whether two entries let the same principal in: EKS takes the first entry of an ARN.
fn is_same(one: &Value, other: &Value) -> bool {
    let arn = |entry| {
        let arns = LISTS.into_iter().filter_map(|(_, arn)| arn);
        let mut found = arns.filter_map(|arn| field_of(entry, arn));
        found.next().cloned()
    };
    match (arn(one), arn(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn text(entries: &[Value]) -> String {
    serde_yaml_ng::to_string(entries).expect("entries that were read from YAML can be written as YAML")
}

/// Builds the JSON merge patch (RFC 7386) that adds the entries in `planned` to `live`, both `aws-auth`. It names the
/// version of `live`: EKS adds entries at any time. `None` if `live` has all of them.
#[must_use]
pub fn add_entries(planned: &Value, live: &Value) -> Option<Value> {
    let wanted = UserEntries::of(planned);
    if wanted.missing(live).is_empty() {
        return None;
    }
    let version = live.pointer("/metadata/resourceVersion");
    Some(json!({ "metadata": { "resourceVersion": version }, "data": wanted.merged(live) }))
}

/// Returns whether `live` lets everybody in whom `planned` does.
pub(crate) fn has_entries(planned: &Value, live: &Value) -> bool {
    UserEntries::of(planned).missing(live).is_empty()
}
