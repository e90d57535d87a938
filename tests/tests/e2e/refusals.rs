//! Invalid recovery points and wrong keys are rejected before the target is changed.

use std::path::{Path, PathBuf};

use lifeboat_local::Cluster;
use lifeboat_tests::child;
use lifeboat_tests::workspace::Workspace;

use crate::support::{bare, copy, fill, kubeconfig, point_folders, snapshot, written};

const OBJECTS: usize = 120;

#[test]
fn what_is_not_right_is_refused_and_nothing_is_written() {
    let source = bare("refusal-source");
    fill(&source, OBJECTS);
    let workspace = Workspace::create().unwrap();
    let from = kubeconfig(&source);
    let backup = ["backup", "--cluster", "primary", "--kubeconfig", &from];
    workspace.json(&backup, &[0]).unwrap();
    workspace.json(&backup, &[0]).unwrap();
    drop(source);
    let target = bare("refusal-target");
    let before = snapshot(&target);

    flipped_bytes(&workspace, &target);
    latest_passes_over_a_forged_manifest(&workspace);
    cut_and_swapped_files(&workspace, &target);
    wrong_keys(&workspace, &target);

    assert_eq!(written(&before, &snapshot(&target)), Vec::<String>::new());
}

/// Restores the newest recovery point from another store. It must fail with one of `codes`.
fn refused(
    workspace: &Workspace,
    store: &Path,
    target: &Cluster,
    exit: i32,
    codes: &[&str],
    what: &str,
) -> String {
    let to = kubeconfig(target);
    let newest = point_folders(workspace).0.pop().expect("two backups were made");
    let mut command = workspace.lifeboat(&["restore", &newest, "--kubeconfig", &to]);
    command.env("LIFEBOAT_STORE", store);
    let run = child::run(&mut command).unwrap();
    assert_eq!(run.code, Some(exit), "{what}: {}{}", run.stdout, run.stderr);
    assert!(
        codes.iter().any(|code| run.stderr.contains(code)),
        "{what}: one of {codes:?} was expected: {}",
        run.stderr
    );
    assert!(!run.stderr.contains("panicked"), "{what}: {}", run.stderr);
    run.stderr
}

/// A copy of the store that the test damages.
struct Copy {
    folder: tempfile::TempDir,
    points: Vec<String>,
}

impl Copy {
    fn of(workspace: &Workspace) -> Self {
        let folder = tempfile::tempdir_in(workspace.path()).unwrap();
        copy(&workspace.store(), folder.path());
        Self {
            folder,
            points: point_folders(workspace).0,
        }
    }

    fn point(&self, number: usize) -> PathBuf {
        self.folder
            .path()
            .join("shop")
            .join("points")
            .join(&self.points[number])
    }

    fn latest(&self) -> PathBuf {
        self.point(self.points.len() - 1)
    }
}

/// Returns the files of a recovery point, relative to its folder.
fn files(point: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![point.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(point).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn flipped_bytes(workspace: &Workspace, target: &Cluster) {
    let whole = Copy::of(workspace);
    for file in files(&whole.latest()) {
        let size = std::fs::metadata(whole.latest().join(&file)).unwrap().len();
        for at in [0, size / 2, size - 1] {
            let damaged = Copy::of(workspace);
            let path = damaged.latest().join(&file);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[usize::try_from(at).unwrap()] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            let what = format!("{} flipped at {at}", file.display());
            let codes = ["LB-0502", "LB-0503", "LB-0504", "LB-0505", "LB-0506"];
            let said = refused(workspace, damaged.folder.path(), target, 5, &codes, &what);
            let name = file.file_name().unwrap().to_string_lossy();
            assert!(said.contains(&*name), "{what}: the file is not named: {said}");
        }
    }
}

/// `latest` is the newest recovery point whose manifest can be trusted, and names what it passes over.
fn latest_passes_over_a_forged_manifest(workspace: &Workspace) {
    let damaged = Copy::of(workspace);
    std::fs::write(damaged.latest().join("manifest.json"), "{}").unwrap();
    let mut command = workspace.lifeboat(&["show", "latest"]);
    command.env("LIFEBOAT_STORE", damaged.folder.path());
    let run = child::run(&mut command).unwrap();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains(&damaged.points[0]), "{}", run.stdout);
    let newest = damaged.points.last().unwrap();
    assert!(
        run.stderr.contains("passes over")
            && run.stderr.contains(newest.as_str())
            && run.stderr.contains("LB-0506"),
        "{}",
        run.stderr
    );
}

fn cut_and_swapped_files(workspace: &Workspace, target: &Cluster) {
    let names = files(&Copy::of(workspace).latest());
    let pack = names
        .iter()
        .find(|file| file.to_string_lossy().contains("p-0000"))
        .expect("a point has a pack");

    let damaged = Copy::of(workspace);
    let path = damaged.latest().join(pack);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    refused(
        workspace,
        damaged.folder.path(),
        target,
        5,
        &["LB-0503", "LB-0504"],
        "a cut pack",
    );

    let damaged = Copy::of(workspace);
    std::fs::remove_file(damaged.latest().join(pack)).unwrap();
    refused(
        workspace,
        damaged.folder.path(),
        target,
        5,
        &["LB-0509"],
        "a missing pack",
    );

    let damaged = Copy::of(workspace);
    std::fs::copy(damaged.point(0).join(pack), damaged.latest().join(pack)).unwrap();
    refused(
        workspace,
        damaged.folder.path(),
        target,
        5,
        &["LB-0503"],
        "another point's pack",
    );

    let damaged = Copy::of(workspace);
    std::fs::remove_dir_all(damaged.latest()).unwrap();
    copy(&damaged.point(0), &damaged.latest());
    refused(
        workspace,
        damaged.folder.path(),
        target,
        5,
        &["LB-0507"],
        "a point under another name",
    );
}

fn wrong_keys(workspace: &Workspace, target: &Cluster) {
    let stranger = Workspace::create().unwrap();
    let to = kubeconfig(target);
    let run = |variable: &str, file: PathBuf| {
        let mut command = workspace.lifeboat(&["restore", "latest", "--kubeconfig", &to]);
        command.env(variable, file);
        child::run(&mut command).unwrap()
    };
    for (what, variable, file, exit, code) in [
        (
            "another signer",
            "LIFEBOAT_VERIFY_KEY",
            stranger.keys().join("signing.pub.pem"),
            5,
            "LB-0502",
        ),
        (
            "another recovery key",
            "LIFEBOAT_RECOVERY_KEY",
            stranger.keys().join("recovery.key.pem"),
            9,
            "LB-0404",
        ),
        (
            "the public half",
            "LIFEBOAT_RECOVERY_KEY",
            workspace.keys().join("recovery.pub.pem"),
            9,
            "LB-0402",
        ),
        (
            "a key of another sort",
            "LIFEBOAT_RECOVERY_KEY",
            workspace.keys().join("signing.key.pem"),
            9,
            "LB-0403",
        ),
        (
            "no key",
            "LIFEBOAT_RECOVERY_KEY",
            workspace.keys().join("nothing.pem"),
            9,
            "LB-0401",
        ),
    ] {
        let run = run(variable, file);
        assert_eq!(run.code, Some(exit), "{what}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(code), "{what}: {}", run.stderr);
    }
}
