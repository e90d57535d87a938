//! The table of prices `lifeboat.dev/prices/v1`: what AWS charges for, by Region.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use lifeboat_model::{Partition, Region};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::money::Usd;

/// The table that comes with Lifeboat.
const BUILT_IN: &[u8] = include_bytes!("prices.json");

/// What stands for every Region of the partition `aws`. Others have prices of their own, China in another currency.
const ANY: &str = "*";

/// What AWS charges for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Charge {
    /// An EKS cluster with a version of Kubernetes in standard support, for an hour.
    EksClusterHour,
    /// An EKS cluster with a version in extended support, for an hour, in all. The item is the version, such as `1.31`: a
    /// version with a price is past its standard support.
    EksExtendedSupportHour,
    /// A NAT gateway, for an hour.
    NatGatewayHour,
    /// An interface endpoint in one zone, for an hour.
    InterfaceEndpointHour,
    /// A public IPv4 address, for an hour.
    PublicIpv4AddressHour,
    /// An EC2 instance with Linux, on demand, with shared tenancy, for an hour. The item is the instance type.
    Ec2InstanceHour,
    /// A GiB of an EBS volume, for a month. The item is the volume type.
    EbsGibMonth,
    /// A GiB in the standard storage of a Regional EFS file system, for a month.
    EfsGibMonth,
    /// A KMS key, for a month.
    KmsKeyMonth,
    /// A vCPU of a Pod on Fargate with Linux on x86, for an hour.
    FargateVcpuHour,
    /// A GB of memory of a Pod on Fargate with Linux on x86, for an hour.
    FargateGbHour,
}

impl Charge {
    /// Whether the price depends on an item: an instance type, a volume type, a version.
    #[must_use]
    pub const fn has_item(self) -> bool {
        matches!(
            self,
            Self::EksExtendedSupportHour | Self::Ec2InstanceHour | Self::EbsGibMonth
        )
    }

    /// Whether the price is for a month. Others are for an hour.
    #[must_use]
    pub const fn is_monthly(self) -> bool {
        matches!(self, Self::EbsGibMonth | Self::EfsGibMonth | Self::KmsKeyMonth)
    }
}

impl fmt::Display for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EksClusterHour => "EKS cluster",
            Self::EksExtendedSupportHour => "EKS cluster in extended support",
            Self::NatGatewayHour => "NAT gateway",
            Self::InterfaceEndpointHour => "interface endpoint",
            Self::PublicIpv4AddressHour => "public IPv4 address",
            Self::Ec2InstanceHour => "EC2 instance",
            Self::EbsGibMonth => "EBS volume",
            Self::EfsGibMonth => "EFS storage",
            Self::KmsKeyMonth => "KMS key",
            Self::FargateVcpuHour => "Fargate vCPU",
            Self::FargateGbHour => "Fargate memory",
        })
    }
}

/// A table of prices in US dollars, without taxes and discounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PriceTable {
    /// Always `lifeboat.dev/prices/v1`.
    pub format: String,
    /// What is to be known about the table, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The table that has what this one lacks. Without it, this one is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<Extended>,
    /// Where prices come from, by a name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, Source>,
    /// The prices.
    pub prices: Vec<Price>,
}

/// A table that another extends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Extended {
    /// The table that comes with Lifeboat.
    BuiltIn,
}

/// Where prices come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// The page, or the name of a contract.
    pub url: String,
    /// The day on which the prices were compared with it, such as `2026-01-19`; absent if they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
}

/// One price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Price {
    /// What is charged.
    pub charge: Charge,
    /// The instance type, the volume type, or the version of Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// The Regions; `*` is every Region of the partition `aws` without a price of its own.
    pub regions: BTreeSet<String>,
    /// The price.
    pub usd: Usd,
    /// The name of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// Why a document is not a table of prices.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPrices {
    /// It is not JSON of this form.
    #[error("read the table of prices")]
    Json(#[source] serde_json::Error),
    /// It has another version.
    #[error("read a table of prices of the format {0:?}, not \"lifeboat.dev/prices/v1\"")]
    Format(String),
    /// A price is wrong.
    #[error("the price at position {position} ({price}) {what}")]
    Price {
        /// Its position, from 1.
        position: usize,
        /// What it is for.
        price: String,
        /// What is wrong.
        what: String,
    },
}

