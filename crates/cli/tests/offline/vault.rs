//! Recovery points without the coordinator: a copy of the vault in a folder, and what is refused before a vault is read.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::prepared;
use crate::run::Place;

/// The point of the fixture. It was made by a version that did not put the public signing key into the manifest.
const POINT: &str = "20261121T110000Z-bbbbbb";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../recovery-point/tests/fixtures")
}

fn key(name: &str) -> String {
    fixtures().join("point-v1/keys").join(name).display().to_string()
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Returns every file below a folder with its content and the time of its last change.
fn contents(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let changed = fs::metadata(&folder).unwrap().modified().unwrap();
        found.insert(folder.clone(), (Vec::new(), changed));
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let changed = fs::metadata(&path).unwrap().modified().unwrap();
                found.insert(path.clone(), (fs::read(&path).unwrap(), changed));
            }
        }
    }
    found
}

/// Creates a place with a copy of a vault on a disk.
fn with_copy() -> Place {
    let place = Place::new();
    copy(&fixtures().join("point-v2/store"), &place.path().join("copy"));
    place
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[track_caller]
fn refused(output: &Output, exit: i32, all: &[&str]) {
    let text = text(output);
    assert_eq!(output.status.code(), Some(exit), "{text}");
    assert!(output.stdout.is_empty(), "{text}");
    for what in all {
        assert!(text.contains(what), "{what}: {text}");
    }
}

#[test]
fn a_copy_of_the_vault_on_a_disk_and_the_keys_are_enough_and_nothing_is_written() {
    let place = with_copy();
    let before = contents(&place.path().join("copy"));
    let (signer, recovery) = (key("signing.pub.pem"), key("recovery.key.pem"));
    let from = format!("--progress never --vault copy --application shop --verify-key {signer}");
    let unlocked = format!("{from} --recovery-key {recovery}");
    for (line, says) in [
        (format!("points {from}"), POINT),
        (format!("show latest {from}"), "(verified)"),
        (format!("verify latest {from}"), "not decrypted"),
        (format!("verify latest {unlocked}"), "decrypted and compared"),
        (
            format!("cat latest configmap/configmap-3 --cluster eu {unlocked}"),
            "name: configmap-3",
        ),
        (
            format!("diff latest latest --cluster eu {unlocked}"),
            "0 added, 0 removed, 0 changed",
        ),
    ] {
        let output = place.run(&line);
        assert!(output.status.success(), "{line}: {}", text(&output));
        assert!(text(&output).contains(says), "{line}: {}", text(&output));
    }
    assert_eq!(contents(&place.path().join("copy")), before);
}

#[test]
fn without_a_trusted_key_the_signer_that_the_points_state_is_named_and_nothing_is_shown() {
    let place = with_copy();
    let manifest = place
        .path()
        .join(format!("copy/shop/points/{POINT}/manifest.json"));
    let manifest: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    let stated = manifest["signatures"][0]["keyid"].as_str().unwrap();
    let from = "--progress never --store copy --application shop";
    let recovery = key("recovery.key.pem");
    for line in [
        format!("points {from}"),
        format!("show latest {from}"),
        format!("cat latest configmap/x {from} --recovery-key {recovery}"),
        format!("restore latest {from} --recovery-key {recovery}"),
    ] {
        let option = format!("--verify-key {stated}");
        let says = ["LB-0406", POINT, "was not verified", option.as_str()];
        refused(&place.run(&line), 9, &says);
    }
    // The key itself is not in this point, so that its fingerprint does not find it.
    let line = format!("points {from} --verify-key {stated}");
    refused(&place.run(&line), 9, &["LB-0406", stated, "older lifeboat"]);
    let empty = "points --progress never --store copy --application nobody";
    refused(&place.run(empty), 9, &["LB-0406", "signingKey"]);
}

#[test]
fn what_latest_passes_over_is_named_even_without_progress() {
    let place = with_copy();
    let points = place.path().join("copy/shop/points");
    let newer = "20261122T110000Z-cccccc";
    copy(&points.join(POINT), &points.join(newer));
    let signer = key("signing.pub.pem");
    let output = place.run(&format!(
        "show latest --progress never --store copy --application shop --verify-key {signer}"
    ));
    assert!(output.status.success(), "{}", text(&output));
    let warning = String::from_utf8_lossy(&output.stderr);
    assert!(
        warning.contains("passes over") && warning.contains(newer) && warning.contains("LB-0507"),
        "{warning}"
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains(POINT));
}

#[test]
fn what_is_missing_to_read_a_vault_is_named() {
    let place = with_copy();
    let signer = key("signing.pub.pem");
    let from = format!("--progress never --store copy --verify-key {signer}");
    // The application is not the default one.
    let output = place.run(&format!("points {from}"));
    assert!(text(&output).contains("points of shop"), "{}", text(&output));
    let recovery = key("recovery.key.pem");
    let line = format!("cat latest configmap/x {from} --recovery-key {recovery}");
    refused(&place.run(&line), 2, &["LB-0501", "copy contains shop"]);
    let line = format!("cat latest configmap/x {from} --application shop");
    refused(&place.run(&line), 2, &["LB-0010", "--recovery-key"]);

    let place = prepared();
    let from = "--progress never --store s3://lifeboat-vault-222222222222-eu-central-1";
    let line = format!("points {from} --verify-key keys/signing.pub.pem");
    refused(&place.run(&line), 12, &["LB-1001", "--region"]);
    let line = format!("points {from} --verify-key keys/no.pem");
    refused(&place.run(&line), 9, &["LB-0401", "keys/no.pem"]);
    let line = "points --store gs://vault --verify-key keys/signing.pub.pem";
    refused(&place.run(line), 2, &["LB-0010", "s3://BUCKET"]);
    let line = "backup --store s3://vault-of-ours --recovery-public-key keys/recovery.pub.pem \
        --signing-key keys/signing.key.pem";
    refused(&place.run(line), 2, &["LB-0010", "lifeboat application backup"]);
}
