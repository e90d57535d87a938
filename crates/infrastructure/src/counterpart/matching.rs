//! Finds the counterparts of the resources of the primary among the candidates of the recovery environment.
//!
//! The rules are tried in their order, and the first that has any candidate decides: one is the counterpart, several are
//! an error. A rule that does not tell a resource from others of the primary (three subnets with the same tags) decides
//! nothing; the next one does.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::{Code, SharedStack};

use super::sought::{Sought, sought};
use super::{Candidate, CandidateKind, MatchRule, subnets};
use crate::builder::TAG;
use crate::description::Descriptions;
use crate::facts::RecoveryFacts;
use crate::finding::Findings;

/// The rules besides the mapping, in the order in which they are tried. One that needs what a type does not have finds
/// nothing.
const RULES: [MatchRule; 5] = [
    MatchRule::Tags,
    MatchRule::Name,
    MatchRule::Cidr,
    MatchRule::Domain,
    MatchRule::Path,
];

/// What the keys of the tags of Lifeboat begin with.
const OWN_TAGS: &str = "lifeboat.dev/";

/// A counterpart that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Match<'a> {
    pub(crate) kind: CandidateKind,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) rule: MatchRule,
}

/// The counterparts that were found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Matches<'a> {
    /// Besides those that the user has mapped.
    pub(crate) found: Vec<Match<'a>>,
    /// The names of the zones that adopted subnets are in, by the zones of the subnets of the primary.
    pub(crate) zones: BTreeMap<&'a str, &'a str>,
    /// Resources with an error among the findings.
    pub(crate) refused: BTreeSet<&'a str>,
    findings: BTreeMap<Option<SharedStack>, Findings>,
}

impl<'a> Matches<'a> {
    /// Finds counterparts for the stacks that adopt. `mapped` are those that the user has chosen.
    pub(crate) fn new(
        descriptions: &'a Descriptions,
        facts: &'a RecoveryFacts,
        mapped: &BTreeMap<&'a str, &'a str>,
    ) -> Self {
        if facts.candidates.is_empty() && facts.adopt_existing.is_empty() {
            return Self::default();
        }
        let all = sought(descriptions, facts);
        let mut search = Search {
            facts,
            chosen: mapped.values().copied().collect(),
            counterparts: mapped.clone(),
            matches: Self::default(),
        };
        for one_type in all.chunk_by(|a, b| a.kind == b.kind) {
            search.one_type(one_type);
        }
        let zones = search.zones(&all).into_iter();
        let named = zones.filter_map(|(from, id)| Some((from, search.zone(id)?)));
        search.matches.zones = named.collect();
        search.matches.found.sort();
        search.matches
    }

    /// Returns the findings about resources of a stack; those of what no stack builds belong to `None`.
    pub(crate) fn findings(&self, stack: Option<SharedStack>) -> Findings {
        self.findings.get(&stack).cloned().unwrap_or_default()
    }

    /// Returns all findings.
    pub(crate) fn all_findings(&self) -> Findings {
        let mut all = Findings::default();
        for findings in self.findings.values() {
            all.extend(findings.clone());
        }
        all
    }

    fn error(&mut self, of: &Sought<'a>, code: Code, what: String) {
        self.refused.insert(of.from);
        let findings = self.findings.entry(of.kind.stack()).or_default();
        findings.error(code, of.from, what);
    }
}

