//! Host names of AWS: registries and the Regional endpoints of services.

use super::compiled::Compiled;
use super::eks_registry;
use super::kind::Kind;
use crate::rule::Rule;

/// The domains below which AWS names its services, the longest first.
const DOMAINS: [&str; 9] = [
    "api.amazonwebservices.com.cn",
    "on.amazonwebservices.com.cn",
    "amazonaws.com.cn",
    "amazonaws.com",
    "amazonaws.eu",
    "api.aws",
    "on.aws",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
];

/// Names of services that the Regional endpoint of another service has before its Region.
const DOUBLE: [&str; 4] = ["api.ecr", "api.ecr-public", "api.sagemaker", "runtime.sagemaker"];

/// A host name of AWS with a Region in it: what is before the Region, and whether anything is between the Region and
/// the domain.
#[derive(Debug, Clone, Copy)]
pub(super) struct AwsHost<'a> {
    pub(super) before: &'a str,
    pub(super) region: &'a str,
    pub(super) after: &'a str,
}

impl<'a> AwsHost<'a> {
    /// Takes a host name apart at a Region.
    pub(super) fn parse(host: &'a str, region: &str) -> Option<Self> {
        let domain = DOMAINS.iter().find(|domain| {
            let rest = host.strip_suffix(**domain);
            rest.is_some_and(|rest| rest.ends_with('.'))
        })?;
        let names = &host[..host.len() - domain.len() - 1];
        let mut begin = 0;
        for label in names.split('.') {
            let end = begin + label.len();
            if label == region {
                return Some(Self {
                    before: names[..begin].trim_end_matches('.'),
                    region: &host[begin..end],
                    after: names[end..].trim_start_matches('.'),
                });
            }
            begin = end + 1;
        }
        None
    }

    /// Returns the account whose registry this is: `111111111111.dkr.ecr.eu-west-1.amazonaws.com`,
    /// `111111111111.dkr-ecr.eu-west-1.on.aws`, and both with FIPS endpoints.
    fn registry(&self) -> Option<&'a str> {
        let (account, rest) = self.before.split_once('.')?;
        let is_registry = matches!(rest, "dkr.ecr" | "dkr.ecr-fips" | "dkr-ecr" | "dkr-ecr-fips");
        (is_registry && self.after.is_empty()).then_some(account)
    }

    /// Returns the service, if this is the endpoint of the whole service in a Region and not of one resource.
    pub(super) fn service(&self) -> Option<&'a str> {
        let service = self.before.strip_suffix(".dualstack").unwrap_or(self.before);
        let is_one = !service.is_empty() && !service.contains('.');
        (self.after.is_empty() && (is_one || DOUBLE.contains(&service))).then_some(service)
    }
}

impl Compiled {
    /// Translates a host name. `None` if it stays: it names nothing of the primary, or the counterpart is not known.
    pub(super) fn host(&self, host: &str) -> Option<(String, Rule)> {
        if let Some((Kind::Host, to)) = self.token(host) {
            return (to != host).then(|| (to.to_owned(), Rule::Host));
        }
        let (old, new) = (self.primary.region.as_str(), self.recovery.region.as_str());
        if old != "us-east-1" && new != "us-east-1" && is_search_domain(host, old) {
            return Some((host.replacen(old, new, 1), Rule::Host));
        }
        if let Some(bucket) = host.strip_suffix(".s3.amazonaws.com")
            && let Some(to) = self.named(Kind::Bucket, bucket)
        {
            return (to != bucket).then(|| (format!("{to}.s3.amazonaws.com"), Rule::Host));
        }
        if let Some(service) = endpoint_service(host, old) {
            let to = host.replacen(old, new, 1);
            return (to != host && !service.starts_with("vpce-svc-")).then_some((to, Rule::Host));
        }
        let parsed = AwsHost::parse(host, old)?;
        let end = &host[parsed.before.len()..];
        let (_, end) = end.split_once(parsed.region)?;
        if let Some(account) = parsed.registry() {
            let recovery = match account == self.primary.account.as_str() {
                true => self.recovery.account.as_str(),
                false => eks_registry::counterpart(account, (old, new))?,
            };
            let to = format!("{recovery}{}.{new}{end}", &parsed.before[account.len()..]);
            return (to != host).then_some((to, Rule::Registry));
        }
        let before = match parsed.service() {
            Some(_) => parsed.before.to_owned(),
            None => self.before_region(parsed)?,
        };
        let to = format!("{before}.{new}{end}");
        (to != host).then_some((to, Rule::Host))
    }
}

