//! AWS identifiers: accounts, Regions and ARNs.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ClusterName, InvalidIdentifier};

identifier!(
    /// An AWS account id, 12 digits.
    AccountId,
    "account",
    "12 digits",
    |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
);

identifier!(
    /// An AWS Region, such as `eu-west-1` or `us-gov-west-1`.
    Region,
    "Region",
    "of the form eu-west-1",
    is_region
);

identifier!(
    /// The name of a stack of CloudFormation (`CreateStack`, parameter `StackName`).
    StackName,
    "name of a stack",
    "1 to 128 letters, digits and '-', beginning with a letter",
    |text| (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && text.as_bytes()[0].is_ascii_alphabetic()
);

identifier!(
    /// An Amazon Resource Name: `arn:<partition>:<service>:<region>:<account>:<resource>`. The Region and the
    /// account may be empty, as for IAM and S3.
    Arn,
    "ARN",
    "of the form arn:aws:<service>:<region>:<account>:<resource>",
    is_arn
);

fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut rest: Vec<&str> = parts.by_ref().skip(1).collect();
    let (first, number) = (text.split('-').next().unwrap_or_default(), rest.pop());
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    text.len() <= 32
        && (2..=4).contains(&first.len())
        && is_word(&first)
        && !rest.is_empty()
        && rest.iter().all(is_word)
        && number.is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit())
}

fn is_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, resource] = parts.as_slice() else {
        return false;
    };
    text.len() <= 2048
        && *arn == "arn"
        && Partition::from_str(partition).is_ok()
        && !service.is_empty()
        && service
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && (region.is_empty() || is_region(region))
        && (account.is_empty() || AccountId::parse(*account).is_ok())
        && !resource.is_empty()
        && resource.bytes().all(|b| b.is_ascii_graphic())
}

/// An AWS partition: a separate set of Regions with their own accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// `aws`: all Regions that are not in another partition.
    Aws,
    /// `aws-cn`: the Regions in China.
    AwsCn,
    /// `aws-us-gov`: AWS GovCloud (US).
    AwsUsGov,
    /// `aws-eusc`: the AWS European Sovereign Cloud.
    AwsEusc,
    /// `aws-iso`: the Top Secret Regions (US).
    AwsIso,
    /// `aws-iso-b`: the Secret Regions (US).
    AwsIsoB,
    /// `aws-iso-e`: the isolated Regions in Europe.
    AwsIsoE,
    /// `aws-iso-f`: the isolated Regions with the prefix `us-isof`.
    AwsIsoF,
}

impl Partition {
    /// Every partition.
    pub const ALL: [Self; 8] = [
        Self::Aws,
        Self::AwsCn,
        Self::AwsUsGov,
        Self::AwsEusc,
        Self::AwsIso,
        Self::AwsIsoB,
        Self::AwsIsoE,
        Self::AwsIsoF,
    ];

    /// Returns the partition as written in an ARN.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
            Self::AwsEusc => "aws-eusc",
            Self::AwsIso => "aws-iso",
            Self::AwsIsoB => "aws-iso-b",
            Self::AwsIsoE => "aws-iso-e",
            Self::AwsIsoF => "aws-iso-f",
        }
    }

    /// Returns the domain of the endpoints of services
    /// (<https://docs.aws.amazon.com/general/latest/gr/rande.html>, and for China
    /// <https://docs.amazonaws.cn/en_us/aws/latest/userguide/endpoints-arns.html>).
    #[must_use]
    pub fn dns_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::AwsUsGov => "amazonaws.com",
            Self::AwsCn => "amazonaws.com.cn",
            Self::AwsEusc => "amazonaws.eu",
            Self::AwsIso => "c2s.ic.gov",
            Self::AwsIsoB => "sc2s.sgov.gov",
            Self::AwsIsoE => "cloud.adc-e.uk",
            Self::AwsIsoF => "csp.hci.ic.gov",
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Partition {
    type Err = InvalidIdentifier;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        (Self::ALL.into_iter())
            .find(|partition| partition.as_str() == text)
            .ok_or_else(|| InvalidIdentifier {
                what: "partition",
                given: text.to_owned(),
                rule: "aws, aws-cn, aws-us-gov, aws-eusc or aws-iso, -b, -e, -f",
            })
    }
}

impl Region {
    /// Returns the partition that the Region belongs to.
    #[must_use]
    pub fn partition(&self) -> Partition {
        match self.as_str() {
            text if text.starts_with("cn-") => Partition::AwsCn,
            text if text.starts_with("us-gov-") => Partition::AwsUsGov,
            text if text.starts_with("eusc-") => Partition::AwsEusc,
            text if text.starts_with("us-iso-") => Partition::AwsIso,
            text if text.starts_with("us-isob-") => Partition::AwsIsoB,
            text if text.starts_with("eu-isoe-") => Partition::AwsIsoE,
            text if text.starts_with("us-isof-") => Partition::AwsIsoF,
            _ => Partition::Aws,
        }
    }
}

