//! The stack of a private delegate, from the stack of its application. The command line and the public delegate deploy the
//! same one.

use std::collections::BTreeMap;

use lifeboat_aws::names::{private_name, private_stack};
use lifeboat_model::{ApplicationName, ClusterName, Code, EnvironmentId, Problem, Side};

use crate::stack::{OnFailure, Stack, StackSpec};
use crate::template::{APPLICATION, PRIVATE_DELEGATE};

/// The parameters that the stack takes over from that of the application.
const TAKEN_OVER: &[&str] = &[
    "AlarmTopic",
    "EncryptionKey",
    "LogDays",
    "MemoryMiB",
    "PermissionsBoundary",
    "RolePath",
    "TickMinutes",
];

/// The output of the stack of the application with the permissions boundary of private delegates. It exists if the public
/// delegate deploys them, and if the stack has no other boundary.
const BOUNDARY: &str = "PrivateDelegatesBoundary";

/// The parameters that name the code of the public delegate.
const PACKAGE: &[&str] = &["CodeBucket", "DelegateKey", "Architecture"];

/// A private delegate to deploy.
#[derive(Debug, Clone)]
pub struct PrivateDelegate<'a> {
    /// The application.
    pub application: &'a ApplicationName,
    /// The side of the application.
    pub side: Side,
    /// The name of the cluster in EKS.
    pub cluster: &'a ClusterName,
    /// The name of the cluster in the application, if it has to be set; otherwise it stays as it is.
    pub name_in_application: Option<&'a ClusterName>,
    /// The ids of the subnets of the cluster.
    pub subnets: &'a [String],
    /// The id of the cluster security group.
    pub security_group: &'a str,
    /// Whether access entries have an effect in the cluster, so that the stack creates that of the delegate.
    pub grants_access: bool,
}

/// The code of a delegate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The bucket.
    pub bucket: String,
    /// The key in the bucket.
    pub key: String,
    /// The architecture, such as `arm64`.
    pub architecture: String,
}

/// Returns the tags that the stack of a private delegate must have. One that a former version deployed has none, but the
/// application and the cluster in its parameters.
///
/// # Errors
/// LB-1011 if the stack is not that of the private delegate.
pub fn tags(
    application: &ApplicationName,
    cluster: &ClusterName,
    environment: &EnvironmentId,
    existing: Option<&Stack>,
) -> Result<BTreeMap<String, String>, Problem> {
    let tags = BTreeMap::from([
        ("lifeboat:application".to_owned(), application.to_string()),
        ("lifeboat:stack".to_owned(), PRIVATE_DELEGATE.name.to_owned()),
    ]);
    let Some(stack) = existing.filter(|stack| stack.status != "REVIEW_IN_PROGRESS") else {
        return Ok(tags);
    };
    let names = |parameter: &str, name: &str| stack.parameters.get(parameter).is_some_and(|of| of == name);
    let is_of_cluster = names("Application", application.as_str()) && names("ClusterName", cluster.as_str());
    let has_tags = |tags: &BTreeMap<String, String>| {
        let mut tags = tags.iter();
        tags.all(|(key, value)| stack.tags.get(key) == Some(value))
    };
    let is_untagged = || tags.keys().all(|key| !stack.tags.contains_key(key));
    match is_of_cluster {
        true if has_tags(&tags) => Ok(tags),
        true if is_untagged() => Ok(BTreeMap::new()),
        _ => Err(Problem::of(
            Code::StackForeign,
            format!(
                "the stack {} in {environment} is not that of the private delegate of {cluster}",
                private_stack(application, cluster)
            ),
        )),
    }
}

/// Returns the code of the public delegate, from the stack of its application.
///
/// # Errors
/// LB-1010 if the stack lacks a parameter.
pub fn package_of(application: &ApplicationName, of_application: &Stack) -> Result<Package, Problem> {
    let mut values = PACKAGE.iter().map(|name| {
        of_application.parameters.get(*name).cloned().ok_or_else(|| {
            Problem::new(
                Code::RequiredStackMissing,
                format!(
                    "the stack {} has no parameter {name}",
                    APPLICATION.stack_of(application)
                ),
                "run `lifeboat deploy application` with this version of Lifeboat",
            )
        })
    });
    let mut next = || values.next().expect("there is a value for each name");
    Ok(Package {
        bucket: next()?,
        key: next()?,
        architecture: next()?,
    })
}

impl PrivateDelegate<'_> {
    /// Returns the name of the stack.
    #[must_use]
    pub fn stack(&self) -> String {
        private_stack(self.application, self.cluster)
    }

    /// Returns the stack to deploy. `existing` is the stack that has its name, `change_set` the name of a change set.
    ///
    /// # Errors
    /// LB-1011 if the existing stack is not that of the private delegate.
    pub fn spec(
        &self,
        of_application: &Stack,
        existing: Option<&Stack>,
        package: Package,
        environment: &EnvironmentId,
        change_set: String,
    ) -> Result<StackSpec, Problem> {
        Ok(StackSpec {
            stack: self.stack(),
            template: PRIVATE_DELEGATE.body.into(),
            parameters: self.parameters(of_application, package),
            tags: tags(self.application, self.cluster, environment, existing)?,
            change_set,
            // What is left of a creation that failed holds nothing that is used.
            on_failure: OnFailure::Keep,
        })
    }

    fn parameters(&self, of_application: &Stack, package: Package) -> BTreeMap<String, String> {
        let mut parameters = BTreeMap::from([
            ("Application", self.application.to_string()),
            ("ClusterName", self.cluster.to_string()),
            ("Side", self.side.to_string()),
            ("ShortName", private_name(self.application, self.cluster)),
            ("SubnetIds", self.subnets.join(",")),
            ("SecurityGroupIds", self.security_group.to_owned()),
            ("GrantAccess", self.grants_access.to_string()),
            ("CodeBucket", package.bucket),
            ("DelegateKey", package.key),
            ("Architecture", package.architecture),
        ]);
        if let Some(name) = self.name_in_application {
            parameters.insert("NameInApplication", name.to_string());
        }
        for name in TAKEN_OVER {
            if let Some(value) = of_application.parameters.get(*name) {
                parameters.insert(name, value.clone());
            }
        }
        let is_bounded = (parameters.get("PermissionsBoundary")).is_some_and(|boundary| !boundary.is_empty());
        if let Some(boundary) = of_application.outputs.get(BOUNDARY).filter(|_| !is_bounded) {
            parameters.insert("PermissionsBoundary", boundary.clone());
        }
        let parameters = parameters.into_iter();
        parameters.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests;
