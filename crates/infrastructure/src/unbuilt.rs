//! What objects name and no stack builds: certificates, target groups, web ACLs, buckets, volumes, snapshots, secrets, and
//! the roles of IAM Identity Center. One without a counterpart is a finding, with the command that makes one.

use std::collections::BTreeSet;

use lifeboat_model::Code;

use crate::bindings::Bindings;
use crate::counterpart::CandidateKind;
use crate::description::Descriptions;
use crate::description::load_balancing::{Certificate, CertificateType, KeyAlgorithm};
use crate::facts::RecoveryFacts;
use crate::finding::Findings;

/// Finds what has no counterpart.
pub(crate) fn find(
    descriptions: &Descriptions,
    facts: &RecoveryFacts,
    bindings: &Bindings<'_>,
    findings: &mut Findings,
) {
    let is_open = |id: &str| !bindings.adopted.contains_key(id) && !bindings.matches.refused.contains(id);
    for certificate in &descriptions.certificates {
        let arn = certificate.certificate_arn.as_str();
        if is_open(arn) {
            let names = listed(&certificate.domains());
            let what = format!("no certificate of {} has its domain names: {names}", facts.region);
            let remedy = command(certificate, facts);
            findings.warning_with(Code::CertificateWithoutCounterpart, arn, what, remedy);
        } else if let Some(what) = other_domains(certificate, facts, bindings) {
            findings.warning(Code::CertificateDiffers, arn, what);
        }
    }
    let is_elsewhere = descriptions.account != facts.account;
    for role in descriptions
        .roles
        .iter()
        .filter(|one| is_elsewhere && is_open(&one.arn))
    {
        if let Some(name) = role.permission_set() {
            let account = &facts.account;
            let what = format!("no role of the account {account} is that of the permission set {name}");
            let remedy = assignment(facts);
            findings.warning_with(Code::PermissionSetNotAssigned, &role.arn, what, remedy);
        }
    }
    for volume in descriptions.volumes.iter().filter(|one| is_open(&one.volume_id)) {
        let size = volume.size.map(|size| format!("{size} GiB"));
        let zone = volume.availability_zone.as_ref().map(|zone| format!("in {zone}"));
        let known: Vec<String> = size.into_iter().chain(zone).collect();
        let what = match known.as_slice() {
            [] => "the volume is not mapped".to_owned(),
            known => format!("the volume ({}) is not mapped", known.join(" ")),
        };
        findings.warning(Code::VolumeWithoutCounterpart, &volume.volume_id, what);
    }
    for snapshot in descriptions
        .snapshots
        .iter()
        .filter(|one| is_open(&one.snapshot_id))
    {
        let what = "the snapshot is not mapped";
        findings.warning(Code::VolumeWithoutCounterpart, &snapshot.snapshot_id, what);
    }
    let groups = descriptions.target_groups.iter();
    let groups = groups.filter(|one| !one.is_made_by_controller());
    let groups = groups.map(|one| (one.target_group_arn.as_str(), "target group"));
    let acls = descriptions.web_acls.iter();
    let acls = acls.map(|one| (one.arn.as_str(), "web ACL"));
    let buckets = descriptions.buckets.iter();
    let buckets = buckets.map(|one| (one.name.as_str(), "bucket"));
    let secrets = descriptions.secrets.iter();
    let secrets = secrets.map(|one| (one.arn.as_str(), "secret or parameter"));
    for (id, kind) in groups.chain(acls).chain(buckets).chain(secrets) {
        if is_open(id) {
            let what = format!("the {kind} is neither mapped nor found in {}", facts.region);
            findings.warning(Code::NamedWithoutCounterpart, id, what);
        }
    }
}

