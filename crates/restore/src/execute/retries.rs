//! Which failed objects a pass tries again.

use std::collections::BTreeSet;

use crate::healing::Healing;

/// The next attempt at an object that has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NextAttempt {
    /// It is tried in the next pass.
    Alone,
    /// It waits for this cause together with others, of which one is tried.
    With(String),
    /// It is not tried again.
    None,
}

impl NextAttempt {
    /// Returns the next attempt at an object that fails with this healing, and has failed `failures` times.
    pub(super) fn of(healing: &Healing, failures: u32) -> Self {
        if !healing.allows(failures) {
            return Self::None;
        }
        healing
            .shared_cause()
            .map_or(Self::Alone, |cause| Self::With(cause.to_owned()))
    }

    /// Returns the cause that the object waits for together with others.
    pub(super) fn shared_cause(&self) -> Option<&str> {
        match self {
            Self::With(cause) => Some(cause),
            Self::Alone | Self::None => None,
        }
    }
}

/// The objects of the next pass, and those that wait for one of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) todo: Vec<usize>,
    pub(super) held: Vec<usize>,
}

/// Returns the causes of objects that no longer fail, given the causes before a pass and what failed in it.
pub(super) fn healed(causes: &[(usize, String)], failed: &[usize]) -> BTreeSet<String> {
    let healed = causes.iter().filter(|(at, _)| !failed.contains(at));
    healed.map(|(_, cause)| cause.clone()).collect()
}

/// Divides the objects that failed: of those that wait for one cause, the first is tried, and all of them if the
/// cause has just `healed`.
pub(super) fn next(
    failed: &[usize],
    healed: &BTreeSet<String>,
    attempt: impl Fn(usize) -> NextAttempt,
) -> Next {
    let mut sorted = failed.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut tried = BTreeSet::new();
    let (mut todo, mut held) = (Vec::new(), Vec::new());
    for at in sorted {
        match attempt(at) {
            NextAttempt::Alone => todo.push(at),
            NextAttempt::With(cause) if healed.contains(&cause) || tried.insert(cause.clone()) => {
                todo.push(at)
            }
            NextAttempt::With(_) => held.push(at),
            NextAttempt::None => {}
        }
    }
    Next { todo, held }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(text: &str) -> NextAttempt {
        NextAttempt::With(text.to_owned())
    }

    #[test]
    fn one_object_is_tried_for_each_cause_until_the_cause_is_gone() {
        let attempt = |at: usize| match at {
            1 | 3 | 5 => cause("webhook a"),
            2 | 4 => cause("quota b"),
            6 => NextAttempt::Alone,
            _ => NextAttempt::None,
        };
        let failed = [7, 6, 5, 4, 3, 2, 1];
        let first = next(&failed, &BTreeSet::new(), attempt);
        assert_eq!((first.todo, first.held), (vec![1, 2, 6], vec![3, 4, 5]));
        // Object 1 succeeds, object 2 fails again.
        let causes = vec![(1, "webhook a".to_owned()), (2, "quota b".to_owned())];
        let gone = healed(&causes, &[2, 6]);
        let then = next(&[2, 6, 3, 4, 5], &gone, attempt);
        assert_eq!((then.todo, then.held), (vec![2, 3, 5, 6], vec![4]));
    }

    #[test]
    fn what_cannot_heal_is_not_tried_again() {
        assert_eq!(NextAttempt::of(&Healing::Never, 1), NextAttempt::None);
        assert_eq!(NextAttempt::of(&Healing::Once, 1), NextAttempt::Alone);
        assert_eq!(NextAttempt::of(&Healing::Once, 2), NextAttempt::None);
        let waits = Healing::WithTime(Some("type zones".to_owned()));
        assert_eq!(NextAttempt::of(&waits, 40), cause("type zones"));
        assert_eq!(NextAttempt::of(&Healing::WithTime(None), 40), NextAttempt::Alone);
    }
}
