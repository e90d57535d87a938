use serde_json::{Value, json};

use super::owners::{crd, order};
use crate::testing::{Fixture, find, left_out, named, rules};
use crate::{Operation, Ownership, RuleId, StatusPlan, Step, Wave};

#[test]
fn volume_and_claim_find_each_other_by_name() {
    let fixture = Fixture::new([
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv1", "uid": "uid-pv1",
            "annotations": {"pv.kubernetes.io/bound-by-controller": "yes", "pv.kubernetes.io/provisioned-by": "ebs"}},
            "spec": {"claimRef": {"namespace": "shop", "name": "data", "uid": "uid-data", "resourceVersion": "5"}},
            "status": {"phase": "Bound"}}),
        named(
            "v1",
            "PersistentVolumeClaim",
            "data",
            json!({"metadata": {"annotations": {
            "pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes",
            "volume.kubernetes.io/selected-node": "n1"}}, "spec": {"volumeName": "pv1"}}),
        ),
    ]);
    let plan = fixture.plan();
    let (volume, claim) = (
        find(&plan, "persistentvolumes pv1"),
        find(&plan, "persistentvolumeclaims shop/data"),
    );
    assert_eq!(
        (rules(volume), rules(claim)),
        (
            vec![RuleId::VolumeBinding],
            vec![RuleId::ClaimBinding, RuleId::SelectedNode]
        )
    );
    assert!((volume.wave, volume.depth) < (claim.wave, claim.depth));
    let volume = fixture.bodies(&plan, "persistentvolumes pv1").create;
    assert_eq!(
        volume["spec"]["claimRef"],
        json!({"namespace": "shop", "name": "data"})
    );
    assert_eq!(
        volume["metadata"]["annotations"],
        json!({"pv.kubernetes.io/provisioned-by": "ebs"})
    );
    let claim = fixture.bodies(&plan, "persistentvolumeclaims shop/data").create;
    assert!(
        claim["metadata"].get("annotations").is_none(),
        "nothing is left of them"
    );
    assert_eq!(claim["spec"]["volumeName"], "pv1");
}

/// Returns a volume whose claim `shop/old` had the UID `uid-old`.
fn released(name: &str, phase: &str, policy: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name, "uid": format!("uid-{name}"),
        "annotations": {"pv.kubernetes.io/bound-by-controller": "yes"}},
        "spec": {"claimRef": {"namespace": "shop", "name": "old", "uid": "uid-old", "resourceVersion": "5"},
            "persistentVolumeReclaimPolicy": policy},
        "status": {"phase": phase}})
}

#[test]
fn a_volume_whose_claim_is_gone_is_not_offered_to_the_next_claim() {
    let mut next = named("v1", "PersistentVolumeClaim", "old", json!({}));
    next["metadata"]["uid"] = json!("uid-next");
    let fixture = Fixture::new([
        released("kept", "Released", "Retain"),
        released("stuck", "Failed", "Retain"),
        released("deleted", "Released", "Delete"),
        released("scrubbed", "Failed", "Recycle"),
        next,
    ])
    .with(json!({"namespaceMap": {"shop": "shop-dr"}}));
    let plan = fixture.plan();
    for name in ["kept", "stuck"] {
        let volume = fixture.bodies(&plan, &format!("persistentvolumes {name}")).create;
        assert_eq!(
            volume["spec"]["claimRef"],
            json!({"namespace": "shop-dr", "name": "old", "uid": "uid-old", "resourceVersion": "5"})
        );
        let volume = find(&plan, &format!("persistentvolumes {name}"));
        assert_eq!(rules(volume), [RuleId::MapNamespace]);
    }
    for name in ["deleted", "scrubbed"] {
        let left = left_out(&plan, &format!("persistentvolumes {name}"));
        assert_eq!(left.rule, RuleId::ReleasedVolume);
    }
}

