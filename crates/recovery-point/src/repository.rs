//! The recovery points of an application: listing, finding and opening them, and removing unfinished ones.

use std::sync::Arc;

use lifeboat_format::manifest::Completeness;
use lifeboat_format::{Sha256, Statement, VerifyingKey};
use lifeboat_model::{ApplicationName, Diagnostic as _, Problem, RecoveryPointId};
use serde::Serialize;

use crate::layout::{self, manifest_key, point_prefix, points_prefix};
use crate::point::{PointError, RecoveryPoint, read_manifest};
use crate::summary::SignedSummary;
use lifeboat_store::listing::delete_all;
use lifeboat_store::ports::{Clock, ObjectStore, Randomness, RunLock, StoreError};

/// The recovery points of one application in a store. Clones share the store.
#[derive(Clone)]
pub struct PointRepository {
    store: Arc<dyn ObjectStore>,
    application: ApplicationName,
}

/// A recovery point in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PointSummary {
    /// The id, which is the name of its folder.
    pub point: RecoveryPointId,
    /// The content of its manifest, or why the manifest cannot be trusted.
    pub state: PointState,
}

/// Whether the manifest of a recovery point can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum PointState {
    /// The manifest is signed with the pinned key.
    Signed(SignedSummary),
    /// The manifest exists but cannot be trusted.
    Refused {
        /// Why, and what to do.
        problem: Problem,
    },
}

/// The recovery point that a user's selection refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The id of the recovery point.
    pub point: RecoveryPointId,
    /// Newer recovery points that `latest` skipped because their manifest cannot be trusted, newest first,
    /// with the reason. A restore must report them to the user.
    pub passed_over: Vec<(RecoveryPointId, Problem)>,
}

/// The result of removing unfinished recovery points.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Removed {
    /// The ids of the unfinished recovery points that were removed.
    pub points: Vec<RecoveryPointId>,
    /// The number of files that were removed.
    pub files: u64,
}

