//! Translates an object: the known places first, then every text, then the scan for leftovers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lifeboat_model::TypeSelector;
use serde_json::{Map, Value};

use super::Identities;
use super::compiled::Compiled;
use super::leftover::{Leftover, LeftoverKind};
use super::span::is_endpoint_service;
use crate::place::{self, Location};
use crate::pointer;
use crate::translation::{Rewritten, at_places, replace};

/// Fields that refer to an object of Kubernetes by its name, which is not translated.
const REFERENCES: [&str; 20] = [
    "name",
    "namespace",
    "generateName",
    "apiVersion",
    "kind",
    "uid",
    "claimName",
    "configMapName",
    "ingressClassName",
    "nodeName",
    "priorityClassName",
    "runtimeClassName",
    "schedulerName",
    "secretName",
    "serviceAccount",
    "serviceAccountName",
    "serviceName",
    "storageClassName",
    "volumeName",
    "volumeSnapshotClassName",
];

/// The annotation in which kubectl keeps the object as it was applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The field of a ConfigMap whose values are in base64.
const BINARY_DATA: &[u8] = b"\"binaryData\"";

/// The deepest nesting of objects in annotations.
const DEEPEST: u8 = 2;

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The identifiers that were translated, sorted by path.
    pub rewritten: Vec<Rewritten>,
    /// What still names the primary, sorted by path.
    pub leftovers: Vec<Leftover>,
}

impl Identities {
    /// Translates an object of the given type. `is_named` tells whether a selector names the type.
    pub fn apply(
        &self,
        r#type: (&str, &str),
        is_named: &dyn Fn(&TypeSelector) -> bool,
        object: &mut Value,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        if let Some(map) = self.compiled() {
            let walker = Walker {
                is_named,
                ..Walker::new(map, r#type)
            };
            walker.object(object, &mut outcome);
        }
        outcome.sorted()
    }

    /// Returns what names the primary in an object, without translating it.
    #[must_use]
    pub fn leftovers(&self, r#type: (&str, &str), object: &Value) -> Vec<Leftover> {
        let mut outcome = Outcome::default();
        if let Some(map) = self.compiled() {
            let walker = Walker {
                translates: false,
                ..Walker::new(map, r#type)
            };
            walker.object(&mut object.clone(), &mut outcome);
        }
        outcome.sorted().leftovers
    }

    /// Whether an object can name the primary, by the bytes that an API server sends: if not, [`Self::leftovers`] finds
    /// nothing. Costs one search, no parsing. Values in base64 are not decoded, so that it is true for each Secret and
    /// for ConfigMaps with binary data.
    #[must_use]
    pub fn may_be_named_in(&self, r#type: (&str, &str), raw: &[u8]) -> bool {
        let Some(map) = self.compiled() else { return false };
        let is_encoded = match r#type {
            ("", "secrets") => true,
            ("", "configmaps") => raw.windows(BINARY_DATA.len()).any(|part| part == BINARY_DATA),
            _ => false,
        };
        // Bytes that are no text are not those of JSON; whoever parses them says so.
        is_encoded || std::str::from_utf8(raw).map_or(true, |text| map.needles.next(text, 0).is_some())
    }

    /// Translates a part of an object that has no known places, such as its status; `at` is its path.
    pub fn apply_to_part(&self, r#type: (&str, &str), at: &str, part: &mut Value) -> Outcome {
        let mut outcome = Outcome::default();
        if let Some(map) = self.compiled() {
            let path = Location::At(at);
            Walker::new(map, r#type).value(part, &path, Mode::Text, &mut outcome);
        }
        outcome.sorted()
    }

    /// Translates the keys of `fieldsV1` that hold values of the object: the keys of list elements and the elements
    /// of sets.
    pub fn apply_to_fields(&self, fields: &mut Value) {
        let (Some(map), Some(own)) = (self.compiled(), fields.as_object_mut()) else {
            return;
        };
        let renamed: Vec<(String, String)> = own
            .keys()
            .filter(|key| key.starts_with("k:") || key.starts_with("v:"))
            .filter_map(|key| Some((key.clone(), map.rewrite(key, &mut Vec::new())?)))
            .collect();
        for (old, new) in renamed {
            if let Some(value) = own.remove(&old) {
                own.insert(new, value);
            }
        }
        for value in own.values_mut() {
            self.apply_to_fields(value);
        }
    }

    /// Translates an image reference.
    #[must_use]
    pub fn image(&self, image: &str) -> Option<String> {
        self.compiled()?.rewrite(image, &mut Vec::new())
    }

    /// Returns the name of an object in the target, if its name is an identifier of AWS.
    #[must_use]
    pub fn name_in_target(&self, group: &str, resource: &str, name: &str) -> Option<String> {
        let map = self
            .compiled()
            .filter(|_| place::translates_name(group, resource))?;
        let mut object = serde_json::json!({ "metadata": { "name": name } });
        at_places(map, group, resource, &mut object);
        let new = pointer::text(&object, "/metadata/name")?;
        (new != name).then(|| new.to_owned())
    }
}

impl Outcome {
    fn sorted(mut self) -> Self {
        self.rewritten.sort();
        self.rewritten.dedup();
        self.leftovers.sort();
        self.leftovers.dedup();
        self
    }
}

/// Whether a field, or the list that it is an element of, refers to objects of Kubernetes.
fn is_reference(path: &Location<'_>) -> bool {
    match path {
        Location::Key(_, key) => REFERENCES.contains(key),
        Location::Index(list, _) => is_reference(list),
        Location::At(_) => false,
    }
}

/// How the strings of a part of an object are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// As text.
    Text,
    /// As text; the keys are chosen by users, and none of them refers to an object.
    Data,
    /// As base64 of a text.
    Encoded,
    /// As names that are not translated.
    Names,
}

#[derive(Clone, Copy)]
struct Walker<'a> {
    map: &'a Compiled,
    group: &'a str,
    resource: &'a str,
    is_named: &'a dyn Fn(&TypeSelector) -> bool,
    depth: u8,
    /// Whether identifiers are translated, or only what names the primary is listed.
    translates: bool,
}