#[test]
fn a_released_volume_whose_claim_is_in_the_point_is_bound_again() {
    for filter in [json!({}), json!({"labels": "chosen=yes"})] {
        let mut volume = released("pv", "Released", "Delete");
        volume["metadata"]["labels"] = json!({"chosen": "yes"});
        let claim = named("v1", "PersistentVolumeClaim", "old", json!({}));
        let fixture = Fixture::new([volume, claim]).with(json!({"selection": {"filter": filter}}));
        let plan = fixture.plan();
        assert_eq!(
            rules(find(&plan, "persistentvolumes pv")),
            [RuleId::VolumeBinding]
        );
        let volume = fixture.bodies(&plan, "persistentvolumes pv").create;
        assert_eq!(
            (&volume["spec"]["claimRef"], volume["metadata"].get("annotations")),
            (&json!({"namespace": "shop", "name": "old"}), None)
        );
    }
}

#[test]
fn a_claim_that_was_being_deleted_does_not_make_its_volume_deletable() {
    let mut claim = named("v1", "PersistentVolumeClaim", "old", json!({}));
    claim["metadata"]["deletionTimestamp"] = json!("2026-11-21T11:00:00Z");
    let plan = Fixture::new([released("pv", "Released", "Delete"), claim]).plan();
    assert_eq!(
        left_out(&plan, "persistentvolumes pv").rule,
        RuleId::ReleasedVolume
    );
}

#[test]
fn a_bound_volume_whose_claim_was_being_deleted_stays_reserved_for_it() {
    let mut claim = named("v1", "PersistentVolumeClaim", "old", json!({}));
    claim["metadata"]["deletionTimestamp"] = json!("2026-11-21T11:00:00Z");
    let kept = released("kept", "Bound", "Retain");
    let plan = Fixture::new([
        kept.clone(),
        released("deleted", "Bound", "Delete"),
        claim.clone(),
    ]);
    let (fixture, plan) = (&plan, plan.plan());
    let volume = fixture.bodies(&plan, "persistentvolumes kept").create;
    assert_eq!(volume["spec"]["claimRef"]["uid"], "uid-old");
    let left = left_out(&plan, "persistentvolumes deleted");
    assert_eq!(left.rule, RuleId::ReleasedVolume);
    assert_eq!(left.detail.as_deref(), Some("the claim was being deleted"));
    // The claim may also be terminating because its namespace is.
    claim["metadata"]["deletionTimestamp"] = json!(null);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata":
        {"name": "shop", "uid": "u", "deletionTimestamp": "2026-11-21T11:00:00Z"}});
    let fixture = Fixture::new([kept, claim, namespace]);
    let volume = fixture.bodies(&fixture.plan(), "persistentvolumes kept").create;
    assert_eq!(volume["spec"]["claimRef"]["uid"], "uid-old");
}

#[test]
fn a_patch_may_keep_or_offer_a_released_volume() {
    let fixture = Fixture::new([released("a", "Released", "Delete"), released("b", "Released", "Delete")])
        .with(json!({"patches": [
            {"when": {"types": ["persistentvolumes"], "names": ["a"]}, "merge": {"spec": {"persistentVolumeReclaimPolicy": "Retain"}}},
            {"when": {"types": ["persistentvolumes"], "names": ["b"]}, "merge": {"spec": {"claimRef": null}}}]}));
    let plan = fixture.plan();
    let claim = |name: &str| {
        let body = fixture.bodies(&plan, &format!("persistentvolumes {name}")).create;
        body.pointer("/spec/claimRef/uid").cloned()
    };
    assert_eq!((claim("a"), claim("b")), (Some(json!("uid-old")), None));
}

