//! The sample application is backed up and restored. The result is judged without Lifeboat's code,
//! and no value of its Secrets may appear anywhere else.

use std::collections::BTreeSet;

use lifeboat_local::{CANARY, Cluster, ClusterOptions, Sample};
use lifeboat_tests::canary::Canary;
use lifeboat_tests::environment::{Environment, Reporter};
use lifeboat_tests::prove::{self, Sides, Verdict};
use lifeboat_tests::workspace::Workspace;

use crate::support::{kubeconfig, snapshot};

#[test]
fn the_sample_application_comes_back_and_keeps_its_secrets() {
    let stage = Environment::default();
    let clusters = stage
        .clusters(vec![
            ClusterOptions::named("sample-source").with_nodes(2),
            ClusterOptions::named("sample-target").with_nodes(2),
        ])
        .unwrap();
    let (source, target) = (&*clusters[0], &*clusters[1]);
    let mut reporter = Reporter::default();
    let mut verdict = Verdict::default();
    let sample = Sample::install(source).unwrap();
    prove::settle(source, &mut verdict, &reporter);
    let workspace = Workspace::create().unwrap();
    prove::judge(
        &stage,
        &workspace,
        &Sides {
            source,
            target,
            with_status: BTreeSet::new(),
        },
        &mut verdict,
        &mut reporter,
    )
    .unwrap();
    verdict.print();
    assert!(verdict.passed(), "the proof failed, see above");

    secrets_stay_secret(&workspace, source, target);
    drop(sample);
    drop(clusters);
    stage.close();
}

/// Runs every command with its most verbose output, and searches that and every file of the store.
fn secrets_stay_secret(workspace: &Workspace, source: &Cluster, target: &Cluster) {
    let canary = Canary::new(CANARY);
    // Checks the search itself: the canary is in the source, encoded as in Secrets.
    let planted = snapshot(source)
        .objects
        .iter()
        .filter(|(key, object)| {
            key.type_name == "secrets" && canary.find(object.to_string().as_bytes()).is_some()
        })
        .count();
    assert!(planted > 0, "no Secret of the sample holds the canary");

    let (from, to) = (kubeconfig(source), kubeconfig(target));
    let patches = workspace.path().join("patches.yaml");
    std::fs::write(
        &patches,
        format!(
            "format: lifeboat.dev/patches/v1\npatches:\n- when: {{types: [secrets]}}\n  merge: {{stringData: {{added: {CANARY}}}}}\n"
        ),
    )
    .unwrap();
    let patches = patches.to_string_lossy().into_owned();
    let commands: [&[&str]; 11] = [
        &["backup", "--cluster", "source", "--kubeconfig", &from],
        &["points"],
        &["show", "latest"],
        &["verify", "latest"],
        &["diff", "latest", "--kubeconfig", &to],
        &["plan", "latest", "--kubeconfig", &to],
        &["plan", "latest", "--kubeconfig", &to, "--existing", "update"],
        &[
            "plan",
            "latest",
            "--kubeconfig",
            &to,
            "--existing",
            "update",
            "--patches",
            &patches,
        ],
        &["restore", "latest", "--kubeconfig", &to],
        &["restore", "latest", "--kubeconfig", &to, "--existing", "update"],
        &[
            "restore",
            "latest",
            "--kubeconfig",
            &to,
            "--existing",
            "recreate",
            "--type",
            "secrets",
        ],
    ];
    for command in commands {
        for format in ["table", "json", "yaml"] {
            let mut arguments = command.to_vec();
            arguments.extend(["--output", format, "--log-level", "trace"]);
            let run = workspace.run(&arguments).unwrap();
            let code = run.code.unwrap();
            assert!(
                code != 70 && code != 101,
                "{arguments:?} ended with {code}: {}",
                run.stderr
            );
            for (stream, text) in [("standard output", &run.stdout), ("standard error", &run.stderr)] {
                assert_eq!(
                    canary.find(text.as_bytes()),
                    None,
                    "{arguments:?} shows a Secret on {stream}"
                );
            }
        }
    }
    let (found, files) = canary.search(&workspace.store()).unwrap();
    assert_eq!(found, Vec::<String>::new(), "the store holds a Secret");
    assert!(
        files >= 3,
        "a point has a manifest, a pack and an index, not {files} files"
    );
}
