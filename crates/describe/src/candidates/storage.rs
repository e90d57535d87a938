//! Keys by their aliases, repositories by their names, and file systems with their access points and mount targets.

use std::collections::BTreeSet;

use aws_sdk_ecr::Client as Ecr;
use aws_sdk_efs::Client as Efs;
use aws_sdk_efs::types::{FileSystemDescription, LifeCycleState};
use aws_sdk_kms::Client as Kms;
use aws_sdk_kms::types::KeyState;
use futures::FutureExt as _;
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_infrastructure::description::storage::AccessPoint;
use lifeboat_infrastructure::{
    Access, Candidate, CandidateKind, Descriptions, RecoveryFacts, counterpart, replicas,
};
use lifeboat_model::SharedStack;

use super::{counterparts, mapped, mapped_of, unless};
use crate::actions;
use crate::ecr;
use crate::efs;
use crate::parallel::each;
use crate::place::Place;

pub(super) async fn look_up(
    context: &AwsContext,
    descriptions: &Descriptions,
    facts: &mut RecoveryFacts,
    place: &Place,
) -> Result<(), AwsError> {
    let adopts = facts.adopt_existing.contains(&SharedStack::Storage);
    let names = |kind: CandidateKind| -> BTreeSet<String> {
        let all = counterpart::names(descriptions, facts, kind);
        all.into_values().filter(|_| adopts).flatten().collect()
    };
    let mut keys = names(CandidateKind::Key);
    keys.extend(mapped_of(facts, CandidateKind::Key, place));
    let mut repositories = names(CandidateKind::Repository);
    let own = place.arn("ecr", "repository/");
    let mapped_repositories = mapped_of(facts, CandidateKind::Repository, place);
    repositories.extend(
        mapped_repositories
            .iter()
            .filter_map(|arn| arn.strip_prefix(&own).map(str::to_owned)),
    );
    let kms = &Kms::new(context.sdk_config());
    let found = each(keys, |name| key(kms, name).boxed()).await?;
    facts.candidates.extend(found);
    let ecr = &Ecr::new(context.sdk_config());
    let found = each(repositories, |name| repository(ecr, place, name).boxed()).await?;
    facts.candidates.extend(found);
    file_systems(&Efs::new(context.sdk_config()), descriptions, facts, adopts).await
}

async fn key(client: &Kms, named: String) -> Result<Option<Candidate>, AwsError> {
    let answer = client.describe_key().key_id(&named).send().await;
    let answer = answer.map_err(|e| AwsError::new(actions::DESCRIBE_KEY.name(), &named, e));
    let answer = unless("NotFoundException", answer)?;
    // With a key that is disabled or about to be deleted nothing can be decrypted.
    let metadata = answer.and_then(|answer| answer.key_metadata);
    let metadata = metadata.filter(|key| key.key_state() == Some(&KeyState::Enabled));
    let Some((metadata, arn)) = metadata.as_ref().and_then(|key| Some((key, key.arn()?))) else {
        return Ok(None);
    };
    let request = client.list_resource_tags().key_id(metadata.key_id());
    let pages = request.into_paginator().items().send().try_collect().await;
    let tags = pages.map_err(|e| AwsError::new(actions::LIST_RESOURCE_TAGS.name(), arn, e))?;
    Ok(Some(Candidate {
        name: named.starts_with("alias/").then_some(named),
        tags: tags.into_iter().map(|tag| (tag.tag_key, tag.tag_value)).collect(),
        ..Candidate::new(CandidateKind::Key, arn)
    }))
}

async fn repository(client: &Ecr, place: &Place, name: String) -> Result<Option<Candidate>, AwsError> {
    let on = place.arn("ecr", &format!("repository/{name}"));
    let answer = client
        .describe_repositories()
        .repository_names(&name)
        .send()
        .await;
    let answer = answer.map_err(|e| AwsError::new(actions::DESCRIBE_REPOSITORIES.name(), &on, e));
    let answer = unless("RepositoryNotFoundException", answer)?;
    let found = answer.as_ref().and_then(|answer| answer.repositories().first());
    let Some(arn) = found.and_then(|one| one.repository_arn()) else {
        return Ok(None);
    };
    let answer = client.list_tags_for_resource().resource_arn(arn).send().await;
    let answer = answer.map_err(|e| AwsError::new(actions::LIST_REPOSITORY_TAGS.name(), on, e))?;
    Ok(Some(Candidate {
        name: Some(name),
        tags: ecr::tags(answer.tags()),
        ..Candidate::new(CandidateKind::Repository, arn)
    }))
}