impl<'a> Walker<'a> {
    /// Returns the walker that translates an object of this type, which no declared field names.
    fn new(map: &'a Compiled, (group, resource): (&'a str, &'a str)) -> Self {
        Self {
            map,
            group,
            resource,
            is_named: &|_| false,
            depth: 0,
            translates: true,
        }
    }
}

impl Walker<'_> {
    fn object(&self, object: &mut Value, outcome: &mut Outcome) {
        if self.translates {
            let rewritten = at_places(self.map, self.group, self.resource, object);
            outcome.rewritten.extend(rewritten);
            self.declared_fields(object, &mut outcome.rewritten);
        }
        let root = Location::At("");
        for (key, value) in object.as_object_mut().into_iter().flatten() {
            let path = Location::Key(&root, key);
            match (key.as_str(), value) {
                ("apiVersion" | "kind", _) => {}
                ("metadata", Value::Object(metadata)) => self.metadata(metadata, &path, outcome),
                (key, value) => self.value(value, &path, self.mode_of(key), outcome),
            }
        }
    }

    /// Returns how a top-level field is read.
    fn mode_of(&self, key: &str) -> Mode {
        match (self.group, self.resource, key) {
            ("", "secrets", "data") | ("", "configmaps", "binaryData") => Mode::Encoded,
            ("", "secrets", "stringData") | ("", "configmaps", "data") => Mode::Data,
            _ => Mode::Text,
        }
    }

    fn declared_fields(&self, object: &mut Value, rewritten: &mut Vec<Rewritten>) {
        let fields = self.map.fields.iter();
        for field in fields.filter(|field| field.types.iter().any(|t| (self.is_named)(t))) {
            let holds = place::IdentifierKind::Aws(field.kind);
            place::at(object, &field.path, holds, &mut |at, kind, value| {
                replace(self.map, at, kind, value, rewritten);
            });
        }
    }

    fn metadata(&self, metadata: &mut Map<String, Value>, path: &Location<'_>, outcome: &mut Outcome) {
        for (key, value) in metadata {
            let path = Location::Key(path, key);
            match (key.as_str(), value) {
                ("annotations", Value::Object(annotations)) => {
                    for (key, value) in annotations {
                        self.key(key, &path, outcome);
                        let path = Location::Key(&path, key);
                        if key != LAST_APPLIED || !self.nested(value, &path, outcome) {
                            self.value(value, &path, Mode::Data, outcome);
                        }
                    }
                }
                // As in selectors, a label called `name` stays.
                ("labels", value) => self.value(value, &path, Mode::Text, outcome),
                (_, value) => self.value(value, &path, Mode::Names, outcome),
            }
        }
    }

    /// Translates the object in an annotation as an object; returns whether the text is one.
    fn nested(&self, value: &mut Value, path: &Location<'_>, outcome: &mut Outcome) -> bool {
        let Some(text) = value.as_str().filter(|_| self.depth < DEEPEST) else {
            return false;
        };
        let is_secret = self.mode_of("data") == Mode::Encoded;
        if !is_secret && self.map.needles.next(text, 0).is_none() {
            return true;
        }
        let Some(mut object) = serde_json::from_str::<Value>(text).ok().filter(Value::is_object) else {
            return false;
        };
        let inner = Self {
            depth: self.depth + 1,
            ..*self
        };
        let mut found = Outcome::default();
        inner.object(&mut object, &mut found);
        let at = path.pointer();
        let here = |mut one: Rewritten| {
            one.path.clone_from(&at);
            one
        };
        if !found.rewritten.is_empty() {
            let end = if text.ends_with('\n') { "\n" } else { "" };
            *value = Value::String(format!("{object}{end}"));
        }
        outcome.rewritten.extend(found.rewritten.into_iter().map(here));
        for leftover in found.leftovers {
            outcome.leftovers.push(Leftover {
                path: at.clone(),
                ..leftover
            });
        }
        true
    }

    fn value(&self, value: &mut Value, path: &Location<'_>, mode: Mode, outcome: &mut Outcome) {
        match value {
            Value::String(_) => self.string(value, path, mode, outcome),
            Value::Array(list) => {
                for (index, element) in list.iter_mut().enumerate() {
                    self.value(element, &Location::Index(path, index), mode, outcome);
                }
            }
            Value::Object(map) => {
                for (key, element) in map {
                    self.key(key, path, outcome);
                    self.value(element, &Location::Key(path, key), mode, outcome);
                }
            }
            Value::Number(number) if self.map.is_primary_account(number) => {
                outcome.leftovers.push(Leftover {
                    path: path.pointer(),
                    token: number.to_string(),
                    kind: LeftoverKind::Account,
                    reason: None,
                })
            }
            _ => {}
        }
    }

    fn string(&self, value: &mut Value, path: &Location<'_>, mode: Mode, outcome: &mut Outcome) {
        let Value::String(text) = value else { return };
        if mode == Mode::Encoded {
            return self.encoded(text, path, outcome);
        }
        // Without a needle nothing is translated and nothing is left over.
        if self.map.needles.next(text, 0).is_none() || self.is_description(path) {
            return;
        }
        // No name of an object has a slash or a colon in it; a registry with its repository has. A `serviceName` may be
        // an endpoint service of a VPC.
        let may_be_name = || !text.contains(['/', ':']) && !is_endpoint_service(text);
        let is_name = mode == Mode::Names || (mode == Mode::Text && is_reference(path) && may_be_name());
        if !is_name {
            self.rewrite(text, path, outcome);
        }
        self.scan(text, path, outcome);
    }

    /// Whether a text says what a field of a definition means; it names nothing.
    fn is_description(&self, path: &Location<'_>) -> bool {
        self.resource == "customresourcedefinitions" && matches!(path, Location::Key(_, "description"))
    }

    /// Translates the text that is base64 in a string.
    fn encoded(&self, value: &mut String, path: &Location<'_>, outcome: &mut Outcome) {
        let Some(bytes) = STANDARD.decode(value.as_bytes()).ok() else {
            return self.scan(value, path, outcome);
        };
        match String::from_utf8(bytes) {
            Ok(mut text) => {
                if self.map.needles.next(&text, 0).is_none() {
                    return;
                }
                if self.rewrite(&mut text, path, outcome) {
                    *value = STANDARD.encode(&text);
                }
                self.scan(&text, path, outcome);
            }
            Err(binary) => self.scan(&String::from_utf8_lossy(binary.as_bytes()), path, outcome),
        }
    }

    fn rewrite(&self, text: &mut String, path: &Location<'_>, outcome: &mut Outcome) -> bool {
        if !self.translates {
            return false;
        }
        let mut edits = Vec::new();
        let Some(new) = self.map.rewrite(text, &mut edits) else {
            return false;
        };
        *text = new;
        let at = path.pointer();
        outcome.rewritten.extend(edits.into_iter().map(|edit| Rewritten {
            path: at.clone(),
            from: edit.from,
            to: edit.to,
            rule: edit.rule,
        }));
        true
    }

    fn scan(&self, text: &str, path: &Location<'_>, outcome: &mut Outcome) {
        self.map.scan(text, &mut |token, kind| {
            outcome.leftovers.push(Leftover {
                path: path.pointer(),
                token: token.to_owned(),
                kind,
                reason: None,
            });
        });
    }

    /// Scans the key of a map. Keys are not translated.
    fn key(&self, key: &str, path: &Location<'_>, outcome: &mut Outcome) {
        if self.map.needles.next(key, 0).is_some() {
            self.scan(key, &Location::Key(path, key), outcome);
        }
    }
}
