//! An application of which the recovery account has the network: a VPC that another team has made.

use anyhow::{Result, ensure};

use super::Scenario;
use super::coordinator::CoordinatorCommands;
use super::rebuild::Stand;
use crate::environment::Reporter;

/// The tag by which the VPC is found, which that of the primary has too.
const TAG: &str = "app=web";

impl Scenario<'_> {
    /// Plans the rebuilt application into a VPC that exists, then with a second one that could be meant as well.
    ///
    /// # Errors
    /// If a step fails, or the plan adopts another network than expected.
    pub(super) fn landing_zone(
        &self,
        reporter: &mut Reporter,
        coordinator: &CoordinatorCommands,
    ) -> Result<()> {
        reporter.step(
            "landing-zone",
            "Plan into a VPC that exists in the recovery account",
        );
        let stand = Stand(&self.recovery);
        let vpc = stand.vpc("10.40", TAG)?;
        let public = stand.public_table(&vpc)?;
        let mut subnets = stand.subnets(&vpc, &public, "10.40", 0)?;
        subnets.extend(stand.subnets(&vpc, &stand.table(&vpc)?, "10.40", 10)?);
        let line =
            "infrastructure plan web --descriptions web.aws.json --adopt-existing network --profile recovery";
        let plan = coordinator.show(reporter, line, 0)?.out;
        ensure!(
            plan.contains(&format!(" is {vpc} (by tags)")),
            "{vpc} is not adopted: {plan}"
        );
        for subnet in &subnets {
            ensure!(
                plan.contains(&format!(" is {subnet} (by cidr)")),
                "{subnet} is not adopted: {plan}"
            );
        }
        for built in ["AWS::EC2::VPC ", "AWS::EC2::Subnet ", "AWS::EC2::NatGateway "] {
            ensure!(!plan.contains(&format!("+ {built}")), "{built}is built: {plan}");
        }
        let other = stand.vpc("10.41", TAG)?;
        let refused = coordinator.show(reporter, line, 10)?.out;
        ensure!(
            refused.contains("LB-1207") && refused.contains(&vpc) && refused.contains(&other),
            "the plan does not name {vpc} and {other}: {refused}"
        );
        Ok(())
    }
}
