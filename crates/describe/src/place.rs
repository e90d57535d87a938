//! The account and Region that are read.

use lifeboat_model::{AccountId, Partition, Region};

/// The account and Region that are read.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
}

impl Place {
    fn partition(&self) -> Partition {
        self.region.partition()
    }

    /// Returns the ARN of a resource in the Region.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!(
            "arn:{}:{service}:{}:{}:{resource}",
            self.partition(),
            self.region,
            self.account
        )
    }

    /// Returns whether an ARN is that of a resource of a service in this account and Region.
    pub(crate) fn has(&self, service: &str, arn: &str) -> bool {
        arn.starts_with(&self.arn(service, ""))
    }

    /// Returns the ARN of a resource of IAM.
    pub(crate) fn iam(&self, resource: &str) -> String {
        format!("arn:{}:iam::{}:{resource}", self.partition(), self.account)
    }

    /// Returns the resource of an ARN, if it is one of this account in IAM: `role/path/name`.
    pub(crate) fn iam_resource<'a>(&self, arn: &'a str) -> Option<&'a str> {
        let (account, resource) = arn
            .strip_prefix(&format!("arn:{}:iam::", self.partition()))?
            .split_once(':')?;
        (account == self.account.as_str()).then_some(resource)
    }

    /// Returns the name of a role of this account, without its path. Roles of Lifeboat's own functions have none: the
    /// recovery side has its own.
    pub(crate) fn role_name<'a>(&self, arn: &'a str) -> Option<&'a str> {
        let path = self.iam_resource(arn)?.strip_prefix("role/")?;
        let name = path.rsplit('/').next().filter(|name| !name.is_empty())?;
        (!is_own(name)).then_some(name)
    }

    /// Returns whether an ARN is that of a role of Lifeboat's own functions, in any account.
    pub(crate) fn is_own_role(arn: &str) -> bool {
        arn.contains(":role/") && arn.rsplit('/').next().is_some_and(is_own)
    }

    /// Returns whether a key is one of this account and Region. Ids and aliases are.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        !key.starts_with("arn:") || self.has("kms", key)
    }
}

/// The names that the stack `application` gives to the roles of its functions.
fn is_own(role: &str) -> bool {
    role.starts_with("LifeboatPrimaryK8sDel-") || role.starts_with("LifeboatRecoveryK8sDel-")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_other_accounts_and_regions_have_is_not_ours() {
        let place = Place {
            account: AccountId::parse("111111111111").unwrap(),
            region: Region::parse("eu-west-1").unwrap(),
        };
        for (arn, name) in [
            ("arn:aws:iam::111111111111:role/shop/cart", Some("cart")),
            ("arn:aws:iam::111111111111:role/cart", Some("cart")),
            ("arn:aws:iam::222222222222:role/cart", None),
            ("arn:aws-cn:iam::111111111111:role/cart", None),
            ("arn:aws:iam::111111111111:user/cart", None),
            ("arn:aws:iam::111111111111:role/", None),
            (
                "arn:aws:iam::111111111111:role/ops/LifeboatPrimaryK8sDel-shop-eu-west-1",
                None,
            ),
            ("cart", None),
        ] {
            assert_eq!(place.role_name(arn), name, "{arn}");
        }
        for (key, is_own) in [
            ("1234abcd-12ab-34cd-56ef-1234567890ab", true),
            ("alias/shop", true),
            ("arn:aws:kms:eu-west-1:111111111111:key/1234abcd", true),
            ("arn:aws:kms:eu-west-2:111111111111:key/1234abcd", false),
            ("arn:aws:kms:eu-west-1:222222222222:key/1234abcd", false),
        ] {
            assert_eq!(place.has_key(key), is_own, "{key}");
        }
        assert_eq!(
            place.arn("eks", "cluster/orders"),
            "arn:aws:eks:eu-west-1:111111111111:cluster/orders"
        );
        assert_eq!(place.iam("policy/a"), "arn:aws:iam::111111111111:policy/a");
    }
}
