//! Identifiers of delegates.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApplicationName, ClusterName, InvalidIdentifier, is_dns_label};

identifier!(
    /// The id of a delegate in its environment: `<application>` for the public delegate, which works on every cluster with
    /// a public endpoint, and `<application>.<cluster>` for the private delegate of a cluster that has a private endpoint
    /// only, by its name in EKS. A delegate's jobs are below `jobs/<id>/`: neither part contains a dot, so no prefix of one
    /// delegate is that of another.
    DelegateId,
    "delegate id",
    "of the form <application> or <application>.<cluster>",
    |text| match text.split_once('.') {
        None => is_dns_label(text),
        Some((application, cluster)) => is_dns_label(application) && ClusterName::parse(cluster).is_ok(),
    }
);

impl DelegateId {
    /// Returns the id of an application's public delegate.
    #[must_use]
    pub fn public(application: &ApplicationName) -> Self {
        Self(application.to_string())
    }

    /// Returns the id of the private delegate of a cluster, by its name in EKS.
    #[must_use]
    pub fn private(application: &ApplicationName, cluster: &ClusterName) -> Self {
        Self(format!("{application}.{cluster}"))
    }

    /// Returns the id of the private delegate of a cluster, or without one that of the public delegate.
    #[must_use]
    pub fn of(application: &ApplicationName, cluster: Option<&ClusterName>) -> Self {
        match cluster {
            Some(cluster) => Self::private(application, cluster),
            None => Self::public(application),
        }
    }

    /// Returns the application that the delegate works for.
    #[must_use]
    pub fn application(&self) -> ApplicationName {
        let application = self.0.split('.').next().unwrap_or_default();
        ApplicationName::parse(application).expect("a delegate id was parsed with its application")
    }

    /// Returns the name in EKS of the cluster that a private delegate works on; `None` for the public delegate.
    #[must_use]
    pub fn cluster(&self) -> Option<ClusterName> {
        let (_, cluster) = self.0.split_once('.')?;
        Some(ClusterName::parse(cluster).expect("a delegate id was parsed with its cluster"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_delegate_is_public_or_of_one_cluster() {
        let shop = ApplicationName::parse("shop").unwrap();
        let public = DelegateId::public(&shop);
        assert_eq!((public.as_str(), public.cluster()), ("shop", None));
        let orders = ClusterName::parse("Orders_1").unwrap();
        let private = DelegateId::private(&shop, &orders);
        assert_eq!(private.as_str(), "shop.Orders_1");
        assert_eq!((private.application(), private.cluster()), (shop, Some(orders)));
        for id in [public, private] {
            assert_eq!(DelegateId::parse(id.as_str()), Ok(id));
        }
        for wrong in [
            "",
            ".",
            "shop.",
            ".orders",
            "Shop",
            "shop.a.b",
            "shop/orders",
            "shop.-a",
        ] {
            assert!(DelegateId::parse(wrong).is_err(), "{wrong}");
        }
    }
}
