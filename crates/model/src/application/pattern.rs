//! From the name of a cluster to that of the cluster that it is restored into.

use std::fmt;

use crate::{ClusterName, InvalidIdentifier};

/// What stands for the name of the cluster.
const PLACE: &str = "{cluster}";

/// A name of an EKS cluster in which `{cluster}` stands for the name of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetPattern {
    before: String,
    after: String,
}

impl TargetPattern {
    /// Parses a pattern, such as `{cluster}-dr`.
    ///
    /// # Errors
    /// [`InvalidIdentifier`] where it does not hold `{cluster}` once, or what it makes is no name. Without it,
    /// all clusters would be restored into one.
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
        // A second place holds braces, which no name does.
        ClusterName::parse(format!("{before}x{after}")).map_err(|_| invalid())?;
        Ok(pattern)
    }

    /// The cluster that this one is restored into; none where that would be too long a name.
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
