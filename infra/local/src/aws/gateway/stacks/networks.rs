//! Corrections: outputs have the default security groups of VPCs, and subnets are in the zone of their template.
//!
//! fakecloud does not know the attribute `DefaultSecurityGroup` of `AWS::EC2::VPC`, and leaves `Vpc.DefaultSecurityGroup`
//! in the outputs. It ignores `AvailabilityZoneId` of `AWS::EC2::Subnet`.

use serde_json::Value;

use super::Stacks;
use crate::aws::gateway::upstream::{Upstream, UpstreamError};
use crate::aws::gateway::wire::{element, form};

/// What a function in a VPC is attached to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attachment {
    /// The ids of its subnets.
    pub(crate) subnets: Vec<String>,
    /// The ids of its security groups.
    pub(crate) groups: Vec<String>,
}

const ATTRIBUTE: &str = ".DefaultSecurityGroup</OutputValue>";

impl Stacks {
    /// Returns a response with the ids of default security groups; nothing if it has none. The VPC must be an output of
    /// the stack under its logical id.
    pub(crate) async fn default_groups(
        upstream: &Upstream,
        account: &str,
        region: &str,
        xml: &str,
    ) -> Result<Option<String>, UpstreamError> {
        let mut corrected = xml.to_owned();
        while let Some(end) = corrected.find(ATTRIBUTE) {
            let start = corrected[..end].rfind('>').map_or(0, |at| at + 1);
            let logical = corrected[start..end].to_owned();
            let key = format!("<OutputKey>{logical}</OutputKey>");
            let vpc = corrected
                .split(&key)
                .nth(1)
                .and_then(|rest| element(rest, "OutputValue"))
                .unwrap_or_default();
            let asked = form(&[
                ("Action", "DescribeSecurityGroups"),
                ("Version", "2016-11-15"),
                ("Filter.1.Name", "vpc-id"),
                ("Filter.1.Value.1", vpc),
                ("Filter.2.Name", "group-name"),
                ("Filter.2.Value.1", "default"),
            ]);
            let answer = (upstream.query_as_administrator(account, "ec2", region, asked)).await?;
            let group = element(&answer.text(), "groupId")
                .unwrap_or("sg-unknown")
                .to_owned();
            corrected.replace_range(start..end + ATTRIBUTE.len(), &format!("{group}</OutputValue>"));
        }
        Ok((corrected != xml).then_some(corrected))
    }
}

/// Names the Availability Zones that a subnet names by their ids.
pub(super) fn name_zones(region: &str, resource: &mut Value) {
    let properties = &mut resource["Properties"];
    if let Some(name) = properties["AvailabilityZoneId"]
        .as_str()
        .and_then(|id| zone_name(region, id))
    {
        properties["AvailabilityZone"] = name.into();
    }
}

/// Returns the name of a zone: fakecloud gives `euc1-az1` the first letter in every account.
fn zone_name(region: &str, id: &str) -> Option<String> {
    let (_, number) = id.rsplit_once("-az")?;
    let number: u8 = number.parse().ok()?;
    let letter = char::from(b'a'.checked_add(number.checked_sub(1)?)?);
    Some(format!("{region}{letter}"))
}