async fn file_systems(
    client: &Efs,
    descriptions: &Descriptions,
    facts: &mut RecoveryFacts,
    adopts: bool,
) -> Result<(), AwsError> {
    let on = "AWS::EFS::FileSystem";
    let action = actions::DESCRIBE_FILE_SYSTEMS.name();
    if adopts && !descriptions.file_systems.is_empty() {
        let pages = client
            .describe_file_systems()
            .into_paginator()
            .items()
            .send()
            .try_collect()
            .await;
        let found: Vec<FileSystemDescription> = pages.map_err(|e| AwsError::new(action, on, e))?;
        facts.candidates.extend(found.iter().filter_map(file_system));
    } else {
        let mut ids = mapped(facts, "fs-");
        ids.extend(replicas(descriptions, facts).map(|(_, replica)| replica.to_owned()));
        for id in ids {
            let answer = client.describe_file_systems().file_system_id(&id).send().await;
            let answer = answer.map_err(|e| AwsError::new(action, &id, e));
            let answer = unless("FileSystemNotFound", answer)?;
            let found = answer.iter().flat_map(|answer| answer.file_systems());
            facts.candidates.extend(found.filter_map(file_system));
        }
    }
    let adopted = counterparts(descriptions, facts, SharedStack::Storage, "fs-");
    let is_there = |id: &str| facts.candidates.iter().any(|one| one.id == id);
    let adopted: Vec<String> = adopted.into_iter().filter(|id| is_there(id)).collect();
    let found = each(adopted, |id| parts(client, id).boxed()).await?;
    facts.candidates.extend(found.into_iter().flatten());
    for id in mapped(facts, "fsap-") {
        let answer = client.describe_access_points().access_point_id(&id).send().await;
        let answer = answer.map_err(|e| AwsError::new(actions::DESCRIBE_ACCESS_POINTS.name(), &id, e));
        let answer = unless("AccessPointNotFound", answer)?;
        let found = answer.iter().flat_map(|answer| answer.access_points());
        facts.candidates.extend(found.filter_map(access_point));
    }
    Ok(())
}

/// Returns the access points and mount targets of a file system.
async fn parts(client: &Efs, system: String) -> Result<Option<Vec<Candidate>>, AwsError> {
    let request = client.describe_access_points().file_system_id(&system);
    let pages = request.into_paginator().items().send().try_collect().await;
    let points: Vec<_> =
        pages.map_err(|e| AwsError::new(actions::DESCRIBE_ACCESS_POINTS.name(), &system, e))?;
    let mut found: Vec<Candidate> = points.iter().filter_map(access_point).collect();
    let request = client.describe_mount_targets().file_system_id(&system);
    let pages = request.into_paginator().items().send().try_collect().await;
    let targets: Vec<_> =
        pages.map_err(|e| AwsError::new(actions::DESCRIBE_MOUNT_TARGETS.name(), &system, e))?;
    let targets = targets
        .iter()
        .filter(|target| is_there(target.life_cycle_state()));
    found.extend(targets.map(|target| Candidate {
        zone_id: target.availability_zone_id().map(str::to_owned),
        parent: Some(system.clone()),
        ..Candidate::new(CandidateKind::MountTarget, target.mount_target_id())
    }));
    Ok(Some(found))
}

fn is_there(state: &LifeCycleState) -> bool {
    !matches!(state, LifeCycleState::Deleting | LifeCycleState::Deleted)
}

fn file_system(from: &FileSystemDescription) -> Option<Candidate> {
    is_there(from.life_cycle_state()).then(|| Candidate {
        name: from.name().map(str::to_owned),
        tags: efs::tags(from.tags()),
        ..Candidate::new(CandidateKind::FileSystem, from.file_system_id())
    })
}

fn access_point(from: &aws_sdk_efs::types::AccessPointDescription) -> Option<Candidate> {
    let is_there = from.life_cycle_state().is_none_or(is_there);
    let point: AccessPoint = efs::access_point(from).filter(|_| is_there)?;
    Some(Candidate {
        name: from.name().map(str::to_owned),
        parent: from.file_system_id().map(str::to_owned),
        access: Some(Access::of(&point)),
        tags: point.tags,
        ..Candidate::new(CandidateKind::AccessPoint, point.access_point_id)
    })
}
