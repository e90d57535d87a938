//! Names of images in registries of ECR.

use lifeboat_model::{AccountId, Region};
use serde::{Deserialize, Serialize};

/// An image in a private registry of ECR.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EcrImage {
    /// The account of the registry.
    pub account: AccountId,
    /// The Region of the registry.
    pub region: Region,
    /// The name of the repository.
    pub repository: String,
    /// The tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest, with `sha256:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl EcrImage {
    /// Parses the name of an image. `None` if its registry is not one of ECR.
    ///
    /// Registries are `111111111111.dkr.ecr.eu-west-1.amazonaws.com`, `111111111111.dkr-ecr.eu-west-1.on.aws`, both
    /// with FIPS endpoints, and those of other partitions
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html>).
    #[must_use]
    pub fn parse(image: &str) -> Option<Self> {
        // A status of a container may have the name of a runtime before it.
        let image = image.rsplit_once("://").map_or(image, |(_, image)| image);
        let (host, path) = image.split_once('/')?;
        let (account, rest) = host.split_once('.')?;
        let services = ["dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips."];
        let rest = services.iter().find_map(|service| rest.strip_prefix(service))?;
        let (region, _) = rest.split_once('.')?;
        let (path, digest) = match path.split_once('@') {
            Some((path, digest)) => (path, Some(digest)),
            None => (path, None),
        };
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        if !is_repository(repository) {
            return None;
        }
        Some(Self {
            account: AccountId::parse(account).ok()?,
            region: Region::parse(region).ok()?,
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }
}

/// The characters of the name of a repository
/// (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>).
fn is_repository(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/".contains(&byte);
    (2..=256).contains(&name.len()) && name.bytes().all(is_allowed)
}
