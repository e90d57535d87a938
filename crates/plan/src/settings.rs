//! The options, compiled once for the object-local rules.

use std::collections::BTreeMap;

use lifeboat_translate::identity::IdentityFault;
use lifeboat_translate::{Identities, IdentityMap, NamespaceMap, PatchRule};
use serde_json::Value;

use crate::digest::Redactor;
use crate::eks::auth::Accounts;
use crate::options::{PortRange, RestoreOptions, RuleSet, Selection};

/// Compiled options.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) selection: Selection,
    pub(crate) namespaces: NamespaceMap,
    pub(crate) identities: Identities,
    /// The accounts of the identity map.
    pub(crate) accounts: Option<Accounts>,
    /// Whether the identity map has symbols, which stand for what does not exist yet.
    pub(crate) is_symbolic: bool,
    /// Why the identity map translates nothing.
    pub(crate) identity_faults: Vec<IdentityFault>,
    pub(crate) no_leftovers: bool,
    pub(crate) validate: bool,
    pub(crate) patches: Vec<PatchRule>,
    pub(crate) rules: RuleSet,
    pub(crate) existing: crate::ExistingPolicy,
    pub(crate) node_ports: PortRange,
    pub(crate) digest: String,
    pub(crate) redactor: Redactor,
}

// Patches may contain Secret values.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Settings {
    pub(crate) fn compile(options: RestoreOptions, redactor: Redactor) -> Self {
        let digest = redactor.digest(&options);
        let RestoreOptions {
            selection,
            namespace_map,
            identities,
            no_leftovers,
            validate,
            patches,
            existing,
            rules,
            node_port_range: node_ports,
        } = options;
        let namespaces = NamespaceMap::new(
            namespace_map
                .into_iter()
                .filter(|(from, to)| from != to)
                .collect::<BTreeMap<_, _>>(),
        );
        let accounts = identities.as_ref().map(|map| Accounts {
            primary: map.primary.account.to_string(),
            recovery: map.recovery.account.to_string(),
        });
        let is_symbolic = identities.as_ref().is_some_and(IdentityMap::is_symbolic);
        let (compiled, identity_faults) = match identities.as_ref().map(Identities::checked) {
            Some(Ok(compiled)) => (compiled, Vec::new()),
            Some(Err(faults)) => (Identities::default(), faults),
            None => Default::default(),
        };
        Self {
            selection,
            namespaces,
            identities: compiled,
            accounts,
            is_symbolic,
            identity_faults,
            no_leftovers,
            validate,
            patches,
            rules,
            existing,
            node_ports,
            digest,
            redactor,
        }
    }

    /// Returns the shape of Pods ([`crate::shape`]) as it is in the target: with the images that these settings
    /// translate.
    pub(crate) fn shape_in_target(&self, mut shape: Value) -> Value {
        if self.identities.is_empty() {
            return shape;
        }
        for list in ["initContainers", "containers"] {
            let containers = shape.get_mut(list).and_then(Value::as_object_mut);
            for container in containers.into_iter().flat_map(|map| map.values_mut()) {
                let image = container.get("image").and_then(Value::as_str);
                if let Some(new) = image.and_then(|image| self.identities.image(image)) {
                    container["image"] = new.into();
                }
            }
        }
        shape
    }
}
