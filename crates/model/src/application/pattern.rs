//! Name patterns that map a cluster to the cluster that it is restored into.

use std::fmt;

use crate::{ClusterName, InvalidIdentifier};

/// The placeholder for the name of the cluster.
const PLACE: &str = "{cluster}";

/// A pattern for names of EKS clusters, in which `{cluster}` is replaced by the name of another cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetPattern {
    before: String,
    after: String,
}

impl TargetPattern {
    /// Parses a pattern, such as `{cluster}-dr`.
    ///
    /// # Errors
    /// [`InvalidIdentifier`] if the pattern does not contain `{cluster}` exactly once (without it, all
    /// clusters would be restored into one), or if its results are not valid cluster names.
    pub fn parse(text: &str) -> Result<Self, InvalidIdentifier> {
        let invalid = || InvalidIdentifier {
            what: "pattern",
            given: text.to_owned(),
            rule: "a cluster name that contains {cluster} once",
        };
        let (before, after) = text.split_once(PLACE).ok_or_else(invalid)?;
        let pattern = Self {
            before: before.to_owned(),
            after: after.to_owned(),
        };
        // A second placeholder contains braces, which are not valid in a name.
        ClusterName::parse(format!("{before}x{after}")).map_err(|_| invalid())?;
        Ok(pattern)
    }

    /// Returns the name of the cluster that `cluster` is restored into; `None` if the name would be too long.
    #[must_use]
    pub fn target(&self, cluster: &ClusterName) -> Option<ClusterName> {
        ClusterName::parse(format!("{}{cluster}{}", self.before, self.after)).ok()
    }
}

impl fmt::Display for TargetPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{PLACE}{}", self.before, self.after)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_pattern_makes_one_name_of_each() {
        let cluster = ClusterName::parse("orders").unwrap();
        for (text, target) in [
            ("{cluster}", "orders"),
            ("{cluster}-dr", "orders-dr"),
            ("dr_{cluster}", "dr_orders"),
        ] {
            let pattern = TargetPattern::parse(text).unwrap();
            assert_eq!(pattern.target(&cluster).unwrap().as_str(), target);
            assert_eq!(pattern.to_string(), text);
        }
        for wrong in [
            "",
            "orders-dr",
            "{cluster}{cluster}",
            "{name}-dr",
            "-{cluster}",
            "{cluster} dr",
        ] {
            assert!(TargetPattern::parse(wrong).is_err(), "{wrong}");
        }
        let long = ClusterName::parse("a".repeat(100)).unwrap();
        assert_eq!(TargetPattern::parse("{cluster}-dr").unwrap().target(&long), None);
    }
}
