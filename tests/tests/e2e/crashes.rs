//! `kill -9` at random times, followed by the same command again.

use lifeboat_tests::environment::pause;
use lifeboat_tests::equivalence::differing;
use lifeboat_tests::workspace::Workspace;

use crate::support::{Running, bare, fill, kubeconfig, moments, point_folders, snapshot};

/// The seed of the random times; a failure prints it, so that it can be reproduced.
const SEED: u64 = 0x11fe_b0a7;

/// How often each command is killed, at a random time in each part of the run. More rounds find
/// more and take seconds each.
const ROUNDS: u32 = 5;

/// Enough objects for a backup of several frames and a restore of many requests.
const OBJECTS: usize = 1_200;

#[test]
fn killed_commands_continue_and_end_in_the_same_state() {
    let source = bare("crash-source");
    fill(&source, OBJECTS);
    let workspace = Workspace::create().unwrap();
    let from = kubeconfig(&source);
    let backup = ["backup", "--cluster", "primary", "--kubeconfig", &from];
    let (_, undisturbed) = workspace.json(&backup, &[0]).unwrap();

    for moment in moments(SEED, ROUNDS, undisturbed.wall_seconds) {
        let (before, _) = point_folders(&workspace);
        let running = Running::start(&workspace, &backup);
        pause(moment);
        running.kill();
        let (after, _) = point_folders(&workspace);
        assert!(
            before.iter().all(|point| after.contains(point)),
            "killed after {moment:?} (seed {SEED:#x}): a former point is gone"
        );
        let (points, _) = workspace.json(&["points"], &[0]).unwrap();
        assert_eq!(
            points["points"].as_array().unwrap().len(),
            after.len(),
            "killed after {moment:?} (seed {SEED:#x}): {points}"
        );
        for point in &after {
            let verified = workspace.run(&["verify", point]).unwrap();
            assert_eq!(
                verified.code,
                Some(0),
                "killed after {moment:?}: {}",
                verified.stderr
            );
        }
    }
    let (former, _) = point_folders(&workspace);
    workspace.json(&backup, &[0]).unwrap();
    let (points, rubbish) = point_folders(&workspace);
    assert_eq!(
        rubbish,
        Vec::<String>::new(),
        "the next run removes what crashed runs left"
    );
    assert_eq!(points.len(), former.len() + 1);
    // Leases, which the API server renews by itself, do not count.
    let differences = workspace.run(&["diff", &points[0], "latest"]).unwrap();
    assert_eq!(
        differences.code,
        Some(0),
        "{}{}",
        differences.stdout,
        differences.stderr
    );
    drop(source);

    let target = bare("undisturbed");
    let to = kubeconfig(&target);
    let restore = |to: &str| {
        ["restore", "latest", "--kubeconfig"]
            .map(str::to_owned)
            .into_iter()
            .chain([to.to_owned()])
            .collect::<Vec<_>>()
    };
    let arguments = restore(&to);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (_, run) = workspace.json(&arguments, &[0]).unwrap();
    let expected = snapshot(&target);
    drop(target);

    for moment in moments(SEED + 1, ROUNDS, run.wall_seconds) {
        let target = bare("killed");
        let to = kubeconfig(&target);
        let arguments = restore(&to);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        // Twice, because a run that continues may be killed as well.
        for part in [moment, moment / 2] {
            let running = Running::start(&workspace, &arguments);
            pause(part);
            running.kill();
        }
        let again = workspace.run(&arguments).unwrap();
        assert_eq!(
            again.code,
            Some(0),
            "killed after {moment:?} (seed {SEED:#x}):\n{}{}",
            again.stdout,
            again.stderr
        );
        assert_eq!(
            differing(&expected, &snapshot(&target)),
            Vec::<String>::new(),
            "killed after {moment:?} (seed {SEED:#x})"
        );
    }
}
