//! Manifests in the styles of many operators, with everything that is known to have broken a restore.

use std::path::Path;

use lifeboat_tests::environment::Environment;
use lifeboat_tests::prove::{ProveOptions, prove, prove_seed};

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

/// `make prove SEEDS=100` creates more.
#[test]
fn a_generated_cluster_comes_back() {
    const SEED: u64 = 3;
    let stage = Environment::default();
    let folder = tempfile::tempdir().unwrap();
    let verdict = prove_seed(&stage, SEED, folder.path()).unwrap();
    stage.close();
    assert!(
        verdict.passed(),
        "seed {SEED} failed, see above; `make prove SEEDS=1 FIRST={SEED}` repeats it"
    );
}
