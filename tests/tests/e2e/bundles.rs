//! Manifests in the styles of many operators, with everything that is known to have broken a restore.

use std::path::Path;

use lifeboat_tests::environment::Environment;
use lifeboat_tests::prove::{ProveOptions, prove};

#[test]
fn awkward_manifests_come_back() {
    let stage = Environment::default();
    let folder = tempfile::tempdir().unwrap();
    let options = ProveOptions {
        bundle: Path::new(env!("CARGO_MANIFEST_DIR")).join("bundles"),
        report: folder.path().join("report.json"),
    };
    let verdict = prove(&stage, &options).unwrap();
    stage.close();
    assert!(verdict.passed(), "the proof failed, see above");
}