#[test]
fn a_finished_job_is_created_suspended_and_gets_its_status() {
    let job = named(
        "batch/v1",
        "Job",
        "migrate",
        json!({
        "spec": {"selector": {"matchLabels": {"controller-uid": "u"}}, "suspend": false, "template": {"metadata": {"labels":
            {"batch.kubernetes.io/controller-uid": "u", "controller-uid": "u", "job-name": "migrate", "app": "x"}}}},
        "status": {"conditions": [{"type": "Complete", "status": "True"}], "succeeded": 1}}),
    );
    let fixture = Fixture::new([job]);
    let plan = fixture.plan();
    let job = find(&plan, "jobs.batch shop/migrate");
    assert_eq!(
        (rules(job), &*job.after),
        (
            vec![RuleId::JobSelector, RuleId::JobFinished],
            [Step::FinishJob, Step::SetManagedFields].as_slice()
        )
    );
    let bodies = fixture.bodies(&plan, "jobs.batch shop/migrate");
    assert_eq!(
        bodies.create["spec"],
        json!({"suspend": true, "template": {"metadata": {"labels": {"app": "x"}}}})
    );
    assert_eq!(
        (bodies.suspend, bodies.status.map(|s| s["succeeded"].clone())),
        (Some(false), Some(json!(1)))
    );
}

#[test]
fn a_job_with_its_own_selector_keeps_it_and_a_running_one_runs_again() {
    let spec = json!({"spec": {"manualSelector": true, "selector": {"matchLabels": {"a": "b"}}}, "status": {"active": 1}});
    let fixture = Fixture::new([named("batch/v1", "Job", "own", spec)]);
    let plan = fixture.plan();
    let job = find(&plan, "jobs.batch shop/own");
    assert_eq!(
        (rules(job), job.status, &*job.after),
        (vec![], StatusPlan::Drop, [Step::SetManagedFields].as_slice())
    );
    assert!(
        fixture.bodies(&plan, "jobs.batch shop/own").create["spec"]
            .get("selector")
            .is_some()
    );
}

#[test]
fn a_bare_pod_loses_what_the_old_cluster_gave_it() {
    let fixture = Fixture::new([named(
        "v1",
        "Pod",
        "tool",
        json!({"spec": {"nodeName": "n1", "priority": 0,
        "volumes": [{"name": "data", "emptyDir": {}},
            {"name": "kube-api-access-x7k2p", "projected": {"sources": [{"serviceAccountToken": {}}]}}],
        "containers": [{"name": "a", "volumeMounts": [{"name": "kube-api-access-x7k2p"}]},
            {"name": "b", "volumeMounts": [{"name": "data"}, {"name": "kube-api-access-x7k2p"}]}],
        "ephemeralContainers": [{"name": "debug"}]}, "status": {"phase": "Running"}}),
    )]);
    let plan = fixture.plan();
    assert_eq!(
        rules(find(&plan, "pods shop/tool")),
        [
            RuleId::PodNode,
            RuleId::PodPriority,
            RuleId::PodToken,
            RuleId::PodEphemeralContainers
        ]
    );
    assert_eq!(
        fixture.bodies(&plan, "pods shop/tool").create["spec"],
        json!({"volumes": [{"name": "data", "emptyDir": {}}],
            "containers": [{"name": "a"}, {"name": "b", "volumeMounts": [{"name": "data"}]}]})
    );
}

#[test]
fn token_secrets_lose_the_token_and_accounts_name_only_what_is_restored() {
    let fixture = Fixture::new([
        named(
            "v1",
            "Secret",
            "robot-token",
            json!({"type": "kubernetes.io/service-account-token",
            "metadata": {"annotations": {"kubernetes.io/service-account.name": "robot", "kubernetes.io/service-account.uid": "u"}},
            "data": {"token": "Y2FuYXJ5", "ca.crt": "Y2E=", "namespace": "c2hvcA==", "extra": "eA=="}}),
        ),
        named(
            "v1",
            "ServiceAccount",
            "robot",
            json!({"secrets": [{"name": "robot-token"}, {"name": "gone"}]}),
        ),
    ]);
    let plan = fixture.plan();
    let secret = fixture.bodies(&plan, "secrets shop/robot-token").create;
    assert_eq!(secret["data"], json!({"extra": "eA=="}));
    assert_eq!(
        secret["metadata"]["annotations"],
        json!({"kubernetes.io/service-account.name": "robot"})
    );
    let account = find(&plan, "serviceaccounts shop/robot");
    assert!(account.wave < find(&plan, "secrets shop/robot-token").wave);
    assert_eq!(rules(account), [RuleId::AccountSecret]);
    assert_eq!(
        fixture.bodies(&plan, "serviceaccounts shop/robot").create["secrets"],
        json!([{"name": "robot-token"}])
    );
    assert!(
        !serde_json::to_string(&plan)
            .unwrap_or_default()
            .contains("Y2FuYXJ5")
    );
}

