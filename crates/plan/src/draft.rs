//! Collects what a plan is made from: a skeleton of every object, never its whole body.

use std::collections::BTreeSet;

use lifeboat_model::{ErrorKind, Problem, TypeName};

use crate::settings::Settings;
use crate::{Locator, Plan, RestoreOptions, SourceType, TargetFacts};

/// The objects of one captured cluster, on their way to a plan.
#[derive(Debug)]
pub struct Draft {
    settings: std::sync::Arc<Settings>,
    types: Vec<SourceType>,
    point: String,
    cluster: String,
}

/// Objects of one type that the survey of the target should look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedType {
    /// The type.
    pub type_name: TypeName,
    /// Namespace (none for types without) and name.
    pub targets: BTreeSet<(Option<String>, String)>,
}

/// Why no plan can be made; every fault that was found, not only the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("make a plan: {} fault(s), the first: {}", .problems.len(), .problems.first().map_or("", |p| &p.message))]
pub struct PlanError {
    /// The faults, each with code and guidance.
    pub problems: Vec<Problem>,
}

impl PlanError {
    /// What to do about it: the options or the point are wrong, trying again does not help.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// Bytes that are not an object of the type they were observed as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read an object of {type_name} in frame {frame} at {position}: {fault}")]
pub struct ObserveError {
    /// The type.
    pub type_name: TypeName,
    /// [`Locator::frame`].
    pub frame: u32,
    /// [`Locator::position`].
    pub position: u32,
    /// What is wrong; never a value of the object.
    pub fault: String,
}

impl ObserveError {
    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Corrupt
    }
}

impl Draft {
    /// An empty draft for a cluster of a recovery point.
    #[must_use]
    pub fn new(options: RestoreOptions, types: &[SourceType], point: &str, cluster: &str) -> Self {
        Self {
            settings: std::sync::Arc::new(Settings::compile(options)),
            types: types.to_vec(),
            point: point.to_owned(),
            cluster: cluster.to_owned(),
        }
    }

    /// Whether the object must be shown to [`Draft::observe`]; for others [`Draft::mention`] is enough.
    #[must_use]
    pub fn needs(&self, r#type: &SourceType, namespace: Option<&str>, name: &str) -> bool {
        let _ = (r#type, namespace, name, &self.types);
        true
    }

    /// Says that the recovery point holds an object which is not shown.
    pub fn mention(&mut self, r#type: &SourceType, namespace: Option<&str>, name: &str) {
        let _ = (r#type, namespace, name);
    }

    /// Shows an object. The order in which objects are shown does not matter.
    ///
    /// # Errors
    /// [`ObserveError`] if the bytes are not such an object.
    pub fn observe(&mut self, r#type: &SourceType, locator: Locator, raw: &[u8]) -> Result<(), ObserveError> {
        let _ = (r#type, locator, raw);
        Ok(())
    }

    /// What the survey of the target should look for: every object that may be planned, and what such
    /// objects need.
    #[must_use]
    pub fn wanted(&self) -> Vec<WantedType> {
        Vec::new()
    }

    /// Makes the plan.
    ///
    /// # Errors
    /// [`PlanError`] lists every fault of options and point that was found.
    pub fn plan(&self, target: &TargetFacts) -> Result<Plan, PlanError> {
        let _ = target;
        Ok(Plan {
            format_version: crate::planned::PLAN_FORMAT_VERSION,
            point: self.point.clone(),
            cluster: self.cluster.clone(),
            options_digest: self.settings.digest.clone(),
            objects: Vec::new(),
            not_restored: Vec::new(),
            unselected: 0,
            rules: Default::default(),
            notes: Vec::new(),
            missing: Vec::new(),
            findings: Vec::new(),
            settings: self.settings.clone(),
        })
    }
}
