//! An identity map, compiled for a restore.

use std::collections::{HashMap, HashSet};

use crate::place::{Family, IdentifierKind};
use crate::rule::Rule;
use crate::translation::{Translated, Translation};

use super::check;
use super::kind::{Kind, Reach};
use super::needles::Needles;
use super::{
    AccountAndRegion, IdentityFault, IdentityMap, KnownField, KnownLeftover, PodIdentity, SAME_NAMES,
};

/// A compiled identity map. [`Identities::default`] translates nothing.
#[derive(Debug, Clone, Default)]
pub struct Identities(Option<Box<Compiled>>);

#[derive(Debug, Clone)]
pub(super) struct Compiled {
    pub(super) primary: AccountAndRegion,
    pub(super) recovery: AccountAndRegion,
    /// The account of the primary as a number, if the recovery environment is in another one.
    pub(super) account_number: Option<u64>,
    pub(super) needles: Needles,
    /// Identifiers that are recognised in every text.
    pub(super) tokens: HashMap<Box<str>, (Kind, Box<str>)>,
    /// Identifiers by their kind.
    pub(super) names: HashMap<(Kind, Box<str>), Box<str>>,
    /// The identifiers of the recovery environment, and those that are valid in both.
    pub(super) counterparts: HashSet<Box<str>>,
    pub(super) same_names: Vec<String>,
    pub(super) pod_identities: Vec<PodIdentity>,
    pub(super) fields: Vec<KnownField>,
    pub(super) leftovers: Vec<KnownLeftover>,
}

impl Identities {
    /// Compiles a map. One with faults translates nothing.
    #[must_use]
    pub fn compile(map: &IdentityMap) -> Self {
        Self::checked(map).unwrap_or_default()
    }

    /// Compiles a map.
    ///
    /// # Errors
    /// Everything that is wrong with the map ([`IdentityMap::faults`]).
    pub fn checked(map: &IdentityMap) -> Result<Self, Vec<IdentityFault>> {
        check::compile(map).map(|compiled| Self(Some(Box::new(compiled))))
    }

    /// Whether nothing is translated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the leftovers that are known; objects are matched with their conditions by the caller.
    #[must_use]
    pub fn known_leftovers(&self) -> &[KnownLeftover] {
        self.0.as_deref().map_or(&[], |compiled| &compiled.leftovers)
    }

    /// Returns the service accounts whose role is given by EKS Pod Identity.
    #[must_use]
    pub fn pod_identities(&self) -> &[PodIdentity] {
        self.0.as_deref().map_or(&[], |compiled| &compiled.pod_identities)
    }

    pub(super) fn compiled(&self) -> Option<&Compiled> {
        self.0.as_deref()
    }
}

impl Compiled {
    pub(super) fn new(map: &IdentityMap) -> Option<Self> {
        let mut tokens = HashMap::new();
        let mut names = HashMap::new();
        for identity in &map.identities {
            let (from, to): (Box<str>, Box<str>) =
                (identity.from.as_str().into(), identity.to.as_str().into());
            if identity.kind.reach(&identity.from) == Reach::Text {
                tokens.insert(from.clone(), (identity.kind, to.clone()));
            }
            names.insert((identity.kind, from), to);
        }
        let same_names = match &map.same_names {
            Some(names) => names.clone(),
            None => SAME_NAMES.iter().map(|name| (*name).to_owned()).collect(),
        };
        Some(Self {
            primary: map.primary.clone(),
            recovery: map.recovery.clone(),
            account_number: (map.primary.account != map.recovery.account)
                .then(|| map.primary.account.as_str().parse().ok())
                .flatten(),
            needles: Needles::compile(map)?,
            tokens,
            names,
            counterparts: map
                .identities
                .iter()
                .map(|identity| identity.to.as_str().into())
                .collect(),
            same_names,
            pod_identities: map.pod_identities.clone(),
            fields: map.fields.clone(),
            leftovers: map.leftovers.clone(),
        })
    }

    /// Returns the counterpart of a resource, by its kind.
    pub(super) fn named(&self, kind: Kind, name: &str) -> Option<&str> {
        // A borrowed key would need a copy of the name as well: `Borrow` has no implementation for pairs.
        let key = (kind, Box::from(name));
        self.names.get(&key).map(|to| &**to)
    }

    /// Returns the counterpart of an identifier that is recognised in every text.
    pub(super) fn token(&self, text: &str) -> Option<(Kind, &str)> {
        self.tokens.get(text).map(|(kind, to)| (*kind, &**to))
    }

    pub(super) fn is_counterpart(&self, text: &str) -> bool {
        self.counterparts.contains(text)
    }
}

impl Translation for Compiled {
    fn family(&self) -> Family {
        Family::Aws
    }

    fn translate(&self, kind: IdentifierKind, text: &str) -> Option<Translated> {
        let IdentifierKind::Aws(kind) = kind else {
            return None;
        };
        let to = self.named(kind, text)?;
        (to != text).then(|| Translated {
            to: to.to_owned(),
            rule: match kind {
                Kind::Zone | Kind::ZoneId => Rule::Zone,
                _ => Rule::Name,
            },
        })
    }
}
