//! Answers that are lost: the write took effect, the SDK repeats it, S3 refuses it.

use bytes::Bytes;
use lifeboat_model::{Diagnostic as _, ErrorKind, ObjectKey};
use lifeboat_store::ports::{ETag, ObjectStore};

use crate::fault_proxy::FaultProxy;
use crate::fixture::{bucket, context_at, run, store_at};

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

#[test]
fn a_write_whose_answer_was_lost_is_not_called_a_conflict() {
    run(async {
        let road = FaultProxy::open().await;
        let store = store_at(&context_at(road.endpoint()), bucket().await);
        let name = key("claim-0001.json");
        road.lose(1);
        let first = store.put_new(&name, Bytes::from_static(b"mine")).await.unwrap();
        assert_eq!(road.left(), 0);
        assert_eq!(store.head(&name).await.unwrap().etag, first);

        // The same bytes written by another call must be a conflict, whether or not the answer is lost.
        road.lose(1);
        let error = store
            .put_new(&name, Bytes::from_static(b"mine"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");

        road.lose(2);
        let second = store
            .replace(&name, &first, Bytes::from_static(b"newer"))
            .await
            .unwrap();
        assert_eq!(
            store.get(&name).await.unwrap(),
            (Bytes::from_static(b"newer"), second)
        );
        road.lose(1);
        let error = store
            .replace(&name, &first, Bytes::from_static(b"late"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
        store.delete(&name).await.unwrap();
        road.lose(1);
        let error = store
            .replace(&name, &ETag::new("\"gone\""), Bytes::new())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    });
}

#[test]
fn an_upload_whose_last_answer_was_lost_is_finished() {
    run(async {
        let road = FaultProxy::open().await;
        let store = store_at(&context_at(road.endpoint()), bucket().await);
        for (name, mebibytes) in [("small", 1), ("large", 20)] {
            let name = key(name);
            let mut upload = store.upload(&name).await.unwrap();
            for number in 0..mebibytes {
                upload.write(Bytes::from(vec![number; 1 << 20])).await.unwrap();
            }
            // For an upload in parts, the answers to the last part and to the completion are lost.
            road.lose(2);
            let etag = upload.finish().await.unwrap();
            let (bytes, read) = store.get(&name).await.unwrap();
            assert_eq!((bytes.len(), read), (usize::from(mebibytes) << 20, etag));
        }
    });
}
