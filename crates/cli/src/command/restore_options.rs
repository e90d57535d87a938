//! The restore options that `plan` and `restore` share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lifeboat_model::{Code, Problem, TypeSelector};
use lifeboat_plan::{ExistingPolicy, PortRange, RestoreOptions, RuleSet, Selection, StatusRule};
use lifeboat_translate::{IdentityMap, PatchRule};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::arguments::FilterArguments;
use crate::failure::Failure;

/// Options of a restore.
#[derive(Debug, Clone, Args)]
pub struct RestoreOptionArguments {
    /// Which objects.
    #[command(flatten)]
    pub filter: FilterArguments,
    /// Only objects with this name; * and ? are wildcards; may be repeated
    #[arg(long = "name", value_name = "GLOB", help_heading = "Selection")]
    pub names: Vec<String>,
    /// What to do with existing objects: keep, update, or recreate (delete and create)
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "POLICY",
        help_heading = "Changes"
    )]
    pub existing: Existing,
    /// Rename namespace A to B, in all references too; may be repeated
    #[arg(long = "map-namespace", value_name = "A=B", value_parser = pair, help_heading = "Changes")]
    pub map_namespace: Vec<(String, String)>,
    /// Identifiers of the primary and their counterparts, as YAML or JSON (`lifeboat schema identities`)
    #[arg(long, value_name = "FILE", help_heading = "Changes")]
    pub identities: Option<PathBuf>,
    /// Reject a plan whose objects still name the primary anywhere
    #[arg(long, requires = "identities", help_heading = "Changes")]
    pub no_leftovers: bool,
    /// Ask the API server about every object with a dry run before anything is written
    ///
    /// Validation may have become stricter since an object was created. Takes about a millisecond for each object.
    /// Objects of definitions that the target does not serve yet are not asked about.
    #[arg(long, help_heading = "Execution")]
    pub validate: bool,
    /// Patches as YAML or JSON (`lifeboat schema patches`); may be repeated
    #[arg(long = "patches", value_name = "FILE", help_heading = "Changes")]
    pub patches: Vec<PathBuf>,
    /// The target's node port range, if it is not 30000-32767
    #[arg(
        long,
        default_value_t,
        hide_default_value = true,
        value_name = "FIRST-LAST",
        help_heading = "Changes"
    )]
    pub node_port_range: PortRange,
    /// Restore the captured status of this type; may be repeated
    #[arg(long = "restore-status", value_name = "TYPE", help_heading = "Changes")]
    pub restore_status: Vec<String>,
}

/// What happens to objects that already exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Existing {
    /// They stay; differences are reported.
    #[default]
    Keep,
    /// They are changed to what the recovery point holds.
    Update,
    /// They are deleted and made anew.
    Recreate,
}

/// A file of patches.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchDocument {
    /// Always `lifeboat.dev/patches/v1`.
    pub format: String,
    /// The patches, applied in this order.
    pub patches: Vec<PatchRule>,
}

impl PatchDocument {
    /// The name and version of this document.
    pub const FORMAT: &str = "lifeboat.dev/patches/v1";
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() && !to.contains('=') => {
            Ok((from.to_owned(), to.to_owned()))
        }
        _ => Err("not of the form A=B".to_owned()),
    }
}

impl RestoreOptionArguments {
    /// Returns the restore options that these arguments describe, including the content of the files they name.
    ///
    /// # Errors
    /// LB-0010 if a namespace is mapped twice, LB-0011 for a file that cannot be read, LB-0607 for an identity map
    /// that contradicts itself.
    pub fn options(&self) -> Result<RestoreOptions, Failure> {
        let mut namespace_map = BTreeMap::new();
        for (from, to) in &self.map_namespace {
            if let Some(other) = namespace_map.insert(from.clone(), to.clone()) {
                return Err(Failure::new(
                    Code::Usage,
                    format!("namespace {from} is mapped twice, to {other} and to {to}"),
                ));
            }
        }
        let mut patches = Vec::new();
        for file in &self.patches {
            patches.extend(read_patches(file)?);
        }
        let identities = self.identities.as_deref().map(read_identities).transpose()?;
        let types = |names: &[String]| names.iter().cloned().map(TypeSelector).collect();
        let status = StatusRule {
            types: types(&self.restore_status),
            namespaces: Vec::new(),
            names: Vec::new(),
        };
        Ok(RestoreOptions {
            selection: Selection {
                filter: self.filter.filter(),
                names: self.names.clone(),
            },
            namespace_map,
            identities,
            no_leftovers: self.no_leftovers,
            validate: self.validate,
            patches,
            node_port_range: self.node_port_range,
            existing: match self.existing {
                Existing::Keep => ExistingPolicy::Keep,
                Existing::Update => ExistingPolicy::Update,
                Existing::Recreate => ExistingPolicy::Recreate,
            },
            rules: RuleSet {
                restore_status: if self.restore_status.is_empty() {
                    Vec::new()
                } else {
                    vec![status]
                },
            },
        })
    }
}

fn read_patches(file: &Path) -> Result<Vec<PatchRule>, Failure> {
    let named = format!("failed to read the patches {}", file.display());
    let document: PatchDocument = read_document(file, &named, "patches")?;
    if document.format != PatchDocument::FORMAT {
        return Err(Failure::new(
            Code::InvalidDocument,
            format!(
                "{named}: its format is {:?}, not {}",
                document.format,
                PatchDocument::FORMAT
            ),
        ));
    }
    Ok(document.patches)
}

