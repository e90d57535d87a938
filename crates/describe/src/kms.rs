//! KMS keys that other resources use.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_kms::Client;
use aws_sdk_kms::types;
use futures::FutureExt as _;
use lifeboat_aws::reads::{Answer, Reads};
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_infrastructure::description::storage::{Key, KeyManager};
use lifeboat_infrastructure::description::{Hidden, PolicyDocument, Tags};

use crate::actions;
use crate::parallel::each;
use crate::place::Place;

/// The only name that a key policy has (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html>).
const POLICY_NAME: &str = "default";
/// The error code for a key whose material cannot be rotated: an asymmetric one, or one with imported material.
const NOT_ROTATED: &str = "UnsupportedOperationException";

/// Reads keys.
pub(crate) struct Kms<'a> {
    client: Client,
    reads: &'a Reads,
    place: &'a Place,
}

impl<'a> Kms<'a> {
    pub(crate) fn new(context: &AwsContext, reads: &'a Reads, place: &'a Place) -> Self {
        Self {
            client: Client::new(context.sdk_config()),
            reads,
            place,
        }
    }

    /// Reads keys of this account and Region by ARN, id or alias, sorted by ARN. Others are left out.
    pub(crate) async fn keys(&self, named: BTreeSet<String>) -> Result<Vec<Key>, AwsError> {
        let named = named.into_iter().filter(|key| self.place.has_key(key));
        let found = each(named, |key| self.named(key).boxed()).await?;
        // Different names may be of one key.
        let keys: BTreeMap<String, Key> = found.into_iter().map(|key| (key.arn.clone(), key)).collect();
        each(keys.into_values(), |key| self.with_parts(key).boxed()).await
    }

    async fn named(&self, key: String) -> Result<Option<Key>, AwsError> {
        let request = self.client.describe_key().key_id(&key);
        let action = actions::DESCRIBE_KEY;
        let answer = self.reads.call(action, &key, request.send()).await?;
        let Some(answer) = answer else { return Ok(None) };
        let answered = self.reads.answer(action, &key);
        let read = answer
            .key_metadata()
            .and_then(|metadata| self::key(metadata, answered));
        Ok(answered.needed(read))
    }

    /// Adds the aliases of a key; of a key that a user manages also policy, rotation and tags.
    async fn with_parts(&self, mut key: Key) -> Result<Option<Key>, AwsError> {
        let (id, on) = (key.key_id.clone(), key.arn.clone());
        let request = self.client.list_aliases().key_id(&id);
        let pages = request.into_paginator().items().send().try_collect();
        let aliases = self.reads.call(actions::LIST_ALIASES, &on, pages).await?;
        let aliases = aliases.into_iter().flatten();
        key.aliases = aliases.filter_map(|alias| alias.alias_name).collect();
        key.aliases.sort();
        if key.key_manager == KeyManager::Aws {
            return Ok(Some(key));
        }
        key.policy = self.policy(&id, &on).await?;
        let request = self.client.get_key_rotation_status().key_id(&id);
        let action = actions::GET_KEY_ROTATION_STATUS;
        let answer = (self.reads)
            .call_unless(action, &on, &[NOT_ROTATED], request.send())
            .await?;
        key.enable_key_rotation = answer.map(|answer| answer.key_rotation_enabled());
        let request = self.client.list_resource_tags().key_id(&id);
        let pages = request.into_paginator().items().send().try_collect();
        let tags = self.reads.call(actions::LIST_RESOURCE_TAGS, &on, pages).await?;
        let tags = tags.into_iter().flatten();
        key.tags = tags.map(|tag| (tag.tag_key, tag.tag_value)).collect();
        Ok(Some(key))
    }

    async fn policy(&self, id: &str, on: &str) -> Result<Option<PolicyDocument>, AwsError> {
        let request = (self.client.get_key_policy()).key_id(id).policy_name(POLICY_NAME);
        let action = actions::GET_KEY_POLICY;
        let answer = self.reads.call(action, on, request.send()).await?;
        let answered = self.reads.answer(action, on);
        let text = answer.as_ref().and_then(|answer| answer.policy());
        Ok(text.and_then(|text| answered.policy(text)).map(Hidden))
    }
}

fn key(from: &types::KeyMetadata, answer: Answer<'_>) -> Option<Key> {
    Some(Key {
        key_id: from.key_id().to_owned(),
        arn: from.arn()?.to_owned(),
        description: from
            .description()
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        key_manager: answer.spelled(from.key_manager()?.as_str())?,
        multi_region: from.multi_region(),
        enable_key_rotation: None,
        aliases: Vec::new(),
        policy: None,
        tags: Tags::new(),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_sdk_kms::types::{KeyManagerType, KeyMetadata};

    use super::*;

    #[test]
    fn a_key_tells_who_manages_it() {
        let from = KeyMetadata::builder()
            .key_id("1234abcd")
            .arn("arn:aws:kms:eu-west-1:111111111111:key/1234abcd")
            .description("")
            .key_manager(KeyManagerType::Aws)
            .multi_region(false)
            .build()
            .unwrap();
        let reads = Reads::new();
        let key = key(&from, reads.answer(actions::DESCRIBE_KEY, "1234abcd")).unwrap();
        assert_eq!((key.key_manager, key.description), (KeyManager::Aws, None));
        assert_eq!(key.multi_region, Some(false));
    }
}
