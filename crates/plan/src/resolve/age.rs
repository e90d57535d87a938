//! Objects between which age decides: they are created in the order of their age, each in a second of its own, because a
//! creation time has no fractions.
//!
//! Of several default StorageClasses the newest one counts (`GetDefaultClass` of the storage admission), and ingress
//! controllers give a path that several Ingresses claim to the oldest one
//! (<https://kubernetes.io/docs/concepts/storage/storage-classes/#default-storageclass>).

use std::collections::BTreeMap;

use super::Resolver;
use crate::builder::summary::Extra;
use crate::rule::RuleId;
use crate::wave::Wave;

pub(super) fn arrange(work: &mut Resolver<'_>, sorted: &[usize]) {
    let mut rivals: BTreeMap<(u32, String), Vec<(String, usize)>> = BTreeMap::new();
    for &index in sorted.iter().filter(|index| work.is_planned(**index)) {
        let item = work.item(index);
        let (created, claims): (&str, Vec<String>) = match item.extra.as_deref() {
            Some(Extra::DefaultClass { created, .. }) => (created, vec![String::new()]),
            Some(Extra::Ingress { created, claims }) => (created, claims.clone()),
            _ => continue,
        };
        for claim in claims {
            let own = rivals.entry((item.r#type, claim)).or_default();
            own.push((created.to_owned(), index));
        }
    }
    rivals.retain(|_, own| own.len() > 1);
    let mut ranks: BTreeMap<usize, u16> = BTreeMap::new();
    // An object may have several rivals: each round moves one behind all that are older.
    for own in rivals.values_mut() {
        own.sort();
    }
    loop {
        let mut moved = false;
        for own in rivals.values() {
            for pair in own.windows(2) {
                let [(older, first), (younger, second)] = pair else {
                    continue;
                };
                let least = ranks.get(first).copied().unwrap_or(0) + u16::from(older != younger);
                let rank = ranks.entry(*second).or_insert(0);
                if *rank < least {
                    *rank = least;
                    moved = true;
                }
            }
        }
        if !moved {
            break;
        }
    }
    let last = ranks.values().copied().max().unwrap_or(0);
    for own in rivals.into_values() {
        for (_, index) in own {
            let rank = ranks.get(&index).copied().unwrap_or(0);
            let resource = &work.draft.source_type(work.item(index).r#type).resource;
            let (wave, depth): (Wave, u16) = Wave::of(resource);
            if work
                .waves
                .insert(index, (wave, depth.saturating_add(rank)))
                .is_none()
            {
                work.note_use(RuleId::AgeOrder);
            }
            if rank < last {
                work.decisions.alone.insert(index);
            }
        }
    }
}
