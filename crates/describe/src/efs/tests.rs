#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use aws_sdk_efs::primitives::DateTime;
use aws_sdk_efs::types::{
    AccessPointDescription, CreationInfo as Creation, FileSystemDescription, FileSystemSize, LifecyclePolicy,
    PerformanceMode, PosixUser as User, ReplicationStatus, RootDirectory as Root, ThroughputMode,
    TransitionToIaRules,
};
use lifeboat_infrastructure::description::storage;

use super::*;
use crate::testing::assert_spelled;

#[test]
fn a_file_system_keeps_its_modes() {
    let from = FileSystemDescription::builder()
        .file_system_id("fs-01234567")
        .owner_id("111111111111")
        .creation_token("1")
        .creation_time(DateTime::from_secs(0))
        .life_cycle_state(LifeCycleState::Available)
        .number_of_mount_targets(0)
        .size_in_bytes(FileSystemSize::builder().value(6144).build())
        .performance_mode(PerformanceMode::MaxIo)
        .throughput_mode(ThroughputMode::Elastic)
        .encrypted(true)
        .set_tags(Some(vec![]))
        .build()
        .unwrap();
    let reads = Reads::new();
    let system = file_system(&from, reads.answer(actions::DESCRIBE_FILE_SYSTEMS, "fs-01234567"));
    assert_eq!(system.performance_mode, Some(storage::PerformanceMode::MaxIo));
    assert_eq!(system.throughput_mode, Some(storage::ThroughputMode::Elastic));
    assert!(reads.refused().is_empty());
    let rule = LifecyclePolicy::builder().transition_to_ia(TransitionToIaRules::After30Days);
    let rule = lifecycle(&rule.build());
    assert_eq!(rule.transition_to_ia.as_deref(), Some("AFTER_30_DAYS"));
}

#[test]
fn ids_of_users_beyond_32_bits_are_not_kept() {
    let user = |uid: i64| {
        User::builder()
            .uid(uid)
            .gid(2_000)
            .secondary_gids(3_000)
            .build()
            .unwrap()
    };
    let creation = Creation::builder().owner_uid(1).owner_gid(2).permissions("0750");
    let root = Root::builder()
        .path("/cart")
        .creation_info(creation.build().unwrap());
    let point = |uid: i64| {
        AccessPointDescription::builder()
            .access_point_id("fsap-01234567")
            .posix_user(user(uid))
            .root_directory(root.clone().build())
            .build()
    };
    let kept = access_point(&point(4_294_967_295)).unwrap();
    let owner = kept.posix_user.unwrap();
    assert_eq!((owner.uid, owner.gid), (u32::MAX, 2_000));
    assert_eq!(owner.secondary_gids, [3_000]);
    assert_eq!(
        kept.root_directory.unwrap().creation_info.unwrap().permissions,
        "0750"
    );
    assert!(access_point(&point(-1)).unwrap().posix_user.is_none());
}

#[test]
fn every_value_of_the_sdk_has_its_place() {
    assert_spelled::<storage::PerformanceMode>(PerformanceMode::values());
    assert_spelled::<storage::ThroughputMode>(ThroughputMode::values());
    assert_spelled::<storage::ReplicationStatus>(ReplicationStatus::values());
}
