//! The texts that are searched for. A text without any of them has nothing to translate and no leftover, so that most
//! texts are read once and not taken apart.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind, StartKind};

use super::kind::{Kind, Reach};
use super::{Identity, IdentityMap, arn};

/// The number of needles up to which the automaton is a DFA, the fastest kind: a few megabytes.
const MOST_FOR_DFA: usize = 4_000;

/// The number of digits in the shortest generated id.
const SHORTEST_GENERATED: usize = 8;

/// Texts behind which the name of a cluster stands.
pub(super) const BEFORE_CLUSTERS: [&str; 6] = [
    "kubernetes.io/cluster/",
    // cluster-autoscaler: the tags by which it finds Auto Scaling groups.
    "k8s.io/cluster-autoscaler/",
    "cluster-name=",
    "cluster-name ",
    "clusterName=",
    // User data of Bottlerocket.
    "cluster-name = \"",
];

/// What a needle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needle {
    /// The account of the primary.
    Account,
    /// The Region of the primary.
    Region,
    /// An identifier of the map that is recognised in every text.
    Known(Kind),
    /// A name of the map that is recognised in ARNs, URLs and known fields, with what stands beside it there.
    Name,
    /// The prefix of a generated id, with its length.
    Prefix(usize),
}

/// The search for all needles at once.
#[derive(Debug, Clone)]
pub(super) struct Needles {
    search: AhoCorasick,
    kinds: Vec<Needle>,
    shortest: usize,
}

/// A place where a needle stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) range: Range<usize>,
    pub(super) needle: Needle,
}

impl Needles {
    /// Compiles the search; `None` if it would be larger than the library allows.
    pub(super) fn compile(map: &IdentityMap) -> Option<Self> {
        let mut needles: Vec<(String, Needle)> = Vec::new();
        let (primary, recovery) = (&map.primary, &map.recovery);
        if primary.account == recovery.account {
            // Roles are renamed in the account of both; their ARNs have no Region.
            needles.push((arn::iam_prefix(primary), Needle::Name));
        } else {
            needles.push((primary.account.to_string(), Needle::Account));
        }
        if primary.region != recovery.region {
            needles.push((primary.region.to_string(), Needle::Region));
        }
        for identity in &map.identities {
            match identity.kind.reach(&identity.from) {
                Reach::Text => needles.push((identity.from.clone(), Needle::Known(identity.kind))),
                Reach::Fields => needles.extend(name_needles(identity)),
            }
        }
        for (_, prefix) in Kind::PREFIXES {
            needles.push((prefix.to_owned(), Needle::Prefix(prefix.len())));
        }
        // The automaton of a large map would not fit into the caches of a processor as a DFA.
        let kind = (needles.len() <= MOST_FOR_DFA).then_some(AhoCorasickKind::DFA);
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .start_kind(StartKind::Unanchored)
            .kind(kind)
            .build(needles.iter().map(|(text, _)| text))
            .ok()?;
        let lengths = needles.iter().map(|(text, needle)| match needle {
            Needle::Prefix(length) => length + SHORTEST_GENERATED,
            _ => text.len(),
        });
        Some(Self {
            search,
            shortest: lengths.min()?,
            kinds: needles.into_iter().map(|(_, needle)| needle).collect(),
        })
    }

    /// Returns the first needle at or after `from`.
    pub(super) fn next(&self, text: &str, from: usize) -> Option<Hit> {
        let mut from = from;
        while text.len() >= from + self.shortest {
            let found = self.search.find(Input::new(text).range(from..))?;
            let needle = self.kinds[found.pattern().as_usize()];
            if let Needle::Prefix(length) = needle {
                match generated_id(text, found.start(), length) {
                    Some(range) => return Some(Hit { range, needle }),
                    None => from = found.start() + 1,
                }
                continue;
            }
            return Some(Hit {
                range: found.range(),
                needle,
            });
        }
        None
    }
}

/// Returns what is searched for a name that may be a common word: the name together with what says what it names. The
/// names of roles stand in ARNs, of which the account is a needle.
fn name_needles(identity: &Identity) -> impl Iterator<Item = (String, Needle)> {
    let name = &identity.from;
    let texts: Vec<String> = match identity.kind {
        Kind::Cluster => BEFORE_CLUSTERS
            .iter()
            .map(|before| format!("{before}{name}"))
            .collect(),
        Kind::Bucket => vec![format!("s3:::{name}"), format!("://{name}"), format!("{name}.s3")],
        _ => Vec::new(),
    };
    texts.into_iter().map(|text| (text, Needle::Name))
}

/// Returns the range of a generated id whose prefix begins at `start`, if it is a whole token.
fn generated_id(text: &str, start: usize, prefix: usize) -> Option<Range<usize>> {
    let digits = start + prefix;
    let length = text.as_bytes()[digits..]
        .iter()
        .take_while(|b| super::span::is_token_byte(**b))
        .count();
    let range = start..digits + length;
    (super::kind::is_generated(&text[digits..range.end]) && super::span::is_whole(text, &range))
        .then_some(range)
}
