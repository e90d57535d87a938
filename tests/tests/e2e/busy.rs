//! A second run on the same store or target reports that, and changes nothing.

use lifeboat_tests::workspace::Workspace;

use crate::support::{Running, bare, block, fill, kubeconfig, point_folders, snapshot, written};

/// Enough objects to stop a run before it ends.
const OBJECTS: usize = 1_500;

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/lifeboat-restore";

#[test]
fn a_second_run_at_the_same_time_is_refused() {
    let source = bare("busy-source");
    fill(&source, OBJECTS);
    let workspace = Workspace::create().unwrap();
    let from = kubeconfig(&source);
    let backup = ["backup", "--cluster", "primary", "--kubeconfig", &from];

    let mut first = Running::start(&workspace, &backup);
    first.stop_when("the folder of the new point was there", || {
        !point_folders(&workspace).1.is_empty()
    });
    let second = workspace.run(&backup).unwrap();
    assert_eq!(second.code, Some(7), "{}{}", second.stdout, second.stderr);
    assert!(second.stderr.contains("LB-0305"), "{}", second.stderr);
    first.signal("CONT");
    let (code, log) = first.end();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(point_folders(&workspace).0.len(), 1);
    drop(source);

    let target = bare("busy-target");
    let to = kubeconfig(&target);
    let restore = ["restore", "latest", "--kubeconfig", &to];
    let http = block(lifeboat_tests::snapshot::http::Http::connect(target.kubeconfig())).unwrap();
    let mut first = Running::start(&workspace, &restore);
    first.stop_when("the lease of the restore was there", || {
        block(http.get(LEASE)).is_ok()
    });
    let before = snapshot(&target);
    let second = workspace.run(&restore).unwrap();
    assert_eq!(second.code, Some(7), "{}{}", second.stdout, second.stderr);
    assert!(second.stderr.contains("LB-0701"), "{}", second.stderr);
    assert_eq!(written(&before, &snapshot(&target)), Vec::<String>::new());
    first.signal("CONT");
    let (code, log) = first.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(block(http.get(LEASE)).is_err(), "the lease is gone at the end");
}
