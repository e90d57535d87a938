//! The adapter against each implementation of AWS that is here: networks, launch templates and volumes are made by API
//! and read back, and looked up as candidates.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod candidates;
mod fixture;
mod launch_templates;
mod make;
mod network;
mod volumes;

use candidates::candidates_are_found;
use launch_templates::the_versions_in_use_are_read_back;
use lifeboat_local::conformance::differences;
use network::{a_network_is_read_back, the_zones_of_the_region_are_read, what_does_not_exist_is_noted};
use volumes::volumes_are_read_back;

lifeboat_local::conformance! {
    lifeboat_aws::testing::run;
    a_network_is_read_back: differences::NETWORK,
    what_does_not_exist_is_noted: &[],
    the_zones_of_the_region_are_read: &[],
    the_versions_in_use_are_read_back: differences::LAUNCH_TEMPLATES,
    volumes_are_read_back: differences::VOLUMES,
    candidates_are_found: differences::NETWORK_CANDIDATES,
}