#[test]
fn the_status_of_a_custom_resource_is_dropped_kept_or_restored_as_its_definition_and_the_options_say() {
    let with = Fixture::new([crd(), order("o")]);
    let plan = with.plan();
    assert_eq!(
        find(&plan, "orders.shop.example.com shop/o").status,
        StatusPlan::Drop
    );
    assert!(
        with.bodies(&plan, "orders.shop.example.com shop/o")
            .create
            .get("status")
            .is_none()
    );

    let mut plain = crd();
    plain["spec"]["versions"][0]["subresources"] = json!({});
    let without = Fixture::new([plain, order("o")]);
    let plan = without.plan();
    assert_eq!(
        find(&plan, "orders.shop.example.com shop/o").status,
        StatusPlan::Field
    );
    assert_eq!(
        without.bodies(&plan, "orders.shop.example.com shop/o").create["status"],
        json!({"ok": true})
    );

    let asked =
        Fixture::new([crd(), order("o")]).with(json!({"rules": {"restoreStatus": [{"types": ["orders"]}]}}));
    let plan = asked.plan();
    assert_eq!(
        *find(&plan, "orders.shop.example.com shop/o").after,
        [Step::SetStatus, Step::SetManagedFields]
    );
    assert_eq!(
        asked.bodies(&plan, "orders.shop.example.com shop/o").status,
        Some(json!({"ok": true}))
    );
}

#[test]
fn owners_of_fields_come_back_by_the_cheapest_way_that_is_exact() {
    let entry = |manager: &str, subresource: Option<&str>| {
        let mut entry = json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}});
        if let Some(subresource) = subresource {
            entry["subresource"] = json!(subresource);
            entry["fieldsV1"] = json!({"f:status": {}});
        }
        entry
    };
    let of_order = |manager: &str| {
        let mut entry = entry(manager, None);
        entry["apiVersion"] = json!("shop.example.com/v1");
        entry
    };
    let object = |kind: &str, name: &str, entries: Vec<Value>| {
        let api_version = if kind == "Order" {
            "shop.example.com/v1"
        } else {
            "v1"
        };
        named(
            api_version,
            kind,
            name,
            json!({"metadata": {"managedFields": entries}, "data": {"a": "b"}}),
        )
    };
    let mut by_webhook = crd();
    by_webhook["spec"]["conversion"] = json!({"strategy": "Webhook"});
    let fixture = Fixture::new([
        by_webhook,
        object(
            "ConfigMap",
            "one",
            vec![entry("helm", None), entry("kcm", Some("status"))],
        ),
        object(
            "ConfigMap",
            "two",
            vec![
                entry("helm", None),
                entry("edit", None),
                entry("kcm", Some("status")),
            ],
        ),
        object("ConfigMap", "none", vec![]),
        object("Order", "converted", ["a", "b"].map(of_order).to_vec()),
    ]);
    let plan = fixture.plan();
    let one = find(&plan, "configmaps shop/one");
    assert_eq!(
        one.ownership,
        Ownership::Single {
            manager: "helm".into(),
            operation: Operation::Update
        }
    );
    assert!(
        one.after.is_empty()
            && fixture
                .bodies(&plan, "configmaps shop/one")
                .managed_fields
                .is_none()
    );
    let two = find(&plan, "configmaps shop/two");
    assert_eq!(
        (&two.ownership, &*two.after),
        (
            &Ownership::Several { first: "helm".into() },
            [Step::SetManagedFields].as_slice()
        )
    );
    let kept = fixture.bodies(&plan, "configmaps shop/two").managed_fields;
    assert_eq!(kept, Some(json!([entry("helm", None), entry("edit", None)])));
    let none = find(&plan, "configmaps shop/none");
    assert_eq!(
        (&none.ownership, &*none.after),
        (&Ownership::None, [Step::SetManagedFields].as_slice())
    );
    let nobody = fixture.bodies(&plan, "configmaps shop/none").managed_fields;
    assert_eq!(nobody, Some(json!([{}])), "no manager owned it, and none does");
    assert_eq!(
        *find(&plan, "orders.shop.example.com shop/converted").after,
        [Step::SetManagedFieldsLast]
    );
}

