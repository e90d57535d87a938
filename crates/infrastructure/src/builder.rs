//! Builds the template of one stack: resources, references within it, and parameters for what other stacks hold.

use std::collections::BTreeSet;

use lifeboat_model::Code;
use lifeboat_translate::identity::symbols_in;
use serde_json::{Map, Value, json};

use crate::bindings::Made;
use crate::context::Context;
use crate::description::{PolicyDocument, Tags};
use crate::finding::Findings;
use crate::policy;
use crate::stack::{Mode, Stack};
use crate::template::{Parameter, Resource, Template, reference};

/// The tag that every resource and stack has: the name of the application. What lacks it is neither changed nor deleted.
pub const TAG: &str = "lifeboat.dev/application";

/// The template of one stack while it is built.
pub(crate) struct Builder<'c, 'a> {
    pub(crate) context: &'c Context<'a>,
    pub(crate) mode: Mode,
    pub(crate) findings: Findings,
    template: Template,
}

impl<'c, 'a> Builder<'c, 'a> {
    pub(crate) fn new(context: &'c Context<'a>, mode: Mode) -> Self {
        let what = match context.stack {
            Stack::Network => "the network".to_owned(),
            Stack::Identity => "the roles and policies".to_owned(),
            Stack::Storage => "repositories, file systems and keys".to_owned(),
            Stack::Cluster(name) => format!("the cluster {name}"),
        };
        let application = &context.facts.application;
        let description =
            format!("Lifeboat: {what} of the application {application}, built for its recovery.");
        Self {
            context,
            mode,
            findings: Findings::default(),
            template: Template::new(description),
        }
    }

    pub(crate) fn finish(self) -> (Template, Findings) {
        (self.template, self.findings)
    }

    pub(crate) fn is_active(&self) -> bool {
        self.mode == Mode::Active
    }

    pub(crate) fn add(&mut self, logical: impl Into<String>, resource: Resource) {
        self.template.resources.insert(logical.into(), resource);
    }

    pub(crate) fn output(&mut self, name: impl Into<String>, value: Value) {
        self.template.outputs.insert(name.into(), value);
    }

    pub(crate) fn has(&self, logical: &str) -> bool {
        self.template.resources.contains_key(logical)
    }

