//! Recovery points with descriptions of AWS resources.

use std::sync::Arc;

use bytes::Bytes;
use lifeboat_format::manifest::{Completeness, Predicate, ResourceRecord, UnreadRecord};
use lifeboat_model::{AccountId, Code, Diagnostic as _, ObjectKey, Region};
use lifeboat_recovery_point::{
    CapturedInfrastructure, DescribedInfrastructure, PointError, Silent, seal, write_descriptions,
};
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::ObjectStore;

use crate::sample::*;

pub(crate) const DOCUMENT: &str = r#"{"format":"lifeboat.dev/aws-descriptions/v1","account":"111111111111","region":"eu-west-1","vpcs":[{"vpcId":"vpc-0123456789abcdef0","cidrBlock":"10.0.0.0/16"}]}"#;

pub(crate) fn described() -> DescribedInfrastructure {
    DescribedInfrastructure {
        account: AccountId::parse("111111111111").unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
        described_at: "2026-11-21T10:00:07Z".parse().unwrap(),
        resources: vec![ResourceRecord {
            r#type: "AWS::EC2::VPC".to_owned(),
            id: "vpc-0123456789abcdef0".to_owned(),
        }],
        missing: Vec::new(),
        absent: Vec::new(),
        document: Bytes::from_static(DOCUMENT.as_bytes()),
    }
}

fn unread() -> UnreadRecord {
    UnreadRecord {
        resource: "arn:aws:iam::111111111111:role/nodes".to_owned(),
        call: "iam:GetRole".to_owned(),
        code: "AccessDenied".to_owned(),
    }
}

pub(crate) async fn written(
    store: &Arc<dyn ObjectStore>,
    point_id: &str,
    described: DescribedInfrastructure,
) -> CapturedInfrastructure {
    write_descriptions(
        store.as_ref(),
        &shop(),
        &point(point_id),
        1,
        described,
        &[recipient()],
        &Counting::default(),
    )
    .await
    .unwrap()
}

/// Returns a predicate of one cluster with the infrastructure.
pub(crate) async fn with_infrastructure(
    store: &Arc<dyn ObjectStore>,
    described: DescribedInfrastructure,
) -> Predicate {
    let packs = capture(store, NEWER, "eu").await.unwrap();
    let mut predicate = predicate(NEWER, &[("eu", &packs)]);
    let captured = written(store, NEWER, described).await;
    predicate.keys.extend(captured.key);
    predicate.infrastructure = Some(captured.record);
    if predicate.is_incomplete() {
        predicate.completeness = Completeness::Partial;
    }
    predicate
}

async fn sealed(store: &Arc<dyn ObjectStore>, described: DescribedInfrastructure) -> Completeness {
    let predicate = with_infrastructure(store, described).await;
    let sealed = seal(store.as_ref(), &signer(), predicate).await.unwrap();
    sealed.statement.predicate.completeness
}

async fn read(store: &Arc<dyn ObjectStore>) -> Result<Option<Bytes>, PointError> {
    let opened = vault(store).open(&point(NEWER), &verifying()).await?;
    opened.verify_digests(&Silent).await?;
    let readable = opened.decrypt(&unwrapper()).await?;
    readable.verify_contents(&Silent).await?;
    readable.descriptions(&Silent).await
}

#[test]
fn descriptions_are_read_back_as_they_were_written() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    wait(async {
        assert_eq!(sealed(&store, described()).await, Completeness::Complete);
        assert_eq!(read(&store).await.unwrap().unwrap(), DOCUMENT);
    });
}

#[test]
fn a_point_without_descriptions_has_none() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    wait(async {
        backup(&store, NEWER).await.unwrap();
        assert_eq!(read(&store).await.unwrap(), None);
    });
}

#[test]
fn what_was_not_read_makes_a_point_partial_and_what_does_not_exist_does_not() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    wait(async {
        let mut absent = described();
        absent.absent.push(unread());
        assert_eq!(sealed(&store, absent).await, Completeness::Complete);
    });
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    wait(async {
        // Nothing was described: there is no file.
        let mut nothing = described();
        nothing.resources.clear();
        nothing.document = Bytes::new();
        nothing.missing.push(unread());
        assert_eq!(sealed(&store, nothing).await, Completeness::Partial);
        assert_eq!(read(&store).await.unwrap(), None);
    });
}

#[test]
fn nothing_of_the_descriptions_is_in_the_store_unencrypted() {
    let memory = MemoryStore::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    wait(async { sealed(&store, described()).await });
    for (key, bytes) in memory.contents() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("10.0.0.0/16"), "{key}");
    }
}

#[test]
fn changed_descriptions_are_refused() {
    let memory = MemoryStore::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    let key = ObjectKey::parse(format!("shop/points/{NEWER}/_infrastructure/d-0001.pack")).unwrap();
    wait(async {
        sealed(&store, described()).await;
        let mut changed = store.get(&key).await.unwrap().0.to_vec();
        changed[30] ^= 1;
        memory.overwrite(&key, changed.into());
        assert_eq!(read(&store).await.unwrap_err().code(), Code::DigestMismatch);
        // A reader that does not compare digests finds it as well.
        let opened = vault(&store).open(&point(NEWER), &verifying()).await.unwrap();
        let readable = opened.decrypt(&unwrapper()).await.unwrap();
        let error = readable.descriptions(&Silent).await.unwrap_err();
        assert_eq!(error.code(), Code::PackCorrupt);
        store.delete(&key).await.unwrap();
        assert_eq!(read(&store).await.unwrap_err().code(), Code::PackMissing);
    });
}

#[test]
fn descriptions_of_another_point_are_refused() {
    let memory = MemoryStore::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    wait(async {
        // The same data key, application and name: only the point differs.
        let mut predicate = with_infrastructure(&store, described()).await;
        let other = written(&store, OLDER, described()).await;
        let file =
            |id: &str| ObjectKey::parse(format!("shop/points/{id}/_infrastructure/d-0001.pack")).unwrap();
        let moved = store.get(&file(OLDER)).await.unwrap().0;
        memory.overwrite(&file(NEWER), moved);
        predicate.infrastructure.as_mut().unwrap().pack = other.record.pack;
        seal(store.as_ref(), &signer(), predicate).await.unwrap();
        assert_eq!(read(&store).await.unwrap_err().code(), Code::PackCorrupt);
    });
}
