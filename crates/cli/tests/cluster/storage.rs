//! Folders without permission and full disks: one clear error, and no partly written files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use lifeboat_local::{Cluster, skip};

use crate::operator::Operator;
use crate::{APPLICATION, cluster};

/// The user ID of `nobody` on Unix, to which the permissions of files apply.
const NOBODY: u32 = 65534;

/// The allocation unit of a tmpfs, in bytes.
const PAGE: usize = 4096;

#[test]
fn a_store_that_refuses_is_named_and_left_as_it_was() {
    let cluster = cluster("cli-storage");
    cluster.apply(APPLICATION).unwrap();
    folders_without_permission(&cluster);
    full_disks(&cluster);
    files_that_may_not_grow(&cluster);
}

/// An operator to whom file permissions apply, even if the tests run as root.
struct Unprivileged {
    operator: Operator,
    program: PathBuf,
    root: bool,
}

impl Unprivileged {
    fn new(cluster: &Cluster) -> Self {
        let operator = Operator::new();
        fs::copy(cluster.kubeconfig(), operator.path().join("config")).unwrap();
        // Other users may not have access to the folder of the build.
        let program = operator.path().join("lifeboat");
        fs::copy(env!("CARGO_BIN_EXE_lifeboat"), &program).unwrap();
        let root = fs::metadata(operator.path()).unwrap().uid() == 0;
        if root {
            for file in std::iter::once(operator.path().to_owned()).chain(below(operator.path())) {
                chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        Self {
            operator,
            program,
            root,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.operator.path().join(name)
    }

    /// Creates a folder of the operator with these permissions.
    fn folder(&self, name: &str, mode: u32) {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        if self.root {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        self.permit(name, mode);
    }

    fn permit(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn run(&self, line: &str) -> Ended {
        let known = self.operator.lifeboat(line);
        let mut command = Command::new(&self.program);
        command.args(known.get_args()).env_clear();
        command.envs(known.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.operator.path());
        if self.root {
            // This also drops every supplementary group.
            command.uid(NOBODY).gid(NOBODY);
        }
        Ended::of(command, line)
    }
}

/// The outcome of a run.
struct Ended {
    line: String,
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn of(mut command: Command, line: &str) -> Self {
        let output = command.output().unwrap();
        Self {
            line: line.to_owned(),
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn succeeded(&self) {
        assert_eq!(self.code, Some(0), "{}: {}{}", self.line, self.out, self.err);
    }

    /// Asserts one error message that begins with the code and contains the remedy, exit code 8, and no document.
    fn refused(&self, code: &str, remedy: &str) {
        let Self { line, out, err, .. } = self;
        assert_eq!(self.code, Some(8), "{line}: {out}{err}");
        assert_eq!(out, "", "{line}");
        assert!(err.starts_with(code) && err.contains(remedy), "{line}: {err}");
        assert!(
            err.matches("LB-").count() == 1 && err.contains("fix: "),
            "{line}: {err}"
        );
    }
}

/// Returns every file and folder below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        found.push(entry.path());
        if entry.file_type().unwrap().is_dir() {
            found.extend(below(&entry.path()));
        }
    }
    found.sort();
    found
}

/// Returns the files and folders in a folder that a reader can see, with the bytes of each file.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found: Vec<_> = below(folder)
        .into_iter()
        .filter(|path| path.is_file() && !path.ends_with(".lock") && !path.ends_with(".replace.lock"))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    found.sort();
    found
}

fn folders_without_permission(cluster: &Cluster) {
    let nobody = Unprivileged::new(cluster);
    let remedy = "access to the";
    let backup = "backup --kubeconfig config --progress never";
    nobody.folder("closed", 0o500);
    for store in ["closed", "closed/points"] {
        nobody
            .run(&format!("{backup} --store {store}"))
            .refused("LB-0302", remedy);
        assert_eq!(below(&nobody.path("closed")), Vec::<PathBuf>::new());
    }
    nobody.folder("locked", 0o000);
    for line in ["points", "verify latest", "plan latest --kubeconfig config"] {
        nobody
            .run(&format!("{line} --store locked --progress never"))
            .refused("LB-0302", remedy);
    }

    nobody.run(backup).succeeded();
    let before = contents(&nobody.path("points"));
    let listed = nobody.run("points -o json");
    listed.succeeded();
    // Each folder of the store in turn, so that the refusal occurs at a different step of the backup.
    for (folder, mode) in [
        ("points/shop/points", 0o500),
        ("points/shop", 0o500),
        ("points", 0o000),
    ] {
        let usual = fs::metadata(nobody.path(folder)).unwrap().permissions().mode();
        nobody.permit(folder, mode);
        nobody.run(backup).refused("LB-0302", remedy);
        nobody.permit(folder, usual);
        assert_eq!(contents(&nobody.path("points")), before, "{folder}");
        assert_eq!(nobody.run("points -o json").out, listed.out, "{folder}");
    }
    nobody.run(backup).succeeded();
    nobody.run("verify latest").succeeded();
}

/// A file system of a few pages, unmounted when dropped.
struct TinyDisk(PathBuf);

impl TinyDisk {
    /// Returns `None` if mounting is not allowed.
    fn mount(folder: &Path, pages: usize) -> Option<Self> {
        fs::create_dir(folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={}", pages * PAGE), "tmpfs"])
            .arg(folder)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(folder.to_owned()))
    }

    /// Fills the disk until only `pages` pages are free.
    fn leave(&self, pages: usize) {
        let filler = self.0.join(".filler");
        let mut file = fs::File::create(&filler).unwrap();
        let mut filled = 0;
        while file.write_all(&[0; PAGE]).is_ok() {
            filled += 1;
        }
        assert!(filled >= pages, "the disk is smaller than what is to be left");
        file.set_len(((filled - pages) * PAGE) as u64).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join(".filler")).unwrap();
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        // A second panic would hide the first.
        if !std::thread::panicking() {
            assert!(
                unmounted.is_ok_and(|status| status.success()),
                "the tiny disk stays mounted"
            );
        }
    }
}

fn full_disks(cluster: &Cluster) {
    let operator = Operator::new();
    let Some(disk) = TinyDisk::mount(&operator.path().join("points"), 256) else {
        skip("backups onto a full disk", "mounting is not allowed here");
        return;
    };
    let run = |line: &str| Ended::of(operator.lifeboat(line), line);
    let backup = format!(
        "backup --kubeconfig {} --progress never",
        cluster.kubeconfig().display()
    );
    run(&backup).succeeded();
    let before = contents(&disk.0);
    let listed = run("points -o json").out;
    let needed = before.iter().map(|(_, bytes)| bytes.len().div_ceil(PAGE)).sum();
    // From no free page to almost enough: each additional page lets the backup get further.
    for left in 0..needed {
        disk.leave(left);
        run(&backup).refused("LB-0303", "fix: ");
        assert_eq!(run("points -o json").out, listed, "{left} pages left");
        disk.make_room();
        assert_eq!(contents(&disk.0), before, "{left} pages left");
    }
    run(&backup).succeeded();
    run("verify latest").succeeded();
    let points: serde_json::Value = serde_json::from_str(&run("points -o json").out).unwrap();
    assert_eq!(points["points"].as_array().unwrap().len(), 2, "{points}");
}

/// A limit on the size of files simulates a disk that becomes full in the middle of a file, even if mounting is not
/// allowed.
fn files_that_may_not_grow(cluster: &Cluster) {
    let operator = Operator::new();
    let backup = format!(
        "backup --kubeconfig {} --progress never",
        cluster.kubeconfig().display()
    );
    Ended::of(operator.lifeboat(&backup), &backup).succeeded();
    let points = operator.path().join("points");
    let before = contents(&points);
    let known = operator.lifeboat(&backup);
    let mut limited = Command::new("sh");
    limited
        // The unit is 512 bytes. Without the trap the signal would end the program.
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""])
        .arg(known.get_program())
        .args(known.get_args())
        .env_clear()
        .envs(known.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .current_dir(operator.path());
    Ended::of(limited, &backup).refused("LB-0303", "fix: ");
    assert_eq!(contents(&points), before);
    Ended::of(operator.lifeboat(&backup), &backup).succeeded();
}
