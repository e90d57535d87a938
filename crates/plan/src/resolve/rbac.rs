//! Finds what was added in the source to default roles and bindings.
//!
//! Every API server makes these objects. At each start it adds rules, subjects, labels and annotations that are
//! missing, and keeps those that an administrator added
//! (<https://kubernetes.io/docs/reference/access-authn-authz/rbac/#auto-reconciliation>). The plan does the same: the
//! object of the target gets what it does not have.

use lifeboat_translate::pointer;
use serde_json::{Map, Value};

use super::Resolver;
use crate::Action;
use crate::builder::summary::{Extra, ObjectSummary};
use crate::render::ValueRenderer;
use crate::rule::RuleId;

/// An addition: where, the value of the target that it replaces, and the value.
type Addition = (String, Option<Value>, Value);

/// The content of a default role or binding with the additions.
#[derive(Default)]
struct Merged {
    /// The values of the fields that the API server extends.
    fields: Vec<(&'static str, Option<Value>)>,
    additions: Vec<Addition>,
}

/// Plans additions to default roles and bindings that the target has. Those without additions are not restored.
pub(super) fn additions(work: &mut Resolver<'_>) {
    let draft = work.draft;
    for (index, item) in draft.items.iter().enumerate() {
        let Some(Extra::DefaultRbac(default)) = item.extra.as_deref() else {
            continue;
        };
        if !work.is_planned(index) {
            continue;
        }
        let existing = work.facts.existing.get(&work.decisions.targets[index]);
        let live = existing.and_then(|existing| Some((existing, existing.body.as_deref()?)));
        let Some((existing, live)) = live else {
            let detail = "the target does not have it".to_owned();
            work.decisions.exclusions[index] = Some((RuleId::BootstrapRbac, Some(detail)));
            continue;
        };
        let merged = merge(&default.body, live);
        // After an interruption the additions are there already, and the plan has the same objects.
        if merged.additions.is_empty() && !existing.created_by_this_run {
            work.decisions.exclusions[index] = Some((RuleId::BootstrapRbac, None));
            continue;
        }
        work.decisions.actions[index] = Action::Merge;
        for (path, value) in merged.fields {
            work.edit(index, path, value);
        }
        let resource = &draft.source_type(item.r#type).resource;
        let shown = ValueRenderer::of_type(&resource.group, &resource.resource, &draft.settings.redactor);
        for (path, from, to) in merged.additions {
            let from = from.map(|from| shown.render(&path, &from));
            let to = shown.render(&path, &to);
            work.change(index, &path, RuleId::DefaultRbacAdded, from, Some(to));
        }
    }
}

/// Returns the manager to whom additions belong.
pub(super) fn manager(item: &ObjectSummary) -> Option<&str> {
    match item.extra.as_deref() {
        Some(Extra::DefaultRbac(default)) => default.manager.as_deref(),
        _ => None,
    }
}

fn merge(captured: &Value, live: &Value) -> Merged {
    let mut merged = Merged::default();
    let aggregated = live.get("aggregationRule").is_some_and(|rule| !rule.is_null());
    // The rules of an aggregated role belong to a controller, which replaces them.
    let has_rule = |rules: &[Value], rule: &Value| aggregated || allows(rules, rule);
    merged.list(captured, live, "/rules", "/rules", has_rule);
    merged.list(captured, live, "/subjects", "/subjects", <[Value]>::contains);
    let selectors = "/aggregationRule/clusterRoleSelectors";
    merged.list(captured, live, selectors, "/aggregationRule", <[Value]>::contains);
    for path in ["/metadata/labels", "/metadata/annotations"] {
        merged.map(captured, live, path);
    }
    merged.fields.push(("/roleRef", live.get("roleRef").cloned()));
    merged
}

impl Merged {
    /// Adds the elements of the list at `path` that the target does not have. `field` is the field that holds the
    /// list.
    fn list(
        &mut self,
        captured: &Value,
        live: &Value,
        path: &str,
        field: &'static str,
        has: impl Fn(&[Value], &Value) -> bool,
    ) {
        let mut list: Vec<Value> = pointer::list(live, path).cloned().collect();
        let known = list.len();
        for element in pointer::list(captured, path) {
            if !has(&list, element) {
                self.additions.push((path.to_owned(), None, element.clone()));
                list.push(element.clone());
            }
        }
        let mut merged = live.clone();
        if list.len() > known {
            pointer::set(&mut merged, path, Value::from(list));
        }
        self.fields.push((field, merged.pointer(field).cloned()));
    }

    fn map(&mut self, captured: &Value, live: &Value, path: &'static str) {
        let map = |object: &Value| match object.pointer(path) {
            Some(Value::Object(map)) => map.clone(),
            _ => Map::new(),
        };
        let mut merged = map(live);
        for (key, value) in map(captured) {
            if merged.get(&key) != Some(&value) {
                let before = merged.insert(key.clone(), value.clone());
                self.additions.push((pointer::join(path, &key), before, value));
            }
        }
        self.fields
            .push((path, (!merged.is_empty()).then_some(Value::Object(merged))));
    }
}

/// Returns whether rules allow everything that a rule allows (`Covers` of `k8s.io/component-helpers`): the same
/// permissions can be written in many ways.
fn allows(rules: &[Value], rule: &Value) -> bool {
    if rules.contains(rule) {
        return true;
    }
    let words = |of: &'_ Value, field: &str| -> Vec<String> {
        let list = of.get(field).and_then(Value::as_array);
        let words = list.into_iter().flatten().filter_map(Value::as_str);
        words.map(str::to_owned).collect()
    };
    let any = |rule: &Value, field: &str, word: &str| {
        words(rule, field)
            .iter()
            .any(|known| known == word || known == "*")
    };
    let url = |rule: &Value, url: &str| {
        words(rule, "nonResourceURLs").iter().any(|known| {
            known == url
                || known
                    .strip_suffix('*')
                    .is_some_and(|start| url.starts_with(start))
        })
    };
    let resource = |rule: &Value, wanted: &str| {
        let of_any = wanted
            .split_once('/')
            .map(|(_, subresource)| format!("*/{subresource}"));
        any(rule, "resources", wanted) || of_any.is_some_and(|of_any| any(rule, "resources", &of_any))
    };
    let name = |rule: &Value, wanted: Option<&str>| {
        let known = words(rule, "resourceNames");
        known.is_empty() || wanted.is_some_and(|wanted| known.iter().any(|known| known == wanted))
    };
    let names = words(rule, "resourceNames");
    let names: Vec<Option<&str>> = match names.is_empty() {
        true => vec![None],
        false => names.iter().map(|name| Some(name.as_str())).collect(),
    };
    words(rule, "verbs").iter().all(|verb| {
        let with_verb = || rules.iter().filter(|rule| any(rule, "verbs", verb));
        let urls = words(rule, "nonResourceURLs");
        urls.iter()
            .all(|wanted| with_verb().any(|rule| url(rule, wanted)))
            && words(rule, "apiGroups").iter().all(|group| {
                words(rule, "resources").iter().all(|wanted| {
                    names.iter().all(|wanted_name| {
                        with_verb().any(|rule| {
                            any(rule, "apiGroups", group)
                                && resource(rule, wanted)
                                && name(rule, *wanted_name)
                        })
                    })
                })
            })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_is_an_addition_only_if_the_rules_of_the_target_do_not_allow_it() {
        let rules = [
            json!({"apiGroups": ["", "apps"], "resources": ["pods", "*/scale"], "verbs": ["get", "list"]}),
            json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one"], "verbs": ["*"]}),
            json!({"nonResourceURLs": ["/api/*"], "verbs": ["get"]}),
        ];
        let rule = |group: &str, resource: &str, verb: &str| json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]});
        assert!(allows(&rules, &rule("apps", "pods", "list")));
        assert!(allows(&rules, &rule("apps", "deployments/scale", "get")));
        assert!(!allows(&rules, &rule("apps", "deployments", "get")));
        assert!(!allows(&rules, &rule("apps", "pods", "watch")));
        assert!(!allows(&rules, &rule("batch", "pods", "get")));
        assert!(
            !allows(&rules, &rule("", "secrets", "get")),
            "only one of them by name"
        );
        let named =
            json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one"], "verbs": ["get"]});
        assert!(allows(&rules, &named));
        let url = |url: &str| json!({"nonResourceURLs": [url], "verbs": ["get"]});
        assert!(allows(&rules, &url("/api/v1")) && !allows(&rules, &url("/metrics")));
        assert!(!allows(&[], &url("/api/v1")));
    }
}
