//! Rules for manifests beyond the types of their fields.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    BOUND_VERSION, ClusterRecord, Completeness, FORMAT_VERSION, INFRASTRUCTURE, INFRASTRUCTURE_VERSION,
    InfrastructureRecord, PREDICATE_TYPE, PackRecord, PackRecordKind, Predicate, STATEMENT_TYPE, Statement,
    WrappedKeyRecord,
};
use crate::pack::PackVersion;

/// Checks a statement. The writer calls it before signing, the reader after verifying the signature.
///
/// # Errors
/// The first rule that is violated, as text that can be appended to "the manifest is not well formed".
pub fn check_structure(statement: &Statement) -> Result<(), String> {
    let predicate = &statement.predicate;
    if statement.r#type != STATEMENT_TYPE || statement.predicate_type != PREDICATE_TYPE {
        return Err("not a statement about a recovery point".to_owned());
    }
    if predicate.format_version == 0 || predicate.format_version > FORMAT_VERSION {
        return Err(format!("formatVersion {} is unknown", predicate.format_version));
    }

    let mut keys = BTreeMap::new();
    for key in &predicate.keys {
        if keys.insert(key.id.as_str(), key).is_some() {
            return Err(format!("the key {:?} appears twice", key.id));
        }
        check_key(key, predicate)?;
    }

    let mut names = BTreeSet::new();
    for cluster in &predicate.clusters {
        if !names.insert(&cluster.name) {
            return Err(format!("the cluster {:?} appears twice", cluster.name.as_str()));
        }
        check_cluster(cluster, &keys, predicate)?;
    }
    if names.is_empty() {
        return Err("it contains no cluster".to_owned());
    }

    if let Some(record) = &predicate.infrastructure {
        check_infrastructure(record, &keys, predicate)?;
    }

    if predicate.is_incomplete() != (predicate.completeness == Completeness::Partial) {
        return Err(format!(
            "its completeness is {:?}, which does not match what is missing",
            predicate.completeness
        ));
    }

    let mut subjects = BTreeMap::new();
    for subject in &statement.subject {
        if subjects.insert(&subject.name, subject.digest.sha256).is_some() {
            return Err(format!("the subject {:?} appears twice", subject.name.as_str()));
        }
    }
    for pack in predicate.own_packs() {
        match subjects.remove(&pack.name) {
            Some(digest) if digest == pack.sha256 => {}
            Some(_) => {
                return Err(format!(
                    "the digest of the subject {:?} differs from that of the pack",
                    pack.name.as_str()
                ));
            }
            None => return Err(format!("the pack {:?} is not a subject", pack.name.as_str())),
        }
    }
    match subjects.keys().next() {
        Some(name) => Err(format!("the subject {:?} is not a pack", name.as_str())),
        None => Ok(()),
    }
}

fn check_key(key: &WrappedKeyRecord, predicate: &Predicate) -> Result<(), String> {
    let mut recipients = BTreeSet::new();
    if let Some(twice) = key.fingerprints().find(|each| !recipients.insert(*each)) {
        return Err(format!("the key {:?} has the recipient {twice} twice", key.id));
    }
    if predicate.format_version < BOUND_VERSION {
        return match (recipients.len(), &key.application, &key.cluster) {
            (1, None, None) => Ok(()),
            _ => Err(format!(
                "the key {:?} is not of this version of the format",
                key.id
            )),
        };
    }
    if recipients.is_empty() {
        return Err(format!("the key {:?} has no recipient", key.id));
    }
    if key.application.as_ref() != Some(&predicate.application) {
        return Err(format!(
            "the key {:?} is not one of the application {:?}",
            key.id,
            predicate.application.as_str()
        ));
    }
    Ok(())
}

fn check_cluster(
    cluster: &ClusterRecord,
    keys: &BTreeMap<&str, &WrappedKeyRecord>,
    predicate: &Predicate,
) -> Result<(), String> {
    let name = cluster.name.as_str();
    let bound = predicate.format_version >= BOUND_VERSION;
    let mut packs = BTreeSet::new();
    for pack in &cluster.packs {
        let pack_name = pack.name.as_str();
        if folder(pack) != Some(name) {
            return Err(format!(
                "the pack {pack_name:?} is not in the folder of its cluster {name:?}"
            ));
        }
        if pack.kind == PackRecordKind::Descriptions {
            return Err(format!(
                "the pack {pack_name:?} of a cluster contains descriptions"
            ));
        }
        if !packs.insert(&pack.name) {
            return Err(format!("the pack {pack_name:?} appears twice"));
        }
        let key = key_of(pack, keys)?;
        if bound && key.cluster.as_ref() != Some(&cluster.name) {
            return Err(format!(
                "the key {:?} of the pack {pack_name:?} is not one of its cluster",
                pack.key
            ));
        }
        check_pack(pack, predicate)?;
    }
    let mut types = BTreeSet::new();
    for record in &cluster.types {
        if !types.insert(record.name()) {
            return Err(format!(
                "the type {:?} of the cluster {name:?} appears twice",
                record.name().as_str()
            ));
        }
    }
    for missing in &cluster.missing {
        if missing.r#type.is_some() == missing.group.is_some() {
            return Err(format!(
                "a missing part of the cluster {name:?} needs exactly one of type and group"
            ));
        }
    }
    Ok(())
}

fn check_infrastructure(
    record: &InfrastructureRecord,
    keys: &BTreeMap<&str, &WrappedKeyRecord>,
    predicate: &Predicate,
) -> Result<(), String> {
    if predicate.format_version < INFRASTRUCTURE_VERSION {
        return Err("descriptions are not of this version of the format".to_owned());
    }
    let Some(pack) = &record.pack else {
        return if record.resources.is_empty() {
            Ok(())
        } else {
            Err("it names AWS resources without a pack of their descriptions".to_owned())
        };
    };
    let name = pack.name.as_str();
    if folder(pack) != Some(INFRASTRUCTURE) || pack.kind != PackRecordKind::Descriptions {
        return Err(format!("the pack {name:?} is not one of descriptions"));
    }
    if key_of(pack, keys)?.cluster.is_some() {
        return Err(format!(
            "the key {:?} of the pack {name:?} is one of a cluster",
            pack.key
        ));
    }
    check_pack(pack, predicate)
}

fn folder(pack: &PackRecord) -> Option<&str> {
    pack.name.as_str().split_once('/').map(|(folder, _)| folder)
}

fn key_of<'a>(
    pack: &PackRecord,
    keys: &BTreeMap<&str, &'a WrappedKeyRecord>,
) -> Result<&'a WrappedKeyRecord, String> {
    let (key, name) = (pack.key.as_str(), pack.name.as_str());
    let found = keys.get(key).copied();
    found.ok_or_else(|| format!("the key {key:?} of the pack {name:?} is missing"))
}

/// Checks what holds for a pack wherever it belongs.
fn check_pack(pack: &PackRecord, predicate: &Predicate) -> Result<(), String> {
    let name = pack.name.as_str();
    let bound = predicate.format_version >= BOUND_VERSION;
    if bound && pack.point.is_none() && predicate.pack_version(pack) != PackVersion::V2 {
        return Err(format!("the pack {name:?} is not of this version of the format"));
    }
    if (pack.point.as_ref()).is_some_and(|earlier| earlier.as_str() >= predicate.point.as_str()) {
        return Err(format!(
            "the pack {name:?} refers to a recovery point that is not an earlier one"
        ));
    }
    Ok(())
}
