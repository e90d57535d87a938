//! What objects select subnets and security groups by.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_translate::glob;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Tags;

/// The prefix of a filter for the value of a tag.
pub(crate) const TAG: &str = "tag:";
/// The filter for the tag that is a name.
pub const NAME: &str = "tag:Name";
/// The filter for the name of a security group.
pub const GROUP_NAME: &str = "group-name";

/// Filters as `ec2:DescribeSubnets` and `ec2:DescribeSecurityGroups` take them: by the name of each filter the values, of
/// which a resource has one. In a value, `*` stands for any text and `?` for one character
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Filters(pub BTreeMap<String, BTreeSet<String>>);

impl Filters {
    /// Filters by one value.
    #[must_use]
    pub fn by(filter: &str, value: &str) -> Self {
        Self(BTreeMap::from([(
            filter.to_owned(),
            BTreeSet::from([value.to_owned()]),
        )]))
    }

    /// Whether a resource with these tags, and this name of a group, is selected.
    #[must_use]
    pub fn select(&self, tags: &Tags, group_name: Option<&str>) -> bool {
        let has = |filter: &str, values: &BTreeSet<String>| {
            let own = match filter.strip_prefix(TAG) {
                Some(key) => tags.get(key).map(String::as_str),
                None => group_name.filter(|_| filter == GROUP_NAME),
            };
            own.is_some_and(|own| values.iter().any(|value| glob::matches(value, own)))
        };
        !self.0.is_empty() && self.0.iter().all(|(filter, values)| has(filter, values))
    }

    /// Returns the filters as text: `tag:Name=private-a,private-b`.
    pub(crate) fn shown(&self) -> String {
        let one = |(filter, values): (&String, &BTreeSet<String>)| {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            format!("{filter}={}", values.join(","))
                .escape_default()
                .to_string()
        };
        self.0.iter().map(one).collect::<Vec<_>>().join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_has_one_of_its_values() {
        let tags = Tags::from([
            ("Name".to_owned(), "private-a".to_owned()),
            ("stage".to_owned(), "live".to_owned()),
        ]);
        let of = |pairs: &[(&str, &[&str])]| {
            let pairs = pairs.iter().map(|(filter, values)| {
                let values = values.iter().map(|value| (*value).to_owned());
                ((*filter).to_owned(), values.collect())
            });
            Filters(pairs.collect())
        };
        for (filters, expected) in [
            (of(&[("tag:Name", &["private-b", "private-a"])]), true),
            (of(&[("tag:Name", &["private-?"]), ("tag:stage", &["*"])]), true),
            (
                of(&[("tag:Name", &["private-a"]), ("tag:stage", &["test"])]),
                false,
            ),
            (of(&[("tag:other", &["*"])]), false),
            (of(&[("group-name", &["shop"])]), true),
            (of(&[("group-name", &["private-a"])]), false),
            (of(&[]), false),
        ] {
            assert_eq!(filters.select(&tags, Some("shop")), expected, "{filters:?}");
        }
        assert!(!of(&[("group-name", &["*"])]).select(&tags, None));
    }
}
