//! Finds what the objects need outside of the cluster (container images, IAM roles) in their raw bytes.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::TypeName;
use memchr::memmem::{self, Finder};

/// Types that contain a Pod or a Pod template.
const POD_TYPES: &[&str] = &[
    "pods",
    "replicationcontrollers",
    "daemonsets.apps",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "cronjobs.batch",
    "jobs.batch",
];

/// The maximum length of a reference in bytes. No real one is longer: a registry's limit is 255 for the name and 128
/// for the tag, plus 71 for a digest.
const LONGEST: usize = 1024;

/// The external references of the objects of one type.
#[derive(Debug)]
pub(super) struct ExternalReferences {
    sort: Option<(&'static str, Finder<'static>)>,
    found: BTreeSet<String>,
}

impl ExternalReferences {
    /// Returns a search for the references that objects of this type may contain.
    pub(super) fn of(type_name: &TypeName) -> Self {
        // Field names in managedFields begin with `f:`, and JSON inside an annotation has escaped quotes, so neither
        // matches.
        let sort = if POD_TYPES.contains(&type_name.as_str()) {
            Some(("images", memmem::Finder::new(b"\"image\":\"")))
        } else if type_name.as_str() == "serviceaccounts" {
            Some((
                "roleArns",
                memmem::Finder::new(b"\"eks.amazonaws.com/role-arn\":\""),
            ))
        } else {
            None
        };
        Self {
            sort,
            found: BTreeSet::new(),
        }
    }

    /// Searches one object.
    pub(super) fn look(&mut self, raw: &[u8]) {
        let Some((_, finder)) = &self.sort else {
            return;
        };
        let length = finder.needle().len();
        for at in finder.find_iter(raw) {
            let rest = &raw[at + length..];
            let Some(end) = memchr::memchr(b'"', rest) else {
                continue;
            };
            if let Ok(text) = std::str::from_utf8(&rest[..end])
                && !text.is_empty()
                && text.len() <= LONGEST
                && !text.contains('\\')
                && !self.found.contains(text)
            {
                self.found.insert(text.to_owned());
            }
        }
    }

    /// Adds the references that were found to the list of their sort.
    pub(super) fn add_to(self, dependencies: &mut BTreeMap<String, BTreeSet<String>>) {
        if let Some((sort, _)) = self.sort
            && !self.found.is_empty()
        {
            dependencies
                .entry(sort.to_owned())
                .or_default()
                .extend(self.found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_found_in_specs_and_nowhere_else() {
        let raw = br#"{"metadata":{"annotations":{"last":"{\"image\":\"from/annotation\"}"},"managedFields":[{"f:image":{}}]},"spec":{"containers":[{"image":"a/b:1"},{"image":"a/b:1"},{"image":""}],"volumes":[{"image":{"reference":"x"}}]}}"#;
        let mut references = ExternalReferences::of(&TypeName::new("apps", "deployments"));
        references.look(raw);
        let mut all = BTreeMap::new();
        references.add_to(&mut all);
        assert_eq!(all["images"], BTreeSet::from(["a/b:1".to_owned()]));
    }

    #[test]
    fn roles_are_found_in_accounts() {
        let mut references = ExternalReferences::of(&TypeName::new("", "serviceaccounts"));
        references.look(br#"{"metadata":{"annotations":{"eks.amazonaws.com/role-arn":"arn:aws:iam::111122223333:role/r"}}}"#);
        let mut all = BTreeMap::new();
        references.add_to(&mut all);
        assert_eq!(
            all["roleArns"],
            BTreeSet::from(["arn:aws:iam::111122223333:role/r".to_owned()])
        );
    }
}
