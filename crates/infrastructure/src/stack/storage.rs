//! The stack `storage`: keys, repositories, file systems with their access points and mount targets. What holds data is
//! kept when the stack no longer has it.

use std::collections::BTreeSet;

use lifeboat_model::Code;
use serde_json::{Map, Value, json};

use crate::bindings::{is_replica, replica};
use crate::builder::Builder;
use crate::counterpart::CandidateKind;
use crate::counterpart::matching::is_own;
use crate::description::storage::{
    AccessPoint, FileSystem, Image, Key, KeyManager, MountTarget, ReplicationStatus, Repository,
    RepositoryEncryptionType, ThroughputMode,
};
use crate::names;
use crate::stack::json;
use crate::template::{Resource, pascal_keys, reference};

pub(super) fn build(builder: &mut Builder<'_, '_>) {
    let all = builder.context.descriptions;
    let needed = keys_of_data(builder);
    for key in &all.keys {
        // A key costs by the month; a stack that stands by has those that its repositories and file systems need.
        if builder.is_active() || needed.contains(key.key_id.as_str()) {
            self::key(builder, key);
        }
    }
    for one in &all.repositories {
        repository(builder, one);
    }
    images(builder);
    for one in &all.file_systems {
        file_system(builder, one);
    }
}

/// Returns the ids of the keys that repositories and file systems are encrypted with.
fn keys_of_data<'a>(builder: &Builder<'_, 'a>) -> BTreeSet<&'a str> {
    let all = builder.context.descriptions;
    let of_repositories = all
        .repositories
        .iter()
        .filter_map(|repository| repository.encryption_configuration.as_ref()?.kms_key.as_deref());
    let own = all.file_systems.iter().filter(|system| {
        !builder
            .context
            .bindings
            .adopted
            .contains_key(system.file_system_id.as_str())
    });
    let of_systems = own.filter_map(|system| system.kms_key_id.as_deref());
    of_repositories
        .chain(of_systems)
        .filter_map(|arn| arn.rsplit('/').next())
        .collect()
}

fn key(builder: &mut Builder<'_, '_>, key: &Key) {
    if key.key_manager == KeyManager::Aws || builder.own(&key.key_id).is_none() {
        return;
    }
    let context = builder.context;
    let is_replica = is_replica(key, context.descriptions, context.facts);
    let root = format!("arn:{}:iam::{}:root", context.partition(), context.facts.account);
    let by_iam = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "EnableIamPolicies", "Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"}]});
    let policy = key
        .policy
        .as_ref()
        .and_then(|policy| key_policy(builder, key, policy));
    let tags = builder.tag_list(&key.tags);
    let description = key
        .description
        .as_deref()
        .map_or(Value::Null, |text| json!(context.text(text)));
    let resource = if is_replica {
        Resource::new("AWS::KMS::ReplicaKey").with("PrimaryKeyArn", json!(key.arn))
    } else {
        Resource::new("AWS::KMS::Key").with("EnableKeyRotation", json(&key.enable_key_rotation))
    };
    let resource = resource
        .with("Description", description)
        .with("KeyPolicy", policy.unwrap_or(by_iam))
        .with("PendingWindowInDays", 30)
        .with("Tags", tags)
        .retained();
    let Some(made) = builder.make(&key.key_id, resource) else {
        return;
    };
    for alias in key
        .aliases
        .iter()
        .filter(|alias| !alias.starts_with("alias/aws/"))
    {
        let resource = Resource::new("AWS::KMS::Alias")
            .with("AliasName", context.text(alias))
            .with("TargetKeyId", reference(&made.logical));
        builder.add(format!("{}Alias{}", made.logical, names::digest(alias)), resource);
    }
}

