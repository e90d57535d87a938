//! Builds and restores that expect a plan.

use lifeboat_format::Sha256;
use lifeboat_jobs::{Assignment, Done, Outcome, Work};
use lifeboat_model::Code;
use lifeboat_plan::ClusterPlan;

use crate::built::{ScriptedStacks, build, captured, code_of, declared, delegate, identities, restore, run};
use crate::described::{OBJECTS, point};
use crate::fixture::{Fixture, RECOVERY, target};
use crate::planned::{done, part, plan};

/// Returns a job that expects this plan.
fn expecting(mut job: Assignment, plan: Option<Sha256>) -> Assignment {
    match &mut job.work {
        Work::Build(work) => work.expected_plan = plan,
        Work::Restore(work) => work.expected_plan = plan,
        other => panic!("{other:?}"),
    }
    job
}

/// Returns the names of the namespaces of the target.
fn namespaces(fixture: &Fixture) -> String {
    let get = ["get", "namespaces", "--output=name"];
    fixture.target().kubectl_output(&get).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_that_was_reviewed_is_carried_out_or_nothing() {
    let fixture = Fixture::start();
    fixture.source().apply(OBJECTS).unwrap();
    captured(&fixture, 1, true).await;
    fixture.move_to_vault().await;
    let unbuilt = ScriptedStacks::new(Ok(crate::built::symbols()));
    let planning = delegate(&fixture, Some(&unbuilt));
    let planned = |number, into: &str| {
        let mut job = plan(&fixture, number, 1, target("orders", RECOVERY, into), true);
        if let Work::Plan(work) = &mut job.work {
            work.options.insert("identities".to_owned(), declared());
        }
        job
    };
    let hashes = |outcome| {
        let done = done(outcome);
        let cluster = done.clusters.values().next().unwrap();
        (done.infrastructure.unwrap().hash, cluster.hash)
    };
    let reviewed = hashes(run(&fixture, &planning, &planned(1, "orders-none")).await);
    let (infrastructure, cluster) = reviewed;

    // Another plan: nothing is built, and nothing is written.
    let stacks = ScriptedStacks::new(Ok(identities()));
    let recovery = delegate(&fixture, Some(&stacks));
    let refused = run(&fixture, &recovery, &expecting(build(&fixture, 1, 1), cluster)).await;
    assert_eq!(code_of(&refused), (Code::PlanChanged, false));
    assert_eq!(stacks.builds(), 0);
    let built = expecting(build(&fixture, 2, 1), infrastructure);
    run(&fixture, &recovery, &built).await;
    assert_eq!(stacks.builds(), 1);
    let other = expecting(restore(&fixture, 1, 1, &built.job), infrastructure);
    let refused = run(&fixture, &recovery, &other).await;
    assert_eq!(code_of(&refused), (Code::PlanChanged, false));
    let Outcome::Failed { failures, .. } = &refused else {
        unreachable!("it was refused");
    };
    let said = failures[0].problem().to_string() + &failures[0].problem().causes.join(" ");
    for hash in [infrastructure, cluster] {
        assert!(said.contains(&hash.unwrap().to_string()), "{said}");
    }
    // Other options than those that were reviewed.
    let mut other = expecting(restore(&fixture, 2, 1, &built.job), cluster);
    if let Work::Restore(work) = &mut other.work {
        work.options.insert("existing".to_owned(), "update".into());
    }
    let refused = run(&fixture, &recovery, &other).await;
    assert_eq!(code_of(&refused), (Code::PlanChanged, false));
    assert!(!namespaces(&fixture).contains("shop"), "something was written");
    // A build that expected no plan has no symbols to compare with.
    let unexpecting = build(&fixture, 3, 1);
    run(&fixture, &recovery, &unexpecting).await;
    let refused = expecting(restore(&fixture, 3, 1, &unexpecting.job), cluster);
    let refused = run(&fixture, &recovery, &refused).await;
    assert_eq!(code_of(&refused), (Code::JobDocumentRefused, false));

    // The plan that was reviewed, although its symbols have values now.
    let restored = expecting(restore(&fixture, 4, 1, &built.job), cluster);
    let Outcome::Done(Done::Restore(done)) = run(&fixture, &recovery, &restored).await else {
        panic!("the restore is not done");
    };
    assert!(done.matches_plan, "{done:?}");
    assert!(namespaces(&fixture).contains("shop"));

    // It is still the same plan, and can be carried out again.
    let after = planned(2, "orders-dr");
    assert_eq!(hashes(run(&fixture, &planning, &after).await), reviewed);
    let after: ClusterPlan = part(&fixture, &after, Some("orders")).await;
    assert!(
        after.count(&[lifeboat_plan::Action::Keep]) > 0,
        "what exists is shown"
    );
    let again = expecting(restore(&fixture, 5, 1, &built.job), cluster);
    let Outcome::Done(Done::Restore(done)) = run(&fixture, &recovery, &again).await else {
        panic!("the restore is not done");
    };
    assert!(done.matches_plan, "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_into_a_cluster_that_exists_carries_out_the_reviewed_plan_or_nothing() {
    let fixture = Fixture::start();
    fixture.source().apply(OBJECTS).unwrap();
    captured(&fixture, 1, false).await;
    fixture.move_to_vault().await;
    let recovery = fixture.recovery();
    let into = target("orders", RECOVERY, "orders-dr");
    let reviewed = done(run(&fixture, &recovery, &plan(&fixture, 1, 1, into, false)).await);
    let hash = reviewed.clusters.values().next().unwrap().hash;
    let restore = |number: u32| {
        let mut job = fixture.restore(&format!("20261121T10200{number}Z-cccccc-restore"));
        if let Work::Restore(work) = &mut job.work {
            work.point = point(1);
        }
        job
    };
    let other = expecting(restore(1), Some(Sha256::of(b"another plan")));
    let refused = run(&fixture, &recovery, &other).await;
    assert_eq!(code_of(&refused), (Code::PlanChanged, false));
    assert!(!namespaces(&fixture).contains("shop"), "something was written");
    let Outcome::Done(Done::Restore(done)) = run(&fixture, &recovery, &expecting(restore(2), hash)).await
    else {
        panic!("the restore is not done");
    };
    assert!(done.matches_plan, "{done:?}");
}
