//! Launch templates in the versions in use.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types;
use lifeboat_aws::AwsError;
use lifeboat_aws::reads::{Answer, NOT_FOUND, Reads};
use lifeboat_infrastructure::description::Tags;
use lifeboat_infrastructure::description::launch_template::LaunchTemplate;

use crate::convert::tags;
use crate::{Ec2, FILTER_VALUES, actions};

mod data;

/// A version of a launch template, as a node group names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaunchTemplateVersion {
    /// The id of the launch template.
    pub id: String,
    /// The number of the version, `$Latest` or `$Default`.
    pub version: String,
}

impl Ec2 {
    /// Reads versions of launch templates, sorted by id and version.
    ///
    /// # Errors
    /// [`AwsError`] if EC2 throttles or does not answer. What it refuses is noted in `reads`.
    pub async fn launch_templates(
        &self,
        reads: &Reads,
        wanted: &BTreeSet<LaunchTemplateVersion>,
    ) -> Result<Vec<LaunchTemplate>, AwsError> {
        let mut found: Vec<LaunchTemplate> = Vec::new();
        // One at a time: a call for several versions fails if one does not exist.
        for one in wanted {
            let request = (self.client.describe_launch_template_versions())
                .launch_template_id(&one.id)
                .versions(&one.version);
            let pages = request.into_paginator().items().send().try_collect();
            let action = actions::LAUNCH_TEMPLATE_VERSIONS;
            let answer = reads.call(action, &one.id, pages).await?;
            let answered = reads.answer(action, &one.id);
            if answer.as_ref().is_some_and(Vec::is_empty) {
                reads.refuse(action, &one.id, NOT_FOUND);
            }
            found.extend(
                answer
                    .iter()
                    .flatten()
                    .filter_map(|from| template(from, answered)),
            );
        }
        found.sort_by(|a, b| {
            (&a.launch_template_id, a.version_number).cmp(&(&b.launch_template_id, b.version_number))
        });
        // `$Latest` may be the version that another node group names by number.
        found.dedup_by(|a, b| {
            a.launch_template_id == b.launch_template_id && a.version_number == b.version_number
        });
        let ids: BTreeSet<String> = found
            .iter()
            .map(|template| template.launch_template_id.clone())
            .collect();
        let tags = self.tags_of(reads, &ids.into_iter().collect::<Vec<_>>()).await?;
        for template in &mut found {
            let own = tags.get(&template.launch_template_id);
            template.tags = own.cloned().unwrap_or_default();
        }
        Ok(found)
    }

    /// Reads the tags of launch templates. Those of a version are the tags of what it launches.
    async fn tags_of(&self, reads: &Reads, templates: &[String]) -> Result<BTreeMap<String, Tags>, AwsError> {
        let mut found = BTreeMap::new();
        for ids in templates.chunks(FILTER_VALUES) {
            // The call has no filter for ids.
            let request =
                (self.client.describe_launch_templates()).set_launch_template_ids(Some(ids.to_vec()));
            let pages = request.into_paginator().items().send().try_collect();
            let answer = reads
                .call(actions::LAUNCH_TEMPLATES, "AWS::EC2::LaunchTemplate", pages)
                .await?;
            for one in answer.iter().flatten() {
                if let Some(id) = one.launch_template_id() {
                    found.insert(id.to_owned(), tags(one.tags()));
                }
            }
        }
        Ok(found)
    }
}

fn template(from: &types::LaunchTemplateVersion, answer: Answer<'_>) -> Option<LaunchTemplate> {
    Some(LaunchTemplate {
        launch_template_id: from.launch_template_id()?.to_owned(),
        launch_template_name: from.launch_template_name()?.to_owned(),
        version_number: u64::try_from(from.version_number()?).ok()?,
        launch_template_data: data::data(from.launch_template_data()?, answer),
        tags: Tags::new(),
    })
}