    /// Returns what this stack builds for a resource of the primary.
    pub(crate) fn own(&self, id: &str) -> Option<&'c Made> {
        let made = self.context.bindings.made.get(id)?;
        (made.stack == *self.context.stack).then_some(made)
    }

    /// Adds a resource that this stack builds, with its output.
    pub(crate) fn make(&mut self, id: &str, resource: Resource) -> Option<&'c Made> {
        let made = self.own(id)?;
        self.add(&made.logical, resource);
        self.output(&made.output, made.value.clone());
        Some(made)
    }

    /// Returns the identifier that takes the place of one of the primary: that of an adopted resource, or a reference.
    /// `None` if a later stack builds it, or none.
    pub(crate) fn id(&mut self, id: &str) -> Option<Value> {
        if self.context.is_primary {
            return Some(json!(id));
        }
        if let Some(to) = self.context.bindings.adopted.get(id) {
            return Some(json!(to));
        }
        let made = self.context.bindings.made.get(id)?;
        if made.stack > *self.context.stack {
            return None;
        }
        Some(self.value(made))
    }

    /// As [`Self::id`], with a finding about `of` if there is none.
    pub(crate) fn needed(&mut self, of: &str, id: &str) -> Option<Value> {
        let found = self.id(id);
        if found.is_none() {
            let (code, what) = if self.context.bindings.made.contains_key(id) {
                (
                    Code::BuiltLater,
                    format!("it needs {id}, which a later stack builds; it is left out here"),
                )
            } else {
                (
                    Code::DescriptionMissing,
                    format!("it needs {id}, which is neither described nor mapped"),
                )
            };
            self.findings.warning(code, of, what);
        }
        found
    }

    /// Returns the identifiers that take the place of several.
    pub(crate) fn all(&mut self, of: &str, ids: &[String]) -> Vec<Value> {
        ids.iter().filter_map(|id| self.needed(of, id)).collect()
    }

    fn value(&mut self, made: &Made) -> Value {
        if made.stack == *self.context.stack {
            return made.value.clone();
        }
        let parameter = Parameter {
            r#type: made.parameter,
            stack: made.stack.clone(),
            output: made.output.clone(),
        };
        // The outputs of two stacks never have the same name: each begins with the type of its resource.
        self.template.parameters.insert(made.output.clone(), parameter);
        reference(&made.output)
    }

    /// Returns the ARN of the role that takes the place of one; `None` if it is not known or not built yet.
    pub(crate) fn role(&mut self, of: &str, arn: &str) -> Option<Value> {
        if self.context.pending_roles.contains(arn) {
            let what = format!("it needs {arn}, which is built once the issuer of its cluster is known");
            self.findings.note(Code::BuiltLater, of, what);
            return None;
        }
        self.needed(of, arn)
    }

    /// Returns the ARN of a KMS key by its ARN or id in the primary; AWS managed keys have the same alias everywhere.
    pub(crate) fn key(&mut self, of: &str, key: &str) -> Option<Value> {
        if key.starts_with("alias/") {
            return Some(json!(key));
        }
        if let Some(to) = self.context.bindings.adopted.get(key) {
            return Some(json!(to));
        }
        let id = key.rsplit('/').next().unwrap_or(key);
        let known = self
            .context
            .descriptions
            .keys
            .iter()
            .find(|known| known.key_id == id);
        if known.is_some_and(|key| key.key_manager == crate::description::storage::KeyManager::Aws) {
            return None;
        }
        if self.context.is_primary {
            return Some(json!(key));
        }
        // What was named by its id may be adopted by its ARN.
        if let Some(to) = known.and_then(|key| self.context.bindings.adopted.get(key.arn.as_str())) {
            return Some(json!(to));
        }
        let found = self.needed(of, id)?;
        let facts = self.context.facts;
        let prefix = format!(
            "arn:{}:kms:{}:{}:key/",
            self.context.partition(),
            facts.region,
            facts.account
        );
        Some(match found {
            Value::String(id) if id.starts_with("arn:") => Value::String(id),
            Value::String(id) => Value::String(format!("{prefix}{id}")),
            id => json!({ "Fn::Join": ["", [prefix, id]] }),
        })
    }

    /// Returns a policy re-pointed to the recovery environment. `None` if nothing of it can be said yet.
    pub(crate) fn policy(&mut self, of: &str, document: &PolicyDocument) -> Option<Value> {
        let mut policy = document.0.clone();
        policy::rewrite(&self.context.identities, &mut policy);
        self.ready(of, policy)
    }

    /// Returns a translated policy without what does not exist yet, with references to what earlier stacks build.
    pub(crate) fn ready(&mut self, of: &str, mut policy: Value) -> Option<Value> {
        let removed = policy::prune(&mut policy, &|stack| self.is_earlier(stack));
        if removed > 0 {
            let what = "statements of its policy name what does not exist yet; they are added later";
            self.findings.note(Code::BuiltLater, of, what);
        }
        let is_left = removed == 0 || !policy::is_empty(&policy);
        is_left.then(|| self.expressed(policy, false))
    }

    /// Whether a stack is built before this one.
    pub(crate) fn is_earlier(&self, symbol: &str) -> bool {
        let earlier = [Stack::Network, Stack::Identity, Stack::Storage];
        earlier
            .iter()
            .any(|stack| stack < self.context.stack && stack.symbol() == symbol)
    }

    /// Replaces the symbols in all texts of a value by references. Those of this stack are replaced if `own` is set,
    /// where nothing can refer to itself.
    pub(crate) fn expressed(&mut self, value: Value, own: bool) -> Value {
        match value {
            Value::String(text) => self.expression(text, own),
            Value::Array(list) => list.into_iter().map(|one| self.expressed(one, own)).collect(),
            Value::Object(map) => {
                let map = map.into_iter().map(|(key, one)| (key, self.expressed(one, own)));
                Value::Object(map.collect::<Map<_, _>>())
            }
            other => other,
        }
    }

    fn expression(&mut self, text: String, own: bool) -> Value {
        let context = self.context;
        let mut parts: Vec<Value> = Vec::new();
        let mut done = 0;
        for (at, stack, output) in symbols_in(&text) {
            let is_usable = self.is_earlier(stack) || (own && stack == context.stack.symbol());
            let mut all = context.bindings.made.values();
            let made = all.find(|made| made.output == output && made.stack.symbol() == stack);
            let Some(made) = made.filter(|_| is_usable) else {
                continue;
            };
            if at > done {
                parts.push(json!(&text[done..at]));
            }
            parts.push(self.value(made));
            done = at + stack.len() + output.len() + 4;
        }
        if done == 0 {
            return Value::String(text);
        }
        if done < text.len() {
            parts.push(json!(&text[done..]));
        }
        match parts.len() {
            1 => parts.remove(0),
            _ => json!({ "Fn::Join": ["", parts] }),
        }
    }

    /// Returns the tags of a resource: those of the primary, translated, and that of the application. Tags of AWS
    /// (`aws:…`) cannot be set.
    pub(crate) fn tags(&self, tags: &Tags) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = self.context.tags(tags).into_iter().collect();
        all.push((TAG.to_owned(), self.context.facts.application.to_string()));
        all.sort();
        all
    }

    /// Returns tags as most resources take them.
    pub(crate) fn tag_list(&self, tags: &Tags) -> Value {
        let list = self.tags(tags).into_iter();
        list.map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect()
    }

    /// Returns tags as an object.
    pub(crate) fn tag_map(&self, tags: &Tags) -> Value {
        let map = self.tags(tags).into_iter();
        Value::Object(map.map(|(key, value)| (key, json!(value))).collect())
    }

    /// Returns the logical ids of this stack for resources of a type.
    pub(crate) fn logicals<'x>(&self, ids: impl Iterator<Item = &'x str>) -> BTreeSet<String> {
        ids.filter_map(|id| Some(self.own(id)?.logical.clone())).collect()
    }
}
