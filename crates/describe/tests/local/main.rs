//! The walk and the look-up of counterparts against each implementation of AWS that is here: resources are made by API,
//! described, and compared.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod counterparts;
mod fixture;
mod sample;
mod walk;

use counterparts::counterparts_are_found;
use lifeboat_local::conformance::differences;
use walk::an_application_is_described_and_gaps_are_named;

lifeboat_local::conformance! {
    lifeboat_aws::testing::run;
    an_application_is_described_and_gaps_are_named: differences::APPLICATION,
    counterparts_are_found: differences::COUNTERPARTS,
}