/// Returns how a permission set is assigned to the recovery account.
fn assignment(facts: &RecoveryFacts) -> String {
    format!(
        "run `aws sso-admin create-account-assignment --instance-arn INSTANCE --permission-set-arn PERMISSION_SET \
         --target-type AWS_ACCOUNT --target-id {} --principal-type GROUP --principal-id GROUP_ID` in the account of IAM \
         Identity Center, with the values that `aws sso-admin list-account-assignments` shows for the primary account, or \
         map the role to one that exists in the account {}",
        facts.account, facts.account
    )
}

/// Returns what is different about the domain names of the certificate that was found by its tags.
fn other_domains(
    certificate: &Certificate,
    facts: &RecoveryFacts,
    bindings: &Bindings<'_>,
) -> Option<String> {
    let mut found = bindings.matches.found.iter();
    let to = found.find(|one| one.from == certificate.certificate_arn)?.to;
    let is_taken = |kind, id: &str| kind == CandidateKind::Certificate && id == to;
    let mut candidates = facts.candidates.iter();
    let candidate = candidates.find(|one| is_taken(one.kind, &one.id))?;
    let lacks: BTreeSet<String> = certificate
        .domains()
        .difference(&candidate.domains)
        .cloned()
        .collect();
    (!lacks.is_empty()).then(|| {
        let has = listed(&candidate.domains);
        format!("{to} has its tags and lacks {}; it has {has}", listed(&lacks))
    })
}

fn listed(names: &BTreeSet<String>) -> String {
    let shown = names.iter().map(|name| name.escape_default().to_string());
    shown.collect::<Vec<_>>().join(", ")
}

/// Whether a text has the characters of a domain name, with or without a wildcard. Names come from the primary account,
/// and nothing else of it becomes a part of a command.
fn is_domain(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte);
    // DomainName (<https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html>).
    !name.starts_with('-') && (1..=253).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// Returns a domain name as a word of a shell, in which `*` is a pattern.
fn word(name: &str) -> String {
    match name.contains('*') {
        true => format!("'{name}'"),
        false => name.to_owned(),
    }
}

/// Returns what to do about a certificate without a counterpart.
fn command(certificate: &Certificate, facts: &RecoveryFacts) -> String {
    let general = || {
        Code::CertificateWithoutCounterpart
            .explanation()
            .remedy
            .to_owned()
    };
    let mut names: BTreeSet<String> = certificate.domains();
    let first = certificate
        .domain_name
        .as_ref()
        .map(|name| name.to_ascii_lowercase());
    let Some(first) = first.or_else(|| names.first().cloned()) else {
        return general();
    };
    if !names.iter().all(|name| is_domain(name)) {
        return general();
    }
    names.remove(&first);
    let region = &facts.region;
    let account = &facts.account;
    if certificate.r#type == Some(CertificateType::Imported) {
        return format!(
            "run `aws acm import-certificate --certificate fileb://certificate.pem --private-key fileb://key.pem \
             --certificate-chain fileb://chain.pem --region {region}` in the account {account}, or map the certificate \
             to one that exists there"
        );
    }
    let mut command = format!("aws acm request-certificate --domain-name {}", word(&first));
    if !names.is_empty() {
        let words: Vec<String> = names.iter().map(|name| word(name)).collect();
        command.push_str(&format!(" --subject-alternative-names {}", words.join(" ")));
    }
    let algorithm = certificate
        .key_algorithm
        .filter(|one| *one != KeyAlgorithm::Rsa2048);
    if let Some(algorithm) = algorithm.and_then(|one| crate::stack::json(&one).as_str().map(str::to_owned)) {
        command.push_str(&format!(" --key-algorithm {algorithm}"));
    }
    if certificate.r#type == Some(CertificateType::Private) {
        return format!(
            "run `{command} --certificate-authority-arn ARN --region {region}` in the account {account} with the ARN of \
             a private certificate authority, or map the certificate to one that exists there"
        );
    }
    format!(
        "run `{command} --validation-method DNS --region {region}` in the account {account} and create the DNS records \
         that the certificate asks for, or map the certificate to one that exists there"
    )
}

#[cfg(test)]
mod tests;
