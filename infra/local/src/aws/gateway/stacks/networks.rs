//! Corrections: outputs have the default security groups of VPCs, and subnets are in the zone of their template.
//!
//! fakecloud does not know the attribute `DefaultSecurityGroup` of `AWS::EC2::VPC`, and leaves `Vpc.DefaultSecurityGroup`
//! in the outputs. It ignores `AvailabilityZoneId` of `AWS::EC2::Subnet`.

use serde_json::Value;

use super::Stacks;
use crate::aws::gateway::upstream::{Upstream, UpstreamError};
use crate::aws::gateway::wire::{element, form, parameters};

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

/// Returns a request with the names of Availability Zones in its template, in JSON; nothing if it names none by its id.
pub(crate) fn with_zone_names(region: &str, request: &str) -> Option<String> {
    if !request.contains("AvailabilityZoneId") {
        return None;
    }
    let mut pairs: Vec<(String, String)> = parameters(request).collect();
    let (_, body) = pairs.iter_mut().find(|(key, _)| key == "TemplateBody")?;
    let mut template: Value = serde_json::from_str(body).ok()?;
    for (_, resource) in template["Resources"].as_object_mut()? {
        let properties = &mut resource["Properties"];
        if let Some(name) = properties["AvailabilityZoneId"]
            .as_str()
            .and_then(|id| zone_name(region, id))
        {
            properties["AvailabilityZone"] = name.into();
        }
    }
    *body = template.to_string();
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    Some(form(&pairs))
}

/// Returns the name of a zone: fakecloud gives `euc1-az1` the first letter in every account.
fn zone_name(region: &str, id: &str) -> Option<String> {
    let (_, number) = id.rsplit_once("-az")?;
    let number: u8 = number.parse().ok()?;
    let letter = char::from(b'a'.checked_add(number.checked_sub(1)?)?);
    Some(format!("{region}{letter}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_named_in_templates_alone() {
        let template = r#"{"Resources":{"A":{"Type":"AWS::EC2::Subnet","Properties":{"AvailabilityZoneId":"euc1-az2"}}}}"#;
        let request = form(&[("Action", "CreateChangeSet"), ("TemplateBody", template)]);
        let named = with_zone_names("eu-central-1", &request).unwrap_or_default();
        let body = parameters(&named)
            .find(|(key, _)| key == "TemplateBody")
            .map(|(_, body)| body)
            .unwrap_or_default();
        assert!(body.contains(r#""AvailabilityZone":"eu-central-1b""#), "{body}");
        assert_eq!(
            with_zone_names("eu-central-1", &form(&[("Action", "DescribeStacks")])),
            None
        );
    }
}
