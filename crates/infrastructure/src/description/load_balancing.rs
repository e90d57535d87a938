//! What load balancers of the clusters use: certificates, target groups, web ACLs.

use std::collections::BTreeSet;

use lifeboat_model::Arn;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Tags;

/// A certificate of ACM (`CertificateDetail`). Its private key is never read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certificate {
    /// The ARN.
    pub certificate_arn: String,
    /// The first domain name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_name: Option<String>,
    /// All domain names, with the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subject_alternative_names: Vec<String>,
    /// Who has issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<CertificateType>,
    /// Whether it can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<CertificateStatus>,
    /// The algorithm of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_algorithm: Option<KeyAlgorithm>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

impl Certificate {
    /// Returns its domain names in lower case, each once.
    #[must_use]
    pub fn domains(&self) -> BTreeSet<String> {
        let all = self.domain_name.iter().chain(&self.subject_alternative_names);
        all.map(|name| name.to_ascii_lowercase()).collect()
    }
}

/// Who has issued a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum CertificateType {
    /// `AMAZON_ISSUED`.
    #[serde(rename = "AMAZON_ISSUED")]
    AmazonIssued,
    /// `IMPORTED`.
    #[serde(rename = "IMPORTED")]
    Imported,
    /// `PRIVATE`: a private certificate authority.
    #[serde(rename = "PRIVATE")]
    Private,
}

/// Whether a certificate can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum CertificateStatus {
    /// `PENDING_VALIDATION`.
    #[serde(rename = "PENDING_VALIDATION")]
    PendingValidation,
    /// `ISSUED`.
    #[serde(rename = "ISSUED")]
    Issued,
    /// `INACTIVE`.
    #[serde(rename = "INACTIVE")]
    Inactive,
    /// `EXPIRED`.
    #[serde(rename = "EXPIRED")]
    Expired,
    /// `VALIDATION_TIMED_OUT`.
    #[serde(rename = "VALIDATION_TIMED_OUT")]
    ValidationTimedOut,
    /// `REVOKED`.
    #[serde(rename = "REVOKED")]
    Revoked,
    /// `FAILED`.
    #[serde(rename = "FAILED")]
    Failed,
}

/// The algorithm of the key of a certificate. ACM answers `RSA-2048` where its model has `RSA_2048`
/// (<https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateDetail.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum KeyAlgorithm {
    /// `RSA_1024`.
    #[serde(rename = "RSA_1024", alias = "RSA-1024")]
    Rsa1024,
    /// `RSA_2048`.
    #[serde(rename = "RSA_2048", alias = "RSA-2048")]
    Rsa2048,
    /// `RSA_3072`.
    #[serde(rename = "RSA_3072", alias = "RSA-3072")]
    Rsa3072,
    /// `RSA_4096`.
    #[serde(rename = "RSA_4096", alias = "RSA-4096")]
    Rsa4096,
    /// `EC_prime256v1`.
    #[serde(rename = "EC_prime256v1", alias = "EC-prime256v1")]
    EcPrime256v1,
    /// `EC_secp384r1`.
    #[serde(rename = "EC_secp384r1", alias = "EC-secp384r1")]
    EcSecp384r1,
    /// `EC_secp521r1`.
    #[serde(rename = "EC_secp521r1", alias = "EC-secp521r1")]
    EcSecp521r1,
}

/// A target group of Elastic Load Balancing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetGroup {
    /// The ARN.
    pub target_group_arn: String,
    /// The name.
    pub target_group_name: String,
    /// The protocol of the targets; none of a function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// The version of HTTP: `HTTP1`, `HTTP2`, `GRPC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
    /// The port of the targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u32>,
    /// The VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// What the targets are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_type: Option<TargetType>,
    /// The type of the addresses of the targets: `ipv4` or `ipv6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address_type: Option<String>,
    /// How targets are found to be healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

impl TargetGroup {
    /// The tag of what the AWS Load Balancer Controller makes. It deletes these target groups with the objects that they
    /// are of, and makes them again for those that are restored
    /// (<https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/pkg/deploy/tracking/provider.go>).
    pub const TAG_OF_CONTROLLER: &str = "elbv2.k8s.aws/cluster";

    /// Whether the AWS Load Balancer Controller has made it.
    #[must_use]
    pub fn is_made_by_controller(&self) -> bool {
        self.tags.contains_key(Self::TAG_OF_CONTROLLER)
    }
}

/// The protocol of a target group (`ProtocolEnum`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    /// `HTTP`.
    #[serde(rename = "HTTP")]
    Http,
    /// `HTTPS`.
    #[serde(rename = "HTTPS")]
    Https,
    /// `TCP`.
    #[serde(rename = "TCP")]
    Tcp,
    /// `TLS`.
    #[serde(rename = "TLS")]
    Tls,
    /// `UDP`.
    #[serde(rename = "UDP")]
    Udp,
    /// `TCP_UDP`.
    #[serde(rename = "TCP_UDP")]
    TcpUdp,
    /// `GENEVE`.
    #[serde(rename = "GENEVE")]
    Geneve,
    /// `QUIC`.
    #[serde(rename = "QUIC")]
    Quic,
    /// `TCP_QUIC`.
    #[serde(rename = "TCP_QUIC")]
    TcpQuic,
}

/// What the targets of a target group are (`TargetTypeEnum`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetType {
    /// `instance`.
    Instance,
    /// `ip`.
    Ip,
    /// `lambda`.
    Lambda,
    /// `alb`.
    Alb,
}

/// How targets are found to be healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheck {
    /// Whether targets are checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// The port, or `traffic-port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// The path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The pause between two checks, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<u32>,
    /// The longest wait for an answer, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// The number of good answers after which a target is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_threshold_count: Option<u32>,
    /// The number of bad answers after which a target is not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhealthy_threshold_count: Option<u32>,
    /// The codes of HTTP or gRPC that are good answers, such as `200-299`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matcher: Option<String>,
}

/// A regional web ACL of AWS WAF, as its ARN tells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebAcl {
    /// The ARN.
    pub arn: String,
    /// The name.
    pub name: String,
}

impl WebAcl {
    /// Returns the web ACL of an ARN, `arn:aws:wafv2:eu-west-1:111111111111:regional/webacl/name/id`.
    #[must_use]
    pub fn of_arn(arn: &str) -> Option<Self> {
        let parsed = Arn::parse(arn).ok().filter(|arn| arn.service() == "wafv2")?;
        let (name, _) = parsed
            .resource()
            .strip_prefix("regional/webacl/")?
            .split_once('/')?;
        Some(Self {
            arn: arn.to_owned(),
            name: name.to_owned(),
        })
    }
}
