//! What several tests of this crate need.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use futures::executor::block_on;
use jiff::Timestamp;
use lifeboat_filesystem::PemSigner;
use lifeboat_model::{EnvironmentId, Epoch, JobId, ObjectKey};
use lifeboat_store::metered::MeteredStore;
use lifeboat_store::ports::ObjectStore as _;

use crate::FORMAT;
use crate::document::Assignment;
use crate::keys::JobFile;
use crate::signed::sign;
use crate::work::{CheckWork, Work};

/// Returns the coordinator's key of the tests.
pub(crate) fn signer() -> PemSigner {
    let file = "../recovery-point/tests/fixtures/point-v1/keys/signing.key.pem";
    PemSigner::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Returns the environment of the tests' delegate.
pub(crate) fn environment() -> EnvironmentId {
    EnvironmentId::parse("111111111111-eu-west-1").unwrap()
}

/// Returns an assignment that checks no cluster.
pub(crate) fn assignment(job: &str, epoch: Epoch) -> Assignment {
    let job = JobId::parse(job).unwrap();
    Assignment {
        format: FORMAT,
        application: job.application(),
        job,
        epoch,
        issued_at: Timestamp::UNIX_EPOCH,
        environment: environment(),
        work: Work::Check(CheckWork {
            clusters: Vec::new(),
            cluster_tags: BTreeMap::new(),
            recovery_key: None,
        }),
    }
}

/// Writes an object without a record of it.
pub(crate) fn plant(store: &MeteredStore, key: &str, bytes: impl Into<Bytes>) {
    let key = ObjectKey::parse(key).unwrap();
    block_on(store.inner().put_new(&key, bytes.into())).unwrap();
}

/// Writes an assignment as the coordinator does.
pub(crate) fn assign(store: &MeteredStore, job: &str, epoch: Epoch) {
    let assignment = assignment(job, epoch);
    let bytes = block_on(sign(&assignment, &signer())).unwrap();
    plant(
        store,
        JobFile::Assignment(epoch).key(&assignment.job).as_str(),
        bytes,
    );
}

/// Returns the numbers of requests and of bytes that were read since the last call.
pub(crate) fn take(store: &MeteredStore) -> (u64, u64) {
    let reads = store.take_reads();
    (reads.len() as u64, reads.iter().map(|read| read.bytes).sum())
}
