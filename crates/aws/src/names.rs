//! The names of what the stacks `application` and `private-delegate` create, where they have to be short.

use lifeboat_format::Sha256;
use lifeboat_model::{ApplicationName, ClusterName, DelegateId, Region, Side};

/// The most characters that the parameter `ShortName` of the stack may have. The name of an IAM role has at most 64
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>): 23 are `LifeboatRecoveryK8sDel-`, and
/// 16 are a hyphen and the longest name of a Region, `us-isof-south-1`.
const LONGEST: usize = 25;

/// The characters of the digest in a short name: a collision of two applications in one account is unlikely, and would
/// fail the second stack without harm to the first.
const DIGEST: usize = 8;

/// Returns the application's short name; `None` if its own name is short enough.
#[must_use]
pub fn short_name(application: &ApplicationName) -> Option<String> {
    let name = application.as_str();
    if name.len() <= LONGEST {
        return None;
    }
    let digest = Sha256::of(name.as_bytes()).to_string();
    let kept = &name[..LONGEST - DIGEST - 1];
    Some(format!("{kept}-{}", &digest[..DIGEST]))
}

/// Returns the name of a private delegate in the names of its function, its role and its rules: it always has a digest,
/// because application and cluster have no separator that all of these names may have.
#[must_use]
pub fn private_name(application: &ApplicationName, cluster: &ClusterName) -> String {
    let digest = Sha256::of(DelegateId::private(application, cluster).as_str().as_bytes()).to_string();
    let name = format!("{application}-{cluster}");
    let kept = &name[..name.len().min(LONGEST - DIGEST - 1)];
    format!("{kept}-{}", &digest[..DIGEST])
}

/// Returns the name of the stack of the private delegate of a cluster. Names of stacks have letters, digits and hyphens only
/// (AWS CloudFormation API Reference, `CreateStack`).
#[must_use]
pub fn private_stack(application: &ApplicationName, cluster: &ClusterName) -> String {
    let name = private_name(application, cluster).replace('_', "-");
    format!("lifeboat-private-delegate-{name}")
}

/// Returns the beginning of the names of an application's private delegates, in which its own name is cut.
#[must_use]
pub fn private_prefix(application: &ApplicationName) -> &str {
    let name = application.as_str();
    &name[..name.len().min(LONGEST - DIGEST - 1)]
}

/// Returns the name of the function of the private delegate of a cluster.
#[must_use]
pub fn private_function(application: &ApplicationName, cluster: &ClusterName) -> String {
    format!("lifeboat-{}-private", private_name(application, cluster))
}

/// Returns the name of the role of the private delegate of a cluster on a side.
#[must_use]
pub fn private_role(
    application: &ApplicationName,
    side: Side,
    cluster: &ClusterName,
    region: &Region,
) -> String {
    format!(
        "{}-{}-{region}",
        role_prefix(side),
        private_name(application, cluster)
    )
}

/// The names of the roles of delegates begin like this: the policies of the buckets refer to it.
fn role_prefix(side: Side) -> &'static str {
    match side {
        Side::Primary => "LifeboatPrimaryK8sDel",
        Side::Recovery => "LifeboatRecoveryK8sDel",
    }
}

/// Returns the name of the role of an application's delegate on a side, as the stack `application` gives it.
#[must_use]
pub fn delegate_role(application: &ApplicationName, side: Side, region: &Region) -> String {
    let prefix = role_prefix(side);
    let name = short_name(application).unwrap_or_else(|| application.to_string());
    format!("{prefix}-{name}-{region}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn short(name: &str) -> Option<String> {
        short_name(&ApplicationName::parse(name).unwrap())
    }

    #[test]
    fn every_role_fits_into_64_characters_and_applications_do_not_share_one() {
        assert_eq!(short("shop"), None);
        assert_eq!(short(&"a".repeat(25)), None);
        let (one, other) = (short(&"a".repeat(40)).unwrap(), short(&"a".repeat(39)).unwrap());
        assert_ne!(one, other);
        let application = ApplicationName::parse("a".repeat(40)).unwrap();
        let region = Region::parse("us-isof-south-1").unwrap();
        let role = delegate_role(&application, Side::Recovery, &region);
        assert_eq!(role, format!("LifeboatRecoveryK8sDel-{one}-us-isof-south-1"));
        assert_eq!(role.len(), 64);
        let rule = format!("lifeboat-{one}-recovery-assignment");
        assert!(rule.len() <= 64, "{rule}");
    }

    #[test]
    fn private_delegates_have_names_of_their_own() {
        let named = |application: &str, cluster: &str| {
            let application = ApplicationName::parse(application).unwrap();
            private_name(&application, &ClusterName::parse(cluster).unwrap())
        };
        let name = named("shop", "orders");
        assert!(name.starts_with("shop-orders-") && name.len() == 20, "{name}");
        assert_ne!(named("shop-a", "b"), named("shop", "a-b"));
        // The permissions of the public delegate name them so.
        for application in ["shop", &"a".repeat(15), &"a".repeat(16), &"a".repeat(40)] {
            let name = named(application, "orders");
            let application = ApplicationName::parse(application).unwrap();
            let prefix = format!("{}-", private_prefix(&application));
            assert!(name.starts_with(&prefix) && name.len() > prefix.len(), "{name}");
            let cluster = ClusterName::parse("or_ders").unwrap();
            let stack = private_stack(&application, &cluster);
            assert!(
                stack.starts_with(&format!("lifeboat-private-delegate-{prefix}")),
                "{stack}"
            );
            assert!(!stack.contains('_'), "{stack}");
        }
        let (shop, orders) = (
            ApplicationName::parse("shop").unwrap(),
            ClusterName::parse("orders").unwrap(),
        );
        assert_eq!(
            private_function(&shop, &orders),
            format!("lifeboat-{name}-private")
        );
        let long = named(&"a".repeat(40), &"B_".repeat(50));
        assert_eq!(long.len(), LONGEST);
        let region = Region::parse("us-isof-south-1").unwrap();
        let application = ApplicationName::parse("a".repeat(40)).unwrap();
        let role = private_role(
            &application,
            Side::Recovery,
            &ClusterName::parse("b").unwrap(),
            &region,
        );
        assert!(role.len() <= 64, "{role}");
    }

    /// As `printf NAME | sha256sum` prints it, for those who deploy without this program.
    #[test]
    fn a_short_name_can_be_computed_in_a_shell() {
        let name = "customer-facing-storefront-production-eu";
        assert_eq!(short(name).as_deref(), Some("customer-facing--8ff72ec7"));
    }
}