/// Returns a key policy without principals that do not exist: KMS refuses it with them, and a policy that nobody could
/// change.
fn key_policy(
    builder: &mut Builder<'_, '_>,
    key: &Key,
    policy: &crate::description::PolicyDocument,
) -> Option<Value> {
    let context = builder.context;
    let mut document = policy.0.clone();
    let of_primary = format!(":iam::{}:", context.descriptions.account);
    let is_known = |arn: &str| {
        !arn.contains(&of_primary)
            || arn.ends_with(":root")
            || context.bindings.adopted.contains_key(arn)
            || (context.bindings.made.contains_key(arn) && !context.pending_roles.contains(arn))
            || context.is_same_account()
    };
    let mut left_out = 0;
    if let Some(list) = crate::policy::statements_mut(&mut document) {
        for statement in list.iter_mut() {
            if let Some(Value::Object(principals)) = statement.get_mut("Principal") {
                left_out += crate::policy::by_type(principals, &is_known);
            }
        }
        list.retain(|statement| !crate::policy::is_nothing(statement));
    }
    if left_out > 0 {
        let what = format!("its policy names {left_out} principals without a counterpart; they are left out");
        builder.findings.warning(Code::PrincipalUnknown, &key.arn, what);
    }
    crate::policy::rewrite(&context.identities, &mut document);
    builder
        .ready(&key.arn, document)
        .filter(|policy| !crate::policy::is_empty(policy))
}

fn repository(builder: &mut Builder<'_, '_>, repository: &Repository) {
    let name = repository.repository_name.as_str();
    if builder
        .context
        .bindings
        .adopted
        .contains_key(repository.repository_arn.as_str())
    {
        return;
    }
    let policy = repository
        .policy
        .as_ref()
        .and_then(|policy| builder.policy(name, policy));
    let lifecycle = repository.lifecycle_policy.as_ref();
    let lifecycle = lifecycle.map_or(
        Value::Null,
        |policy| json!({"LifecyclePolicyText": policy.0.to_string()}),
    );
    let scanning = repository.image_scanning_configuration.as_ref();
    let filters = repository
        .image_tag_mutability_exclusion_filters
        .iter()
        .map(|filter| {
            json!({"ImageTagMutabilityExclusionFilterType": filter.filter_type,
               "ImageTagMutabilityExclusionFilterValue": filter.filter})
        });
    let mut resource = Resource::new("AWS::ECR::Repository")
        .with("RepositoryName", json!(name))
        .with("ImageTagMutability", json(&repository.image_tag_mutability))
        .with(
            "ImageTagMutabilityExclusionFilters",
            filters.collect::<Vec<Value>>(),
        )
        .with(
            "ImageScanningConfiguration",
            scanning.map_or(Value::Null, |scanning| pascal_keys(json(scanning))),
        )
        .with("LifecyclePolicy", lifecycle)
        .with("Tags", builder.tag_list(&repository.tags))
        .retained();
    if let Some(policy) = policy {
        resource = resource.with("RepositoryPolicyText", policy);
    }
    if let Some(encryption) = &repository.encryption_configuration {
        let mut kept = Map::new();
        kept.insert("EncryptionType".to_owned(), json(&encryption.encryption_type));
        if encryption.encryption_type != RepositoryEncryptionType::Aes256
            && let Some(key) = encryption
                .kms_key
                .as_deref()
                .and_then(|key| builder.key(name, key))
        {
            kept.insert("KmsKey".to_owned(), key);
        }
        resource = resource.with("EncryptionConfiguration", kept);
    }
    builder.add(
        format!("Repository{}x{}", names::pascal(name), names::digest(name)),
        resource,
    );
}

