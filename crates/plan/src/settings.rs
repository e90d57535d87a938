//! The options, compiled once for the object-local rules.

use std::collections::BTreeMap;

use lifeboat_translate::{NamespaceMap, PatchRule};

use crate::digest::Redactor;
use crate::options::{PortRange, RestoreOptions, RuleSet, Selection};

/// Compiled options.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) selection: Selection,
    pub(crate) namespaces: NamespaceMap,
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
        Self {
            selection,
            namespaces,
            patches,
            rules,
            existing,
            node_ports,
            digest,
            redactor,
        }
    }
}
