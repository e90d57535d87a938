#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use lifeboat_model::{Code, Diagnostic as _};
use lifeboat_store::conformance;
use tempfile::TempDir;

use super::*;
use crate::tiny_disk::TinyDisk;

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

/// Whether this process ignores permissions, so that they cannot be tested.
fn is_root(folder: &Path) -> bool {
    let probe = folder.join("probe");
    fs::create_dir(&probe).unwrap();
    fs::set_permissions(&probe, fs::Permissions::from_mode(0o000)).unwrap();
    let root = fs::read_dir(&probe).is_ok();
    fs::set_permissions(&probe, fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_dir(&probe).unwrap();
    root
}

/// Runs one test of this program again as an unprivileged user.
fn as_nobody(test: &str) {
    const NOBODY: u32 = 65534;
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("tests");
    // The build folder may not be accessible to other users.
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let output = Command::new(program)
        .args(["--exact", test])
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
fn the_folder_store_conforms() {
    let folders = TempDir::new().unwrap();
    let count = AtomicU64::new(0);
    wait(conformance::all(&|| {
        let name = count.fetch_add(1, Ordering::Relaxed).to_string();
        Box::new(FolderStore::create(folders.path().join(name)).unwrap())
    }));
}

#[test]
fn a_store_is_not_made_unless_asked() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing");
    let error = FolderStore::open(&missing).unwrap_err();
    assert_eq!(error.code(), Code::StoreNotFound);
    assert!(
        error.to_string().ends_with("missing: the folder does not exist"),
        "{error}"
    );
    assert!(!missing.exists());
    FolderStore::create(missing.join("deeper")).unwrap();
    let mode = fs::metadata(&missing).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_file_is_no_store() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("below")] {
        for opened in [FolderStore::open(&path), FolderStore::create(&path)] {
            let error = opened.unwrap_err();
            assert_eq!(error.code(), Code::StoreNotFound, "{}: {error}", path.display());
            assert!(error.to_string().contains("file, not a folder"), "{error}");
        }
    }
    assert_eq!(fs::read(&file).unwrap(), b"x");
}

#[test]
fn a_store_that_vanishes_is_not_taken_for_an_empty_one() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("store");
    let store = FolderStore::create(&root).unwrap();
    fs::remove_dir(&root).unwrap();
    let listing = wait(store.list("", None, 1)).unwrap_err();
    assert_eq!(listing.code(), Code::StoreNotFound);
    assert_eq!(
        wait(store.list_folders("")).unwrap_err().code(),
        Code::StoreNotFound
    );
    wait(store.put_new(&key("a/b"), Bytes::new())).unwrap_err();
    assert!(!root.exists());
}

#[test]
fn files_and_folders_belong_to_their_owner_alone() {
    let folder = TempDir::new().unwrap();
    let store = FolderStore::open(folder.path()).unwrap();
    wait(async {
        store
            .put_new(&key("shop/points/1/m"), Bytes::new())
            .await
            .unwrap();
        let mut upload = store.upload(&key("shop/points/1/p")).await.unwrap();
        upload.write(Bytes::from_static(b"x")).await.unwrap();
        upload.finish().await.unwrap();
    });
    for (path, expected) in [
        ("shop", 0o700),
        ("shop/.tmp", 0o700),
        ("shop/points/1", 0o700),
        ("shop/points/1/m", 0o600),
        ("shop/points/1/p", 0o600),
    ] {
        let mode = fs::metadata(folder.path().join(path))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, expected, "{path}");
    }
    assert_eq!(fs::read_dir(folder.path().join("shop/.tmp")).unwrap().count(), 0);
}

#[test]
fn a_refused_folder_is_named_with_its_code() {
    let folder = TempDir::new().unwrap();
    if is_root(folder.path()) {
        return as_nobody("store::tests::a_refused_folder_is_named_with_its_code");
    }
    let store = FolderStore::open(folder.path()).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let error = wait(store.put_new(&key("a/b"), Bytes::new())).unwrap_err();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(error.code(), Code::StoreDenied, "{error}");
}

#[test]
fn what_no_key_can_name_is_not_listed() {
    let folder = TempDir::new().unwrap();
    for name in [".hidden", "with space", "ünicode"] {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    std::os::unix::fs::symlink("..", folder.path().join("loop")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("broken")).unwrap();
    let store = FolderStore::open(folder.path()).unwrap();
    wait(store.put_new(&key("a"), Bytes::new())).unwrap();
    let listed = wait(store.list("", None, 10)).unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let Some(disk) = TinyDisk::mount("size=64k") else {
        return;
    };
    let store = FolderStore::open(disk.path()).unwrap();
    wait(async {
        let small = Bytes::from_static(b"kept");
        store.put_new(&key("shop/small"), small.clone()).await.unwrap();
        let large = Bytes::from(vec![7; 256 * 1024]);
        let error = store
            .put_new(&key("shop/large"), large.clone())
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::StoreFull, "{error:?}");
        let mut upload = store.upload(&key("shop/upload")).await.unwrap();
        let error = upload.write(large).await.unwrap_err();
        assert_eq!(error.code(), Code::StoreFull, "{error:?}");
        upload.finish().await.unwrap_err();
        assert_eq!(store.list("", None, 10).await.unwrap().len(), 1);
        assert_eq!(store.get(&key("shop/small")).await.unwrap().0, small);
        // The space that the failed attempts used must be free again.
        let again = Bytes::from(vec![8; 16 * 1024]);
        store.put_new(&key("shop/again"), again).await.unwrap();
    });
}

#[test]
fn a_disk_that_may_only_be_read_is_denied_access() {
    let Some(disk) = TinyDisk::mount("ro,size=64k") else {
        return;
    };
    let store = FolderStore::open(disk.path()).unwrap();
    let error = wait(store.put_new(&key("shop/x"), Bytes::new())).unwrap_err();
    assert_eq!(error.code(), Code::StoreDenied, "{error:?}");
    let error = wait(store.upload(&key("shop/x"))).err().unwrap();
    assert_eq!(error.code(), Code::StoreDenied, "{error:?}");
}
