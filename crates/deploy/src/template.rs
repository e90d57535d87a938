//! The CloudFormation templates, included when the program is built.

use std::collections::BTreeSet;

use lifeboat_model::ApplicationName;
use serde_yaml_ng::Value;

/// A template, from which one or more stacks are created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// The name of the template and of its file.
    pub name: &'static str,
    /// The text of the template.
    pub body: &'static str,
}

/// The coordinator and the vault: one stack in the control account.
pub const CONTROL: Template = Template {
    name: "control",
    body: include_str!("../../../cloudformation/control.yaml"),
};

/// The recovery key and the scratch bucket of a recovery account: one stack per account and Region.
pub const RECOVERY_ACCESS: Template = Template {
    name: "recovery-access",
    body: include_str!("../../../cloudformation/recovery-access.yaml"),
};

/// The scratch bucket of a primary account: one stack per account and Region.
pub const PRIMARY_ACCESS: Template = Template {
    name: "primary-access",
    body: include_str!("../../../cloudformation/primary-access.yaml"),
};

/// What the delegate of an application may do to build AWS resources: one stack per application that is rebuilt, in the
/// recovery environment. The stack of [`APPLICATION`] imports its policies.
pub const REBUILD: Template = Template {
    name: "rebuild",
    body: include_str!("../../../cloudformation/rebuild.yaml"),
};

/// The delegate of an application with its role and its signing key: one stack per application and side.
pub const APPLICATION: Template = Template {
    name: "application",
    body: include_str!("../../../cloudformation/application.yaml"),
};

/// The private delegate of a cluster without a public endpoint: one stack per such cluster.
pub const PRIVATE_DELEGATE: Template = Template {
    name: "private-delegate",
    body: include_str!("../../../cloudformation/private-delegate.yaml"),
};

impl Template {
    /// Returns the name of the stack of a template that is deployed once per account and Region.
    #[must_use]
    pub fn stack(&self) -> String {
        format!("lifeboat-{}", self.name)
    }

    /// Returns the name of the stack of a template that is deployed for each application.
    #[must_use]
    pub fn stack_of(&self, application: &ApplicationName) -> String {
        format!("lifeboat-{}-{application}", self.name)
    }

    /// Returns the names of the template's parameters.
    #[must_use]
    pub fn parameters(&self) -> BTreeSet<String> {
        parameters(self.body)
    }
}

/// Returns the names of the parameters of a template, in YAML or JSON.
pub(crate) fn parameters(body: &str) -> BTreeSet<String> {
    let document: Value = serde_yaml_ng::from_str(body).unwrap_or_default();
    let parameters = document.get("Parameters").and_then(Value::as_mapping);
    parameters
        .into_iter()
        .flat_map(|parameters| parameters.keys())
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::cloudformation::LARGEST_INLINE;

    /// So that `aws cloudformation deploy` needs no bucket.
    #[test]
    fn every_template_fits_into_a_request() {
        for template in [
            CONTROL,
            RECOVERY_ACCESS,
            PRIMARY_ACCESS,
            REBUILD,
            APPLICATION,
            PRIVATE_DELEGATE,
        ] {
            let size = template.body.len();
            assert!(size <= LARGEST_INLINE, "{}: {size}", template.name);
            assert!(!template.parameters().is_empty(), "{}", template.name);
        }
        assert!(APPLICATION.parameters().contains("DelegateKey"));
        assert_eq!(PRIMARY_ACCESS.stack(), "lifeboat-primary-access");
        let shop = ApplicationName::parse("shop").unwrap();
        assert_eq!(REBUILD.stack_of(&shop), "lifeboat-rebuild-shop");
    }
}
