//! The stack that grants the delegate what a rebuild needs: it comes and goes with the application document.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::coordinator::CoordinatorCommands;
use super::deploy::Package;
use super::{RECOVERY, Scenario, list, zips};
use crate::environment::Reporter;

const STACK: &str = "lifeboat-rebuild-web";

impl Scenario<'_> {
    /// Deploys the application without a rebuild, once nothing of it is built any more.
    ///
    /// # Errors
    /// If a step fails, or a permission to build is left.
    pub(super) fn end_rebuild(
        &self,
        reporter: &mut Reporter,
        coordinator: &CoordinatorCommands,
        package: &Package,
        mut document: Value,
    ) -> Result<()> {
        reporter.step("permissions", "Take the permissions to build away");
        self.holds_policies(4)?;
        document["infrastructure"]["rebuild"] = false.into();
        std::fs::write(
            self.folder.join("web.yaml"),
            serde_json::to_string_pretty(&document)?,
        )?;
        let line = format!(
            "deploy application web.yaml --primary-profile primary --recovery-profile recovery {}",
            zips(package)
        );
        let said = coordinator.show(reporter, &line, 0)?.out;
        let deleted = format!("deleted   {STACK} in {}-{}", RECOVERY.0, RECOVERY.1);
        ensure!(said.contains(&deleted), "{STACK} is not deleted: {said}");
        self.holds_policies(0)?;
        let stacks = self
            .recovery
            .json(&["cloudformation", "describe-stacks"])?
            .to_string();
        ensure!(!stacks.contains(STACK), "{STACK} is still there: {stacks}");
        Ok(())
    }

    /// Checks how many policies the role of the delegate has besides its own.
    fn holds_policies(&self, count: usize) -> Result<()> {
        let role = format!("LifeboatRecoveryK8sDel-web-{}", RECOVERY.1);
        let attached = self
            .recovery
            .json(&["iam", "list-attached-role-policies", "--role-name", &role])?;
        ensure!(
            list(&attached["AttachedPolicies"]).len() == count,
            "{role} has not {count} policies: {attached}"
        );
        Ok(())
    }
}