impl PointRepository {
    /// Creates a repository for an application in a store. Nothing is read or written.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, application: ApplicationName) -> Self {
        Self { store, application }
    }

    /// Returns the application.
    #[must_use]
    pub fn application(&self) -> &ApplicationName {
        &self.application
    }

    /// Returns the store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Returns the ids of all recovery points, oldest first: every folder that contains a manifest, trusted
    /// or not.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn ids(&self) -> Result<Vec<RecoveryPointId>, PointError> {
        let mut ids = Vec::new();
        for id in self.folders().await? {
            if self.has_manifest(&id).await? {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// Returns an id for a recovery point that begins now. It sorts after every existing recovery point and
    /// the leftover files of every unfinished one, even if the clock went back; otherwise the newest recovery
    /// point would not be the latest.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn next_id(
        &self,
        clock: &dyn Clock,
        ids: &dyn Randomness,
    ) -> Result<RecoveryPointId, PointError> {
        let newest = self.folders().await?.pop();
        Ok(layout::point_id_after(newest.as_ref(), clock, ids))
    }

    /// Lists all recovery points, oldest first. One whose manifest cannot be trusted is listed with the
    /// reason.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn points(&self, key: &VerifyingKey) -> Result<Vec<PointSummary>, PointError> {
        let mut points = Vec::new();
        for point in self.folders().await? {
            let state = match self.statement(&point, key).await {
                Ok((statement, manifest)) => PointState::Signed(SignedSummary::of(&statement, manifest)),
                Err(PointError::NotFound { .. }) => continue,
                Err(PointError::Store { source }) => return Err(PointError::Store { source }),
                Err(error) => PointState::Refused {
                    problem: error.problem(),
                },
            };
            points.push(PointSummary { point, state });
        }
        Ok(points)
    }

    /// Finds the recovery point that a user's selection refers to: `latest`, `latest-complete`, an id, or a
    /// prefix of one.
    ///
    /// `latest` is the newest recovery point whose manifest is signed with the pinned key, as it is for the
    /// coordinator. If there is none, it is the newest one, and opening it returns the reason why it is
    /// refused.
    ///
    /// # Errors
    /// [`PointError::NotFound`], [`PointError::Ambiguous`].
    pub async fn resolve(&self, wanted: &str, key: &VerifyingKey) -> Result<Resolved, PointError> {
        let not_found = || PointError::NotFound {
            application: self.application.clone(),
            wanted: wanted.to_owned(),
        };
        match wanted {
            "latest" => return self.latest(false, key).await?.ok_or_else(not_found),
            "latest-complete" => return self.latest(true, key).await?.ok_or_else(not_found),
            _ => {}
        }
        let mut candidates = self.ids().await?;
        candidates.retain(|id| !wanted.is_empty() && id.as_str().starts_with(wanted));
        match candidates.len() {
            0 => Err(not_found()),
            1 => Ok(Resolved {
                point: candidates.remove(0),
                passed_over: Vec::new(),
            }),
            _ => Err(PointError::Ambiguous {
                application: self.application.clone(),
                wanted: wanted.to_owned(),
                candidates,
            }),
        }
    }

    async fn latest(&self, complete: bool, key: &VerifyingKey) -> Result<Option<Resolved>, PointError> {
        let mut passed_over = Vec::new();
        for point in self.folders().await?.into_iter().rev() {
            match self.statement(&point, key).await {
                Ok((statement, _))
                    if complete && statement.predicate.completeness == Completeness::Partial => {}
                Ok(_) => return Ok(Some(Resolved { point, passed_over })),
                Err(PointError::NotFound { .. }) => {}
                Err(PointError::Store { source }) => return Err(PointError::Store { source }),
                Err(error) => passed_over.push((point, error.problem())),
            }
        }
        let newest = passed_over.first().map(|(point, _)| point.clone());
        Ok(newest.map(|point| Resolved {
            point,
            passed_over: Vec::new(),
        }))
    }

    /// Opens a recovery point; see [`RecoveryPoint::open`].
    ///
    /// # Errors
    /// [`PointError`] with the file and the reason.
    pub async fn open(
        &self,
        point: &RecoveryPointId,
        key: &VerifyingKey,
    ) -> Result<RecoveryPoint, PointError> {
        RecoveryPoint::open(Arc::clone(&self.store), &self.application, point, key).await
    }

    /// Removes the leftover files of crashed runs: folders of recovery points without a manifest. The lock
    /// proves that none of them is being written.
    ///
    /// # Errors
    /// [`PointError::OtherLock`], or if the store fails.
    pub async fn prune_incomplete(&self, lock: &dyn RunLock) -> Result<Removed, PointError> {
        if *lock.application() != self.application {
            return Err(PointError::OtherLock {
                application: self.application.clone(),
                held: lock.application().clone(),
            });
        }
        let mut removed = Removed::default();
        for point in self.folders().await? {
            if !self.has_manifest(&point).await? {
                removed.files += delete_all(self.store.as_ref(), &point_prefix(&self.application, &point))
                    .await
                    .map_err(|source| PointError::Store { source })?;
                removed.points.push(point);
            }
        }
        Ok(removed)
    }

    /// Returns all folders whose name is a recovery point id, oldest first. Others were not created by
    /// Lifeboat and are left unchanged.
    pub(crate) async fn folders(&self) -> Result<Vec<RecoveryPointId>, PointError> {
        let folders = self
            .store
            .list_folders(&points_prefix(&self.application))
            .await
            .map_err(|source| PointError::Store { source })?;
        Ok(folders
            .into_iter()
            .filter_map(|name| RecoveryPointId::parse(name).ok())
            .collect())
    }

    async fn has_manifest(&self, point: &RecoveryPointId) -> Result<bool, PointError> {
        match self.store.head(&manifest_key(&self.application, point)).await {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(source) => Err(PointError::Store { source }),
        }
    }

    /// Reads and verifies the manifest only.
    async fn statement(
        &self,
        point: &RecoveryPointId,
        key: &VerifyingKey,
    ) -> Result<(Statement, Sha256), PointError> {
        read_manifest(self.store.as_ref(), &self.application, point, key).await
    }
}