#[test]
fn odd_numbers_and_unknown_fields_reach_the_body_unchanged() {
    let raw = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"odd","namespace":"default","uid":"u","generation":3},"n":[1.0,1e400,123456789012345678901234567890,-0],"ü":null}"#;
    let fixture = Fixture::new([serde_json::from_str::<Value>(raw).unwrap_or_default()]);
    let plan = fixture.plan();
    let body = crate::body(
        &plan,
        find(&plan, "configmaps default/odd"),
        raw.as_bytes(),
        &|_| None,
    );
    let text = serde_json::to_string(&body.map(|b| b.create).unwrap_or_default()).unwrap_or_default();
    assert_eq!(
        text,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"odd","namespace":"default"},"n":[1.0,1e+400,123456789012345678901234567890,-0],"ü":null}"#
    );
}

#[test]
fn other_bytes_than_those_of_the_plan_are_refused() {
    let fixture = Fixture::new([named("v1", "ConfigMap", "c", json!({"data": {"a": "b"}}))]);
    let plan = fixture.plan();
    let object = find(&plan, "configmaps shop/c");
    for (raw, expected) in [
        (json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}, "data": {"a": "c"}}).to_string(), "captured bytes differ"),
        ("[]".to_owned(), "as a JSON object"),
        ("{".to_owned(), "as a JSON object"),
    ] {
        let error = crate::body(&plan, object, raw.as_bytes(), &|_| None).err();
        assert!(error.is_some_and(|e| e.to_string().contains(expected)), "{raw}");
    }
}

#[test]
fn waves_follow_each_other_as_the_parts_of_a_cluster_do() {
    let of = |group: &str, resource: &str| {
        Wave::of(&lifeboat_model::ResourceType {
            group: group.into(),
            version: "v1".into(),
            resource: resource.into(),
            kind: String::new(),
            namespaced: true,
        })
    };
    let order = [
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("", "namespaces"),
        ("storage.k8s.io", "storageclasses"),
        ("", "serviceaccounts"),
        ("rbac.authorization.k8s.io", "rolebindings"),
        ("", "secrets"),
        ("", "persistentvolumes"),
        ("", "persistentvolumeclaims"),
        ("", "services"),
        ("shop.example.com", "orders"),
        ("", "pods"),
        ("", "limitranges"),
        ("networking.k8s.io", "ingresses"),
        ("apps", "deployments"),
        ("", "resourcequotas"),
        ("apiregistration.k8s.io", "apiservices"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ];
    let waves: Vec<_> = order
        .iter()
        .map(|(group, resource)| of(group, resource))
        .collect();
    assert!(waves.windows(2).all(|pair| pair[0] < pair[1]), "{waves:?}");
    let of_controllers = [
        ("", "replicationcontrollers"),
        ("apps", "statefulsets"),
        ("batch", "jobs"),
    ];
    for (group, resource) in of_controllers {
        assert!(of("", "limitranges") < of(group, resource), "{resource}");
    }
}
