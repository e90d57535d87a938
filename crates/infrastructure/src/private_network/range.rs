//! Ranges of IP addresses.

use std::net::IpAddr;

/// A range of IP addresses, in the notation of CIDR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    first: u128,
    /// The number of the leading bits that all its addresses share.
    bits: u32,
    /// The number of the bits of an address of its family.
    length: u32,
}

/// The ranges that lead to no public address (IANA, "IPv4 Special-Purpose Address Registry"): private use, shared address
/// space, link-local and loopback.
const PRIVATE: [&str; 6] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
];

impl Range {
    /// Reads a range; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let one = Self::of(address.parse().ok()?);
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= one.length)?;
        Some(Self {
            first: one.first & Self::mask(bits, one.length),
            bits,
            ..one
        })
    }

    /// Returns the range of one address.
    pub(super) fn of(address: IpAddr) -> Self {
        let (first, length) = match address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        Self {
            first,
            bits: length,
            length,
        }
    }

    fn mask(bits: u32, length: u32) -> u128 {
        let all = u128::MAX.checked_shr(128 - length).unwrap_or_default();
        all & !(u128::MAX.checked_shr(128 - length + bits).unwrap_or_default())
    }

    /// Whether each address of the other range is in this one.
    pub(super) fn contains(&self, other: &Self) -> bool {
        self.length == other.length
            && self.bits <= other.bits
            && other.first & Self::mask(self.bits, self.length) == self.first
    }

    /// Whether no address of the range is public. An IPv6 address of a VPC may be public or not, and counts as public.
    pub(super) fn is_private(&self) -> bool {
        let mut ranges = PRIVATE.into_iter().filter_map(Self::parse);
        ranges.any(|range| range.contains(self))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_range_contains_its_parts() {
        for (range, part, contains) in [
            ("0.0.0.0/0", "52.218.0.1/32", true),
            ("10.0.0.0/16", "10.0.128.0/20", true),
            ("10.0.7.1/16", "10.0.128.0/20", true),
            ("10.0.0.0/16", "10.1.0.0/24", false),
            ("10.0.0.0/24", "10.0.0.0/16", false),
            ("0.0.0.0/0", "2001:db8::/64", false),
            ("::/0", "2001:db8::/64", true),
            ("2001:db8::/56", "2001:db8:0:ff::/64", true),
            ("2001:db8::/56", "2001:db8:1::/64", false),
        ] {
            let (range, part) = (Range::parse(range).unwrap(), Range::parse(part).unwrap());
            assert_eq!(range.contains(&part), contains, "{range:?} {part:?}");
        }
        for wrong in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129", ""] {
            assert_eq!(Range::parse(wrong), None, "{wrong}");
        }
        assert!(Range::parse("10.20.0.0/16").unwrap().is_private());
        assert!(!Range::parse("0.0.0.0/0").unwrap().is_private());
        assert!(!Range::of([52, 218, 0, 1].into()).is_private());
    }
}
