//! The kinds of identifiers in an identity map, with the form that each has.

use lifeboat_model::{Arn, Region};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an identifier of the map identifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Any resource by its ARN: a certificate, a target group, a secret, a web ACL. What an ARN is followed by (`/*`,
    /// `:password::`) stays.
    Arn,
    /// A host name: an endpoint of a database, cache, file system or load balancer.
    Host,
    /// The issuer of an EKS cluster without its scheme, `oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE`.
    Issuer,
    /// An Availability Zone by name, `eu-west-1a`.
    Zone,
    /// An Availability Zone by id, `euw1-az1`.
    ZoneId,
    /// A VPC, `vpc-…`.
    Vpc,
    /// A subnet, `subnet-…`.
    Subnet,
    /// A security group, `sg-…`.
    SecurityGroup,
    /// A route table, `rtb-…`.
    RouteTable,
    /// A managed prefix list, `pl-…`.
    PrefixList,
    /// An Elastic IP address by its allocation, `eipalloc-…`.
    ElasticIp,
    /// A network interface, `eni-…`.
    NetworkInterface,
    /// A VPC endpoint, `vpce-…`.
    VpcEndpoint,
    /// An EBS volume, `vol-…`.
    Volume,
    /// An EBS snapshot, `snap-…`.
    Snapshot,
    /// A machine image, `ami-…`.
    MachineImage,
    /// A launch template, `lt-…`.
    LaunchTemplate,
    /// A network ACL, `acl-…`.
    NetworkAcl,
    /// An internet gateway, `igw-…`.
    InternetGateway,
    /// A NAT gateway, `nat-…`.
    NatGateway,
    /// A transit gateway, `tgw-…`.
    TransitGateway,
    /// A Capacity Reservation, `cr-…`.
    CapacityReservation,
    /// A pool of IPAM, `ipam-pool-…`.
    IpamPool,
    /// An EFS or FSx file system, `fs-…`.
    FileSystem,
    /// An EFS access point, `fsap-…`.
    AccessPoint,
    /// A KMS key by its id, a UUID or `mrk-…`.
    Key,
    /// Any other identifier that is unique wherever it stands, such as the id of a hosted zone.
    Id,
    /// An S3 bucket by its name. In texts other than ARNs, URLs and known fields, the name counts only if it has a
    /// digit, `-` or `.` in it.
    Bucket,
    /// An IAM role by its name, without its path. Names count only in ARNs and known fields.
    Role,
    /// An instance profile by its name.
    InstanceProfile,
    /// An EKS cluster by its name.
    Cluster,
    /// A subnet by its tag `Name`. It counts only in known fields, those of load balancers and node classes.
    SubnetName,
    /// A security group by its tag `Name`.
    SecurityGroupName,
}

/// Where an identifier of a kind is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// In every text, as a whole token.
    Text,
    /// In ARNs, URLs and known fields.
    Fields,
}

impl Kind {
    /// The kinds whose ids have a prefix of their own and are else hexadecimal.
    pub(super) const PREFIXES: [(Self, &str); 20] = [
        (Self::Vpc, "vpc-"),
        (Self::Subnet, "subnet-"),
        (Self::SecurityGroup, "sg-"),
        (Self::RouteTable, "rtb-"),
        (Self::PrefixList, "pl-"),
        (Self::ElasticIp, "eipalloc-"),
        (Self::NetworkInterface, "eni-"),
        (Self::VpcEndpoint, "vpce-"),
        (Self::Volume, "vol-"),
        (Self::Snapshot, "snap-"),
        (Self::MachineImage, "ami-"),
        (Self::LaunchTemplate, "lt-"),
        (Self::NetworkAcl, "acl-"),
        (Self::InternetGateway, "igw-"),
        (Self::NatGateway, "nat-"),
        (Self::TransitGateway, "tgw-"),
        (Self::CapacityReservation, "cr-"),
        (Self::IpamPool, "ipam-pool-"),
        (Self::FileSystem, "fs-"),
        (Self::AccessPoint, "fsap-"),
    ];

