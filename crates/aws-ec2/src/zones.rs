//! Availability Zones.

use aws_sdk_ec2::types::{AvailabilityZone, AvailabilityZoneState};
use lifeboat_aws::AwsError;
use lifeboat_infrastructure::Zone;

use crate::{Ec2, actions, filter};

impl Ec2 {
    /// Returns the Availability Zones of the Region that the account can use, by name. Local and Wavelength Zones are
    /// not among them: EKS does not place control planes there.
    ///
    /// # Errors
    /// [`AwsError`] if EC2 refuses the call or does not answer: nothing can be recovered without zones.
    pub async fn zones(&self) -> Result<Vec<Zone>, AwsError> {
        let request = (self.client.describe_availability_zones())
            .filters(filter("zone-type", &["availability-zone".to_owned()]));
        let answer = (request.send().await)
            .map_err(|e| AwsError::new(actions::AVAILABILITY_ZONES, "the Region", e))?;
        let mut zones: Vec<Zone> = answer.availability_zones().iter().filter_map(zone).collect();
        zones.sort();
        Ok(zones)
    }
}

fn zone(from: &AvailabilityZone) -> Option<Zone> {
    let is_available = from.state() == Some(&AvailabilityZoneState::Available);
    let is_zone = from.zone_type().is_none_or(|kind| kind == "availability-zone");
    if !is_available || !is_zone {
        return None;
    }
    Some(Zone {
        name: from.zone_name()?.to_owned(),
        id: from.zone_id()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_that_cannot_be_used_are_left_out() {
        let of = |name: &str, state: AvailabilityZoneState, kind: &str| {
            AvailabilityZone::builder()
                .zone_name(name)
                .zone_id("euc1-az2")
                .state(state)
                .zone_type(kind)
                .build()
        };
        let available = of(
            "eu-central-1a",
            AvailabilityZoneState::Available,
            "availability-zone",
        );
        let found = zone(&available).map(|zone| (zone.name, zone.id));
        assert_eq!(found, Some(("eu-central-1a".to_owned(), "euc1-az2".to_owned())));
        let impaired = of(
            "eu-central-1b",
            AvailabilityZoneState::Unavailable,
            "availability-zone",
        );
        let local = of(
            "eu-central-1-ham-1a",
            AvailabilityZoneState::Available,
            "local-zone",
        );
        assert!(zone(&impaired).is_none() && zone(&local).is_none());
    }
}
