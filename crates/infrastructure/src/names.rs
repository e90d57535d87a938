//! Names on the recovery side: logical ids in templates, and names of resources that must differ from the primary's.

use std::collections::BTreeMap;

use crate::description::Descriptions;
use crate::facts::RecoveryFacts;

/// The longest name of an IAM role (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
pub(crate) const LONGEST_ROLE_NAME: usize = 64;

/// The longest name of a managed policy or an instance profile.
pub(crate) const LONGEST_POLICY_NAME: usize = 128;

/// Returns a text as part of a logical id, which has letters and digits only: `private-a` as `PrivateA`.
pub(crate) fn pascal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut begins = true;
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            out.push(if begins {
                character.to_ascii_uppercase()
            } else {
                character
            });
            begins = false;
        } else {
            begins = true;
        }
    }
    out
}

/// Returns 8 hexadecimal digits that depend on a text: FNV-1a of 64 bits, folded. It tells names apart and protects
/// nothing.
pub(crate) fn digest(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let folded = (hash >> 32) ^ (hash & 0xffff_ffff);
    format!("{folded:08x}")
}

/// Returns a name with a suffix, cut and told apart by a digest if it would be longer than `longest`.
fn suffixed(name: &str, suffix: &str, longest: usize) -> String {
    let whole = format!("{name}-{suffix}");
    if whole.len() <= longest {
        return whole;
    }
    let end = format!("-{}-{suffix}", digest(name));
    let kept: String = name.chars().take(longest.saturating_sub(end.len())).collect();
    format!("{kept}{end}")
}

/// Returns the name of a resource of IAM in the recovery account: the same, or with the Region as suffix where the account
/// is that of the primary.
pub(crate) fn in_recovery(
    descriptions: &Descriptions,
    facts: &RecoveryFacts,
    name: &str,
    longest: usize,
) -> String {
    if descriptions.account == facts.account {
        suffixed(name, facts.region.as_str(), longest)
    } else {
        name.to_owned()
    }
}

/// The longest path (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html>).
const LONGEST_PATH: usize = 512;

/// Returns the path of a managed policy or an instance profile in the recovery account: below one of the application.
/// CloudFormation does not tag either, so that the path says what the application may change.
pub(crate) fn path_in_recovery(facts: &RecoveryFacts, path: &str) -> String {
    let own = format!("/lifeboat/{}", facts.application);
    let whole = format!("{own}{path}");
    if whole.len() <= LONGEST_PATH {
        whole
    } else {
        format!("{own}/")
    }
}

/// The longest part of a logical id that comes from a name: CloudFormation allows 255 characters.
const LONGEST_PART: usize = 180;

/// Returns the logical id of each resource of a type: `prefix` and its name, and a digest of its id where two would be
/// the same.
pub(crate) fn logical_ids<'a>(
    prefix: &str,
    resources: impl Iterator<Item = (&'a str, &'a str)>,
) -> BTreeMap<&'a str, String> {
    let named: Vec<(&str, String)> = resources
        .map(|(id, name)| {
            let name = pascal(name);
            let part = name.strip_prefix(prefix).filter(|rest| !rest.is_empty());
            let part: String = part.unwrap_or(&name).chars().take(LONGEST_PART).collect();
            (id, format!("{prefix}{part}"))
        })
        .collect();
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for (_, logical) in &named {
        *uses.entry(logical.clone()).or_default() += 1;
    }
    let ids = named.into_iter().map(|(id, logical)| {
        let is_unique = uses.get(&logical) == Some(&1);
        let logical = if is_unique {
            logical
        } else {
            format!("{logical}x{}", digest(id))
        };
        (id, logical)
    });
    ids.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_too_long_are_cut_and_told_apart() {
        assert_eq!(suffixed("cart", "eu-central-1", 64), "cart-eu-central-1");
        let (a, b) = ("a".repeat(64), format!("{}b", "a".repeat(63)));
        let (a, b) = (suffixed(&a, "eu-central-1", 64), suffixed(&b, "eu-central-1", 64));
        assert_eq!((a.len(), b.len()), (64, 64));
        assert_ne!(a, b);
        assert!(a.ends_with("-eu-central-1"));
    }

    #[test]
    fn logical_ids_come_from_names_and_are_unique() {
        let ids = logical_ids(
            "Subnet",
            [
                ("s-1", "private-a"),
                ("s-2", "subnet-2"),
                ("s-3", "x y"),
                ("s-4", "x-y"),
                ("s-5", "é"),
            ]
            .into_iter(),
        );
        assert_eq!(ids["s-1"], "SubnetPrivateA");
        assert_eq!(ids["s-2"], "Subnet2");
        assert!(ids["s-3"].starts_with("SubnetXYx") && ids["s-3"] != ids["s-4"]);
        assert_eq!(ids["s-5"], "Subnet");
    }
}