    pub(super) fn prefix(self) -> Option<&'static str> {
        let known = Self::PREFIXES.iter().find(|(kind, _)| *kind == self);
        known.map(|(_, prefix)| *prefix)
    }

    /// Returns the form that an identifier of this kind has, as a user is told it.
    #[must_use]
    pub fn form(self) -> &'static str {
        match self {
            Self::Arn => "of the form arn:aws:<service>:<region>:<account>:<resource>",
            Self::Host => "a host name of at least three labels, without scheme and port",
            Self::Issuer => "of the form oidc.eks.<region>.amazonaws.com/id/<id>",
            Self::Zone => "of the form eu-west-1a",
            Self::ZoneId => "of the form euw1-az1",
            Self::Key => "a UUID or of the form mrk-<32 hexadecimal digits>",
            Self::Id => "8 or more letters, digits, '-' and '_', with a digit",
            Self::Bucket => "3 to 63 lower-case letters, digits, '-' and '.'",
            Self::Role | Self::InstanceProfile => "1 to 128 letters, digits and +=,.@_-, without a path",
            Self::Cluster => "1 to 100 letters, digits, '-' and '_'",
            Self::SubnetName | Self::SecurityGroupName => {
                "1 to 256 characters without ',' and without spaces around them"
            }
            Self::Vpc => "vpc- and 8 or 17 hexadecimal digits",
            Self::Subnet => "subnet- and 8 or 17 hexadecimal digits",
            Self::SecurityGroup => "sg- and 8 or 17 hexadecimal digits",
            Self::RouteTable => "rtb- and 8 or 17 hexadecimal digits",
            Self::PrefixList => "pl- and 8 or 17 hexadecimal digits",
            Self::ElasticIp => "eipalloc- and 8 or 17 hexadecimal digits",
            Self::NetworkInterface => "eni- and 8 or 17 hexadecimal digits",
            Self::VpcEndpoint => "vpce- and 8 or 17 hexadecimal digits",
            Self::Volume => "vol- and 8 or 17 hexadecimal digits",
            Self::Snapshot => "snap- and 8 or 17 hexadecimal digits",
            Self::MachineImage => "ami- and 8 or 17 hexadecimal digits",
            Self::LaunchTemplate => "lt- and 8 or 17 hexadecimal digits",
            Self::NetworkAcl => "acl- and 8 or 17 hexadecimal digits",
            Self::InternetGateway => "igw- and 8 or 17 hexadecimal digits",
            Self::NatGateway => "nat- and 8 or 17 hexadecimal digits",
            Self::TransitGateway => "tgw- and 8 or 17 hexadecimal digits",
            Self::CapacityReservation => "cr- and 8 or 17 hexadecimal digits",
            Self::IpamPool => "ipam-pool- and 8 or 17 hexadecimal digits",
            Self::FileSystem => "fs- and 8 or 17 hexadecimal digits",
            Self::AccessPoint => "fsap- and 8 or 17 hexadecimal digits",
        }
    }

    /// Whether a text has the form of this kind.
    pub(super) fn is_form_of(self, text: &str) -> bool {
        let all = |allowed: fn(u8) -> bool| text.bytes().all(allowed);
        match self {
            Self::Arn => Arn::parse(text).is_ok(),
            // The endpoints of EKS have capital letters in their first label.
            Self::Host => is_host(&text.to_ascii_lowercase()),
            Self::Issuer => text.split_once("/id/").is_some_and(|(host, id)| {
                is_host(host) && host.starts_with("oidc") && !id.is_empty() && !id.contains('/')
            }),
            Self::Zone => is_zone(text),
            Self::ZoneId => is_zone_id(text),
            Self::Key => is_key(text),
            Self::Id => {
                text.len() >= 8 && text.bytes().any(|b| b.is_ascii_digit()) && all(super::span::is_token_byte)
            }
            Self::Bucket => {
                (3..=63).contains(&text.len())
                    && all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
            }
            Self::Role | Self::InstanceProfile => {
                (1..=128).contains(&text.len())
                    && all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
            }
            Self::Cluster => (1..=100).contains(&text.len()) && all(super::span::is_token_byte),
            // The value of a tag (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>), as an element of
            // a list with commas.
            Self::SubnetName | Self::SecurityGroupName => {
                (1..=256).contains(&text.chars().count()) && !text.contains(',') && text == text.trim()
            }
            _ => self
                .prefix()
                .and_then(|prefix| text.strip_prefix(prefix))
                .is_some_and(is_generated),
        }
    }

    /// Returns where an identifier is recognised.
    pub(super) fn reach(self, text: &str) -> Reach {
        let is_distinct = || {
            text.bytes()
                .any(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.'))
        };
        match self {
            Self::Role
            | Self::InstanceProfile
            | Self::Cluster
            | Self::SubnetName
            | Self::SecurityGroupName => Reach::Fields,
            Self::Bucket if !is_distinct() => Reach::Fields,
            _ => Reach::Text,
        }
    }
}

