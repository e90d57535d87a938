//! Certificates of ACM. Nothing here reads a private key.

use std::collections::BTreeSet;

use aws_sdk_acm::Client;
use aws_sdk_acm::types;
use futures::FutureExt as _;
use lifeboat_aws::reads::{Answer, Reads};
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_infrastructure::description::Tags;
use lifeboat_infrastructure::description::load_balancing::Certificate;
use lifeboat_infrastructure::{Candidate, CandidateKind};

use crate::parallel::each;
use crate::place::Place;
use crate::{actions, unbuilt};

/// What a refusal of a list names.
const TYPE: &str = "AWS::CertificateManager::Certificate";

/// Reads certificates.
pub(crate) struct Acm<'a> {
    client: Client,
    reads: &'a Reads,
    place: &'a Place,
}

impl<'a> Acm<'a> {
    pub(crate) fn new(context: &AwsContext, reads: &'a Reads, place: &'a Place) -> Self {
        Self {
            client: Client::new(context.sdk_config()),
            reads,
            place,
        }
    }

    /// Reads certificates of this account and Region by ARN, sorted by ARN. Others are left out.
    pub(crate) async fn certificates(&self, arns: &BTreeSet<String>) -> Result<Vec<Certificate>, AwsError> {
        let own = arns.iter().filter(|arn| self.place.has("acm", arn));
        each(own.cloned(), |arn| self.certificate(arn).boxed()).await
    }

    async fn certificate(&self, arn: String) -> Result<Option<Certificate>, AwsError> {
        let request = self.client.describe_certificate().certificate_arn(&arn);
        let action = actions::DESCRIBE_CERTIFICATE;
        let answer = self.reads.call(action, &arn, request.send()).await?;
        let Some(answer) = answer else { return Ok(None) };
        let answered = self.reads.answer(action, &arn);
        let read = answer.certificate().and_then(|from| certificate(from, answered));
        let Some(mut certificate) = answered.needed(read) else {
            return Ok(None);
        };
        let request = self.client.list_tags_for_certificate().certificate_arn(&arn);
        let action = actions::LIST_CERTIFICATE_TAGS;
        let answer = self.reads.call(action, &arn, request.send()).await?;
        certificate.tags = answer.map(|answer| tags(answer.tags())).unwrap_or_default();
        Ok(Some(certificate))
    }
}

/// Returns the certificates of an account and Region that can be used, as candidates, sorted by ARN.
///
/// # Errors
/// [`AwsError`] if ACM refuses a call or does not answer.
pub(crate) async fn candidates(context: &AwsContext) -> Result<Vec<Candidate>, AwsError> {
    let client = Client::new(context.sdk_config());
    // Without a filter ACM lists RSA certificates of 1024 and 2048 bits only
    // (<https://docs.aws.amazon.com/acm/latest/APIReference/API_ListCertificates.html>).
    let algorithms = types::KeyAlgorithm::values().iter().copied();
    let algorithms = algorithms.map(types::KeyAlgorithm::from).collect();
    let filters = types::Filters::builder().set_key_types(Some(algorithms)).build();
    let request = (client.list_certificates())
        .certificate_statuses(types::CertificateStatus::Issued)
        .includes(filters);
    let pages = request.into_paginator().items().send().try_collect();
    let action = unbuilt::LIST_CERTIFICATES.name();
    let listed: Vec<types::CertificateSummary> =
        pages.await.map_err(|error| AwsError::new(action, TYPE, error))?;
    let issued = listed
        .into_iter()
        .filter(|one| one.status() == Some(&types::CertificateStatus::Issued));
    let mut found = each(issued, |one| candidate(&client, one).boxed()).await?;
    found.sort();
    Ok(found)
}

/// Returns a certificate with all its domain names and its tags.
async fn candidate(client: &Client, from: types::CertificateSummary) -> Result<Option<Candidate>, AwsError> {
    let Some(arn) = from.certificate_arn() else {
        return Ok(None);
    };
    let mut names: Vec<String> = from.domain_name().into_iter().map(str::to_owned).collect();
    names.extend_from_slice(from.subject_alternative_name_summaries());
    // The list has no more than 100 names of each.
    let has_all = from.has_additional_subject_alternative_names() == Some(false);
    if !has_all {
        let action = unbuilt::DESCRIBE_CERTIFICATE.name();
        let answer = client.describe_certificate().certificate_arn(arn).send().await;
        let answer = answer.map_err(|error| AwsError::new(action, arn, error))?;
        if let Some(detail) = answer.certificate() {
            names.extend_from_slice(detail.subject_alternative_names());
        }
    }
    let action = unbuilt::LIST_CERTIFICATE_TAGS.name();
    let answer = client
        .list_tags_for_certificate()
        .certificate_arn(arn)
        .send()
        .await;
    let answer = answer.map_err(|error| AwsError::new(action, arn, error))?;
    let mut found = Candidate::new(CandidateKind::Certificate, arn);
    found.tags = tags(answer.tags());
    found.domains = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    Ok(Some(found))
}

fn tags(from: &[types::Tag]) -> Tags {
    let pairs = from
        .iter()
        .map(|tag| (tag.key().to_owned(), tag.value().unwrap_or_default().to_owned()));
    pairs.collect()
}

fn certificate(from: &types::CertificateDetail, answer: Answer<'_>) -> Option<Certificate> {
    // Domain names have no case; those of two accounts are compared.
    let names = from.subject_alternative_names().iter();
    let mut names: Vec<String> = names.map(|name| name.to_ascii_lowercase()).collect();
    names.sort();
    Some(Certificate {
        certificate_arn: from.certificate_arn()?.to_owned(),
        domain_name: from.domain_name().map(str::to_ascii_lowercase),
        subject_alternative_names: names,
        r#type: from.r#type().and_then(|one| answer.spelled(one.as_str())),
        status: from.status().and_then(|one| answer.spelled(one.as_str())),
        key_algorithm: from.key_algorithm().and_then(|one| answer.spelled(one.as_str())),
        tags: Tags::new(),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_acm::types::{CertificateStatus, CertificateType, KeyAlgorithm};
    use lifeboat_infrastructure::description::load_balancing as described;

    use crate::testing::assert_spelled;

    #[test]
    fn every_value_of_the_sdk_is_described() {
        assert_spelled::<described::CertificateStatus>(CertificateStatus::values());
        assert_spelled::<described::CertificateType>(CertificateType::values());
        assert_spelled::<described::KeyAlgorithm>(KeyAlgorithm::values());
        assert_spelled::<described::KeyAlgorithm>(&["RSA-2048", "EC-prime256v1"]);
    }
}
