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
fn generated_clusters_come_back() {
    let stage = Environment::default();
    let folder = tempfile::tempdir().unwrap();
    for seed in [1, 2] {
        let verdict = prove_seed(&stage, seed, folder.path()).unwrap();
        assert!(
            verdict.passed(),
            "seed {seed} failed, see above; `make prove SEEDS=1 FIRST={seed}` repeats it"
        );
    }
    stage.close();
}
