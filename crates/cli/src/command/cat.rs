//! `lifeboat cat`: prints one object of a recovery point.

use clap::Args;
use lifeboat_format::manifest::{ClusterRecord, TypeOutcome, TypeRecord};
use lifeboat_model::{ClusterName, Code, Exit, TypeName, TypeSelector};
use lifeboat_recovery_point::{Index, ObjectLocation};
use serde_json::Value;

use super::open;
use crate::arguments::{PointArguments, RecoveryKeyArguments};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{OutputFormat, write_out, yaml};

mod mask;

const AFTER: &str = "Example:
  lifeboat cat latest deployment cart -n shop --store points \\
      --verify-key keys/signing.pub.pem --recovery-key keys/recovery.key.pem

  Prints YAML; -o json prints the bytes that the API server sent, with apiVersion and kind
  added. Values of Secrets are masked unless --reveal is given.

Exit codes: 0 printed, 2 no such point or object, 5 refused, 8 the store failed, 9 a key
cannot be used or is not named, 12 AWS refused the request";

/// Options of `lifeboat cat`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// The recovery point: `latest`, `latest-complete`, its id, or the beginning of its id
    pub point: String,
    /// The type as kubectl names it, or TYPE/NAME
    #[arg(value_name = "TYPE")]
    pub r#type: String,
    /// The name, unless given as TYPE/NAME
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// The namespace; optional if only one namespace has an object of this name
    #[arg(short = 'n', long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The cluster, if the point has several
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<ClusterName>,
    /// Print the values of Secrets
    #[arg(long)]
    pub reveal: bool,
    /// Where the point is.
    #[command(flatten)]
    pub from: PointArguments,
    /// What opens it.
    #[command(flatten)]
    pub key: RecoveryKeyArguments,
}

impl Arguments {
    fn wanted(&self) -> Result<(TypeSelector, &str), Failure> {
        let parts = match (&self.name, self.r#type.split_once('/')) {
            (Some(name), None) => Some((self.r#type.as_str(), name.as_str())),
            (None, Some((r#type, name))) => Some((r#type, name)),
            _ => None,
        };
        match parts {
            Some((r#type, name)) if !r#type.is_empty() && !name.is_empty() => {
                Ok((TypeSelector(r#type.to_owned()), name))
            }
            _ => Err(Failure::new(Code::Usage, "expected one type and one name")
                .remedy("write `deployment cart` or `deployment/cart`")),
        }
    }
}

/// Prints an object.
///
/// # Errors
/// If the point or the object does not exist, or the point is refused.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (selector, name) = arguments.wanted()?;
    let (type_name, raw) = context.block_on(async {
        let readable = open::readable(&arguments.point, &arguments.from, &arguments.key, context).await?;
        let cluster = open::cluster(readable.point(), arguments.cluster.as_ref())?;
        let r#type = find_type(cluster, &selector)?;
        let index = readable.index(&cluster.name).await?;
        let located = find_object(&index, &r#type.name(), arguments.namespace.as_deref(), name)?;
        let batch = readable.batch(&index, located.frame).await?;
        let raw = batch.object(located.position).ok_or_else(|| {
            Failure::new(
                Code::Bug,
                "the index lists an object that its frame does not contain",
            )
        })?;
        Ok((r#type.name(), raw))
    })?;
    let masked = type_name.as_str() == "secrets" && !arguments.reveal;
    let mut text = match (context.output, masked) {
        (OutputFormat::Json, false) => raw.to_vec(),
        (OutputFormat::Json, true) => mask::secret(parse(&raw)?).to_string().into_bytes(),
        (OutputFormat::Table | OutputFormat::Yaml, masked) => {
            let value = parse(&raw)?;
            let value = if masked { mask::secret(value) } else { value };
            yaml::render(&value).into_bytes()
        }
    };
    if text.last() != Some(&b'\n') {
        text.push(b'\n');
    }
    write_out(&text)?;
    Ok(Exit::Success)
}

fn parse(raw: &[u8]) -> Result<Value, Failure> {
    // serde_json's message could quote the text, so only the position is reported.
    serde_json::from_slice(raw).map_err(|error| {
        Failure::new(
            Code::PackCorrupt,
            format!("the object is not JSON at column {}", error.column()),
        )
    })
}

/// Finds the type that a selector names among those that the point contains.
pub(super) fn find_type<'a>(
    cluster: &'a ClusterRecord,
    selector: &TypeSelector,
) -> Result<&'a TypeRecord, Failure> {
    let mut found: Vec<&TypeRecord> = cluster
        .types
        .iter()
        .filter(|record| {
            selector.matches(
                &record.group,
                &record.resource,
                &record.singular,
                &record.kind,
                &record.short_names,
            )
        })
        .collect();
    // If several groups serve the same type, the objects are stored under one of them.
    let stored = |record: &&TypeRecord| matches!(record.outcome, TypeOutcome::Listed { objects: 1.., .. });
    if found.iter().any(stored) {
        found.retain(stored);
    }
    match found.as_slice() {
        [only] => Ok(only),
        [] => Err(Failure::new(
            Code::ObjectNotFound,
            format!("the recovery point has no type {selector}"),
        )),
        several => {
            let names: Vec<String> = several.iter().map(|record| record.name().to_string()).collect();
            Err(Failure::new(
                Code::ObjectNotFound,
                format!("{selector} is ambiguous: {}", names.join(" or ")),
            )
            .remedy("use the type with its group"))
        }
    }
}

fn find_object<'a>(
    index: &'a Index,
    r#type: &TypeName,
    namespace: Option<&str>,
    name: &str,
) -> Result<ObjectLocation<'a>, Failure> {
    let found: Vec<ObjectLocation<'a>> = index
        .iter()
        .filter(|located| *located.type_name == *r#type && located.entry.name == name)
        .filter(|located| namespace.is_none_or(|wanted| located.entry.namespace == wanted))
        .collect();
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(Failure::new(
            Code::ObjectNotFound,
            match namespace {
                Some(namespace) => format!("the recovery point has no {} {namespace}/{name}", r#type),
                None => format!("the recovery point has no {} {name}", r#type),
            },
        )),
        several => {
            let namespaces: Vec<&str> = several
                .iter()
                .map(|located| located.entry.namespace.as_str())
                .collect();
            Err(Failure::new(
                Code::ObjectNotFound,
                format!("{} {name} is in the namespaces {}", r#type, namespaces.join(", ")),
            )
            .remedy("choose one with -n"))
        }
    }
}