/// The kind of resource that an ARN names, as far as Lifeboat distinguishes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArnKind<'a> {
    /// An EKS cluster.
    Cluster {
        /// The name of the cluster.
        name: &'a str,
    },
    /// An IAM role.
    Role {
        /// The name of the role, without its path.
        name: &'a str,
    },
    /// A KMS key.
    Key {
        /// The id of the key.
        id: &'a str,
    },
    /// A Lambda function.
    Function {
        /// The name of the function, without a version or alias.
        name: &'a str,
    },
    /// Any other resource.
    Other,
}

impl Arn {
    fn part(&self, index: usize) -> &str {
        self.as_str().splitn(6, ':').nth(index).unwrap_or_default()
    }

    fn build(service: &str, environment: &EnvironmentId, resource: &str) -> Result<Self, InvalidIdentifier> {
        let EnvironmentId { account, region } = environment;
        let partition = region.partition();
        Self::parse(format!("arn:{partition}:{service}:{region}:{account}:{resource}"))
    }

    /// Returns the ARN of an EKS cluster.
    ///
    /// # Errors
    /// [`InvalidIdentifier`] if the name is not valid in an ARN.
    pub fn cluster(environment: &EnvironmentId, name: &str) -> Result<Self, InvalidIdentifier> {
        Self::build("eks", environment, &format!("cluster/{name}"))
    }

    /// Returns the ARN of a Lambda function.
    ///
    /// # Errors
    /// [`InvalidIdentifier`] if the name is not valid in an ARN.
    pub fn function(environment: &EnvironmentId, name: &str) -> Result<Self, InvalidIdentifier> {
        Self::build("lambda", environment, &format!("function:{name}"))
    }

    /// Returns the partition.
    #[must_use]
    pub fn partition(&self) -> Partition {
        Partition::from_str(self.part(1)).expect("an ARN was parsed with its partition")
    }

    /// Returns the service, such as `eks`.
    #[must_use]
    pub fn service(&self) -> &str {
        self.part(2)
    }

    /// Returns the Region; `None` for resources without a Region.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        Region::parse(self.part(3)).ok()
    }

    /// Returns the account; `None` for resources without an account.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        AccountId::parse(self.part(4)).ok()
    }

    /// Returns the environment; `None` unless the ARN contains both an account and a Region.
    #[must_use]
    pub fn environment(&self) -> Option<EnvironmentId> {
        Some(EnvironmentId {
            account: self.account()?,
            region: self.region()?,
        })
    }

    /// Returns the last part of the ARN, such as `cluster/orders`.
    #[must_use]
    pub fn resource(&self) -> &str {
        self.part(5)
    }

    /// Returns the name in EKS of the cluster with this ARN; `None` if it is not that of a cluster, or not a valid name.
    #[must_use]
    pub fn cluster_name(&self) -> Option<ClusterName> {
        match self.kind() {
            ArnKind::Cluster { name } => ClusterName::parse(name).ok(),
            _ => None,
        }
    }

    /// Returns the kind of the resource.
    #[must_use]
    pub fn kind(&self) -> ArnKind<'_> {
        let resource = self.resource();
        let plain = |prefix: &str| {
            resource
                .strip_prefix(prefix)
                .filter(|name| !name.is_empty() && !name.contains('/'))
        };
        match self.service() {
            "eks" => plain("cluster/").map(|name| ArnKind::Cluster { name }),
            "iam" => resource
                .strip_prefix("role/")
                .and_then(|path| path.rsplit('/').next())
                .filter(|name| !name.is_empty())
                .map(|name| ArnKind::Role { name }),
            "kms" => plain("key/").map(|id| ArnKind::Key { id }),
            "lambda" => resource
                .strip_prefix("function:")
                .and_then(|rest| rest.split(':').next())
                .filter(|name| !name.is_empty())
                .map(|name| ArnKind::Function { name }),
            _ => None,
        }
        .unwrap_or(ArnKind::Other)
    }
}

/// An environment: an account and a Region, written `111111111111-eu-west-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct EnvironmentId {
    /// The AWS account.
    pub account: AccountId,
    /// The AWS Region.
    pub region: Region,
}