/// Reads an identity map and checks it, so that its faults are told before a recovery point is read.
fn read_identities(file: &Path) -> Result<IdentityMap, Failure> {
    let named = format!("failed to read the identity map {}", file.display());
    let map: IdentityMap = read_document(file, &named, "identities")?;
    let faults = map.faults();
    let Some(first) = faults.first() else {
        return Ok(map);
    };
    let mut problem = first.problem();
    problem.message = named;
    problem.causes = faults.iter().map(ToString::to_string).collect();
    if faults.len() > 1 {
        problem.guidance = Code::IdentityMapInvalid.explanation().remedy.to_owned();
    }
    Err(problem.into())
}

/// Reads a document in YAML or JSON. `schema` is the argument of `lifeboat schema` that describes it.
fn read_document<T: DeserializeOwned>(file: &Path, named: &str, schema: &str) -> Result<T, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::of(Code::InvalidDocument, named, &error).remedy("check the path and its permissions")
    })?;
    // JSON is also YAML, but only a JSON parser keeps the text of numbers.
    let document = if text.trim_start().starts_with('{') {
        serde_json::from_str(&text).map_err(|error| Failure::of(Code::InvalidDocument, named, &error))
    } else {
        serde_yaml_ng::from_str(&text).map_err(|error| unparsable(named, &error))
    };
    let remedy = format!("compare the file with `lifeboat schema {schema}`; unknown fields are errors");
    document.map_err(|failure| failure.remedy(remedy))
}

/// Returns the failure for a document that cannot be parsed, without the text that the parser fails at.
pub(super) fn unparsable(named: &str, error: &dyn std::error::Error) -> Failure {
    let shown = without_quoted(error);
    let mut problem = Problem::new(
        Code::InvalidDocument,
        named,
        Code::InvalidDocument.explanation().remedy,
    );
    problem.causes.push(shown);
    problem.into()
}

/// Returns the message of a parser. Parsers quote the text that they fail at, which in a patch may be the value of a
/// Secret, so quoted text is removed; names of fields, between backticks, stay.
pub(super) fn without_quoted(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    match (text.find('"'), text.rfind('"')) {
        (Some(from), Some(to)) if from < to => format!("{}[not shown]{}", &text[..from], &text[to + 1..]),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn read(text: &str) -> Result<Vec<PatchRule>, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("patches");
        std::fs::write(&file, text).unwrap();
        read_patches(&file)
    }

    #[test]
    fn patches_are_read_as_yaml_and_as_json_alike() {
        let yaml = read(
            "format: lifeboat.dev/patches/v1\npatches:\n- name: one replica\n  when: {types: [deploy]}\n  merge: {spec: {replicas: 1}}\n",
        )
        .unwrap();
        let json = read(
            r#"{"format": "lifeboat.dev/patches/v1", "patches": [{"name": "one replica", "when": {"types": ["deploy"]}, "merge": {"spec": {"replicas": 1}}}]}"#,
        )
        .unwrap();
        assert_eq!(yaml, json);
        assert_eq!(yaml.len(), 1);
    }

    #[test]
    fn a_typing_error_in_a_patch_is_an_error() {
        for wrong in [
            "format: lifeboat.dev/patches/v2\npatches: []\n",
            "format: lifeboat.dev/patches/v1\npatches:\n- whenn: {}\n",
            "[]",
            "",
        ] {
            assert_eq!(
                read(wrong).unwrap_err().problem().code,
                Code::InvalidDocument,
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn an_identity_map_is_read_and_its_faults_are_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("identities");
        let environments = "format: lifeboat.dev/identities/v1
primary: {account: '111111111111', region: eu-west-1}
recovery: {account: '222222222222', region: eu-central-1}
";
        std::fs::write(&file, environments).unwrap();
        assert_eq!(
            read_identities(&file).unwrap().recovery.region.as_str(),
            "eu-central-1"
        );
        let wrong = "identities:
- {kind: vpc, from: vpc-1, to: vpc-12345678}
- {kind: zone, from: eu-west-1a, to: eu-west-1b}
- {kind: zone, from: eu-west-1c, to: eu-west-1b}
";
        std::fs::write(&file, format!("{environments}{wrong}")).unwrap();
        let problem = read_identities(&file).unwrap_err().problem().clone();
        assert_eq!(problem.code, Code::IdentityMapInvalid);
        assert_eq!(problem.causes.len(), 2, "{problem}");
        std::fs::write(&file, format!("{environments}more: 1\n")).unwrap();
        let problem = read_identities(&file).unwrap_err().problem().clone();
        assert_eq!(problem.code, Code::InvalidDocument);
        assert!(problem.guidance.contains("schema identities"), "{problem}");
    }

    #[test]
    fn a_value_in_the_wrong_place_is_not_quoted() {
        let error =
            read("format: lifeboat.dev/patches/v1\npatches:\n- merge: {}\n  when: canary\n").unwrap_err();
        assert!(
            !error.to_string().contains("canary") && error.to_string().contains("line"),
            "{error}"
        );
    }

    #[test]
    fn namespace_pairs_have_two_sides() {
        assert_eq!(pair("a=b").unwrap(), ("a".to_owned(), "b".to_owned()));
        for wrong in ["a", "=b", "a=", "a=b=c"] {
            assert!(pair(wrong).is_err(), "{wrong}");
        }
    }
}