/// Finds repositories whose images are not replicated, and images that have not arrived.
fn images(builder: &mut Builder<'_, '_>) {
    let (all, facts) = (builder.context.descriptions, builder.context.facts);
    let missing = |image: &&Image| facts.images.as_ref().is_none_or(|found| !found.contains(*image));
    let missing: Vec<&Image> = all.images.iter().filter(missing).collect();
    if let Some(registry) = &all.registry {
        for one in &all.repositories {
            let name = one.repository_name.as_str();
            let is_used = missing.iter().any(|image| image.repository_name == name);
            if is_used && !registry.replicates(name, &facts.account, &facts.region) {
                let what = format!(
                    "no replication rule of the registry {} in {} copies its images to {} in {}",
                    all.account, all.region, facts.account, facts.region
                );
                builder.findings.warning(Code::ImagesNotReplicated, name, what);
            }
        }
    }
    if facts.images.is_some() {
        for image in missing {
            let what = format!(
                "objects name it, and the registry {} in {} does not have it",
                facts.account, facts.region
            );
            builder
                .findings
                .warning(Code::ImageMissing, &image.to_string(), what);
        }
    }
}

/// Finds what a replica cannot do yet.
fn replica_of(builder: &mut Builder<'_, '_>, system: &FileSystem) {
    let context = builder.context;
    let id = system.file_system_id.as_str();
    let Some(replica) = replica(system, context.descriptions, context.facts) else {
        return;
    };
    if context.bindings.adopted.get(id) != Some(&replica.file_system_id.as_str()) {
        return;
    }
    let to = &replica.file_system_id;
    match replica.status {
        Some(ReplicationStatus::Error | ReplicationStatus::Paused | ReplicationStatus::Pausing) => {
            let what = format!("EFS did not copy it to its replica {to} when the recovery point was made");
            builder.findings.warning(Code::ReplicaNotCurrent, id, what);
        }
        Some(ReplicationStatus::Deleting) => {}
        Some(ReplicationStatus::Enabled | ReplicationStatus::Enabling) | None => {
            let what = format!("its replica {to} is read-only while EFS replicates to it");
            builder.findings.note(Code::ReplicaReadOnly, id, what);
        }
    }
}

fn file_system(builder: &mut Builder<'_, '_>, system: &FileSystem) {
    let id = system.file_system_id.as_str();
    replica_of(builder, system);
    if builder.own(id).is_some() {
        let what = "it is built empty; no replica is mapped";
        builder.findings.warning(Code::FileSystemWithoutReplica, id, what);
        let resource = new_file_system(builder, system);
        builder.make(id, resource);
    }
    let Some(value) = builder.id(id) else { return };
    for point in &system.access_points {
        access_point(builder, point, &value);
    }
    let mut zones = BTreeSet::new();
    for target in &system.mount_targets {
        mount_target(builder, id, target, &value, &mut zones);
    }
}

fn new_file_system(builder: &mut Builder<'_, '_>, system: &FileSystem) -> Resource {
    let id = system.file_system_id.as_str();
    // Throughput that is provisioned costs by the hour.
    let is_provisioned = system.throughput_mode == Some(ThroughputMode::Provisioned);
    let mode = if is_provisioned && !builder.is_active() {
        Some(ThroughputMode::Bursting)
    } else {
        system.throughput_mode
    };
    let throughput = system
        .provisioned_throughput_in_mibps
        .filter(|_| is_provisioned && builder.is_active());
    let zone = system.availability_zone_name.as_deref();
    let zone = zone.and_then(|zone| builder.context.bindings.zones.get(zone));
    let lifecycle = system
        .lifecycle_policies
        .iter()
        .map(|policy| pascal_keys(json(policy)));
    let key = system.kms_key_id.as_deref().and_then(|key| builder.key(id, key));
    let policy = system
        .policy
        .as_ref()
        .and_then(|policy| builder.policy(id, policy));
    let backup = system
        .backup
        .map(|is_on| if is_on { "ENABLED" } else { "DISABLED" });
    let mut resource = Resource::new("AWS::EFS::FileSystem")
        .with("PerformanceMode", json(&system.performance_mode))
        .with("ThroughputMode", json(&mode))
        .with("ProvisionedThroughputInMibps", json(&throughput))
        .with("Encrypted", json(&system.encrypted))
        .with(
            "AvailabilityZoneName",
            zone.map_or(Value::Null, |zone| json!(zone.name)),
        )
        .with("LifecyclePolicies", lifecycle.collect::<Vec<Value>>())
        .with(
            "BackupPolicy",
            backup.map_or(Value::Null, |status| json!({"Status": status})),
        )
        .with("FileSystemTags", builder.tag_list(&system.tags))
        .retained();
    if let Some(key) = key {
        resource = resource.with("KmsKeyId", key);
    }
    if let Some(policy) = policy {
        resource = resource.with("FileSystemPolicy", policy);
    }
    resource
}

