//! ECR repositories.

use std::collections::BTreeSet;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types;
use futures::FutureExt as _;
use lifeboat_aws::reads::{Answer, Reads};
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_infrastructure::description::storage::{
    Image, ImageScanning, MutabilityExclusion, Registry, RegistryDestination, ReplicationRule, Repository,
    RepositoryEncryption, RepositoryFilter,
};
use lifeboat_infrastructure::description::{Hidden, PolicyDocument, Tags};

use crate::actions;
use crate::parallel::each;
use crate::place::Place;

/// The error code for a repository without a policy.
const NO_POLICY: &str = "RepositoryPolicyNotFoundException";
/// The error code for a repository whose images do not expire.
const NO_LIFECYCLE: &str = "LifecyclePolicyNotFoundException";

/// The error codes for an image that the registry does not have.
const NO_IMAGE: &str = "ImageNotFoundException";
const NO_REPOSITORY: &str = "RepositoryNotFoundException";

/// Reads repositories of the private registry.
pub(crate) struct Ecr<'a> {
    client: Client,
    reads: &'a Reads,
    place: &'a Place,
}

impl<'a> Ecr<'a> {
    pub(crate) fn new(context: &AwsContext, reads: &'a Reads, place: &'a Place) -> Self {
        Self {
            client: Client::new(context.sdk_config()),
            reads,
            place,
        }
    }

    /// Reads repositories by their names, sorted by name.
    pub(crate) async fn repositories(&self, names: BTreeSet<String>) -> Result<Vec<Repository>, AwsError> {
        each(names, |name| self.repository(name).boxed()).await
    }

    /// Reads a repository. One at a time: a call for several fails if one does not exist.
    async fn repository(&self, name: String) -> Result<Option<Repository>, AwsError> {
        let on = self.place.arn("ecr", &format!("repository/{name}"));
        let request = (self.client.describe_repositories()).repository_names(&name);
        let action = actions::DESCRIBE_REPOSITORIES;
        let answer = self.reads.call(action, &on, request.send()).await?;
        let Some(answer) = answer else { return Ok(None) };
        let answered = self.reads.answer(action, &on);
        let read = answer
            .repositories()
            .first()
            .and_then(|from| repository(from, answered));
        let Some(mut repository) = answered.needed(read) else {
            return Ok(None);
        };
        repository.policy = self.policy(&name, &on).await?;
        repository.lifecycle_policy = self.lifecycle(&name, &on).await?;
        let request = (self.client.list_tags_for_resource()).resource_arn(&repository.repository_arn);
        let action = actions::LIST_REPOSITORY_TAGS;
        let answer = self.reads.call(action, &on, request.send()).await?;
        repository.tags = answer.map(|answer| tags(answer.tags())).unwrap_or_default();
        Ok(Some(repository))
    }

    /// Reads the configuration of the registry.
    pub(crate) async fn registry(&self) -> Result<Option<Registry>, AwsError> {
        let action = actions::DESCRIBE_REGISTRY;
        let on = "AWS::ECR::ReplicationConfiguration";
        let answer = self
            .reads
            .call(action, on, self.client.describe_registry().send())
            .await?;
        let Some(answer) = answer else { return Ok(None) };
        let answered = self.reads.answer(action, on);
        let rules = answer.replication_configuration().map(|from| from.rules());
        let rules = rules.unwrap_or_default().iter();
        Ok(Some(Registry {
            replication_rules: rules.map(|rule| replication_rule(rule, answered)).collect(),
        }))
    }

    /// Returns those of some images that the registry has.
    pub(crate) async fn existing(&self, images: &[Image]) -> Result<BTreeSet<Image>, AwsError> {
        let found = each(images.iter().cloned(), |image| self.existing_image(image).boxed()).await?;
        Ok(found.into_iter().collect())
    }

    async fn existing_image(&self, image: Image) -> Result<Option<Image>, AwsError> {
        let on = self
            .place
            .arn("ecr", &format!("repository/{}", image.repository_name));
        let id = types::ImageIdentifier::builder()
            .set_image_digest(image.image_digest.clone())
            .set_image_tag(image.image_tag.clone())
            .build();
        let request = (self.client.describe_images())
            .repository_name(&image.repository_name)
            .image_ids(id);
        let absent = &[NO_IMAGE, NO_REPOSITORY];
        let answer = (self.reads)
            .call_unless(actions::DESCRIBE_IMAGES, &on, absent, request.send())
            .await?;
        Ok(answer.map(|_| image))
    }

    async fn policy(&self, name: &str, on: &str) -> Result<Option<PolicyDocument>, AwsError> {
        let request = self.client.get_repository_policy().repository_name(name);
        let action = actions::GET_REPOSITORY_POLICY;
        let answer = (self.reads)
            .call_unless(action, on, &[NO_POLICY], request.send())
            .await?;
        let answered = self.reads.answer(action, on);
        let text = answer.as_ref().and_then(|answer| answer.policy_text());
        Ok(text.and_then(|text| answered.policy(text)).map(Hidden))
    }

