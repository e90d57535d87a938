//! The schemas of custom types, and the rules of them that objects break.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::TypeName;
use lifeboat_translate::pointer;
use serde_json::Value;

use crate::SourceType;
use crate::relax::relax_schema;
use crate::schema::{Schema, Violation, trim};

/// A rule of a type that at least one object breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BrokenRule {
    pub(crate) violation: Violation,
    /// Whether the definition has it even while it is without the rules that objects may break ([`crate::relax`]).
    pub(crate) always: bool,
}

/// The schemas of the types whose objects are added. A large definition has megabytes, so that they are kept as text,
/// and one of them is compiled at a time.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    /// The types that have objects; `None` if that is not known.
    used: Option<BTreeSet<TypeName>>,
    /// By the index of the type: JSON without what no check needs.
    texts: BTreeMap<u32, Box<[u8]>>,
    compiled: Option<Compiled>,
    rules: Vec<BrokenRule>,
    /// The indexes in `rules`.
    known: BTreeMap<BrokenRule, u32>,
}

#[derive(Debug)]
struct Compiled {
    r#type: u32,
    schema: Schema,
    /// The schema without the rules that objects may break, once an object breaks one.
    relaxed: Option<Schema>,
}

impl Schemas {
    /// Limits the memory to the schemas of these types.
    pub(crate) fn limit_to(&mut self, used: BTreeSet<TypeName>) {
        self.used = Some(used);
    }

    /// Records the schema of the version in which the objects of a type were captured.
    pub(crate) fn learn(&mut self, types: &[SourceType], definition: &Value) {
        let text = |path| pointer::text(definition, path).unwrap_or_default();
        let (group, plural) = (text("/spec/group"), text("/spec/names/plural"));
        let own = (0_u32..)
            .zip(types)
            .find(|(_, known)| known.resource.group == group && known.resource.resource == plural);
        let Some((index, r#type)) = own else {
            return;
        };
        let resource = &r#type.resource;
        if (self.used.as_ref()).is_some_and(|used| !used.contains(&resource.name())) {
            return;
        }
        let version = pointer::list(definition, "/spec/versions")
            .find(|version| pointer::text(version, "/name") == Some(resource.version.as_str()));
        let Some(schema) = version.and_then(|version| version.pointer("/schema/openAPIV3Schema")) else {
            return;
        };
        let mut schema = schema.clone();
        trim(&mut schema);
        self.texts.insert(index, schema.to_string().into_bytes().into());
        self.compiled = None;
    }

    /// Returns whether the schema of a type is known.
    pub(crate) fn knows(&self, r#type: u32) -> bool {
        self.texts.contains_key(&r#type)
    }

    /// Returns the indexes of the rules that a new object breaks.
    pub(crate) fn check(&mut self, r#type: u32, object: &Value) -> Box<[u32]> {
        let Some(text) = self.texts.get(&r#type) else {
            return Box::default();
        };
        let parse = || serde_json::from_slice::<Value>(text).unwrap_or_default();
        if self.compiled.as_ref().is_none_or(|known| known.r#type != r#type) {
            self.compiled = Some(Compiled {
                r#type,
                schema: Schema::compile(&parse()),
                relaxed: None,
            });
        }
        let compiled = self.compiled.as_mut().expect("it was compiled");
        let broken = compiled.schema.violations(object);
        if broken.is_empty() {
            return Box::default();
        }
        let relaxed = compiled.relaxed.get_or_insert_with(|| {
            let mut schema = parse();
            relax_schema(&mut schema);
            Schema::compile(&schema)
        });
        let always = relaxed.violations(object);
        // A schema without rules may refuse more: a list where a text of a format is expected.
        let rules = broken.union(&always).map(|violation| BrokenRule {
            always: always.contains(violation),
            violation: violation.clone(),
        });
        rules.map(|rule| self.index_of(rule)).collect()
    }

    fn index_of(&mut self, rule: BrokenRule) -> u32 {
        let next = u32::try_from(self.rules.len()).expect("schemas have fewer rules");
        *self.known.entry(rule).or_insert_with_key(|rule| {
            self.rules.push(rule.clone());
            next
        })
    }

    /// Returns a rule that an object breaks.
    pub(crate) fn rule(&self, index: u32) -> &BrokenRule {
        let index = usize::try_from(index).expect("a u32 fits");
        &self.rules[index]
    }

    /// Frees what only further objects need.
    pub(crate) fn close(&mut self) {
        self.texts = BTreeMap::new();
        self.compiled = None;
        self.known = BTreeMap::new();
    }
}
