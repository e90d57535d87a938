//! ECR repositories.

use std::collections::BTreeSet;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types;
use futures::FutureExt as _;
use lifeboat_aws::reads::{Answer, Reads};
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_infrastructure::description::storage::{
    ImageScanning, MutabilityExclusion, Repository, RepositoryEncryption,
};
use lifeboat_infrastructure::description::{Hidden, PolicyDocument, Tags};

use crate::actions;
use crate::parallel::each;
use crate::place::Place;

/// The error code for a repository without a policy.
const NO_POLICY: &str = "RepositoryPolicyNotFoundException";
/// The error code for a repository whose images do not expire.
const NO_LIFECYCLE: &str = "LifecyclePolicyNotFoundException";

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

fn tags(from: &[types::Tag]) -> Tags {
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