impl EnvironmentId {
    /// Parses `<account>-<region>`.
    ///
    /// # Errors
    /// [`InvalidIdentifier`] with the rule that the text violates.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidIdentifier> {
        let given = text.into();
        let parsed = given.split_once('-').and_then(|(account, region)| {
            Some(Self {
                account: AccountId::parse(account).ok()?,
                region: Region::parse(region).ok()?,
            })
        });
        parsed.ok_or(InvalidIdentifier {
            what: "environment",
            given,
            rule: "of the form 111111111111-eu-west-1",
        })
    }

    /// Returns the name of the environment's scratch bucket. Bucket names are derived from the environment,
    /// so they need no configuration.
    #[must_use]
    pub fn scratch_bucket(&self) -> String {
        format!("lifeboat-scratch-{self}")
    }

    /// Returns the name of the vault bucket, if this is the control environment.
    #[must_use]
    pub fn vault_bucket(&self) -> String {
        format!("lifeboat-vault-{self}")
    }

    /// Returns the name of the bucket that contains the coordinator's state, if this is the control
    /// environment.
    #[must_use]
    pub fn state_bucket(&self) -> String {
        format!("lifeboat-state-{self}")
    }
}

impl fmt::Display for EnvironmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.account, self.region)
    }
}

impl FromStr for EnvironmentId {
    type Err = InvalidIdentifier;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for EnvironmentId {
    type Error = InvalidIdentifier;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl From<EnvironmentId> for String {
    fn from(id: EnvironmentId) -> String {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn regions_tell_their_partition() {
        for (text, partition) in [
            ("eu-west-1", Partition::Aws),
            ("ap-southeast-7", Partition::Aws),
            ("us-gov-west-1", Partition::AwsUsGov),
            ("cn-north-1", Partition::AwsCn),
            ("eusc-de-east-1", Partition::AwsEusc),
            ("us-iso-east-1", Partition::AwsIso),
            ("us-isob-east-1", Partition::AwsIsoB),
            ("eu-isoe-west-1", Partition::AwsIsoE),
            ("us-isof-south-1", Partition::AwsIsoF),
        ] {
            assert_eq!(Region::parse(text).unwrap().partition(), partition, "{text}");
            let arn = Arn::parse(format!("arn:{partition}:sns:{text}:111111111111:topic")).unwrap();
            assert_eq!(arn.partition(), partition);
        }
        for wrong in [
            "",
            "eu",
            "eu-1",
            "eu-west",
            "eu-west-",
            "EU-west-1",
            "eu--1",
            "eu-west-1a",
            "eu-west-1-x",
        ] {
            assert!(Region::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn environments_are_accounts_and_regions() {
        let id = EnvironmentId::parse("111111111111-eu-west-1").unwrap();
        assert_eq!(id.account.as_str(), "111111111111");
        assert_eq!(id.region.as_str(), "eu-west-1");
        assert_eq!(id.scratch_bucket(), "lifeboat-scratch-111111111111-eu-west-1");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"111111111111-eu-west-1\"");
        for wrong in [
            "",
            "111111111111",
            "11111111111-eu-west-1",
            "eu-west-1-111111111111",
        ] {
            assert!(EnvironmentId::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn arns_say_what_they_name() {
        for (text, kind) in [
            (
                "arn:aws:eks:eu-west-1:111111111111:cluster/orders",
                ArnKind::Cluster { name: "orders" },
            ),
            (
                "arn:aws-cn:iam::111111111111:role/team/x/LifeboatPrimary",
                ArnKind::Role {
                    name: "LifeboatPrimary",
                },
            ),
            (
                "arn:aws:kms:eu-west-1:111111111111:key/1234-5678",
                ArnKind::Key { id: "1234-5678" },
            ),
            (
                "arn:aws:lambda:eu-west-1:111111111111:function:lifeboat-shop-primary:3",
                ArnKind::Function {
                    name: "lifeboat-shop-primary",
                },
            ),
            ("arn:aws:s3:::bucket/key", ArnKind::Other),
            ("arn:aws:eks:eu-west-1:111111111111:cluster/", ArnKind::Other),
            ("arn:aws:kms:eu-west-1:111111111111:alias/x", ArnKind::Other),
        ] {
            assert_eq!(Arn::parse(text).unwrap().kind(), kind, "{text}");
        }
        for wrong in [
            "",
            "arn:aws:eks:eu-west-1:111111111111:",
            "arn:azure:eks:eu-west-1:111111111111:cluster/x",
            "arn:aws:eks:mars:111111111111:cluster/x",
            "arn:aws:eks:eu-west-1:1:cluster/x",
            "arn:aws:eks:eu-west-1:111111111111:cluster/a b",
        ] {
            assert!(Arn::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn arns_are_built_for_an_environment() {
        let china = EnvironmentId::parse("111111111111-cn-north-1").unwrap();
        let arn = Arn::cluster(&china, "orders").unwrap();
        assert_eq!(
            arn.as_str(),
            "arn:aws-cn:eks:cn-north-1:111111111111:cluster/orders"
        );
        assert_eq!(arn.environment().unwrap(), china);
        assert_eq!(arn.partition(), Partition::AwsCn);
    }
}
