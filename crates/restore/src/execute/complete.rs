//! Which objects of a plan need nothing more.

/// A set of indexes in a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompleteObjects(Vec<u64>);

impl CompleteObjects {
    /// Creates the set of these ranges, each given by its first and last index, in ascending order. `objects` is the
    /// number of objects in the plan. What follows an index beyond it, or a range that is out of order, is left out.
    #[must_use]
    pub fn from_ranges(ranges: &[(u32, u32)], objects: usize) -> Self {
        let mut complete = Self::default();
        let mut next = 0;
        for &(first, last) in ranges {
            if first < next {
                break;
            }
            for at in first..=last {
                match usize::try_from(at) {
                    Ok(at) if at < objects => complete.insert(at),
                    _ => return complete,
                }
            }
            next = last.saturating_add(1);
        }
        complete
    }

    /// Returns the ranges, each as its first and last index.
    #[must_use]
    pub fn ranges(&self) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        let all = 0..self.0.len().saturating_mul(64);
        for at in all.filter(|at| self.contains(*at)) {
            let Ok(at) = u32::try_from(at) else { break };
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == at => *last = at,
                _ => ranges.push((at, at)),
            }
        }
        ranges
    }

    /// Adds an index.
    pub fn insert(&mut self, at: usize) {
        let word = at / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (at % 64);
    }

    /// Returns whether the set contains an index.
    #[must_use]
    pub fn contains(&self, at: usize) -> bool {
        self.0
            .get(at / 64)
            .is_some_and(|word| word & (1 << (at % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_survive_being_written_and_stay_within_the_plan() {
        let mut complete = CompleteObjects::default();
        for at in [0, 1, 2, 63, 64, 65, 200] {
            complete.insert(at);
        }
        assert_eq!(complete.ranges(), [(0, 2), (63, 65), (200, 200)]);
        assert_eq!(CompleteObjects::from_ranges(&complete.ranges(), 201), complete);
        let hostile = CompleteObjects::from_ranges(&[(3, u32::MAX), (0, 1)], 10);
        assert_eq!(hostile.ranges(), [(3, 9)]);
        let unordered = CompleteObjects::from_ranges(&[(3, 4), (0, 1)], 10);
        assert_eq!(unordered.ranges(), [(3, 4)]);
    }
}