/// Whether a text is the part of an id after its prefix: 8 or 17 hexadecimal digits in lower case
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>).
pub(super) fn is_generated(text: &str) -> bool {
    matches!(text.len(), 8 | 17)
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_host(text: &str) -> bool {
    text.len() <= 253 && super::host::is_name(text) && text.split('.').count() >= 3
}

fn is_zone(text: &str) -> bool {
    let letter = text.as_bytes().last().is_some_and(u8::is_ascii_lowercase);
    // Local Zones: us-west-2-lax-1a.
    let region = |text: &str| Region::parse(text).is_ok();
    let before = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    letter && before.ends_with(|c: char| c.is_ascii_digit()) && (region(before) || local_zone(before))
}

fn local_zone(text: &str) -> bool {
    let mut parts = text.rsplitn(3, '-');
    let (number, place, region) = (parts.next(), parts.next(), parts.next());
    number.is_some_and(|n| n.len() == 1)
        && place.is_some_and(|p| p.len() == 3 && p.bytes().all(|b| b.is_ascii_lowercase()))
        && region.is_some_and(|region| Region::parse(region).is_ok())
}

fn is_zone_id(text: &str) -> bool {
    let Some((region, zone)) = text.split_once("-az") else {
        return false;
    };
    (4..=8).contains(&region.len())
        && region
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && (1..=2).contains(&zone.len())
        && zone.bytes().all(|b| b.is_ascii_digit())
}

fn is_key(text: &str) -> bool {
    let hex = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    if let Some(rest) = text.strip_prefix("mrk-") {
        return rest.len() == 32 && hex(rest);
    }
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.split('-').all(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_knows_its_form() {
        for (kind, good, bad) in [
            (Kind::Subnet, "subnet-0123456789abcdef0", "subnet-xyz"),
            (Kind::Vpc, "vpc-12345678", "subnet-12345678"),
            (Kind::Zone, "eu-west-1a", "eu-west-1"),
            (Kind::Zone, "us-west-2-lax-1a", "us-west-2-la-1a"),
            (Kind::ZoneId, "euw1-az1", "eu-west-1a"),
            (Kind::Key, "1234abcd-12ab-34cd-56ef-1234567890ab", "alias/key"),
            (Kind::Key, "mrk-1234abcd12ab34cd56ef1234567890ab", "mrk-1"),
            (
                Kind::Arn,
                "arn:aws:acm:eu-west-1:111111111111:certificate/1",
                "arn:aws:acm",
            ),
            (
                Kind::Host,
                "0123456789ABCDEF0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com",
                "db",
            ),
            (
                Kind::Host,
                "db.abc.eu-west-1.rds.amazonaws.com",
                "https://db.example.com",
            ),
            (
                Kind::Issuer,
                "oidc.eks.eu-west-1.amazonaws.com/id/AB12",
                "oidc.eks.eu-west-1.amazonaws.com",
            ),
            (Kind::Role, "cart+app@shop", "path/cart"),
            (Kind::Bucket, "shop-media", "Shop"),
            (Kind::Cluster, "orders_prod", "orders prod"),
            (Kind::Id, "Z0123456789ABC", "orders"),
            (Kind::SubnetName, "shop/private a", "private-a,private-b"),
            (Kind::SecurityGroupName, "edge", " edge"),
        ] {
            assert!(kind.is_form_of(good), "{kind:?} {good}");
            assert!(!kind.is_form_of(bad), "{kind:?} {bad}");
            assert!(!kind.is_form_of(""), "{kind:?}");
        }
    }
}