/// What identifies a price: the charge, the item, and the Region or `*`.
type Key = (Charge, Option<String>, String);

/// Prices that can be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    /// The tables; what an earlier one has counts.
    layers: Vec<BTreeMap<Key, Usd>>,
    /// The sources of the tables.
    sources: BTreeSet<Source>,
}

impl Prices {
    /// Returns the prices that come with Lifeboat.
    #[must_use]
    pub fn built_in() -> Self {
        Self::read(BUILT_IN).expect("the table is checked by a test")
    }

    /// Reads a table: the built-in one is replaced, or extended with `"extends": "builtIn"`.
    ///
    /// # Errors
    /// [`InvalidPrices`] if it is not a table of this version, or a price is wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, InvalidPrices> {
        let table: PriceTable = serde_json::from_slice(bytes).map_err(InvalidPrices::Json)?;
        if table.format != PriceTable::FORMAT {
            return Err(InvalidPrices::Format(table.format));
        }
        let mut prices = Self {
            layers: vec![layer(&table)?],
            sources: table.sources.into_values().collect(),
        };
        if table.extends == Some(Extended::BuiltIn) {
            let built_in = Self::built_in();
            prices.layers.extend(built_in.layers);
            prices.sources.extend(built_in.sources);
        }
        Ok(prices)
    }

    /// Returns a price: of the first table that has one for the Region or for every Region.
    #[must_use]
    pub fn find(&self, charge: Charge, item: Option<&str>, region: &Region) -> Option<Usd> {
        let key = |region: &str| (charge, item.map(str::to_owned), region.to_owned());
        let is_default = region.partition() == Partition::Aws;
        self.layers.iter().find_map(|layer| {
            let own = layer.get(&key(region.as_str()));
            own.or_else(|| layer.get(&key(ANY)).filter(|_| is_default))
                .copied()
        })
    }

    /// Returns where the prices come from.
    #[must_use]
    pub fn sources(&self) -> &BTreeSet<Source> {
        &self.sources
    }
}

impl PriceTable {
    /// The name and version of this document.
    pub const FORMAT: &str = "lifeboat.dev/prices/v1";
}

/// Checks the prices of a table.
fn layer(table: &PriceTable) -> Result<BTreeMap<Key, Usd>, InvalidPrices> {
    let mut layer: BTreeMap<Key, Usd> = BTreeMap::new();
    for (position, price) in table.prices.iter().enumerate() {
        let wrong = |what: String| InvalidPrices::Price {
            position: position + 1,
            price: match &price.item {
                Some(item) => format!("{}, {item}", price.charge),
                None => price.charge.to_string(),
            },
            what,
        };
        match (price.charge.has_item(), &price.item) {
            (true, None) => {
                return Err(wrong(
                    "needs `item`: an instance type, a volume type or a version of Kubernetes".to_owned(),
                ));
            }
            (false, Some(_)) => return Err(wrong("has no `item`".to_owned())),
            _ => {}
        }
        if price.regions.is_empty() {
            return Err(wrong("names no Region; `*` is every one".to_owned()));
        }
        if price.usd > Usd::MOST {
            return Err(wrong(format!("is more than {} USD", Usd::MOST)));
        }
        if let Some(source) = price
            .source
            .as_ref()
            .filter(|name| !table.sources.contains_key(*name))
        {
            return Err(wrong(format!(
                "names the source {source:?}, which `sources` lacks"
            )));
        }
        for region in &price.regions {
            if region != ANY && Region::parse(region.as_str()).is_err() {
                return Err(wrong(format!(
                    "names {region:?}, which is neither a Region nor `*`"
                )));
            }
            let key = (price.charge, price.item.clone(), region.clone());
            if layer.insert(key, price.usd).is_some() {
                return Err(wrong(format!("is there twice for {region}")));
            }
        }
    }
    Ok(layer)
}

#[cfg(test)]
mod tests;
