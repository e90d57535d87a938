//! A pack for the fuzz tests and the benchmark.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lifeboat_format::pack::reader::PackReader;
use lifeboat_format::{DataKey, PackIdentity, PackKind, PackVersion, PackWriter};
use lifeboat_model::{ApplicationName, ClusterName, PackName, RecoveryPointId};

/// The key and the identity of a pack.
pub(crate) struct Pack {
    pub(crate) key: DataKey,
    application: ApplicationName,
    cluster: ClusterName,
    point: RecoveryPointId,
    name: PackName,
}

impl Pack {
    pub(crate) fn new() -> Self {
        Self {
            key: DataKey::from_random(std::array::from_fn(|i| i as u8)),
            application: ApplicationName::parse("shop").unwrap(),
            cluster: ClusterName::parse("primary").unwrap(),
            point: RecoveryPointId::parse("20261121T112233Z-7f3a9c").unwrap(),
            name: PackName::parse("primary/p-0000.pack").unwrap(),
        }
    }

    pub(crate) fn identity(&self) -> PackIdentity<'_> {
        PackIdentity {
            application: &self.application,
            cluster: Some(&self.cluster),
            point: &self.point,
            name: &self.name,
        }
    }

    pub(crate) fn writer(&self) -> PackWriter {
        PackWriter::new(PackKind::Objects, &self.key, self.identity()).unwrap()
    }

    pub(crate) fn reader(&self) -> PackReader {
        PackReader::new(PackVersion::V2, PackKind::Objects, &self.key, self.identity()).unwrap()
    }
}