fn access_point(builder: &mut Builder<'_, '_>, point: &AccessPoint, system: &Value) {
    if builder.own(&point.access_point_id).is_none() {
        return;
    }
    // CloudFormation takes the numbers of users and groups as texts.
    let user = point.posix_user.as_ref().map_or(Value::Null, |user| {
        let further: Vec<String> = user.secondary_gids.iter().map(u32::to_string).collect();
        let mut out = json!({"Uid": user.uid.to_string(), "Gid": user.gid.to_string()});
        if !further.is_empty() {
            out["SecondaryGids"] = json!(further);
        }
        out
    });
    let root = point.root_directory.as_ref().map_or(Value::Null, |root| {
        let mut out = Map::new();
        if let Some(path) = &root.path {
            out.insert("Path".to_owned(), json!(path));
        }
        if let Some(info) = &root.creation_info {
            let info = json!({"OwnerUid": info.owner_uid.to_string(), "OwnerGid": info.owner_gid.to_string(),
                              "Permissions": info.permissions});
            out.insert("CreationInfo".to_owned(), info);
        }
        Value::Object(out)
    });
    let resource = Resource::new("AWS::EFS::AccessPoint")
        .with("FileSystemId", system.clone())
        .with("PosixUser", user)
        .with("RootDirectory", root)
        .with("AccessPointTags", builder.tag_list(&point.tags));
    builder.make(&point.access_point_id, resource);
}

/// Whether a file system that is adopted has a mount target in the zone of a subnet, besides those that this stack built.
fn has_mount_target(builder: &Builder<'_, '_>, id: &str, subnet: &str) -> bool {
    let context = builder.context;
    let system = context.bindings.adopted.get(id).copied();
    let zone = context.zone_of(subnet).map(|zone| zone.id.as_str());
    context.facts.candidates.iter().any(|one| {
        one.kind == CandidateKind::MountTarget
            && (system.is_some() && one.parent.as_deref() == system)
            && (zone.is_some() && one.zone_id.as_deref() == zone)
            && !is_own(one, context.facts)
    })
}

/// Adds a mount target. A file system has one in each zone: where two zones became one, the first.
fn mount_target(
    builder: &mut Builder<'_, '_>,
    id: &str,
    target: &MountTarget,
    system: &Value,
    zones: &mut BTreeSet<String>,
) {
    let zone = builder.context.zone_of(&target.subnet_id);
    let zone = zone.map_or_else(|| target.subnet_id.clone(), |zone| zone.name.clone());
    let Some(subnet) = builder.needed(id, &target.subnet_id) else {
        return;
    };
    if !zones.insert(zone) || has_mount_target(builder, id, &target.subnet_id) {
        return;
    }
    let groups = builder.all(id, &target.security_groups);
    if groups.is_empty() {
        let what = format!(
            "its mount target in {} is left out: none of its security groups exists before the cluster",
            target.subnet_id
        );
        return builder.findings.warning(Code::CounterpartUnknown, id, what);
    }
    let resource = Resource::new("AWS::EFS::MountTarget")
        .with("FileSystemId", system.clone())
        .with("SubnetId", subnet)
        .with("SecurityGroups", groups);
    builder.add(
        format!(
            "MountTarget{}",
            names::digest(&format!("{id}{}", target.subnet_id))
        ),
        resource,
    );
}