/// What the rules say about one resource.
enum Verdict<'a> {
    Found(&'a str, MatchRule),
    /// Several candidates under the first rule that has any.
    Several(MatchRule, BTreeSet<&'a str>),
    /// Only a rule that does not tell the resource from others has candidates.
    Shared(MatchRule, BTreeSet<&'a str>),
    Nothing,
}

pub(super) struct Search<'a> {
    pub(super) facts: &'a RecoveryFacts,
    /// What the user has mapped something to, which is nothing else's counterpart.
    chosen: BTreeSet<&'a str>,
    /// What is mapped and what was found, by the identifiers of the primary.
    pub(super) counterparts: BTreeMap<&'a str, &'a str>,
    matches: Matches<'a>,
}

impl<'a> Search<'a> {
    /// Finds the counterparts of the resources of one type.
    fn one_type(&mut self, all: &[Sought<'a>]) {
        let Some(kind) = all.first().map(|one| one.kind) else {
            return;
        };
        // The access points of an adopted file system are taken, whoever decided that it is.
        let adopts = (kind.stack()).is_none_or(|stack| self.facts.adopt_existing.contains(&stack));
        if !adopts && kind != CandidateKind::AccessPoint {
            return;
        }
        let open: Vec<&Sought<'a>> = all
            .iter()
            .filter(|one| !self.counterparts.contains_key(one.from))
            .collect();
        let mut found: BTreeMap<&'a str, Vec<(&Sought<'a>, MatchRule)>> = BTreeMap::new();
        let mut unmatched: Vec<&Sought<'a>> = Vec::new();
        for one in &open {
            // What belongs to a VPC or file system that is built is built with it.
            let parent = match one.parent.map(|parent| self.counterparts.get(parent).copied()) {
                Some(None) => continue,
                parent => parent.flatten(),
            };
            let peers: Vec<&Sought<'a>> = open
                .iter()
                .copied()
                .filter(|peer| peer.parent == one.parent && peer.from != one.from)
                .collect();
            let (own, others) = self.candidates(kind, parent);
            let is_built = self.verdict(one, &peers, &own);
            if matches!(is_built, Verdict::Found(..) | Verdict::Several(..)) {
                continue;
            }
            match self.verdict(one, &peers, &others) {
                Verdict::Found(to, rule) => found.entry(to).or_default().push((one, rule)),
                Verdict::Several(rule, ids) => {
                    let what = format!("{} candidates have {}: {}", ids.len(), shared(rule), list(&ids));
                    self.matches.error(one, Code::AdoptionAmbiguous, what);
                }
                Verdict::Shared(rule, ids) => {
                    let what = format!(
                        "{} has {} as well, so it cannot be told which of them {} is",
                        peers_with(one, &peers, rule, self.facts),
                        shared(rule),
                        list(&ids)
                    );
                    self.matches.error(one, Code::CandidateTaken, what);
                }
                Verdict::Nothing => unmatched.push(one),
            }
        }
        for (to, of) in found {
            match of.as_slice() {
                [(one, rule)] => self.take(one, to, *rule),
                several => {
                    for (one, rule) in several {
                        let others = several.iter().map(|(other, _)| other.from);
                        let others: BTreeSet<&str> = others.filter(|other| *other != one.from).collect();
                        let what = format!(
                            "{to} has {}, and is the counterpart of {} too",
                            shared(*rule),
                            list(&others)
                        );
                        self.matches.error(one, Code::CandidateTaken, what);
                    }
                }
            }
        }
        if kind == CandidateKind::Subnet {
            for (one, to) in subnets::by_position(self, all, &unmatched) {
                self.take(one, to, MatchRule::Cidr);
            }
            return;
        }
        for one in unmatched {
            // The default group comes with the VPC, and is never built.
            let is_default = kind == CandidateKind::SecurityGroup && one.names.contains("default");
            if let (Some(stack), true) = (kind.stack(), adopts && !is_default) {
                let what = match kind {
                    CandidateKind::AccessPoint => {
                        "no access point of its file system has its directory and its user; it is built"
                    }
                    _ => "nothing in the recovery environment has its tags or its name; it is built",
                };
                let findings = self.matches.findings.entry(Some(stack)).or_default();
                findings.note(Code::CounterpartNotFound, one.from, what);
            }
        }
    }

    fn take(&mut self, one: &Sought<'a>, to: &'a str, rule: MatchRule) {
        self.counterparts.insert(one.from, to);
        self.matches.found.push(Match {
            kind: one.kind,
            from: one.from,
            to,
            rule,
        });
    }

    /// Returns the candidates of a type that the application's own stacks have built, and the others. With `parent` only
    /// those that belong to it.
    pub(super) fn candidates(
        &self,
        kind: CandidateKind,
        parent: Option<&str>,
    ) -> (Vec<&'a Candidate>, Vec<&'a Candidate>) {
        let all = self.facts.candidates.iter();
        let of_type = all.filter(|one| one.kind == kind && !self.chosen.contains(one.id.as_str()));
        of_type
            .filter(|one| parent.is_none() || one.parent.as_deref() == parent)
            .partition(|one| is_own(one, self.facts))
    }

    /// Returns the candidates of a type within `parent` that are nobody's counterpart yet.
    pub(super) fn free(&self, kind: CandidateKind, parent: &str) -> Vec<&'a Candidate> {
        let taken: BTreeSet<&str> = self.counterparts.values().copied().collect();
        let (_, mut others) = self.candidates(kind, Some(parent));
        others.retain(|one| !taken.contains(one.id.as_str()));
        others
    }

    fn verdict(&self, one: &Sought<'a>, peers: &[&Sought<'a>], among: &[&'a Candidate]) -> Verdict<'a> {
        let mut undecided: Option<(MatchRule, BTreeSet<&'a str>)> = None;
        for rule in RULES {
            let hits = among
                .iter()
                .filter(|candidate| has(candidate, one, rule, self.facts))
                .filter(|candidate| rule != MatchRule::Tags || !is_named_as(candidate, one, peers));
            // A key is a candidate once for each alias.
            let mut hits: BTreeSet<&'a str> = hits.map(|candidate| candidate.id.as_str()).collect();
            hits.remove(one.from);
            if hits.is_empty() {
                continue;
            }
            if peers.iter().any(|peer| is_same(one, peer, rule, self.facts)) {
                undecided.get_or_insert((rule, hits));
                continue;
            }
            // Several certificates have the tags of a team; the domain names tell them apart.
            if rule == MatchRule::Tags && hits.len() > 1 {
                let is_same = |to: &&&'a str| {
                    let mut all = among.iter().filter(|candidate| candidate.id == **to);
                    all.any(|candidate| has(candidate, one, MatchRule::Domain, self.facts))
                };
                let of_domain: BTreeSet<&'a str> = hits.iter().filter(is_same).copied().collect();
                hits = if of_domain.is_empty() { hits } else { of_domain };
            }
            if let Some((_, before)) = &undecided {
                let both: BTreeSet<&'a str> = hits.intersection(before).copied().collect();
                hits = if both.is_empty() { hits } else { both };
            }
            return match (hits.len(), hits.first()) {
                (1, Some(to)) => Verdict::Found(to, rule),
                _ => Verdict::Several(rule, hits),
            };
        }
        // Names tell the others apart, so that one without a counterpart of its name has none; so do domain names.
        let is_of_domain = |candidate: &&'a Candidate| has(candidate, one, MatchRule::Domain, self.facts);
        // Two access points may be alike, and one more does no harm.
        let is_told = one.kind.has_unique_names()
            || one.kind == CandidateKind::AccessPoint
            || one.kind == CandidateKind::Subnet
            || (!one.domains.is_empty() && !among.iter().any(is_of_domain));
        match undecided {
            Some((rule, hits)) if !is_told => Verdict::Shared(rule, hits),
            _ => Verdict::Nothing,
        }
    }

    /// Returns the ids of the zones that adopted subnets are in.
    fn zones(&self, all: &[Sought<'a>]) -> BTreeMap<&'a str, &'a str> {
        let is_subnet = |one: &&Sought<'a>| one.kind == CandidateKind::Subnet;
        let subnets: Vec<&Sought<'a>> = all.iter().filter(is_subnet).collect();
        subnets::zones(self, &subnets)
    }

    /// Returns the name of a zone of the recovery Region.
    pub(super) fn zone(&self, id: &str) -> Option<&'a str> {
        let mut zones = self.facts.zones.iter();
        zones.find(|zone| zone.id == id).map(|zone| zone.name.as_str())
    }
}

/// Whether a stack of an application has built a candidate. It is never adopted: the stack may delete it.
pub(crate) fn is_own(candidate: &Candidate, facts: &RecoveryFacts) -> bool {
    let is_listed = facts.own.iter().any(|own| {
        let is_same = own.id == candidate.id;
        let is_name = candidate
            .id
            .strip_suffix(&own.id)
            .is_some_and(|rest| rest.ends_with('/'));
        own.r#type == candidate.kind.resource_type() && (is_same || is_name)
    });
    is_listed || candidate.tags.contains_key(TAG)
}

/// Returns the tags by which a resource is found: those that its owner gave to it, or those that the user names.
fn telling<'t>(one: &Sought<'t>, facts: &RecoveryFacts) -> BTreeMap<&'t str, &'t str> {
    let keys = &facts.adopt_tags;
    let is_users = |key: &str| !key.starts_with("aws:") && key != "Name";
    let tags = one.tags.iter().filter(|(key, _)| {
        let is_wanted = if keys.is_empty() {
            is_users(key)
        } else {
            keys.contains(*key)
        };
        is_wanted && !key.starts_with(OWN_TAGS)
    });
    tags.map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

/// Whether a candidate has what a rule compares.
fn has(candidate: &Candidate, one: &Sought<'_>, rule: MatchRule, facts: &RecoveryFacts) -> bool {
    // Whatever an access point is called: through another directory or as another user Pods see other files.
    if one.kind == CandidateKind::AccessPoint && rule != MatchRule::Path {
        return false;
    }
    match rule {
        MatchRule::Mapping | MatchRule::Replication => false,
        MatchRule::Tags => {
            let tags = telling(one, facts);
            let is_equal =
                |(key, value): (&&str, &&str)| candidate.tags.get(*key).is_some_and(|own| own == value);
            !tags.is_empty() && tags.iter().all(is_equal)
        }
        MatchRule::Name => candidate
            .name
            .as_ref()
            .is_some_and(|name| one.names.contains(name)),
        MatchRule::Cidr => one.cidr.is_some() && candidate.cidr.as_deref() == one.cidr,
        MatchRule::Domain => {
            !one.domains.is_empty()
                && candidate
                    .domains
                    .iter()
                    .map(String::as_str)
                    .eq(one.domains.iter().copied())
        }
        MatchRule::Path => one.access.is_some() && candidate.access == one.access,
    }
}

/// Whether a rule does not tell two resources of the primary apart.
fn is_same(a: &Sought<'_>, b: &Sought<'_>, rule: MatchRule, facts: &RecoveryFacts) -> bool {
    match rule {
        MatchRule::Mapping | MatchRule::Replication => false,
        MatchRule::Tags => telling(a, facts) == telling(b, facts),
        MatchRule::Name => !a.names.is_disjoint(&b.names),
        MatchRule::Cidr => a.cidr == b.cidr,
        MatchRule::Domain => a.domains == b.domains,
        MatchRule::Path => a.access == b.access,
    }
}

/// Whether a candidate has the name of another resource of the primary, where names are unique.
fn is_named_as(candidate: &Candidate, one: &Sought<'_>, peers: &[&Sought<'_>]) -> bool {
    let Some(name) = candidate.name.as_ref().filter(|_| one.kind.has_unique_names()) else {
        return false;
    };
    !one.names.contains(name) && peers.iter().any(|peer| peer.names.contains(name))
}

/// Returns the resources of the primary that a rule does not tell from this one.
fn peers_with(one: &Sought<'_>, peers: &[&Sought<'_>], rule: MatchRule, facts: &RecoveryFacts) -> String {
    let same = peers.iter().filter(|peer| is_same(one, peer, rule, facts));
    list(&same.map(|peer| peer.from).collect())
}

fn list(ids: &BTreeSet<&str>) -> String {
    ids.iter().copied().collect::<Vec<_>>().join(", ")
}

/// Returns what a rule compares, for a sentence.
fn shared(rule: MatchRule) -> &'static str {
    match rule {
        MatchRule::Mapping => "its mapping",
        MatchRule::Replication => "its replication",
        MatchRule::Tags => "its tags",
        MatchRule::Name => "its name",
        MatchRule::Cidr => "its IPv4 range",
        MatchRule::Domain => "its domain names",
        MatchRule::Path => "its directory and its user",
    }
}
