//! The record of an interrupted run: the ConfigMap `kube-system/lifeboat-restore`.
//!
//! A process that is killed leaves its Lease, and the run goes on with it. A process that is interrupted gives the
//! target back, so that nobody waits for it, and leaves only what the next process needs to tell the objects of the
//! run from others: when it began, and with which inputs.

use http::Method;
use lifeboat_model::{Diagnostic as _, ErrorKind};
use serde_json::{Value, json};

use super::record::{self, RunRecord};
use super::{LEASE_NAME, LEASE_NAMESPACE, LeaseError};
use crate::wire::{self, JSON, MANAGER, text};
use lifeboat_apiserver::api::{Api, ApiError};

const COLLECTION: &str = "/api/v1/namespaces/kube-system/configmaps";
const PATH: &str = "/api/v1/namespaces/kube-system/configmaps/lifeboat-restore";

/// The key of the start of the run in the ConfigMap.
const STARTED: &str = "started";

/// An interrupted run that was found in the target.
pub(super) struct InterruptedRun {
    uid: String,
    inputs: String,
    started: String,
}

impl InterruptedRun {
    /// Reads the record; `None` without one. Whoever may not read it cannot have written it either.
    pub(super) async fn find(api: &Api) -> Result<Option<Self>, LeaseError> {
        let found = match wire::read(api, PATH).await {
            Ok(found) => found,
            Err(error) if error.status() == Some(403) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(found.map(|found| Self {
            uid: text(&found, "/metadata/uid").to_owned(),
            inputs: record::inputs(&found).to_owned(),
            started: text(&found, "/data/started").to_owned(),
        }))
    }

    /// Returns when the run began, if it had these inputs.
    pub(super) fn started(&self, inputs: &str) -> Option<&str> {
        (self.inputs == inputs && record::is_time(&self.started)).then_some(&self.started)
    }

    /// Deletes the record. The Lease of the run that goes on, or of another one, takes its place.
    pub(super) async fn delete(&self, api: &Api) -> Result<(), ApiError> {
        match wire::delete(api, PATH, &self.uid, None).await {
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            done => done,
        }
    }
}

/// Writes the record of a run.
pub(super) async fn write(api: &Api, run: &RunRecord, inputs: &str) -> Result<(), ApiError> {
    let wanted = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": LEASE_NAME,
            "namespace": LEASE_NAMESPACE,
            "annotations": { record::INPUTS: inputs },
        },
        "data": { STARTED: run.started },
    });
    let create = format!("{COLLECTION}?fieldManager={MANAGER}");
    match wire::send_again(api, Method::POST, &create, JSON, &wanted).await {
        // The response to the first attempt was lost, or an older record was not deleted.
        Err(error) if error.kind() == ErrorKind::Conflict => {
            let replace = format!("{PATH}?fieldManager={MANAGER}");
            wire::send_again(api, Method::PUT, &replace, JSON, &wanted)
                .await
                .map(drop)
        }
        done => done.map(drop),
    }
}

/// Returns the annotation of a Lease that goes on with an interrupted run.
pub(super) fn annotate(lease: &mut Value, started: &str) {
    lease["metadata"]["annotations"][record::STARTED] = started.into();
}
