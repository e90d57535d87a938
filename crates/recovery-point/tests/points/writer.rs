use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use lifeboat_format::manifest::PackRecordKind;
use lifeboat_model::{Code, Diagnostic as _, ObjectKey};
use lifeboat_recovery_point::{PointWriter, WriteError};
use lifeboat_store::failing::{FailingStore, Fault, Moment};
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::{ETag, Listed, ObjectInfo, ObjectStore, StoreError, Upload};

use crate::sample::*;

#[test]
fn packs_and_their_indexes_come_in_pairs() {
    let memory = MemoryStore::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    let written = wait(capture(&store, NEWER, "eu")).unwrap();
    let names: Vec<_> = written.packs.iter().map(|p| (p.name.as_str(), p.kind)).collect();
    assert_eq!(
        names,
        [
            ("eu/p-0000.pack", PackRecordKind::Objects),
            ("eu/i-0000.pack", PackRecordKind::Index),
            ("eu/p-0001.pack", PackRecordKind::Objects),
            ("eu/i-0001.pack", PackRecordKind::Index),
        ]
    );
    assert_eq!(written.objects, 2 * OBJECTS as u64);
    assert_eq!(
        written.bytes,
        batches(NEWER).iter().map(|b| b.raw_bytes).sum::<u64>()
    );
    for pack in &written.packs {
        let stored = &memory.contents()[&format!("shop/points/{NEWER}/{}", pack.name)];
        assert_eq!(stored.len() as u64, pack.bytes);
        assert_eq!(lifeboat_format::Sha256::of(stored), pack.sha256);
        assert_eq!(pack.key, "k-eu");
    }
}

#[test]
fn a_cluster_without_objects_has_no_packs() {
    let memory = MemoryStore::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    let mut writer = writer(&store, NEWER, "eu").unwrap();
    wait(writer.append(batch("Pod", "pods", 0..0, NEWER))).unwrap();
    let written = wait(writer.finish()).unwrap();
    assert!(written.packs.is_empty() && memory.contents().is_empty());
}

#[test]
fn no_plaintext_and_no_key_reaches_the_store() {
    let memory = MemoryStore::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    wait(backup(&store, NEWER)).unwrap();
    let data_key: Vec<u8> = (0..32).collect();
    for (name, bytes) in memory.contents() {
        for secret in [b"configmap-3".as_slice(), b"apiVersion", &data_key] {
            let found = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "{name} shows {}", String::from_utf8_lossy(secret));
        }
    }
}

#[test]
fn giving_up_leaves_nothing() {
    let memory = MemoryStore::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    let mut writer = writer(&store, NEWER, "eu").unwrap();
    for batch in batches(NEWER) {
        wait(writer.append(batch)).unwrap();
    }
    assert!(!memory.contents().is_empty());
    wait(writer.abort()).unwrap();
    assert!(memory.contents().is_empty());
}

#[test]
fn a_writer_that_failed_makes_no_packs_with_holes() {
    let failing = FailingStore::new(MemoryStore::new(), Fault::at(2, Moment::Before));
    let store: Arc<dyn ObjectStore> = Arc::new(failing);
    let mut writer = writer(&store, NEWER, "eu").unwrap();
    let mut batches = batches(NEWER).into_iter();
    let error = wait(writer.append(batches.next().unwrap())).unwrap_err();
    assert_eq!(error.code(), Code::StoreFailed);
    let again = wait(writer.append(batches.next().unwrap())).unwrap_err();
    assert!(matches!(again, WriteError::Broken), "{again:?}");
    assert!(matches!(wait(writer.finish()), Err(WriteError::Broken)));
}

/// A store that records the sizes of uploaded pieces and discards their content.
#[derive(Default, Clone)]
struct Noting(Arc<Mutex<Vec<usize>>>);

#[async_trait]
impl Upload for Noting {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.0.lock().unwrap().push(bytes.len());
        Ok(())
    }
    async fn finish(self: Box<Self>) -> Result<ETag, StoreError> {
        Ok(ETag::new("x"))
    }
    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for Noting {
    async fn put_new(&self, _: &ObjectKey, _: Bytes) -> Result<ETag, StoreError> {
        unreachable!("packs are uploaded")
    }
    async fn replace(&self, _: &ObjectKey, _: &ETag, _: Bytes) -> Result<ETag, StoreError> {
        unreachable!("packs are uploaded")
    }
    async fn get(&self, _: &ObjectKey) -> Result<(Bytes, ETag), StoreError> {
        unreachable!("a writer does not read")
    }
    async fn get_range(&self, _: &ObjectKey, _: Range<u64>) -> Result<Bytes, StoreError> {
        unreachable!("a writer does not read")
    }
    async fn head(&self, _: &ObjectKey) -> Result<ObjectInfo, StoreError> {
        unreachable!("a writer does not read")
    }
    async fn list(&self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<Listed>, StoreError> {
        unreachable!("a writer does not read")
    }
    async fn list_folders_after(
        &self,
        _: &str,
        _: Option<&str>,
        _: usize,
    ) -> Result<Vec<String>, StoreError> {
        unreachable!("a writer does not read")
    }
    async fn delete(&self, _: &ObjectKey) -> Result<(), StoreError> {
        unreachable!("a writer does not delete")
    }
    async fn upload(&self, _: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(self.clone()))
    }
}

#[test]
fn what_waits_in_memory_does_not_grow_with_the_cluster() {
    let noting = Noting::default();
    let pieces = Arc::clone(&noting.0);
    let mut writer = PointWriter::create(
        Arc::new(noting),
        &shop(),
        &point(NEWER),
        &cluster("eu"),
        &[recipient()],
        &Counting::default(),
    )
    .unwrap();
    // Incompressible frames of 200 kB: 60 MB, far more than one piece and less than one pack.
    let mut frame = batch("Secret", "secrets", 0..OBJECTS, NEWER);
    frame.compressed = vec![7; 200_000];
    for _ in 0..300 {
        wait(writer.append(frame.clone())).unwrap();
    }
    let pieces = pieces.lock().unwrap();
    let (sent, largest) = (pieces.iter().sum::<usize>(), *pieces.iter().max().unwrap());
    let limit = lifeboat_recovery_point::writer::PIECE + 200_100;
    assert!(largest <= limit, "a piece of {largest} bytes");
    assert!(sent + 2 * limit >= 300 * 200_000, "{sent} bytes were sent");
}