impl Compiled {
    /// Translates what is before the Region in the host name of a bucket, or in an endpoint of an account such as
    /// `111111111111.s3-control.eu-west-1.amazonaws.com`.
    fn before_region(&self, host: AwsHost<'_>) -> Option<String> {
        if let Some(bucket) = host.bucket() {
            let to = self.named(Kind::Bucket, bucket)?;
            return Some(format!("{to}{}", &host.before[bucket.len()..]));
        }
        if let Some(file_system) = self.file_system(host) {
            return Some(file_system);
        }
        let (account, service) = host.before.split_once('.')?;
        let is_own = account == self.primary.account.as_str();
        (is_own && !service.contains('.') && host.after.is_empty())
            .then(|| format!("{}.{service}", self.recovery.account))
    }
}

impl Compiled {
    /// Translates what is before the Region in the DNS name of a file system, `fs-….efs.eu-west-1.amazonaws.com` with
    /// a zone before it or not, `fs-….fsx.…`
    /// (<https://docs.aws.amazon.com/efs/latest/ug/mounting-fs-mount-cmd-dns-name.html>). The name is one identifier:
    /// without a counterpart of each part it stays.
    fn file_system(&self, host: AwsHost<'_>) -> Option<String> {
        let (ids, service) = host.before.rsplit_once('.')?;
        if !matches!(service, "efs" | "fsx") || !host.after.is_empty() {
            return None;
        }
        let new: Option<Vec<&str>> = ids
            .split('.')
            .map(|id| match self.token(id)? {
                (Kind::FileSystem | Kind::Zone, to) => Some(to),
                _ => None,
            })
            .collect();
        Some(format!("{}.{service}", new?.join(".")))
    }
}

impl<'a> AwsHost<'a> {
    /// Returns the bucket of `BUCKET.s3.eu-west-1.amazonaws.com`.
    fn bucket(&self) -> Option<&'a str> {
        let before = self.before.strip_suffix(".dualstack").unwrap_or(self.before);
        let bucket = before
            .strip_suffix(".s3")
            .or_else(|| before.strip_suffix(".s3-fips"))?;
        self.after.is_empty().then_some(bucket)
    }
}

/// Returns the service in the name of an endpoint service of AWS, `com.amazonaws.eu-west-1.sts`. Those of others have a
/// generated id, `com.amazonaws.vpce.eu-west-1.vpce-svc-…`.
fn endpoint_service<'a>(host: &'a str, region: &str) -> Option<&'a str> {
    let rest = host.strip_prefix("cn.").unwrap_or(host);
    let rest = rest.strip_prefix(ENDPOINT_SERVICES)?;
    let rest = rest.strip_prefix("vpce.").unwrap_or(rest);
    rest.strip_prefix(region)?.strip_prefix('.')
}

/// The beginning of names of endpoint services, in China behind `cn.`
/// (<https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html>).
pub(super) const ENDPOINT_SERVICES: &str = "com.amazonaws.";

/// Whether a host name is the search domain of a VPC, `eu-west-1.compute.internal`. That of `us-east-1` has another
/// form.
fn is_search_domain(host: &str, region: &str) -> bool {
    host.strip_prefix(region) == Some(".compute.internal")
}

/// Whether a text is a host name in lower case.
pub(super) fn is_name(text: &str) -> bool {
    text.split('.').all(|label| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(inner) && !label.starts_with('-')
    })
}