    async fn lifecycle(&self, name: &str, on: &str) -> Result<Option<PolicyDocument>, AwsError> {
        let request = self.client.get_lifecycle_policy().repository_name(name);
        let action = actions::GET_LIFECYCLE_POLICY;
        let answer = (self.reads)
            .call_unless(action, on, &[NO_LIFECYCLE], request.send())
            .await?;
        let answered = self.reads.answer(action, on);
        let text = answer.as_ref().and_then(|answer| answer.lifecycle_policy_text());
        Ok(text.and_then(|text| answered.policy(text)).map(Hidden))
    }
}

fn replication_rule(from: &types::ReplicationRule, answer: Answer<'_>) -> ReplicationRule {
    let destinations = from.destinations().iter();
    let filters = from.repository_filters().iter();
    ReplicationRule {
        destinations: destinations
            .map(|to| RegistryDestination {
                region: to.region().to_owned(),
                registry_id: to.registry_id().to_owned(),
            })
            .collect(),
        repository_filters: filters
            .filter_map(|filter| {
                Some(RepositoryFilter {
                    filter: filter.filter().to_owned(),
                    filter_type: answer.spelled(filter.filter_type().as_str())?,
                })
            })
            .collect(),
    }
}

pub(crate) fn tags(from: &[types::Tag]) -> Tags {
    let pairs = from
        .iter()
        .map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
    pairs.collect()
}

fn repository(from: &types::Repository, answer: Answer<'_>) -> Option<Repository> {
    let filters = from.image_tag_mutability_exclusion_filters().iter();
    let mut filters: Vec<MutabilityExclusion> = filters
        .map(|filter| MutabilityExclusion {
            filter_type: filter.filter_type().as_str().to_owned(),
            filter: filter.filter().to_owned(),
        })
        .collect();
    filters.sort_by(|a, b| a.filter.cmp(&b.filter));
    let encryption = from.encryption_configuration();
    Some(Repository {
        repository_name: from.repository_name()?.to_owned(),
        repository_arn: from.repository_arn()?.to_owned(),
        image_tag_mutability: from
            .image_tag_mutability()
            .and_then(|value| answer.spelled(value.as_str())),
        image_tag_mutability_exclusion_filters: filters,
        image_scanning_configuration: from.image_scanning_configuration().map(|config| ImageScanning {
            scan_on_push: Some(config.scan_on_push()),
        }),
        encryption_configuration: encryption.and_then(|config| {
            Some(RepositoryEncryption {
                encryption_type: answer.spelled(config.encryption_type().as_str())?,
                kms_key: config.kms_key().map(str::to_owned),
            })
        }),
        policy: None,
        lifecycle_policy: None,
        tags: Tags::new(),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_sdk_ecr::types::{
        EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability,
        ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType,
    };
    use lifeboat_infrastructure::description::storage;

    use super::*;

    #[test]
    fn a_repository_keeps_mutability_scanning_and_encryption() {
        let filter = |text: &str| {
            ImageTagMutabilityExclusionFilter::builder()
                .filter_type(ImageTagMutabilityExclusionFilterType::Wildcard)
                .filter(text)
                .build()
                .unwrap()
        };
        let encryption = EncryptionConfiguration::builder()
            .encryption_type(EncryptionType::KmsDsse)
            .kms_key("arn:aws:kms:eu-west-1:111111111111:key/1")
            .build()
            .unwrap();
        let from = types::Repository::builder()
            .repository_name("shop/cart")
            .repository_arn("arn:aws:ecr:eu-west-1:111111111111:repository/shop/cart")
            .image_tag_mutability(ImageTagMutability::ImmutableWithExclusion)
            .image_tag_mutability_exclusion_filters(filter("latest*"))
            .image_tag_mutability_exclusion_filters(filter("dev*"))
            .image_scanning_configuration(ImageScanningConfiguration::builder().scan_on_push(true).build())
            .encryption_configuration(encryption)
            .build();
        let reads = Reads::new();
        let answer = reads.answer(actions::DESCRIBE_REPOSITORIES, "shop/cart");
        let repository = repository(&from, answer).unwrap();
        assert_eq!(
            repository.image_tag_mutability,
            Some(storage::ImageTagMutability::ImmutableWithExclusion)
        );
        let filters = &repository.image_tag_mutability_exclusion_filters;
        assert_eq!(
            (filters[0].filter.as_str(), filters[0].filter_type.as_str()),
            ("dev*", "WILDCARD")
        );
        assert_eq!(
            repository.image_scanning_configuration.unwrap().scan_on_push,
            Some(true)
        );
        let encryption = repository.encryption_configuration.unwrap();
        assert_eq!(
            encryption.encryption_type,
            storage::RepositoryEncryptionType::KmsDsse
        );
        assert!(encryption.kms_key.is_some() && reads.refused().is_empty());
    }
}
