//! The archive that `infra/dist` creates from an existing build of the profile dev: the same as
//! that of `make dist`, except for the programs in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Creates the archive, and returns it with the files next to it.
fn made(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let test = std::env::current_exe().unwrap();
    // target/debug/deps/PROGRAM
    let target = test.ancestors().nth(3).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/dist");
    let mut command = Command::new(script);
    command.arg("--built").arg("--out").arg(out);
    let output = command.env("CARGO_TARGET_DIR", target).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect()
}

fn unpack(archive: &[u8], folder: &Path) -> PathBuf {
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(archive)
        .read_to_end(&mut unpacked)
        .unwrap();
    let mut names = Vec::new();
    for entry in tar::Archive::new(unpacked.as_slice()).entries().unwrap() {
        let header = entry.unwrap().header().clone();
        names.push(header.path().unwrap().to_str().unwrap().to_owned());
        assert_eq!(
            (header.uid().unwrap(), header.gid().unwrap()),
            (0, 0),
            "nobody of this machine"
        );
    }
    assert!(names.is_sorted(), "{names:?}");
    tar::Archive::new(unpacked.as_slice()).unpack(folder).unwrap();
    let top = names[0].split('/').next().unwrap();
    folder.join(top)
}

fn sums_hold(folder: &Path) {
    let mut command = Command::new("sha256sum");
    let output = command
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn an_archive_is_the_same_each_time_and_holds_what_a_user_needs() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("dist");
    let first = made(&out);
    sums_hold(&out);
    assert!(first == made(&out), "the same commit gives the same bytes");

    let (name, archive) = first.iter().find(|(name, _)| name.ends_with(".tar.gz")).unwrap();
    let installed = unpack(archive, folder.path());
    assert_eq!(
        format!("{}.tar.gz", installed.file_name().unwrap().to_str().unwrap()),
        *name
    );
    sums_hold(&installed);
    for file in [
        "completions/lifeboat.bash",
        "man/lifeboat-deploy-recovery.1",
        "cloudformation/control.yaml",
        "LICENSE",
        "README.md",
    ] {
        assert!(installed.join(file).exists(), "{file}");
    }
    let architecture = name.trim_end_matches(".tar.gz").rsplit('-').next().unwrap();
    for function in ["lifeboat-coordinator", "lifeboat-delegate"] {
        let zip = fs::read(installed.join(format!("functions/{architecture}/{function}.zip"))).unwrap();
        let label = format!(
            "lifeboat-version{function} {} {architecture}\n",
            env!("CARGO_PKG_VERSION")
        );
        // The name of the first entry, followed by its content.
        assert_eq!(&zip[30..30 + label.len()], label.as_bytes());
    }
    for program in ["lifeboat", "kubectl-lifeboat"] {
        let output = Command::new(installed.join(program))
            .arg("--version")
            .env_clear()
            .output()
            .unwrap();
        let version = String::from_utf8(output.stdout).unwrap();
        assert!(
            version.contains(env!("CARGO_PKG_VERSION")) && version.contains("commit: "),
            "{version}"
        );
    }

    let sbom: Value = serde_json::from_slice(&first["lifeboat.cdx.json"]).unwrap();
    assert_eq!(
        (&sbom["bomFormat"], &sbom["specVersion"]),
        (&"CycloneDX".into(), &"1.6".into())
    );
    let components = sbom["components"].as_array().unwrap();
    let known: Vec<&Value> = components.iter().map(|component| &component["bom-ref"]).collect();
    assert!(known.len() > 150, "{} components", known.len());
    for component in components {
        let is_ours = component["name"].as_str().unwrap().starts_with("lifeboat-");
        assert!(
            is_ours || component["hashes"][0]["content"].is_string(),
            "{component}"
        );
        assert!(component["licenses"][0]["expression"].is_string(), "{component}");
    }
    for dependency in sbom["dependencies"].as_array().unwrap() {
        for needed in dependency["dependsOn"].as_array().unwrap() {
            assert!(known.contains(&needed), "{needed}");
        }
    }

    let sums = String::from_utf8(first["SHA256SUMS"].clone()).unwrap();
    let sum = sums
        .lines()
        .find_map(|line| line.strip_suffix(name.as_str()))
        .unwrap()
        .trim();
    let manifest = String::from_utf8(first["lifeboat.yaml"].clone()).unwrap();
    assert!(manifest.contains(sum) && manifest.contains(name), "{manifest}");
}
